/**
 * webpack 5: a compilation's file dependencies are its materials, its assets its products. Child compilers (HTML templates, extracted styles)
 * report through their parent, so only whole compilations are looked at. Mends webpack's persistent cache, which would otherwise use old
 * bytes for a file of equal size and date. Adds no loader and no hook on modules.
 */
import { InTotoError } from 'intoto'
import type { Compiler, WebpackPluginInstance } from 'webpack'
import { resolveOptions, type Options } from './options.ts'
import { expectTurbopack, nextFix, prepare } from './prepare.ts'
import { beginRun, configurationFiles, importedFiles, toolFiles, usualNames, type Log, type Run } from './recorder.ts'

// A configuration of Next.js makes the plugin in a function that Turbopack never calls: it is known only that somebody loaded this.
expectTurbopack()

/** The plugin for `webpack.config.js`. Put it anywhere in `plugins`; one instance may serve several configurations. */
export default function inToto(options: Options = {}): WebpackPluginInstance {
  const resolved = resolveOptions(options)
  prepare(resolved)
  const listen = (compiler: Compiler): void => {
    mendCache(compiler.options)
    const runs = compilerRuns(compiler, { bundler: 'webpack', version: compiler.webpack.version, options: resolved })
    runs.onBegin((run) => watchReads(compiler, run))
    runs.onEnd((run, compilation) => {
      run.modules(resources(compilation.modules as Iterable<{ resource?: unknown }>))
      run.files([...compilation.buildDependencies, ...records(compiler)])
      for (const file of toolFiles(compiler.context, ['babel', 'postcss', 'browserslist'])) run.configuration(importedFiles(file))
    })
  }
  return { apply: (compiler) => void (resolved.disable || listen(compiler)) }
}

/** Ids of an earlier build, where this one does not write them anew. */
function records({ recordsInputPath, recordsOutputPath }: Compiler): string[] {
  return recordsInputPath === null || recordsInputPath === recordsOutputPath ? [] : [recordsInputPath]
}

/** What both webpack and Rspack call a compilation, as far as it is needed. */
export interface FinishedCompilation {
  readonly fileDependencies: Iterable<string>
  readonly buildDependencies: Iterable<string>
  readonly modules: Iterable<unknown>
  readonly errors: readonly { readonly message: string }[]
  getAssets(): readonly { readonly name: string }[]
  getPath(path: string, data: object): string
}

interface Hook<Arguments extends readonly unknown[]> {
  tap(options: { name: string; stage?: number }, handler: (...args: Arguments) => void): void
  tapPromise(options: { name: string; stage?: number }, handler: (...args: Arguments) => Promise<void>): void
}

/** What both call a compiler. */
export interface AnyCompiler {
  readonly context: string
  readonly name?: string | undefined
  readonly outputPath: string
  readonly options: {
    readonly entry: unknown
    readonly mode?: unknown
    readonly output: { readonly filename?: unknown }
    readonly resolve: { readonly symlinks?: boolean | undefined }
    readonly resolveLoader?: { readonly alias?: object | undefined }
  }
  getInfrastructureLogger(name: string): { info(line: string): void; warn(line: string): void }
}

interface Hooks {
  readonly beforeRun: Hook<[unknown]>
  readonly watchRun: Hook<[unknown]>
  readonly emit: Hook<[FinishedCompilation]>
  readonly failed: Hook<[Error]>
  readonly done: Hook<[{ readonly compilation: FinishedCompilation; hasErrors(): boolean }]>
}

/** What is the same for all runs of one compiler. */
export interface RunSource {
  readonly bundler: string
  readonly version: string
  readonly options: ReturnType<typeof resolveOptions>
  /** The compiler's own logger unless given. */
  readonly log?: Log
}

/** Where an adapter adds what only its bundler knows. */
export interface CompilerRuns {
  onBegin(listener: (run: Run) => void): void
  onEnd(listener: (run: Run, compilation: FinishedCompilation) => void): void
}

/** After every other plugin's taps, asynchronous ones too. */
const last = { name: 'in-toto', stage: 1_000_000_000 }

/** Follows a compiler from run to run; webpack and Rspack share these hooks. */
export function compilerRuns(given: unknown, source: RunSource): CompilerRuns {
  const compiler = given as AnyCompiler & { readonly hooks: Hooks }
  const listeners: { begin: ((run: Run) => void)[]; end: ((run: Run, compilation: FinishedCompilation) => void)[] } = { begin: [], end: [] }
  let run: Run | undefined
  const begin = (watch: boolean): void => {
    run = beginCompilerRun(compiler, source, watch)
    if (run === undefined) return
    for (const listener of listeners.begin) listener(run)
    run.begun()
    if (!compiler.outputPath.includes('[')) run.target(compiler.outputPath)
    run.covers('watch', 'declared')
    run.configuration(commandFiles(source.bundler))
  }
  compiler.hooks.beforeRun.tap({ name: 'in-toto', stage: -1_000_000_000 }, () => begin(false))
  compiler.hooks.watchRun.tap({ name: 'in-toto', stage: -1_000_000_000 }, () => begin(true))
  compiler.hooks.emit.tap({ name: 'in-toto' }, (compilation) => run?.target(compilation.getPath(compiler.outputPath, {})))
  compiler.hooks.failed.tap({ name: 'in-toto' }, (error) => {
    run?.fail(error)
    void run?.close()
  })
  compiler.hooks.done.tapPromise(last, async ({ compilation, ...stats }) => {
    if (run === undefined) return
    const failed = compilation.errors.length > 0 || ('hasErrors' in stats && stats.hasErrors())
    if (failed) run.fail(compilation.errors[0]?.message.split('\n', 1)[0] ?? 'the compilation has errors')
    else {
      for (const listener of listeners.end) listener(run, compilation)
      run.files(compilation.fileDependencies)
      run.output(compilation.getPath(compiler.outputPath, {}), assetFiles(compilation))
      run.ended()
    }
    await run.close()
  })
  return { onBegin: (listener) => listeners.begin.push(listener), onEnd: (listener) => listeners.end.push(listener) }
}

function beginCompilerRun(compiler: AnyCompiler, { bundler, version, options, log }: RunSource, watch: boolean): Run | undefined {
  const logger = compiler.getInfrastructureLogger('in-toto')
  const { entry, mode, output } = compiler.options
  return beginRun(options, {
    bundler,
    version,
    folder: compiler.context,
    label: JSON.stringify([bundler, compiler.name, entry, mode, compiler.outputPath, output.filename], (_, value: unknown) =>
      typeof value === 'function' ? 'function' : value,
    ),
    watch,
    refusal: refusal(compiler),
    preserveSymlinks: compiler.options.resolve.symlinks === false,
    log: log ?? { info: (line) => logger.info(line), warn: (line) => logger.warn(line) },
  })
}

/** Pages of Next.js are rendered by processes of their own, which read what no compiler hears of: a link would leave it out. */
function refusal({ options }: AnyCompiler): InTotoError | undefined {
  if (!('next-swc-loader' in (options.resolveLoader?.alias ?? {}))) return undefined
  return new InTotoError({ code: 'E_UNSUPPORTED', message: 'builds of Next.js cannot be recorded by the plugin', fix: nextFix })
}

/** Names of assets are file names but for a query. */
function* assetFiles(compilation: FinishedCompilation): Generator<string> {
  for (const { name } of compilation.getAssets()) yield name.replace(/\?.*$/s, '')
}

/** Modules that are no files (`data:`, externals with a scheme) are named by no dependency. */
function* resources(modules: Iterable<{ resource?: unknown }>): Generator<string> {
  for (const { resource } of modules) if (typeof resource === 'string' && resource !== '') yield resource
}

/** The configuration of the command: neither bundler tells. */
function commandFiles(bundler: string): Iterable<string> {
  const usual = usualNames(bundler).flatMap((name) => [name, `.${bundler}/${name}`])
  return configurationFiles({ commands: [bundler, `${bundler}-cli`], usual, joined: bundler === 'webpack' })
}

interface CacheOptions {
  readonly snapshot: { module?: object; resolve?: object; managedPaths?: unknown[]; immutablePaths?: unknown[] }
  readonly cache: unknown
}

/** By content, not by date, and without trust in `name@version` of node_modules; and no cache that was filled in that trust, without us. */
function mendCache({ snapshot, cache }: CacheOptions): void {
  Object.assign(snapshot, { module: { hash: true }, resolve: { hash: true }, managedPaths: [], immutablePaths: [] })
  const store = cache as { type?: string; version?: string } | false
  if (typeof store === 'object' && store.type === 'filesystem') store.version = cacheVersion(store.version)
}

/** The version of a persistent cache that we were there to fill, whatever else the person has in it. */
export function cacheVersion(given: string = ''): string {
  return given.endsWith(mark) ? given : given + mark
}

const mark = '|in-toto'

type Read = (path: string, ...rest: unknown[]) => void

/** Sees the very bytes that webpack's own reads deliver; loaders that read by themselves are left to the clock. */
function watchReads(compiler: Compiler, run: Run): void {
  const system = compiler.inputFileSystem as unknown as { readFile: Read } | null
  if (system === null || !run.recording) return
  const listener = readers.get(system)
  if (listener !== undefined) {
    listener.run = run
    return
  }
  const state: { run: Run } = { run }
  const known = new WeakSet<object>()
  const { readFile } = system
  readers.set(system, state)
  system.readFile = function (this: unknown, path, ...rest) {
    const callback = rest.at(-1) as (error: unknown, content: unknown) => void
    const hearing = (error: unknown, content: unknown): void => {
      if (content instanceof Uint8Array && !known.has(content)) {
        known.add(content)
        state.run.bytes(path, content)
      }
      callback(error, content)
    }
    readFile.call(this, path, ...rest.slice(0, -1), hearing)
  }
}

/** File systems that are listened to already: several compilers may share one. */
const readers: WeakMap<object, { run: Run }> = new WeakMap()
