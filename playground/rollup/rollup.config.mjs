/** The shared app of ../app, built by Rollup, with a signed link in dist. */
import { nodeResolve } from '@rollup/plugin-node-resolve'
import inToto from 'unplugin-in-toto/rollup'
import vue from 'unplugin-vue/rollup'
import { definitions, entry, outputOf, recording } from '../parts/app.mjs'
import { styles, types } from '../parts/styles.mjs'

const define = {
  name: 'define',
  transform(code) {
    const found = Object.entries(definitions).filter(([name]) => code.includes(name))
    return found.length === 0 ? null : { code: found.reduce((text, [name, value]) => text.replaceAll(name, value), code), map: null }
  },
}
const json = { name: 'json', transform: (code, id) => (id.endsWith('.json') ? { code: `export default ${code}`, map: null } : null) }

export default {
  input: { index: entry, worker: entry.replace('main.ts', 'worker/digest.worker.ts') },
  output: { dir: outputOf(import.meta.url), entryFileNames: '[name].js', assetFileNames: 'assets/[name]-[hash][extname]' },
  plugins: [nodeResolve({ browser: true }), json, styles(), vue({ isProduction: true }), types(), define, inToto(recording)],
}
