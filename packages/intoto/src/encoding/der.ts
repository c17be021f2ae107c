/**
 * The little DER (X.690) that keys and ECDSA signatures need: elements, lengths, integers, object identifiers. Called by the key containers
 * and by ECDSA verification. Strict: definite, shortest lengths only, nothing behind an element, so that each value has one encoding.
 */
import { InTotoError } from '../errors.ts'
import { concat } from './bytes.ts'

/** Tags that occur in keys. */
export const derTag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
} as const

/** One element: its tag, its contents, and both with the length between them. */
export interface DerElement {
  tag: number
  body: Uint8Array
  whole: Uint8Array
}

function malformed(reason: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message: `not DER: ${reason}` })
}

/**
 * All elements that lie behind each other in these bytes.
 * @throws E_FORMAT unless they fill the bytes exactly
 */
export function readElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  let at = 0
  while (at < bytes.length) {
    const start = at
    const tag = bytes[at]!
    if ((tag & 0x1f) === 0x1f) throw malformed('a long tag')
    let length = bytes[at + 1] ?? 0x80
    at += 2
    if (length >= 0x80) {
      const count = length & 0x7f
      if (count === 0 || count > 3 || at + count > bytes.length) throw malformed('a length that is indefinite, too long or cut off')
      length = 0
      for (let i = 0; i < count; i++) length = (length << 8) | bytes[at++]!
      if (length < 0x80 || length < 1 << (8 * (count - 1))) throw malformed('a length that could be shorter')
    }
    if (at + length > bytes.length) throw malformed('an element that is cut off')
    elements.push({ tag, body: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) })
    at += length
  }
  return elements
}

/**
 * The contents of the one element of this tag that fills these bytes.
 * @throws E_FORMAT for another tag, or anything behind it
 */
export function readElement(bytes: Uint8Array, tag: number): Uint8Array {
  const [element, ...more] = readElements(bytes)
  if (element === undefined || element.tag !== tag || more.length > 0) throw malformed('an unexpected element')
  return element.body
}

/** The elements inside the one SEQUENCE that fills these bytes. @throws E_FORMAT */
export function readSequence(bytes: Uint8Array): DerElement[] {
  return readElements(readElement(bytes, derTag.sequence))
}

/**
 * The big-endian bytes of a positive INTEGER, without leading zeros.
 * @throws E_FORMAT for zero, negative numbers and needless leading bytes
 */
export function readPositive(element: DerElement | undefined): Uint8Array {
  if (element === undefined || element.tag !== derTag.integer) throw malformed('a number is missing')
  const { body } = element
  const padded = body[0] === 0
  const first = body[padded ? 1 : 0]
  if (first === undefined || first === 0 || padded !== first >= 0x80)
    throw malformed('a number that is not positive or not in its shortest form')
  return padded ? body.subarray(1) : body
}

/** One element around its parts. */
export function writeElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(...parts)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return concat(Uint8Array.of(tag, ...size), body)
}

/** An INTEGER from the big-endian bytes of a number that is not negative. */
export function writePositive(number: Uint8Array): Uint8Array {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start++
  const digits = number.subarray(start)
  return writeElement(derTag.integer, digits.length === 0 || digits[0]! >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0), digits)
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function writeOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (let arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 0x7f]
    for (arc = Math.floor(arc / 128); arc > 0; arc = Math.floor(arc / 128)) digits.unshift((arc & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return writeElement(derTag.oid, Uint8Array.from(bytes))
}

/**
 * The dotted form of an OBJECT IDENTIFIER.
 * @throws E_FORMAT
 */
export function readOid(element: DerElement | undefined): string {
  if (element === undefined || element.tag !== derTag.oid || element.body.length === 0) throw malformed('an object identifier is missing')
  const arcs: number[] = []
  let arc = 0
  for (const byte of element.body) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw malformed('an object identifier beyond all bounds')
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0
    }
  }
  const head = arcs[0] ?? 0
  const first = Math.min(2, Math.floor(head / 40))
  return [first, head - first * 40, ...arcs.slice(1)].join('.')
}

/**
 * An ECDSA signature in DER as two numbers of `size` bytes behind each other (r‖s, as WebCrypto has it); undefined for all that is not the
 * one strict encoding of two positive numbers of at most that size.
 */
export function ecdsaFromDer(signature: Uint8Array, size: number): Uint8Array | undefined {
  try {
    const [r, s, ...more] = readSequence(signature)
    const numbers = [readPositive(r), readPositive(s)]
    if (more.length > 0 || numbers.some((number) => number.length > size)) return undefined
    const both = new Uint8Array(2 * size)
    numbers.forEach((number, i) => both.set(number, (i + 1) * size - number.length))
    return both
  } catch {
    return undefined
  }
}

/** An ECDSA signature r‖s as DER, as in-toto metadata holds it. */
export function ecdsaToDer(signature: Uint8Array): Uint8Array {
  const size = signature.length / 2
  return writeElement(derTag.sequence, writePositive(signature.subarray(0, size)), writePositive(signature.subarray(size)))
}
