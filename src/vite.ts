/**
 * Vite 5 to 8: Rollup's events (which Rolldown has too), and what Vite reads beside the module graph: its configuration, .env files, the public
 * folder, workers, style sheets' imports and assets. Applied to builds only. It leaves every emitted byte as it is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { walkFiles } from 'intoto/node'
import type { Plugin, ResolvedConfig } from 'vite'
import { detectFrame } from './framework.ts'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { aliasResolver, beginRepeated, beginRun, importedFiles, namedFiles, toolFiles, type Frame, type Run } from './recorder.ts'
import { originalFiles, outputLabel, surround } from './rollup.ts'
import { listenToPlugins } from './watched.ts'

/** Inputs that are learned outside of the run's own hooks. */
interface Collected {
  readonly modules: Set<string>
  readonly files: Set<string>
}

/** The plugin for `vite.config.ts`. Put it last in `plugins`. */
export default function inToto(options: Options = {}): Plugin {
  return vitePlugin(resolveOptions(options))
}

/** The plugin for a build that a framework started, whose entry knows more of it than Vite does; SvelteKit and VitePress are found by their plugins. */
export function vitePlugin(resolved: ResolvedOptions, given?: Frame): Plugin {
  prepare(resolved)
  const collected: Collected = { modules: new Set(), files: new Set() }
  let config: ResolvedConfig
  let version = 'unknown'
  let frame = given
  return {
    name: 'in-toto',
    apply: 'build',
    enforce: 'post',
    config: () => (resolved.disable ? {} : { worker: { plugins: () => [workerPlugin(collected)] } }),
    configResolved(resolvedConfig) {
      config = resolvedConfig
      version = viteVersion() ?? version
      if (resolved.disable) return
      frame ??= detectFrame(config)
      watchPlugins(config, collected)
    },
    options(input) {
      const environment = this.environment as Partial<typeof this.environment> | undefined
      const { build, resolve: resolution } = environment?.config ?? config
      const outDir = resolve(config.root, build.outDir)
      const isWatch = this.meta.watchMode || Boolean(build.watch)
      const begin = (): Run | undefined => {
        const run = beginRun(resolved, {
          bundler: 'vite',
          version: this.meta.viteVersion ?? version,
          folder: config.root,
          label: JSON.stringify(['vite', config.configFile, config.mode, environment?.name, outDir, input.input, outputsOf(build)]),
          watch: isWatch,
          targets: build.write ? [outDir] : [],
          preserveSymlinks: resolution.preserveSymlinks,
          alias: aliasResolver(resolution.alias, [config.publicDir, config.root]),
          frame,
          searched: /^[56]\./.test(version)
            ? /\.(?:html|[cm]?[jt]sx?|css|scss|sass|less|styl|stylus|pcss|vue|svelte|astro)$/
            : /\.(?:html|less)$/,
          log: { info: (line) => config.logger.info(`[in-toto] ${line}`), warn: (line) => config.logger.warn(`[in-toto] ${line}`) },
        })
        if (run === undefined) return undefined
        declared(run, config)
        run.note('mode', config.mode)
        run.covers('graph', 'watch', 'declared')
        return run
      }
      const repeated = beginRepeated(begin)
      if (repeated === undefined) return null
      const { run } = repeated
      const inputs = (ids: Iterable<string> = []): void => {
        hand(run, config, collected, build.copyPublicDir)
        if (build.copyPublicDir && build.write) copied(run, config, outDir)
        if (!build.copyPublicDir) run.files(publicFiles([...ids, ...collected.modules], config))
      }
      return {
        ...input,
        plugins: surround(input.plugins as never, run, {
          strict: resolved.strict,
          inputs,
          again: isWatch ? repeated.again : undefined,
        }) as never,
      }
    },
  }
}

/** Formats of one library may be builds of their own, none of which repeats another. */
function outputsOf({ lib, rollupOptions }: ResolvedConfig['build']): unknown {
  const outputs = [rollupOptions.output ?? []].flat().map((output) => [output.dir, outputLabel(output)])
  return lib ? [lib.formats, lib.name, lib.fileName, outputs] : outputs
}

/** What was read before the first module: the configuration and what it imports, .env files. */
function declared(run: Run, { configFile, configFileDependencies, envDir, mode }: ResolvedConfig): void {
  if (configFile !== undefined) {
    // Only the loader that bundles the configuration lists all of it, the file itself included, but for what it leaves to Node: packages, the workspace's too.
    const isWhole = configFileDependencies.some((path) => resolve(path) === resolve(configFile))
    const own = configFileDependencies.filter((path) => !path.includes('/node_modules/'))
    run.configuration([...configFileDependencies, ...(isWhole ? namedFiles(...own) : importedFiles(configFile))])
  }
  if (typeof envDir !== 'string') return
  run.configuration(['.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`].map((name) => join(envDir, name)))
}

/** What is only known at the end. */
function hand(run: Run, config: ResolvedConfig, collected: Collected, hasPublic: boolean): void {
  run.modules(collected.modules)
  run.files(collected.files)
  if (hasPublic && config.publicDir !== '') run.tree(config.publicDir)
  const postcss = postcssFiles(config)
  for (const file of [...postcss, ...toolFiles(config.root, toolsOf(config, postcss.length > 0))]) run.configuration(importedFiles(file))
}

/** Vite names no file that it copies. A folder that holds the sources is not looked through for them. */
function copied(run: Run, { publicDir, root }: ResolvedConfig, outDir: string): void {
  if (publicDir === '' || !existsSync(publicDir) || !`${root}/`.startsWith(join(outDir, '/').replaceAll('\\', '/'))) return
  run.output(outDir, walkFiles(publicDir))
}

/** Modules of the public folder, whose ids are paths of the site: it is no input as a whole where it is not copied. */
function publicFiles(ids: readonly string[], { publicDir, root }: ResolvedConfig): string[] {
  if (publicDir === '') return []
  const queried = ids.filter((id) => id.startsWith('/') && id.includes('?') && !id.startsWith(`${root}/`))
  return queried.map((id) => join(publicDir, id.replace(/[?#].*$/s, '')))
}

/** PostCSS's configuration, from where it is looked for; there it may stand in package.json as well. */
function postcssFiles({ root, css: { postcss } }: ResolvedConfig): string[] {
  if (typeof postcss === 'object') return []
  const folder = postcss === undefined ? root : resolve(postcss)
  return [...toolFiles(folder, ['postcss']), ...(postcss === undefined ? [] : [join(folder, 'package.json')])]
}

/** Tools that find their configuration by its name, and whose plugins do not tell Vite of it. */
const toolsByPlugin: readonly (readonly [plugin: RegExp, tools: readonly string[]])[] = [
  [/babel|react|solid|preact|legacy/, ['babel', 'browserslist']],
  [/svelte/, ['svelte']],
  [/unocss/, ['uno', 'unocss']],
  [/swc/, ['swc']],
]

function toolsOf({ plugins }: ResolvedConfig, hasPostcss: boolean): string[] {
  const byPlugin = toolsByPlugin.filter(([name]) => plugins.some((plugin) => name.test(plugin.name) && !plugin.name.startsWith('vite:')))
  return [...new Set([...(hasPostcss ? ['browserslist'] : []), ...byPlugin.flatMap(([, tools]) => tools)])]
}

/** Workers are built apart from the page, by plugins of their own. */
function workerPlugin(collected: Collected): Plugin {
  return {
    name: 'in-toto:worker',
    configResolved: (config) => watchPlugins(config, collected),
    buildEnd(error) {
      if (error) return
      const { getWatchFiles } = this as { getWatchFiles?: () => string[] }
      for (const id of this.getModuleIds()) collected.modules.add(id)
      for (const path of getWatchFiles?.call(this) ?? []) collected.files.add(path)
    },
    generateBundle(_, bundle) {
      for (const path of originalFiles(bundle as never)) collected.files.add(path)
    },
  }
}

/** Vite 8 has no list of watched files: style sheets' imports, assets of url() and a worker's dependencies are told in no other way. */
function watchPlugins(config: ResolvedConfig, { files }: Collected): void {
  if ('rolldownOptions' in config.build) listenToPlugins(config.plugins as Plugin[], files)
}

/** Vite 5 and 6 do not tell their version, but it is one of their files that calls us. */
function viteVersion(): string | undefined {
  const file = /(?:file:\/\/)?((?:[A-Za-z]:)?[\\/][^\n()]*?)[\\/]dist[\\/]node[\\/]/.exec(new Error().stack ?? '')?.[1]
  try {
    return (JSON.parse(readFileSync(join(decodeURI(file ?? ''), 'package.json'), 'utf8')) as { version?: string }).version
  } catch {
    return undefined
  }
}
