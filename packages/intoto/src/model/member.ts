/**
 * Readers for one member of a wire object, each naming the place that is wrong: `layout.steps[2].threshold: expected a positive integer,
 * found 0`. Called by the parsers of this folder. Never converts a value, and never prints more than the beginning of a string.
 */
import { emptyRecord, isJsonObject, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { InTotoError, type ProblemCode } from '../errors.ts'

/** Where a value stands in its document, and the code under which it is refused. */
export interface Place {
  readonly code: Extract<ProblemCode, 'E_FORMAT' | 'E_LAYOUT_INVALID'>
  readonly path: string
}

const longestQuote = 60

/** What was found instead, in a few words that fit into one line. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(value.length > longestQuote ? `${value.slice(0, longestQuote)}…` : value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  if (isJsonObject(value)) return 'an object'
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' || value === null
    ? `${value}`
    : `a ${typeof value}`
}

/** @throws with the code of `place`, always */
export function refuse(place: Place, expected: string, found: unknown): never {
  throw new InTotoError({ code: place.code, message: `${place.path}: expected ${expected}, found ${describe(found)}` })
}

/** @throws with the code of `place`, naming the limit, its number and the option that raises it */
export function refuseBeyond(place: Place, limit: keyof Limits, most: number): never {
  throw new InTotoError({
    code: place.code,
    message: `${place.path}: more than the limit of ${most} (${limit})`,
    fix: `if this is meant, raise the limit "${limit}"`,
  })
}

/** The place of a member (`.name`, or `["odd name"]`) or of a list's element (`[3]`). */
export function within(place: Place, member: string | number): Place {
  const step = typeof member === 'number' ? `[${member}]` : /^[A-Za-z_][\w-]*$/.test(member) ? `.${member}` : `[${describe(member)}]`
  return { code: place.code, path: place.path + step }
}

/**
 * An object whose members can be looked up by any name. One with a prototype (a literal in a program) is copied into one without.
 * @throws with the code of `place` when it is no object
 */
export function expectRecord(value: unknown, place: Place): JsonObject {
  if (!isJsonObject(value)) refuse(place, 'an object', value)
  if (Object.getPrototypeOf(value) === null) return value
  const record = emptyRecord()
  for (const name of Object.keys(value)) record[name] = value[name]!
  return record
}

/** A list. Go writes its nil slices as `null`, so that is an empty one. */
export function expectList(value: unknown, place: Place): readonly JsonValue[] {
  if (value === null) return []
  if (!Array.isArray(value)) refuse(place, 'a list', value)
  return value as JsonValue[]
}

/** A string, empty or not. */
export function expectString(value: unknown, place: Place): string {
  if (typeof value !== 'string') refuse(place, 'a string', value)
  return value
}

/** A list of strings. */
export function expectStrings(value: unknown, place: Place): string[] {
  const list = expectList(value, place)
  for (let i = 0; i < list.length; i++) if (typeof list[i] !== 'string') refuse(within(place, i), 'a string', list[i])
  return list.slice() as string[]
}

/** The one value that a member may have. */
export function expectLiteral(value: unknown, literal: string, place: Place): void {
  if (value !== literal) refuse(place, JSON.stringify(literal), value)
}

/** A key id: hex digits, as both reference tools write it; it becomes part of a file name. */
export function expectKeyid(value: unknown, place: Place): string {
  const keyid = expectString(value, place)
  if (!/^[0-9a-fA-F]+$/.test(keyid)) refuse(place, 'a key id in hex digits', value)
  return keyid
}

/**
 * The name of a step or an inspection. It becomes part of a file name, so it must stay in its folder.
 * @throws with the code of `place` for an empty name, `.`, `..`, or one with a slash, a backslash or NUL
 */
export function expectName(value: unknown, place: Place): string {
  const name = expectString(value, place)
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) refuse(place, 'a name without "/", "\\" and NUL', value)
  return name
}
