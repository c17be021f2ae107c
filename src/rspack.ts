/**
 * Rspack 1 and 2: webpack's events under its own name. Files are read in Rust, so bytes are guarded by the clock alone, and modules are not
 * asked one by one, since each question would cross the border to Rust.
 */
import type { Compiler, RspackPluginInstance } from '@rspack/core'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { importedFiles, takeKey, toolFiles, type Run } from './recorder.ts'
import { compilerRuns } from './webpack.ts'

/** The plugin for `rspack.config.js`. Put it anywhere in `plugins`; one instance may serve several configurations. */
export default function inToto(options: Options = {}): RspackPluginInstance {
  const resolved = resolveOptions(options)
  if (!resolved.disable) takeKey()
  return compilerPlugin(resolved)
}

/** The plugin for one compiler; `inputs` reports what a tool around Rspack reads by itself. */
export function compilerPlugin(options: ResolvedOptions, inputs: (run: Run) => void = () => undefined): RspackPluginInstance {
  const listen = (compiler: Compiler): void => {
    repairSnapshots(compiler.options)
    const runs = compilerRuns(compiler, { bundler: 'rspack', version: compiler.webpack.rspackVersion, options })
    runs.onEnd((run, compilation) => {
      run.files(compilation.buildDependencies)
      for (const file of toolFiles(compiler.context, ['postcss', 'browserslist'])) run.configuration(importedFiles(file))
      inputs(run)
    })
  }
  return { apply: (compiler) => void (options.disable || listen(compiler)) }
}

/** The persistent cache trusts `name@version` of node_modules and would use old bytes: `cache` in Rspack 2, `experiments.cache` in 1. */
function repairSnapshots(options: Compiler['options']): void {
  const { cache, experiments } = options as { cache?: unknown; experiments?: { cache?: unknown } }
  for (const store of [cache, experiments?.cache]) {
    if (typeof store !== 'object' || store === null || (store as { type?: string }).type !== 'persistent') continue
    const persistent = store as { snapshot?: object }
    persistent.snapshot = { ...persistent.snapshot, managedPaths: [], immutablePaths: [] }
  }
}
