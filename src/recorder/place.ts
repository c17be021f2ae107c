/**
 * Where things lie: the folder that names are relative to, real paths, and the name under which a file is recorded. Called by everything in
 * the recorder that turns a path into a name, so that one file never has two. It opens no file but package.json.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { artifactName, InTotoError } from 'intoto'

/** The root as the build knows it and as the disk knows it; they differ where a folder above is a symbolic link. */
export interface Root {
  readonly given: string
  readonly real: string
}

/**
 * The folder for `root: …`, looked for from the bundler's own root folder upward.
 * @throws InTotoError E_CONFIG when there is none
 */
export function findRoot(option: string, from: string): Root {
  const given = rootFolder(option, from)
  if (given === undefined || !isFolder(given)) {
    const fix = 'give "package", "workspace", "git", or the path of a folder'
    throw new InTotoError({ code: 'E_CONFIG', message: `option "root": there is no folder for "${option}" at or above ${from}`, fix })
  }
  return { given, real: realpathSync(given) }
}

function rootFolder(option: string, from: string): string | undefined {
  if (option === 'package') return upward(from, (folder) => existsSync(join(folder, 'package.json'))) ?? from
  if (option === 'workspace') return upward(from, isWorkspace)
  if (option === 'git') return repositoryOf(from)
  return resolve(from, option)
}

/** The first folder from here upward that a test accepts. */
export function upward(from: string, accepts: (folder: string) => boolean): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (accepts(folder)) return folder
    if (dirname(folder) === folder) return undefined
  }
}

/** The folder at or above this one that git takes for a working tree (gitrepository-layout). */
export function repositoryOf(from: string): string | undefined {
  return upward(from, (folder) => existsSync(join(folder, '.git')))
}

/** The repository or workspace around a folder; the folder itself where there is none. */
export function projectOf(folder: string): string {
  return repositoryOf(folder) ?? upward(folder, isWorkspace) ?? folder
}

function isWorkspace(folder: string): boolean {
  if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return true
  return packageOf(folder)?.['workspaces'] !== undefined
}

/** The content of a folder's package.json; undefined when there is none that can be read as an object. */
export function packageOf(folder: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/**
 * Name of a path below or beside the root: "/"-separated, `..` only in front.
 * @throws InTotoError E_CONFIG for a file on another drive, which has no such name
 */
export function nameOf(root: Root, path: string): string {
  const isBelow = path.startsWith(root.real + sep)
  if (isBelow) return artifactName(path.slice(root.real.length + 1), sep)
  const way = relative(root.real, path)
  if (!isAbsolute(way)) return artifactName(way, sep)
  const fix = 'move it below the package, or exclude it by the option materials.exclude'
  throw new InTotoError({ code: 'E_CONFIG', message: `${path} lies on another drive than the package`, file: path, fix })
}

/** The path as the build used it, but below the real root where it was below the root as given. */
export function usedPath(root: Root, path: string): string {
  return root.given !== root.real && isWithin(root.given, path) ? join(root.real, relative(root.given, path)) : path
}

/** Whether a path is the folder or lies below it; both absolute and clean. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/** The folder of a clean absolute path: `dirname`, without its walk through each letter. */
export function parentOf(path: string): string {
  const end = path.lastIndexOf(sep)
  return end > 2 ? path.slice(0, end) : dirname(path)
}

/** Whether a path leads through a node_modules folder below the root, or beside it. */
export function isDependency(path: string): boolean {
  return path.includes(`${sep}node_modules${sep}`)
}

/** Whether a folder, or a link to one, stands at a path. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A file by the path that was used and by its real one. */
export interface RealFile {
  readonly path: string
  readonly real: string
  /** The folder of the real path: one and the same text for all files of a folder, which is quick to look up. */
  readonly folder: string
  /** When it had last changed when it was looked at, in milliseconds; absent when only its folder was. */
  readonly ctimeMs?: number
}

/** A folder and the names of its regular files. */
export interface Listed {
  /** Its real path. */
  readonly folder: string
  readonly files: ReadonlySet<string>
}

interface Folder {
  readonly real: string
  /** How often a file of it was asked for. */
  asked: number
  /** Names of its regular files, once they are known. */
  files?: ReadonlySet<string>
}

/** Listing a folder costs as much as looking at some files of it. */
const several = 8

/**
 * Files by their paths, folder by folder: thousands of modules lie in hundreds of folders. A folder that is asked for again and again is listed in
 * place of looking at each file. One for each report of a bundler, since what lies on the disk changes.
 */
export class RealPaths {
  /** Folders that were listed, by their real paths, with the names of their regular files; but for those in which each file must be looked at. */
  readonly listed: Map<string, Listed> = new Map()
  readonly #folders: Map<string, Folder | undefined> = new Map()
  readonly #isLookedAt: (folder: string) => boolean

  constructor(isLookedAt: (folder: string) => boolean = () => false) {
    this.#isLookedAt = isLookedAt
  }

  /** A regular file (a link to one is followed); undefined for what is not there or no file. */
  file(path: string): RealFile | undefined {
    const parent = parentOf(path)
    const folder = this.#folder(parent)
    if (folder === undefined) return undefined
    const name = path.slice(parent.endsWith(sep) ? parent.length : parent.length + 1)
    // Mostly the same text, which then is made and kept once.
    const real = folder.real === parent ? path : below(folder.real, name)
    if (folder.files === undefined && ++folder.asked > several) this.#list(folder)
    if (folder.files?.has(name) === true) return { path, real, folder: folder.real }
    const stats = look(path)
    if (stats === undefined) return undefined
    if (stats.isSymbolicLink()) {
      const target = realpath(path)
      const there = target === undefined ? undefined : look(target)
      return target !== undefined && there?.isFile() ? { path, real: target, folder: parentOf(target), ctimeMs: there.ctimeMs } : undefined
    }
    return stats.isFile() ? { path, real, folder: folder.real, ctimeMs: stats.ctimeMs } : undefined
  }

  #list(folder: Folder): void {
    folder.files = regularFiles(folder.real)
    if (!this.#isLookedAt(folder.real)) this.listed.set(folder.real, { folder: folder.real, files: folder.files })
  }

  #folder(path: string): Folder | undefined {
    if (this.#folders.has(path)) return this.#folders.get(path)
    const real = realpath(path)
    const folder = real === undefined ? undefined : { real, asked: 0 }
    this.#folders.set(path, folder)
    return folder
  }
}

/**
 * Names that stand in the listing to the letter; where the disk takes several spellings for one name, the others are looked at one by one, and so is
 * what could not be decoded.
 */
function regularFiles(folder: string): ReadonlySet<string> {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return new Set(entries.filter((entry) => entry.isFile() && !entry.name.includes('\ufffd')).map((entry) => entry.name))
  } catch {
    return new Set()
  }
}

/** The clean path of a name in a clean folder: `join`, without its walk through each letter. */
export function below(folder: string, name: string): string {
  return folder.endsWith(sep) ? folder + name : folder + sep + name
}

/** The ctime of whatever stands at a path, in milliseconds; -1 when nothing does. */
export function ctimeOf(path: string): number {
  return look(path)?.ctimeMs ?? -1
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

/** lstat, where a path that can't exist (too long, with NUL, through a file) is one that does not. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
