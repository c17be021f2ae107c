/**
 * What artifact rules can't say of a tarball: that its files are those that the links tell of, that nothing of the build was dropped, that its
 * package.json is the project's but for what the client documents, and that its link was proven. Verification of a tarball calls it with the chain that the layout has accepted; every finding is ours.
 * Portable: the hash comes in.
 */
import { problem, utf8, type Link, type Problem } from 'intoto'
import { printable, type Archive } from '../archive.ts'
import { baseOf, digestBefore, foreignFiles, isSameProject, makingOf, packedOf, type Making, type Packed } from './content.ts'
import { foreignRewrites, packedManifest, parseManifest, type Manifest } from './manifest.ts'

/** What no client packs, whatever `files` says (npm's documentation of `files`). */
const neverPacked =
  /(?:^|\/)(?:\.git|\.svn|\.hg|CVS|node_modules)\/|(?:^|\/)(?:\.(?:npmrc|npmignore|gitignore|DS_Store|lock-wscript)|\._[^/]*|\.[^/]*\.swp|\.wafpickle-[^/]*|npm-debug\.log|config\.gypi|[^/]*\.orig)$|^(?:package-lock\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lockb?)$/

/** SHA-256 in lower-case hex. */
export type Sha256 = (bytes: Uint8Array) => string

/**
 * Problems of a tarball, by the links of the steps in layout order. The link that has the tarball among its products is the package step's.
 * @throws InTotoError E_FORMAT: the tarball has no package.json
 */
export function checkCompleteness(tarball: Archive, chain: readonly Link[], sha256: Sha256): Problem[] {
  const manifest = packedManifest(tarball)
  const making = makingOf(chain, tarball.sha256)
  if (making === undefined) return []
  const { link } = making
  const text = link.byproducts['manifest']
  const original = typeof text === 'string' ? utf8(text) : undefined
  const packed = packedOf(tarball, link, sha256)
  const base = baseOf(making, packed)
  return [
    ...unproven(link),
    ...foreignFiles(packed, making, base),
    ...rewritten({ packed, base, original }, manifest, making),
    ...dropped({ packed, manifest, base }, making),
  ]
}

function unproven(link: Link): Problem[] {
  if (link.byproducts['unproven'] !== true) return []
  const client = link.byproducts['client']
  return [
    problem({
      code: 'E_PRODUCT',
      severity: 'warning',
      step: link.name,
      message: `"${printable(link.name)}" was signed without proof that ${typeof client === 'string' ? printable(client) : 'the client'} uploaded these bytes (--unproven)`,
      fix: 'publish with "intoto publish"; verify what the registry serves with "intoto verify npm:NAME@VERSION"',
    }),
  ]
}

interface Rewriting {
  readonly packed: Packed
  /** The folder of the package, as its materials are named. */
  readonly base: string
  /** Text of package.json before, as the link tells it. */
  readonly original: Uint8Array | undefined
}

/** package.json is a material as it lay in the project; where the client rewrote it, its text is in the byproducts, bound by that digest. */
function rewritten({ packed, base, original }: Rewriting, manifest: Manifest, making: Making): Problem[] {
  const { link } = making
  const material = digestBefore(making, base, 'package.json')
  const digest = packed.files.get('package.json') ?? ''
  if (material === undefined || digest === material) return []
  const source = original !== undefined && packed.original === material ? parseManifest(original, 'package.json') : undefined
  const client = typeof link.byproducts['client'] === 'string' ? link.byproducts['client'] : ''
  const members = source === undefined ? undefined : foreignRewrites(source, manifest, client)
  if (members?.length === 0) return []
  const why =
    members === undefined ? 'and the link does not tell what it was before' : `in ${members.map((name) => JSON.stringify(name)).join(', ')}`
  return [
    problem({
      code: 'E_PRODUCT',
      file: `${packed.top}/package.json`,
      step: link.name,
      message: `${packed.top}/package.json: is not the project's, ${printable(why)}`,
      expected: { text: material, from: 'package.json', label: `${printable(link.name)} read` },
      actual: { text: digest, label: 'packed' },
      fix: 'pack again with "intoto pack", and let no script change package.json',
    }),
  ]
}

interface Selected {
  readonly packed: Packed
  readonly manifest: Manifest
  readonly base: string
}

/** Products of earlier steps that `files` selects and that the tarball lacks. */
function dropped({ packed: { top, files: packed }, manifest, base }: Selected, making: Making): Problem[] {
  const made = new Map<string, string>()
  for (const link of making.before) {
    for (const name of Object.keys(link.materials))
      if (!Object.hasOwn(link.products, name) && made.has(name) && deletes(link, name)) made.delete(name)
    for (const name of isSource(link) ? sourcesOf(link, making, { packed, base }) : Object.keys(link.products))
      if (name.startsWith(base) && !Object.hasOwn(link.materials, name)) made.set(name, link.name)
  }
  const below = [...made].map(([name, step]) => ({ name: name.slice(base.length), step }))
  const hidden = hiding(making.before, base)
  const selects = selection(manifest['files'])
  const missing = below.filter(
    ({ name }) => !packed.has(name) && !neverPacked.test(name) && !isLinkName(name) && selects?.(name) === true && !hidden(name),
  )
  const [first] = missing
  if (first === undefined) return []
  const rest = missing.length === 1 ? '' : ` (and ${missing.length - 1} more)`
  return [
    problem({
      code: 'E_PRODUCT',
      file: `${top}/${first.name}`,
      message: `${top}/${printable(first.name)}: "${printable(first.step)}" made it and "files" selects it, but the tarball lacks it${rest}`,
      fix: 'pack again: nothing that was built may be left out on the way',
    }),
  ]
}

function isSource({ materials }: Link): boolean {
  return Object.keys(materials).length === 0
}

/**
 * What a source step lists and nobody else may have taken away or moved: a build empties the folders that it writes to, and a symbolic link is listed as
 * the file that it leads to, while no client packs one.
 */
function sourcesOf(link: Link, making: Making, { packed, base }: { packed: ReadonlyMap<string, string>; base: string }): string[] {
  if (!isSameProject(link, making, base)) return []
  const digests = new Set(packed.values())
  const folderOf = (name: string): string => name.slice(0, name.indexOf('/', base.length) + 1)
  const later = making.before.filter((other) => !isSource(other))
  const written = new Set(later.flatMap(({ products }) => Object.keys(products).map(folderOf)))
  return Object.keys(link.products).filter(
    (name) => (folderOf(name) === '' || !written.has(folderOf(name))) && !digests.has(link.products[name]?.['sha256'] ?? ''),
  )
}

/** A later step that read a file and shows no trace of it may have deleted it only if it wrote below the same folder. */
function deletes(link: Link, name: string): boolean {
  const folder = name.slice(0, name.lastIndexOf('/') + 1)
  return folder !== '' && Object.keys(link.products).some((other) => other.startsWith(folder))
}

function isLinkName(name: string): boolean {
  return /\.[0-9a-f]{8}\.link$/.test(name)
}

/** Beside or below an ignore file that a step lists, the root's apart, which `files` overrules: what that says is not known here. */
function hiding(before: readonly Link[], base: string): (name: string) => boolean {
  const names = before.flatMap(({ products }) => Object.keys(products)).filter((name) => name.startsWith(base))
  const ignoring = names.map((name) => name.slice(base.length)).filter((name) => /\/\.(?:npm|git)ignore$/.test(name))
  const folders = ignoring.map((name) => name.slice(0, name.lastIndexOf('/') + 1))
  return (name) => folders.some((folder) => name.startsWith(folder))
}

/** `files` as a predicate; undefined without one, since ignore files then decide, which the tarball does not hold. */
function selection(files: unknown): ((name: string) => boolean) | undefined {
  if (!Array.isArray(files)) return undefined
  const entries = files.filter((entry) => typeof entry === 'string')
  const patterns = entries.map((entry) => {
    const negated = entry.startsWith('!')
    const path = entry
      .slice(negated ? 1 : 0)
      .replace(/^\.?\/+/, '')
      .replace(/\/+$/, '')
    // What can't be told may select everything, and takes nothing away.
    return { negated, matches: globOf(path === '' || path === '.' ? '**' : path) ?? (() => !negated) }
  })
  return (name) => patterns.reduce((chosen, { negated, matches }) => (matches(name) ? !negated : chosen), false)
}

/**
 * npm's patterns: `*` and `?` within a folder's level, `**` across, braces; a folder means all that is in it. Negations may stand anywhere. Undefined for
 * one that is longer or has more alternatives than anybody writes.
 */
function globOf(pattern: string): ((name: string) => boolean) | undefined {
  const alternatives = braces(pattern)?.map((one) => one.split('/'))
  return alternatives && ((name) => alternatives.some((one) => isAtOrAbove(one, name.split('/'))))
}

/** Whether the pattern matches the name or a folder above it: level by level, the places in the pattern up to which it does. */
function isAtOrAbove(pattern: readonly string[], parts: readonly string[]): boolean {
  let places = across(pattern, [0])
  for (const part of parts) {
    const next: number[] = []
    for (const place of places) {
      const level = pattern[place]
      if (level === '**') next.push(place)
      else if (level !== undefined && matchesLevel(level, part)) next.push(place + 1)
    }
    places = across(pattern, next)
    if (places.has(pattern.length)) return true
  }
  return false
}

/** The places with those behind each `**`, which may be no level at all. */
function across(pattern: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set<number>()
  for (let place of places) {
    for (; pattern[place] === '**' && !all.has(place); place++) all.add(place)
    all.add(place)
  }
  return all
}

/** Two pointers: a star takes as much as it must. Letters' case does not count, as for npm. */
function matchesLevel(pattern: string, part: string): boolean {
  const [p, s] = [pattern.toLowerCase(), part.toLowerCase()]
  let [i, j, star, mark] = [0, 0, -1, 0]
  while (j < s.length) {
    if (i < p.length && p[i] !== '*' && (p[i] === '?' || p[i] === s[j])) [i, j] = [i + 1, j + 1]
    else if (p[i] === '*') [star, mark, i] = [i, j, i + 1]
    else if (star >= 0) [i, mark, j] = [star + 1, mark + 1, mark + 1]
    else return false
  }
  return /^\**$/.test(p.slice(i))
}

const mostLetters = 4096
const mostAlternatives = 256

/** Each brace at least doubles what there is, so the work ends with the limit. */
function braces(pattern: string): string[] | undefined {
  if (pattern.length > mostLetters) return undefined
  let found = ['']
  let rest = pattern
  for (;;) {
    const open = rest.search(/[{}]/)
    const inside = rest.slice(open + 1)
    const length = inside.search(/[{}]/)
    const choices = inside.slice(0, length).split(',')
    if (rest[open] !== '{' || inside[length] !== '}' || choices.length < 2) return found.map((one) => one + rest)
    if (found.length * choices.length > mostAlternatives) return undefined
    found = found.flatMap((one) => choices.map((choice) => one + rest.slice(0, open) + choice))
    rest = inside.slice(length + 1)
  }
}
