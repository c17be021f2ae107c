/**
 * Rules for the products of a learned step: what must be there, what may be made, and nothing else. Called when a layout is learned; it sees the
 * step's own links only.
 */
import { sameDigests } from '../model/artifact.ts'
import { formatRule, type ArtifactRule } from '../model/rule.ts'
import { generalise, isExact } from './naming.ts'
import { contentOf, type SeenStep } from './sight.ts'

/** What learning found, and what a person should know of it. */
export interface LearnedRules {
  readonly rules: readonly string[]
  readonly notes: readonly string[]
}

/** Most files of one list that REQUIRE names. */
const mostRequired = 32

/**
 * Does the step state what everything starts from? It used nothing, and what it lists is a project, or was read from git: files come and go there,
 * so their names are not held fast.
 */
export function isSource({ links }: SeenStep): boolean {
  const seen = links.filter((link) => link !== undefined)
  return seen.every(
    ({ materials, products, byproducts }) =>
      Object.keys(materials).length === 0 && (Object.hasOwn(products, 'package.json') || Object.hasOwn(byproducts, 'git')),
  )
}

/** `expected_products` of a step. */
export function productRules(step: SeenStep, mostRules: number): LearnedRules {
  const links = step.links.filter((link) => link !== undefined)
  const names = [...new Set(links.flatMap(({ products }) => Object.keys(products)))].sort()
  if (names.length === 0) return { rules: ['DISALLOW *'], notes: [] }
  if (isSource(step)) return { rules: [...requires(sourceEntries(step)), 'CREATE *', 'DISALLOW *'], notes: [] }
  const patterns = productPatterns(step)
  const stable = names.filter(
    (name) => isExact(name, patterns.get(name)!) && !modules.test(name) && links.every(({ products }) => Object.hasOwn(products, name)),
  )
  const kinds = { CREATE: new Set<string>(), MODIFY: new Set<string>() }
  let isPassedOn = false
  for (const { materials, products } of links) {
    for (const name of Object.keys(products)) {
      if (!Object.hasOwn(materials, name)) kinds.CREATE.add(patterns.get(name)!)
      else if (sameDigests(materials[name]!, products[name]!)) isPassedOn = true
      else kinds.MODIFY.add(patterns.get(name)!)
    }
  }
  const rules: ArtifactRule[] = [
    ...(isPassedOn ? [{ kind: 'MATCH', pattern: '*', artifacts: 'MATERIALS', step: step.name } as const] : []),
    ...(['MODIFY', 'CREATE'] as const).flatMap((kind) => bounded([...kinds[kind]], mostRules).map((pattern) => ({ kind, pattern }))),
  ]
  return { rules: [...requires(nearest(stable)), ...rules.map(formatRule), 'DISALLOW *'], notes: told(step.name, patterns, rules) }
}

/** Patterns for the products of a step. A copy of a material, or another content under the same name, shows that a name holds no hash. */
export function productPatterns({ links }: SeenStep): Map<string, string> {
  const seen = links.filter((link) => link !== undefined)
  const fixed = new Set<string>()
  for (const { materials, products } of seen) {
    const copies = new Set(Object.keys(materials).map((name) => `${baseOf(name)} ${contentOf(materials[name]!)}`))
    for (const name of Object.keys(products)) {
      const isRewritten = seen.some((other) => Object.hasOwn(other.products, name) && !sameDigests(other.products[name]!, products[name]!))
      if (isRewritten || copies.has(`${baseOf(name)} ${contentOf(products[name]!)}`)) fixed.add(name)
    }
  }
  return generalise({ runs: seen.map(({ products }) => new Set(Object.keys(products))), fixed })
}

/** Names below a node_modules: whoever installs decides which. */
export const modules: RegExp = /^(?:.*\/)?node_modules\//

/** Files at the root that a project does not lose by chance: its manifest, lockfile, pages and configuration. */
export function entries(names: readonly string[]): string[] {
  const found = names.filter(
    (name) =>
      /^(?:\.\.\/)*[^./][^/]*$/.test(name) && /^(?:.*\/)?(?:package\.json|.*lock.*|.*\.html|.*\.config\.\w+|tsconfig\.json)$/.test(name),
  )
  return found.toSorted((a, b) => Number(b === 'package.json') - Number(a === 'package.json') || (a < b ? -1 : 1)).slice(0, mostRequired)
}

function sourceEntries({ links }: SeenStep): string[] {
  const [first, ...others] = links.filter((link) => link !== undefined)
  const always = Object.keys(first?.products ?? {}).filter((name) => others.every(({ products }) => Object.hasOwn(products, name)))
  const found = entries(always)
  return found.length > 0 ? found : always.sort().slice(0, 1)
}

/** REQUIRE rules. They stand first in a list, since they see only what is still in the queue. */
export function requires(names: readonly string[]): string[] {
  return names.map((name) => formatRule({ kind: 'REQUIRE', name }))
}

/** The names nearest to the root, as many as a list may require. */
export function nearest(names: readonly string[]): string[] {
  const depth = (name: string): number => name.split('/').length
  return names
    .toSorted((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1))
    .slice(0, mostRequired)
    .sort()
}

/** Patterns, and of too many those of one folder as one: first of the folder that they lie in, then of the first folder of their path. */
export function bounded(patterns: readonly string[], most: number): string[] {
  const always = [...new Set(patterns.map((pattern) => modules.exec(pattern)?.[0].concat('*') ?? pattern))]
  const folders = [/^.*\//s, /^(?:\.\.\/)*(?!\.\.\/)[^/]+\//]
  const shorter = (one: string, folder: RegExp): string => {
    const found = folder.exec(one)?.[0]
    // The folders above the project are never allowed as a whole.
    return found === undefined || /^(?:\.\.\/)+$/.test(found) ? one : `${found}*`
  }
  return folders.reduce((now, folder) => (now.length <= most ? now : [...new Set(now.map((one) => shorter(one, folder)))]), always).sort()
}

/** A word on each pattern that is no plain name, and on folders that are allowed as a whole because they hold too many names. */
function told(step: string, patterns: ReadonlyMap<string, string>, rules: readonly ArtifactRule[]): string[] {
  const used = new Set(rules.flatMap((rule) => (rule.kind === 'MODIFY' || rule.kind === 'CREATE' ? [rule.pattern] : [])))
  const examples = new Map<string, string>()
  for (const [name, pattern] of patterns)
    if (!isExact(name, pattern) && used.has(pattern) && !examples.has(pattern)) examples.set(pattern, name)
  const varying = [...examples].map(([pattern, name]) => `${step}: ${name} is taken for a name that changes with each build: ${pattern}`)
  const named = new Set(patterns.values())
  const folders = [...used].filter((pattern) => !named.has(pattern))
  const whole = folders.map((pattern) => `${step}: too many names for a rule each, so that any name is allowed: ${pattern}`)
  return [...varying, ...whole]
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
