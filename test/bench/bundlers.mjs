/**
 * One build for each bundler over the same generated modules, in a process of its own: `node bundlers.mjs NAME FOLDER on|off`. The benchmark starts
 * it; it prints nothing.
 */
import { join } from 'node:path'
import { argv, chdir, env } from 'node:process'
import { fileURLToPath } from 'node:url'

/** Each takes the entry, the output folder and the plugins, and resolves when its own promise does. */
const builds = {
  async vite({ entry, out, plugins }) {
    const { build } = await import('vite')
    await build({
      root: '.',
      configFile: false,
      logLevel: 'silent',
      plugins,
      build: { outDir: out, minify: true, rollupOptions: { input: entry } },
    })
  },
  async rollup({ entry, out, plugins }) {
    const { rollup } = await import('rollup')
    const bundle = await rollup({ input: entry, plugins })
    await bundle.write({ dir: out })
    await bundle.close()
  },
  async rolldown({ entry, out, plugins }) {
    const { build } = await import('rolldown')
    await build({ input: entry, output: { dir: out }, plugins, logLevel: 'silent' })
  },
  async webpack({ entry, out, plugins }) {
    const { default: webpack } = await import('webpack')
    await compiled(webpack({ mode: 'production', entry, output: { path: out }, plugins, infrastructureLogging: { level: 'error' } }))
  },
  async rspack({ entry, out, plugins }) {
    const { rspack } = await import('@rspack/core')
    await compiled(rspack({ mode: 'production', entry, output: { path: out }, plugins, infrastructureLogging: { level: 'error' } }))
  },
  async esbuild({ entry, out, plugins }) {
    const { build } = await import('esbuild')
    await build({ entryPoints: [entry], bundle: true, outdir: out, plugins, logLevel: 'silent' })
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
  const [, , name, folder, plugin] = argv
  chdir(folder)
  env.NODE_ENV = 'production'
  const plugins = plugin === 'on' ? [(await import(`unplugin-in-toto/${name}`)).default()] : []
  await builds[name]({ entry: join(folder, 'src/main.js'), out: join(folder, `out-${name}`), plugins })
}
