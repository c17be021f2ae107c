/**
 * JSON as in-toto needs it: a reader that refuses whatever two readers could understand differently (duplicate members, broken UTF-8, half
 * surrogate pairs, text behind the document), keeps integers exact, and makes objects without a prototype; and the one writer. All metadata
 * comes in and goes out here. Never uses `JSON.parse`, which rounds integers and takes the last of two members.
 */
import { InTotoError } from '../errors.ts'
import { fromUtf8 } from './bytes.ts'
import { checkLimits, maxDepth, withDefaults, type Limits } from './limits.ts'
import { sortNames } from './order.ts'
import { plainJson } from './plain.ts'

export { beyondLimit, defaultLimits, withDefaults, type Limits } from './limits.ts'

/** What a JSON document can hold. Integers beyond 2^53 are bigint. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject

/** A JSON object. Those made here have no prototype, so that `__proto__` and `constructor` are plain names. */
export interface JsonObject {
  [name: string]: JsonValue
}

/** An object without a prototype, to be filled by names from outside. */
export function emptyRecord<T = JsonValue>(): { [name: string]: T } {
  return Object.create(null) as { [name: string]: T }
}

/** Is this an object, not a list and not null? */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Options of `parseJson`. */
export interface ParseOptions {
  limits?: Partial<Limits>
  /** What is being read, for messages: a file name. */
  what?: string
}

/** What `parseJson` read. `floats` tells whether any number was written other than as a plain integer (`1.5`, `1.0`, `1e3`, `-0`). */
export interface ParsedJson {
  value: JsonValue
  floats: boolean
}

/**
 * Reads exactly one JSON document (RFC 8259) and refuses what readers disagree about (RFC 7493).
 * @throws E_FORMAT with place and reason; limits are counted before anything is allocated
 */
export function parseJson(bytes: Uint8Array, options: ParseOptions = {}): ParsedJson {
  const what = options.what ?? 'JSON'
  checkLimits(bytes, withDefaults(options.limits), what)
  let text: string
  try {
    text = fromUtf8(bytes)
  } catch (cause) {
    throw new InTotoError(
      { code: 'E_FORMAT', message: `${what}: not well-formed UTF-8`, fix: 'save the file as UTF-8, or make it again' },
      { cause },
    )
  }
  const reader = new Reader(text, what)
  const value = reader.document()
  return { value, floats: reader.floats }
}

const quote = 0x22
const backslash = 0x5c
const numberForm = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
/** As many digits as Python converts by default; what is longer nobody wrote in earnest, and conversion time grows with the square. */
const maxDigits = 4_300
const escapes: ReadonlyMap<string, string> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }),
)
/** Pieces of a string that are joined at once: a list of millions would take many times the memory of its text. */
const mostParts = 8_192
/** Characters of a string that stand for themselves; by far the fastest way to find its end. */
const plainForm = /[^"\\\0-\x1f]*/y

/** Recursive descent over decoded text; `checkLimits` has bounded its depth. */
class Reader {
  floats = false
  private at = 0
  private readonly text: string
  private readonly what: string

  constructor(text: string, what: string) {
    this.text = text
    this.what = what
  }

  document(): JsonValue {
    if (this.text.charCodeAt(0) === 0xfeff) this.fail('a byte order mark in front')
    this.space()
    const value = this.value()
    this.space()
    if (this.at < this.text.length) this.fail('text behind the end of the document')
    return value
  }

  private value(): JsonValue {
    const code = this.text.charCodeAt(this.at)
    if (code === quote) return this.string()
    if (code === 0x7b) return this.object()
    if (code === 0x5b) return this.list()
    if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.number()
    if (this.text.startsWith('true', this.at)) return this.word(4, true)
    if (this.text.startsWith('false', this.at)) return this.word(5, false)
    if (this.text.startsWith('null', this.at)) return this.word(4, null)
    return this.fail(this.at >= this.text.length ? 'the text ends too early' : 'no JSON value')
  }

  private word<T>(length: number, value: T): T {
    this.at += length
    return value
  }

  private object(): JsonObject {
    const object = emptyRecord()
    this.at++
    this.space()
    if (this.take(0x7d)) return object
    for (;;) {
      if (this.text.charCodeAt(this.at) !== quote) this.fail('a member name is missing')
      const start = this.at
      const name = this.string()
      if (object[name] !== undefined) this.fail(`the member ${shorten(name)} stands twice`, start)
      this.space()
      if (!this.take(0x3a)) this.fail('":" is missing')
      this.space()
      object[name] = this.value()
      this.space()
      if (this.take(0x2c)) this.space()
      else if (this.take(0x7d)) return object
      else this.fail('"," or "}" is missing')
    }
  }

  private list(): JsonValue[] {
    const list: JsonValue[] = []
    this.at++
    this.space()
    if (this.take(0x5d)) return list
    for (;;) {
      list.push(this.value())
      this.space()
      if (this.take(0x2c)) this.space()
      else if (this.take(0x5d)) return list
      else this.fail('"," or "]" is missing')
    }
  }

  private string(): string {
    const start = ++this.at
    const code = this.plain()
    if (code === quote) return this.text.slice(start, this.at++)
    const parts = [this.text.slice(start, this.at)]
    let whole = ''
    while (this.text.charCodeAt(this.at) === backslash) {
      parts.push(this.escape())
      if (parts.length >= mostParts) whole += parts.splice(0).join('')
      if (this.text.charCodeAt(this.at) === backslash) continue
      const from = this.at
      this.plain()
      parts.push(this.text.slice(from, this.at))
    }
    if (!this.take(quote)) this.fail(this.at < this.text.length ? 'a control character in a string' : 'a string without end')
    return whole + parts.join('')
  }

  /** Goes to the next character that is not a plain one of a string, and says which it is; NaN at the end. */
  private plain(): number {
    plainForm.lastIndex = this.at
    plainForm.test(this.text)
    this.at = plainForm.lastIndex
    return this.text.charCodeAt(this.at)
  }

  private escape(): string {
    const { text, at } = this
    if (text[at + 1] === 'u') {
      const unit = this.unit(at)
      const pair = unit >= 0xd800 && unit <= 0xdbff && text.startsWith('\\u', at + 6) ? this.unit(at + 6) : 0
      const paired = pair >= 0xdc00 && pair <= 0xdfff
      if (unit >= 0xd800 && unit <= 0xdfff && !paired) this.fail('half a surrogate pair')
      this.at += paired ? 12 : 6
      return paired ? String.fromCharCode(unit, pair) : String.fromCharCode(unit)
    }
    const letter = text[at + 1] ?? ''
    this.at += 2
    return escapes.get(letter) ?? this.fail('an unknown escape', at)
  }

  /** The UTF-16 unit of the escape `\uXXXX` at this place. */
  private unit(at: number): number {
    let unit = 0
    for (let i = at + 2; i < at + 6; i++) unit = unit * 16 + hexDigit(this.text.charCodeAt(i))
    return unit >= 0 ? unit : this.fail('an unknown escape', at)
  }

  private number(): number | bigint {
    numberForm.lastIndex = this.at
    const match = numberForm.exec(this.text)
    if (match === null) return this.fail('not a JSON number')
    const [digits, fraction, exponent] = match
    if (digits.length > maxDigits) this.fail(`a number of more than ${maxDigits} digits`)
    const value = Number(digits)
    if (!Number.isFinite(value) && (fraction ?? exponent) !== undefined) this.fail('a number beyond all bounds')
    this.at += digits.length
    if (fraction === undefined && exponent === undefined && !Object.is(value, -0))
      return Number.isSafeInteger(value) ? value : BigInt(digits)
    this.floats = true
    return value
  }

  private space(): void {
    const { text } = this
    let { at } = this
    for (let code = text.charCodeAt(at); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;) code = text.charCodeAt(++at)
    this.at = at
  }

  private take(code: number): boolean {
    if (this.text.charCodeAt(this.at) !== code) return false
    this.at++
    return true
  }

  private fail(reason: string, at: number = this.at): never {
    const before = this.text.slice(0, at)
    const line = before.split('\n').length
    const column = at - before.lastIndexOf('\n')
    throw new InTotoError({
      code: 'E_FORMAT',
      message: `${this.what}:${line}:${column}: not strict JSON: ${reason}`,
      fix: 'make the file again, or fetch it again: it may have been cut off or edited',
    })
  }
}

/** Far below zero for what is no digit, so that no number with one of those is positive. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -0x10000
}

function shorten(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)
}

/** How `stringifyJson` lays out its text. */
export interface JsonStyle {
  /** Spaces for each level; 0 puts all on one line. */
  indent?: number
  /** Names of each object by code point. */
  sorted?: boolean
  /** Everything above U+007E as `\u` escapes, as Python writes it. */
  ascii?: boolean
}

/**
 * JSON text of a value; members that are undefined are left out.
 * @throws E_FORMAT for numbers that JSON lacks, half surrogate pairs, and nesting beyond `maxDepth`
 */
export function stringifyJson(value: JsonValue, style: number | JsonStyle = {}): string {
  const laidOut = typeof style === 'number' ? { indent: style } : style
  const usual = laidOut.indent || laidOut.sorted || laidOut.ascii ? undefined : plainJson(value)
  if (usual !== undefined) return usual
  const writer = new Writer(laidOut)
  writer.value(value, 0)
  return writer.text
}

/** Appends to one string, which engines make cheap, in place of a list of parts for each level. */
class Writer {
  text = ''
  private readonly indent: number
  private readonly sorted: boolean
  private readonly ascii: boolean

  constructor({ indent = 0, sorted = false, ascii = false }: JsonStyle) {
    this.indent = indent
    this.sorted = sorted
    this.ascii = ascii
  }

  value(value: JsonValue, depth: number): void {
    if (typeof value === 'string') this.string(value)
    else if (typeof value !== 'object' || value === null) this.text += plainText(value)
    else if (depth >= maxDepth) throw unwritable(`more than ${maxDepth} levels`)
    else if (Array.isArray(value)) this.list(value, depth)
    else this.object(value, depth)
  }

  private list(list: readonly JsonValue[], depth: number): void {
    this.text += '['
    const line = this.line(depth + 1)
    for (let i = 0; i < list.length; i++) {
      this.text += i > 0 ? `,${line}` : line
      this.value(list[i]!, depth + 1)
    }
    this.text += list.length > 0 ? `${this.line(depth)}]` : ']'
  }

  private object(object: JsonObject, depth: number): void {
    this.text += '{'
    const line = this.line(depth + 1)
    const colon = this.indent > 0 ? ': ' : ':'
    let separator = line
    for (const name of this.sorted ? sortNames(Object.keys(object)) : Object.keys(object)) {
      const member = object[name]
      if (member === undefined) continue
      this.text += separator
      this.string(name)
      this.text += colon
      this.value(member, depth + 1)
      separator = `,${line}`
    }
    this.text += separator === line ? '}' : `${this.line(depth)}}`
  }

  private line(depth: number): string {
    return this.indent > 0 ? `\n${' '.repeat(this.indent * depth)}` : ''
  }

  private string(text: string): void {
    // Most strings are names and digests, which need no escape.
    this.text += /["\\\0-\x1f\x7f-\uffff]/.test(text) ? quoted(text, this.ascii) : `"${text}"`
  }
}

function plainText(value: null | boolean | number | bigint): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw unwritable('a number that is not finite')
  return Object.is(value, -0) ? '-0' : String(value)
}

function quoted(text: string, ascii: boolean): string {
  if (/\p{Surrogate}/u.test(text)) throw unwritable('half a surrogate pair')
  const json = JSON.stringify(text)
  return ascii ? json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`) : json
}

function unwritable(what: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message: `a value cannot be written as JSON: ${what}` })
}
