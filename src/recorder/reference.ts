/**
 * Files that other files refer to in ways no bundler tells of: what CSS modules take from another style sheet, and assets that older bundlers inline
 * without a word. Called when a run ends. It reads texts for references, not for meaning: what resolves to a file in use is an input.
 */
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isFile, textOf } from './baseline.ts'

/** How a bundler resolves what stands in quotes; a path or undefined. */
export type Resolve = (specifier: string) => string | undefined

/** How a CSS module takes classes and values from another: `composes` of CSS modules, `@value`, whose source may have a name, and `:import` of ICSS. */
const composing =
  /(?:composes\s*:[^;{}]*?\bfrom\s+|@value\s[^;{}]*?(?:\bfrom|:)\s+|:import\(\s*)(['"])(.+?)\1|:import\(\s*([^'")\s]+)\s*\)/g

/** Style sheets that CSS modules take classes and values from, followed to the end. */
export function composedStyles(files: readonly string[], alias?: Resolve): Set<string> {
  const found = new Set<string>()
  // Mostly there is none among thousands, which one look at all of them tells.
  const open = files.join('\0').includes('.module.') ? files.filter((file) => /\.module\.[a-z]+$/.test(file)) : []
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const [, , quoted, bare = ''] of textOf(file).matchAll(composing)) {
      const path = locate(quoted ?? bare, file, alias)
      if (path === undefined || found.has(path)) continue
      found.add(path)
      open.push(path)
    }
  }
  return found
}

/** Assets that `url(…)` and its kin in styles, `new URL('…', import.meta.url)` in modules and the attributes of HTML elements point to. */
export function referredAssets(files: Iterable<string>, alias?: Resolve): Set<string> {
  const found = new Set<string>()
  for (const file of files) {
    const text = textOf(file)
    for (const specifier of file.endsWith('.html') ? [...specifiers(text), ...attributes(text)] : specifiers(text)) {
      const path = locate(specifier, file, alias)
      if (path !== undefined) found.add(path)
    }
  }
  return found
}

/** What Less puts into the style sheet by itself: files inlined as they are, as text or as `data:`, and the sizes of images. */
const lessReading =
  /(?:@import\s*\([^)]*\binline\b[^)]*\)\s*(?:url\(\s*)?|\bdata-uri\(\s*(?:(?:'[^']*'|"[^"]*")\s*,\s*)?|\bimage-(?:size|width|height)\(\s*)(['"])(.+?)\1/g

function* specifiers(text: string): Generator<string> {
  for (const [, , quoted, bare] of text.matchAll(/\burl\(\s*(?:(['"])(.+?)\1|([^'")\s]+))\s*\)/g)) yield quoted ?? bare ?? ''
  for (const [, , path = ''] of text.matchAll(lessReading)) yield path
  for (const [, candidates = ''] of text.matchAll(/\bimage-set\(([^;{}]*)/g))
    for (const [, , path = ''] of candidates.matchAll(/(['"])(.+?)\1/g)) yield path
  for (const [, , path = ''] of text.matchAll(/\bnew\s+URL\(\s*(['"`])(.+?)\1\s*,\s*import\.meta\.url/g)) yield path
}

/** Elements that load what they point to (HTML Living Standard); an anchor does not. */
const loading = /<(?:audio|embed|image|img|input|link|meta|object|script|source|track|use|video)\b(?:"[^"]*"|'[^']*'|[^'">])*>/gi
const attribute = /\s(src|srcset|href|xlink:href|imagesrcset|poster|data|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gi

function* attributes(html: string): Generator<string> {
  for (const [element] of html.matchAll(loading)) {
    for (const [, name = '', double, single, bare] of element.matchAll(attribute)) {
      const value = double ?? single ?? bare ?? ''
      if (name.toLowerCase().endsWith('srcset')) for (const candidate of value.split(',')) yield candidate.trim().split(/\s/, 1)[0] ?? ''
      else yield value.trim()
    }
  }
}

/** Relative first, as style sheets mean it; then by alias, then as a path in a package. */
function locate(specifier: string, from: string, alias: Resolve = () => undefined): string | undefined {
  const plain = specifier.replace(/[?#].*$/s, '')
  if (plain === '' || /^(?:[a-z][a-z0-9+.-]+:|\/\/)/i.test(plain)) return undefined
  const near = isAbsolute(plain) ? undefined : resolve(dirname(from), plain)
  return [near, alias(plain), packaged(plain, from)].find((path) => path !== undefined && isFile(path))
}

function packaged(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return undefined
  try {
    return createRequire(from).resolve(specifier.replace(/^~/, ''))
  } catch {
    return undefined
  }
}

/** Resolves by a list of aliases as Vite and Rollup's alias plugin write them, and paths from the root of the site by folders. */
export function aliasResolver(aliases: readonly { find: string | RegExp; replacement: string }[], folders: readonly string[]): Resolve {
  return (specifier) => {
    for (const { find, replacement } of aliases) {
      const matches = typeof find === 'string' ? specifier === find || specifier.startsWith(`${find}/`) : find.test(specifier)
      if (matches) return specifier.replace(find, replacement)
    }
    return specifier.startsWith('/') ? [specifier, ...folders.map((folder) => join(folder, specifier))].find(isFile) : undefined
  }
}
