/**
 * What lies between two layouts, as their owner would say it: lines that went and lines that came, place by place. Called by `intoto layout diff`
 * and by whoever shows a change before it is signed. Signatures are not looked at; nothing here says whether a change is good.
 */
import { stringifyJson, type JsonObject } from '../encoding/json.ts'
import { isKnownKeytype, keyMaterial } from '../keys/key.ts'
import type { Inspection, Layout, Step } from './layout.ts'
import { functionaryNames } from './preset.ts'
import { formatRule, parseRule } from './rule.ts'

/** One place that differs. */
export interface LayoutDifference {
  /** `expires`, `steps.build.expected_products`, `inspect.unpack.run`. */
  readonly path: string
  /** What only the first layout says there, in its order. */
  readonly removed: readonly string[]
  /** What only the second says. */
  readonly added: readonly string[]
}

/** All places in which the second layout differs from the first; none where both promise the same. */
export function diffLayouts(before: Layout, after: Layout): LayoutDifference[] {
  const found = [
    lines('expires', [before.expires], [after.expires]),
    lines('readme', textLines(before.readme), textLines(after.readme)),
    lines('keys', keysOf(before), keysOf(after)),
    lines('steps', orderOf(before.steps, after.steps), orderOf(after.steps, before.steps)),
    lines('inspect', orderOf(before.inspect, after.inspect), orderOf(after.inspect, before.inspect)),
  ]
  for (const kind of ['steps', 'inspect'] as const) {
    const names = new Set([...before[kind], ...after[kind]].map(({ name }) => name))
    for (const name of names) {
      const [old, next] = [before, after].map((layout) =>
        membersOf(
          layout,
          (layout[kind] as (Step | Inspection)[]).find((item) => item.name === name),
        ),
      )
      for (const member of new Set([...Object.keys(old!), ...Object.keys(next!)]))
        found.push(lines(`${kind}.${name}.${member}`, old![member] ?? [], next![member] ?? []))
    }
  }
  return found.filter(({ removed, added }) => removed.length + added.length > 0)
}

function textLines(text = ''): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Names in order where the order of what both have differs, else only the names that the other one lacks. */
function orderOf(items: readonly { name: string }[], others: readonly { name: string }[]): string[] {
  const names = items.map(({ name }) => name)
  const otherNames = others.map(({ name }) => name)
  const shared = (list: string[], other: string[]): string => JSON.stringify(list.filter((name) => other.includes(name)))
  return shared(names, otherNames) === shared(otherNames, names) ? names : [names.join(' -> ')]
}

/** What a step or inspection says, each member as lines. */
function membersOf(layout: Layout, item: Step | Inspection | undefined): { [member: string]: string[] } {
  if (item === undefined) return {}
  const rules = (list: string[][]): string[] => list.map((tokens) => formatRule(parseRule(tokens)))
  const shared = { expected_materials: rules(item.expected_materials), expected_products: rules(item.expected_products) }
  if (item._type === 'inspection') return { run: [JSON.stringify(item.run)], ...shared }
  return {
    pubkeys: item.pubkeys.map((keyid) => whose(layout, keyid)),
    threshold: [String(item.threshold)],
    expected_command: item.expected_command.length === 0 ? [] : [JSON.stringify(item.expected_command)],
    ...shared,
  }
}

function whose(layout: Layout, keyid: string): string {
  const name = functionaryNames(layout).get(keyid)
  return name === undefined ? keyid : `${name} ${keyid}`
}

/** Id, scheme and material: another key under an id that stays is another key. One that is not verified here may be anything, and is told as it is. */
function keysOf({ keys }: Layout): string[] {
  return Object.keys(keys)
    .sort()
    .map((keyid) => {
      const key = keys[keyid]!
      const what = isKnownKeytype(key.keytype)
        ? `${key.keytype} ${key.scheme} ${keyMaterial(key).replace(/^spki:/, '')}`
        : stringifyJson(key as unknown as JsonObject, { sorted: true })
      return `${keyid} ${what}`
    })
}

/** The lines that are not common to both: the longest common sequence is, so that a rule that moved is told. */
function lines(path: string, before: readonly string[], after: readonly string[]): LayoutDifference {
  const common = commonLines(before, after)
  const without = (list: readonly string[]): string[] => {
    let at = 0
    return list.filter((line) => {
      const isCommon = line === common[at]
      if (isCommon) at++
      return !isCommon
    })
  }
  return { path, removed: without(before), added: without(after) }
}

/** Beyond so many comparisons two lists are told whole; no list that a person wrote is so long. */
const mostComparisons = 4_000_000

/** The longest common sequence of two lists of lines. */
function commonLines(a: readonly string[], b: readonly string[]): string[] {
  if (a.length === b.length && a.every((line, i) => line === b[i])) return [...a]
  if (a.length * b.length > mostComparisons) return []
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
    }
  }
  const common: string[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      common.push(a[i]!)
      i++
      j++
    } else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++
    else j++
  }
  return common
}
