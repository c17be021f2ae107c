/**
 * Where things lie: the folder that names are relative to, real paths, and the name under which a file is recorded. Called by everything in
 * the recorder that turns a path into a name, so that one file never has two. It opens no file but package.json.
 */
import { existsSync, lstatSync, readFileSync, realpathSync, statSync, type Stats } from 'node:fs'
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
  if (option === 'git') return upward(from, (folder) => existsSync(join(folder, '.git')))
  return resolve(from, option)
}

/** The first folder from here upward that a test accepts. */
export function upward(from: string, accepts: (folder: string) => boolean): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (accepts(folder)) return folder
    if (dirname(folder) === folder) return undefined
  }
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
  const below = path.startsWith(root.real + sep)
  const way = below ? path.slice(root.real.length + 1) : relative(root.real, path)
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

/** Whether a path leads through a node_modules folder below the root, or beside it. */
export function isDependency(path: string): boolean {
  return path.includes(`${sep}node_modules${sep}`)
}

/** Whether a folder, or a link to one, stands at a path. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A file by the path that was used and by its real one, and when it had last changed when it was looked at. */
export interface RealFile {
  readonly path: string
  readonly real: string
  readonly ctimeMs: number
}

/** Real paths, folder by folder: thousands of modules lie in hundreds of folders. One for each finish, since links may be moved. */
export class RealPaths {
  readonly #folders: Map<string, string | undefined> = new Map()

  /** A regular file (a link to one is followed); undefined for what is not there or no file. */
  file(path: string): RealFile | undefined {
    const stats = look(path)
    if (stats === undefined) return undefined
    if (stats.isSymbolicLink()) {
      const real = realpath(path)
      const target = real === undefined ? undefined : look(real)
      return real !== undefined && target?.isFile() ? { path, real, ctimeMs: target.ctimeMs } : undefined
    }
    if (!stats.isFile()) return undefined
    const folder = this.#folder(dirname(path))
    return folder === undefined ? undefined : { path, real: join(folder, path.slice(dirname(path).length)), ctimeMs: stats.ctimeMs }
  }

  #folder(path: string): string | undefined {
    if (!this.#folders.has(path)) this.#folders.set(path, realpath(path))
    return this.#folders.get(path)
  }
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
