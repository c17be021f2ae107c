/**
 * Predicates that say what a link says: the link predicate of the attestation framework, read and written, and SLSA provenance, written.
 * Called by whoever stores Statements beside links, and by a verification that accepts them in place of links. Never invents a value: what
 * the link does not hold is given by the caller or left out.
 */
import { emptyRecord, type JsonObject, type JsonValue } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import type { Artifacts } from './artifact.ts'
import { createLink, type Link } from './link.ts'
import { expectList, expectRecord, expectString, expectStrings, refuse, within, type Place } from './member.ts'
import { parseDescriptors, parseStatement, statementType, type ResourceDescriptor, type Statement } from './statement.ts'

/** Type of the link predicate. */
export const linkPredicateType = 'https://in-toto.io/attestation/link/v0.3'
/** Type of SLSA provenance. */
export const provenancePredicateType = 'https://slsa.dev/provenance/v1'

function record(members: { readonly [name: string]: JsonValue | undefined }): JsonObject {
  const object = emptyRecord()
  for (const name of Object.keys(members)) if (members[name] !== undefined) object[name] = members[name]
  return object
}

/** Digest sets are lower-case; links may be of either case. */
function descriptors(artifacts: Artifacts): JsonObject[] {
  return Object.keys(artifacts).map((name) => {
    const digest = emptyRecord()
    for (const algorithm of Object.keys(artifacts[name]!)) digest[algorithm] = artifacts[name]![algorithm]!.toLowerCase()
    return record({ name, digest })
  })
}

function statementAbout(link: Link, predicateType: string, predicate: JsonObject): Statement {
  const subject = descriptors(link.products)
  if (subject.length === 0) {
    const message = `the link of step ${JSON.stringify(link.name)} has no product, and a Statement needs at least one subject`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'make Statements for steps that have products' })
  }
  return parseStatement(record({ _type: statementType, subject, predicateType, predicate }))
}

/**
 * The same as a link says, as a Statement with the link predicate: products are its subjects.
 * @throws E_CONFIG for a link without products, or with an artifact called "" or "_", which are no names there
 */
export function toStatement(link: Link): Statement {
  for (const name of ['', '_']) {
    if (!Object.hasOwn(link.materials, name) && !Object.hasOwn(link.products, name)) continue
    const message = `the link of step ${JSON.stringify(link.name)} has ${JSON.stringify(name)}, which is no name of an artifact in a Statement`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'record the file under another name' })
  }
  const { name, command, byproducts, environment } = link
  return statementAbout(link, linkPredicateType, record({ name, command, materials: descriptors(link.materials), byproducts, environment }))
}

/**
 * The classic link that a Statement with the link predicate stands for (link predicate v0.3, "Converting to old-style links").
 * @throws E_FORMAT for another predicate, and for materials or subjects without a name or with one that stands twice
 */
export function fromStatement(statement: Statement): Link {
  const root: Place = { code: 'E_FORMAT', path: 'statement' }
  if (statement.predicateType !== linkPredicateType)
    refuse(within(root, 'predicateType'), JSON.stringify(linkPredicateType), statement.predicateType)
  const place = within(root, 'predicate')
  const predicate = expectRecord(statement.predicate, place)
  const { name, command = [], materials = [], byproducts, environment } = predicate
  const here = within(place, 'materials')
  return createLink({
    name: expectString(name, within(place, 'name')),
    command: expectStrings(command, within(place, 'command')),
    materials: artifactsOf(parseDescriptors(expectList(materials, here), here), here),
    products: artifactsOf(statement.subject, within(root, 'subject')),
    byproducts: expectRecord(byproducts ?? emptyRecord(), within(place, 'byproducts')),
    environment: expectRecord(environment ?? emptyRecord(), within(place, 'environment')),
  })
}

function artifactsOf(list: readonly ResourceDescriptor[], place: Place): Artifacts {
  const artifacts: Artifacts = emptyRecord()
  list.forEach(({ name, digest }, i) => {
    const here = within(within(place, i), 'name')
    if (name === undefined || name === '' || name === '_') return refuse(here, 'the name of an artifact', name)
    if (Object.hasOwn(artifacts, name)) refuse(here, 'a name that stands only once', name)
    artifacts[name] = digest ?? emptyRecord()
  })
  return artifacts
}

/** What provenance says beyond the link. Times are RFC 3339 in UTC. */
export interface ProvenanceOptions {
  /** URI of whoever ran the build and is trusted for this statement. */
  builderId: string
  /** URI that says how to read the parameters. */
  buildType: string
  /** Default: step name and command. */
  externalParameters?: JsonObject
  internalParameters?: JsonObject
  /** Beyond the link's materials: the source commit, the packages of a lockfile. */
  resolvedDependencies?: readonly ResourceDescriptor[]
  builderVersion?: { readonly [component: string]: string }
  invocationId?: string
  startedOn?: string
  finishedOn?: string
}

/**
 * SLSA provenance v1 for the products of a link; its materials are the resolved dependencies.
 * @throws E_CONFIG for a link without products, an id or type that is no URI, or a time of another form
 */
export function toProvenance(link: Link, options: ProvenanceOptions): Statement {
  const { builderId, buildType, builderVersion, invocationId, internalParameters } = options
  expectUri(builderId, 'builderId')
  expectUri(buildType, 'buildType')
  const more = (options.resolvedDependencies ?? []) as readonly JsonObject[]
  const metadata = record({
    invocationId,
    startedOn: time(options.startedOn, 'startedOn'),
    finishedOn: time(options.finishedOn, 'finishedOn'),
  })
  const buildDefinition = record({
    buildType,
    externalParameters: options.externalParameters ?? record({ step: link.name, command: link.command }),
    internalParameters,
    resolvedDependencies: [...descriptors(link.materials), ...more],
  })
  const builder = record({ id: builderId, version: builderVersion === undefined ? undefined : { ...builderVersion } })
  const runDetails = record({ builder, metadata: Object.keys(metadata).length === 0 ? undefined : metadata })
  return statementAbout(link, provenancePredicateType, record({ buildDefinition, runDetails }))
}

function expectUri(text: string, option: string): void {
  if (/^[a-z][a-z0-9+.-]*:\S+$/.test(text)) return
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `${option}: expected a URI, found ${JSON.stringify(text)}`,
    fix: 'give a URI such as https://example.org/builder',
  })
}

function time(text: string | undefined, option: string): string | undefined {
  if (text === undefined || /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(text)) return text
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `${option}: expected a time such as 2030-01-31T12:00:00Z, found ${JSON.stringify(text)}`,
  })
}
