/**
 * What the caller trusts: the owner's keys, by path, and the layout that they must have signed; and the names under which keys are shown. Names
 * come from file names and decide nothing.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import {
  decodeMetadata,
  functionaryNames,
  InTotoError,
  isLayout,
  type Key,
  keyids,
  keyMaterial,
  type Layout,
  type Limits,
  type Metadata,
} from 'intoto'
import { loadKey, readMetadataFile } from 'intoto/node'
import { misuse } from './failure.ts'
import { escape } from './terminal.ts'

/** A key and the name of its file. */
export interface NamedKey {
  readonly key: Key
  readonly name: string
  /** The file that it was read from, if it was. */
  readonly file?: string
}

/** Most public keys that are looked at for names. */
const mostNames = 200

/** "alice (4f3c9a1b)". */
export function nameOf(key: Key, name: string): string {
  return `${escape(name)} (${(keyids(key)[0] ?? '').slice(0, 8)})`
}

/** The name of a key: that of its file, without folder and ending. */
export function nameOfFile(path: string): string {
  return basename(path).replace(/\.(pub|pem|pub\.pem)$/, '')
}

/**
 * Public keys from files.
 * @throws InTotoError E_KEY: there is nothing to trust, whether a file is absent or holds no key
 */
export async function readKeys(paths: readonly string[]): Promise<NamedKey[]> {
  const keys: NamedKey[] = []
  for (const path of paths) keys.push({ key: await loadKey(path), name: nameOfFile(path), file: path })
  return keys
}

/**
 * Metadata from the bytes of a file; an error names the file.
 * @throws InTotoError E_FORMAT, E_LAYOUT_INVALID
 */
export function decodeFile(bytes: Uint8Array, path: string, limits: Partial<Limits> = {}): Metadata {
  try {
    return decodeMetadata(bytes, { what: path, limits })
  } catch (error) {
    if (!(error instanceof InTotoError) || error.problem.file !== undefined) throw error
    throw new InTotoError({ ...error.problem, file: path }, { cause: error })
  }
}

/**
 * The layout in a file.
 * @throws InTotoError E_IO when there is none to read, E_FORMAT or E_LAYOUT_INVALID when its bytes are no layout
 */
export function readLayout(path: string, limits: Partial<Limits> = {}): Metadata<Layout> {
  const bytes = readMetadataFile(path, { what: 'layout', ...(limits.fileBytes === undefined ? {} : { limit: limits.fileBytes }) })
  const metadata = decodeFile(bytes, path, limits)
  if (isLayout(metadata.payload)) return metadata as Metadata<Layout>
  throw new InTotoError({
    code: 'E_LAYOUT_INVALID',
    message: `holds a ${metadata.payload._type}, not a layout`,
    file: path,
    fix: 'name the layout with -l',
  })
}

/**
 * Names for key ids: those of the given keys first, then what the layout says of its functionaries, then public keys beside the layout and in
 * in-toto/. A name that another key has already stays with that one, so that no file in a folder can borrow the name of a key that is trusted.
 */
export async function keyNames(given: readonly NamedKey[], o: { file?: string; layout?: Layout }): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  const owners = new Map<string, string>()
  const add = ({ key, name }: NamedKey): void => {
    const material = keyMaterial(key)
    if ((owners.get(name) ?? material) !== material) return
    owners.set(name, material)
    for (const id of keyids(key)) if (!names.has(id)) names.set(id, name)
  }
  given.forEach(add)
  for (const [id, name] of o.layout === undefined ? [] : functionaryNames(o.layout)) add({ key: o.layout?.keys[id] as Key, name })
  for (const folder of new Set(['in-toto', ...(o.file === undefined ? [] : [dirname(o.file)])])) {
    for (const file of publicKeyFiles(folder)) {
      if (given.some((known) => known.file !== undefined && resolve(known.file) === resolve(file))) continue
      try {
        add({ key: await loadKey(file), name: nameOfFile(file) })
      } catch {
        // A file that is no key names nobody; the keys that matter were given by path and did load.
      }
    }
  }
  return names
}

/** Public keys in a folder, by their names. */
export function publicKeyFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.pub'))
      .sort()
      .slice(0, mostNames)
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}

/**
 * The keys that a flag must name.
 * @throws InTotoError E_CONFIG without one
 */
export function requireKeys(paths: readonly string[] | undefined, command: string): readonly string[] {
  if (paths === undefined || paths.length === 0) throw misuse(`${command}: no key was given, so nothing is trusted`, '-k in-toto/owner.pub')
  return paths
}
