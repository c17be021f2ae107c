/**
 * What was seen of each step: its links, one a run, who signed them, in which order the steps stand. Called when a layout is learned. Links that
 * disagree teach nothing and are refused here.
 */
import { InTotoError } from '../errors.ts'
import { sameDigests, type Artifacts } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'

/** A link whose signature was checked by the caller, and the functionary who made it. */
export interface ObservedLink {
  readonly link: Link
  /** A name among the functionaries. */
  readonly functionary: string
}

/** The links of one round of the supply chain, from the first step to the last. */
export type ObservedRun = readonly ObservedLink[]

/** A step as the runs show it. */
export interface SeenStep {
  readonly name: string
  /** The link of each run; absent where nobody carried the step out. */
  readonly links: readonly (Link | undefined)[]
  readonly functionaries: ReadonlySet<string>
  /** How many functionaries carried it out and agreed, in the run that had fewest. */
  readonly together: number
}

/** Steps of usual names stand in this order where nothing else decides. */
const usual = ['source', 'install', 'build', 'test', 'package', 'publish', 'deploy']

/**
 * The steps that links are about, in the order in which artifacts went through them.
 * @param order names in the order that the caller wants; it wins where it speaks
 * @throws E_THRESHOLD when two links of one step and run list other artifacts; E_CONFIG when there is no link
 */
export function seenSteps(runs: readonly ObservedRun[], order: readonly string[] = []): SeenStep[] {
  const names = [...new Set(runs.flatMap((run) => run.map(({ link }) => link.name)))]
  if (names.length === 0)
    throw new InTotoError({ code: 'E_CONFIG', message: 'there is no link to learn from', fix: 'carry out the steps once, with a key' })
  const steps = names.map((name): SeenStep => {
    const each = runs.map((run) => run.filter(({ link }) => link.name === name))
    const counts = each.map((links) => new Set(links.map(({ functionary }) => functionary)).size).filter((count) => count > 0)
    return {
      name,
      links: each.map(agreed),
      functionaries: new Set(each.flat().map(({ functionary }) => functionary)),
      together: Math.min(...counts),
    }
  })
  return ordered(steps, order)
}

/** The one link that all functionaries of a run stand for. */
function agreed(links: readonly ObservedLink[]): Link | undefined {
  const [first, ...others] = links
  for (const { link, functionary } of others) {
    for (const side of ['materials', 'products'] as const) {
      const name = differing(first!.link[side], link[side])
      if (name === undefined) continue
      throw new InTotoError({
        code: 'E_THRESHOLD',
        step: link.name,
        file: name,
        message: `${name}: two links of "${link.name}" (${first!.functionary} and ${functionary}) disagree about it, so neither can be learned from`,
        fix: 'delete the one that is out of date; a second round belongs into a folder of its own',
      })
    }
  }
  return first?.link
}

function differing(a: Artifacts, b: Artifacts): string | undefined {
  return [...Object.keys(a), ...Object.keys(b)].find(
    (name) => !Object.hasOwn(a, name) || !Object.hasOwn(b, name) || !sameDigests(a[name]!, b[name]!),
  )
}

/** A step whose products are another one's materials stands before it; then the caller's order, then the usual one. */
function ordered(steps: readonly SeenStep[], order: readonly string[]): SeenStep[] {
  const rank = ({ name }: SeenStep): [number, string] => {
    const given = order.indexOf(name)
    const known = usual.indexOf(name)
    return [given >= 0 ? given - order.length : known >= 0 ? known : usual.length, name]
  }
  const byRank = steps.toSorted((a, b) => rank(a)[0] - rank(b)[0] || (a.name < b.name ? -1 : 1))
  const isGiven = ({ name }: SeenStep): boolean => order.includes(name)
  const flows = steps.flatMap((from) =>
    steps
      .filter((to) => from !== to && !(isGiven(from) && isGiven(to)) && flow(from, to) > flow(to, from))
      .map((to) => [from, to] as const),
  )
  const sorted: SeenStep[] = []
  while (sorted.length < steps.length) {
    const open = byRank.filter((step) => !sorted.includes(step))
    const waiting = (step: SeenStep): number => flows.filter(([from, to]) => to === step && open.includes(from)).length
    const fewest = Math.min(...open.map(waiting))
    sorted.push(open.find((step) => waiting(step) === fewest)!)
  }
  return sorted
}

/** How many artifacts went from the products of one step into the materials of another. */
function flow(from: SeenStep, to: SeenStep): number {
  let count = 0
  from.links.forEach((link, run) => {
    const other = to.links[run]
    if (link === undefined || other === undefined) return
    const contents = new Set(Object.values(link.products).map(contentOf))
    for (const digests of Object.values(other.materials)) if (contents.has(contentOf(digests))) count++
  })
  return count
}

/** A digest map as one text, to look contents up. */
export function contentOf(digests: Artifacts[string]): string {
  return Object.keys(digests)
    .sort()
    .map((algorithm) => `${algorithm}:${digests[algorithm]}`)
    .join(' ')
}
