/**
 * Rollup 4: which of its events name a material, which a product. The plugin that a person configures only opens a run in the `options` hook,
 * once for each call of `rollup()`, and adds a second plugin behind all others: so a run is never mixed with another one's, and really nobody
 * comes after. No resolve, load or transform hook: they would cost and could change the build.
 */
import { resolve } from 'node:path'
import type { InputOptions, NormalizedOutputOptions, OutputBundle, OutputOptions, Plugin } from 'rollup'
import { resolveOptions, type Options, type ResolvedOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { beginRun, configurationFiles, outputFolder, usualNames, type Frame, type Log, type Run } from './recorder.ts'

/** The plugin for `rollup.config.js`. Put it anywhere in `plugins`. */
export default function inToto(options: Options = {}): Plugin {
  return rollupPlugin(resolveOptions(options))
}

/** The plugin for a build that a framework started. */
export function rollupPlugin(resolved: ResolvedOptions, host: { frame?: Frame; folder?: string } = {}): Plugin {
  prepare(resolved)
  return {
    name: 'in-toto',
    options(input) {
      const outputs = [(input as { output?: OutputOptions | OutputOptions[] }).output ?? []].flat()
      const run = beginRun(resolved, {
        bundler: 'rollup',
        version: this.meta.rollupVersion,
        folder: host.folder ?? process.cwd(),
        label: JSON.stringify(['rollup', input.input, outputs.map(({ dir, file, format }) => [dir, file, format])]),
        watch: this.meta.watchMode,
        targets: outputs.flatMap((output) => outputFolder(output) ?? []),
        preserveSymlinks: input.preserveSymlinks === true,
        frame: host.frame,
        log: logOf(this),
      })
      if (run === undefined) return null
      run.configuration(configurationFiles({ commands: ['rollup'], usual: usualNames('rollup', ['mjs', 'cjs', 'js']), asked: true }))
      run.covers('graph', 'watch', 'declared')
      return { ...input, plugins: surround(input.plugins, run, resolved) }
    },
  }
}

/** How a run is to be recorded. */
export interface Recording {
  readonly strict: boolean
  /** Reports further inputs: called when the inputs of an output are read, with the ids of all modules, and when the run ends. */
  readonly inputs?: (ids?: Iterable<string>) => void
  /** Begins another run: called when a watch builds again with the same plugins. */
  readonly again?: (() => void) | undefined
}

/** The recording plugin behind all others, and one before them that sees the bundle being closed and, with `strict`, texts as they were read. */
export function surround(plugins: InputOptions['plugins'], run: Run, o: Recording): Plugin[] {
  return [firstPlugin(run, o), plugins, recordingPlugin(run, o.inputs)] as Plugin[]
}

/** Where hooks of plugins print; both sorts of context have it. */
export function logOf(context: { info(line: string): void; warn(line: string): void }): Log {
  return { info: (line) => context.info(line), warn: (line) => context.warn(line) }
}

/** Outputs are counted from the first hook of rendering to the last of writing: a difference at the end is an output that failed. */
function recordingPlugin(run: Run, inputs: NonNullable<Recording['inputs']> = () => undefined): Plugin {
  return {
    name: 'in-toto',
    buildEnd: {
      order: 'post',
      sequential: true,
      handler(error) {
        if (error) return run.fail(error)
        const ids = [...this.getModuleIds()]
        inputs(ids)
        run.modules(ids)
        if (typeof this.getWatchFiles === 'function') run.files(this.getWatchFiles())
      },
    },
    renderStart: {
      order: 'pre',
      sequential: true,
      handler(output) {
        run.begun()
        targetOf(run, output)
      },
    },
    renderError: (error) => run.fail(error ?? 'an output could not be rendered'),
    generateBundle: {
      order: 'post',
      handler(_, bundle, isWrite) {
        run.files(originalFiles(bundle))
        if (!isWrite) run.ended()
      },
    },
    writeBundle: {
      order: 'post',
      sequential: true,
      handler(output, bundle) {
        writtenOf(run, output, bundle)
        run.ended()
      },
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler(error?: Error) {
        if (error) run.fail(error)
        else inputs()
        await run.close()
      },
    },
  }
}

/** Sources of emitted assets: images, fonts, what style sheets refer to. */
export function* originalFiles(bundle: OutputBundle): Generator<string> {
  for (const file of Object.values(bundle)) {
    if (file.type === 'asset') yield* file.originalFileNames ?? []
  }
}

/** Files that hold one text from disk to bundle unless a plugin says otherwise. */
const textual = /^[^\0?]+\.(?:[cm]?[jt]sx?|json|css|scss|sass|less|styl|vue|svelte|html)$/

function firstPlugin(run: Run, { strict, again }: Recording): Plugin {
  const transform: Plugin['transform'] = {
    order: 'pre',
    handler(code, id) {
      if (textual.test(id)) run.text(id, code)
      return null
    },
  }
  const closeBundle: Plugin['closeBundle'] = { order: 'pre', handler: () => run.closing() }
  return {
    name: 'in-toto',
    closeBundle,
    ...(strict && run.recording ? { transform } : {}),
    ...(again === undefined ? {} : rebuilds(again)),
  }
}

/** A changed file, then the first hook of a build: with several outputs the hooks of one build are called for each. */
function rebuilds(again: () => void): Pick<Plugin, 'watchChange' | 'buildStart'> {
  let isChanged = false
  const buildStart: Plugin['buildStart'] = {
    order: 'pre',
    handler() {
      if (isChanged) again()
      isChanged = false
    },
  }
  return { watchChange: () => void (isChanged = true), buildStart }
}

/** What tells an output from others of the same folder, as far as it is text: formats of one library may be builds of their own. */
export function outputLabel({ file, format, name, entryFileNames, chunkFileNames }: OutputLabel): string {
  return JSON.stringify([file, format, name, entryFileNames, chunkFileNames])
}

type OutputLabel = Readonly<Partial<Record<'file' | 'format' | 'name' | 'entryFileNames' | 'chunkFileNames', unknown>>>

function targetOf(run: Run, output: Pick<OutputOptions, 'dir' | 'file'>): void {
  const folder = outputFolder(output)
  if (folder !== undefined) run.target(folder, outputLabel(output))
}

function writtenOf(run: Run, output: NormalizedOutputOptions, bundle: OutputBundle): void {
  const folder = outputFolder(output)
  if (folder !== undefined) run.output(resolve(folder), Object.keys(bundle))
}
