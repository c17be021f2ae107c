/**
 * Folders of links on disk: where verification finds evidence and where recording puts it. File names are made from step and key id and compared
 * to the letter; a step name is data, never a path or a pattern. It reads no link before the verifier asks for it, and judges none.
 */
import { lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { InTotoError } from '../errors.ts'
import { encodeMetadata, type Metadata } from '../metadata/metadata.ts'
import { isLinkFileName, linkFileName, statementFileNames, type Link } from '../model/link.ts'
import type { LinkFile, LinkSource } from '../verify/source.ts'
import { errorNumber, fault, patiently, printable } from './fault.ts'
import { readMetadataFile } from './read.ts'
import { checkStepName } from './step.ts'
import { within } from './walk.ts'
import { writeFileAtomic } from './write.ts'

/** Links in folders, to be read and written. */
export interface LinkDirectory extends LinkSource {
  /**
   * Writes a link to the first folder, which is made when absent, as `<step>.<first 8 of the key id>.link`; the id is that of the first
   * signature unless given. Returns the path.
   * @throws InTotoError E_IO
   */
  put(metadata: Metadata<Link>, o?: { keyid?: string }): string
}

/** How links are read from folders. */
export interface LinkDirectoryOptions {
  /** Largest link in bytes; that of all metadata unless given. */
  limit?: number
}

/**
 * The links in one or several folders. A folder that does not exist holds none; one that can't be read is an error.
 * @throws InTotoError E_IO from `list` when a folder can't be listed, from a file's `read` when that file can't be read
 */
export function linkDirectory(folders: string | readonly string[], o: LinkDirectoryOptions = {}): LinkDirectory {
  const given = typeof folders === 'string' ? [folders] : [...folders]
  return {
    ...source(
      given.map((path) => ({ path, root: path })),
      o,
    ),
    put: (metadata, where) => put(given[0] ?? '.', metadata, where?.keyid),
  }
}

/** A folder to search, and the one given by the person, which links must not lead out of. */
interface Folder {
  readonly path: string
  readonly root: string
}

function source(folders: readonly Folder[], o: LinkDirectoryOptions): LinkSource {
  return {
    get: async (step, keyid) =>
      distinct(
        folders.flatMap((folder) => named(folder.path, linkFileName(step, keyid))),
        o,
      ),
    list: async (step) =>
      distinct(
        folders.flatMap((folder) => linksOf(folder.path, step)),
        o,
      ),
    statements: async (step, keyid) =>
      distinct(
        statementFileNames(step, keyid).flatMap((name) => folders.flatMap((folder) => named(folder.path, name))),
        o,
      ),
    within: (step, keyid) =>
      source(
        folders.flatMap((folder) => sublayoutFolder(folder, step, keyid)),
        o,
      ),
  }
}

/** One file may be reached through two of the folders given; it is one file. */
function distinct(paths: readonly string[], o: LinkDirectoryOptions): LinkFile[] {
  const files = new Map<string, LinkFile>()
  for (const path of paths) {
    const read = async (): Promise<Uint8Array> =>
      readMetadataFile(path, { what: 'link', ...(o.limit === undefined ? {} : { limit: o.limit }) })
    const identity = realPath(path) ?? path
    if (!files.has(identity)) files.set(identity, { file: path, read })
  }
  return [...files.values()]
}

/** The path of a file of this name, if anything stands there; what it is shows when it is read. */
function named(folder: string, name: string): string[] {
  if (!isPlainName(name)) return []
  const path = join(folder, name)
  return exists(path) ? [path] : []
}

function linksOf(folder: string, step: string): string[] {
  let names: string[]
  try {
    names = patiently(() => readdirSync(folder))
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return []
    throw fault(error, { verb: 'list', path: folder })
  }
  return names
    .filter((name) => isLinkFileName(name) && name.slice(0, -'.12345678.link'.length) === step)
    .sort()
    .map((name) => join(folder, name))
}

/** `<step>.<keyid8>/`, unless a symbolic link leads out of the folder that the person named. */
function sublayoutFolder(folder: Folder, step: string, keyid: string): Folder[] {
  const name = linkFileName(step, keyid).slice(0, -'.link'.length)
  if (!isPlainName(name)) return []
  const path = join(folder.path, name)
  const [root, target] = [realPath(folder.root), realPath(path)]
  return root !== undefined && target !== undefined && within(root, target) ? [{ path, root: folder.root }] : []
}

function isPlainName(name: string): boolean {
  return !/[/\\\0]/.test(name)
}

function exists(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EINVAL'].includes(errorNumber(error) ?? '')) return false
    throw fault(error, { verb: 'read', path, what: 'link' })
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function put(folder: string, metadata: Metadata<Link>, keyid: string | undefined): string {
  const id = keyid ?? metadata.signatures[0]?.keyid ?? ''
  const name = linkFileName(metadata.payload.name, id)
  checkStepName(metadata.payload.name)
  if (!isLinkFileName(name)) {
    const message = `the key id "${printable(id)}" makes no file name`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'sign the link' })
  }
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw fault(error, { verb: 'make', path: folder, what: 'folder' })
  }
  const path = join(folder, name)
  writeFileAtomic(path, encodeMetadata(metadata))
  return path
}
