/**
 * Which commit the sources are at, and whether they differ from it. Started beside the build, so that it costs no time, and given up when the
 * build ends first by leaving the process. It never writes to the repository.
 */
import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { InTotoError } from 'intoto'
import { repositoryOf } from './place.ts'

/** What git says; `done` resolves when it is known, or known to be unknowable. */
export interface GitState {
  commit?: string
  dirty?: boolean
  readonly done: Promise<void>
}

/** Asks git about a folder. Optional locks are off so that a build does not disturb a person's own git, and no monitor program is started. */
export function readGit(folder: string): GitState {
  let finish: () => void = () => undefined
  const state: GitState = { done: new Promise((resolve) => (finish = resolve)) }
  if (!mayBeRepository(folder)) {
    finish()
    return state
  }
  const args = ['--no-optional-locks', '-c', 'core.fsmonitor=false', 'status', '--porcelain=v2', '--branch', '--untracked-files=normal']
  const options = { cwd: folder, timeout: 10_000, maxBuffer: 64 * 1024 * 1024, windowsHide: true }
  try {
    const child = execFile('git', args, options, (error, stdout) => {
      if (error === null) Object.assign(state, parseStatus(stdout))
      finish()
    })
    for (const handle of [child, child.stdout, child.stderr]) (handle as { unref?: () => void } | null)?.unref?.() // nobody's exit waits for git
  } catch {
    finish() // no process can be started here
  }
  return state
}

/** Whether it is worth starting git: it looks for the same, unless it is told where to look. */
function mayBeRepository(folder: string): boolean {
  return process.env['GIT_DIR'] !== undefined || repositoryOf(folder) !== undefined
}

/**
 * Whether git tracks a file, by absolute path. Submodules that are checked out belong to it.
 * @throws InTotoError E_CONFIG when git cannot say
 */
export function trackedBy(folder: string): (path: string) => boolean {
  const args = ['--no-optional-locks', '-c', 'core.fsmonitor=false', 'ls-files', '-z', '--cached', '--recurse-submodules']
  const { status, stdout } = spawnSync('git', args, { cwd: folder, encoding: 'utf8', maxBuffer: 1024 ** 3, windowsHide: true })
  if (status !== 0) {
    const fix = 'build in a working tree, where git can be called, or leave out the option preset'
    throw new InTotoError({ code: 'E_CONFIG', message: 'git cannot say which files it tracks, and the preset takes no others', fix })
  }
  const tracked = new Set(stdout.split('\0').map((name) => join(folder, name)))
  return (path) => tracked.has(path)
}

/** Waits for git's answer, but not long: a build is not slowed down for two byproducts. */
export async function settled(state: GitState): Promise<void> {
  const patience = new AbortController()
  await Promise.race([state.done, delay(1_000, undefined, { signal: patience.signal }).catch(() => undefined)])
  patience.abort()
}

function parseStatus(text: string): { commit?: string; dirty: boolean } {
  const commit = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(text)?.[1]
  const dirty = text.split('\n').some((line) => line !== '' && !line.startsWith('#'))
  return { ...(commit === undefined ? {} : { commit }), dirty }
}
