/**
 * Farm 1: its list of watched files at the end of the build names the materials, its resources the products. Farm copies the public folder after
 * its last hook, so with one the link is made when the process exits.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import type { Compiler, JsPlugin, ResolvedUserConfig } from '@farmfe/core'
import { resolveOptions, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { beginRun, configurationFiles, importedFiles, toolFiles, usualNames, type Run } from './recorder.ts'

/** The plugin for `farm.config.ts`. */
export default function inToto(options: Options = {}): JsPlugin {
  const resolved = resolveOptions(options)
  prepare(resolved)
  let config: ResolvedUserConfig | undefined
  let run: Run | undefined
  return {
    name: 'in-toto',
    // Farm asks plugins in descending order of priority; ours comes after those of all others.
    priority: -1_000_000,
    configResolved(resolvedConfig) {
      config = resolvedConfig
      if (!resolved.disable) distrustCache(config)
    },
    buildStart: {
      // What is thrown outside a promise would crash Farm's core.
      executor: async () => {
        if (config === undefined || config.compilation?.mode === 'development') return
        run = begin(config, resolved)
      },
    },
    buildEnd: {
      executor: async (_, context) => {
        if (run === undefined || config === undefined) return
        run.modules(context?.getWatchFiles() ?? [])
        declared(run, config)
      },
    },
    configureCompiler(compiler) {
      afterWriting(compiler, (names) => {
        if (run === undefined || config === undefined) return
        run.output(outputFolder(config), names)
        run.ended()
        if (!existsSync(publicFolder(config))) void run.close() // one that fails ends the process, as a failing hook of Farm's does
      })
    },
  }
}

/**
 * Calls with the names of what was written. Farm's own hook for it hands every byte over as a number in a list: half a gigabyte for a large bundle, and
 * a third more processor for the whole build.
 */
function afterWriting(compiler: Compiler, listener: (names: readonly string[]) => void): void {
  const [resources, write] = [compiler.resources.bind(compiler), compiler.writeResourcesToDisk.bind(compiler)]
  let names: readonly string[] = []
  compiler.resources = () => {
    const found = resources()
    names = Object.keys(found)
    return found
  }
  compiler.writeResourcesToDisk = () => {
    write()
    listener(names)
  }
}

/** The persistent cache takes packages of one version for the same and would use old bytes; it has no setting against that. */
function distrustCache({ compilation }: ResolvedUserConfig): void {
  if (compilation !== undefined && compilation.mode !== 'development') compilation.persistentCache = false
}

function begin(config: ResolvedUserConfig, options: ReturnType<typeof resolveOptions>): Run | undefined {
  const root = config.root ?? process.cwd()
  const { input, output, mode } = config.compilation ?? {}
  const run = beginRun(options, {
    bundler: 'farm',
    version: farmVersion(root),
    folder: root,
    label: JSON.stringify(['farm', mode, input, output]),
    watch: Boolean(config.compilation?.watch),
    log: {
      info: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
      warn: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
    },
  })
  run?.begun()
  run?.target(outputFolder(config))
  run?.covers('watch', 'declared')
  return run
}

/** What Farm reads beside the module graph. */
function declared(run: Run, config: ResolvedUserConfig): void {
  const root = config.root ?? process.cwd()
  const { envDir = root, configFilePath } = config
  const mode = (config as { mode?: string }).mode ?? config.compilation?.mode ?? 'production'
  const usual = usualNames('farm', ['ts', 'js', 'mjs', 'cjs', 'mts', 'cts'])
  run.configuration(configFilePath ? importedFiles(configFilePath) : configurationFiles({ usual, folder: root }))
  run.configuration(['.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`].map((name) => resolve(root, envDir, name)))
  for (const file of toolFiles(root, ['postcss', 'browserslist'])) run.configuration(importedFiles(file))
  if (existsSync(publicFolder(config))) run.tree(publicFolder(config))
}

function outputFolder({ root = process.cwd(), compilation }: ResolvedUserConfig): string {
  return resolve(root, compilation?.output?.path ?? 'dist')
}

function publicFolder({ root = process.cwd(), publicDir }: ResolvedUserConfig): string {
  const folder = publicDir ?? 'public'
  return isAbsolute(folder) ? folder : join(root, folder)
}

/** Farm does not tell; its package, as the project would load it, does. */
function farmVersion(root: string): string {
  try {
    const file = createRequire(join(root, 'farm.config.js')).resolve('@farmfe/core/package.json')
    return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
