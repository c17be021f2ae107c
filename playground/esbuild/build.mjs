/** The shared app of ../app, built by esbuild, with a signed link in dist. */
import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
import vue from 'unplugin-vue/esbuild'
import { app, definitions, entry, outputOf, recording } from '../parts/app.mjs'

await build({
  entryPoints: [entry, `${app}/src/worker/digest.worker.ts`],
  bundle: true,
  splitting: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir: outputOf(import.meta.url),
  define: definitions,
  loader: { '.svg': 'dataurl', '.png': 'file' },
  plugins: [vue({ isProduction: true }), inToto(recording)],
})
