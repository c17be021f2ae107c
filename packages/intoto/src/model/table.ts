/**
 * Materials or products as a sorted table over bytes: names and digests are places in a buffer, so that 100,000 artifacts cost no objects. Made by
 * the fast reader from a file, or from an artifact map in memory; rules and agreement work on it alone. Never changes, and says nothing that the
 * artifact map would not.
 */
import { fromUtf8 } from '../encoding/bytes.ts'
import { emptyRecord } from '../encoding/json.ts'
import { sortNames } from '../encoding/order.ts'
import { isCleanName, sameDigests, usableDigest, type Artifacts, type DigestMap } from './artifact.ts'

/** Numbers for each artifact in `places`: start and end of the name, start and end of the digest map. */
export const strideOf = 4

/** What a table is made of. */
export interface TableInit {
  readonly bytes: Uint8Array
  readonly places: Int32Array
  readonly size: number
  /** Where all of it stands in the bytes. */
  readonly start: number
  readonly end: number
  /** No name needs cleaning (`isCleanName`). */
  readonly isClean: boolean
  /** Each digest map is a usable one (`usableDigest`). */
  readonly isUsable: boolean
  /** The map that the table was made from, if it was, and its names in the table's order. */
  readonly source?: { readonly artifacts: Artifacts; readonly names: readonly string[] }
}

/** Artifacts in the order of their names' code points, which is that of UTF-8 bytes. */
export class ArtifactTable {
  readonly bytes: Uint8Array
  readonly size: number
  readonly isClean: boolean
  private readonly places: Int32Array
  private readonly init: TableInit
  private artifacts: Artifacts | undefined
  private ascii: string | null | undefined

  constructor(init: TableInit) {
    this.init = init
    this.bytes = init.bytes
    this.places = init.places
    this.size = init.size
    this.isClean = init.isClean
    this.artifacts = init.source?.artifacts
  }

  /** For a table that was read from a file, which is about to be written as canonical JSON. */
  moving(): MovingTable {
    return new MovingTable(this.init)
  }

  /** Where the name of an artifact begins in `bytes`. */
  start(i: number): number {
    return this.places[i * strideOf]!
  }

  /** Where it ends. */
  end(i: number): number {
    return this.places[i * strideOf + 1]!
  }

  name(i: number): string {
    const { source } = this.init
    if (source !== undefined) return source.names[i]!
    const text = this.asciiText()
    if (text === null) return fromUtf8(this.bytes.subarray(this.start(i), this.end(i)))
    return text.slice(this.start(i) - this.init.start, this.end(i) - this.init.start)
  }

  /** The whole map as text in which places are those of the bytes; null when there is none, since it is not all ASCII. */
  private asciiText(): string | null {
    if (this.ascii === undefined) {
      const { bytes, start, end } = this.init
      const text = fromUtf8(bytes.subarray(start, end))
      this.ascii = text.length === end - start ? text : null
    }
    return this.ascii
  }

  digests(i: number): DigestMap {
    if (this.artifacts !== undefined) return this.artifacts[this.name(i)]!
    const digests = emptyRecord<string>()
    // Read once already: algorithm and digest in turn, without escapes.
    const words = fromUtf8(this.bytes.subarray(this.places[i * strideOf + 2], this.places[i * strideOf + 3])).split('"')
    for (let at = 1; at + 2 < words.length; at += 4) digests[words[at]!] = words[at + 2]!
    return digests
  }

  /** All artifacts as a map in the order of the file, made once. */
  toArtifacts(): Artifacts {
    if (this.artifacts !== undefined) return this.artifacts
    const artifacts = emptyRecord<DigestMap>()
    for (let i = 0; i < this.size; i++) artifacts[this.name(i)] = this.digests(i)
    this.artifacts = artifacts
    return artifacts
  }

  /** `equalDigests` of an artifact here and one in another table. */
  isEqual(i: number, other: ArtifactTable, j: number): boolean {
    if (!this.isSame(i, other, j)) return false
    return this.init.isUsable || other.init.isUsable || usableDigest(this.digests(i))
  }

  /** `sameDigests` of an artifact here and one in another table: equal text is an equal map, other text may be. */
  isSame(i: number, other: ArtifactTable, j: number): boolean {
    const [own, end] = [this.places[i * strideOf + 2]!, this.places[i * strideOf + 3]!]
    const [theirs, theirEnd] = [other.places[j * strideOf + 2]!, other.places[j * strideOf + 3]!]
    const length = end - own
    let at = length === theirEnd - theirs ? 0 : -1
    if (at === 0) while (at < length && this.bytes[own + at] === other.bytes[theirs + at]) at++
    return at === length || sameDigests(this.digests(i), other.digests(j))
  }

  /** Negative, zero or positive: the name at `i` against the bytes from `start` to `end`. */
  compare(i: number, key: Uint8Array, start: number, end: number): number {
    const { bytes } = this
    let at = this.start(i)
    const last = this.end(i)
    let from = start
    while (at < last && from < end && bytes[at] === key[from]) {
      at++
      from++
    }
    if (at === last || from === end) return last - at - (end - from)
    return bytes[at]! - key[from]!
  }

  /** The first place whose name is not before these bytes. */
  lowerBound(key: Uint8Array, start: number = 0, end: number = key.length): number {
    let low = 0
    let high = this.size
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(middle, key, start, end) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The place of a name, or -1. */
  find(name: string): number {
    const key = looseUtf8(name)
    const at = this.lowerBound(key)
    return at < this.size && this.compare(at, key, 0, key.length) === 0 ? at : -1
  }

  /** The names that begin with these bytes lie together: the first place, and the one behind the last. */
  range(prefix: Uint8Array): { first: number; end: number } {
    const first = this.lowerBound(prefix)
    let low = first
    let high = this.size
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.startsWith(middle, prefix)) low = middle + 1
      else high = middle
    }
    return { first, end: low }
  }

  private startsWith(i: number, prefix: Uint8Array): boolean {
    const start = this.start(i)
    return this.compare(i, prefix, 0, prefix.length) >= 0 && this.end(i) - start >= prefix.length
      ? compareBytes(this.bytes.subarray(start, start + prefix.length), prefix) === 0
      : false
  }
}

/** A table on its way from a file, which is its caller's, into canonical JSON, which is ours. */
export class MovingTable {
  private readonly init: TableInit
  private readonly places: Int32Array
  private start = 0
  private end = 0

  constructor(init: TableInit) {
    this.init = init
    this.places = new Int32Array(init.places.length)
  }

  /** Bytes that `writeCanonical` may take. */
  get length(): number {
    return this.init.end - this.init.start
  }

  /** Writes the map as canonical JSON and returns the place behind it; at most as many bytes as it has in the file. */
  writeCanonical(out: Uint8Array, at: number): number {
    const { places: moved } = this
    const { bytes, places, size } = this.init
    let to = at
    out[to++] = 0x7b
    for (let i = 0; i < size * strideOf; i += strideOf) {
      if (i > 0) out[to++] = 0x2c
      out[to++] = 0x22
      moved[i] = to
      for (let from = places[i]!, end = places[i + 1]!; from < end; from++) out[to++] = bytes[from]!
      moved[i + 1] = to
      out[to++] = 0x22
      out[to++] = 0x3a
      moved[i + 2] = to
      for (let from = places[i + 2]!, end = places[i + 3]!; from < end; from++) {
        const byte = bytes[from]!
        if (byte > 0x20) out[to++] = byte
      }
      moved[i + 3] = to
    }
    out[to++] = 0x7d
    this.start = at
    this.end = to
    return to
  }

  /** The table over the canonical JSON of which `writeCanonical` wrote a part. */
  over(bytes: Uint8Array): ArtifactTable {
    return new ArtifactTable({ ...this.init, bytes, places: this.places, start: this.start, end: this.end })
  }
}

/** The table of artifacts in memory, which nobody may change as long as it is in use. */
export function tableFrom(artifacts: Artifacts): ArtifactTable {
  const names = inOrder(Object.keys(artifacts))
  const places = new Int32Array(names.length * strideOf)
  let bytes: Uint8Array = new Uint8Array(names.length * 64 + 64)
  let at = 0
  const put = (text: string): void => {
    if (at + text.length * 3 > bytes.length) {
      const larger = new Uint8Array(Math.max(bytes.length * 2, at + text.length * 3))
      larger.set(bytes)
      bytes = larger
    }
    at = writeLoose(text, bytes, at)
  }
  let [isClean, isUsable] = [true, true]
  names.forEach((name, i) => {
    const digests = artifacts[name]!
    if (!isCleanName(name)) isClean = false
    if (!usableDigest(digests)) isUsable = false
    places[i * strideOf] = at
    put(name)
    places[i * strideOf + 1] = places[i * strideOf + 2] = at
    put(digestText(digests))
    places[i * strideOf + 3] = at
  })
  return new ArtifactTable({ bytes, places, size: names.length, start: 0, end: at, isClean, isUsable, source: { artifacts, names } })
}

/** Half surrogate pairs, which no file can hold, are in the order of their bytes here too. */
function inOrder(names: string[]): string[] {
  const isBroken = names.some((name) => /[\ud800-\udfff]/.test(name) && /\p{Surrogate}/u.test(name))
  return isBroken ? names.sort((a, b) => compareBytes(looseUtf8(a), looseUtf8(b))) : sortNames(names)
}

/** Equal for equal maps. */
function digestText(digests: DigestMap): string {
  const algorithms = Object.keys(digests)
  return algorithms.length === 1
    ? JSON.stringify(digests)
    : JSON.stringify(algorithms.sort().map((algorithm) => [algorithm, digests[algorithm]]))
}

/** UTF-8 that has three bytes for half a surrogate pair, too: order and identity hold for any text. */
export function looseUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  return bytes.subarray(0, writeLoose(text, bytes, 0))
}

function writeLoose(text: string, out: Uint8Array, start: number): number {
  let at = start
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!
    if (point < 0x80) {
      out[at++] = point
    } else if (point < 0x800) {
      out[at++] = 0xc0 | (point >> 6)
      out[at++] = 0x80 | (point & 63)
    } else if (point < 0x10000) {
      out[at++] = 0xe0 | (point >> 12)
      out[at++] = 0x80 | ((point >> 6) & 63)
      out[at++] = 0x80 | (point & 63)
    } else {
      i++
      out[at++] = 0xf0 | (point >> 18)
      out[at++] = 0x80 | ((point >> 12) & 63)
      out[at++] = 0x80 | ((point >> 6) & 63)
      out[at++] = 0x80 | (point & 63)
    }
  }
  return at
}

/** Negative, zero or positive, byte by byte. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
