/**
 * Bundles the command line into dist/: one small CommonJS entry and one chunk for each command, loaded when it is called. Loose modules cost more
 * than half a bare Node start in resolving alone, and a module that imports CommonJS twice a start. `tsc -b` has built the libraries before.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))

/** Built-in modules that take a tenth of a bare start to load and that few calls use: what is imported of them loads them when it is called. */
const lateModules = { 'node:child_process': ['spawn', 'spawnSync'], 'node:worker_threads': ['Worker'] }
const late = {
  name: 'late',
  resolveId: (id) => (Object.hasOwn(lateModules, id) ? `\0${id}` : null),
  load: (id) => {
    const name = id.slice(1)
    if (!id.startsWith('\0') || !Object.hasOwn(lateModules, name)) return null
    const load = `process.getBuiltinModule('${name}')`
    // A constructor that returns an object gives that object to "new".
    const lines = lateModules[name].map((member) =>
      /^[A-Z]/.test(member)
        ? `export function ${member}(...args) { return new (${load}.${member})(...args) }`
        : `export const ${member} = (...args) => ${load}.${member}(...args)`,
    )
    return lines.join('\n')
  },
}

/** What main.ts itself needs. */
const entry = 'main|failure|terminal|nearest|environment|version'
/** What brings the npm library with it, which most calls do without. */
const seldom = 'tarball|evidence|release'

const bundle = await rolldown({
  input: { intoto: at('src/main.ts') },
  platform: 'node',
  plugins: [late],
  preserveEntrySignatures: false,
  resolve: { conditionNames: ['node', 'import', 'default'] },
  transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
  onLog(level, log, report) {
    // a rendering that other modules need anyway lies in a shared chunk: nothing is lost
    if (log.code === 'INEFFECTIVE_DYNAMIC_IMPORT') return
    if (level === 'warn') throw new Error(`bundling: ${log.message}`)
    report(level, log)
  },
})
const { output } = await bundle.generate({
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: 'chunks/[name]-[hash].cjs',
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  sourcemap: false,
  // Loading a file costs more than skimming its text: what every verdict needs is one file, what most commands share another. Errors and the
  // terminal stay in the entry, which prints what went wrong.
  codeSplitting: {
    includeDependenciesRecursively: false,
    groups: [
      { name: 'library', test: /[\\/]packages[\\/]intoto[\\/]dist[\\/](?!errors\.js)/, minShareCount: 4 },
      {
        name: 'shared',
        test: new RegExp(`[\\\\/]packages[\\\\/]cli[\\\\/]src[\\\\/](?!(${entry}|verdict|product|${seldom})\\.ts)`),
        minShareCount: 3,
      },
      {
        name: 'judge',
        test: new RegExp(`[\\\\/]packages[\\\\/](cli[\\\\/]src|intoto[\\\\/]dist)[\\\\/](?!(${entry}|${seldom}|errors)\\.)`),
        minShareCount: 3,
      },
    ],
  },
})
await bundle.close()

// Chunks first, the entry that names them last, each whole or not at all; what an earlier bundle left is taken away when nobody can be about to
// load it any more. So the command works while it is being built.
mkdirSync(at('dist/chunks'), { recursive: true })
const chunks = output.filter((chunk) => chunk.type === 'chunk')
for (const { fileName, code } of chunks.toSorted((a, b) => Number(a.isEntry) - Number(b.isEntry))) place(`dist/${fileName}`, code)
// The verifier page, as it was built.
const page = (name) => readFileSync(new URL(name, import.meta.resolve('intoto-page/verifier.html')), 'utf8')
place('dist/verifier.html', page('verifier.html'))
const names = new Set(chunks.map(({ fileName }) => fileName))
for (const name of readdirSync(at('dist/chunks'))) {
  const path = at(`dist/chunks/${name}`)
  if (!names.has(`chunks/${name}`) && Date.now() - statSync(path).mtimeMs > 10 * 60_000) rmSync(path)
}

/** Writes beside the place and renames. */
function place(path, text) {
  const beside = at(`${path}.${process.pid}.tmp`)
  writeFileSync(beside, text)
  renameSync(beside, at(path))
}

// What is bundled is distributed: the licences of other people's code go with it.
const packages = new Map()
for (const id of [...chunks.flatMap((chunk) => chunk.moduleIds), ...JSON.parse(page('modules.json'))]) {
  const [, folder, name] = /^(.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+))/.exec(id) ?? []
  if (folder !== undefined) packages.set(name, folder)
}
const texts = [...packages]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, folder]) => {
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`bundling: ${name} has no licence file`)
    return `${name}\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
  })
place('dist/licenses.txt', texts.join('\n----\n\n'))
