/**
 * Turns the files that a bundler consumed into materials, and refuses when one of them did not hold still: a ctime at or after the start of the
 * run that used it means that the bytes on disk need not be those that were bundled. Each file is hashed once; called when a link is made.
 */
import { lstatSync, readFileSync, statSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { InTotoError, type Artifacts, type DigestMap } from 'intoto'
import { hashFile, sha256Map, type FileDigest, type Hashed } from 'intoto/node'
import { declarationSources } from './declaration.ts'
import { framedMaterials, intermediates, madeFrom } from './frame.ts'
import { trackedBy } from './git.ts'
import { isCopiedUp } from './overlay.ts'
import { isDependency, isWithin, nameOf, parentOf, RealPaths, type Root } from './place.ts'
import { filesMatching, selector } from './select.ts'
import { walkedFolders, type Material, type RunRecord, type Session } from './session.ts'

/** What went in. */
export interface Consumed {
  readonly materials: Hashed
  /** Files that this build made and then used (option generated). */
  readonly generated: Artifacts
  readonly sha512: { [name: string]: string }
  /** Files of the output folders that plugins looked at before this build overwrote or removed them. */
  readonly overwritten: readonly string[]
  /** Files that git does not track, with a preset that takes only those that it does. */
  readonly untracked: Artifacts
  /** Files of which no bundler told (of an audit, required, or that only declarations were made from) and that did not hold still, so that nobody can say what was read. */
  readonly unsettled: readonly string[]
}

/**
 * Hashes every material of a session.
 * @param products absolute paths of the products: what an earlier run of this build made is no material of a later one
 * @throws InTotoError E_CHANGED_DURING_BUILD, E_IO
 */
export function consumedFiles(session: Session, products: ReadonlyMap<string, FileDigest>): Consumed {
  const { root, options } = session
  const [isChosen, isIntermediate] = [selector(options.generated, root.real), intermediates(session)]
  const isGenerated = (path: string): boolean => isChosen(path) || isIntermediate(path)
  const found = {
    materials: new Map<string, string>(),
    generated: new Map<string, DigestMap>(),
    untracked: new Map<string, DigestMap>(),
    sha512: record<string>(),
    overwritten: [] as string[],
    unsettled: [] as string[],
  }
  const isTracked = options.tracked ? trackedBy(root.real) : () => true
  const writtenFrom = earliest(session.records)
  const generatedFrom = madeFrom(session, writtenFrom)
  const walked = walkedFolders(session.records)
  const reads = session.records.map(({ consumed }) => consumed).filter((consumed) => consumed.size > 0)
  const materials = selected(session, products)
  checkFolders(root, materials)
  // Called by the engine: see `#keep` of run.ts.
  materials.forEach((material, path) => {
    if (isIntermediate(path) && statSync(path, { throwIfNoEntry: false }) === undefined) return
    const name = nameOf(root, path)
    const file = { name, noFollow: material.used === undefined }
    if (!isIntermediate(path) && isLost(walked, path, material)) {
      found.overwritten.push(name)
      return
    }
    if (material.audited === true && products.has(path)) return
    if (material.audited === true && !isGenerated(path) && !isSettled(session, path, { ...file, since: material.since })) {
      found.unsettled.push(name)
      return
    }
    const digest = digestOf(session, path, file)
    const generated = isGenerated(path)
    if (!generated && digest.ctimeMs >= writtenFrom && products.has(path) && isBornIn(digest, material)) return
    if (!generated && digest.ctimeMs >= material.since) throw changed(name, digest, material)
    checkRead(reads, path, name, digest)
    const isMade = generated && digest.ctimeMs >= generatedFrom
    if (!isMade && isTracked(path)) found.materials.set(name, digest.sha256)
    else (isMade ? found.generated : found.untracked).set(name, sha256Map(digest.sha256))
    if (digest.sha512 !== undefined) found.sha512[name] = digest.sha512
  })
  return { ...found, generated: inOrder(found.generated), untracked: inOrder(found.untracked) }
}

/**
 * Whether a consumed product was made by this build before it was consumed: by an earlier run, or by an earlier output of the same run (Rolldown
 * reads its inputs again for each output, and some plugins scan all that lies in the package). One that was consumed first and overwritten then
 * is an input whose bytes are lost.
 */
function isBornIn(digest: Pick<FileDigest, 'ctimeMs'>, { since, seen }: Material): boolean {
  return digest.ctimeMs < since || seen >= since
}

/**
 * Plugins that scan a package for class names or texts find yesterday's output, too, and say so. That is no module, and that it is overwritten
 * is no attack: it is listed, not refused.
 */
function isLost(outputs: readonly string[], path: string, material: Material): boolean {
  if (material.module || !outputs.some((folder) => isWithin(folder, path))) return false
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined || (stats.ctimeMs >= material.since && !isBornIn(stats, material))
}

/** An audit breaks no build: what it finds and cannot be hashed, or was changed or made while the build ran, is only listed. */
function isSettled(session: Session, path: string, { since, ...file }: HashedFile & { since: number }): boolean {
  try {
    return digestOf(session, path, file).ctimeMs < since
  } catch (error) {
    if (error instanceof InTotoError) return false
    throw error
  }
}

/** A file that is hashed. */
interface HashedFile {
  readonly name: string
  /** The path was a real one when it was used: a link there now leads to something else. */
  readonly noFollow?: boolean
}

/** The digest of a file, from before when nothing about the file has moved since. */
export function digestOf(session: Session, path: string, file: HashedFile): FileDigest {
  const known = session.digests.get(path)
  if (known !== undefined && isStill(known, path)) return known
  const digest = hash(path, file, session.options.sha512)
  session.digests.set(path, digest)
  return digest
}

/** Whether a file has the marks that it had when it was hashed. */
export function isStill(digest: FileDigest, path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && stats.ctimeMs === digest.ctimeMs && stats.ino === digest.ino && stats.size === digest.size
}

/** The start of the earliest run that still counts. */
export function earliest(records: readonly RunRecord[]): number {
  return records.reduce((first, { clock }) => (clock.writtenFrom < first ? clock.writtenFrom : first), records[0]?.clock.writtenFrom ?? 0)
}

/** Materials of all runs, less what options leave out, more what they add. */
function selected(session: Session, products: ReadonlyMap<string, FileDigest>): Map<string, Material> {
  const { root, options, records } = session
  const [first, ...others] = records
  const all = new Map(first?.materials)
  for (const { materials } of others) {
    for (const [path, material] of materials) {
      const known = all.get(path)
      if (known === undefined || material.since < known.since) all.set(path, material)
    }
  }
  for (const found of [framedMaterials(session), declarationSources(session, products)])
    for (const [path, material] of found) if (!all.has(path)) all.set(path, material)
  const since = records.reduce(
    (first, { clock }) => (clock.changedFrom < first ? clock.changedFrom : first),
    records[0]?.clock.changedFrom ?? 0,
  )
  const paths = new RealPaths()
  for (const used of filesMatching(options.materials.include, root.real)) {
    const { real, folder } = paths.file(used) ?? { real: used, folder: parentOf(used) }
    if (!all.has(used) && !all.has(real)) all.set(real, { since, folder, seen: 0, module: false, ...(real === used ? {} : { used }) })
  }
  if (options.materials.exclude.length === 0 && options.dependencies === 'files') return all
  const isExcluded = selector(options.materials.exclude, root.real)
  const dropped = options.dependencies === 'files' ? () => false : isDependency
  for (const path of all.keys()) if (isExcluded(path) || dropped(path)) all.delete(path)
  return all
}

function hash(path: string, { name, noFollow = false }: HashedFile, sha512: boolean): FileDigest {
  try {
    return hashFile(path, { sha512, noFollow })
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw gone(name, error)
    if (noFollow && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw replaced(name, error)
    throw error
  }
}

/** Renaming a folder away and back leaves its files' ctime alone but not its own, while making or removing files in it moves its mtime as well. */
function checkFolders(root: Root, materials: ReadonlyMap<string, Material>): void {
  const own = new Map<string, number>()
  const note = (folder: string, since: number): void => {
    const known = own.get(folder)
    if (known === undefined || since < known) own.set(folder, since)
  }
  for (const { folder, since, used, audited } of new Set(materials.values())) {
    if (audited === true) continue
    note(folder, since)
    if (used !== undefined) note(parentOf(used), since)
  }
  const folders = new Map<string, number>()
  for (const [start, since] of own) {
    for (let folder = start; !isAbove(folder, root); folder = parentOf(folder)) {
      const known = folders.get(folder)
      if (known !== undefined && known <= since) break
      folders.set(folder, since)
    }
  }
  for (const [folder, since] of folders) {
    const stats = lstatSync(folder, { throwIfNoEntry: false })
    if (stats === undefined || stats.ctimeMs < since) continue
    if (stats.isDirectory() && (stats.mtimeMs >= since || isCopiedUp(folder, stats, since))) continue
    const message = 'this folder was renamed, replaced or given other rights while the build ran, and its files with it'
    throw new InTotoError({
      code: 'E_CHANGED_DURING_BUILD',
      message,
      file: nameOf(root, folder),
      fix: 'end what changes it, then build again',
    })
  }
}

function isAbove(folder: string, root: Root): boolean {
  return folder !== root.real && isWithin(folder, root.real)
}

/** Where it is known what was read, that must be what the file holds now, whatever the clock says. */
function checkRead(reads: readonly RunRecord['consumed'][], path: string, name: string, digest: FileDigest): void {
  if (reads.length === 0) return
  const read = reads.flatMap((consumed) => [...(consumed.get(path) ?? [])])
  if (read.every((known) => known === digest.sha256)) return
  const text = textDigest(readFileSync(path, 'utf8'))
  const other = read.find((known) => known !== digest.sha256 && known !== text)
  if (other === undefined) return
  throw new InTotoError({
    code: 'E_CHANGED_DURING_BUILD',
    message: 'the bundler read other content than the file holds',
    file: name,
    expected: { label: 'bundler read', text: `sha256 ${other}` },
    actual: { label: 'file holds', text: `sha256 ${digest.sha256} (its text ${text})`, from: name },
    fix: ['end what changes it, then build again', 'if a plugin loads other content for this file, leave out the option strict'],
  })
}

/** Digest of a text as bundlers hold it: without the byte order mark. */
export function textDigest(text: string): string {
  return createHash('sha256')
    .update(text.replace(/^\uFEFF/, ''), 'utf8')
    .digest('hex')
}

/** Digest of bytes as they were read. */
export function bytesDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function changed(name: string, digest: FileDigest, { since }: Material): InTotoError {
  const byName = digest.mtimeMs < since
  return new InTotoError({
    code: 'E_CHANGED_DURING_BUILD',
    message: 'a consumed file changed while the build ran, so nobody can say which bytes were bundled',
    file: name,
    expected: { label: 'build began', text: time(since) },
    actual: { label: 'file changed', text: time(digest.ctimeMs), from: name },
    ...(byName ? { cause: 'it was renamed, linked (a package manager at work?), or changed and given its old date back' } : {}),
    fix: ['end what changes it, then build again', `if this build makes the file itself: inToto({ generated: ['${name}'] })`],
  })
}

function gone(name: string, cause: unknown): InTotoError {
  const fix = [
    'end what removes it, then build again',
    `if it is a temporary file of a plugin: inToto({ materials: { exclude: ['${name}'] } })`,
  ]
  return new InTotoError(
    { code: 'E_CHANGED_DURING_BUILD', message: 'a consumed file was removed while the build ran', file: name, fix },
    { cause },
  )
}

function replaced(name: string, cause: unknown): InTotoError {
  const message = 'a consumed file was replaced by a symbolic link while the build ran'
  const fix = 'end what replaces it, then build again'
  return new InTotoError({ code: 'E_CHANGED_DURING_BUILD', message, file: name, fix }, { cause })
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

/** By name, as a link holds them. */
function inOrder(artifacts: ReadonlyMap<string, DigestMap>): Artifacts {
  const ordered = record<DigestMap>()
  for (const name of [...artifacts.keys()].sort()) ordered[name] = artifacts.get(name) ?? {}
  return ordered
}

function record<T>(): { [name: string]: T } {
  return Object.create(null) as { [name: string]: T }
}
