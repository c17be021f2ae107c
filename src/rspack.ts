/**
 * Rspack 1 and 2: webpack's events under its own name. Files are read in Rust, so bytes are guarded by the clock alone, and modules are not
 * asked one by one, since each question would cross the border to Rust.
 */
import type { Compiler, RspackPluginInstance } from '@rspack/core'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { importedFiles, toolFiles, type Log, type Run } from './recorder.ts'
import { cacheVersion, compilerRuns } from './webpack.ts'

/** The plugin for `rspack.config.js`. Put it anywhere in `plugins`; one instance may serve several configurations. */
export default function inToto(options: Options = {}): RspackPluginInstance {
  const resolved = resolveOptions(options)
  prepare(resolved)
  return compilerPlugin(resolved)
}

/** A tool around Rspack: what it reads by itself, and where it prints. */
export interface Surrounding {
  readonly inputs?: (run: Run) => void
  readonly log?: Log
}

/** The plugin for one compiler. */
export function compilerPlugin(options: ResolvedOptions, o: Surrounding = {}): RspackPluginInstance {
  const listen = (compiler: Compiler): void => {
    mendCache(compiler.options)
    const runs = compilerRuns(compiler, {
      bundler: 'rspack',
      version: compiler.webpack.rspackVersion,
      options,
      ...(o.log === undefined ? {} : { log: o.log }),
    })
    const read = readFiles(compiler)
    runs.onEnd((run, compilation) => {
      run.files([...compilation.buildDependencies, ...read, ...icons(compiler.options)])
      for (const file of toolFiles(compiler.context, ['postcss', 'browserslist'])) run.configuration(importedFiles(file))
      o.inputs?.(run)
    })
  }
  return { apply: (compiler) => void (options.disable || listen(compiler)) }
}

/** What JavaScript reads by the compiler's file system: icons of Rsbuild, which tells nobody. Modules are read in Rust, so that there is no call for each. */
function readFiles({ inputFileSystem }: Compiler): Set<string> {
  const found = new Set<string>()
  const system = inputFileSystem as unknown as { readFile: (path: unknown, ...rest: unknown[]) => void } | null
  if (system === null) return found
  const readFile = system.readFile.bind(system)
  system.readFile = (path, ...rest) => {
    if (typeof path === 'string') found.add(path)
    readFile(path, ...rest)
  }
  return found
}

/** Icons of pages, which Rspack reads by itself. */
function icons({ plugins }: Compiler['options']): string[] {
  return (plugins as readonly unknown[]).flatMap((plugin) => {
    const { name, _args } = (plugin ?? {}) as { name?: unknown; _args?: readonly ({ favicon?: unknown } | undefined)[] }
    const favicon = name === 'HtmlRspackPlugin' ? _args?.[0]?.favicon : undefined
    return typeof favicon === 'string' ? [favicon] : []
  })
}

/**
 * The persistent cache trusts `name@version` of node_modules and would use old bytes. Its snapshots are settings of `experiments.cache` in Rspack 1,
 * of `cache` in early releases of 2, and of their own, as webpack has them, later. One that was filled without us was filled in that trust: it has
 * another version and is not read.
 */
function mendCache(options: Compiler['options']): void {
  const { cache, experiments, snapshot } = options as { cache?: unknown; experiments?: { cache?: unknown }; snapshot?: object }
  const untrusting = { managedPaths: [], immutablePaths: [] }
  for (const store of [cache, experiments?.cache]) {
    if (typeof store !== 'object' || store === null || (store as { type?: string }).type !== 'persistent') continue
    const persistent = store as { snapshot?: object; version?: string }
    persistent.snapshot = { ...persistent.snapshot, ...untrusting }
    persistent.version = cacheVersion(persistent.version)
    if (snapshot !== undefined) Object.assign(snapshot, untrusting, { module: { hash: true }, resolve: { hash: true } })
  }
}
