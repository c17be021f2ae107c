/**
 * The packages that went into a build, as the lockfile pins them: for the byproducts of a link. Called when a link is made. The lockfile readers are
 * loaded only where a file of node_modules was consumed; a lockfile that cannot be read is warned of and never fails a build.
 */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { JsonObject } from 'intoto'
import type * as Lockfiles from 'intoto-npm/lockfile'
import { asProblem } from './failure.ts'
import { isDependency, nameOf } from './place.ts'
import { sayOnce, type Session } from './session.ts'

/**
 * `resolved-dependencies`: each package once, `{ uri, name?, digest?, annotations? }` as in SLSA's resolvedDependencies, sorted by uri.
 * `unresolved-files`: names of consumed files of node_modules that no entry of the lockfile stands for. Empty when nothing of node_modules was
 * consumed, when there is no lockfile, and with the option `dependencies: 'none'`.
 */
export function dependenciesOf(session: Session): JsonObject {
  const { root, options, records } = session
  const files = new Set(records.flatMap(({ materials }) => [...materials.keys()].filter(isDependency)))
  if (files.size === 0 || options.dependencies === 'none') return {}
  try {
    const { findLockfile, readLockfile, readManifest, resolveBundled } = load()
    const path = findLockfile(root.real)
    if (path === undefined) return {}
    const { dependencies, unknown } = resolveBundled(files, readLockfile(path), { base: dirname(path), read: readManifest })
    const found: JsonObject = { 'resolved-dependencies': dependencies }
    if (unknown.length > 0) found['unresolved-files'] = unknown.map((file) => nameOf(root, file)).sort()
    return found
  } catch (error) {
    const { message, file } = asProblem(error)
    const where = file === undefined ? '' : `${file}: `
    sayOnce(`the packages of this build are not resolved: ${where}${message}`, (line) => session.log.warn(line))
    return {}
  }
}

/** Links are also made while a process exits, when nothing can be awaited. */
function load(): typeof Lockfiles {
  return createRequire(import.meta.url)('intoto-npm/lockfile') as typeof Lockfiles
}
