/**
 * Artifact rules for what a step did: strict ones that its honest links satisfy, in all seven kinds and many spellings, with harmless
 * rules among them. Called by the chain generator.
 */
import type { Artifacts } from 'intoto'
import { literal, patternFor, strayPattern } from './names.ts'
import type { Random } from './random.ts'

type Rule = string[]

/** How an earlier step's product is named in a later step: `strip` taken off, `add` put before. */
export interface Mapping {
  from: string
  strip: string
  add: string
}

/** What one step did, as its rules need to know it. */
export interface Deed {
  name: string
  materials: Artifacts
  products: Artifacts
  /** Where the materials come from, and which of them came from nowhere. */
  mapping?: Mapping
  extra: ReadonlySet<string>
}

const word = (random: Random, keyword: string): string =>
  random.chance(0.9) ? keyword : random.chance(0.5) ? keyword.toLowerCase() : keyword[0] + keyword.slice(1).toLowerCase()
const prefix = (random: Random, path: string): Rule => (path === '' ? [] : [word(random, 'IN'), random.chance(0.7) ? path : `${path}/`])

function match(random: Random, pattern: string, o: { add?: string; side: 'MATERIALS' | 'PRODUCTS'; strip?: string; from: string }): Rule {
  return [
    word(random, 'MATCH'),
    pattern,
    ...prefix(random, o.add ?? ''),
    word(random, 'WITH'),
    word(random, o.side),
    ...prefix(random, o.strip ?? ''),
    word(random, 'FROM'),
    o.from,
  ]
}

/** Rules that consume perhaps something, perhaps nothing; after the REQUIREs they can't do harm. */
function stray(random: Random, done: readonly Deed[]): Rule {
  const pattern = strayPattern(random)
  const kind = random.below(6)
  if (kind < 4) return [word(random, ['ALLOW', 'CREATE', 'DELETE', 'MODIFY'][kind]!), pattern]
  if (kind === 4) return [word(random, 'DISALLOW'), random.pick(['no such *', 'nothing-[0-9]', '*.exe'])]
  const from = random.chance(0.7) ? random.pick(done).name : 'no such step'
  const side = random.chance(0.5) ? 'MATERIALS' : 'PRODUCTS'
  return match(random, pattern, { side, from, add: random.chance(0.3) ? 'src' : '', strip: random.chance(0.3) ? 'dist' : '' })
}

function assemble(random: Random, names: readonly string[], rules: Rule[], done: readonly Deed[]): Rule[] {
  const required = random.sample(names, random.below(3)).map((name) => [word(random, 'REQUIRE'), name])
  const body = random.shuffle(rules)
  while (random.chance(0.25)) body.splice(random.below(body.length + 1), 0, stray(random, done))
  const end: Rule[] = random.chance(0.85) ? [[word(random, 'DISALLOW'), '*']] : random.chance(0.5) ? [] : [['ALLOW', '*']]
  return [...required, ...body, ...end]
}

const has = (map: object, name: string): boolean => Object.hasOwn(map, name)
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The rules that cover every material of the step. */
export function materialRules(random: Random, deed: Deed, done: readonly Deed[]): Rule[] {
  const { mapping } = deed
  const rules: Rule[] = []
  const broad = random.chance(0.4)
  if (mapping && broad) rules.push(match(random, '*', { ...mapping, side: 'PRODUCTS' }))
  for (const name of Object.keys(deed.materials)) {
    if (mapping && !deed.extra.has(name)) {
      const rest = mapping.add === '' ? name : name.slice(mapping.add.length + 1)
      if (!broad) rules.push(match(random, patternFor(random, rest), { ...mapping, side: 'PRODUCTS' }))
      continue
    }
    const gone = !has(deed.products, name)
    const changed = !gone && !same(deed.materials[name], deed.products[name])
    const kind = gone && random.chance(0.4) ? 'DELETE' : changed && random.chance(0.4) ? 'MODIFY' : 'ALLOW'
    rules.push([word(random, kind), patternFor(random, name)])
  }
  return assemble(random, Object.keys(deed.materials), rules, done)
}

/** The rules that cover every product of the step. */
export function productRules(random: Random, deed: Deed, done: readonly Deed[]): Rule[] {
  const { mapping } = deed
  const rules: Rule[] = []
  const broad = new Set(['CREATE', 'MODIFY', 'ALLOW'].filter(() => random.chance(0.25)))
  for (const kind of broad) rules.push([word(random, kind), '*'])
  for (const name of Object.keys(deed.products)) {
    const old = has(deed.materials, name) ? deed.materials[name] : undefined
    const kind = random.chance(0.15) ? 'ALLOW' : !old ? 'CREATE' : same(old, deed.products[name]) ? 'MATCH' : 'MODIFY'
    if (broad.has(kind) || broad.has('ALLOW')) continue
    if (kind !== 'MATCH') rules.push([word(random, kind), patternFor(random, name)])
    else if (mapping && !deed.extra.has(name) && random.chance(0.6)) {
      const rest = mapping.add === '' ? name : name.slice(mapping.add.length + 1)
      rules.push(match(random, patternFor(random, rest), { ...mapping, side: 'PRODUCTS' }))
    } else rules.push(match(random, random.chance(0.5) ? literal(name) : '*', { side: 'MATERIALS', from: deed.name }))
  }
  return assemble(random, Object.keys(deed.products), rules, done)
}

const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')))

/**
 * Rules of every kind around the artifacts that are there, owed to nothing, and at most one verdict at their end: whether it holds hangs on what
 * each rule before it did to a single artifact.
 */
export function lotteryRules(random: Random, o: { mine: readonly string[]; all: readonly string[]; steps: readonly string[] }): Rule[] {
  const anyName = (): string => random.pick(random.chance(0.7) && o.mine.length > 0 ? o.mine : o.all)
  const target = anyName()
  // Half of the rules are about the artifact that the last one asks for.
  const subject = (): string => (random.chance(0.5) ? target : anyName())
  const rules: Rule[] = []
  for (let i = random.between(1, 5); i > 0; i--) {
    const name = subject()
    const kind = random.pick(['ALLOW', 'CREATE', 'DELETE', 'MODIFY', 'MATCH', 'MATCH', 'MATCH'])
    if (kind !== 'MATCH') {
      rules.push([word(random, kind), random.chance(0.8) ? patternFor(random, name) : strayPattern(random)])
      continue
    }
    const add = random.chance(0.35) ? folderOf(name) : ''
    const strip = random.chance(0.3) ? folderOf(anyName()) : random.chance(0.5) ? add : ''
    const rest = add === '' || random.chance(0.1) ? name : name.slice(add.length + 1)
    const side = random.chance(0.5) ? 'MATERIALS' : 'PRODUCTS'
    rules.push(match(random, rest === '' ? '*' : patternFor(random, rest), { add, strip, side, from: random.pick(o.steps) }))
  }
  const verdict = random.below(10)
  if (verdict < 6) rules.push([word(random, 'DISALLOW'), literal(target)])
  else if (verdict < 7) rules.push([word(random, 'DISALLOW'), patternFor(random, target)])
  else rules.push([word(random, 'REQUIRE'), target])
  return rules
}

/** Rules of an inspection that finds the last step's products, and perhaps a file that an inspection made. */
export function inspectionRules(random: Random, last: string, more: boolean): { expected_materials: Rule[]; expected_products: Rule[] } {
  const rest: Rule[] = more
    ? [
        ['ALLOW', 'made.txt'],
        ['DISALLOW', '*'],
      ]
    : [['DISALLOW', '*']]
  const all = (): Rule => match(random, '*', { side: 'PRODUCTS', from: last })
  return { expected_materials: [all(), ...rest], expected_products: [all(), ...rest] }
}
