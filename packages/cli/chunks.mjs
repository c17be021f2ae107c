/**
 * Which modules go into which file of dist/, for build.mjs: what a command needs on its usual way is one file or two, and modules for the seldom
 * ways are loaded when one of their functions is called. It decides where code lies, never what it does.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

/** Built-in modules that take up to a tenth of a bare start to load and that few calls use. */
const lateBuiltins = {
  'node:child_process': ['spawn', 'spawnSync'],
  'node:os': ['availableParallelism', 'homedir', 'tmpdir'],
  'node:worker_threads': ['MessageChannel', 'Worker'],
}
/** Takes a table from one, which cannot be late. */
const isPrompt = (importer) => /[\\/]node[\\/]child\.ts$/.test(importer)

/** Modules of the library that a verdict on links alone, or a yes, does without, by the file that they are loaded as. */
const library = (names) => names.map((name) => at(`../intoto/src/${name}.ts`))
const lateModules = {
  recording: library(['node/artifacts', 'node/hash', 'node/walk', 'node/write']),
  inspecting: library(['node/inspection']),
  signing: library(['keys/signer']),
  delivery: library(['verify/product', 'verify/attested']),
  refusal: library(['verify/cause', 'verify/actor']),
  passwords: library(['keys/pbes2']),
}
const lateNames = new Map(Object.entries(lateModules).flatMap(([name, files]) => files.map((file) => [file, name])))
const mayBeLate = new RegExp(`/(?:${[...lateNames.keys()].map((file) => /([^/\\]+)\.ts$/.exec(file)[1]).join('|')})\\.ts$`)

/** Call by call: what is imported of these modules loads them when it is called. A constructor that returns an object gives that object to "new". */
function wrapper(names, load) {
  const lines = names.map((name) =>
    /^[A-Z]/.test(name)
      ? `export function ${name}(...args) { return new (${load}.${name})(...args) }`
      : `export const ${name} = (...args) => ${load}.${name}(...args)`,
  )
  return lines.join('\n')
}

/** Names that a module exports, types aside; only functions can be late. */
function functionsOf(file) {
  const text = readFileSync(file, 'utf8')
  const names = [...text.matchAll(/^export (?:async )?function (\w+)/gm)].map(([, name]) => name)
  if (names.length !== [...text.matchAll(/^export (?!interface |type )/gm)].length)
    throw new Error(`bundling: ${file} exports more than functions`)
  return names
}

/** The plugin; `isWhole` leaves the modules out altogether, to see what is needed without them. */
function late({ isWhole = false } = {}) {
  return {
    name: 'late',
    buildStart() {
      if (isWhole) return
      for (const name of Object.keys(lateModules)) this.emitFile({ type: 'chunk', id: `late:${name}`, name, preserveSignature: 'strict' })
    },
    async resolveId(id, importer) {
      if (Object.hasOwn(lateBuiltins, id)) return id === 'node:os' && isPrompt(importer) ? null : `\0${id}`
      if (id.startsWith('late:')) return importer === undefined ? `\0${id}` : { id, external: true }
      if (importer === undefined || importer.startsWith('\0late:') || !mayBeLate.test(id)) return null
      const resolved = await this.resolve(id, importer, { skipSelf: true })
      const name = lateNames.get(resolved?.id)
      return name === undefined || lateNames.get(importer) === name ? null : `\0from:${resolved.id}`
    },
    load(id) {
      if (Object.hasOwn(lateBuiltins, id.slice(1))) return wrapper(lateBuiltins[id.slice(1)], `process.getBuiltinModule('${id.slice(1)}')`)
      if (id.startsWith('\0from:')) {
        const file = id.slice('\0from:'.length)
        return isWhole ? wrapper(functionsOf(file), 'nothing') : wrapper(functionsOf(file), `require('late:${lateNames.get(file)}')`)
      }
      if (!id.startsWith('\0late:')) return null
      return lateModules[id.slice('\0late:'.length)].map((file) => `export * from ${JSON.stringify(file)}`).join('\n')
    },
  }
}

/** Modules that are loaded with some, as far as they are needed; and of the library whatever these name, needed or not, so that no file is in a circle. */
async function behind(entries, options) {
  const imports = new Map()
  const spy = { name: 'spy', moduleParsed: ({ id, importedIds }) => void imports.set(id, importedIds) }
  const bundle = await rolldown({ ...options, input: entries.map(at), plugins: [late({ isWhole: true }), spy], onLog: () => {} })
  const { output } = await bundle.generate({ format: 'cjs' })
  await bundle.close()
  const files = new Map(output.map((chunk) => [chunk.fileName, chunk]))
  const loaded = new Set(output.filter(({ isEntry }) => isEntry))
  for (const chunk of loaded) for (const name of chunk.imports) if (files.has(name)) loaded.add(files.get(name))
  const modules = new Set([...loaded].flatMap((chunk) => chunk.moduleIds))
  const isInner = (id) => id.startsWith(at('../intoto/src/')) && !id.endsWith('/index.ts')
  for (const id of modules) if (isInner(id)) for (const other of imports.get(id) ?? []) if (isInner(other)) modules.add(other)
  return modules
}

/** Everything that rolldown must be told for it, given the options that do not concern it. */
export async function planned(options) {
  const [entry, verdict, step] = await Promise.all(
    [['src/entry.ts'], ['src/main.ts', 'src/verify.ts', 'src/formats/text.ts'], ['src/run.ts']].map((entries) => behind(entries, options)),
  )
  const isOwn = (id) => !entry.has(id) && !/[\\/]tarball\.ts$/.test(id)
  const groups = [
    { name: 'judge', test: (id) => isOwn(id) && (verdict.has(id) || id.startsWith('\0from:') || Object.hasOwn(lateBuiltins, id.slice(1))) },
    { name: 'step', test: (id) => isOwn(id) && step.has(id) },
    { name: 'library', test: /[\\/]packages[\\/]intoto[\\/]src[\\/](?!errors\.ts)/, minShareCount: 2 },
    {
      name: 'shared',
      test: (id) => isOwn(id) && /[\\/]packages[\\/]cli[\\/]src[\\/](?!(?:evidence|release|commander)\.ts)/.test(id),
      minShareCount: 3,
    },
  ]
  return { plugins: [late()], codeSplitting: { includeDependenciesRecursively: false, groups } }
}

/** Puts the files in the place of the names that `require` was told. */
export function withFiles(code, chunks) {
  return code.replace(/require\((["'`])late:(\w+)\1\)/g, (_, quote, name) => {
    const file = chunks.find((chunk) => chunk.name === name && chunk.isEntry)?.fileName
    if (file === undefined) throw new Error(`bundling: there is no file for ${name}`)
    return `require(${JSON.stringify(`./${file.slice('chunks/'.length)}`)})`
  })
}
