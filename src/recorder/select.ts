/**
 * The person's glob patterns: which paths they select, and which files on disk they add. Called with absolute paths, since a file may lie beside
 * the root. What matches them is loaded only where somebody wrote a pattern: it would be a fifth of all that loading the plugin costs.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type fastGlob from 'fast-glob'
import type * as Utils from 'unplugin-utils'

/** Whether any of the patterns, relative to a folder, is for this absolute path; no pattern is for nothing. */
export function selector(patterns: readonly string[], folder: string): (path: string) => boolean {
  if (patterns.length === 0) return () => false
  const { createFilter } = createRequire(import.meta.url)('unplugin-utils') as typeof Utils
  const filter = createFilter([...patterns], [], { resolve: folder })
  return (path) => filter(path)
}

/** Absolute paths of the files below a folder that patterns are for, dot files included, node_modules only when it is named. */
export function filesMatching(patterns: readonly string[], folder: string): string[] {
  if (patterns.length === 0) return []
  const glob = createRequire(import.meta.url)('fast-glob') as typeof fastGlob
  const ignore = patterns.some((pattern) => pattern.includes('node_modules')) ? [] : ['**/node_modules/**']
  return glob
    .sync([...patterns], { cwd: folder, dot: true, onlyFiles: true, ignore: [...ignore, '**/.git/**'] })
    .map((name) => join(folder, name))
}
