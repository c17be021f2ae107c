/**
 * Puts what was bundled in its place, so that whatever runs from there goes on working: each file whole or not at all, and nothing taken away that
 * was made a moment ago.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Writes beside the place and renames. */
export function place(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  const beside = `${path}.${process.pid}.tmp`
  writeFileSync(beside, text)
  renameSync(beside, path)
}

/** Takes away what earlier builds left, when nobody can be about to load it any more; `isStale` is told names in the folder. */
export function sweep(folder, isStale) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name)
    if (!isStale(name.replaceAll('\\', '/'))) continue
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity }
    if (Date.now() - mtimeMs > 10 * 60_000) rmSync(path, { force: true })
  }
}
