/**
 * Which parts of a file name change from build to build: content hashes of bundlers, versions of archives. Called when a layout is learned; out
 * come patterns of artifact rules. It sees names and nothing else, so it can be wrong in both directions: every generalisation is told.
 */

/** Names of one side of a step, run by run, and what is known of some of them. */
export interface Sightings {
  readonly runs: readonly ReadonlySet<string>[]
  /** Names that surely hold no hash: copies of files, or another content under the same name in another run. */
  readonly fixed: ReadonlySet<string>
}

/** Longest hash that is written as so many `?`; a longer one is a `*`. */
const mostMarks = 22

/** Extensions at the end of a name, map files included: `.js`, `.module.css`, `.js.map`. */
const extensions = /(?:\.[A-Za-z][A-Za-z0-9]{0,5}){1,3}$/

const archive = /^(.*[-_@]v?)\d+\.\d+\.\d+[^/]*?(\.(?:tgz|tar\.gz|zip|vsix|crx|wasm))$/

/** For each name the pattern that stands for it in a rule; the name itself, letters of patterns masked, where nothing varies. */
export function generalise({ runs, fixed }: Sightings): Map<string, string> {
  const patterns = new Map<string, string>()
  for (const names of runs) {
    for (const name of names) if (!patterns.has(name)) patterns.set(name, fixed.has(name) ? masked(name) : patternOf(name))
  }
  for (const [name, pattern] of alike(patterns, fixed)) patterns.set(name, pattern)
  for (const [name, pattern] of varying(runs, patterns, fixed)) patterns.set(name, pattern)
  return patterns
}

/** The name as a pattern that matches it: `*`, `?`, `[` and `\` become `?`, which every implementation reads alike. */
export function masked(name: string): string {
  return name.replace(/[*?[\\]/g, '?')
}

/** Does the pattern stand for this one name? */
export function isExact(name: string, pattern: string): boolean {
  return pattern === masked(name)
}

function patternOf(name: string): string {
  const { folder, base } = split(name)
  const [, before, after] = archive.exec(base) ?? []
  if (before !== undefined && after !== undefined) return `${masked(folder + before)}*${masked(after)}`
  const { stem, tail } = parts(base)
  const hash = hashOf(stem)
  if (hash === undefined) return masked(name)
  return masked(folder + stem.slice(0, stem.length - hash.length)) + marks(hash.length) + masked(tail)
}

/**
 * Names that look like words beside names that hold a hash: a bundler names all files of a folder in one way, and one hash in a hundred looks like a
 * word.
 */
function alike(patterns: ReadonlyMap<string, string>, fixed: ReadonlySet<string>): Map<string, string> {
  const forms = new Map<string, Set<number>>()
  const formOf = (folder: string, stem: string, length: number): string =>
    JSON.stringify([folder, stem.length === length ? '' : stem.at(-1 - length)])
  for (const [name, pattern] of patterns) {
    const { folder, base } = split(name)
    const { stem } = parts(base)
    const length = isExact(name, pattern) ? undefined : hashOf(stem)?.length
    if (length !== undefined) forms.set(formOf(folder, stem, length), (forms.get(formOf(folder, stem, length)) ?? new Set()).add(length))
  }
  const lengths = new Set([...forms.values()].flatMap((all) => [...all]))
  const found = new Map<string, string>()
  for (const [name, pattern] of patterns) {
    if (!isExact(name, pattern) || fixed.has(name)) continue
    const { folder, base } = split(name)
    const { stem, tail } = parts(base)
    const length = [...lengths].find((one) => stem.length >= one && forms.get(formOf(folder, stem, one))?.has(one) === true)
    if (length === undefined || !/^[A-Za-z0-9_-]+$/.test(stem.slice(-length))) continue
    found.set(name, masked(folder + stem.slice(0, stem.length - length)) + marks(length) + masked(tail))
  }
  return found
}

function marks(length: number): string {
  return length > mostMarks ? '*' : '?'.repeat(length)
}

function split(name: string): { folder: string; base: string } {
  const at = name.lastIndexOf('/') + 1
  return { folder: name.slice(0, at), base: name.slice(at) }
}

function parts(base: string): { stem: string; tail: string } {
  const tail = extensions.exec(base)?.[0] ?? ''
  return tail.length === base.length ? { stem: base, tail: '' } : { stem: base.slice(0, base.length - tail.length), tail }
}

/** The hash at the end of a stem: what stands behind the last separator, or eight characters (Rollup, Vite), which may hold separators. */
function hashOf(stem: string): string | undefined {
  const token = /[^-._~]*$/.exec(stem)![0]
  if (token.length >= 8 && token.length <= 64 && looksRandom(token)) return token
  const eight = stem.slice(-8)
  const isApart = stem.length === 8 || /[-._~]/.test(stem.at(-9) ?? '')
  return isApart && /^[A-Za-z0-9_-]{8}$/.test(eight) && looksRandom(eight) ? eight : undefined
}

/** Letters and digits mixed, or cases mixed as no words are. Dates and plain numbers are none. */
function looksRandom(text: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return false
  if (/^[0-9a-f]{16,}$/.test(text)) return true
  if (/\d/.test(text)) return /[A-Za-z]/.test(text) && !/^[A-Z]?[a-z]+\d{1,3}$/.test(text)
  if (/^[A-Z]{8}$/.test(text)) return true
  const turns = text.match(/[a-z][A-Z]/g)?.length ?? 0
  return turns >= 2 || (/[A-Z]{2}|[-_]/.test(text) && /[A-Z]/.test(text) && /[a-z]/.test(text))
}

/** Names that are not there in every run and have a twin in another one that differs only behind the last separator. */
function varying(runs: Sightings['runs'], patterns: ReadonlyMap<string, string>, fixed: ReadonlySet<string>): Map<string, string> {
  const twins = new Map<string, Set<string>>()
  for (const [name, pattern] of patterns) {
    if (!isExact(name, pattern) || fixed.has(name) || runs.every((names) => names.has(name))) continue
    const { folder, base } = split(name)
    const { stem, tail } = parts(base)
    const token = /[^-._~]*$/.exec(stem)![0]
    if (token.length < 6) continue
    const key = JSON.stringify([folder + stem.slice(0, stem.length - token.length), token.length, tail])
    twins.set(key, (twins.get(key) ?? new Set()).add(name))
  }
  const found = new Map<string, string>()
  for (const [key, names] of twins) {
    const [before, length, tail] = JSON.parse(key) as [string, number, string]
    const isTwin = (name: string): boolean =>
      [...names].some((other) => other !== name && !runs.some((run) => run.has(name) && run.has(other)))
    for (const name of names) if (isTwin(name)) found.set(name, masked(before) + marks(length) + masked(tail))
  }
  return found
}
