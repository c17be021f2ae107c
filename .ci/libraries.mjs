/**
 * Bundles the published libraries into their dist/: one ES module for each face that package.json names, and what faces share in chunks. Node takes
 * about a millisecond for each file that it loads, whatever is in it, and the plugin alone is loaded in every build. `tsc -b` writes the declarations.
 * Nothing is minified: what ships can be read, and source maps lead to the sources that ship beside it.
 */
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { place, sweep } from './place.mjs'
import { facesOf } from './sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Modules that lie together, where nothing else decides it. Of `intoto`, the platform's half of the keys is a file that is chosen when it is loaded:
 * what it needs itself lies apart from what needs it, so that there is no circle.
 */
const libraries = [
  {
    folder: 'packages/intoto',
    groups: [
      { name: 'base', test: /[\\/]src[\\/](errors|encoding[\\/]\w+|keys[\\/](pbes2|pkcs8|scheme|spki|subtle))\.ts$/, priority: 1 },
      { name: 'core', test: /[\\/]src[\\/](?!(?:index|node[\\/].+|keys[\\/]crypto\.\w+)\.ts$)/ },
    ],
  },
  { folder: 'packages/npm', groups: [] },
  { folder: '.', groups: [{ name: 'plugin', test: /[\\/]src[\\/](?!index\.ts$)/ }] },
]

for (const { folder, groups } of libraries) {
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(facesOf(folder).map(({ file, source }) => [file, source])),
    platform: 'neutral',
    // every name that is not a path: other packages, built-in modules, and what package.json chooses by condition
    external: /^(?![A-Za-z]:)[#@\w]/,
    preserveEntrySignatures: 'strict',
    onLog(level, log, report) {
      if (level === 'warn') throw new Error(`bundling: ${log.message}`)
      report(level, log)
    },
  })
  const { output } = await bundle.generate({
    dir: `${folder}/dist`,
    format: 'esm',
    entryFileNames: '[name].js',
    // as deep as the sources that look for package.json from where they are
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: false,
    minifyInternalExports: false,
    sourcemap: true,
    sourcemapExcludeSources: true,
    codeSplitting: { groups },
  })
  await bundle.close()
  const order = ({ type, isEntry }) => (type === 'asset' ? 0 : isEntry ? 2 : 1)
  for (const file of output.toSorted((a, b) => order(a) - order(b)))
    place(`${root}/${folder}/dist/${file.fileName}`, file.code ?? file.source)
  const names = new Set(output.map(({ fileName }) => fileName))
  sweep(`${root}/${folder}/dist`, (name) => /\.(js|js\.map|tmp)$/.test(name) && !names.has(name))
}
