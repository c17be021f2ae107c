/**
 * Canonical JSON in the OLPC flavour that in-toto signs: the bytes behind Metablock signatures and key ids. Called with values exactly as
 * they stand in a file. The result is in general not parseable JSON, since control characters stay raw; it is never written to a file.
 */
import { InTotoError } from '../errors.ts'
import type { JsonValue } from './json.ts'
import { maxDepth } from './limits.ts'
import { sortNames } from './order.ts'

/** A value that writes itself. */
export interface Written {
  /** Bytes that it takes at most. */
  readonly length: number
  /** Writes its canonical form at this place and returns the one behind it. */
  writeCanonical(out: Uint8Array, at: number): number
}

/**
 * The canonical bytes of a value: names by code point, no white space, only `\` and `"` escaped, integers in plain decimal, UTF-8.
 * @param written objects that only stand for what is written in their place
 * @throws E_FORMAT for numbers that are no integers, half surrogate pairs, and nesting beyond the reader's greatest depth
 */
export function canonicalJson(value: JsonValue, written?: ReadonlyMap<JsonValue, Written>): Uint8Array {
  const writer = new Writer(written)
  writer.value(value, 0)
  return writer.bytes()
}

/** Fills one growing buffer; strings are encoded on the way, which spares a second pass over large links. */
class Writer {
  private buffer: Uint8Array
  private at = 0
  private readonly written: ReadonlyMap<JsonValue, Written> | undefined

  constructor(written: ReadonlyMap<JsonValue, Written> | undefined) {
    let length = 1024
    for (const value of written?.values() ?? []) length += value.length
    this.buffer = new Uint8Array(length)
    this.written = written
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  value(value: JsonValue, depth: number): void {
    if (typeof value === 'string') return this.string(value)
    if (typeof value === 'object' && value !== null) {
      const written = this.written?.get(value)
      if (written !== undefined) return this.foreign(written)
      if (depth >= maxDepth) throw refused(`more than ${maxDepth} levels`)
      if (Array.isArray(value)) this.list(value, depth + 1)
      else this.object(value, depth + 1)
      return
    }
    if (typeof value === 'number' && (!Number.isSafeInteger(value) || Object.is(value, -0)))
      throw refused('a number that is no exact integer')
    if (value === undefined) throw refused('an undefined value')
    this.ascii(String(value))
  }

  private foreign(value: Written): void {
    this.reserve(value.length)
    this.at = value.writeCanonical(this.buffer, this.at)
  }

  private list(list: readonly JsonValue[], depth: number): void {
    this.ascii('[')
    for (let i = 0; i < list.length; i++) {
      if (i > 0) this.ascii(',')
      this.value(list[i]!, depth)
    }
    this.ascii(']')
  }

  private object(object: { readonly [name: string]: JsonValue }, depth: number): void {
    this.ascii('{')
    let separator = ''
    for (const name of sortNames(Object.keys(object))) {
      const member = object[name]
      if (member === undefined) continue
      this.ascii(separator)
      this.string(name)
      this.ascii(':')
      this.value(member, depth)
      separator = ','
    }
    this.ascii('}')
  }

  private string(text: string): void {
    this.reserve(text.length * 3 + 2)
    const { buffer } = this
    let { at } = this
    buffer[at++] = 0x22
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit === 0x22 || unit === 0x5c) {
        // Both of the two bytes fit, since three were reserved for each unit.
        buffer[at++] = 0x5c
        buffer[at++] = unit
      } else if (unit < 0x80) buffer[at++] = unit
      else if (unit < 0x800) {
        buffer[at++] = 0xc0 | (unit >> 6)
        buffer[at++] = 0x80 | (unit & 63)
      } else if (unit < 0xd800 || unit > 0xdfff) {
        buffer[at++] = 0xe0 | (unit >> 12)
        buffer[at++] = 0x80 | ((unit >> 6) & 63)
        buffer[at++] = 0x80 | (unit & 63)
      } else {
        const point = text.codePointAt(i)!
        if (point < 0x10000) throw refused('half a surrogate pair')
        i++
        buffer[at++] = 0xf0 | (point >> 18)
        buffer[at++] = 0x80 | ((point >> 12) & 63)
        buffer[at++] = 0x80 | ((point >> 6) & 63)
        buffer[at++] = 0x80 | (point & 63)
      }
    }
    buffer[at++] = 0x22
    this.at = at
  }

  private ascii(text: string): void {
    this.reserve(text.length)
    for (let i = 0; i < text.length; i++) this.buffer[this.at++] = text.charCodeAt(i)
  }

  private reserve(length: number): void {
    if (this.at + length <= this.buffer.length) return
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.at + length))
    larger.set(this.buffer)
    this.buffer = larger
  }
}

function refused(what: string): InTotoError {
  return new InTotoError({
    code: 'E_FORMAT',
    message: `no canonical JSON for ${what}`,
    fix: 'write durations and fractions as integers or strings',
  })
}
