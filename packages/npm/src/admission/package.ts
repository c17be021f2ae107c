/**
 * The verdict about a package: the tarball that its registry serves, judged as `intoto verify npm:NAME@VERSION` does, in memory and without a command.
 * `judgement.ts` calls it.
 */
import {
  emptyRecord,
  InTotoError,
  judge,
  problem,
  type DigestMap,
  type Layout,
  type LinkSource,
  type Metadata,
  type Problem,
  type Report,
  type VerifyOptions,
} from 'intoto'
import { checkPackage, compareServed, fetchPublished, type RegistryAccess } from '../publish/index.ts'
import { readTarball, tarballArtifacts, type Tarball } from '../tarball.ts'
import type { Subject } from '../store/index.ts'
import { isUnpack, unpackInMemory } from '../unpacking.ts'
import type { AdmissionLimits } from './options.ts'
import type { PackageReference } from './reference.ts'

/** What a package is judged by. */
export interface PackageTrust {
  readonly layout: Metadata<Layout>
  readonly options: Omit<VerifyOptions, 'links'>
  readonly links: (subject: Subject) => Promise<LinkSource>
  readonly access: RegistryAccess
  readonly limits: AdmissionLimits
}

/**
 * The Report about a package.
 * @throws InTotoError of the registry, of the tarball, of the evidence: nothing to judge
 */
export async function judgePackage(reference: PackageReference, o: PackageTrust): Promise<Report> {
  const { packageName: name, version } = reference
  const { timeout, tarballBytes } = o.limits
  const served = await fetchPublished({ ...o.access, name, version, timeout, limit: tarballBytes })
  const file = `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`
  const tarball = await readTarball(served.tarball, { what: file, unpackedBytes: 4 * tarballBytes })
  const { sha256, sha512 } = tarball
  const artifacts = emptyRecord<DigestMap>()
  artifacts[file] = Object.assign(emptyRecord<string>(), { sha256 })
  const unpacks = o.layout.payload.inspect.every(({ run }) => isUnpack(run))
  const report = await judge(o.layout, {
    ...o.options,
    links: await o.links({ sha256, sha512, size: served.tarball.length }),
    trace: true,
    product: { path: file, kind: 'file', artifacts, ignore: [] },
    ...(unpacks ? { inspect: unpackInMemory({ name: file, sha256, read: async () => tarballArtifacts(tarball) }) } : {}),
  })
  const problems = [
    ...compareServed(tarball, served),
    ...integrityProblems(reference, tarball),
    ...chainProblems(o.layout.payload, report, tarball),
  ]
  const ok = report.ok && problems.every(({ severity }) => severity === 'warning')
  return { ...report, ok, problems: [...report.problems, ...problems] }
}

/** A registry that answers with another tarball than the caller knows gets no yes for it. */
function integrityProblems({ text, integrity }: PackageReference, tarball: Tarball): Problem[] {
  if (integrity === undefined || integrity === tarball.integrity) return []
  return [
    problem({
      code: 'E_PRODUCT',
      message: `${text}: the registry serves another tarball than the one that is asked for`,
      expected: { label: 'asked for', text: integrity },
      actual: { label: 'registry', text: tarball.integrity },
      fix: 'find out which of them is meant: the lockfile and the registry disagree',
    }),
  ]
}

/** What rules can't say of a tarball; only of a chain that holds so far. */
function chainProblems({ steps }: Layout, { chain = [] }: Report, tarball: Tarball): Problem[] {
  const links = chain.filter((link) => steps.some(({ name }) => name === link.name))
  if (links.length === 0) return []
  try {
    return checkPackage(tarball, links)
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    return [{ ...error.problem, severity: 'error' }]
  }
}
