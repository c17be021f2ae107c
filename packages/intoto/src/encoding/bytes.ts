/**
 * Text and bytes: UTF-8, hex and base64, each strict in what it reads. Everything that meets a file or a signature goes through here.
 * Never guesses: what is not exactly in the format is a refusal, where the platform's own decoders skip or replace.
 */
import { InTotoError } from '../errors.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The UTF-8 bytes of a text.
 * @throws E_FORMAT when the text holds half a surrogate pair, which has no UTF-8 form
 */
export function utf8(text: string): Uint8Array {
  if (/[\ud800-\udfff]/.test(text) && /\p{Surrogate}/u.test(text)) {
    throw new InTotoError({ code: 'E_FORMAT', message: 'text with half a surrogate pair has no UTF-8 form' })
  }
  return encoder.encode(text)
}

/**
 * The text that UTF-8 bytes stand for; a byte order mark stays in it.
 * @throws E_FORMAT when the bytes are not well-formed UTF-8
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new InTotoError({ code: 'E_FORMAT', message: 'the bytes are not well-formed UTF-8' }, { cause })
  }
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += hexDigits[byte]
  return text
}

/**
 * Bytes from hex of either case, as both peers read it.
 * @throws E_FORMAT for an odd length or any other character
 */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new InTotoError({ code: 'E_FORMAT', message: 'not a hexadecimal text' })
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const encodeTable = encoder.encode(alphabet)
/** Value of each byte, 255 for what is in the alphabet neither. */
const standardTable = new Uint8Array(256).fill(255)
for (let i = 0; i < 64; i++) standardTable[encodeTable[i]!] = i
const urlTable = standardTable.slice()
urlTable[45] = 62
urlTable[95] = 63
urlTable[43] = urlTable[47] = 255

/** Standard base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return decoder.decode(encodeBase64(bytes))
}

/** The same as ASCII, for texts too large to be copied about. */
export function encodeBase64(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4)
  const rest = bytes.length % 3
  const whole = bytes.length - rest
  let at = 0
  for (let i = 0; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    out[at] = encodeTable[group >> 18]!
    out[at + 1] = encodeTable[(group >> 12) & 63]!
    out[at + 2] = encodeTable[(group >> 6) & 63]!
    out[at + 3] = encodeTable[group & 63]!
    at += 4
  }
  if (rest === 0) return out
  const group = (bytes[whole]! << 16) | ((rest === 2 ? bytes[whole + 1]! : 0) << 8)
  out[at] = encodeTable[group >> 18]!
  out[at + 1] = encodeTable[(group >> 12) & 63]!
  out[at + 2] = rest === 2 ? encodeTable[(group >> 6) & 63]! : 61
  out[at + 3] = 61
  return out
}

/**
 * Bytes from padded base64 in the standard or the URL-safe alphabet, not a mixture of both; no white space, no stray bits (RFC 4648, 3.5).
 * @throws E_FORMAT for anything else
 */
export function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((text.length / 4) * 3))
  const end = decodeBase64(encoder.encode(text), bytes, 0, text.includes('-') || text.includes('_') ? urlTable : standardTable)
  if (end < 0) throw new InTotoError({ code: 'E_FORMAT', message: 'not a base64 text with padding' })
  return bytes.subarray(0, end)
}

/**
 * Decodes padded standard base64 into `out` from `at` on, for texts too large to be copied about; returns the place behind the last byte, or -1
 * for what `fromBase64` refuses.
 */
export function decodeBase64(digits: Uint8Array, out: Uint8Array, at: number, table: Uint8Array = standardTable): number {
  const { length } = digits
  if (length % 4 !== 0) return -1
  const padding = length === 0 || digits[length - 1] !== 61 ? 0 : digits[length - 2] === 61 ? 2 : 1
  const whole = padding === 0 ? length : length - 4
  let to = at
  let bad = 0
  for (let i = 0; i < whole; i += 4) {
    const a = table[digits[i]!]!
    const b = table[digits[i + 1]!]!
    const c = table[digits[i + 2]!]!
    const d = table[digits[i + 3]!]!
    bad |= a | b | c | d
    out[to] = (a << 2) | (b >> 4)
    out[to + 1] = (b << 4) | (c >> 2)
    out[to + 2] = (c << 6) | d
    to += 3
  }
  if (padding > 0) {
    const a = table[digits[whole]!]!
    const b = table[digits[whole + 1]!]!
    const c = padding === 1 ? table[digits[whole + 2]!]! : 0
    // Bits that belong to no byte must be zero, so that each content has one text.
    bad |= a | b | c | (padding === 1 ? (c & 3) << 6 : (b & 15) << 6)
    out[to++] = (a << 2) | (b >> 4)
    if (padding === 1) out[to++] = (b << 4) | (c >> 2)
  }
  return bad >= 64 ? -1 : to
}

/** All parts behind each other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Same length and same bytes; the time does not depend on where they differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
