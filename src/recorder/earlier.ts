/**
 * Links of the same step that are there already when a build begins. They go at once, so that a build that fails, or is killed, leaves nothing
 * that could be taken for its evidence. Called with each folder that is about to be written.
 */
import { existsSync, lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { decodeMetadata, InTotoError, isLink, isLinkFileName, keyidFor, linkFileName, type Link } from 'intoto'
import { readMetadataFile } from 'intoto/node'
import { commandOf } from './command.ts'
import { isWithin, nameOf, type Root } from './place.ts'
import { registry, type Session } from './session.ts'
import { isStatementOf, statementPath } from './statement.ts'

/** What is needed to know which links are meant. */
export type Owner = Pick<Session, 'root' | 'options' | 'key' | 'foreign'>

/**
 * Removes the step's links, and the Statements beside them, from an output folder and from those above it up to the package (where a build of several folders puts its link).
 * With `linkDir`, where other functionaries' links may lie, only the one that this key would write. A link that lies in neither, and says nothing of
 * the folder, is another build's evidence and stays.
 * @throws InTotoError E_IO when a link cannot be removed
 */
export function removeEarlier(owner: Owner, folder: string): void {
  const { linkDir, step, keyidStyle } = owner.options
  if (linkDir !== undefined) {
    const { signer } = owner.key
    if (signer === undefined) return
    const path = join(resolve(owner.root.real, linkDir), linkFileName(step, keyidFor(signer.key, keyidStyle)))
    if (speaksElsewhere(owner.root, path, folder)) return
    removeLink(owner, path)
    unlink(statementPath(path))
    return
  }
  for (const place of foldersOf(owner.root, folder)) {
    const all = names(place)
    const links = all.filter((name) => isLinkOf(step, name))
    const kept = new Set(place === folder ? [] : links.filter((name) => speaksElsewhere(owner.root, join(place, name), folder)))
    const beside = new Set([...kept].map(statementPath))
    for (const name of links) if (!kept.has(name)) removeLink(owner, join(place, name))
    for (const name of all) if (isStatementOf(step, name) && !beside.has(name)) unlink(join(place, name))
  }
}

/** Whether a link has products, some of them still there, and none in this folder. */
function speaksElsewhere(root: Root, path: string, folder: string): boolean {
  const products = Object.keys(linkAt(path)?.products ?? {}).map((name) => resolve(root.real, name))
  return products.every((product) => !isWithin(folder, product)) && products.some((product) => existsSync(product))
}

/**
 * Refuses to write over the link of another command, which stayed since it speaks of other folders.
 * @throws InTotoError E_CONFIG
 */
export function refuseOverwriting({ root, options }: Pick<Owner, 'root' | 'options'>, path: string): void {
  const link = linkAt(path)
  const command = link?.command.join(' ')
  if (link === undefined || command === ownCommand({ root, options })) return
  if (!Object.keys(link.products).some((name) => existsSync(resolve(root.real, name)))) return
  const { step } = options
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `is of another command of the step "${step}": ${command}; one link cannot speak for both`,
    file: nameOf(root, path),
    fix: [`give one of the two another step: inToto({ step: '${step}-2' })`, 'or another linkDir', 'or remove what the other one made'],
  })
}

/** Is this exactly `<step>.<8 hex>.link`? */
export function isLinkOf(step: string, name: string): boolean {
  return isLinkFileName(name) && name.slice(0, -'.12345678.link'.length) === step
}

/**
 * Removes a link for good.
 * @throws InTotoError E_IO
 */
export function unlink(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    const message = `cannot remove the earlier link ${path}`
    throw new InTotoError({ code: 'E_IO', message, file: path, fix: 'remove it, or make its folder writable' }, { cause: error })
  } finally {
    registry().links.delete(path)
  }
}

function foldersOf(root: Root, folder: string): string[] {
  const folders = [folder]
  for (let above = dirname(folder); above !== root.real && isWithin(root.real, above); above = dirname(above)) folders.push(above)
  return folders
}

function removeLink(owner: Owner, path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return
  if (!registry().links.has(path)) rememberForeign(owner, path)
  unlink(path)
}

/** Kept as bytes: only a build that finds stale files asks what it says, and reading a large link takes as long as hashing a thousand files. */
function rememberForeign(owner: Owner, path: string): void {
  try {
    owner.foreign.push({ path, bytes: readMetadataFile(path, { what: 'link' }) })
  } catch {
    // what cannot be read says nothing about products; it is removed like any other
  }
}

/** Products of another command under the same step name, by absolute path, and that command: if they stay, one link cannot speak for the folder. */
export function foreignProducts({ root, options, foreign }: Pick<Owner, 'root' | 'options' | 'foreign'>): Map<string, string> {
  const found = new Map<string, string>()
  const own = ownCommand({ root, options })
  for (const { path, bytes } of foreign) {
    const link = linkIn(bytes)
    const command = link?.command.join(' ')
    if (command === undefined || command === own) continue
    for (const name of Object.keys(link?.products ?? {})) found.set(resolve(root.real, name), `${command} (${nameOf(root, path)})`)
  }
  return found
}

function ownCommand({ root, options }: Pick<Owner, 'root' | 'options'>): string {
  return (options.command ?? commandOf(root)).join(' ')
}

function linkAt(path: string): Link | undefined {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return undefined
  try {
    return linkIn(readMetadataFile(path, { what: 'link' }))
  } catch {
    return undefined // it cannot be read
  }
}

function linkIn(bytes: Uint8Array): Link | undefined {
  try {
    const { payload } = decodeMetadata(bytes)
    return isLink(payload) ? payload : undefined
  } catch {
    return undefined // damaged
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not made yet
  }
}
