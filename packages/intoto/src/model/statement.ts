/**
 * Statements of the attestation framework (in-toto Statement v1): something said about subjects that are known by their digests. Parsed from
 * metadata, made from links by predicate.ts. Never used for a layout's rules, whose comparison of digests is another one (artifact.ts).
 */
import { emptyRecord, type JsonObject } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { expectList, expectRecord, expectString, refuse, within, type Place } from './member.ts'

/** The one version that is read and written. */
export const statementType = 'https://in-toto.io/Statement/v1'

/** Algorithm to digest (DigestSet v1). Algorithms are lower-case names such as `sha256`, or `gitCommit` and the like. */
export interface DigestSet {
  [algorithm: string]: string
}

/** An artifact or other resource (ResourceDescriptor v1). */
export interface ResourceDescriptor {
  name?: string
  uri?: string
  digest?: DigestSet
  /** Base64. */
  content?: string
  downloadLocation?: string
  mediaType?: string
  annotations?: JsonObject
  [other: string]: unknown
}

/** A Statement as it stands in its file; members that are unknown here are kept. */
export interface Statement {
  _type: typeof statementType
  /** Each has a digest: subjects are matched by digest only. */
  subject: ResourceDescriptor[]
  predicateType: string
  predicate?: JsonObject
  [other: string]: unknown
}

const root: Place = { code: 'E_FORMAT', path: 'statement' }

/** Does this payload claim to be a Statement v1? */
export function isStatement(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && (value as { _type?: unknown })._type === statementType
}

/**
 * A Statement from outside.
 * @throws E_FORMAT with the place; E_UNSUPPORTED for other versions of the framework
 */
export function parseStatement(value: unknown): Statement {
  const statement = Object.assign(emptyRecord(), expectRecord(value, root))
  const type = expectString(statement['_type'], within(root, '_type'))
  if (type !== statementType) {
    const other = type.startsWith('https://in-toto.io/Statement/')
    if (!other) refuse(within(root, '_type'), JSON.stringify(statementType), type)
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message: `statement: version ${type.slice(0, 60)} is not read`,
      fix: 'make it again as Statement v1',
    })
  }
  if (expectString(statement['predicateType'], within(root, 'predicateType')) === '')
    refuse(within(root, 'predicateType'), 'a type URI', '')
  if (statement['predicate'] === null) delete statement['predicate']
  if (statement['predicate'] !== undefined) expectRecord(statement['predicate'], within(root, 'predicate'))
  const place = within(root, 'subject')
  if (!Array.isArray(statement['subject'])) refuse(place, 'a list', statement['subject'])
  parseDescriptors(statement['subject'], place)
  return statement as unknown as Statement
}

/**
 * A list of descriptors that all have a digest; names are unique, but for `_`, which like none means nothing.
 * @throws E_FORMAT with the place
 */
export function parseDescriptors(value: unknown, place: Place): ResourceDescriptor[] {
  const names = new Set<string>()
  return expectList(value, place).map((entry, i) => {
    const here = within(place, i)
    const descriptor = parseDescriptor(entry, here)
    if (descriptor.digest === undefined) refuse(here, 'a descriptor with a digest', entry)
    const { name } = descriptor
    if (name !== undefined && name !== '' && name !== '_') {
      if (names.has(name)) refuse(within(here, 'name'), 'a name that stands only once', name)
      names.add(name)
    }
    return descriptor
  })
}

function parseDescriptor(value: unknown, place: Place): ResourceDescriptor {
  const descriptor = expectRecord(value, place)
  for (const member of ['name', 'uri', 'content', 'downloadLocation', 'mediaType']) {
    if (descriptor[member] !== undefined) expectString(descriptor[member], within(place, member))
  }
  if (descriptor['annotations'] !== undefined) expectRecord(descriptor['annotations'], within(place, 'annotations'))
  const { digest } = descriptor
  if (digest !== undefined) {
    const here = within(place, 'digest')
    const set = expectRecord(digest, here)
    const algorithms = Object.keys(set)
    if (algorithms.length === 0) refuse(here, 'at least one digest', digest)
    for (const algorithm of algorithms)
      if (expectString(set[algorithm], within(here, algorithm)) === '') refuse(within(here, algorithm), 'a digest', '')
  }
  return descriptor
}

/** Digests that are strong enough to stand for content, with their length in hex digits. */
const accepted: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
  ['sha512_256', 64],
  ['sha3_256', 64],
  ['sha3_384', 96],
  ['sha3_512', 128],
])

/**
 * Do two digest sets mean one content? At least one accepted algorithm stands in both, and all accepted ones that do agree; weak and unknown
 * algorithms say nothing (DigestSet v1, with the caution that one contradiction is enough for "no"). Not the comparison of artifact rules:
 * that is `equalDigests`.
 */
export function matchDigestSet(a: DigestSet, b: DigestSet): boolean {
  let matches = false
  for (const [algorithm, length] of accepted) {
    if (!Object.hasOwn(a, algorithm) || !Object.hasOwn(b, algorithm)) continue
    const digest = a[algorithm]!
    if (digest.length !== length || !/^[0-9a-f]+$/.test(digest) || digest !== b[algorithm]) return false
    matches = true
  }
  return matches
}
