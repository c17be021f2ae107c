/** What a build has to load before the plugin does anything: few files, ours alone, and none in a circle. As published. */
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folders = { 'unplugin-in-toto': root, intoto: join(root, 'packages/intoto'), 'intoto-npm': join(root, 'packages/npm') }
type Targets = Record<string, string | Record<string, string>>

/** What a name stands for: a file of ours, or nothing for what is somebody else's. */
function resolved(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(from), specifier)
  const [, name = '', rest = ''] = /^(#?[^/]+)(.*)$/.exec(specifier) ?? []
  const folder = name.startsWith('#') ? folders.intoto : folders[name as keyof typeof folders]
  if (folder === undefined) return undefined
  const { exports, imports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { exports: Targets; imports?: Targets }
  const target = name.startsWith('#') ? imports?.[name] : exports[`.${rest}`]
  return join(folder, (typeof target === 'object' ? target['node'] : target) ?? 'nothing')
}

/** All files that are loaded with one, and the packages of others; a file that leads back to itself is refused. */
function load(file: string, path: readonly string[] = [], seen = { files: new Set<string>(), others: new Set<string>() }): typeof seen {
  if (path.includes(file)) throw new Error(`a circle: ${[...path, file].map((name) => relative(root, name)).join(' -> ')}`)
  if (seen.files.has(file)) return seen
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^'";]*?["']([^"'\n]+)["'];?$/gm)) {
    const next = resolved(specifier, file)
    if (next !== undefined) load(next, [...path, file], seen)
    else if (!isBuiltin(specifier)) seen.others.add(specifier)
  }
  seen.files.add(file)
  return seen
}

const bundlers = ['vite', 'rollup', 'rolldown', 'webpack', 'rspack', 'rsbuild', 'esbuild', 'farm', 'bun', 'astro', 'nuxt']

describe('loading', () => {
  test.each(bundlers)('the plugin for %s takes few files, and no package but the library', (bundler) => {
    const { files, others } = load(join(root, 'dist', `${bundler}.js`))
    expect([...others]).toEqual([])
    expect(files.size, [...files].join('\n')).toBeLessThanOrEqual(7)
  })

  test('the plugin for all of them takes unplugin as well', () => {
    expect([...load(join(root, 'dist/index.js')).others]).toEqual(['unplugin'])
  })

  test('the lockfile readers are without the rest of intoto-npm', () => {
    const npm = [...load(join(folders['intoto-npm'], 'dist/lockfile/index.js')).files].filter((file) =>
      file.startsWith(folders['intoto-npm']),
    )
    expect(npm).toHaveLength(2)
  })

  test('the library is the same whether it is named with or without /node', () => {
    const [whole, node] = ['index', 'node/index'].map((name) => load(join(folders.intoto, 'dist', `${name}.js`)).files)
    expect([...node!].filter((file) => !whole!.has(file))).toEqual([join(folders.intoto, 'dist/node/index.js')])
  })
})
