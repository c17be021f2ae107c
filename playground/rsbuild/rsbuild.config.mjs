/** The shared app of ../app, built by Rsbuild, with a signed link in dist. */
import { defineConfig } from '@rsbuild/core'
import inToto from 'unplugin-in-toto/rsbuild'
import vue from 'unplugin-vue/rspack'
import { app, definitions, entry, outputOf, recording } from '../parts/app.mjs'

export default defineConfig({
  source: { entry: { index: entry }, define: definitions, tsconfigPath: `${app}/tsconfig.json` },
  output: { distPath: { root: outputOf(import.meta.url) } },
  html: { title: 'Digest', mountId: 'app' },
  server: { publicDir: { name: `${app}/public` } },
  tools: {
    rspack: { plugins: [vue({ isProduction: true })] },
  },
  plugins: [inToto(recording)],
})
