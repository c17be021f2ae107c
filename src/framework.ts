/**
 * Frameworks that are plugins of Vite and start more than one of its builds: which of them is at work, where it leaves the finished product, what it reads
 * and makes by itself, and when it has ended. Called with Vite's resolved configuration. It changes nothing of what the framework does.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import { walkFiles } from 'intoto/node'
import type { ResolvedConfig } from 'vite'
import { endFrame, importedFiles, type Frame } from './recorder.ts'

/** The framework around a build of Vite's, the same object for all builds that are part of one of its own. */
export function detectFrame(config: ResolvedConfig): Frame | undefined {
  const names = new Set(config.plugins.map(({ name }) => name))
  if (names.has('vitepress')) return pressFrame(config)
  if (names.has('storybook:code-generator-plugin')) return bookFrame(config)
  return names.has('vite-plugin-sveltekit-setup') ? kitFrame(config) : undefined
}

/** What VitePress keeps of a site (its `SiteConfig`), as far as it is needed. */
interface Site {
  readonly outDir: string
  readonly tempDir: string
  readonly cacheDir: string
  readonly configPath?: string
  readonly configDeps?: readonly string[]
  buildEnd?: (site: Site) => unknown
}

const sites: WeakMap<Site, Frame> = new WeakMap()

function pressFrame({ root }: ResolvedConfig): Frame | undefined {
  const site = (globalThis as { VITEPRESS_CONFIG?: Site }).VITEPRESS_CONFIG
  if (site === undefined) return undefined
  const known = sites.get(site)
  if (known !== undefined) return known
  const frame: Frame = {
    name: 'vitepress',
    version: packageVersion('vitepress', root),
    folders: () => [site.outDir],
    generated: () => [site.tempDir, site.cacheDir],
    files: () => [
      ...(site.configPath === undefined ? [] : importedFiles(site.configPath)),
      ...(site.configDeps ?? []),
      ...pressIcons(root),
    ],
    tells: true,
  }
  sites.set(site, frame)
  const { buildEnd } = site
  site.buildEnd = async (...args) => {
    await buildEnd?.(...args)
    await endFrame(frame)
  }
  return frame
}

/** The default theme draws icons of social networks from this file, without telling. */
function pressIcons(root: string): string[] {
  try {
    return [
      createRequire(createRequire(join(root, 'x')).resolve('vitepress/package.json')).resolve('@iconify-json/simple-icons/icons.json'),
    ]
  } catch {
    return []
  }
}

const books: Map<string, Frame> = new Map()

/** Storybook writes its own pages before Vite begins, and copies static files beside it; it says nothing of its end. */
function bookFrame({ root, build }: ResolvedConfig): Frame {
  const outDir = resolve(root, build.outDir)
  const known = books.get(outDir)
  if (known !== undefined) return known
  const frame: Frame = {
    name: 'storybook',
    version: packageVersion('storybook', root),
    folders: () => [outDir],
    generated: () => [],
    files: () => bookFiles(),
    tells: false,
  }
  books.set(outDir, frame)
  return frame
}

/** Its configuration, with what that imports, pieces of HTML, and the folders that it copies. */
function bookFiles(): string[] {
  const at = process.argv.findIndex((argument) => argument === '-c' || argument === '--config-dir')
  const inline = process.argv.find((argument) => argument.startsWith('--config-dir='))?.slice('--config-dir='.length)
  const folder = resolve(inline ?? (at < 0 ? undefined : process.argv[at + 1]) ?? '.storybook')
  const own = existsSync(folder) ? walkFiles(folder).map((name) => join(folder, name)) : []
  const modules = own.filter((path) => /[\\/](?:main|manager|preview)\.[cm]?[jt]sx?$/.test(path))
  const copied = own.filter((path) => /[\\/]main\.[cm]?[jt]s$/.test(path)).flatMap((path) => staticFolders(readFileSync(path, 'utf8')))
  return [...importedFiles(...modules), ...own.filter((path) => path.endsWith('.html')), ...copied.map((name) => resolve(folder, name))]
}

/** `staticDirs` as it is written: texts, or objects with `from`; what is computed is not found. */
function staticFolders(main: string): string[] {
  const [, list = ''] = /\bstaticDirs\s*:\s*\[([^\]]*)\]/.exec(main) ?? []
  const named = list.replaceAll(/\bto\s*:\s*(['"`]).*?\1/g, '')
  return [...named.matchAll(/(['"`])(.+?)\1/g)].map(([, , name = '']) => name)
}

/** SvelteKit's configuration and its adapters' interface, as far as they are needed. */
interface Kit {
  readonly outDir: string
  readonly files: { readonly appTemplate: string; readonly errorTemplate: string }
  readonly adapter?: Adapter
}
interface Adapter {
  adapt(builder: Builder): unknown
}
type Builder = Readonly<Record<string, unknown>>

/** One build of SvelteKit: the configuration is loaded anew for each of Vite's builds in it, and with it the adapter. */
interface KitBuild {
  readonly frame: Frame
  readonly folders: Set<string>
  /** What the adapter empties, or copies to. */
  readonly emptied: Set<string>
  readonly copied: Set<string>
  ended: boolean
}

const kits: Map<string, KitBuild> = new Map()
const adapted: WeakSet<Adapter> = new WeakSet()

function kitFrame({ root, plugins }: ResolvedConfig): Frame | undefined {
  const setup = plugins.find(({ name }) => name === 'vite-plugin-sveltekit-setup') as
    | { api?: { options?: Kit & { kit?: Kit } } }
    | undefined
  const kit = setup?.api?.options?.kit ?? setup?.api?.options // SvelteKit 3 keeps its own settings at the top
  if (kit?.outDir === undefined) return undefined
  let build = kits.get(root)
  if (build === undefined || build.ended) kits.set(root, (build = newKitBuild(kit, root)))
  if (kit.adapter !== undefined) listenToAdapter(kit.adapter, build, root)
  return build.frame
}

function newKitBuild({ outDir, files, adapter }: Kit, root: string): KitBuild {
  const made = resolve(root, outDir)
  const isOwn = (path: string): boolean => path === made || path.startsWith(made + sep)
  const [folders, emptied, copied] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const frame: Frame = {
    name: 'sveltekit',
    version: packageVersion('@sveltejs/kit', root),
    folders: () => delivered([...folders, ...[...emptied].filter((path) => !isOwn(path))], { root, made }),
    generated: () => [outDir],
    files: () =>
      [files.appTemplate, files.errorTemplate, ...mappedSources(frame.folders()), ...copied]
        .map((path) => resolve(root, path))
        .filter((path) => !isOwn(path)),
    tells: adapter !== undefined,
  }
  return { frame, folders, emptied, copied, ended: false }
}

/** An adapter may write beside what it says: into the folder that holds all of it, if that holds nothing of the project. */
function delivered(places: readonly string[], { root, made }: { root: string; made: string }): string[] {
  const isAt = (folder: string, path: string): boolean => path === folder || path.startsWith(folder + sep)
  const folders = places.filter((path) => existsSync(path)).map((path) => (statSync(path).isDirectory() ? path : dirname(path)))
  let common = folders[0] ?? root
  while (!isAt(common, root) && !folders.every((path) => isAt(common, path))) common = dirname(common)
  return isAt(common, root) || isAt(common, made) || !isAt(root, common) ? folders : [common]
}

/** An adapter says only to its builder where the product goes: what it writes to, and what it empties or copies to outside of SvelteKit's own folder. */
function listenToAdapter(adapter: Adapter, build: KitBuild, root: string): void {
  if (adapted.has(adapter)) return
  adapted.add(adapter)
  const adapt = adapter.adapt.bind(adapter)
  const kept: Readonly<Record<string, Set<string>>> = {
    writeClient: build.folders,
    writePrerendered: build.folders,
    writeServer: build.folders,
    rimraf: build.emptied,
    copy: build.copied,
  }
  adapter.adapt = async (builder) => {
    const listening = new Proxy(builder, {
      get(target, name: string) {
        const method = target[name]
        const places = Object.hasOwn(kept, name) ? kept[name] : undefined
        if (places === undefined || typeof method !== 'function') return method
        return (...args: unknown[]): unknown => {
          if (typeof args[0] === 'string') places.add(resolve(root, args[0]))
          if (name === 'copy' && typeof args[1] === 'string') build.emptied.add(resolve(root, args[1]))
          return Reflect.apply(method, target, args) as unknown
        }
      },
    })
    await adapt(listening)
    build.ended = true
    await endFrame(build.frame)
  }
}

/** An adapter may bundle once more, by itself: what went in stands in the source maps of what came out. */
function mappedSources(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    walkFiles(folder)
      .filter((name) => name.endsWith('.js.map'))
      .flatMap((name) => sourcesOf(join(folder, name)).map((source) => resolve(dirname(join(folder, name)), source))),
  )
}

function sourcesOf(path: string): readonly string[] {
  try {
    const { sources } = JSON.parse(readFileSync(path, 'utf8')) as { sources?: unknown }
    return Array.isArray(sources) ? sources.filter((source) => typeof source === 'string') : []
  } catch {
    return [] // no source map
  }
}

/** The version of a package that a project has installed. */
export function packageVersion(name: string, root: string): string {
  try {
    const path = createRequire(join(root, 'x')).resolve(`${name}/package.json`)
    return (JSON.parse(readFileSync(path, 'utf8')) as { version?: string }).version ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
