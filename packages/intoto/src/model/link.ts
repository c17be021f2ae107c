/**
 * Links (specification 4.3): what one functionary says about one step. Parsed from metadata, made by recorders. Never checks whether a link
 * fits a layout: that is the verification's.
 */
import { emptyRecord, withDefaults, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { isSorted, sortNames } from '../encoding/order.ts'
import { parseArtifacts, type Artifacts, type DigestMap } from './artifact.ts'
import { expectLiteral, expectRecord, expectString, expectStrings, within, type Place } from './member.ts'

/** A link as it stands in its file; members that in-toto does not know are kept. */
export interface Link {
  _type: 'link'
  name: string
  materials: Artifacts
  products: Artifacts
  /** `return-value`, `stdout`, `stderr`, and whatever else was seen. */
  byproducts: JsonObject
  command: string[]
  environment?: JsonObject
  [other: string]: unknown
}

/** What a recorder knows about its step; all but the name may be left out. */
export interface LinkInit {
  name: string
  materials?: Artifacts
  products?: Artifacts
  command?: readonly string[]
  byproducts?: { readonly [name: string]: JsonValue }
  environment?: { readonly [name: string]: JsonValue }
}

const root: Place = { code: 'E_FORMAT', path: 'link' }

/** Does this payload claim to be a link? */
export function isLink(value: unknown): value is Link {
  return typeof value === 'object' && value !== null && (value as { _type?: unknown })._type === 'link'
}

const members = ['_type', 'name', 'materials', 'products', 'byproducts', 'command', 'environment']

/** Names of the members that a link of in-toto 1.0 does not have. */
export function unknownMembers(link: Link): string[] {
  return Object.keys(link).filter((name) => !members.includes(name))
}

/**
 * A link from outside. `environment` may be absent, `null` in place of a list is an empty one (Go writes that); all else must be there.
 * @throws E_FORMAT with the place
 */
export function parseLink(value: unknown, limits?: Partial<Limits>): Link {
  const most = withDefaults(limits)
  const link = Object.assign(emptyRecord(), expectRecord(value, root))
  expectLiteral(link['_type'], 'link', within(root, '_type'))
  expectString(link['name'], within(root, 'name'))
  link['materials'] = parseArtifacts(link['materials'], within(root, 'materials'), most)
  link['products'] = parseArtifacts(link['products'], within(root, 'products'), most)
  link['byproducts'] = expectRecord(link['byproducts'], within(root, 'byproducts'))
  link['command'] = expectStrings(link['command'], within(root, 'command'))
  if (link['environment'] === null) delete link['environment']
  if (link['environment'] !== undefined) link['environment'] = expectRecord(link['environment'], within(root, 'environment'))
  return link as unknown as Link
}

/**
 * A link with all seven members that both reference tools write, artifacts in the order of their names. What it is made from must not be changed
 * any more.
 * @throws E_FORMAT when a digest is not hex
 */
export function createLink(init: LinkInit): Link {
  const link = emptyRecord<unknown>()
  link['_type'] = 'link'
  link['name'] = init.name
  link['materials'] = sorted(init.materials)
  link['products'] = sorted(init.products)
  link['byproducts'] = init.byproducts ?? emptyRecord()
  link['command'] = [...(init.command ?? [])]
  link['environment'] = init.environment ?? emptyRecord()
  return parseLink(link)
}

function sorted(artifacts: Artifacts = {}): Artifacts {
  const names = Object.keys(artifacts)
  // Recorders make maps in this form, and large ones.
  if (isSorted(names) && Object.getPrototypeOf(artifacts) === null) return artifacts
  const result = emptyRecord<DigestMap>()
  for (const name of sortNames(names)) result[name] = artifacts[name]!
  return result
}

/** The only name under which a link is looked for: `<step>.<first 8 of keyid>.link`. */
export function linkFileName(step: string, keyid: string): string {
  return `${step}.${keyid.slice(0, 8)}.link`
}

/**
 * Names under which a Statement may lie in place of a link: an envelope, or a bundle with one envelope a line (attestation framework, "Bundle").
 */
export function statementFileNames(step: string, keyid: string): string[] {
  return ['.intoto.jsonl', '.json'].map((end) => `${step}.${keyid.slice(0, 8)}${end}`)
}

/** Is this exactly the form `<step>.<8 hex>.link`? Takes a file name, not a path. */
export function isLinkFileName(name: string): boolean {
  return name.endsWith('.link') && /^[^/]+\.[0-9a-fA-F]{8}\.link$/.test(name)
}
