/**
 * Style sheets and assets for Rollup and Rolldown, which have neither: esbuild bundles each sheet that a module imports, and the plugin tells which
 * files that took. Types are taken out of TypeScript on the way, for Rollup.
 */
import { basename } from 'node:path'
import { build, transform } from 'esbuild'

/** The plugin, for either of the two. */
export function styles() {
  return {
    name: 'styles',
    async load(id) {
      if (!/\.(?:css|svg|png)$/.test(id)) return null
      const code = await (id.endsWith('.css') ? sheet : asset)(this, id)
      return { code, moduleType: 'js' } // Rolldown goes by the name of the file unless it is told
    },
  }
}

/** Takes types out of TypeScript. */
export function types() {
  return {
    name: 'types',
    async transform(code, id) {
      if (!/\.ts$|\.vue(?:\?|$)/.test(id)) return null
      const result = await transform(code, { loader: 'ts', sourcefile: id, target: 'es2022' })
      return { code: result.code, map: null }
    },
  }
}

async function asset(context, id) {
  const { outputFiles, metafile } = await bundle(`export { default } from ${JSON.stringify(id)}`)
  announce(context, metafile)
  const [script, file] = outputFiles
  if (file === undefined) return script.text
  const reference = context.emitFile({ type: 'asset', name: basename(id), originalFileName: id, source: file.contents })
  return `export default import.meta.ROLLUP_FILE_URL_${reference}`
}

/** A module with the names of the sheet's classes; the sheet itself, and what its `url()` points to, become assets. */
async function sheet(context, id) {
  const { outputFiles, metafile } = await bundle(`export { default } from ${JSON.stringify(id)}; import ${JSON.stringify(id)}`)
  announce(context, metafile)
  for (const { path, contents } of outputFiles) {
    if (path.endsWith('.css')) context.emitFile({ type: 'asset', name: basename(id), originalFileName: id, source: contents })
    else if (!path.endsWith('.js')) context.emitFile({ type: 'asset', fileName: `assets/${basename(path)}`, source: contents })
  }
  return outputFiles.find(({ path }) => path.endsWith('.js')).text
}

function bundle(contents) {
  return build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    outdir: 'out',
    assetNames: '[name]-[hash]',
    logOverride: { 'import-is-undefined': 'silent' },
    loader: { '.svg': 'dataurl', '.png': 'file' },
  })
}

function announce(context, { inputs }) {
  for (const name of Object.keys(inputs)) if (name !== '<stdin>') context.addWatchFile(name)
}
