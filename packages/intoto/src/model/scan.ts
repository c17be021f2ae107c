/**
 * The fast reader of materials and products: one pass over the raw JSON of an artifact map, which notes where names and digests stand and builds
 * nothing. Called by the fast way through metadata. It takes only what every tool writes (names in order and without escapes, digests in
 * hex), and checks all that the strict reader and the parser of links check; anything else it leaves to them.
 */
import { behindSpace } from '../encoding/cut.ts'
import { fromUtf8 } from '../encoding/bytes.ts'
import type { Limits } from '../encoding/json.ts'
import { isCleanName } from './artifact.ts'
import { ArtifactTable, compareBytes, strideOf } from './table.ts'

const quote = 0x22
const colon = 0x3a
const comma = 0x2c
const open = 0x7b
const close = 0x7d
const slash = 0x2f
const dot = 0x2e

/** What a byte is within a name: 0 ends it, 1 is plain ASCII, 2 may make the name unclean, 3 is part of a longer UTF-8 sequence. */
const nameByte = new Uint8Array(256).fill(1, 0x20).fill(3, 0x80)
nameByte[quote] = nameByte[0x5c] = 0
nameByte[slash] = nameByte[dot] = 2

/** 1 for hex digits. */
const hexByte = new Uint8Array(256).fill(1, 0x30, 0x3a).fill(1, 0x41, 0x47).fill(1, 0x61, 0x67)

/** 1 for what names of algorithms are made of. */
const algorithmByte = new Uint8Array(256).fill(1, 0x30, 0x3a).fill(1, 0x41, 0x5b).fill(1, 0x61, 0x7b)
algorithmByte[0x2d] = algorithmByte[0x5f] = 1

/** An artifact map that has been read, where it ends, and how many JSON values it is. */
export interface ScannedArtifacts {
  readonly table: ArtifactTable
  readonly end: number
  readonly values: number
}

/**
 * Reads the artifact map that begins at `start`; undefined for one that is not as simple as that, or not right.
 * @param bytes a JSON document; nobody may change it as long as the table is in use
 */
export function scanArtifacts(bytes: Uint8Array, start: number, limits: Limits): ScannedArtifacts | undefined {
  return bytes[start] === open ? new Scanner(bytes, limits.artifacts).map(start) : undefined
}

class Scanner {
  private readonly bytes: Uint8Array
  private readonly most: number
  private places = new Int32Array(64 * strideOf)
  private size = 0
  private digests = 0
  private isClean = true
  private isUsable = true

  constructor(bytes: Uint8Array, most: number) {
    this.bytes = bytes
    this.most = most
  }

  map(start: number): ScannedArtifacts | undefined {
    const { bytes } = this
    let at = behindSpace(bytes, start + 1)
    if (bytes[at] === close) return this.result(start, at + 1)
    for (;;) {
      at = this.entry(at)
      if (at < 0) return undefined
      at = behindSpace(bytes, at)
      if (bytes[at] === close) return this.result(start, at + 1)
      if (bytes[at] !== comma) return undefined
      at = behindSpace(bytes, at + 1)
    }
  }

  private result(start: number, end: number): ScannedArtifacts {
    const { bytes, places, size, digests, isClean, isUsable } = this
    const table = new ArtifactTable({ bytes, places: places.slice(0, size * strideOf), size, start, end, isClean, isUsable })
    return { table, end, values: 1 + size + digests }
  }

  /** `"name": { … }`; the place behind it, or -1. */
  private entry(at: number): number {
    const { bytes } = this
    if (bytes[at] !== quote || this.size === this.most) return -1
    const nameStart = at + 1
    const nameEnd = this.name(nameStart)
    if (nameEnd < 0) return -1
    let i = behindSpace(bytes, nameEnd + 1)
    if (bytes[i] !== colon) return -1
    i = behindSpace(bytes, i + 1)
    if (bytes[i] !== open) return -1
    const end = this.digestMap(i)
    if (end < 0 || !this.isBehindLast(nameStart, nameEnd)) return -1
    this.push(nameStart, nameEnd, i, end)
    return end
  }

  /** The place of the quotation mark behind a name that has no escape and no control character and is well-formed UTF-8; or -1. */
  private name(start: number): number {
    const { bytes } = this
    let i = start
    let suspicious = false
    let wide = false
    for (let kind = nameByte[bytes[i]!]; kind !== 0 && kind !== undefined; kind = nameByte[bytes[++i]!]) {
      if (kind === 1) continue
      if (kind === 3) wide = true
      // "//", "/." or a dot in front; a slash at the end is looked for below.
      else if (i === start ? bytes[i] === dot : bytes[i - 1] === slash) suspicious = true
    }
    if (bytes[i] !== quote) return -1
    if (wide || suspicious || bytes[i - 1] === slash) {
      const name = textOf(bytes, start, i)
      if (name === undefined) return -1
      if (!isCleanName(name)) this.isClean = false
    }
    return i
  }

  /** `{"sha256": "…"}`, algorithms in order; the place behind it, or -1. */
  private digestMap(start: number): number {
    const { bytes } = this
    let i = behindSpace(bytes, start + 1)
    let usable = false
    let count = 0
    let [lastStart, lastEnd] = [0, 0]
    while (bytes[i] === quote) {
      const algorithm = i + 1
      for (i = algorithm; algorithmByte[bytes[i]!] === 1;) i++
      const algorithmEnd = i
      if (bytes[i] !== quote || algorithmEnd === algorithm) return -1
      if (count > 0 && compareBytes(bytes.subarray(lastStart, lastEnd), bytes.subarray(algorithm, algorithmEnd)) >= 0) return -1
      i = behindSpace(bytes, i + 1)
      if (bytes[i] !== colon) return -1
      i = behindSpace(bytes, i + 1)
      if (bytes[i] !== quote) return -1
      const digest = i + 1
      for (i = digest; hexByte[bytes[i]!] === 1;) i++
      if (bytes[i] !== quote || i === digest) return -1
      if (isStrong(bytes, algorithm, algorithmEnd, i - digest)) usable = true
      lastStart = algorithm
      lastEnd = algorithmEnd
      if (++count > this.most) return -1
      i = behindSpace(bytes, i + 1)
      if (bytes[i] === close) break
      if (bytes[i] !== comma) return -1
      i = behindSpace(bytes, i + 1)
      if (bytes[i] !== quote) return -1
    }
    if (bytes[i] !== close) return -1
    this.digests += count
    if (!usable) this.isUsable = false
    return i + 1
  }

  /** Ascending order of all names says, too, that none stands twice. UTF-8 bytes are in the order of code points. */
  private isBehindLast(start: number, end: number): boolean {
    const { bytes, places, size } = this
    if (size === 0) return true
    let last = places[(size - 1) * strideOf]!
    const lastEnd = places[(size - 1) * strideOf + 1]!
    let i = start
    while (last < lastEnd && i < end && bytes[last] === bytes[i]) {
      last++
      i++
    }
    return i < end && (last === lastEnd || bytes[last]! < bytes[i]!)
  }

  private push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.size++ * strideOf
    if (at === this.places.length) {
      const larger = new Int32Array(at * 2)
      larger.set(this.places)
      this.places = larger
    }
    this.places[at] = nameStart
    this.places[at + 1] = nameEnd
    this.places[at + 2] = valueStart
    this.places[at + 3] = valueEnd
  }
}

/** The text, or undefined where it is not well-formed UTF-8. */
function textOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return fromUtf8(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** Digests that tie a content down: see `usableDigest`. */
function isStrong(bytes: Uint8Array, algorithm: number, algorithmEnd: number, digits: number): boolean {
  if (algorithmEnd - algorithm !== 6) return false
  if (bytes[algorithm] !== 0x73 || bytes[algorithm + 1] !== 0x68 || bytes[algorithm + 2] !== 0x61) return false
  const number = (bytes[algorithm + 3]! << 16) | (bytes[algorithm + 4]! << 8) | bytes[algorithm + 5]!
  return (number === 0x323536 && digits === 64) || (number === 0x333834 && digits === 96) || (number === 0x353132 && digits === 128)
}
