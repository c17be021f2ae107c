/**
 * esbuild: the metafile names every input and output. Our callbacks for its end are registered while it starts, so that they come after those of
 * all other plugins. No onResolve and no onLoad: they would pre-empt other plugins' and cost a crossing for each module.
 */
import { dirname, join, resolve, sep } from 'node:path'
import type { BuildOptions, BuildResult, Plugin, PluginBuild } from 'esbuild'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { beginRun, commandName, configurationFiles, namedTsconfig, usualNames, type Run } from './recorder.ts'

/** The plugin for esbuild's `plugins`, and for tools that hand their plugins to it. */
export default function inToto(options: Options = {}): Plugin {
  const resolved = resolveOptions(options)
  prepare(resolved)
  return {
    name: 'in-toto',
    setup(build) {
      if (!resolved.disable) listen(build, resolved)
    },
  }
}

function listen(build: PluginBuild, options: ResolvedOptions): void {
  const { initialOptions } = build
  initialOptions.metafile = true
  const folder = initialOptions.absWorkingDir ?? process.cwd()
  let starts = 0
  let run: Run | undefined
  build.onEnd(() => undefined) // without one at this point esbuild never asks for more
  build.onStart(() => {
    // A second start can only be a watch, a server, or a rebuild: what follows is one link for each only where that was asked for.
    starts++
    run = begin({ build, options, folder, watch: starts > 1 })
    if (starts === 1) {
      build.onEnd(async (result) => {
        if (run !== undefined) await end(run, result, { folder, options: initialOptions })
      })
    }
  })
}

function begin({
  build,
  options,
  folder,
  watch,
}: {
  build: PluginBuild
  options: ResolvedOptions
  folder: string
  watch: boolean
}): Run | undefined {
  const { preserveSymlinks, tsconfig, inject, stdin } = build.initialOptions
  const run = beginRun(options, {
    bundler: 'esbuild',
    version: build.esbuild.version,
    folder,
    // All that is asked for: formats and platforms of one library are builds of their own, none of which repeats another.
    label: JSON.stringify(['esbuild', { ...build.initialOptions, plugins: undefined, stdin: stdin?.sourcefile }]),
    watch,
    preserveSymlinks: preserveSymlinks === true,
    configured: 'sources',
    log: {
      info: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
      warn: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
    },
  })
  if (run === undefined) return undefined
  run.begun()
  const target = outputFolder(build.initialOptions, folder)
  if (target !== undefined) run.target(target)
  run.covers('graph', 'declared')
  run.configuration(toolFiles())
  if (tsconfig !== undefined) run.files(namedTsconfig(resolve(folder, tsconfig)))
  run.files(inject ?? [], folder)
  return run
}

async function end(
  run: Run,
  { errors, metafile, outputFiles }: BuildResult,
  { folder, options }: { folder: string; options: BuildOptions },
): Promise<void> {
  if (errors.length > 0 || metafile === undefined) {
    run.fail(errors[0]?.text ?? 'esbuild gave no metafile')
    return run.close()
  }
  run.modules(inputs(metafile.inputs, folder))
  const target = outputFolder(options, folder)
  const emitted = Object.keys(metafile.outputs).map((path) => resolve(folder, path))
  if (target !== undefined)
    run.output(
      target,
      emitted.filter((path) => path.startsWith(target)).map((path) => path.slice(target.length + 1)),
    )
  run.ended()
  // With `write: false` somebody else writes, when we have nothing more to say: the link is made when the process exits.
  if (outputFiles === undefined || options.write !== false) await run.close()
}

/** esbuild's own command takes no plugins; tsup's does, and its bin has the name of a part of it. */
function toolFiles(): Iterable<string> {
  if (!['tsup', 'cli-default', 'cli-node'].includes(commandName())) return []
  return configurationFiles({ usual: [...usualNames('tsup', ['ts', 'cts', 'mts', 'js', 'cjs', 'mjs']), 'tsup.config.json'] })
}

/** Keys are paths relative to the working folder, or `namespace:path` for what plugins made. */
function* inputs(given: object, folder: string): Generator<string> {
  for (const key of Object.keys(given)) {
    if (/^[\w-]{2,}:|^\(disabled\):|^</.test(key)) yield key
    // Such a key is clean as it is, and taking paths apart costs as much as looking at the file.
    else yield sep === '/' && !key.startsWith('.') ? `${folder}/${key}` : join(folder, key)
  }
}

function outputFolder({ outdir, outfile }: BuildOptions, folder: string): string | undefined {
  if (outdir !== undefined) return resolve(folder, outdir)
  return outfile === undefined ? undefined : dirname(resolve(folder, outfile))
}
