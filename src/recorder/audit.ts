/**
 * Option `audit`: hears which files this process opens for reading, whoever does it, so that an input of a plugin that reads by itself and tells
 * nobody is found all the same. Reads of Rust cores, child processes and worker threads stay unheard, and the link says no more than that this
 * was done. Every call goes on as it was: nothing here answers, delays or throws.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { walkFiles } from 'intoto/node'
import { isDependency, isFolder, isWithin } from './place.ts'
import { registry, type Reads, type Session } from './session.ts'

/** Functions of `fs`, and of `fs/promises`, whose first argument is read; with where their flags stand. */
const readers: Readonly<Record<string, 'always' | 'by flags'>> = {
  readFile: 'always',
  readFileSync: 'always',
  copyFile: 'always',
  copyFileSync: 'always',
  open: 'by flags',
  openSync: 'by flags',
}
const copiers: readonly string[] = ['cp', 'cpSync']

/**
 * Begins to listen, once for a process.
 * @returns false where the functions cannot be replaced
 */
export function listenToReads(): boolean {
  const shared = registry()
  if (shared.reads !== undefined) return true
  const reads: Reads = { files: new Set(), folders: new Set() }
  try {
    for (const holder of [fs, fs.promises] as unknown as Record<string, unknown>[]) {
      for (const [name, mode] of Object.entries(readers))
        replace(holder, name, ([path, flags]) => void ((mode === 'always' || isReading(flags)) && hear(path, reads.files)))
      for (const name of copiers) replace(holder, name, ([path]) => hear(path, reads.folders))
    }
    syncBuiltinESMExports()
  } catch {
    return false
  }
  shared.reads = reads
  return true
}

function replace(holder: Record<string, unknown>, name: string, listen: (args: readonly unknown[]) => void): void {
  const original = holder[name]
  if (typeof original !== 'function') return
  // A proxy keeps name, length and whatever else hangs on the function.
  holder[name] = new Proxy(original, {
    apply(target, self, args: unknown[]) {
      try {
        listen(args)
      } catch {
        // What cannot be understood is not an input that could be named.
      }
      return Reflect.apply(target, self, args) as unknown
    },
  })
}

/** Descriptors and handles were opened before, and heard then. */
function hear(path: unknown, found: Set<string>): void {
  if (typeof path === 'string') found.add(resolve(path))
  else if (path instanceof URL) found.add(fileURLToPath(path))
  else if (Buffer.isBuffer(path)) found.add(resolve(path.toString('utf8')))
}

function isReading(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC)) === 0
  return typeof flags !== 'string' || flags.startsWith('r')
}

/** Whether reads are heard in this process. */
export function isListening(): boolean {
  return registry().reads !== undefined
}

/** What a bundler and its plugins load of themselves is program, not input; what they read of other packages (icons, styles, data) is. */
const program = /(?:\.(?:[cm]?js|node|map)|[\\/]package\.json)$/

/** Files that may be inputs among all that was opened: below the root, or of packages beside it, and not what keeps house there. */
export function heardFiles({ root, key }: Pick<Session, 'root' | 'key'>): string[] {
  const { reads } = registry()
  if (reads === undefined) return []
  const all = [...reads.files, ...[...reads.folders].flatMap((folder) => (isFolder(folder) ? filesBelow(folder) : [folder]))]
  return all.filter((path) => {
    if (path === key.file || path.includes(`${sep}.git${sep}`)) return false
    return isDependency(path) ? !program.test(path) : [root.real, root.given].some((folder) => isWithin(folder, path))
  })
}

function filesBelow(folder: string): string[] {
  try {
    return walkFiles(folder, { warn: () => undefined }).map((name) => join(folder, name))
  } catch {
    return [] // what may not be listed was not copied either
  }
}
