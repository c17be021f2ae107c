/**
 * A layout as code: a module whose default export is a layout, or a function that makes one. For `intoto layout new --from`. The module is the
 * person's own and is run as such, by name only; nothing is searched for. TypeScript is left to Node, or to a compiler that the project has.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InTotoError, type Layout, parseLayout, type Problem } from 'intoto'
import { exitCodes, failureLines, misuse } from './failure.ts'
import { complain, createColors } from './terminal.ts'

/**
 * The layout that a module makes.
 * @throws InTotoError E_CONFIG when it can't be loaded, or exports something else; E_LAYOUT_INVALID
 */
export async function layoutOf(file: string): Promise<Layout> {
  const left = (code: number): void => leftBy(file, code)
  process.once('exit', left)
  try {
    const made = await evaluated(await loaded(file), file)
    if (typeof made !== 'object' || made === null)
      throw misuse(`${file}: its default export is no layout`, 'export default defineLayout({ … }), from "intoto"')
    return parseLayout(made)
  } finally {
    process.off('exit', left)
  }
}

/** A module that ends the process itself would end it well, and without a layout. */
function leftBy(file: string, code: number): void {
  if (code !== exitCodes.ok) return
  const error = misuse(`${file}: it ended the process before it exported a layout`, 'take process.exit out of the module')
  for (const line of failureLines(error, { paint: createColors(false), debug: false })) complain(line)
  process.exitCode = exitCodes.usage
}

async function evaluated(module: { default?: unknown }, file: string): Promise<unknown> {
  try {
    return await (typeof module.default === 'function' ? (module.default as () => unknown)() : module.default)
  } catch (cause) {
    throw failed(file, cause)
  }
}

async function loaded(file: string): Promise<{ default?: unknown }> {
  const path = resolve(file)
  try {
    readFileSync(path)
  } catch {
    throw misuse(`layout new: there is no module "${file}"`, '--from intoto.layout.ts')
  }
  try {
    return /\.[cm]?ts$/.test(path) && !readsTypeScript ? await compiled(path) : await imported(path)
  } catch (cause) {
    throw failed(file, cause)
  }
}

/** A module that is loaded twice is run twice: it may have been changed since. */
async function imported(path: string): Promise<{ default?: unknown }> {
  return (await import(`${pathToFileURL(path).href}?${Date.now()}`)) as { default?: unknown }
}

/** Node without TypeScript: the types are taken out by whichever compiler the project has, into a file beside it, which is gone afterwards. */
async function compiled(path: string): Promise<{ default?: unknown }> {
  const code = await withoutTypes(readFileSync(path, 'utf8'), path)
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}.mjs`)
  writeFileSync(beside, code, { flag: 'wx' })
  try {
    return await imported(beside)
  } finally {
    rmSync(beside, { force: true })
  }
}

/** Since 22.18 without a flag; the declarations of Node 20 do not know it. */
const readsTypeScript: boolean = Boolean((process.features as { typescript?: unknown }).typescript)

interface Compiler {
  transform?: (code: string, o: { loader: 'ts'; format: 'esm' }) => Promise<{ code: string }>
  transformWithOxc?: (code: string, file: string) => Promise<{ code: string }>
  transformWithEsbuild?: (code: string, file: string) => Promise<{ code: string }>
  transpileModule?: (code: string, o: object) => { outputText: string }
}

/** esbuild, Vite (which brings a compiler) or TypeScript, from the folder of the module. */
async function withoutTypes(code: string, path: string): Promise<string> {
  const find = createRequire(path)
  for (const name of ['esbuild', 'vite', 'typescript']) {
    try {
      const found = (await import(pathToFileURL(find.resolve(name)).href)) as Compiler & { default?: Compiler }
      const compiler = { ...found.default, ...found }
      if (name === 'esbuild' && compiler.transform !== undefined)
        return (await compiler.transform(code, { loader: 'ts', format: 'esm' })).code
      const viaVite = compiler.transformWithOxc ?? compiler.transformWithEsbuild
      if (viaVite !== undefined) return (await viaVite(code, path)).code
      if (compiler.transpileModule !== undefined)
        return compiler.transpileModule(code, { compilerOptions: { module: 99, target: 9, verbatimModuleSyntax: true } }).outputText
    } catch (error) {
      const { code: reason } = error as NodeJS.ErrnoException
      if (reason !== 'MODULE_NOT_FOUND' && reason !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error
    }
  }
  throw misuse(`Node ${process.versions.node} reads no TypeScript, and neither esbuild, Vite nor TypeScript is installed here`, [
    `write it as JavaScript (${basename(path).replace(/ts$/, 'js')}), or take Node 22.18 or later`,
  ])
}

/** What the module itself threw is told in its first line, without the trace. */
function failed(file: string, cause: unknown): InTotoError {
  if (cause instanceof InTotoError) return cause
  // The module has its own copy of the library, whose errors are of another class.
  const { problem } = (cause ?? {}) as { problem?: Problem }
  if (problem !== undefined) return new InTotoError({ ...problem, file }, { cause })
  const said = cause instanceof Error ? `${cause.name}: ${cause.message.split('\n')[0]}` : String(cause)
  return new InTotoError({ code: 'E_CONFIG', file, message: `${file}: ${said}`, fix: 'correct the module; --debug shows where' }, { cause })
}
