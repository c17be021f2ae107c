/**
 * The first link of a chain: what lies in a working tree that git tracks. It reads the bytes on disk, not git's objects, since those are what the
 * next step reads, and says beside them which commit they were meant to be. It changes nothing in the repository.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { lstatSync, statSync, type Stats } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { emptyRecord, type JsonValue } from '../encoding/json.ts'
import { InTotoError, problem, type Problem } from '../errors.ts'
import { artifactName } from '../model/artifact.ts'
import { createLink, type Link } from '../model/link.ts'
import { recordArtifacts } from './artifacts.ts'
import { absolute, errorNumber, fault, printable } from './fault.ts'
import { gitCall, gitState, largestAnswer } from './git.ts'

/** Which working tree is recorded, and how its files are named. */
export interface SourceOptions {
  /** Only files below this folder are recorded. */
  cwd: string
  /** Names are relative to this folder; `cwd` unless given. */
  base?: string
  /** Name of the step; `source` unless given. */
  step?: string
  /** Receives one warning for each tracked path that holds no file (a submodule that is not checked out, a link to nothing). */
  warn?: (problem: Problem) => void
  /** As for `recordArtifacts`. */
  progress?: (done: number, total: number) => void
}

/**
 * A link whose products are the tracked files, by the bytes in the working tree; commit and dirty flag stand in the byproducts under `git`.
 * Files of submodules that are checked out belong to it, tracked links to folders do not (the files are there under their own names).
 * @throws InTotoError E_CONFIG: no git, or no working tree; E_IO: a file that can't be read or a name that is not UTF-8
 */
export async function recordSource(o: SourceOptions): Promise<Link> {
  const base = absolute(o.base ?? o.cwd)
  const state = gitState(o.cwd) ?? notTracked(o.cwd)
  const start = relative(base, absolute(o.cwd))
  const names = trackedNames(o.cwd).filter((name) => isFile(join(o.cwd, name), o))
  const paths = names.map((name) => artifactName(join(start, name), sep))
  const products = await recordArtifacts(paths, {
    base,
    exclude: () => false,
    ...(o.progress === undefined ? {} : { progress: o.progress }),
  })
  const byproducts = emptyRecord<JsonValue>()
  byproducts['git'] = Object.assign(emptyRecord<JsonValue>(), state)
  return createLink({ name: o.step ?? 'source', products, byproducts })
}

function notTracked(folder: string): never {
  const said = run(folder, ['rev-parse', '--is-inside-work-tree'])
  if (said.status === 0 && said.stdout.toString('utf8').trim() === 'true') {
    const message = `git cannot compare ${printable(folder)} with its commit without the network or a program of the repository`
    const fix = 'see what "git status" says there: it may have to fetch what a partial clone lacks'
    throw new InTotoError({ code: 'E_CONFIG', message, file: folder, fix })
  }
  const reason =
    said.error === undefined ? `git says: ${printable(said.stderr.toString('utf8').trim().split('\n')[0] ?? '')}` : 'git is not installed'
  const message = `${printable(folder)} is not the working tree of a git repository (${reason})`
  throw new InTotoError({
    code: 'E_CONFIG',
    message,
    file: folder,
    fix: 'run it inside the repository, or record the files with "intoto run"',
  })
}

/** Paths of tracked files relative to the folder; a path in a merge conflict is listed once. */
function trackedNames(folder: string): string[] {
  const listed = git(folder, ['ls-files', '-z', '--cached', '--recurse-submodules']) ?? git(folder, ['ls-files', '-z', '--cached'])
  if (listed === undefined) return notTracked(folder)
  const names = new Set<string>()
  for (let start = 0, end = listed.indexOf(0); end >= 0; start = end + 1, end = listed.indexOf(0, start)) {
    const bytes = listed.subarray(start, end)
    const name = bytes.toString('utf8')
    if (!Buffer.from(name).equals(bytes)) throw notUtf8(bytes)
    names.add(name)
  }
  return [...names]
}

/** A tracked path that was deleted is no product; the dirty flag says that something differs. */
function isFile(path: string, o: SourceOptions): boolean {
  const stats = look(lstatSync, path)
  if (stats === undefined || stats.isFile()) return stats !== undefined
  const target = stats.isSymbolicLink() ? look(statSync, path) : undefined
  if (target?.isFile()) return true
  if (target?.isDirectory()) return false
  const what = stats.isSymbolicLink() ? 'is a link to nothing' : 'holds no files (a submodule that is not checked out?)'
  const message = `${printable(path)} ${what} and is not recorded`
  o.warn?.(
    problem({ code: 'E_NOT_RECORDED', severity: 'warning', message, file: path, fix: 'check it out, or remove it from the repository' }),
  )
  return false
}

/** What stands at a path, by either call; undefined where nothing does. */
function look(call: typeof statSync, path: string): Stats | undefined {
  try {
    return call(path, { throwIfNoEntry: false })
  } catch (error) {
    if (errorNumber(error) === 'ELOOP') return undefined
    throw fault(error, { verb: 'read', path })
  }
}

/** Output of git, or undefined when it fails. */
function git(folder: string, args: readonly string[]): Buffer | undefined {
  const result = run(folder, args)
  return result.status === 0 ? result.stdout : undefined
}

function run(folder: string, args: readonly string[]): SpawnSyncReturns<Buffer> {
  const call = gitCall(args)
  return spawnSync('git', call.args, { cwd: folder, env: call.env, encoding: 'buffer', maxBuffer: largestAnswer, windowsHide: true })
}

function notUtf8(bytes: Buffer): InTotoError {
  const shown = bytes.toString('latin1').replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return new InTotoError({ code: 'E_IO', message: `the name ${shown} is not UTF-8 and cannot be recorded`, fix: 'rename the file' })
}
