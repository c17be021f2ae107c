/**
 * Rules for the materials of a learned step: what earlier steps made or used must be the same still, the rest is named. Called when a layout is
 * learned, with the steps that stand before. A rule is only made where it held in every run.
 */
import { equalDigests, type Artifacts } from '../model/artifact.ts'
import { isLinkFileName, type Link } from '../model/link.ts'
import { formatRule, type ArtifactRule, type MatchRule } from '../model/rule.ts'
import { isExact, masked } from './naming.ts'
import { bounded, entries, isSource, modules, nearest, productPatterns, requires, type LearnedRules } from './products.ts'
import { contentOf, type SeenStep } from './sight.ts'

/** What the materials of a step are compared with. */
export interface Before {
  /** Steps before it, in order. */
  readonly earlier: readonly SeenStep[]
  /** Names under which links of a step may lie as files: `build.4f3c9a1b.link`. */
  readonly linkFiles: ReadonlyMap<string, readonly string[]>
  readonly mostRules: number
}

type Side = 'materials' | 'products'

/** SHA-256 of nothing: empty files are equal without being copies. */
const nothing = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** `expected_materials` of a step. */
export function materialRules(step: SeenStep, before: Before): LearnedRules {
  const seen = step.links.filter((link) => link !== undefined)
  const names = [...new Set(seen.flatMap(({ materials }) => Object.keys(materials)))].sort()
  if (names.length === 0) return { rules: ['DISALLOW *'], notes: [] }
  const left = new Set(names)
  const required = new Set(entries(names.filter((name) => seen.every(({ materials }) => Object.hasOwn(materials, name)))))
  const rules: ArtifactRule[] = []
  for (const provider of before.earlier.toReversed()) {
    const covered = [...left].filter((name) => isProvided(step, name, { provider, side: 'products', counterpart: name }))
    for (const name of covered) left.delete(name)
    if (covered.length === 0) continue
    rules.push(...matchRules(covered, provider, { left, before }))
    if (!isSource(provider)) for (const name of stableOf(covered, provider, step)) required.add(name)
  }
  for (const { rule, covered } of prefixMatches(step, left, before)) {
    rules.push(rule)
    for (const name of covered) left.delete(name)
  }
  for (const provider of before.earlier.toReversed()) {
    const covered = [...left].filter((name) => isProvided(step, name, { provider, side: 'materials', counterpart: name }))
    for (const name of covered) left.delete(name)
    if (covered.length > 0) rules.push({ kind: 'MATCH', pattern: '*', artifacts: 'MATERIALS', step: provider.name })
  }
  const made = seen.flatMap(generated).filter((name) => !names.includes(name))
  rules.push(...allowed([...names, ...made], new Set([...left, ...made]), before))
  const first =
    required.size > 0 ? [...required] : names.filter((name) => seen.every(({ materials }) => Object.hasOwn(materials, name))).slice(0, 1)
  return { rules: [...requires(nearest(first)), ...rules.map(formatRule), 'DISALLOW *'], notes: [] }
}

/**
 * Files that the build made and then used itself, as the plugin writes them into the byproducts: where they lie still when the next build begins, they
 * are materials.
 */
function generated({ byproducts }: Link): string[] {
  const value = byproducts['generated']
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
}

interface Provision {
  readonly provider: SeenStep
  readonly side: Side
  readonly counterpart: string
}

/** Is a material, in every run that has it, what the provider has under the counterpart's name? */
function isProvided(step: SeenStep, name: string, { provider, side, counterpart }: Provision): boolean {
  return step.links.every((link, run) => {
    if (link === undefined || !Object.hasOwn(link.materials, name)) return true
    const artifacts = provider.links[run]?.[side]
    return artifacts !== undefined && Object.hasOwn(artifacts, counterpart) && equalDigests(link.materials[name]!, artifacts[counterpart]!)
  })
}

/**
 * MATCH rules by the first folder of the names; behind each, that nothing else lies in that folder. What a source lists is matched wherever it
 * lies: its files come and go.
 */
function matchRules(covered: readonly string[], provider: SeenStep, o: { left: Set<string>; before: Before }): ArtifactRule[] {
  const match = (pattern: string): MatchRule => ({ kind: 'MATCH', pattern, artifacts: 'PRODUCTS', step: provider.name })
  if (isSource(provider)) return [match('*')]
  const patterns = productPatterns(provider)
  const folders = [...new Set(covered.map(topFolder).filter((folder) => folder !== ''))].sort()
  const files = bounded(
    covered.filter((name) => topFolder(name) === '').map((name) => patterns.get(name) ?? masked(name)),
    o.before.mostRules,
  )
  return [
    ...files.map(match),
    ...folders.flatMap((folder): ArtifactRule[] => {
      const links = [...o.left].filter((name) => name.startsWith(folder) && isOwnLink(name, o.before))
      for (const name of links) o.left.delete(name)
      const isWhole = ![...o.left].some((name) => name.startsWith(folder))
      return [
        match(`${masked(folder)}*`),
        ...allowLinks(links, o.before),
        ...(isWhole ? [{ kind: 'DISALLOW', pattern: `${masked(folder)}*` } as const] : []),
      ]
    }),
  ]
}

/** Covered names that hold no hash and were there in every run. */
function stableOf(covered: readonly string[], provider: SeenStep, step: SeenStep): string[] {
  const patterns = productPatterns(provider)
  const isThere = (name: string): boolean => step.links.every((link) => link === undefined || Object.hasOwn(link.materials, name))
  return covered.filter((name) => !modules.test(name) && isExact(name, patterns.get(name) ?? name) && isThere(name))
}

/** `dist/`, `../shared/`; none for a file that lies in a folder above. */
function topFolder(name: string): string {
  return /^(?:\.\.\/)*(?!\.\.\/)[^/]+\//.exec(name)?.[0] ?? ''
}

/** Folders of materials that hold what an earlier step made in another folder, largest first. */
function prefixMatches(step: SeenStep, left: ReadonlySet<string>, { earlier }: Before): { rule: MatchRule; covered: string[] }[] {
  const open = new Set([...left].filter((name) => !modules.test(name)))
  const pairs = new Map<string, number>()
  const link = step.links.find((one) => one !== undefined)
  const run = step.links.indexOf(link)
  for (const provider of earlier.toReversed()) {
    const contents = byContent(provider.links[run]?.products ?? {})
    for (const name of open) {
      const digests = link !== undefined && Object.hasOwn(link.materials, name) ? contentOf(link.materials[name]!) : nothing
      for (const other of contents.get(digests) ?? []) {
        for (const key of foldersOf(name, other))
          pairs.set(JSON.stringify([provider.name, ...key]), (pairs.get(JSON.stringify([provider.name, ...key])) ?? 0) + 1)
      }
    }
  }
  const found: { rule: MatchRule; covered: string[] }[] = []
  for (const [key] of [...pairs].toSorted((a, b) => b[1] - a[1])) {
    const [name, from, to] = JSON.parse(key) as [string, string, string]
    const provider = earlier.find((one) => one.name === name)!
    const below = [...open].filter((one) => one.startsWith(from))
    const covered = below.filter((one) => isProvided(step, one, { provider, side: 'products', counterpart: to + one.slice(from.length) }))
    if (covered.length === 0 || covered.length * 2 < below.length) continue
    for (const one of covered) open.delete(one)
    const prefixes = {
      ...(from === '' ? {} : { sourcePrefix: from.slice(0, -1) }),
      ...(to === '' ? {} : { destinationPrefix: to.slice(0, -1) }),
    }
    found.push({ rule: { kind: 'MATCH', pattern: '*', ...prefixes, artifacts: 'PRODUCTS', step: name }, covered })
  }
  return found
}

function byContent(artifacts: Artifacts): Map<string, string[]> {
  const names = new Map<string, string[]>()
  for (const name of Object.keys(artifacts)) {
    const content = contentOf(artifacts[name]!)
    if (content === nothing) continue
    const known = names.get(content)
    if (known === undefined) names.set(content, [name])
    else if (known.length < 16) known.push(name)
  }
  return names
}

/** Every pair of folders that makes one name out of the other: `a/b/c.js` and `x/b/c.js` give `a/`, `x/` and `a/b/`, `x/b/`. */
function foldersOf(name: string, other: string): [string, string][] {
  const [a, b] = [name.split('/'), other.split('/')]
  const pairs: [string, string][] = []
  for (let same = 1; same <= Math.min(a.length, b.length) && a.at(-same) === b.at(-same); same++) {
    const folder = (parts: string[]): string =>
      parts
        .slice(0, -same)
        .map((part) => `${part}/`)
        .join('')
    pairs.push([folder(a), folder(b)])
  }
  return pairs
}

function isOwnLink(name: string, { linkFiles }: Before): boolean {
  const base = name.slice(name.lastIndexOf('/') + 1)
  return isLinkFileName(base) && linkFiles.has(base.slice(0, -'.12345678.link'.length))
}

/** The links of a step that was seen, by whoever of its functionaries: a verifier demands the very link that it has verified. */
function allowLinks(names: readonly string[], { linkFiles }: Before): ArtifactRule[] {
  const places = new Set(names.map((name) => name.slice(0, -'12345678.link'.length)))
  return [...places].sort().flatMap((place) => {
    const at = place.lastIndexOf('/') + 1
    return (linkFiles.get(place.slice(at, -1)) ?? []).map(
      (file) => ({ kind: 'ALLOW', pattern: masked(place.slice(0, at) + file) }) as const,
    )
  })
}

/**
 * What no earlier step vouches for. A folder is allowed as a whole only where nothing of it was matched: else a changed file could pass there.
 */
function allowed(names: readonly string[], left: ReadonlySet<string>, before: Before): ArtifactRule[] {
  const links = [...left].filter((name) => isOwnLink(name, before))
  const rest = [...left].filter((name) => !links.includes(name))
  const matched = new Set(names.filter((name) => !left.has(name)).map(topFolder))
  const patterns = rest.map((name) => {
    const folder = topFolder(name)
    if (modules.test(name) || folder === '' || matched.has(folder)) return masked(name)
    return `${masked(folder)}*`
  })
  return [...allowLinks(links, before), ...bounded(patterns, before.mostRules).map((pattern) => ({ kind: 'ALLOW', pattern }) as const)]
}
