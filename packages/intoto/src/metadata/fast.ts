/**
 * The fast way through a signed link: its artifacts, nearly all of a large file, are read from the bytes into tables, the rest by the strict reader
 * and the parsers that every file goes through. Called by metadata.ts before the plain way. It gives up on whatever is not as simple as tools write
 * it, and on anything that is wrong: then the plain way decides and finds the words. So both must agree wherever this one answers, which
 * `test/intoto/fast.test.ts` holds against every corpus.
 */
import { decodeBase64 } from '../encoding/bytes.ts'
import { canonicalJson } from '../encoding/canonical.ts'
import { cutValues, type MemberPlace } from '../encoding/cut.ts'
import { isJsonObject, parseJson, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { isLink, parseLink, type Link } from '../model/link.ts'
import { scanArtifacts } from '../model/scan.ts'
import { setSide, type Side } from '../model/side.ts'
import type { ArtifactTable } from '../model/table.ts'
import { inTotoPayloadType, preAuthStart, readEnvelope } from './envelope.ts'
import { readMetablock } from './metablock.ts'
import type { Signature } from './signature.ts'

/** Below this nesting the artifacts of a metablock do not fit into a file at all. */
const leastDepth = 5
/** Places in tables have 31 bits. */
const mostBytes = 0x7fffffff

/** A link as read: what metadata has beside the file's bytes. */
export interface FastLink {
  format: 'dsse' | 'metablock'
  payloadType?: string
  payload: Link
  signatures: readonly Signature[]
  signedBytes: Uint8Array
}

/** The link, or undefined where the plain way must be taken. Throws nothing that is about the file. */
export function decodeFast(bytes: Uint8Array, limits: Limits, what: string): FastLink | undefined {
  if (bytes.length > Math.min(limits.fileBytes, mostBytes) || limits.depth < leastDepth) return undefined
  try {
    const cuts = new Cuts(bytes, limits, 'signed')
    const rest = cutValues(bytes, (place) => cuts.choose(place))
    if (cuts.gaveUp) return undefined
    return cuts.body === undefined ? metablock(rest, cuts, { limits, what }) : envelope(rest, cuts.body, { limits, what })
  } catch (error) {
    if (error instanceof InTotoError) return undefined
    throw error
  }
}

interface Source {
  readonly limits: Limits
  readonly what: string
}

/** What is taken out of a file or a payload. */
class Cuts {
  gaveUp = false
  readonly tables: { materials?: ArtifactTable; products?: ArtifactTable } = {}
  /** Of an envelope: bytes that the signature covers, and in them the payload. */
  body: { signedBytes: Uint8Array; start: number } | undefined
  /** JSON values in the tables, beyond the one that stands in for each. */
  values = 0
  private readonly bytes: Uint8Array
  private readonly limits: Limits
  /** The member around `materials` and `products`; undefined in the payload of an envelope, which is the link itself. */
  private readonly outer: 'signed' | undefined

  constructor(bytes: Uint8Array, limits: Limits, outer: 'signed' | undefined) {
    this.bytes = bytes
    this.limits = limits
    this.outer = outer
  }

  get hasBoth(): boolean {
    return this.tables.materials !== undefined && this.tables.products !== undefined
  }

  choose({ outer, name, start }: MemberPlace): { end: number; standIn: string } | undefined {
    if (this.gaveUp) return undefined
    if (outer === this.outer && (name === 'materials' || name === 'products')) return this.artifacts(name, start)
    return outer === undefined && name === 'payload' && this.outer !== undefined ? this.payload(start) : undefined
  }

  private artifacts(side: Side, start: number): { end: number; standIn: string } | undefined {
    const scanned = this.tables[side] === undefined ? scanArtifacts(this.bytes, start, this.limits) : undefined
    if (scanned === undefined) {
      this.gaveUp = true
      return undefined
    }
    this.tables[side] = scanned.table
    this.values += scanned.values
    return { end: scanned.end, standIn: '{}' }
  }

  private payload(start: number): { end: number; standIn: string } | undefined {
    const { bytes } = this
    const end = bytes[start] === 0x22 && this.body === undefined ? bytes.indexOf(0x22, start + 1) : -1
    const size = end < 0 ? -1 : base64Size(bytes, start + 1, end)
    const head = size < 0 ? undefined : preAuthStart(inTotoPayloadType, size)
    if (head === undefined) {
      this.gaveUp = true
      return undefined
    }
    const signedBytes = new Uint8Array(head.length + size)
    signedBytes.set(head)
    if (decodeBase64(bytes.subarray(start + 1, end), signedBytes, head.length) !== signedBytes.length) {
      this.gaveUp = true
      return undefined
    }
    this.body = { signedBytes, start: head.length }
    return { end: end + 1, standIn: '""' }
  }
}

/** Bytes behind padded base64 of this length; -1 where the length is impossible. */
function base64Size(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length % 4 !== 0) return -1
  const padding = length === 0 || bytes[end - 1] !== 0x3d ? 0 : bytes[end - 2] === 0x3d ? 2 : 1
  return (length / 4) * 3 - padding
}

/** Limits for what is left when this many values are gone. */
function remaining(limits: Limits, values: number): Limits {
  return { ...limits, values: limits.values - values }
}

function metablock(rest: Uint8Array, cuts: Cuts, { limits, what }: Source): FastLink | undefined {
  const { tables } = cuts
  if (tables.materials === undefined || tables.products === undefined) return undefined
  const { value: file, floats } = parseJson(rest, { limits: remaining(limits, cuts.values), what })
  if (!isJsonObject(file) || floats || Object.hasOwn(file, 'payload') || Object.hasOwn(file, 'payloadType')) return undefined
  const { signed } = file
  if (!isJsonObject(signed)) return undefined
  const [materials, products] = [tables.materials.moving(), tables.products.moving()]
  const written = new Map([
    [signed['materials'] as JsonObject, materials],
    [signed['products'] as JsonObject, products],
  ])
  const { signedBytes, signatures } = readMetablock(file, { limits, what, canonical: (value) => canonicalJson(value, written) })
  // The file is the caller's, who may use its buffer again; the signed bytes are ours.
  tables.materials = materials.over(signedBytes)
  tables.products = products.over(signedBytes)
  const payload = linkWith(signed, cuts, limits)
  return payload && { format: 'metablock', payload, signatures, signedBytes }
}

function envelope(
  rest: Uint8Array,
  { signedBytes, start }: { signedBytes: Uint8Array; start: number },
  { limits, what }: Source,
): FastLink | undefined {
  const { value: file } = parseJson(rest, { limits, what })
  if (!isJsonObject(file) || Object.hasOwn(file, 'signed') || file['payload'] !== '') return undefined
  const { payloadType, signatures } = readEnvelope(file, limits, what)
  if (payloadType !== inTotoPayloadType) return undefined
  const body = signedBytes.subarray(start)
  const cuts = new Cuts(body, limits, undefined)
  const inner = cutValues(body, (place) => cuts.choose(place))
  if (cuts.gaveUp || !cuts.hasBoth) return undefined
  const payload = linkWith(parseJson(inner, { limits: remaining(limits, cuts.values), what }).value, cuts, limits)
  return payload && { format: 'dsse', payloadType, payload, signatures, signedBytes }
}

/** The link whose sides are the tables; only where both stand exactly where a link has them. */
function linkWith(value: JsonValue | undefined, { tables }: Cuts, limits: Limits): Link | undefined {
  const { materials, products } = tables
  if (materials === undefined || products === undefined || !isJsonObject(value) || !isLink(value)) return undefined
  for (const side of [value['materials'], value['products']]) if (!isJsonObject(side) || Object.keys(side).length > 0) return undefined
  const link = parseLink(value, limits)
  setSide(link, 'materials', materials)
  setSide(link, 'products', products)
  return link
}
