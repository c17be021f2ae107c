/**
 * Bundles the command line into dist/: one small CommonJS entry and one chunk for each command, loaded when it is called. Loose modules cost more
 * than half a bare Node start in resolving alone, and a module that imports CommonJS twice a start. It reads the sources, its own and
 * those of the libraries.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { place, sweep } from '../../.ci/place.mjs'
import { sourcesFor } from '../../.ci/sources.mjs'
import { planned, withFiles } from './chunks.mjs'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))

const options = {
  platform: 'node',
  resolve: { conditionNames: ['node', 'import', 'default'], alias: { ...sourcesFor('node'), 'intoto-page$': at('../page/src/index.ts') } },
  transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
}
const { plugins, codeSplitting } = await planned(options)
const bundle = await rolldown({
  ...options,
  input: { intoto: at('src/entry.ts') },
  plugins,
  preserveEntrySignatures: false,
  onLog(level, log, report) {
    // a rendering that other modules need anyway lies in a shared chunk: nothing is lost
    if (log.code === 'INEFFECTIVE_DYNAMIC_IMPORT') return
    if (level === 'warn') throw new Error(`bundling: ${log.message}`)
    report(level, log)
  },
})
const { output } = await bundle.generate({
  format: 'cjs',
  entryFileNames: ({ name }) => (name === 'intoto' ? '[name].cjs' : 'chunks/[name]-[hash].cjs'),
  chunkFileNames: 'chunks/[name]-[hash].cjs',
  minify: { compress: true, mangle: { toplevel: false, keepNames: { function: true, class: true } }, codegen: { removeWhitespace: true } },
  sourcemap: false,
  codeSplitting,
})
await bundle.close()

// Chunks first, the entry that names them last. So the command works while it is being built.
const chunks = output.filter((chunk) => chunk.type === 'chunk')
const order = ({ name }) => (name === 'intoto' ? 1 : 0)
for (const { fileName, name, code } of chunks.toSorted((a, b) => order(a) - order(b))) {
  const text = withFiles(code, chunks)
  place(at(`dist/${fileName}`), inAscii(['intoto', 'judge'].includes(name) ? withHelpers(text, name) : text))
}
// The verifier page, as it was built.
const page = (name) => readFileSync(new URL(name, import.meta.resolve('intoto-page/verifier.html')), 'utf8')
place(at('dist/verifier.html'), page('verifier.html'))
const names = new Set(chunks.map(({ fileName }) => fileName))
sweep(at('dist/chunks'), (name) => !names.has(`chunks/${name}`))

/** The bundler's own helpers where they are used, in place of a file that each start would have to find. The entry names them and uses none. */
function withHelpers(code, name) {
  const helpers = chunks.find((chunk) => chunk.name === 'rolldown-runtime').code
  const inPlace = name === 'judge' ? `(exports=>{${helpers};return exports})({})` : 'void 0'
  return code.replace(/require\("[./]+(?:chunks\/)?rolldown-runtime-[\w-]+\.cjs"\)/, () => inPlace)
}

/** Node reads ASCII faster, and keeps it in half the memory. Nothing of ours asks for the raw text of a template, where an escape would show. */
function inAscii(code) {
  return code.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
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
place(at('dist/licenses.txt'), texts.join('\n----\n\n'))
