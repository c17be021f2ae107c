/** The shared app of ../app, built by Rolldown, with a signed link in dist. */
import { defineConfig } from 'rolldown'
import inToto from 'unplugin-in-toto/rolldown'
import vue from 'unplugin-vue/rolldown'
import { definitions, entry, outputOf, recording } from '../parts/app.mjs'
import { styles } from '../parts/styles.mjs'

export default defineConfig({
  input: { index: entry, worker: entry.replace('main.ts', 'worker/digest.worker.ts') },
  platform: 'browser',
  transform: { define: definitions },
  output: { dir: outputOf(import.meta.url), entryFileNames: '[name].js', assetFileNames: 'assets/[name]-[hash][extname]', minify: true },
  plugins: [styles(), vue({ isProduction: true }), inToto(recording)],
})
