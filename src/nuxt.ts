/**
 * Nuxt 3 and 4: a module that adds the plugin to Vite's builds and to those of Nitro, which makes the server from them, and holds the link back until Nuxt
 * closes. It tells the recorder where the output lies and what Nuxt and Nitro read by themselves.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { InTotoError } from 'intoto'
import { walkFiles } from 'intoto/node'
import type { InputPluginOption } from 'rollup'
import { resolveOptions, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { endFrame, importedFiles, type Frame } from './recorder.ts'
import { rollupPlugin } from './rollup.ts'
import { vitePlugin } from './vite.ts'

/** What Nuxt and Nitro hand to a module, as far as it is needed. */
interface Nitro {
  readonly options: {
    readonly buildDir: string
    readonly output: { readonly dir: string; readonly serverDir: string; readonly publicDir: string }
    readonly publicAssets?: readonly { readonly dir: string }[]
    readonly serverAssets?: readonly { readonly dir: string }[]
  }
  readonly hooks: { hook(name: string, listener: (...args: never[]) => unknown): unknown }
}
interface Nuxt {
  readonly _version?: string
  readonly options: {
    readonly dev?: boolean
    readonly _prepare?: boolean
    readonly builder?: unknown
    readonly rootDir: string
    readonly buildDir: string
    readonly _layers?: readonly { readonly cwd?: string }[]
    readonly inToto?: Options
    vite: { plugins?: unknown[] }
  }
  hook(name: string, listener: (...args: never[]) => unknown): unknown
}

/** A module as Nuxt takes it. */
export interface NuxtModule {
  (options: Options, nuxt: Nuxt): void
  getMeta: () => Promise<{ name: string; configKey: string }>
}

/**
 * The module for `modules` in `nuxt.config.ts`; options stand beside its name there or under `inToto`. Files that modules read by themselves are recorded,
 * too (option `audit`, on unless it is given).
 * @throws InTotoError E_UNSUPPORTED when Nuxt does not build with Vite
 */
const inToto: NuxtModule = Object.assign(
  (given: Options, nuxt: Nuxt): void => {
    const resolved = resolveOptions({ audit: true, ...nuxt.options.inToto, ...given })
    if (resolved.disable || nuxt.options.dev === true || nuxt.options._prepare === true) return
    refuseOtherBuilders(nuxt)
    prepare(resolved)
    let nitro: Nitro | undefined
    const frame = frameOf(nuxt, () => nitro)
    ;(nuxt.options.vite.plugins ??= []).push(vitePlugin(resolved, frame))
    const record = (_: Nitro, config: { plugins?: InputPluginOption }): void => {
      config.plugins = [config.plugins, rollupPlugin(resolved, { frame, folder: nuxt.options.rootDir })]
    }
    nuxt.hook('nitro:init', (made: Nitro) => {
      nitro = made
      made.hooks.hook('rollup:before', record)
      made.hooks.hook('prerender:init', (renderer: Nitro) => renderer.hooks.hook('rollup:before', record))
    })
    nuxt.hook('close', () => endFrame(frame))
  },
  { getMeta: async () => ({ name: 'unplugin-in-toto', configKey: 'inToto' }) },
)

export default inToto

function refuseOtherBuilders({ options }: Nuxt): void {
  if (typeof options.builder !== 'string' || options.builder.includes('vite')) return
  const fix = 'record it from outside: npx intoto run -n build -m app server package.json -p .output -- nuxt build'
  throw new InTotoError({ code: 'E_UNSUPPORTED', message: `builds of Nuxt with ${options.builder} cannot be recorded`, fix })
}

function frameOf({ options, _version: version }: Nuxt, nitro: () => Nitro | undefined): Frame {
  const outputs = (): string[] => {
    const { dir, serverDir, publicDir } = nitro()?.options.output ?? {}
    return [dir, serverDir, publicDir].filter((folder) => folder !== undefined)
  }
  const generated = (): string[] => [options.buildDir, nitro()?.options.buildDir ?? options.buildDir, join(options.rootDir, '.nuxt')]
  return {
    name: 'nuxt',
    version: version ?? 'unknown',
    folders: () => outputs().filter((folder) => existsSync(folder)),
    generated,
    files: () => [...configuration(options), ...assets(nitro(), generated()), ...copiedPackages(nitro(), options.rootDir)],
    tells: true,
  }
}

/** The configuration of each layer and what it imports. */
function configuration({ rootDir, _layers: layers = [] }: Nuxt['options']): string[] {
  const folders = new Set([rootDir, ...layers.flatMap(({ cwd }) => cwd ?? [])])
  const names = ['ts', 'mts', 'js', 'mjs', 'cts', 'cjs'].map((ending) => `nuxt.config.${ending}`)
  const own = [...folders].flatMap((folder) => names.flatMap((name) => [...importedFiles(join(folder, name))]))
  return [...own, ...['.nuxtrc', '.nuxtignore', '.env'].map((name) => join(rootDir, name))]
}

/** Folders that Nitro copies or bundles as they are, unless Nuxt made them. */
function assets(nitro: Nitro | undefined, generated: readonly string[]): string[] {
  const { publicAssets = [], serverAssets = [] } = nitro?.options ?? {}
  return [...publicAssets, ...serverAssets].map(({ dir }) => dir).filter((dir) => !generated.some((folder) => dir.startsWith(folder)))
}

/** Packages that are not bundled lie beside the server as copies: of the files that have the same path below the next node_modules. */
function copiedPackages(nitro: Nitro | undefined, root: string): string[] {
  const folder = nitro === undefined ? '' : join(nitro.options.output.serverDir, 'node_modules')
  if (folder === '' || !existsSync(folder)) return []
  return walkFiles(folder).flatMap((name) => {
    for (let at = root; ; at = dirname(at)) {
      const original = join(at, 'node_modules', name)
      if (existsSync(original)) return [original]
      if (dirname(at) === at) return []
    }
  })
}
