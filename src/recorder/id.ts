/**
 * Module ids of bundlers: which of them are files, and what to call those that are not. Called by a run for everything that a bundler reports.
 * It never opens a file.
 */
import { isAbsolute, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RealFile, RealPaths } from './place.ts'

/** What an id stands for: a file, or something without one. */
export type Source = RealFile | { readonly virtual: string }

/** `virtual:`, `data:`, `http:`, `ns:`, but no drive letter. */
const scheme = /^[a-z][a-z0-9+.-]+:/i

/** An absolute path that can mean nothing else, spelled as `resolve` would spell it. */
const isPlain = /^(?:\/(?!\.{0,2}(?:\/|$))[^\0?#/]+)+$/

/**
 * A module id, or a path that a plugin told of, relative to `base` when it is relative. A query or hash is cut off only where no file has the
 * whole name, since `?` and `#` are letters of file names too.
 */
export function sourceOf(id: string, base: string, paths: RealPaths): Source {
  // Nearly all of thousands of ids.
  if (sep === '/' && isPlain.test(id)) return paths.file(id) ?? { virtual: id }
  if (id.includes('\0')) return behind(id, base, paths)
  if (id.startsWith('file:')) return sourceOf(filePath(id) ?? `\0${id}`, base, paths)
  if (scheme.test(id)) return { virtual: id }
  for (const candidate of candidates(id)) {
    const path = isAbsolute(candidate) ? resolve(candidate) : resolve(base, candidate)
    const file = paths.file(path)
    if (file !== undefined) return file
  }
  return { virtual: id }
}

/** The id whole, then without its last query, its first query, its hash. */
function candidates(id: string): Set<string> {
  const last = id.lastIndexOf('?')
  const first = id.indexOf('?')
  const found = new Set([id])
  if (last > 0) found.add(id.slice(0, last))
  if (first > 0) found.add(id.slice(0, first))
  const end = id.search(/[?#]/)
  if (end > 0) found.add(id.slice(0, end))
  return found
}

function filePath(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

/** The CommonJS plugin and others derive `NUL + path + query` from a real file: the file is what stands behind. */
function behind(id: string, base: string, paths: RealPaths): Source {
  const rest = id.replaceAll('\0', '')
  const source: Source = isAbsolute(rest) ? sourceOf(rest, base, paths) : { virtual: id }
  return 'real' in source ? source : { virtual: id }
}

/** An id without a file as it may stand in a link: no NUL, no query, no path of this machine. */
export function virtualName(id: string, roots: readonly string[]): string {
  let name = id.replaceAll('\0', '').replaceAll('\\', '/')
  if (name.startsWith('data:')) return 'data:'
  for (const root of roots) name = name.replaceAll(`${root.replaceAll('\\', '/')}/`, '')
  const query = name.indexOf('?', 1)
  if (query > 0) name = name.slice(0, query)
  if (!/^(\/|[a-z]:\/)/i.test(name)) return name
  const modules = name.lastIndexOf('/node_modules/')
  return name.slice(modules >= 0 ? modules + 1 : name.lastIndexOf('/') + 1)
}
