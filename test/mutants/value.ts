/**
 * JSON values changed at random with an eye on their structure: members dropped, renamed, exchanged, values of another type, neighbours' values. What
 * comes out is JSON still; most of it says something else. Called for envelopes, layouts, links and keys.
 */
import { emptyRecord, parseJson, stringifyJson, utf8, type JsonObject, type JsonValue } from 'intoto'
import type { Random } from '../interop/random.ts'

type Holder = JsonObject | JsonValue[]

/** A member of an object or a list. */
interface Place {
  holder: Holder
  name: string
}

const isObject = (value: JsonValue | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
const isHolder = (value: JsonValue | undefined): value is Holder => typeof value === 'object' && value !== null

/** A copy that shares nothing. */
export function copy(value: JsonValue): JsonValue {
  return parseJson(utf8(stringifyJson(value))).value
}

const get = ({ holder, name }: Place): JsonValue => (holder as JsonObject)[name]!
function put({ holder, name }: Place, value: JsonValue): void {
  ;(holder as JsonObject)[name] = value
}

function placesIn(value: JsonValue, found: Place[] = []): Place[] {
  if (!isHolder(value)) return found
  for (const name of Object.keys(value)) {
    found.push({ holder: value, name })
    placesIn((value as JsonObject)[name]!, found)
  }
  return found
}

/** A place found by going down from the top, so that what is near it is hit as often as the many artifacts. */
function downwards(value: JsonValue, random: Random): Place | undefined {
  let found: Place | undefined
  for (let at = value; isHolder(at);) {
    const names = Object.keys(at)
    if (names.length === 0 || (found !== undefined && random.chance(0.25))) break
    found = { holder: at, name: random.pick(names) }
    at = get(found)
  }
  return found
}

const oddNames = ['__proto__', 'constructor', 'toString', '', 'x', 'keyid', 'sig', 'Threshold', 'name ', '*', '../x', 'a/./b']
const oddTexts = [
  '',
  '*',
  '?',
  '[',
  '[!a]*',
  '..',
  '../x',
  './',
  '/',
  '\\',
  '{P0}',
  '{',
  'ALLOW',
  'DISALLOW',
  'MATCH',
  'link',
  'layout',
  '\0',
  '😀',
]
const odd: readonly ((random: Random) => JsonValue)[] = [
  () => null,
  () => true,
  () => false,
  () => 0,
  () => 1,
  () => -1,
  () => 2 ** 31,
  () => Number.MAX_SAFE_INTEGER,
  () => [],
  () => emptyRecord<JsonValue>(),
  (random) => random.pick(oddTexts),
  (random) => [random.pick(oddTexts), random.pick(oddTexts)],
  (random) => nested(random.between(2, 60)),
  () => 'ab'.repeat(32),
  () => '2001-01-01T00:00:00Z',
]

function nested(depth: number): JsonValue {
  let value: JsonValue = 'deep'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : Object.assign(emptyRecord<JsonValue>(), { a: value })
  return value
}

function mutateText(text: string, random: Random, others: readonly string[]): string {
  const characters = [...text]
  const at = random.below(characters.length + 1)
  switch (random.below(6)) {
    case 0:
      return random.pick(oddTexts)
    case 1:
      return random.pick(others)
    case 2:
      return characters.toSpliced(at, 1).join('')
    case 3:
      return characters
        .toSpliced(at, random.below(2), random.pick(['a', '0', '/', '*', ' ', 'f', '.', '\n', 'é', ...others.slice(0, 3)]))
        .join('')
    case 4:
      return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase()
    default:
      return characters.with(Math.min(at, characters.length - 1), random.pick(characters)).join('')
  }
}

function rename({ holder, name }: Place, to: string): void {
  if (!isObject(holder)) return
  const entries = Object.entries(holder)
  for (const [member] of entries) delete holder[member]
  for (const [member, value] of entries) holder[member === name ? to : member] = value
}

type Change = (place: Place, random: Random, all: readonly Place[]) => void

const changes: readonly Change[] = [
  (place) => {
    if (Array.isArray(place.holder)) place.holder.splice(Number(place.name), 1)
    else delete place.holder[place.name]
  },
  (place, random) => put(place, random.pick(odd)(random)),
  (place, random, all) => put(place, copy(get(random.pick(all)))),
  (place, random, all) => {
    const other = random.pick(all)
    const kept = copy(get(other))
    put(other, copy(get(place)))
    put(place, kept)
  },
  (place, random, all) => {
    const names = [...oddNames, place.name.toUpperCase(), `${place.name}x`, random.pick(all).name, random.pick(all).name]
    rename(place, random.pick(names))
  },
  ({ holder, name }, random, all) => {
    if (Array.isArray(holder)) holder.splice(random.below(holder.length + 1), 0, copy(holder[Number(name)]!))
    else holder[random.pick([...oddNames, random.pick(all).name])] = copy(get(random.pick(all)))
  },
  (place, random) => {
    if (Array.isArray(place.holder)) place.holder.splice(0, place.holder.length, ...random.shuffle(place.holder))
    else rename(place, place.name)
  },
  adjust,
  adjust,
  adjust,
]

/** A value a little off: another number, a text with a letter changed, one more or one less. */
function adjust(place: Place, random: Random, all: readonly Place[]): void {
  const value = get(place)
  if (typeof value === 'number')
    put(
      place,
      random.pick([
        Math.min(value + 1, Number.MAX_SAFE_INTEGER),
        Math.max(value - 1, Number.MIN_SAFE_INTEGER),
        -value || 0,
        value % 7,
        String(value),
      ]),
    )
  else if (typeof value === 'boolean') put(place, !value)
  else if (typeof value === 'string') {
    const texts = all.map(get).filter((other) => typeof other === 'string')
    put(place, value === '' ? random.pick(oddTexts) : mutateText(value, random, texts))
  }
}

/** A copy of the value with one to three changes. */
export function mutateValue(value: JsonValue, random: Random): JsonValue {
  const changed = copy(value)
  for (let n = random.pick([1, 1, 1, 1, 2, 3]); n > 0; n--) {
    const all = placesIn(changed)
    const place = random.chance(0.6) ? downwards(changed, random) : all.length > 0 ? random.pick(all) : undefined
    if (place !== undefined) random.pick(changes)(place, random, all)
  }
  return changed
}
