/**
 * The life of one artifact through all steps: where it was read and written, with which content, and which rule took it or why none did.
 * Called by `intoto explain` with the chain of a traced Report. Pure: layout and links in, data out; changes no verdict.
 */
import type { RuleRef } from '../errors.ts'
import type { DigestMap } from '../model/artifact.ts'
import type { Layout } from '../model/layout.ts'
import type { Link } from '../model/link.ts'
import { formatRule, parseRule, type ArtifactRule, type MatchRule } from '../model/rule.ts'
import { whyNot } from './cause.ts'
import { consumer, covers, destinationName, sourceName, type Chain, type ChainLink, type RuledItem, type RuleList } from './rules.ts'

/** One artifact, as seen by every step that knows it. */
export interface ArtifactLife {
  path: string
  /** In layout order, materials before products. */
  stages: ArtifactStage[]
}

/** One artifact on one side of one step. */
export interface ArtifactStage {
  step: string
  kind: 'step' | 'inspection'
  list: RuleList
  /** Its name there: a MATCH with prefixes follows it into folders. */
  name: string
  /** Undefined when it is not there, but a REQUIRE asks for it. */
  digests?: DigestMap
  /**
   * `consumed`: `rule` took it. `refused`: `rule` is the DISALLOW or REQUIRE that failed over it. `unclaimed`: no rule took it, which allows it.
   */
  outcome: 'consumed' | 'refused' | 'unclaimed'
  rule?: RuleRef
  /** Rules before that which speak of it, and why they did not take it. */
  passed: { rule: RuleRef; why: string }[]
}

/** Follows an artifact. `chain` holds one link for each step and inspection, as in `Report.chain`; those that are missing are left out. */
export function explainArtifact(layout: Layout, chain: readonly Link[], path: string): ArtifactLife {
  const links = chainOf(layout, chain)
  const names = namesOf(layout, links, path)
  const stages: ArtifactStage[] = []
  for (const item of [...layout.steps, ...layout.inspect]) {
    const link = links.get(item.name)
    if (link === undefined) continue
    for (const list of ['expected_materials', 'expected_products'] as const) {
      for (const name of names) {
        const stage = stageOf({ item, list, name, link, chain: visibleTo(links, link) })
        if (stage !== undefined) stages.push(stage)
      }
    }
  }
  return { path, stages }
}

function chainOf(layout: Layout, chain: readonly Link[]): Map<string, ChainLink> {
  const inspections = new Set(layout.inspect.map(({ name }) => name))
  return new Map(chain.map((link) => [link.name, { link, file: link.name, kind: inspections.has(link.name) ? 'inspection' : 'step' }]))
}

/** Rules of steps do not see inspections. */
function visibleTo(links: Map<string, ChainLink>, { kind }: ChainLink): Chain {
  return kind === 'inspection' ? links : new Map([...links].filter(([, other]) => other.kind === 'step'))
}

/** All names that the artifact has somewhere, following MATCH rules with prefixes both ways, as long as somebody recorded that name. */
function namesOf(layout: Layout, links: Chain, path: string): string[] {
  const known = new Set([...links.values()].flatMap(({ link }) => [...Object.keys(link.materials), ...Object.keys(link.products)]))
  const names = new Set([path])
  const matches = [...layout.steps, ...layout.inspect]
    .flatMap((item) => [...item.expected_materials, ...item.expected_products])
    .map((tokens) => parseRule(tokens))
    .filter((rule): rule is MatchRule => rule.kind === 'MATCH' && (rule.sourcePrefix ?? '') !== (rule.destinationPrefix ?? ''))
  for (const name of names) {
    for (const rule of matches) {
      for (const other of [covers(rule, name) ? destinationName(rule, name) : undefined, sourceName(rule, name)]) {
        if (other !== undefined && known.has(other)) names.add(other)
      }
    }
  }
  return [...names]
}

interface Place {
  readonly item: RuledItem
  readonly list: RuleList
  readonly name: string
  readonly link: ChainLink
  readonly chain: Chain
}

/** What happens to one artifact in a queue does not depend on the others, so it is followed alone. */
function stageOf({ item, list, name, link, chain }: Place): ArtifactStage | undefined {
  const artifacts = list === 'expected_materials' ? link.link.materials : link.link.products
  const digests = Object.hasOwn(artifacts, name) ? artifacts[name]! : undefined
  const stage = { step: item.name, kind: link.kind, list, name, ...(digests === undefined ? {} : { digests }) }
  const passed: ArtifactStage['passed'] = []
  for (const [index, tokens] of item[list].entries()) {
    const rule = parseRule(tokens)
    if (!covers(rule, name)) continue
    const ref: RuleRef = { text: formatRule(rule), step: item.name, list, index }
    if (digests === undefined) {
      if (rule.kind === 'REQUIRE') return { ...stage, outcome: 'refused', rule: ref, passed }
    } else if (rule.kind === 'DISALLOW') {
      return { ...stage, outcome: 'refused', rule: ref, passed }
    } else if (consumer(rule, { link: link.link, artifacts, chain })(name)) {
      return afterwards(item[list].slice(index + 1), { ...stage, outcome: 'consumed', rule: ref, passed }, index + 1)
    } else {
      passed.push({ rule: ref, why: whyNot({ rule, artifact: name, digests, link: link.link, chain }) ?? 'it does not apply' })
    }
  }
  return digests === undefined ? undefined : { ...stage, outcome: 'unclaimed', passed }
}

/** A REQUIRE behind the rule that took the artifact fails all the same. */
function afterwards(rest: readonly (readonly string[])[], stage: ArtifactStage, first: number): ArtifactStage {
  const rules = rest.map((tokens): ArtifactRule => parseRule(tokens))
  const at = rules.findIndex((rule) => rule.kind === 'REQUIRE' && rule.name === stage.name)
  if (at < 0) return stage
  const rule: RuleRef = { text: formatRule(rules[at]!), step: stage.step, list: stage.list, index: first + at }
  return {
    ...stage,
    outcome: 'refused',
    rule,
    passed: [...stage.passed, { rule: stage.rule!, why: 'it took the artifact before REQUIRE looked' }],
  }
}
