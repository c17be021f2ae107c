/**
 * Files and folders on disk into the artifacts of a link. `run`, `record`, `match-products` and inspections call it; what it returns holds every
 * file that was asked for under one name, or it throws. It knows nothing of steps, keys or signatures.
 */
import { isAbsolute, join, sep } from 'node:path'
import { defaultLimits, emptyRecord } from '../encoding/json.ts'
import { isSorted, sortNames } from '../encoding/order.ts'
import { InTotoError } from '../errors.ts'
import { artifactName, sha256Map, type Artifacts, type DigestMap } from '../model/artifact.ts'
import { isLinkFileName } from '../model/link.ts'
import type { WrittenSide } from '../model/written.ts'
import { errorNumber, printable } from './fault.ts'
import { changed, hashBytes, readDigests, type Algorithm, type Reading } from './hash.ts'
import { beginHashing, expectFiles, hashMany, isSame, type Begun } from './parallel.ts'
import { artifactsOf, writeSide } from './side.ts'
import { turn } from './turn.ts'
import { walk, walkPath, type Exclude, type Found, type WalkOptions } from './walk.ts'

/** How paths become artifacts. */
export interface RecordOptions extends WalkOptions {
  /** Folder that relative paths and names start from; the working directory unless given. It is no part of a name. */
  base?: string
  /** Replaces the default exclusions (see excludedByDefault). Names are relative to the base, before any prefix is stripped. */
  exclude?: Exclude
  /** Prefixes to strip from names, first match only, to the letter. */
  lstrip?: readonly string[]
  /** Digests to record; sha256 unless given, which is all that the reference implementation reads. */
  algorithms?: readonly Algorithm[]
  /** Told how many files are hashed, often: for large files in between, and once when all are. */
  progress?: (done: number, total: number) => void
}

/**
 * What is left out when nobody says otherwise: `.git`, the links of steps and unfinished links, and `node_modules` when all of the base is
 * recorded. (The reference's `*.link*`, `*~` and `*.pyc` would hide real files.)
 */
export function excludedByDefault(recorded: string): Exclude {
  const everything = nameOf(recorded) === '.'
  return (name) => {
    if (!maybeExcluded.test(name)) return false
    const last = name.slice(name.lastIndexOf('/') + 1)
    return last === '.git' || (everything && last === 'node_modules') || isStepLink(last)
  }
}

/** Ends of what is left out; nearly all names have others. */
const maybeExcluded = /\.git$|\.link(?:-unfinished)?$|node_modules$/

/** `<step>.<8 hex>.link`, and `.<step>.<8 hex>.link-unfinished`. */
function isStepLink(name: string): boolean {
  return (
    isLinkFileName(name) ||
    (name.startsWith('.') && name.endsWith('.link-unfinished') && isLinkFileName(name.slice(1, -'-unfinished'.length)))
  )
}

/**
 * Digests of files, of all files below folders, and of what the `file:` and `dir:` resolvers of ITE-4 name, by the names that the reference
 * implementation gives: normalised, "/"-separated, relative to the base unless the path is absolute. A path that does not exist is left out
 * with a warning (an error with strict), as there.
 * @throws InTotoError E_IO: unreadable, not UTF-8, too many; E_CHANGED_DURING_BUILD: changed or gone while read; E_CONFIG: two files under one
 * name, prefixes that overlap; E_UNSUPPORTED: another resolver
 */
export function recordArtifactsSync(paths: readonly string[], o: RecordOptions = {}): Artifacts {
  return mapsOf(found(paths, o))
}

/** One side of a link that is written at once, without a map for each artifact where that goes. */
export interface RecordedSide {
  /** The text, or the maps; asked for when there is time. */
  write(): WrittenSide | Artifacts
  /** Absent where others than the usual digests were asked for, or more than usual. */
  readonly listed?: { readonly names: readonly string[]; readonly paths: readonly string[]; readonly digests: readonly string[] }
}

/**
 * `recordArtifactsSync` for such a link.
 * @param before what the same paths held a while ago: threads begin with those files while the tree is walked again, and when nothing has changed,
 * its text is ours
 */
export function recordSide(paths: readonly string[], o: RecordOptions, before?: RecordedSide): RecordedSide {
  const begun = before?.listed === undefined ? undefined : beginHashing(before.listed.paths)
  const recording = found(paths, o)
  const { files, folders } = recording
  if (!isUsual(o) || folders.size > 0 || files.names.length > defaultLimits.artifacts) {
    const artifacts = mapsOf(recording)
    return { write: () => artifacts }
  }
  const { names, paths: inOrder } = isSorted(files.names) ? files : sorted(files)
  const digests = whileStill(() => hashed(inOrder, o, begun))
  const earlier = before?.listed
  const isUnchanged = earlier !== undefined && isSame(earlier.names, names) && isSame(earlier.digests, digests)
  let text = isUnchanged ? before?.write() : undefined
  const write = (): WrittenSide | Artifacts => {
    text ??= writeSide(names, digests)
    return text !== undefined && isWritten(text) ? text : artifactsOf(names, (i) => sha256Map(digests[i] ?? ''))
  }
  return { write, listed: { names, paths: inOrder, digests } }
}

/** An artifact may be called as a member of ours is, but is no function. */
export function isWritten(side: WrittenSide | Artifacts): side is WrittenSide {
  return typeof side['toArtifacts'] === 'function'
}

/** Each once: a folder that is written to while it is listed may name a file twice. */
function sorted({ names, paths }: Files): Files {
  const pathOf = new Map(names.map((name, i) => [name, paths[i] ?? '']))
  const inOrder = sortNames([...pathOf.keys()])
  return { names: inOrder, paths: inOrder.map((name) => pathOf.get(name) ?? '') }
}

function mapsOf(recording: Recording): Artifacts {
  const maps = digestMaps(recording.files.paths, recording)
  const artifacts = artifactsOf(recording.files.names, (i) => maps[i]!)
  for (const [name, folder] of recording.folders) artifacts[name] = folderDigest(folder, recording)
  return artifacts
}

function found(paths: readonly string[], o: RecordOptions): Recording {
  checkPrefixes(o.lstrip ?? [])
  const recording: Recording = { ...o, files: { names: [], paths: [] }, sources: new Map(), folders: new Map() }
  for (const path of paths) {
    const folder = resolverPath(path, 'dir')
    if (folder !== undefined) addFolder(folder, recording)
    else if (paths.length === 1 && (o.lstrip ?? []).length === 0) addTree(path, recording)
    else addFiles(path, recording)
  }
  return recording
}

/**
 * The same as a promise, for callers that may have other things to wait for. It reads the disk synchronously all the same, which is faster, and hears
 * a signal that came meanwhile before it answers.
 */
export async function recordArtifacts(paths: readonly string[], o: RecordOptions = {}): Promise<Artifacts> {
  const artifacts = recordArtifactsSync(paths, o)
  await turn()
  return artifacts
}

/** What is to be recorded, by name. */
interface Recording extends RecordOptions {
  files: Files
  /** By the name that a file is recorded under, the one that it has. */
  readonly sources: Map<string, string>
  /** For `dir:`: path of the folder, as it was given. */
  readonly folders: Map<string, string>
}

/** Each file has one place in both. */
interface Files {
  readonly names: string[]
  readonly paths: string[]
}

/** What follows `<scheme>:`, if the path begins with that. */
function resolverPath(path: string, scheme: string): string | undefined {
  return path.startsWith(`${scheme}:`) ? path.slice(scheme.length + 1) : undefined
}

/** The only path that is recorded, under names that are not changed: then no two of its files have the same. */
function addTree(path: string, recording: Recording): void {
  const { plain, scheme } = withoutScheme(path)
  const found = filesOf(plain, recording)
  recording.files = { names: found.map(({ name }) => (scheme === '' ? name : scheme + name)), paths: found.map((file) => file.path) }
}

function addFiles(path: string, recording: Recording): void {
  const { files, sources } = recording
  const { plain, scheme } = withoutScheme(path)
  for (const file of filesOf(plain, recording)) {
    const name = scheme + strip(file.name, recording)
    refuseCollision(name, file.name, recording)
    if (sources.has(name)) continue
    sources.set(name, file.name)
    files.names.push(name)
    files.paths.push(file.path)
  }
}

function withoutScheme(path: string): { plain: string; scheme: '' | 'file:' } {
  if (path.startsWith('ostree:')) {
    const message = `${printable(path)}: the ostree resolver is not supported`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'record files (a path, or file:PATH) or a folder as a whole (dir:PATH)' })
  }
  const plain = resolverPath(path, 'file')
  return plain === undefined ? { plain: path, scheme: '' } : { plain, scheme: 'file:' }
}

function addFolder(folder: string, recording: Recording): void {
  const name = `dir:${strip(folder.replaceAll(sep, '/'), recording)}`
  refuseCollision(name, folder, recording)
  recording.folders.set(name, folder)
}

/** Two files may not go under one name; one file may twice, when the paths overlap. */
function refuseCollision(name: string, source: string, { sources, folders }: Recording): void {
  const earlier = sources.get(name) ?? folders.get(name)
  if (earlier === undefined || earlier === source) return
  const message = `${printable(earlier)} and ${printable(source)} would both be recorded as ${printable(name)}`
  throw new InTotoError({ code: 'E_CONFIG', message, file: source, fix: 'strip other prefixes, or record them in two steps' })
}

function filesOf(path: string, o: RecordOptions): Found[] {
  const name = nameOf(path)
  const exclude = o.exclude ?? excludedByDefault(name)
  if (name !== '.' && isExcluded(name, exclude)) return []
  const expect = isUsual(o) ? { expect: expectFiles } : {}
  return walkPath({ path: at(o.base, name), name: name === '.' ? '' : name }, o.base ?? '.', { ...o, exclude, ...expect })
}

/** A path that was named is left out when it, or a folder above it, is. */
function isExcluded(name: string, exclude: Exclude): boolean {
  const parts = name.split('/')
  return parts.some((part, i) => part !== '' && part !== '..' && exclude(parts.slice(0, i + 1).join('/'), i < parts.length - 1))
}

function at(base: string | undefined, name: string): string {
  return base === undefined || isAbsolute(name) ? name : join(base, name)
}

function nameOf(path: string): string {
  return artifactName(path, sep)
}

function strip(name: string, o: RecordOptions): string {
  const prefix = o.lstrip?.find((candidate) => name.startsWith(candidate)) ?? ''
  if (prefix !== name) return name.slice(prefix.length)
  const message = `stripping a prefix leaves no name for ${printable(name)}`
  throw new InTotoError({ code: 'E_CONFIG', message, file: name, fix: 'strip a shorter prefix' })
}

function checkPrefixes(prefixes: readonly string[]): void {
  for (const [i, a] of prefixes.entries()) {
    const b = prefixes.find((other, j) => j !== i && other.startsWith(a))
    if (b === undefined) continue
    const message = `the prefix "${printable(a)}" is the beginning of the prefix "${printable(b)}"`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'strip only one of the two' })
  }
}

function digestMaps(paths: readonly string[], o: RecordOptions): DigestMap[] {
  return whileStill(() => {
    if (isUsual(o)) return hashed(paths, o).map(sha256Map)
    const { algorithms = [], progress } = o
    const tick = (i: number) => (): void => progress?.(i, paths.length)
    const maps = paths.map((path, i) => mapOf(readDigests(path, algorithms, { tick: tick(i) }).digests))
    progress?.(paths.length, paths.length)
    return maps
  })
}

/** Only the digest that the reference implementation reads. */
function isUsual({ algorithms }: RecordOptions): boolean {
  return algorithms === undefined || (algorithms.length === 1 && algorithms[0] === 'sha256')
}

function hashed(paths: readonly string[], { progress }: RecordOptions, begun?: Begun): string[] {
  const digests = hashMany(paths, { progress, begun })
  progress?.(paths.length, paths.length)
  return digests
}

/** Of files that were there a moment ago: if one is gone now, the tree is changing. */
function whileStill<T>(hash: () => T): T {
  try {
    return hash()
  } catch (error) {
    const isGone = error instanceof InTotoError && errorNumber(error.cause) === 'ENOENT'
    throw isGone ? changed(error.problem.file ?? '', error) : error
  }
}

function mapOf(digests: Reading['digests']): DigestMap {
  return Object.assign(emptyRecord<string>(), digests)
}

/** ITE-4 `dir:`: the digest of the sorted lines "<sha256>  <name>" of all files below a folder; exclusions apply inside. */
function folderDigest(folder: string, o: RecordOptions): DigestMap {
  const path = at(o.base, folder)
  const found = walk({ path, name: '' }, path, { ...o, exclude: o.exclude ?? excludedByDefault('.') })
  const maps = digestMaps(
    found.map((file) => file.path),
    { ...o, algorithms: ['sha256'] },
  )
  const lines = found.map((file, i) => ({
    name: Buffer.from(file.name),
    line: Buffer.from(`${maps[i]?.['sha256'] ?? ''}  ${file.name}\n`),
  }))
  lines.sort((a, b) => Buffer.compare(a.name, b.name))
  return sha256Map(hashBytes('sha256', Buffer.concat(lines.map(({ line }) => line))))
}
