/**
 * Bundles the command line into dist/: one small CommonJS entry and one chunk for each command, loaded when it is called. Loose modules cost more
 * than half a bare Node start in resolving alone, and a module that imports CommonJS twice a start. `tsc -b` has built the libraries before.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))

// What tsc wrote (types, build info) stays, what an earlier bundle wrote goes.
for (const name of readdirSync(at('.'), { withFileTypes: true }).some((e) => e.name === 'dist') ? readdirSync(at('dist')) : []) {
  if (name.endsWith('.cjs') || name.endsWith('.map') || name === 'chunks') rmSync(at(`dist/${name}`), { recursive: true })
}

/** Loading node:child_process takes a tenth of a bare start, and few calls start a process: its functions load it when they are called. */
const lateProcesses = {
  name: 'late-processes',
  resolveId: (id) => (id === 'node:child_process' ? '\0child-process' : null),
  load: (id) => {
    if (id !== '\0child-process') return null
    const names = ['spawn', 'spawnSync']
    return names
      .map((name) => `export const ${name} = (...args) => process.getBuiltinModule('node:child_process').${name}(...args)`)
      .join('\n')
  },
}

/** What main.ts itself needs. */
const entry = 'main|failure|terminal|nearest|environment|version'

const bundle = await rolldown({
  input: { intoto: at('src/main.ts') },
  platform: 'node',
  plugins: [lateProcesses],
  preserveEntrySignatures: false,
  resolve: { conditionNames: ['node', 'import', 'default'] },
  transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
  onLog(level, log, report) {
    if (level === 'warn') throw new Error(`bundling: ${log.message}`)
    report(level, log)
  },
})
const { output } = await bundle.write({
  dir: at('dist'),
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
        test: new RegExp(`[\\\\/]packages[\\\\/]cli[\\\\/]src[\\\\/](?!(${entry}|verdict|product)\\.ts)`),
        minShareCount: 3,
      },
      {
        name: 'judge',
        test: new RegExp(`[\\\\/]packages[\\\\/](cli[\\\\/]src|intoto[\\\\/]dist)[\\\\/](?!(${entry}|errors)\\.)`),
        minShareCount: 3,
      },
    ],
  },
})
await bundle.close()

// What is bundled is distributed: the licences of other people's code go with it.
const packages = new Map()
for (const id of output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []))) {
  const [, folder, name] = /^(.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+))/.exec(id) ?? []
  if (folder !== undefined) packages.set(name, folder)
}
const texts = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  if (file === undefined) throw new Error(`bundling: ${name} has no licence file`)
  return `${name}\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
})
writeFileSync(at('dist/licenses.txt'), texts.join('\n----\n\n'))
