/**
 * Canonical JSON by leaving out white space: most metablocks are written sorted and plain, so that the bytes to verify stand in the file
 * already. Called by metablock.ts with a file that has been read. Gives up wherever the bytes might not be canonical; the caller then encodes the
 * value. A wrong answer could only be a bad signature: whatever it returns reads as the very value that stands in the file.
 */

import { maxDepth } from './limits.ts'

const openObject = 0x7b
const closeObject = 0x7d
const openList = 0x5b
const closeList = 0x5d
const comma = 0x2c
const colon = 0x3a
const quote = 0x22
const backslash = 0x5c

/**
 * The canonical form of the member `name` of the object that fills these bytes, or undefined when it cannot be had by leaving out white space:
 * names not ascending, an escape that canonical JSON lacks, a number that is no plain integer.
 * @param bytes one strict JSON document, read without floats
 */
export function minifyMember(bytes: Uint8Array, name: string): Uint8Array | undefined {
  const range = memberRange(bytes, name)
  return range && minify(bytes, range.start, range.end)
}

/** Where the value of a member of the outermost object stands. */
function memberRange(bytes: Uint8Array, name: string): { start: number; end: number } | undefined {
  let depth = 0
  let start = -1
  let key = ''
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === quote) {
      const end = stringEnd(bytes, i)
      if (depth === 1 && start < 0) key = ascii(bytes, i + 1, end)
      i = end
    } else if (byte === openObject || byte === openList) depth++
    else if (byte === closeObject || byte === closeList) depth--
    else if (depth === 1 && byte === colon && start < 0 && key === name) start = i + 1
    else if (depth === 1 && byte === comma && start >= 0) return { start, end: i }
    if (depth === 0 && start >= 0) return { start, end: i }
  }
  return undefined
}

/** The place of the closing quotation mark. */
function stringEnd(bytes: Uint8Array, open: number): number {
  let i = open + 1
  while (bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1
  return i
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return end - start < 64 ? String.fromCharCode(...bytes.subarray(start, end)) : ''
}

function minify(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const out = new Uint8Array(end - start)
  let at = 0
  const open = new OpenObjects(out)
  let atName = false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte === quote) {
      const from = at
      out[at++] = quote
      for (i++; bytes[i] !== quote; i++) {
        if (bytes[i] === backslash) {
          const escaped = bytes[i + 1]
          // Only these two escapes are canonical, and in a name they would spoil the comparison.
          if (atName || (escaped !== quote && escaped !== backslash)) return undefined
          out[at++] = backslash
          i++
        }
        out[at++] = bytes[i]!
      }
      out[at++] = quote
      if (atName && !open.name(from + 1, at - 1)) return undefined
    } else if (byte > 0x20) {
      if (byte === openObject || byte === openList) open.push(byte === openList)
      else if (byte === closeObject || byte === closeList) open.pop()
      atName = byte === openObject || (byte === comma && !open.inList)
      out[at++] = byte
    }
  }
  return out.subarray(0, at)
}

const noName = -1
const isList = -2

/** The objects and lists around a place, and where the last name of each object stands. */
class OpenObjects {
  private depth = -1
  private readonly starts = new Int32Array(maxDepth + 1)
  private readonly ends = new Int32Array(maxDepth + 1)
  private readonly text: Uint8Array

  constructor(text: Uint8Array) {
    this.text = text
  }

  push(list: boolean): void {
    this.starts[++this.depth] = list ? isList : noName
  }

  pop(): void {
    this.depth--
  }

  get inList(): boolean {
    return this.starts[this.depth] === isList
  }

  /** Takes the next name of the innermost object; false when it does not come behind the one before it. */
  name(start: number, end: number): boolean {
    const { text, starts, ends, depth } = this
    let last = starts[depth]!
    const lastEnd = ends[depth]!
    starts[depth] = start
    ends[depth] = end
    if (last === noName) return true
    while (last < lastEnd && start < end && text[last] === text[start]) {
      last++
      start++
    }
    // Order of UTF-8 bytes, which is that of code points.
    return start < end && (last === lastEnd || text[last]! < text[start]!)
  }
}
