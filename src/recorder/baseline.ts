/**
 * Inputs that no bundler names although it or its plugins read them: package.json files, the lockfile, files that
 * configure tools. Called when a run ends, with the files that are known; it only looks for further ones.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { below, isDependency, isWithin, packageOf, parentOf, upward, type Root } from './place.ts'
import { namedModule } from './specifier.ts'

const lockfiles: readonly string[] = ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb']

/**
 * The package.json files from each folder up to that of its package: the nearest says what kind of modules its files are, the outermost what is exported,
 * and what may be dropped. Packages with a folder for each format have both.
 */
export function packageFiles(folders: Iterable<string>, root?: string): Set<string> {
  const known = new Map<string, readonly string[]>()
  const look = (folder: string): readonly string[] => {
    let files = known.get(folder)
    if (files !== undefined) return files
    const file = below(folder, 'package.json')
    const parent = parentOf(folder)
    const own = isFile(file) ? [file] : []
    const isLast = parent === folder || (own.length > 0 && (folder === root || isPackage(folder)))
    files = isLast ? own : own.length > 0 ? [...own, ...look(parent)] : look(parent)
    known.set(folder, files)
    return files
  }
  const found = new Set<string>()
  for (const folder of folders) for (const file of look(folder)) found.add(file)
  return found
}

/** Whether a folder with a package.json is a whole package: where it was installed, its place says so, else its name. */
function isPackage(folder: string): boolean {
  if (isDependency(folder)) return /[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+$/.test(folder)
  return packageOf(folder)?.['name'] !== undefined
}

/** The lockfile that governs a folder: its own, or that of the workspace above it. */
export function lockfileOf(folder: string): string[] {
  const holder = upward(folder, (at) => lockfiles.some((name) => isFile(join(at, name))))
  return holder === undefined ? [] : lockfiles.map((name) => join(holder, name)).filter(isFile)
}

/** Tools whose configuration is found by its name, from a folder upward, the way these tools look for it. */
export function toolFiles(folder: string, tools: readonly string[]): Set<string> {
  const found = new Set<string>()
  for (const tool of tools) {
    const pattern = new RegExp(`^(?:${tool}\\.config\\.[cm]?[jt]s|${tool}\\.config\\.json|\\.${tool}rc(?:\\.(?:json|ya?ml|[cm]?[jt]s))?)$`)
    const holder = upward(folder, (at) => names(at).some((name) => pattern.test(name)))
    if (holder !== undefined) for (const name of names(holder)) if (pattern.test(name)) found.add(join(holder, name))
  }
  return found
}

/** Configuration files and scripts, and the files of the project that they import, by a path or by a name, for loaders that do not say. */
export function importedFiles(...entries: readonly string[]): Set<string> {
  return reached(entries, (file, text) => [...near(file, text), ...named(file, text)])
}

/** What files import by a name, and what that imports: for loaders that tell of paths alone. */
export function namedFiles(...entries: readonly string[]): Set<string> {
  return importedFiles(...entries.flatMap((file) => named(file, textOf(file))))
}

/** Files and what they import by a path. */
export function nearFiles(...entries: readonly string[]): Set<string> {
  return reached(entries, near)
}

/** Macros of Bun that modules run while they are bundled, with what these import. */
export function macroFiles(...modules: readonly string[]): Set<string> {
  const pattern = /\bfrom\s*((['"])[^'"\n]+\2)\s*(?:with|assert)\s*\{\s*type\s*:\s*(['"])macro\3/g
  return importedFiles(
    ...modules.flatMap((file) => {
      const imports = [...textOf(file).matchAll(pattern)].map(([, specifier = '']) => `from ${specifier}`).join('\n')
      return [...near(file, imports), ...named(file, imports)]
    }),
  )
}

function reached(entries: readonly string[], imports: (file: string, text: string) => readonly string[]): Set<string> {
  const found = new Set<string>()
  const open = [...entries]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file) || !isFile(file)) continue
    found.add(file)
    open.push(...imports(file, textOf(file)))
  }
  return found
}

function near(file: string, text: string): string[] {
  const pattern =
    /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\bcreateRequire\s*\([^()]*\)\s*\(\s*|\bnew\s+URL\s*\(\s*)(['"])(\.{1,2}\/[^'"\n]*)\1/g
  return [...text.matchAll(pattern)].flatMap(([, , specifier = '']) => moduleFile(resolve(dirname(file), specifier)) ?? [])
}

function named(file: string, text: string): string[] {
  const pattern = /(?:\b(from|import)\s*\(?\s*|\b(?:require|createRequire\s*\([^()]*\))\s*\(\s*)(['"])([#@\w][^'"\n]*)\2/g
  return [...text.matchAll(pattern)].flatMap(([, imports, , specifier = '']) => {
    const path = namedModule(specifier, file, imports === undefined ? 'require' : 'import')
    return (path === undefined ? undefined : moduleFile(path)) ?? []
  })
}

/**
 * Modules of the project that this process has required, by whatever name: `require('./webpack.' + mode)` stands in many a configuration. Node tells of
 * CommonJS alone.
 */
export function loadedFiles({ given, real }: Root): string[] {
  return Object.keys(createRequire(import.meta.url).cache).filter(
    (path) => !isDependency(path) && [given, real].some((folder) => isWithin(folder, path)),
  )
}

/** TypeScript writes `./x.js` for x.ts, and everybody leaves extensions out. */
function moduleFile(path: string): string | undefined {
  const extensions = [
    '',
    '.ts',
    '.js',
    '.mjs',
    '.mts',
    '.cjs',
    '.cts',
    '.json',
    '.tsx',
    '.jsx',
    '.d.ts',
    '/index.ts',
    '/index.js',
    '/index.mjs',
  ]
  const written = extname(path)
  const source = written.replace('js', 'ts')
  const swapped = source === written ? [] : [path.slice(0, -written.length) + source]
  return [...extensions.map((extension) => path + extension), ...swapped].find(isFile)
}

/** Looks upward from folders for a file of this name, each folder once however many files it holds. */
export function nearestFile(name: string): (folder: string) => string | undefined {
  const known = new Map<string, string | undefined>()
  const look = (folder: string): string | undefined => {
    if (known.has(folder)) return known.get(folder)
    const file = below(folder, name)
    const parent = parentOf(folder)
    const answer = isFile(file) ? file : parent === folder ? undefined : look(parent)
    known.set(folder, answer)
    return answer
  }
  return look
}

/** Whether a regular file, or a link to one, stands at a path. */
export function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
  } catch {
    return false
  }
}

/** A file as text; empty when it cannot be read, since whoever records it will say so. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
