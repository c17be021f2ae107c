/**
 * Random JSON values and the comparison of their canonical form with Python's (and Go's, where its numbers reach). Called by the quick test and the
 * slow one, which differ in how many.
 */
import { canonicalJson, emptyRecord, parseJson, stringifyJson, toHex, type JsonObject, type JsonValue } from 'intoto'
import type { Peer } from './peer.ts'
import type { Random } from './random.ts'

const letters = [
  'a',
  'Z',
  '0',
  '9',
  '10',
  '"',
  '\\',
  '/',
  '\0',
  '\u0001',
  '\n',
  '\r',
  '\t',
  '\u001f',
  ' ',
  '\u007f',
  '\u0080',
  'é',
  'e\u0301',
  '\u2028',
  '\u2029',
  '\ud7ff',
  '\ue000',
  '\uff5e',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\u{10000}',
  '😀',
  '\u{10ffff}',
  '<',
  '>',
  '&',
  '__proto__',
  'constructor',
  '\\u0041',
  "'",
]

function text(random: Random): string {
  return Array.from({ length: random.pick([0, 1, 1, 2, 3, 8]) }, () => random.pick(letters)).join('')
}

function integer(random: Random, safe: boolean): number | bigint {
  const small = random.pick([
    0,
    1,
    -1,
    255,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    random.below(2 ** 31),
  ])
  return safe || random.chance(0.7)
    ? small
    : random.pick([2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n, 10n ** 40n, -(10n ** 25n) + 7n])
}

function value(random: Random, depth: number, safe: boolean): JsonValue {
  const kind = random.below(depth > 5 ? 5 : 8)
  if (kind < 2) return text(random)
  if (kind === 2) return integer(random, safe)
  if (kind === 3) return random.chance(0.5)
  if (kind === 4) return null
  if (kind === 5) return Array.from({ length: random.below(5) }, () => value(random, depth + 1, safe))
  const object: JsonObject = emptyRecord()
  for (let i = random.below(6); i > 0; i--) object[text(random)] = value(random, depth + 1, safe)
  return object
}

const batch = 500

/** Compares so many random values; the first difference is thrown with the value. */
export async function compareCanonical(random: Random, count: number, peers: { python: Peer; go: Peer }): Promise<void> {
  for (let done = 0; done < count; done += batch) {
    // Go reads numbers as float64, so it is asked about small ones only.
    for (const { peer, safe } of [
      { peer: peers.python, safe: false },
      { peer: peers.go, safe: true },
    ]) {
      const values = Array.from({ length: safe ? batch / 10 : batch }, () => value(random, 0, safe))
      const answer = await peer.askText('canonical', { values: stringifyJson(values) })
      if (!answer.ok) throw new Error(`${peer.name}: ${answer.message}`)
      for (const [i, theirs] of (answer['hex'] as string[]).entries()) {
        const bytes = canonicalJson(values[i]!)
        if (toHex(bytes) !== theirs) throw new Error(`${peer.name} differs on ${stringifyJson(values[i]!)}`)
        const again = parseJson(new TextEncoder().encode(stringifyJson(values[i]!))).value
        if (toHex(canonicalJson(again)) !== theirs) throw new Error(`reading back differs on ${stringifyJson(values[i]!)}`)
      }
    }
  }
}
