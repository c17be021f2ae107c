/**
 * SLSA provenance v1 of one npm package: which tarball, packed by which command, out of which sources and dependencies, by whom. Commands call it
 * with a link of the package step and sign what it returns. It takes clock, environment and versions as arguments and names no builder that the
 * caller cannot answer for.
 */
import {
  InTotoError,
  parseStatement,
  provenancePredicateType,
  statementType,
  type Link,
  type ResourceDescriptor,
  type Statement,
} from 'intoto'
import { packagePurl, type ResolvedDependency } from '../lockfile/index.ts'
import { githubBuild, isGitHubActions, namesGitHub, type Build, type Environment } from './github.ts'
import { npmPackBuildType, unhostedBuilderId } from './identifier.ts'

/** The tarball that provenance is about. Digests are lower-case hex. */
export interface PackageSubject {
  name: string
  version: string
  sha512: string
  sha256: string
}

/** A file of evidence, by the digest of its bytes. */
export interface EvidenceDigest {
  /** Base name, such as `build.4f3c9a1b.link`. */
  name: string
  /** Lower-case hex. */
  sha256: string
}

/** What is said of a package. */
export interface PackageProvenance {
  subject: PackageSubject
  /** Link of the package step: it names the command, and the tarball among its products. */
  link: Link
  /** Who packed, as `npm/11.0.0`. */
  client: string
  /** Version of Node, as `v20.19.0`. */
  node?: string
  /** Folder of the package below the root of the repository; `.` unless given. */
  workspace?: string
  /** Decides between GitHub's shape and ours. */
  environment: Environment
  /** Commit that was built. In GitHub Actions the runner says it. */
  source?: { repository: string; commit: string; ref?: string }
  /** Packages of the lockfile, or those that are really in the bundle. */
  dependencies?: readonly ResolvedDependency[]
  /** The links behind this statement. */
  evidence?: readonly EvidenceDigest[]
  /** Whoever answers for the machine; our "unhosted" unless given. Never GitHub's runners outside of them. */
  builderId?: string
  /** Component to version. */
  builderVersion?: Readonly<Record<string, string>>
  invocationId?: string
  /** RFC 3339 in UTC. */
  startedOn?: string
  finishedOn?: string
}

/**
 * The subject that npm's registry and clients look for: the purl with sha512, and sha256 for tools that know no other.
 * @throws InTotoError E_CONFIG for digests of another form
 */
export function packageSubject(subject: PackageSubject): ResourceDescriptor {
  const { name, version, sha512, sha256 } = subject
  if (!/^[0-9a-f]{128}$/.test(sha512) || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new InTotoError({ code: 'E_CONFIG', message: `${name}@${version}: expected sha512 and sha256 of the tarball in lower-case hex` })
  }
  return { name: packagePurl(name, version), digest: { sha512, sha256 } }
}

/**
 * Provenance of a package, unsigned. In a GitHub Actions job, unless a builder is named, it has npm's shape there, with the lockfile's packages behind
 * the repository; elsewhere it is of build type `npmPackBuildType`.
 * @throws InTotoError E_PRODUCT: the link is not of this tarball; E_CONFIG: a builder that is not ours to name, a variable, digest or time that is
 * missing or of another form
 */
export function packageProvenance(o: PackageProvenance): Statement {
  const subject = packageSubject(o.subject)
  const named = Object.keys(o.link.products).some((file) => o.link.products[file]?.['sha256'] === o.subject.sha256)
  if (!named) {
    const message = `${subject.name}: the link of step "${o.link.name}" has no product with the sha256 of this tarball`
    throw new InTotoError({
      code: 'E_PRODUCT',
      message,
      step: o.link.name,
      fix: 'give the link that was recorded when this very tarball was packed',
    })
  }
  const build = o.builderId === undefined && isGitHubActions(o.environment) ? githubBuild(o.environment) : ownBuild(o)
  build.buildDefinition.resolvedDependencies.push(...(o.dependencies ?? []))
  return parseStatement({ _type: statementType, subject: [subject], predicateType: provenancePredicateType, predicate: build })
}

function ownBuild(o: PackageProvenance): Build {
  const builderId = o.builderId ?? unhostedBuilderId
  if (!/^[a-z][a-z0-9+.-]*:\S+$/.test(builderId)) throw badOption('builderId', 'a URI', builderId)
  if (namesGitHub(builderId) && !isGitHubActions(o.environment)) {
    const message = `builder ${builderId} stands for machines of GitHub, and this is none of them`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'name a builder that the signing key may speak for, or none' })
  }
  const [client = '', version = ''] = o.client.split('/', 2)
  const metadata = {
    ...(o.invocationId === undefined ? {} : { invocationId: o.invocationId }),
    ...time('startedOn', o.startedOn),
    ...time('finishedOn', o.finishedOn),
  }
  const byproducts = (o.evidence ?? []).map(({ name, sha256 }) => ({ name, digest: { sha256 } }))
  return {
    buildDefinition: {
      buildType: npmPackBuildType,
      externalParameters: { command: o.link.command, workspace: o.workspace ?? '.', client },
      internalParameters: { clientVersion: version, ...(o.node === undefined ? {} : { node: o.node }) },
      resolvedDependencies: o.source === undefined ? [] : [sourceOf(o.source)],
    },
    runDetails: {
      builder: { id: builderId, ...(o.builderVersion === undefined ? {} : { version: { ...o.builderVersion } }) },
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(byproducts.length === 0 ? {} : { byproducts }),
    },
  }
}

function sourceOf(source: NonNullable<PackageProvenance['source']>): ResolvedDependency {
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(source.commit)) throw badOption('source.commit', 'a whole commit id in hex', source.commit)
  const repository = source.repository.replace(/^(?:git\+)?/, 'git+').replace(/^(git\+https?:\/\/)[^/]*@/, '$1')
  return { uri: `${repository}@${source.ref ?? source.commit}`, digest: { gitCommit: source.commit } }
}

/** One time member, if there is one. */
export function time(name: string, value: string | undefined): { [name: string]: string } {
  if (value === undefined) return {}
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/.test(value)) return { [name]: value }
  throw badOption(name, 'a time such as 2030-01-31T12:00:00Z', value)
}

function badOption(name: string, expected: string, found: string): InTotoError {
  return new InTotoError({
    code: 'E_CONFIG',
    message: `provenance: ${name}: expected ${expected}, found ${JSON.stringify(found.slice(0, 200))}`,
  })
}
