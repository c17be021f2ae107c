/**
 * Rspack 1 and 2: webpack's events under its own name. Files are read in Rust, so bytes are guarded by the clock alone, and modules are not
 * asked one by one, since each question would cross the border to Rust.
 */
import type { Compiler, RspackPluginInstance } from '@rspack/core'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { importedFiles, toolFiles, type Log, type Run } from './recorder.ts'
import { compilerRuns } from './webpack.ts'

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
    repairSnapshots(compiler.options)
    const runs = compilerRuns(compiler, {
      bundler: 'rspack',
      version: compiler.webpack.rspackVersion,
      options,
      ...(o.log === undefined ? {} : { log: o.log }),
    })
    runs.onEnd((run, compilation) => {
      run.files(compilation.buildDependencies)
      for (const file of toolFiles(compiler.context, ['postcss', 'browserslist'])) run.configuration(importedFiles(file))
      o.inputs?.(run)
    })
  }
  return { apply: (compiler) => void (options.disable || listen(compiler)) }
}

/**
 * The persistent cache trusts `name@version` of node_modules and would use old bytes. Its snapshots are settings of `experiments.cache` in Rspack 1,
 * of `cache` in early releases of 2, and of their own, as webpack has them, later.
 */
function repairSnapshots(options: Compiler['options']): void {
  const { cache, experiments, snapshot } = options as { cache?: unknown; experiments?: { cache?: unknown }; snapshot?: object }
  const untrusting = { managedPaths: [], immutablePaths: [] }
  for (const store of [cache, experiments?.cache]) {
    if (typeof store !== 'object' || store === null || (store as { type?: string }).type !== 'persistent') continue
    const persistent = store as { snapshot?: object }
    persistent.snapshot = { ...persistent.snapshot, ...untrusting }
    if (snapshot !== undefined) Object.assign(snapshot, untrusting, { module: { hash: true }, resolve: { hash: true } })
  }
}
