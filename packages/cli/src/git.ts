/**
 * What git knows of the working directory, for the checks of `intoto doctor` and for provenance. Read-only, without the network, and no program that the
 * repository names is run: nothing is asked here for which git would compare files, since that is what filters are run for. Without git, or outside of a
 * repository, there is nothing to know.
 */
import { spawnSync } from 'node:child_process'
import { gitCall } from 'intoto/node'

/** Output of git, or undefined when it fails or is not there. */
export function git(...words: readonly string[]): string | undefined {
  const { args, env } = gitCall(words)
  const { status, stdout } = spawnSync('git', args, { env, encoding: 'utf8', maxBuffer: 1024 ** 3, windowsHide: true })
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
