/** The shared app of ../app, built by Bun, with a signed link in dist. */
import inToto from 'unplugin-in-toto/bun'
import { app, definitions, entry, outputOf, recording } from '../parts/app.mjs'
import { components } from '../parts/sfc.mjs'

const { success, logs } = await Bun.build({
  entrypoints: [entry, `${app}/src/worker/digest.worker.ts`],
  splitting: true,
  minify: true,
  outdir: outputOf(import.meta.url),
  naming: { asset: 'assets/[name]-[hash].[ext]' },
  define: definitions,
  plugins: [components, inToto(recording)],
})
if (!success) throw new AggregateError(logs)
