/**
 * Artifacts: names and digests. The one place that knows how a path becomes an artifact name, when two names mean one file, and when two
 * digest maps are equal. Called by recorders, by the parser of links and by the verification. Never opens a file: names are data.
 */
import { emptyRecord, type JsonObject, type Limits } from '../encoding/json.ts'
import { expectRecord, refuse, refuseBeyond, within, type Place } from './member.ts'

/** Algorithm to lower-case hex (a "hash object" in the specification, 4.3). */
export interface DigestMap {
  [algorithm: string]: string
}

/** Artifact name to its digests. Objects made by our reader have no prototype, so `__proto__` is a name like any other. */
export interface Artifacts {
  [name: string]: DigestMap
}

/**
 * The digest map of a recorded file. Made in this way it takes a quarter of the memory that a record has which was empty first, and there may be
 * 250,000 of them.
 */
export function sha256Map(digest: string): DigestMap {
  return Object.setPrototypeOf({ sha256: digest }, null) as DigestMap
}

/** Hex length of each algorithm that is strong enough to tie two files together. */
const strong: readonly (readonly [string, number])[] = [
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]
const hex = /^[0-9a-fA-F]+$/
/** Any character may stand before a slash at the end, a line feed too. */
const mayBeUnclean = /\/\/|(?:^|\/)\.\.?(?:\/|$)|.\/$/s

/**
 * The name under which a path is recorded: `/`-separated, no `./`, no empty part, `..` only in front; an absolute path stays absolute.
 * Both reference recorders do the same.
 * @param separator `\` on Windows only; elsewhere a backslash is a letter of the name
 */
export function artifactName(path: string, separator: '/' | '\\' = '/'): string {
  const name = separator === '\\' ? path.replaceAll('\\', '/') : path
  return name === '' || mayBeUnclean.test(name) ? cleanPath(name) : name
}

/** Go's `path.Clean`: purely lexical. */
function cleanPath(path: string): string {
  const rooted = path.startsWith('/')
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (!rooted) parts.push('..')
  }
  return (rooted ? '/' : '') + parts.join('/') || '.'
}

/** Is a name certain to have one spelling only? What is not may still be clean, as the scheme of a URI is: ask `cleanName`. */
export function isCleanName(name: string): boolean {
  return !mayBeUnclean.test(name)
}

const uriStart = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//

/**
 * The name that a recorded name stands for when it is read as a path: `./a.js` and `dir/../a.js` are `a.js`. The scheme of a URI name
 * (ITE-4, `docker://…`) is kept. A name that is clean already is returned as it is.
 */
export function cleanName(name: string): string {
  if (!mayBeUnclean.test(name)) return name
  const scheme = uriStart.exec(name)?.[0] ?? ''
  const rest = name.slice(scheme.length)
  return mayBeUnclean.test(rest) ? scheme + cleanPath(rest) : name
}

/**
 * Pairs of names in one map that mean one file once they are cleaned: `foo` and `dir/../foo` let an evil file hide behind a good one
 * (CVE-2021-41087). URI names are compared both with and without their double slash, since in-toto-golang collapses it.
 * @param names the artifacts' names, if they have been listed already
 */
export function collisions(artifacts: Artifacts, names: readonly string[] = Object.keys(artifacts)): [string, string][] {
  if (!names.some((name) => mayBeUnclean.test(name))) return []
  const seen = new Map<string, string>()
  const pairs: [string, string][] = []
  for (const name of names) {
    const readings = new Set([cleanName(name), cleanPath(name)])
    const other = [...readings].map((reading) => seen.get(reading)).find((found) => found !== undefined)
    if (other !== undefined) pairs.push([other, name])
    for (const reading of readings) if (!seen.has(reading)) seen.set(reading, name)
  }
  return pairs
}

/** The same artifacts under clean names; the given object itself when nothing changes. Call `collisions` first. */
export function cleanArtifacts(artifacts: Artifacts, names: readonly string[]): Artifacts {
  if (!names.some((name) => cleanName(name) !== name)) return artifacts
  const clean = emptyRecord<DigestMap>()
  for (const name of names) clean[cleanName(name)] = artifacts[name]!
  return clean
}

/** Does it hold at least one digest that nobody can forge? MD5 and SHA-1 alone, or nothing at all, say nothing about a file. */
export function usableDigest(digests: DigestMap): boolean {
  for (const [algorithm, length] of strong) if (Object.hasOwn(digests, algorithm) && digests[algorithm]!.length === length) return true
  return false
}

/** Equal as a whole: the same algorithms with the same values, letter by letter, as both reference verifiers compare them. */
export function sameDigests(a: DigestMap, b: DigestMap): boolean {
  const algorithms = Object.keys(a)
  if (algorithms.length !== Object.keys(b).length) return false
  for (const algorithm of algorithms) if (!Object.hasOwn(b, algorithm) || a[algorithm] !== b[algorithm]) return false
  return true
}

/** Do both maps tie to one content? Equal as a whole, and strong enough to say so: `{}` equals nothing, not even `{}`. */
export function equalDigests(a: DigestMap, b: DigestMap): boolean {
  return sameDigests(a, b) && usableDigest(a)
}

/**
 * Materials or products from outside: names to objects of hex strings.
 * @throws with the code of `place`, naming the artifact
 */
export function parseArtifacts(value: unknown, place: Place, limits: Limits): Artifacts {
  const record = expectRecord(value, place)
  const names = Object.keys(record)
  if (names.length > limits.artifacts) refuseBeyond(place, 'artifacts', limits.artifacts)
  let copy: JsonObject | undefined
  for (const name of names) {
    const value = record[name]
    // Checked by hand: there may be 250,000 of them, and a place is only needed for a refusal.
    const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === null
    const digests = isPlain ? value : expectRecord(value, within(place, name))
    for (const algorithm of Object.keys(digests)) {
      const digest = digests[algorithm]
      if (typeof digest !== 'string' || !hex.test(digest)) refuse(within(within(place, name), algorithm), 'a string of hex digits', digest)
    }
    if (!isPlain) (copy ??= Object.assign(emptyRecord(), record))[name] = digests
  }
  return (copy ?? record) as Artifacts
}
