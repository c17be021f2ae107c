/**
 * One build for each bundler over the same generated modules, in a process of its own: `node bundlers.mjs NAME FOLDER OUT on|off`. The benchmark
 * starts it; all that it prints is its peak memory in MB, in the last line.
 */
import { join } from 'node:path'
import { argv, chdir, env, resourceUsage } from 'node:process'
import { fileURLToPath } from 'node:url'
import { extensionFor } from './material.mjs'

/** Each takes the entry, the output folder and the plugins, and resolves when its own promise does. */
const builds = {
  async webpack({ entry, out, plugins }) {
    const { default: webpack } = await import('webpack')
    await compiled(webpack({ mode: 'production', entry, output: { path: out }, plugins, infrastructureLogging: { level: 'error' } }))
  },
  async rollup({ entry, out, plugins }) {
    const { rollup } = await import('rollup')
    const bundle = await rollup({ input: entry, plugins })
    await bundle.write({ dir: out })
    await bundle.close()
  },
  async vite({ entry, out, plugins }) {
    const { build } = await import('vite')
    const rolldownOptions = { input: entry }
    await build({ root: '.', configFile: false, logLevel: 'silent', plugins, build: { outDir: out, minify: true, rolldownOptions } })
  },
  async rspack({ entry, out, plugins }) {
    const { rspack } = await import('@rspack/core')
    const rules = [
      { test: /\.ts$/, loader: 'builtin:swc-loader', options: { jsc: { parser: { syntax: 'typescript' } } }, type: 'javascript/auto' },
    ]
    const config = {
      mode: 'production',
      entry,
      output: { path: out },
      plugins,
      module: { rules },
      infrastructureLogging: { level: 'error' },
    }
    await compiled(rspack(config))
  },
  async esbuild({ entry, out, plugins }) {
    const { build } = await import('esbuild')
    await build({ entryPoints: [entry], bundle: true, outdir: out, plugins, logLevel: 'silent' })
  },
  async rolldown({ entry, out, plugins }) {
    const { build } = await import('rolldown')
    await build({ input: entry, output: { dir: out }, plugins, logLevel: 'silent' })
  },
  async rsbuild({ entry, out, plugins, root }) {
    const { createRsbuild } = await import('@rsbuild/core')
    const config = { source: { entry: { index: entry } }, output: { distPath: { root: out } }, plugins, logLevel: 'error' }
    await (await createRsbuild({ cwd: root, config, rsbuildConfig: config })).build()
  },
  async farm({ entry, out, plugins, root }) {
    const { build } = await import('@farmfe/core')
    const compilation = {
      input: { index: entry },
      output: { path: out, targetEnv: 'node' },
      presetEnv: false,
      persistentCache: false,
      progress: false,
    }
    await build({ root, configFile: false, compilation, plugins })
  },
  async bun({ entry, out, plugins }) {
    const { success, logs } = await globalThis.Bun.build({ entrypoints: [entry], outdir: out, plugins })
    if (!success) throw new AggregateError(logs)
  },
}

/** Bundlers that the benchmark knows. */
export const bundlers = Object.keys(builds)

function compiled(compiler) {
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error ?? stats?.hasErrors()) reject(error ?? new Error('errors'))
      else compiler.close(() => resolve())
    })
  })
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [, , name, folder, out, plugin] = argv
  chdir(folder)
  env.NODE_ENV = 'production'
  const plugins = plugin === 'on' ? [(await import(`unplugin-in-toto/${name}`)).default()] : []
  await builds[name]({ entry: join(folder, `src/main.${extensionFor(name)}`), out: join(folder, out), plugins, root: folder })
  process.on('exit', () => console.log(`\n${Math.round(resourceUsage().maxRSS / 1024)}`))
}
