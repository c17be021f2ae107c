/**
 * Patterns of artifact rules: Python's `fnmatch`, which in-toto's specification follows (4.3.3): `*` and `?` cross `/` and match leading
 * dots and line feeds, `[a-c]` and `[!a]` are classes, nothing else is special, case counts, the whole name must match. Called by the rule
 * engine and by lint. Never builds a `RegExp` from input: matching takes at most length × length steps.
 */

/** One position of a compiled pattern: a code point, a set of them, or any one. */
type Item = number | CharacterClass | 'any' | 'star'

/** The members of `[…]`: inclusive ranges of code points. */
interface CharacterClass {
  readonly ranges: readonly (readonly [number, number])[]
  readonly negated: boolean
}

/** A pattern made ready for many names. */
export interface Matcher {
  /** What every matching name starts with; the whole pattern when nothing in it is special. */
  readonly prefix: string
  /** `exact`: only `prefix` itself; `prefix`: all that starts so; `general`: ask `test`. */
  readonly kind: 'exact' | 'prefix' | 'general'
  readonly test: (name: string) => boolean
}

/** Does the whole name match the pattern? */
export function matchPattern(pattern: string, name: string): boolean {
  return prepare(pattern).test(name)
}

/** The pattern as a predicate, for many names. */
export function compilePattern(pattern: string): (name: string) => boolean {
  return prepare(pattern).test
}

/** The pattern with its literal beginning, so that sorted names can be searched by range. */
export function prepare(pattern: string): Matcher {
  const items = compile(pattern)
  const special = items.findIndex((item) => typeof item !== 'number')
  const literal = special < 0 ? items.length : special
  const prefix = text(items.slice(0, literal) as number[])
  if (literal === items.length) return { prefix, kind: 'exact', test: (name) => name === prefix }
  if (items.slice(literal).every((item) => item === 'star')) return { prefix, kind: 'prefix', test: (name) => name.startsWith(prefix) }
  const rest = items.slice(literal)
  const pieces = literalPieces(rest)
  if (pieces !== undefined)
    return { prefix, kind: 'general', test: (name) => name.startsWith(prefix) && inOrder(pieces, name, prefix.length) }
  return { prefix, kind: 'general', test: (name) => name.startsWith(prefix) && run(rest, name, prefix.length) }
}

/** The texts between the stars when nothing else is special, `*a*b` as `['a', 'b']`; undefined otherwise. Begins with a star. */
function literalPieces(items: readonly Item[]): string[] | undefined {
  const pieces: string[] = []
  for (const item of items) {
    if (item === 'star') pieces.push('')
    else if (typeof item === 'number' && pieces.length > 0) pieces[pieces.length - 1] += String.fromCodePoint(item)
    else return undefined
  }
  return pieces
}

/** Each piece as early as it can be, the last one at the end: what is taken early leaves most to those behind. */
function inOrder(pieces: readonly string[], name: string, start: number): boolean {
  const last = pieces.at(-1)!
  let at = start
  for (let i = 0; i < pieces.length - 1; i++) {
    const found = name.indexOf(pieces[i]!, at)
    if (found < 0) return false
    at = found + pieces[i]!.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}

function text(points: readonly number[]): string {
  return points.reduce((whole, point) => whole + String.fromCodePoint(point), '')
}

/** Two pointers and one place to come back to: after a star, only the latest star ever needs another try. */
function run(items: readonly Item[], name: string, start: number): boolean {
  let item = 0
  let at = start
  let star = -1
  let resume = start
  while (at < name.length) {
    const point = name.codePointAt(at)!
    const wanted = items[item]
    if (wanted === 'star') {
      star = item++
      resume = at
    } else if (wanted !== undefined && accepts(wanted, point)) {
      item++
      at += width(point)
    } else if (star >= 0) {
      item = star + 1
      resume += width(name.codePointAt(resume)!)
      at = resume
    } else {
      return false
    }
  }
  while (items[item] === 'star') item++
  return item === items.length
}

function width(point: number): number {
  return point > 0xffff ? 2 : 1
}

function accepts(item: Item, point: number): boolean {
  if (typeof item === 'number') return item === point
  if (item === 'any' || item === 'star') return true
  return item.ranges.some(([low, high]) => low <= point && point <= high) !== item.negated
}

const open = 0x5b
const close = 0x5d
const not = 0x21
const dash = 0x2d

function compile(pattern: string): Item[] {
  const points = Array.from(pattern, (character) => character.codePointAt(0)!)
  const items: Item[] = []
  for (let i = 0; i < points.length; i++) {
    const point = points[i]!
    if (point === 0x2a) {
      if (items.at(-1) !== 'star') items.push('star')
    } else if (point === 0x3f) {
      items.push('any')
    } else if (point === open && classEnd(points, i) > 0) {
      const end = classEnd(points, i)
      items.push(parseClass(points.slice(i + 1, end)))
      i = end
    } else {
      items.push(point)
    }
  }
  return items
}

/** Index of the `]` that ends the class opened at `start`, or -1: then the bracket is a letter. A `]` in first place is a member. */
function classEnd(points: readonly number[], start: number): number {
  let i = start + 1
  if (points[i] === not) i++
  if (points[i] === close) i++
  return points.indexOf(close, i)
}

/** The inside of the brackets, as CPython's `fnmatch.translate` takes it apart: a dash in first or last place, or behind a range, is a member. */
function parseClass(body: readonly number[]): CharacterClass {
  const negated = body[0] === not
  const members = negated ? body.slice(1) : body
  const chunks: number[][] = []
  let from = 0
  for (let search = 1; ;) {
    const at = members.indexOf(dash, search)
    if (at < 0) break
    chunks.push(members.slice(from, at))
    from = at + 1
    search = at + 3
  }
  const last = members.slice(from)
  if (last.length > 0) chunks.push(last)
  else chunks.at(-1)!.push(dash)
  return { negated, ranges: toRanges(withoutReversed(chunks)) }
}

/** A range that runs backwards (`z-a`) holds nothing: it vanishes with both its ends. */
function withoutReversed(chunks: number[][]): number[][] {
  for (let k = chunks.length - 1; k > 0; k--) {
    const before = chunks[k - 1]!
    const after = chunks[k]!
    if (before.at(-1)! > after[0]!) chunks.splice(k - 1, 2, [...before.slice(0, -1), ...after.slice(1)])
  }
  return chunks
}

/** Between two chunks stood the dash of a range; all else are single members. */
function toRanges(chunks: readonly number[][]): [number, number][] {
  const ranges: [number, number][] = []
  chunks.forEach((chunk, k) => {
    const first = k > 0 ? 1 : 0
    const end = k < chunks.length - 1 ? chunk.length - 1 : chunk.length
    for (let i = first; i < end; i++) ranges.push([chunk[i]!, chunk[i]!])
    if (k < chunks.length - 1) ranges.push([chunk.at(-1)!, chunks[k + 1]![0]!])
  })
  return ranges
}
