/**
 * TypeScript's configuration: the nearest tsconfig.json of each source, what it extends and what it refers to, the way transformers read it.
 * Called when a run ends; a file that cannot be parsed is listed all the same and followed no further.
 */
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { createRequire } from 'node:module'
import { isFile, nearestFile, textOf } from './baseline.ts'
import { isDependency } from './place.ts'
import { filesMatching, selector } from './select.ts'

/** What TypeScript's options bear upon: sources with its syntax, all of the project's, or files of packages, too. */
export type Configured = 'typed' | 'sources' | 'packages'

/** Files by their paths, with the folders that they lie in. */
type Files = Iterable<readonly [path: string, file: { readonly folder: string }]>

/** The chains of all files that TypeScript's options bear upon. */
export function tsconfigFiles(files: Files, configured: Configured = 'typed'): Set<string> {
  const found = new Set<string>()
  for (const start of nearestConfigs(files, configured)) follow(start, found)
  return found
}

/** All that TypeScript makes a program of: what the configurations of these files include, and those that they refer to. */
export function programFiles(files: Files): Set<string> {
  const found = new Set<string>()
  const seen = new Set<string>()
  const open = [...nearestConfigs(files, 'typed')]
  for (let config = open.pop(); config !== undefined; config = open.pop()) {
    if (seen.has(config)) continue
    seen.add(config)
    for (const file of included(config)) found.add(file)
    for (const { path } of references(parseJsonc(textOf(config))['references'])) push(open, referred(resolve(dirname(config), path)))
  }
  return found
}

function nearestConfigs(files: Files, configured: Configured): Set<string> {
  const folders = new Set<string>()
  // Called by the engine: see `#keep` of run.ts.
  Array.from(files).forEach(([file, { folder }]) => {
    if (folders.has(folder)) return
    if (configured !== 'packages' && isDependency(file)) return
    if (configured === 'typed' && !/\.(?:[cm]?tsx?|[cm]?jsx|vue|svelte|astro)$/.test(file)) return
    folders.add(folder)
  })
  const nearest = [nearestFile('tsconfig.json'), nearestFile('jsconfig.json')]
  const found = new Set<string>()
  for (const folder of folders) {
    const start = nearest.map((look) => look(folder)).find((path) => path !== undefined)
    if (start !== undefined) found.add(start)
  }
  return found
}

function included(config: string): string[] {
  const own = { folder: dirname(config), patterns: ['**/*'] }
  const files = inherited('files', config)
  const include = inherited('include', config) ?? (files === undefined ? own : undefined)
  const exclude = inherited('exclude', config) ?? { ...own, patterns: [] }
  const isExcluded = selector(exclude.patterns, exclude.folder)
  const found = include === undefined ? [] : filesMatching(include.patterns, include.folder).filter((file) => !isExcluded(file))
  return [...found, ...(files?.patterns ?? []).map((name) => resolve(files?.folder ?? '', name))].filter((file) =>
    /\.[cm]?tsx?$/.test(file),
  )
}

/** Names a folder, when its last part has neither a wildcard nor an ending. */
const folderPattern = /(?:^|\/)[^/*?.]+\/?$|(?:^|\/)\.{0,2}\/?$/

/** A list of a configuration: its own, else that of the last parent that has one; relative to whoever wrote it. */
function inherited(
  name: string,
  config: string,
  seen: ReadonlySet<string> = new Set(),
): { folder: string; patterns: string[] } | undefined {
  if (seen.has(config)) return undefined
  const parsed = parseJsonc(textOf(config))
  if (name in parsed) {
    const patterns = texts(parsed[name]).map((text) => text.replace(/^\$\{configDir\}/, '.'))
    return {
      folder: dirname(config),
      patterns: patterns.map((text) => (name !== 'files' && folderPattern.test(text) ? `${text.replace(/\/$/, '') || '.'}/**/*` : text)),
    }
  }
  const parents = texts(parsed['extends']).flatMap((parent) => extended(parent, config) ?? [])
  const lists = parents.map((parent) => inherited(name, parent, new Set([...seen, config])))
  return lists.findLast((list) => list !== undefined)
}

/** A configuration that a bundler was told to use, and all that it extends or refers to. */
export function namedTsconfig(file: string): Set<string> {
  const found = new Set<string>()
  follow(file, found)
  return found
}

/** A configuration file and all that it extends or refers to. */
function follow(start: string, found: Set<string>): void {
  const open = [start]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue
    found.add(file)
    const config = parseJsonc(textOf(file))
    for (const parent of texts(config['extends'])) push(open, extended(parent, file))
    for (const { path } of references(config['references'])) push(open, referred(resolve(dirname(file), path)))
  }
}

function extended(name: string, from: string): string | undefined {
  if (isAbsolute(name) || name.startsWith('.')) return [name, `${name}.json`].map((path) => resolve(dirname(from), path)).find(isFile)
  const require = createRequire(from)
  for (const request of [name, `${name}.json`, `${name}/tsconfig.json`]) {
    try {
      const path = require.resolve(request)
      if (path.includes(sep) && path.endsWith('.json')) return path
    } catch {
      // packages may name the file with or without its ending, or not at all
    }
  }
  return undefined
}

function referred(path: string): string | undefined {
  return [path, join(path, 'tsconfig.json')].find(isFile)
}

function push(list: string[], path: string | undefined): void {
  if (path !== undefined) list.push(path)
}

function texts(value: unknown): string[] {
  return [value].flat().filter((item) => typeof item === 'string')
}

function references(value: unknown): { path: string }[] {
  return Array.isArray(value)
    ? value.filter((item): item is { path: string } => typeof (item as { path?: unknown } | null)?.path === 'string')
    : []
}

/** JSON with comments and trailing commas; an empty object for what is none. Strings are passed over whole, since they may hold `//`. */
function parseJsonc(text: string): Record<string, unknown> {
  const plain = text
    .replace(/^\uFEFF/, '')
    .replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, quoted: string | undefined) => quoted ?? '')
  const strict = plain.replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, quoted: string | undefined) => quoted ?? '')
  try {
    const value: unknown = JSON.parse(strict)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
