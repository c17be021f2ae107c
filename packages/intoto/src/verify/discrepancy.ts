/**
 * What kind of difference lies between two versions of a file that should be one: line endings, a time, a path of the machine, another order.
 * Each kind is tried by taking it out of both; what makes them equal is the reason. Pure; called by `intoto reproduce` for files that it has twice.
 */
import { equalBytes } from '../encoding/bytes.ts'

/** Folders that the two builds ran in, whose names may have got into the files. */
export interface Places {
  readonly first: readonly string[]
  readonly second: readonly string[]
}

/** Files above this are not looked into. */
const mostBytes = 16 * 1024 * 1024

/** Points in time as programs print them: ISO 8601 and its kin, RFC 1123, milliseconds and seconds since 1970 of this age. */
const times: readonly RegExp[] = [
  /\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?/g,
  /(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? (?:\d{1,2} [A-Z][a-z]{2}|[A-Z][a-z]{2} \d{1,2}),? \d{4}(?: \d{2}:\d{2}:\d{2})?(?: ?(?:GMT|UTC)?(?:[+-]\d{4})?(?: \([^)]*\))?)/g,
  /\b\d{1,2}[/.]\d{1,2}[/.]\d{4},? \d{1,2}:\d{2}(?::\d{2})?(?: [AP]M)?/g,
  /\b\d{4}-\d{2}-\d{2}\b/g,
  /\b1\d{12}\b/g,
  /\b1\d{9}\b/g,
]

const random: readonly RegExp[] = [
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /\b0\.\d{8,}\b/g,
  /\b(?=[0-9a-f]*\d)[0-9a-f]{8,128}\b/gi,
]

/** The likely reason for a difference; undefined where none of the usual kinds explains all of it. */
export function explainDiscrepancy(first: Uint8Array, second: Uint8Array, places: Places = { first: [], second: [] }): string | undefined {
  if (first.length > mostBytes || second.length > mostBytes) return undefined
  if (isGzip(first) && isGzip(second) && equalBytes(first.subarray(8), second.subarray(8)))
    return 'only the time in the gzip header differs'
  const [a, b] = [read(first), read(second)]
  if (a === undefined || b === undefined) return undefined
  if (withoutMark(a) === withoutMark(b)) return 'only a byte order mark differs'
  if (a.replaceAll('\r\n', '\n') === b.replaceAll('\r\n', '\n')) return 'only line endings differ'
  return explainText(a, b, places)
}

function explainText(a: string, b: string, places: Places): string | undefined {
  const [localA, localB] = [without(a, places.first), without(b, places.second)]
  if (localA === localB) return 'absolute paths of the machine are in it'
  const [timelessA, timelessB] = [masked(localA, times), masked(localB, times)]
  if (timelessA === timelessB) return 'the time of the build is in it'
  if (masked(timelessA, random) === masked(timelessB, random)) return 'random values, or hashes of other files that differ, are in it'
  if (sorted(localA, '\n') === sorted(localB, '\n')) return 'the same lines stand in another order'
  if (sorted(localA, /[\s,;{}[\]()]+/) === sorted(localB, /[\s,;{}[\]()]+/)) return 'the same words stand in another order'
  if (localA.replace(/\s+/g, '') === localB.replace(/\s+/g, '')) return 'only white space differs'
  return undefined
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 10 && bytes[0] === 0x1f && bytes[1] === 0x8b
}

function read(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** Longer names first, since one folder may lie in another. */
function without(text: string, folders: readonly string[]): string {
  return [...folders].sort((a, b) => b.length - a.length).reduce((left, folder) => left.replaceAll(folder, '<root>'), text)
}

function masked(text: string, shapes: readonly RegExp[]): string {
  return shapes.reduce((left, shape) => left.replace(shape, '<value>'), text)
}

function sorted(text: string, separator: string | RegExp): string {
  return text.split(separator).sort().join('\n')
}
