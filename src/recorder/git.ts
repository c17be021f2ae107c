/**
 * Which commit the sources are at, and whether they differ from it. Started beside the build, so that it costs no time, and given up when the
 * build ends first by leaving the process. It never writes to the repository.
 */
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

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
