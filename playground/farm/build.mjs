/** The shared app of ../app, built by Farm, with a signed link in dist. */
import { build } from '@farmfe/core'
import inToto from 'unplugin-in-toto/farm'
import vue from 'unplugin-vue/farm'
import { app, definitions, outputOf, recording } from '../parts/app.mjs'

await build({
  root: app,
  configFile: false,
  compilation: {
    input: { index: './index.html' },
    output: { path: outputOf(import.meta.url), clean: true },
    define: definitions,
    presetEnv: false,
    persistentCache: false,
  },
  plugins: [vue({ isProduction: true }), inToto(recording)],
})
