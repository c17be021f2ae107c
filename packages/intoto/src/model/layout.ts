/**
 * Layouts (specification 4.4): the project owner's promise of how a product is made. Everything that can be wrong with one is found here,
 * before anything is verified or run, under the one code E_LAYOUT_INVALID with its place. Never looks at signatures or at the clock.
 */
import { utf8 } from '../encoding/bytes.ts'
import { emptyRecord, withDefaults, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { checkKey, type Key } from '../keys/key.ts'
import {
  expectKeyid,
  expectList,
  expectLiteral,
  expectName,
  expectRecord,
  expectString,
  expectStrings,
  refuse,
  refuseBeyond,
  within,
  type Place,
} from './member.ts'
import { parseRule } from './rule.ts'

/** A step and what its links must say. */
export interface Step {
  _type: 'step'
  name: string
  /** How many distinct functionaries must have signed links that agree. */
  threshold: number
  /** Key ids of those who may carry it out. */
  pubkeys: string[]
  /** Empty: any command. */
  expected_command: string[]
  expected_materials: string[][]
  expected_products: string[][]
  [other: string]: unknown
}

/** A command that the verifier runs itself. */
export interface Inspection {
  _type: 'inspection'
  name: string
  run: string[]
  expected_materials: string[][]
  expected_products: string[][]
  [other: string]: unknown
}

/** A layout as it stands in its file; members that in-toto does not know are kept. */
export interface Layout {
  _type: 'layout'
  /** UTC, `YYYY-MM-DDTHH:MM:SSZ`. */
  expires: string
  readme?: string
  /** Key id to key. Kinds of keys that this library cannot use stay as they are and never count. */
  keys: { [keyid: string]: Key }
  steps: Step[]
  inspect: Inspection[]
  [other: string]: unknown
}

const root: Place = { code: 'E_LAYOUT_INVALID', path: 'layout' }

/** Does this payload claim to be a layout? */
export function isLayout(value: unknown): value is Layout {
  return typeof value === 'object' && value !== null && (value as { _type?: unknown })._type === 'layout'
}

/**
 * A layout from outside. Only `readme` may be absent; `null` in place of a list is an empty one (Go writes that).
 * @throws E_LAYOUT_INVALID with the place
 */
export function parseLayout(value: unknown, limits?: Partial<Limits>): Layout {
  const most = withDefaults(limits)
  const layout = Object.assign(emptyRecord(), expectRecord(value, root))
  expectLiteral(layout['_type'], 'layout', within(root, '_type'))
  parseExpires(expectString(layout['expires'], within(root, 'expires')))
  if (layout['readme'] !== undefined) expectString(layout['readme'], within(root, 'readme'))
  layout['keys'] = parseKeys(layout['keys'], within(root, 'keys'), most)
  const steps = expectList(layout['steps'], within(root, 'steps'))
  const inspect = expectList(layout['inspect'], within(root, 'inspect'))
  if (steps.length + inspect.length > most.steps) refuseBeyond(within(root, 'steps'), 'steps', most.steps)
  if (countRules([...steps, ...inspect]) > most.rules) refuseBeyond(within(root, 'steps'), 'rules', most.rules)
  layout['steps'] = steps.map((step, i) => parseStep(step, within(within(root, 'steps'), i), most))
  layout['inspect'] = inspect.map((inspection, i) => parseInspection(inspection, within(within(root, 'inspect'), i), most))
  refuseSharedNames(layout as unknown as Layout)
  return layout as unknown as Layout
}

/**
 * Milliseconds since 1970 of an expiry. Only the one form that the specification has, and only days that exist: no February 30th, no hour
 * 24, no offset, no fraction.
 * @throws E_LAYOUT_INVALID
 */
export function parseExpires(text: string): number {
  const form = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z$/.exec(text)
  if (form !== null && !form.includes('0000', 1)) {
    const [year, month, day, hour, minute, second] = form.slice(1).map(Number) as [number, number, number, number, number, number]
    const date = new Date(0)
    date.setUTCFullYear(year, month - 1, day)
    date.setUTCHours(hour, minute, second)
    // A day or an hour that does not exist becomes another one. Not compared as text: for that, V8 would load the local time zone.
    const isSameTime = date.getUTCHours() === hour && date.getUTCMinutes() === minute && date.getUTCSeconds() === second
    if (isSameTime && date.getUTCMonth() === month - 1 && date.getUTCDate() === day) return date.getTime()
  }
  return refuse(within(root, 'expires'), 'a date of the form YYYY-MM-DDTHH:MM:SSZ that exists', text)
}

/** Before any of them is looked at; what is no list of rules is refused later. */
function countRules(items: readonly JsonValue[]): number {
  let count = 0
  for (const item of items) {
    for (const list of ['expected_materials', 'expected_products']) {
      const rules = (item as JsonObject | null)?.[list]
      if (Array.isArray(rules)) count += rules.length
    }
  }
  return count
}

function parseKeys(value: unknown, place: Place, limits: Limits): JsonObject {
  const keys = expectRecord(value, place)
  if (Object.keys(keys).length > limits.keys) refuseBeyond(place, 'keys', limits.keys)
  const parsed = emptyRecord()
  for (const keyid of Object.keys(keys)) {
    const here = within(place, keyid)
    expectKeyid(keyid, here)
    const key = expectRecord(keys[keyid], here)
    if (key['keyid'] !== undefined && key['keyid'] !== keyid)
      refuse(within(here, 'keyid'), 'the id under which the key is listed', key['keyid'])
    parsed[keyid] = parseKey(key, keyid, here)
  }
  return parsed
}

function parseKey(key: JsonObject, keyid: string, place: Place): JsonObject {
  try {
    return checkKey(key, keyid) as unknown as JsonObject
  } catch (cause) {
    if (!(cause instanceof InTotoError)) throw cause
    throw new InTotoError({ ...cause.problem, code: 'E_LAYOUT_INVALID', message: `${place.path}: ${cause.message}` }, { cause })
  }
}

function parseStep(value: JsonValue, place: Place, limits: Limits): JsonObject {
  const step = Object.assign(emptyRecord(), expectRecord(value, place))
  expectLiteral(step['_type'], 'step', within(place, '_type'))
  expectName(step['name'], within(place, 'name'))
  const threshold = step['threshold']
  if (!Number.isSafeInteger(threshold) || (threshold as number) < 1) refuse(within(place, 'threshold'), 'a positive integer', threshold)
  const pubkeys = within(place, 'pubkeys')
  step['pubkeys'] = expectList(step['pubkeys'], pubkeys).map((keyid, i) => expectKeyid(keyid, within(pubkeys, i)))
  step['expected_command'] = expectStrings(step['expected_command'], within(place, 'expected_command'))
  return withRules(step, place, limits)
}

function parseInspection(value: JsonValue, place: Place, limits: Limits): JsonObject {
  const inspection = Object.assign(emptyRecord(), expectRecord(value, place))
  expectLiteral(inspection['_type'], 'inspection', within(place, '_type'))
  expectName(inspection['name'], within(place, 'name'))
  const command = expectStrings(inspection['run'], within(place, 'run'))
  if (command.length === 0 || command[0] === '') refuse(within(place, 'run'), 'a command', command)
  inspection['run'] = command
  return withRules(inspection, place, limits)
}

function withRules(item: JsonObject, place: Place, limits: Limits): JsonObject {
  for (const list of ['expected_materials', 'expected_products']) {
    const here = within(place, list)
    item[list] = expectList(item[list], here).map((rule, i) => {
      const tokens = expectStrings(rule, within(here, i))
      if (utf8(tokens.join(' ')).length > limits.ruleBytes) refuseBeyond(within(here, i), 'ruleBytes', limits.ruleBytes)
      parseRule(tokens, within(here, i))
      return tokens
    })
  }
  return item
}

/** A name is what rules and link files refer to, so steps and inspections share one set of them. */
function refuseSharedNames(layout: Layout): void {
  const seen = new Map<string, Place>()
  for (const list of ['steps', 'inspect'] as const) {
    layout[list].forEach((item, i) => {
      const place = within(within(within(root, list), i), 'name')
      const other = seen.get(item.name)
      if (other !== undefined) refuse(place, `a name of its own (${other.path} has the same)`, item.name)
      seen.set(item.name, place)
    })
  }
}
