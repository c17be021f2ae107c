/**
 * Reads one header of a tar archive, in which every field must be written in a form that all readers read alike: npm's own passes over an entry with any
 * other, without a word. frame.ts calls it for each; it reads nothing behind the header.
 */
import type { InTotoError } from 'intoto'

/** Headers and contents of an archive begin at multiples of it. */
export const block = 512
/** What a client's `pack` writes: files, folders, and PAX headers for long or non-ASCII names. Other readers treat all else in different ways. */
const kinds: ReadonlyMap<number, 'file' | 'folder' | 'pax'> = new Map([
  [0x00, 'file'],
  [0x30, 'file'],
  [0x35, 'folder'],
  [0x78, 'pax'],
])
const others: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a device',
  4: 'a device',
  6: 'a FIFO',
  g: 'a global header',
  K: 'a GNU long name',
  L: 'a GNU long name',
}
/** A header's texts (POSIX, "ustar Interchange Format"): name, name of the target, user, group. The prefix depends on the format. */
const texts = [
  [0, 100],
  [157, 100],
  [265, 32],
  [297, 32],
] as const
/** Numbers that may be left out: mode, device numbers. */
const numbers = [
  [100, 8],
  [329, 8],
  [337, 8],
] as const
/** Numbers that may be too large for octal digits as well: user, group, time. */
const largeNumbers = [
  [108, 8],
  [116, 8],
  [136, 12],
] as const
/** Last access and change, behind a prefix of at most 130 bytes. */
const times = [
  [476, 12],
  [488, 12],
] as const
/** Magic and version of formats that have no prefix: GNU's, and that of before POSIX. */
const unprefixed: ReadonlySet<string> = new Set(['ustar  \0', '\0\0\0\0\0\0\0\0'])
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Makes the error, with the place in the archive. */
export type Refusal = (reason: string) => InTotoError

/** What a header tells. */
export interface Header {
  readonly kind: 'file' | 'folder' | 'pax'
  readonly size: number
  readonly mode: number
  /** Of the name field alone. */
  readonly own: Uint8Array
  /** None but where every reader looks for one. */
  readonly prefix: Uint8Array
}

/** @throws InTotoError what `refusal` makes: a kind that no client packs, or a field in a form that none of them and GNU tar write */
export function readHeader(header: Uint8Array, refusal: Refusal): Header {
  if (header.length < block) throw refusal('the archive ends in the middle of an entry')
  if (header[0] === 0) throw refusal('a header without a name, at which some readers stop')
  const kind = kinds.get(header[156] ?? 0)
  if (kind === undefined)
    throw refusal(`it holds ${others[latin(header.subarray(156, 157))] ?? 'an entry of a kind that not all readers know'}`)
  const size = numberAt(header, 124, 12)
  if (size === undefined || Number.isNaN(size)) throw refusal('a size is not written in octal digits')
  checkSum(header, refusal)
  if (!texts.every(([start, length]) => isPadded(header, start, length))) throw refusal('something stands behind the end of a name')
  if (header[157] !== 0) throw refusal('a file has the target of a link')
  const areNumbers =
    numbers.every(([start, length]) => !Number.isNaN(numberAt(header, start, length))) &&
    largeNumbers.every(([start, length]) => isLarge(header, start, length) || !Number.isNaN(numberAt(header, start, length)))
  if (!areNumbers) throw refusal('a number is not written in octal digits')
  return { kind, size, mode: numberAt(header, 100, 8) ?? 0, own: field(header, 0, 100), prefix: prefixOf(header, refusal) }
}

/** npm reads on behind the eight bytes until something ends the sum. Whether it is right is for the second reader to find. */
function checkSum(header: Uint8Array, refusal: Refusal): void {
  const sum = numberAt(header, 148, 8)
  const isEnded = header[155] === 0 || header[155] === 0x20
  if (sum === undefined || Number.isNaN(sum) || !isEnded) throw refusal('a checksum is not written in octal digits with an end')
}

/** npm keeps two times behind a short prefix, as star did. In other formats that place is a prefix to pnpm and none to npm. */
function prefixOf(header: Uint8Array, refusal: Refusal): Uint8Array {
  const format = latin(header.subarray(257, 265))
  const isUstar = format === 'ustar\u000000'
  if (!isUstar && !unprefixed.has(format)) throw refusal('its headers are of a format that not all readers know')
  const length = !isUstar ? 0 : header[475] === 0 ? 131 : 155
  const areTimes = length !== 131 || times.every(([start, size]) => !Number.isNaN(numberAt(header, start, size)))
  const isRead = areTimes && isPadded(header, 345, length) && isBlank(header, isUstar ? 500 : 345, block)
  if (!isRead) throw refusal('not all readers find the same prefix of its name')
  return field(header, 345, length)
}

/** Octal digits, spaces before them, spaces and NULs behind; undefined where there is nothing, NaN for anything else. */
function numberAt(header: Uint8Array, start: number, length: number): number | undefined {
  const end = start + length
  let at = start
  while (at < end && header[at] === 0x20) at++
  const digits = at
  let value = 0
  for (; at < end && isDigit(header[at] ?? 0); at++) value = value * 8 + (header[at] ?? 0) - 0x30
  const isNothing = at === digits
  while (at < end && (header[at] === 0x20 || header[at] === 0)) at++
  return at < end ? Number.NaN : isNothing ? undefined : value
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x37
}

/** GNU's base-256 for what octal digits can't hold, where it is positive and no reader rounds it. */
function isLarge(header: Uint8Array, start: number, length: number): boolean {
  if (header[start] !== 0x80) return false
  return Number.isSafeInteger(header.subarray(start + 1, start + length).reduce((value, byte) => value * 256 + byte, 0))
}

/** NULs only behind the first one: what else stands there some readers take for a part of the name. */
function isPadded(header: Uint8Array, start: number, length: number): boolean {
  let at = start
  while (at < start + length && header[at] !== 0) at++
  return isBlank(header, at, start + length)
}

function isBlank(header: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end && header[at] === 0) at++
  return at === end
}

function field(header: Uint8Array, start: number, length: number): Uint8Array {
  const bytes = header.subarray(start, start + length)
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** @throws InTotoError what `refusal` makes: the bytes are no UTF-8 */
export function decode(bytes: Uint8Array, refusal: () => InTotoError): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refusal()
  }
}

/** Each byte as the letter of its number. */
export function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
