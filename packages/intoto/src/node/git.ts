/**
 * What git says of a working tree, asked so that no program of the repository runs and no network is used: a repository may come from anybody, and its
 * configuration names programs. Whoever asks git anything goes through `gitCall`; `gitState` and `gitStateLater` are one procedure in two speeds.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { withoutSecrets } from './child.ts'

/** What git says about a working tree. */
export interface GitState {
  /** Full hash of the commit; absent before the first one. */
  readonly commit?: string
  /** Whether tracked files differ from that commit. */
  readonly dirty: boolean
}

/** One call of git, for `spawn` and its like. */
export interface GitCall {
  readonly args: string[]
  readonly env: NodeJS.ProcessEnv
}

/** Largest answer. */
export const largestAnswer: number = 1024 ** 3

/** Milliseconds for an answer that somebody builds beside. */
const patience = 10_000

/**
 * How git is asked: it takes no lock, starts neither monitor nor hook, and gets none of our secrets. Objects that a partial clone lacks are not fetched, by
 * no protocol, for a protocol may be a program, too; older versions know only the list of protocols. Filters are no business of this call: it is not for
 * commands that compare files with what git has of them.
 */
export function gitCall(args: readonly string[]): GitCall {
  const quiet = { GIT_ALLOW_PROTOCOL: 'none', GIT_NO_LAZY_FETCH: '1', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
  return {
    args: ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'log.showSignature=false', ...args],
    env: { ...withoutSecrets(), ...quiet },
  }
}

/** Commit and dirty flag of the working tree that a folder belongs to; undefined without git, outside of one, or where git can't compare. */
export function gitState(folder: string): GitState | undefined {
  const asking = stateOf({ folder, untracked: 'no', isSubmodule: false }, new Set())
  let step = asking.next()
  while (step.done !== true) step = asking.next(answer(step.value))
  return step.value
}

/** The same beside other work: nobody's exit waits for it, and git has ten seconds for each answer. Files that git does not know count as a difference. */
export async function gitStateLater(folder: string): Promise<GitState | undefined> {
  const asking = stateOf({ folder, untracked: 'normal', isSubmodule: false }, new Set())
  let step = asking.next()
  while (step.done !== true) step = asking.next(await answerLater(step.value))
  return step.value
}

/** A repository in question. What the environment says of the place of one does not hold for its submodules. */
interface Place {
  readonly folder: string
  readonly untracked: 'no' | 'normal'
  readonly isSubmodule: boolean
}

interface Question extends Place {
  readonly args: readonly string[]
}

type Asking<T> = Generator<Question, T, string | undefined>

/**
 * git would ask itself about submodules, with the filters that those have configured. So each is asked here as the repository that it is, once: one may claim
 * the working tree of another.
 */
function* stateOf(place: Place, seen: Set<string>): Asking<GitState | undefined> {
  const root = (yield { ...place, args: ['rev-parse', '--show-toplevel'] })?.replace(/\r?\n$/, '')
  if (root === undefined || root === '') return undefined
  if (seen.has(root)) return { dirty: false }
  seen.add(root)
  const off = yield* filtersOff(place)
  if (off === undefined) return undefined
  // Without renames no content is read for them; a partial clone may not have it.
  const how = [
    '--porcelain=v2',
    '--branch',
    '--no-ahead-behind',
    '--no-renames',
    `--untracked-files=${place.untracked}`,
    '--ignore-submodules=dirty',
  ]
  const status = yield { ...place, args: [...off, 'status', ...how] }
  if (status === undefined) return undefined
  const commit = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(status)?.[1]
  let dirty = status.split('\n').some((line) => line !== '' && !line.startsWith('#'))
  for (const submodule of yield* submodulesOf({ ...place, folder: root })) {
    const state = yield* stateOf({ ...place, folder: submodule, isSubmodule: true }, seen)
    if (state === undefined) return undefined
    dirty ||= state.dirty
  }
  return { ...(commit === undefined ? {} : { commit }), dirty }
}

/**
 * Settings that switch off the filters of the repository's own configuration, which git runs to compare a file whose times have changed. A file that is kept
 * in another form by such a filter then counts as changed. Filters of the user and of the system (as Git LFS installs itself) stay.
 */
function* filtersOff(place: Place): Asking<string[] | undefined> {
  const list = ['config', '-z', '--name-only', '--list']
  const scoped = yield { ...place, args: [...list, '--show-scope'] }
  // Before git 2.26 nobody says whose a setting is: then all are off.
  const names = scoped === undefined ? (yield { ...place, args: list })?.split('\0') : ownNames(scoped)
  const filters = names?.flatMap((name) => /^filter\.(.*)\.[a-z]+$/s.exec(name)?.[1] ?? [])
  // A setting ends at the first "=" on git's command line, so that such a filter can't be switched off.
  if (filters === undefined || filters.some((name) => name.includes('='))) return undefined
  const settings = ['clean=', 'smudge=', 'process=', 'required=false']
  return [...new Set(filters)].flatMap((name) => settings.flatMap((setting) => ['-c', `filter.${name}.${setting}`]))
}

/** SCOPE <nul> NAME <nul> …: those that come with the repository. */
function ownNames(listed: string): string[] {
  const words = listed.split('\0')
  return words.filter((_, index) => index % 2 === 1 && ['local', 'worktree'].includes(words[index - 1] ?? ''))
}

/** Folders of submodules that are checked out, as far as `ls-files` knows them for such. */
function* submodulesOf(place: Place): Asking<string[]> {
  if (!existsSync(join(place.folder, '.gitmodules'))) return []
  const entries = (yield { ...place, args: ['ls-files', '--stage', '-z'] })?.split('\0') ?? []
  // MODE SP OBJECT SP STAGE <tab> PATH
  const names = entries.flatMap((entry) => /^160000 [^\t]*\t(.*)$/s.exec(entry)?.[1] ?? [])
  return names.map((name) => join(place.folder, name)).filter((path) => existsSync(join(path, '.git')))
}

function callFor({ args, isSubmodule }: Question): GitCall {
  const call = gitCall(args)
  const isOfPlace = (name: string): boolean => /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR|OBJECT_DIRECTORY)$/.test(name)
  return isSubmodule ? { ...call, env: Object.fromEntries(Object.entries(call.env).filter(([name]) => !isOfPlace(name))) } : call
}

/** Output of git, or undefined when it fails. */
function answer(question: Question): string | undefined {
  const call = callFor(question)
  const options = { cwd: question.folder, env: call.env, encoding: 'utf8', maxBuffer: largestAnswer, windowsHide: true } as const
  const { status, stdout } = spawnSync('git', call.args, options)
  return status === 0 ? stdout : undefined
}

function answerLater(question: Question): Promise<string | undefined> {
  const call = callFor(question)
  return new Promise((resolve) => {
    try {
      const child = spawn('git', call.args, { cwd: question.folder, env: call.env, stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true })
      const pieces: Buffer[] = []
      const timer = setTimeout(() => child.kill(), patience)
      child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
      child.once('error', () => resolve(undefined))
      child.once('close', (code) => {
        clearTimeout(timer)
        resolve(code === 0 ? Buffer.concat(pieces).toString('utf8') : undefined)
      })
      for (const handle of [child, child.stdout, timer]) (handle as { unref?: () => void }).unref?.()
    } catch {
      resolve(undefined) // no process can be started here
    }
  })
}
