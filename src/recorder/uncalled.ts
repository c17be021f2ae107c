/**
 * Plugins that were made, or loaded, for a build that never calls one of their hooks: nobody would miss the link, so it is said when the process ends.
 * The adapters know which processes surely are such builds; here is only what follows from it.
 */
import type { ResolvedOptions } from '../options.ts'
import { bundlerError, problemText } from './failure.ts'
import { findKey } from './key.ts'
import { findRoot } from './place.ts'
import { registry, type Expectation } from './session.ts'

/** From now on the process must call a plugin, or it says at its exit that it did not. */
export function expectCall(expectation: Expectation): void {
  const shared = registry()
  if (shared.isCalled === true) return
  if (shared.expected === undefined) process.once('exit', tell)
  if (shared.expected?.isMade !== true) shared.expected = expectation
}

/** A bundler has called: from here on its session says what there is to say. */
export function called(): void {
  registry().isCalled = true
}

function tell(code: number): void {
  const { expected, isCalled } = registry()
  if (code !== 0 || expected === undefined || isCalled === true) return
  const { options, isMade, error } = expected
  const isFatal = options.required || (isMade && hasKey(options))
  if (isFatal && options.onError !== undefined) return options.onError(bundlerError(error.problem, { debug: false }))
  process.stderr.write(`[in-toto] ${problemText(error.problem)}\n`)
  if (isFatal) process.exitCode = 1
}

function hasKey({ key, root }: ResolvedOptions): boolean {
  return typeof key === 'object' || findKey(key, findRoot(root, process.cwd()).real) !== undefined
}
