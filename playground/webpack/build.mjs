/** The shared app of ../app, built by webpack, with a signed link in dist. */
import { fileURLToPath } from 'node:url'
import inToto from 'unplugin-in-toto/webpack'
import webpack from 'webpack'
import { app, definitions, entry, outputOf, recording } from '../parts/app.mjs'

const loader = fileURLToPath(new URL('loader.mjs', import.meta.url))
const compiler = webpack({
  mode: 'production',
  context: app,
  entry,
  output: { path: outputOf(import.meta.url), clean: true },
  experiments: { css: true },
  resolve: { extensions: ['.ts', '.js'] },
  module: {
    parser: { 'css/auto': { namedExports: false } },
    rules: [
      { test: /\.(?:ts|vue)$/, use: loader },
      { test: /\.(?:png|svg)$/, type: 'asset' },
    ],
  },
  plugins: [new webpack.DefinePlugin(definitions), inToto(recording)],
})
const stats = await new Promise((done, fail) => compiler.run((error, result) => (error ? fail(error) : done(result))))
await new Promise((done) => compiler.close(done))
console.log(stats.toString({ preset: 'errors-warnings', assets: true }))
if (stats.hasErrors()) process.exitCode = 1
