/** The shared app of ../app, built by Rspack, with a signed link in dist. */
import { rspack } from '@rspack/core'
import inToto from 'unplugin-in-toto/rspack'
import vue from 'unplugin-vue/rspack'
import { app, definitions, entry, outputOf, recording } from '../parts/app.mjs'

const compiler = rspack({
  mode: 'production',
  context: app,
  entry,
  output: { path: outputOf(import.meta.url), clean: true },
  resolve: { extensions: ['.ts', '.js'], tsConfig: `${app}/tsconfig.json` },
  module: {
    parser: { 'css/module': { namedExports: false } },
    rules: [
      { test: /\.ts$/, use: [{ loader: 'builtin:swc-loader', options: { jsc: { parser: { syntax: 'typescript' } } } }] },
      { test: /\.module\.css$/, type: 'css/module' },
      { test: /(?<!\.module)\.css$/, type: 'css' },
      { test: /\.(?:png|svg)$/, type: 'asset' },
    ],
  },
  plugins: [
    vue({ isProduction: true }),
    new rspack.DefinePlugin(definitions),
    new rspack.HtmlRspackPlugin({ title: 'Digest', templateContent: '<!doctype html><title>Digest</title><div id="app"></div>' }),
    new rspack.CopyRspackPlugin({ patterns: [{ from: 'public' }] }),
    inToto(recording),
  ],
})
const stats = await new Promise((done, fail) => compiler.run((error, result) => (error ? fail(error) : done(result))))
await new Promise((done) => compiler.close(done))
console.log(stats.toString({ preset: 'errors-warnings', assets: true }))
if (stats.hasErrors()) process.exitCode = 1
