/**
 * Which commit the sources are at, and whether they differ from it. Started beside the build, so that it costs no time, and given up when the
 * build ends first by leaving the process. It never writes to the repository.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { InTotoError } from 'intoto'
import { gitCall, gitStateLater } from 'intoto/node'
import { repositoryOf } from './place.ts'

/** What git says; `done` resolves when it is known, or known to be unknowable. */
export interface GitState {
  commit?: string
  dirty?: boolean
  readonly done: Promise<void>
}

/** Asks git about a folder, so that no program of the repository runs beside the build. */
export function readGit(folder: string): GitState {
  const state: { commit?: string; dirty?: boolean } = {}
  const done = mayBeRepository(folder) ? gitStateLater(folder).then((found) => void Object.assign(state, found)) : Promise.resolve()
  return Object.assign(state, { done })
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
  const { args, env } = gitCall(['ls-files', '-z', '--cached', '--recurse-submodules'])
  const { status, stdout } = spawnSync('git', args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 1024 ** 3, windowsHide: true })
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
