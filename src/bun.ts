/**
 * Bun's bundler: the metafile and what passes its load filter name the materials, its outputs the products. The metafile alone leaves out a module
 * that is loaded and then dropped, so loads are listened to; nothing is answered, and Bun goes on as if nobody had asked.
 */
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { beginRun, macroFiles, namedTsconfig, type Run } from './recorder.ts'

/** What `Bun.build` hands to the setup of a plugin, as far as it is needed (Bun's own types are global and not ours to load). */
export interface BunBuild {
  readonly config: {
    readonly entrypoints: readonly string[]
    readonly outdir?: string
    readonly root?: string
    readonly format?: string
    readonly target?: string
    readonly naming?: unknown
    readonly minify?: unknown
    readonly tsconfig?: string
    metafile?: unknown
  }
  onStart(callback: () => void): unknown
  onLoad(filter: { filter: RegExp; namespace?: string }, callback: (file: { path: string }) => undefined): unknown
  onEnd(callback: (result: BunResult) => Promise<void>): unknown
}

/** What `Bun.build` ends with. */
export interface BunResult {
  readonly success: boolean
  readonly outputs: readonly { readonly path: string }[]
  readonly logs: readonly unknown[]
  readonly metafile?: { readonly inputs: Readonly<Record<string, { readonly imports?: readonly { path: string; external?: boolean }[] }>> }
}

/** A plugin as `Bun.build` takes it. */
export interface BunPlugin {
  readonly name: string
  setup(build: BunBuild): void
}

/** The plugin for `Bun.build`. */
export default function inToto(options: Options = {}): BunPlugin {
  const resolved = resolveOptions(options)
  prepare(resolved)
  return { name: 'in-toto', setup: (build) => void (resolved.disable || listen(build, resolved)) }
}

function listen(build: BunBuild, options: ResolvedOptions): void {
  const folder = process.cwd()
  const { config } = build
  config.metafile ??= true
  const loaded = new Set<string>()
  const run = begin(config, options, folder)
  if (run === undefined) return
  if (run.recording) build.onLoad({ filter: /./, namespace: 'file' }, ({ path }) => void loaded.add(path))
  build.onEnd(async (result) => {
    if (result.success) end(run, result, { folder, loaded, outdir: config.outdir })
    else run.fail(result.logs[0] ?? 'the build failed')
    await run.close()
  })
}

function begin(config: BunBuild['config'], options: ResolvedOptions, folder: string): Run | undefined {
  const { entrypoints, outdir, format, target, naming, minify, tsconfig } = config
  const run = beginRun(options, {
    bundler: 'bun',
    version: process.versions['bun'] ?? 'unknown',
    folder,
    label: JSON.stringify(['bun', entrypoints, outdir, format, target, naming, minify]),
    watch: false,
    configured: 'packages',
    log: {
      info: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
      warn: (line) => void process.stderr.write(`[in-toto] ${line}\n`),
    },
  })
  if (run === undefined) return undefined
  run.begun()
  if (outdir !== undefined) run.target(resolve(folder, outdir))
  run.covers('graph', 'declared')
  run.configuration(runtimeFiles(folder))
  if (tsconfig !== undefined) run.files(namedTsconfig(resolve(folder, tsconfig)))
  return run
}

/** What Bun itself reads before the script runs; variables of .env files end up in bundles by `env: 'inline'`. */
function runtimeFiles(folder: string): string[] {
  const mode = process.env['NODE_ENV'] ?? 'development'
  return ['bunfig.toml', '.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`].map((name) => join(folder, name))
}

function end(run: Run, { outputs, metafile }: BunResult, o: { folder: string; loaded: Set<string>; outdir: string | undefined }): void {
  run.modules(o.loaded)
  const inputs = metafile?.inputs ?? {}
  run.modules(Object.keys(inputs).map((key) => (/^[\w-]{2,}:/.test(key) ? key : join(o.folder, key))))
  // A macro is listed as an external import; packages may run none.
  const mayRun = Object.keys(inputs).filter((key) => !key.includes('node_modules/') && inputs[key]?.imports?.some(isForeign) === true)
  run.files(macroFiles(...mayRun.map((key) => join(o.folder, key))))
  if (o.outdir !== undefined) {
    const target = resolve(o.folder, o.outdir)
    const emitted = outputs.map(({ path }) => resolve(o.folder, path)).filter((path) => path.startsWith(target))
    run.output(
      target,
      emitted.map((path) => path.slice(target.length + 1)),
    )
  }
  run.ended()
}

function isForeign({ path, external }: { readonly path: string; readonly external?: boolean }): boolean {
  return external === true && !isBuiltin(path)
}
