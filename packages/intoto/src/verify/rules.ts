/**
 * The artifact rules of one step or inspection (specification 4.3.3), applied to its queue in order. Called by the verification once links
 * are trusted. Pure: artifacts in, reports and problems out; the words about causes come from `cause.ts`.
 */
import type { RuleRef } from '../errors.ts'
import { equalDigests, sameDigests, type Artifacts } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'
import { prepare } from '../model/pattern.ts'
import { formatRule, parseRule, type ArtifactRule, type MatchRule } from '../model/rule.ts'
import { sideOf, type Side } from '../model/side.ts'
import type { ArtifactTable } from '../model/table.ts'
import { ArtifactQueue } from './queue.ts'
import type { RuleReport } from './report.ts'
import { taker, withSlash } from './taker.ts'

/** A link that rules may compare with, and the file that vouches for it. */
export interface ChainLink {
  readonly link: Link
  /** The link file, or what stands in its place: the command of an inspection, a sublayout's file. */
  readonly file: string
  readonly kind: 'step' | 'inspection'
}

/** Step or inspection name to its one link. */
export type Chain = ReadonlyMap<string, ChainLink>

/** The side of a link that a rule list speaks of. */
export type RuleList = 'expected_materials' | 'expected_products'

/** A step or inspection whose rules are applied. */
export interface RuledItem {
  readonly name: string
  readonly expected_materials: readonly (readonly string[])[]
  readonly expected_products: readonly (readonly string[])[]
}

/** What one list of rules found. */
export interface RulesOutcome {
  reports: RuleReport[]
  failures: RuleFailure[]
}

/** An artifact that a DISALLOW hit, or a name that a REQUIRE missed. */
export interface RuleFailure {
  readonly item: RuledItem
  readonly list: RuleList
  readonly rule: ArtifactRule
  readonly ref: RuleRef
  readonly artifact: string
  /** The rules before it in its list, as parsed. */
  readonly earlier: readonly ArtifactRule[]
  /** How many more artifacts this rule hit beyond those that are reported one by one. */
  readonly more: number
}

/** Reported one by one for each rule; the rest is counted. */
const mostNamed = 20

/** Applies one list; the chain must hold the item's own link. Never throws for a verdict. */
export function applyRules(item: RuledItem, list: RuleList, chain: Chain, trace: boolean): RulesOutcome {
  const link = chain.get(item.name)!.link
  const own = sideOf(link, list === 'expected_materials' ? 'materials' : 'products')
  const [materials, products] = [sideOf(link, 'materials'), sideOf(link, 'products')]
  const queue = new ArtifactQueue(own)
  const rules = item[list].map((tokens) => parseRule(tokens))
  const outcome: RulesOutcome = { reports: [], failures: [] }
  // What one DISALLOW has hit stays in the queue for the next one; it is one failure.
  const told = new Set<string>()
  rules.forEach((rule, index) => {
    const names: string[] = []
    const hits: string[] = []
    let hitCount = 0
    let isHit = false
    const take = taker(rule, { own, materials, products, other: rule.kind === 'MATCH' ? destinationSide(rule, chain) : undefined })
    const consumed = visit(rule, queue, (i) => {
      if (rule.kind === 'DISALLOW') {
        isHit = true
        const name = own.name(i)
        if (told.has(name)) return false
        told.add(name)
        hitCount++
        if (hits.length < mostNamed) hits.push(name)
        return false
      }
      const taken = take(i)
      if (taken && trace) names.push(own.name(i))
      return taken
    })
    if (rule.kind === 'REQUIRE' && !queue.has(rule.name)) hits.push(rule.name)
    const text = formatRule(rule)
    outcome.reports.push({ list, index, text, ok: !isHit && hits.length === 0, consumed, ...(trace ? { names } : {}) })
    const ref: RuleRef = { text, step: item.name, list, index }
    hits.forEach((artifact, i) => {
      const more = i === hits.length - 1 ? Math.max(0, hitCount - hits.length) : 0
      outcome.failures.push({ item, list, rule, ref, artifact, earlier: rules.slice(0, index), more })
    })
  })
  return outcome
}

function visit(rule: ArtifactRule, queue: ArtifactQueue, take: (i: number) => boolean): number {
  if (rule.kind === 'REQUIRE') return 0
  return queue.visit(rule.kind === 'MATCH' ? withSlash(rule.sourcePrefix) : '', prepare(rule.pattern), take)
}

/** The sides that a rule compares. */
export interface Sides {
  readonly link: Link
  readonly artifacts: Artifacts
  readonly chain: Chain
}

/** Does the rule take this name off the queue? The pattern has matched already. For one name; rules over a queue ask `taker`. */
export function consumer(rule: ArtifactRule, sides: Sides): (name: string) => boolean {
  const { materials, products } = sides.link
  switch (rule.kind) {
    case 'CREATE':
      return (name) => Object.hasOwn(products, name) && !Object.hasOwn(materials, name)
    case 'DELETE':
      return (name) => Object.hasOwn(materials, name) && !Object.hasOwn(products, name)
    case 'MODIFY':
      return (name) => Object.hasOwn(materials, name) && Object.hasOwn(products, name) && !sameDigests(materials[name]!, products[name]!)
    case 'ALLOW':
      return () => true
    case 'MATCH': {
      const other = destination(rule, sides.chain)
      if (other === undefined) return () => false
      return (name) => {
        const counterpart = destinationName(rule, name)
        return Object.hasOwn(other, counterpart) && equalDigests(sides.artifacts[name]!, other[counterpart]!)
      }
    }
    default:
      return () => false
  }
}

/** The artifacts that a MATCH compares with; undefined when no link of that name is known. */
export function destination(rule: MatchRule, chain: Chain): Artifacts | undefined {
  const link = chain.get(rule.step)?.link
  return rule.artifacts === 'MATERIALS' ? link?.materials : link?.products
}

/** The same as a table. */
function destinationSide({ step, artifacts }: MatchRule, chain: Chain): ArtifactTable | undefined {
  const link = chain.get(step)?.link
  const side: Side = artifacts === 'MATERIALS' ? 'materials' : 'products'
  return link && sideOf(link, side)
}

/** The name that an artifact covered by a MATCH has on the other side. */
export function destinationName(rule: MatchRule, name: string): string {
  return withSlash(rule.destinationPrefix) + name.slice(withSlash(rule.sourcePrefix).length)
}

/** The name on the side of the rule that stands behind a name on the other side; undefined when the rule does not speak of it. */
export function sourceName(rule: MatchRule, name: string): string | undefined {
  const prefix = withSlash(rule.destinationPrefix)
  if (!name.startsWith(prefix) || !prepare(rule.pattern).test(name.slice(prefix.length))) return undefined
  return withSlash(rule.sourcePrefix) + name.slice(prefix.length)
}

/** Does the rule speak of this name at all? */
export function covers(rule: ArtifactRule, name: string): boolean {
  if (rule.kind === 'REQUIRE') return rule.name === name
  if (rule.kind !== 'MATCH') return prepare(rule.pattern).test(name)
  const prefix = withSlash(rule.sourcePrefix)
  return name.startsWith(prefix) && prepare(rule.pattern).test(name.slice(prefix.length))
}
