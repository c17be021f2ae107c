/**
 * Lists the regular files below a folder, by names that can be recorded. Recording, inspections and the plugin's output folders use it. It opens
 * no file, ends for every tree (loops of links included), and leaves nothing out without saying so.
 */
import { readdirSync, realpathSync, statSync, type Dirent } from 'node:fs'
import { sep } from 'node:path'
import { InTotoError, problem, type Problem, type ProblemInit } from '../errors.ts'
import { changed } from './hash.ts'
import { errorNumber, fault, patiently, printable } from './fault.ts'
import { kindOf } from './read.ts'

/** Says of a name ("/"-separated, relative to the base) whether it is to be left out; a folder that is left out is not entered. */
export type Exclude = (name: string, isFolder: boolean) => boolean

/** How a tree is to be walked. */
export interface WalkOptions {
  exclude?: Exclude
  /** Receives one warning for each thing that could not be recorded as it stands, and what that is (`is a FIFO`). */
  warn?: (problem: Problem, what?: string) => void
  /** Makes an error of each of those warnings. */
  strict?: boolean
  /** Enter folders that are reached by a symbolic link; true unless said otherwise. */
  followFolders?: boolean
  /** Most files and folders to look at; 250,000 unless given. A tree of mutual links has no other end. */
  limit?: number
  /** Told before and after each folder how many files there are by then. */
  expect?: (files: number) => void
}

/** One file: where it lies and what it is called in a link. */
export interface Found {
  readonly path: string
  readonly name: string
}

interface Walk extends WalkOptions {
  readonly found: Found[]
  /** Real path of the folder within which links may lead without a warning. */
  readonly inside: string
  seen: number
}

const defaultLimit = 250_000

/**
 * Names of the regular files below a folder, relative to it, "/"-separated, sorted within each folder.
 * @throws InTotoError E_IO: a folder that can't be listed, a name that is not UTF-8, too many files; with strict all that is otherwise a warning
 */
export function walkFiles(folder: string, o: WalkOptions = {}): string[] {
  return walk({ path: folder, name: '' }, folder, o).map((file) => file.name)
}

/** The files below a folder whose names begin with `start.name`; `inside` is the folder that links may point into without a warning. */
export function walk(start: Found, inside: string, o: WalkOptions = {}): Found[] {
  const state: Walk = { ...o, found: [], inside: real(inside), seen: 0 }
  enter(start, [], state)
  return state.found
}

/** A path given by a person, which may itself be a link: a list of one file, of all below a folder, or nothing with a warning. */
export function walkPath(start: Found, inside: string, o: WalkOptions = {}): Found[] {
  const stats = statOf(start.path)
  if (stats === undefined) {
    oddity(start, { what: 'does not exist', lost: true, fix: 'check the path' }, o)
    return []
  }
  if (stats.isDirectory()) return walk(start, within(real(inside), real(start.path)) ? inside : start.path, o)
  if (stats.isFile()) return [start]
  oddity(start, { what: `is ${kindOf(stats)}`, lost: true, fix: 'leave it out' }, o)
  return []
}

/** `links`: real paths of the folders that hold the links through which we came here. */
function enter(folder: Found, links: readonly string[], state: Walk): void {
  const { exclude, expect, found, limit = defaultLimit } = state
  expect?.(found.length)
  const inName = inside(folder.name)
  // Mostly the same text, which then is made and kept once.
  const inPath = folder.path === folder.name ? undefined : inside(folder.path)
  // Called by the engine, so that V8 optimises this alone, for thousands of entries, and not with it all that lists a folder.
  list(folder.path).forEach((entry) => {
    const name = inName + entry.name
    const child = { path: inPath === undefined ? name : inPath + entry.name, name }
    if (++state.seen > limit) throw tooMany(folder, limit)
    if (exclude?.(name, entry.isDirectory())) return
    if (entry.isFile()) found.push(child)
    else if (entry.isDirectory()) enter(child, links, state)
    else if (entry.isSymbolicLink()) follow(child, folder, links, state)
    else oddity(child, { what: `is ${kindOf(entry)}`, lost: true, fix: 'exclude or remove it' }, state)
  })
  expect?.(found.length)
}

function follow(link: Found, holder: Found, links: readonly string[], state: Walk): void {
  const stats = statOf(link.path)
  if (stats === undefined) {
    return oddity(link, { what: 'is a link to nothing', lost: true, fix: 'remove the link, or exclude it' }, state)
  }
  if (stats.isDirectory() && (state.followFolders === false || state.exclude?.(link.name, true))) return
  if (!stats.isDirectory() && !stats.isFile()) {
    return oddity(link, { what: `leads to ${kindOf(stats)}`, lost: true, fix: 'exclude or remove it' }, state)
  }
  const target = real(link.path)
  if (stats.isDirectory()) {
    const trail = [...links, real(holder.path)]
    if (trail.some((passed) => within(target, passed))) {
      return oddity(link, { what: 'leads back to a folder above it', lost: true, fix: 'exclude or remove it' }, state)
    }
    leaving(link, target, state)
    return enter(link, trail, state)
  }
  leaving(link, target, state)
  state.found.push(link)
}

/** What a link to the outside holds is recorded, but whoever gets the folder may not get that. */
function leaving(link: Found, target: string, state: Walk): void {
  if (within(state.inside, target)) return
  const what = `leads out of ${printable(state.inside)}`
  oddity(link, { what, lost: false, fix: 'copy what it points to, or exclude it' }, state)
}

/** Names that are not UTF-8 are decoded to U+FFFD, so two files could become one: such a folder is read again as bytes. */
function list(folder: string): Dirent[] {
  let entries: Dirent[]
  try {
    entries = patiently(() => readdirSync(folder === '' ? '.' : folder, { withFileTypes: true }))
    if (entries.some((entry) => entry.name.includes('\ufffd'))) refuseUndecodable(folder)
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') throw changed(folder, error)
    throw fault(error, { verb: 'list', path: folder })
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function refuseUndecodable(folder: string): void {
  for (const name of readdirSync(folder === '' ? '.' : folder, { encoding: 'buffer' })) {
    if (Buffer.from(name.toString('utf8')).equals(name)) continue
    const shown = name.toString('latin1').replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
    const message = `the name ${shown} in ${printable(folder === '' ? '.' : folder)} is not UTF-8 and cannot be recorded`
    throw new InTotoError({ code: 'E_IO', message, file: folder, fix: 'rename or remove the file' })
  }
}

function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path === '' ? '.' : path, { throwIfNoEntry: false })
  } catch (error) {
    if (errorNumber(error) === 'ELOOP') return undefined
    throw fault(error, { verb: 'read', path })
  }
}

function real(path: string): string {
  try {
    return realpathSync.native(path === '' ? '.' : path)
  } catch (error) {
    throw fault(error, { verb: 'read', path })
  }
}

/** Whether a real path is the folder or lies below it. */
export function within(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/** What stands in front of the names of a folder's entries. */
function inside(folder: string): string {
  return folder === '' || folder === '.' ? '' : folder.endsWith('/') ? folder : `${folder}/`
}

interface Oddity {
  /** To follow the path: `is a FIFO`. */
  readonly what: string
  /** Whether it is not recorded at all. */
  readonly lost: boolean
  readonly fix: string
}

function oddity(at: Found, { what, lost, fix }: Oddity, o: WalkOptions): void {
  const message = `${printable(at.path)} ${what}${lost ? ' and is not recorded' : ''}`
  const init: ProblemInit = { code: 'E_NOT_RECORDED', message, file: at.name === '' ? at.path : at.name, fix }
  if (o.strict) throw new InTotoError(init)
  o.warn?.(problem({ ...init, severity: 'warning' }), what)
}

function tooMany(folder: Found, limit: number): InTotoError {
  const message = `more than ${limit} files below ${printable(folder.path === '' ? '.' : folder.path)}`
  return new InTotoError({
    code: 'E_IO',
    message,
    file: folder.path,
    fix: 'exclude what does not belong to the step, or raise the limit "artifacts"',
  })
}
