/**
 * A JSON document with some of its values cut out: large ones are read by readers of their own, and what is left goes to the strict reader, which
 * finds everything else that is wrong. Called by the fast way through metadata. Judges nothing: where the document is not well-formed, what comes
 * out is not either.
 */
import { concat, utf8 } from './bytes.ts'

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a

/** What is done with a value: nothing, `undefined`; something shorter in its place, up to `end`. */
export interface Cut {
  /** Place behind the value. */
  readonly end: number
  /** A whole JSON value. */
  readonly standIn: string
}

/** The name of a member of the outermost object or of an object in that, as it is spelled; `outer` is the name of the member around it. */
export interface MemberPlace {
  readonly outer: string | undefined
  readonly name: string
  /** Where its value begins. */
  readonly start: number
}

/**
 * The document with stand-ins. A value that `choose` cuts must be a whole JSON value, since nobody reads it again; then the result is well-formed
 * exactly when the document is, and means the same but for these values. Names are compared as they are spelled, so a name with an escape is
 * offered to nobody under its real name; when it is a second one of its kind, the strict reader refuses what is left.
 */
export function cutValues(bytes: Uint8Array, choose: (place: MemberPlace) => Cut | undefined): Uint8Array {
  const kept: Uint8Array[] = []
  let from = 0
  let depth = 0
  let outer = ''
  let [nameStart, nameEnd] = [0, 0]
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === quote) {
      nameStart = i + 1
      i = nameEnd = stringEnd(bytes, i)
    } else if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) depth--
    else if (byte === colon && (depth === 1 || depth === 2)) {
      const name = spelled(bytes, nameStart, nameEnd)
      if (depth === 1) outer = name
      const start = behindSpace(bytes, i + 1)
      const cut = choose({ outer: depth === 1 ? undefined : outer, name, start })
      if (cut === undefined) continue
      kept.push(bytes.subarray(from, start), utf8(cut.standIn))
      from = cut.end
      i = cut.end - 1
    }
  }
  kept.push(bytes.subarray(from))
  return concat(...kept)
}

/** The place of the closing quotation mark, or the end of a text that lacks one. In small files a search of our own is compiled in vain. */
function stringEnd(bytes: Uint8Array, open: number): number {
  for (let end = bytes.indexOf(quote, open + 1); end >= 0; end = bytes.indexOf(quote, end + 1)) {
    let i = end
    while (bytes[i - 1] === backslash) i--
    if ((end - i) % 2 === 0) return end
  }
  return bytes.length
}

/** The first place at or after `at` that holds no white space. */
export function behindSpace(bytes: Uint8Array, at: number): number {
  let i = at
  for (let byte = bytes[i]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;) byte = bytes[++i]
  return i
}

/** Short names as text; the few names that are looked for are short and plain. */
function spelled(bytes: Uint8Array, start: number, end: number): string {
  return end - start < 32 ? String.fromCharCode(...bytes.subarray(start, end)) : ''
}
