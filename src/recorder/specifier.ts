/**
 * Modules of the project that a configuration or a script imports by name, as Node resolves it (ECMAScript modules, "Resolution algorithm"): `#subpath` of
 * package.json, and packages of the workspace. Called for each import of such a file. Packages that were installed are passed over before anything
 * of them is read: the bundler's own and its plugins' are program, and the lockfile pins them.
 */
import { existsSync, realpathSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { below, isDependency, packageOf, upward } from './place.ts'

/** How the import is written, which packages may answer to by another file. */
export type Kind = 'import' | 'require'

/** Our own packages are a tool wherever they lie, in their own repository too. */
const own = /^(?:unplugin-in-toto|intoto)(?:\/|$)/

/** The path that a name leads to; it may leave out an extension. */
export function namedModule(specifier: string, from: string, kind: Kind): string | undefined {
  if (specifier.startsWith('#')) return internal(specifier, from, kind)
  const [, name, rest = ''] = /^((?:@[^/]+\/)?[^./@:][^/:]*)((?:\/.*)?)$/s.exec(specifier) ?? []
  if (name === undefined || isBuiltin(specifier) || own.test(specifier)) return undefined
  const folder = linkedPackage(name, from)
  const content = folder === undefined ? undefined : packageOf(folder)
  if (folder === undefined || content === undefined) return undefined
  const { exports, main } = content
  if (exports === undefined) return join(folder, rest !== '' ? rest : typeof main === 'string' ? main : 'index')
  const isTable = typeof exports === 'object' && exports !== null && Object.keys(exports).every((key) => key.startsWith('.'))
  const target = mapped(isTable ? (exports as Table) : { '.': exports }, `.${rest}`, kind)
  return target === undefined ? undefined : join(folder, target)
}

type Table = Readonly<Record<string, unknown>>

function internal(specifier: string, from: string, kind: Kind): string | undefined {
  const folder = upward(dirname(from), (at) => existsSync(join(at, 'package.json')))
  const imports = folder === undefined ? undefined : packageOf(folder)?.['imports']
  if (folder === undefined || typeof imports !== 'object' || imports === null) return undefined
  const target = mapped(imports as Table, specifier, kind)
  if (target === undefined || target.startsWith('#')) return undefined
  return target.startsWith('./') ? join(folder, target) : namedModule(target, from, kind)
}

/** The folder of a package that package managers linked to, not copied. */
function linkedPackage(name: string, from: string): string | undefined {
  const folder = (at: string): string => join(at, 'node_modules', name)
  const holder = upward(dirname(from), (at) => existsSync(folder(at)))
  if (holder === undefined) return undefined
  const real = realpathSync(folder(holder))
  return isDependency(below(real, '')) ? undefined : real
}

/** What a table of exports or imports has for a name: its own entry, or that of the pattern with the longest beginning. */
function mapped(table: Table, name: string, kind: Kind): string | undefined {
  if (Object.hasOwn(table, name)) return chosen(table[name], kind)
  const patterns = Object.keys(table).flatMap((key) => {
    const [start = '', end] = key.split('*')
    return end !== undefined && name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end)
      ? [{ key, start, end }]
      : []
  })
  const [best] = patterns.sort((a, b) => b.start.length - a.start.length)
  if (best === undefined) return undefined
  return chosen(table[best.key], kind)?.replaceAll('*', name.slice(best.start.length, name.length - best.end.length))
}

/** The first target whose conditions hold. */
function chosen(target: unknown, kind: Kind): string | undefined {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return undefined
  for (const [condition, inner] of Object.entries(target)) {
    if (!Array.isArray(target) && ![kind, 'node', 'module-sync', 'default'].includes(condition)) continue
    const found = chosen(inner, kind)
    if (found !== undefined) return found
  }
  return undefined
}
