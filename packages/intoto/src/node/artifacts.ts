/**
 * Files and folders on disk into the artifacts of a link. `run`, `record`, `match-products` and inspections call it; what it returns holds every
 * file that was asked for under one name, or it throws. It knows nothing of steps, keys or signatures.
 */
import { isAbsolute, join, sep } from 'node:path'
import { emptyRecord } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { artifactName, type Artifacts, type DigestMap } from '../model/artifact.ts'
import { isLinkFileName } from '../model/link.ts'
import { errorNumber, printable } from './fault.ts'
import { changed, hashBytes, readDigests, type Algorithm, type Reading } from './hash.ts'
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
}

/**
 * What is left out when nobody says otherwise: `.git`, the links of steps and unfinished links, and `node_modules` when all of the base is
 * recorded. (The reference's `*.link*`, `*~` and `*.pyc` would hide real files.)
 */
export function excludedByDefault(recorded: string): Exclude {
  const everything = nameOf(recorded) === '.'
  return (name) => {
    const last = name.slice(name.lastIndexOf('/') + 1)
    return last === '.git' || (everything && last === 'node_modules') || isStepLink(last)
  }
}

/** `<step>.<8 hex>.link`, and `.<step>.<8 hex>.link-unfinished`. */
function isStepLink(name: string): boolean {
  return isLinkFileName(name) || (name.startsWith('.') && name.endsWith('.link-unfinished') && isLinkFileName(name.slice(1, -'-unfinished'.length)))
}

/**
 * Digests of files, of all files below folders, and of what the `file:` and `dir:` resolvers of ITE-4 name, by the names that the reference
 * implementation gives: normalised, "/"-separated, relative to the base unless the path is absolute. A path that does not exist is left out
 * with a warning (an error with strict), as there.
 * @throws InTotoError E_IO: unreadable, not UTF-8, too many; E_CHANGED_DURING_BUILD: changed or gone while read; E_CONFIG: two files under one
 * name, prefixes that overlap; E_UNSUPPORTED: another resolver
 */
export function recordArtifactsSync(paths: readonly string[], o: RecordOptions = {}): Artifacts {
  const recording: Recording = { ...o, artifacts: emptyRecord<DigestMap>(), sources: new Map() }
  checkPrefixes(o.lstrip ?? [])
  for (const path of paths) {
    const folder = resolverPath(path, 'dir')
    if (folder === undefined) recordFiles(path, recording)
    else recordFolder(folder, recording)
  }
  return recording.artifacts
}

interface Recording extends RecordOptions {
  readonly artifacts: Artifacts
  /** Which path each name stands for. */
  readonly sources: Map<string, string>
}

/** The same without blocking for longer than one file where threads help. */
export async function recordArtifacts(paths: readonly string[], o: RecordOptions = {}): Promise<Artifacts> {
  return recordArtifactsSync(paths, o)
}

/** What follows `<scheme>:`, if the path begins with that. */
function resolverPath(path: string, scheme: string): string | undefined {
  return path.startsWith(`${scheme}:`) ? path.slice(scheme.length + 1) : undefined
}

function recordFiles(path: string, recording: Recording): void {
  if (path.startsWith('ostree:')) {
    const message = `${printable(path)}: the ostree resolver is not supported`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'record files (a path, or file:PATH) or a folder as a whole (dir:PATH)' })
  }
  const plain = resolverPath(path, 'file')
  const prefix = plain === undefined ? '' : 'file:'
  for (const file of filesOf(plain ?? path, recording)) {
    const name = prefix + strip(file.name, recording)
    if (claim(name, file.name, recording)) recording.artifacts[name] = digestMap(file.path, recording.algorithms ?? ['sha256'])
  }
}

function recordFolder(folder: string, recording: Recording): void {
  const name = `dir:${strip(folder.replaceAll(sep, '/'), recording)}`
  if (claim(name, `dir:${folder}`, recording)) recording.artifacts[name] = folderDigest(folder, recording)
}

/** False when this very file is recorded already, because the paths overlap. */
function claim(name: string, source: string, recording: Recording): boolean {
  if (name === '' || name === 'file:' || name === 'dir:') {
    const message = `stripping a prefix leaves no name for ${printable(source)}`
    throw new InTotoError({ code: 'E_CONFIG', message, file: source, fix: 'strip a shorter prefix' })
  }
  const earlier = recording.sources.get(name)
  if (earlier !== undefined && earlier !== source) {
    const message = `${printable(earlier)} and ${printable(source)} would both be recorded as ${printable(name)}`
    throw new InTotoError({ code: 'E_CONFIG', message, file: source, fix: 'strip other prefixes, or record them in two steps' })
  }
  recording.sources.set(name, source)
  return earlier === undefined
}

function filesOf(path: string, o: RecordOptions): Found[] {
  const name = nameOf(path)
  const exclude = o.exclude ?? excludedByDefault(name)
  if (name !== '.' && isExcluded(name, exclude)) return []
  return walkPath({ path: at(o.base, name), name: name === '.' ? '' : name }, o.base ?? '.', { ...o, exclude })
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
  const prefix = o.lstrip?.find((candidate) => name.startsWith(candidate))
  return prefix === undefined ? name : name.slice(prefix.length)
}

function checkPrefixes(prefixes: readonly string[]): void {
  for (const [i, a] of prefixes.entries()) {
    const b = prefixes.find((other, j) => j !== i && other.startsWith(a))
    if (b === undefined) continue
    const message = `the prefix "${printable(a)}" is the beginning of the prefix "${printable(b)}"`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'strip only one of the two' })
  }
}

/** Of a file that was there a moment ago: if it is gone now, the tree is changing. */
function digestMap(path: string, algorithms: readonly Algorithm[]): DigestMap {
  let digests: Reading['digests']
  try {
    digests = readDigests(path, algorithms).digests
  } catch (error) {
    throw error instanceof InTotoError && errorNumber(error.cause) === 'ENOENT' ? changed(path, error) : error
  }
  const map = emptyRecord<string>()
  for (const algorithm of algorithms) map[algorithm] = digests[algorithm] ?? ''
  return map
}

/** ITE-4 `dir:`: the digest of the sorted lines "<sha256>  <name>" of all files below a folder; exclusions apply inside. */
function folderDigest(folder: string, o: RecordOptions): DigestMap {
  const path = at(o.base, folder)
  const found = walk({ path, name: '' }, path, { ...o, exclude: o.exclude ?? excludedByDefault('.') })
  const lines = found.map((file) => ({ name: Buffer.from(file.name), digest: digestMap(file.path, ['sha256'])['sha256'] ?? '' }))
  lines.sort((a, b) => Buffer.compare(a.name, b.name))
  const map = emptyRecord<string>()
  map['sha256'] = hashBytes('sha256', Buffer.concat(lines.map(({ name, digest }) => Buffer.concat([Buffer.from(`${digest}  `), name, Buffer.from('\n')]))))
  return map
}
