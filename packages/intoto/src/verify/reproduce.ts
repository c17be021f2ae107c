/**
 * Two links of one step, side by side: which artifacts differ, what else in the links may be why, and, where the bytes of both are at hand, what
 * kind of difference it is. Called by `intoto reproduce`. Signatures and layouts are not looked at here, and a guess changes no verdict.
 */
import { problem, type Problem } from '../errors.ts'
import { equalDigests, sameDigests, type Artifacts, type DigestMap } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'
import { stringifyJson, type JsonObject, type JsonValue } from '../encoding/json.ts'
import { commandText, digestText, shown } from './text.ts'

/** One artifact that the two links do not agree about; a side that lacks it has no digests. */
export interface ArtifactDifference {
  readonly list: 'materials' | 'products'
  readonly name: string
  readonly first?: DigestMap
  readonly second?: DigestMap
  /** A guess at the reason. */
  readonly cause?: string
}

/** Something else that the two links tell differently: a version, a command, a commit. */
export interface Circumstance {
  /** `command`, `environment`, or the name of a byproduct. */
  readonly name: string
  /** As text; undefined where that link does not say. */
  readonly first?: string
  readonly second?: string
}

/** What two links of a step say of each other. */
export interface Reproduction {
  readonly step: string
  /** Whether both name the same products, with the same digests. */
  readonly ok: boolean
  readonly differences: readonly ArtifactDifference[]
  readonly circumstances: readonly Circumstance[]
}

/** Where the links lie, and what is known beyond them. */
export interface ReproductionOptions {
  readonly first: string
  readonly second: string
  /** Says what kind of difference there is between the bytes of a product, where both are at hand. */
  readonly look?: (name: string) => string | undefined
}

/** Byproducts that differ between any two runs and explain nothing. */
const noise: ReadonlySet<string> = new Set(['stdout', 'stderr', 'stdout-bytes', 'stderr-bytes', 'duration-ms', 'coverage', 'virtual'])

/** Compares materials, products and circumstances. Products decide; materials and circumstances explain. */
export function compareLinks(first: Link, second: Link, look?: (name: string) => string | undefined): Reproduction {
  const circumstances = circumstancesOf(first, second)
  const materials = unequal('materials', first.materials, second.materials)
  const products = unequal('products', first.products, second.products)
  const background = backgroundOf(materials, circumstances)
  const ofFirst = aliases(first.products, second.products)
  const ofSecond = aliases(second.products, first.products)
  const guessed = products.map((difference) => {
    const cause =
      weak(difference) ??
      renamed(difference, ofFirst, ofSecond) ??
      (isOnBoth(difference) ? look?.(difference.name) : undefined) ??
      background
    return cause === undefined ? difference : { ...difference, cause }
  })
  return { step: first.name, ok: products.length === 0, differences: [...materials, ...guessed], circumstances }
}

/** The same as problems: differing products are errors, differing materials warnings. */
export function reproductionProblems(found: Reproduction, o: ReproductionOptions): Problem[] {
  return found.differences.map((difference) =>
    problem({
      code: 'E_THRESHOLD',
      severity: difference.list === 'products' ? 'error' : 'warning',
      step: found.step,
      file: difference.name,
      message: `${shown(difference.name)}: ${message(difference)}`,
      expected: { label: 'first', text: side(difference.first, difference.second), from: o.first },
      actual: { label: 'second', text: side(difference.second, difference.first), from: o.second },
      ...(difference.cause === undefined ? {} : { cause: difference.cause }),
    }),
  )
}

function message({ list, first, second }: ArtifactDifference): string {
  if (first === undefined) return `only the second link has this ${list.slice(0, -1)}`
  if (second === undefined) return `only the first link has this ${list.slice(0, -1)}`
  return list === 'products' ? 'the same step made other bytes' : 'the step began with other bytes'
}

function side(own: DigestMap | undefined, other: DigestMap | undefined): string {
  return own === undefined ? 'not there' : digestText(own, other)
}

function weak({ first, second }: ArtifactDifference): string | undefined {
  if (first === undefined || second === undefined || !sameDigests(first, second)) return undefined
  return 'their digests are equal and could be of two files: none is SHA-256 or stronger'
}

function isOnBoth({ first, second }: ArtifactDifference): boolean {
  return first !== undefined && second !== undefined
}

function unequal(list: ArtifactDifference['list'], first: Artifacts, second: Artifacts): ArtifactDifference[] {
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])].sort()
  return names.flatMap((name) => {
    const [a, b] = [first[name], second[name]]
    if (a !== undefined && b !== undefined && equalDigests(a, b)) return []
    return [{ list, name, ...(a === undefined ? {} : { first: a }), ...(b === undefined ? {} : { second: b }) }]
  })
}

/** What a side offers to a file that it lacks: names by content, and by what is left of them without a hash. */
interface Aliases {
  readonly byContent: ReadonlyMap<string, string>
  readonly byStem: ReadonlyMap<string, string>
}

function aliases(own: Artifacts, other: Artifacts): Aliases {
  const byContent = new Map<string, string>()
  const byStem = new Map<string, string>()
  for (const name of Object.keys(own)) {
    if (!byContent.has(content(own[name]!))) byContent.set(content(own[name]!), name)
    if (!Object.hasOwn(other, name) && !byStem.has(stem(name))) byStem.set(stem(name), name)
  }
  return { byContent, byStem }
}

function content(digests: DigestMap): string {
  return JSON.stringify(Object.entries(digests).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A file that one side lacks and has under another name. */
function renamed({ name, first, second }: ArtifactDifference, ofFirst: Aliases, ofSecond: Aliases): string | undefined {
  if (first !== undefined && second !== undefined) return undefined
  const [own, theirs] = first === undefined ? [second!, ofFirst] : [first, ofSecond]
  const twin = theirs.byContent.get(content(own))
  if (twin !== undefined) return `the other link has the same content as ${shown(twin)}`
  const like = theirs.byStem.get(stem(name))
  return like === undefined
    ? undefined
    : `its name holds a hash of its content, which is other in ${shown(like)}: look at the files that went into it`
}

/** A name without what looks like a hash of content: `assets/index-BxK3q1_a.js` is `assets/index-.js`. */
function stem(name: string): string {
  return name.replace(/(?<=[-.])[\w-]{6,32}(?=\.[^/]*$)/, '')
}

/** What the links themselves offer as a reason. */
function backgroundOf(materials: readonly ArtifactDifference[], circumstances: readonly Circumstance[]): string | undefined {
  const [material] = materials
  if (material !== undefined) {
    const others = materials.length === 1 ? '' : ` and ${materials.length - 1} more`
    return `they did not begin with the same materials: ${shown(material.name)}${others}`
  }
  const telling = circumstances.find(({ name }) => name !== 'source' && name !== 'git')
  if (telling === undefined) return undefined
  return `${telling.name} differs: ${telling.first ?? 'not said'} and ${telling.second ?? 'not said'}`
}

function circumstancesOf(first: Link, second: Link): Circumstance[] {
  const found: Circumstance[] = []
  const add = (name: string, a: string | undefined, b: string | undefined): void => {
    if (a !== b) found.push({ name, ...(a === undefined ? {} : { first: a }), ...(b === undefined ? {} : { second: b }) })
  }
  add('command', commandText(first.command), commandText(second.command))
  add('environment', told(first.environment ?? {}), told(second.environment ?? {}))
  for (const name of [...new Set([...Object.keys(first.byproducts), ...Object.keys(second.byproducts)])].sort()) {
    if (noise.has(name)) continue
    const [a, b] = [first.byproducts[name], second.byproducts[name]]
    // A recorder that does not write a member says nothing by its absence.
    if (a !== undefined && b !== undefined) add(shown(name), told(a), told(b))
  }
  return found
}

/** A value as a person compares it: "vite 8.3.8" for a tool, else JSON, cut where it is long. */
function told(value: JsonValue | JsonObject): string {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { name, version } = value
    if (typeof name === 'string' && typeof version === 'string') return cut(`${name} ${version}`)
  }
  return cut(stringifyJson(value))
}

function cut(text: string): string {
  const safe = shown(text)
  return safe.length > 120 ? `${safe.slice(0, 120)}…` : safe
}
