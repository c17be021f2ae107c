/**
 * What git knows of the working directory, for the checks of `intoto doctor`. Read-only: no lock is taken, no monitor and no hook of the repository is run, and
 * git gets none of our secrets. Without git, or outside of a repository, there is nothing to know.
 */
import { spawnSync } from 'node:child_process'
import { withoutSecrets } from 'intoto/node'

/** Output of git, or undefined when it fails or is not there. */
export function git(...args: readonly string[]): string | undefined {
  const env = { ...withoutSecrets(), GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' }
  const options = { env, encoding: 'utf8', maxBuffer: 1024 ** 3, windowsHide: true } as const
  const { status, stdout } = spawnSync('git', ['-c', 'core.fsmonitor=false', ...args], options)
  return status === 0 ? stdout : undefined
}

/** Folder of the repository's working tree, by its real path; undefined outside of one. */
export function repositoryRoot(): string | undefined {
  return git('rev-parse', '--show-toplevel')?.trim() || undefined
}

/** Does git track this file? */
export function isTracked(path: string): boolean {
  return git('--literal-pathspecs', 'ls-files', '--error-unmatch', '--', path) !== undefined
}
