/** The face `intoto-npm/lockfile`, and of the lockfile readers inside this package: it loads nothing else of it. Re-exports only. */
export { resolveBundled, resolvedDependency, type Bundled, type BundledOptions, type ResolvedDependency } from './bundled.ts'
export type { LockedPackage, Lockfile, LockfileFormat } from './entry.ts'
export { findLockfile, readLockfile, readManifest, type LockfileText } from './lockfile.ts'
export { packagePurl } from './purl.ts'
