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
import { withoutSecrets } from './child.ts'
import { absolute, errorNumber, fault, printable } from './fault.ts'

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

/** What git says about a working tree. */
export interface GitState {
  /** Full hash of the commit; absent before the first one. */
  readonly commit?: string
  /** Whether tracked files differ from that commit. */
  readonly dirty: boolean
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

/** Commit and dirty flag of the working tree that a folder belongs to; undefined without git or outside of one. */
export function gitState(folder: string): GitState | undefined {
  if (text(git(folder, ['rev-parse', '--is-inside-work-tree'])) !== 'true') return undefined
  const commit = text(git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']))
  const status = git(folder, ['status', '--porcelain=v1', '--untracked-files=no', '-z'])
  if (status === undefined) return undefined
  return { ...(commit === undefined || commit === '' ? {} : { commit }), dirty: status.length > 0 }
}

function notTracked(folder: string): never {
  const said = run(folder, ['rev-parse', '--is-inside-work-tree'])
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

/** The monitor that a repository may configure is a program of that repository: it is not run. */
function run(folder: string, args: readonly string[]): SpawnSyncReturns<Buffer> {
  const env = { ...withoutSecrets(), GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' }
  return spawnSync('git', ['-c', 'core.fsmonitor=false', ...args], {
    cwd: folder,
    env,
    encoding: 'buffer',
    maxBuffer: 1024 ** 3,
    windowsHide: true,
  })
}

function text(output: Buffer | undefined): string | undefined {
  return output?.toString('utf8').trim()
}

function notUtf8(bytes: Buffer): InTotoError {
  const shown = bytes.toString('latin1').replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return new InTotoError({ code: 'E_IO', message: `the name ${shown} is not UTF-8 and cannot be recorded`, fix: 'rename the file' })
}
