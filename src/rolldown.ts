/**
 * Rolldown 1, and tools that hand their plugins to it (tsdown): Rollup's events under its own name. It keeps no list of watched files, so
 * plugins are listened to, and it calls its hooks again for each output. No resolve, load or transform hook: each would cross into Rust.
 */
import { resolve } from 'node:path'
import type { InputOptions, Plugin } from 'rolldown'
import { resolveOptions, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { beginRepeated, beginRun, commandName, configurationFiles, namedTsconfig, outputFolder, usualNames, type Run } from './recorder.ts'
import { logOf, outputLabel, surround } from './rollup.ts'
import { listenToPlugins } from './watched.ts'

/** The plugin for `rolldown.config.js` and `tsdown.config.ts`. Put it anywhere in `plugins`. */
export default function inToto(options: Options = {}): Plugin {
  const resolved = resolveOptions(options)
  prepare(resolved)
  return {
    name: 'in-toto',
    async options(input) {
      const isWatch = this.meta.watchMode
      const folder = input.cwd ?? process.cwd()
      const begin = (): Run | undefined => {
        const run = beginRun(resolved, {
          bundler: 'rolldown',
          version: this.meta.rolldownVersion,
          folder,
          label: JSON.stringify(['rolldown', input.input, input.platform]),
          watch: isWatch,
          preserveSymlinks: input.resolve?.symlinks === false,
          log: logOf(this),
        })
        run?.configuration(toolFiles())
        if (typeof input.tsconfig === 'string') run?.files(namedTsconfig(resolve(folder, input.tsconfig)))
        run?.covers('graph', 'watch', 'declared')
        return run
      }
      const repeated = beginRepeated(begin)
      if (repeated === undefined) return null
      const { run } = repeated
      const plugins = await flat(input.plugins)
      const watched = new Set<string>()
      if (run.recording) listenToPlugins(plugins, watched)
      const inputs = (): void => run.files(watched)
      return {
        ...input,
        plugins: [
          targetPlugin(run),
          ...surround(plugins as never, run, { strict: resolved.strict, inputs, again: isWatch ? repeated.again : undefined }),
        ] as never,
      }
    },
  }
}

/** Rolldown reads its inputs once for each output, and knows the output before: an earlier link there goes even if reading fails. */
function targetPlugin(run: Run): Plugin {
  return {
    name: 'in-toto:target',
    outputOptions(output) {
      const folder = outputFolder(output)
      if (folder !== undefined) run.target(folder, outputLabel(output))
      return null
    },
  }
}

type Plugins = InputOptions['plugins']

async function flat(plugins: Plugins): Promise<object[]> {
  const list = (await plugins) as unknown
  if (Array.isArray(list)) return (await Promise.all(list.map((entry) => flat(entry as Plugins)))).flat()
  return typeof list === 'object' && list !== null ? [list] : []
}

/** tsdown's bin has the name of a part of it. */
function toolFiles(): Iterable<string> {
  const tool = commandName().replace(/^(?:cli|run)$/, 'tsdown')
  if (tool !== 'rolldown' && tool !== 'tsdown') return []
  return configurationFiles({ usual: usualNames(tool, ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs']) })
}
