/**
 * Bundlers by the commands that people type, each in a project of its own with the tool as npm installs it: one link, which holds all that a trace of the
 * operating system saw opened and all that was written, and the output is the same as without us. Needs a package registry and strace; without them it
 * is skipped aloud. With CI_SHARE only the quick and common ones.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, isLink } from 'intoto'
import { walkFiles } from 'intoto/node'
import { expect, test } from 'vitest'
import { openedBelow, sha256, tracing } from '../plugin/project.ts'
import { env, folder, install, mustRun, tarballs, write } from './project.ts'

interface Tool {
  readonly packages: readonly string[]
  /** The tool's bin and its arguments; a script is run by node. */
  readonly command: readonly string[]
  readonly files: Readonly<Record<string, string>>
  readonly share?: boolean
  /** Version of Node for tools that do not run on the oldest one. */
  readonly node?: number
}

const part = `export interface Part {\n  n: number\n}\nexport const part = (n: number): Part => ({ n })\n`
const shared = `export const banner = '/* lib */'\n`
/** A library in TypeScript: a type from a file that no bundler opens, another one by an alias, a global declaration, a chain of configurations. */
const typed = {
  'src/index.ts': `import data from './data.json'\nimport { part, type Part } from './part'\nimport type { Shape } from './shape'\nexport const main = (shape: Shape): Part => part(VERSION.length + shape.size + data.n)\nexport const lazy = () => import('./lazy')\n`,
  'src/part.ts': part,
  'src/lazy.ts': 'export const lazy = 1\n',
  'src/shape.ts': `import type { Id } from '@/ids'\nexport interface Shape {\n  size: number\n  id: Id\n}\n`,
  'src/ids.ts': 'export type Id = string\n',
  'src/env.d.ts': 'declare const VERSION: string\n',
  'src/data.json': '{ "n": 1 }',
  'tsconfig.json':
    '{ "extends": "./config/tsconfig.base.json", "compilerOptions": { "paths": { "@/*": ["./src/*"] } }, "include": ["src"] }',
  'config/tsconfig.base.json':
    '{ "compilerOptions": { "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "resolveJsonModule": true, "strict": true, "skipLibCheck": true, "allowImportingTsExtensions": true, "noEmit": true, "ignoreDeprecations": "5.0" } }',
  'config/banner.ts': shared,
}
const plain = {
  'src/main.js': `import { part } from './part.js'\nimport './style.css'\nconsole.log(part)\n`,
  'src/part.js': 'export const part = 41\n',
  'src/style.css': 'body { color: red }\n',
  'config/shared.mjs': shared,
}
const scripts = { 'src/main.js': `export { part } from './part.js'\n`, 'src/part.js': plain['src/part.js'], 'config/shared.mjs': shared }

const tsup = {
  ...typed,
  'tsup.config.ts': `import { defineConfig } from 'tsup'\nimport inToto from 'unplugin-in-toto/esbuild'\nimport { banner } from './config/banner'\n\nexport default defineConfig({ entry: ['src/index.ts'], format: ['esm', 'cjs'], dts: true, sourcemap: true, clean: true, banner: { js: banner }, esbuildPlugins: [inToto()] })\n`,
}
const tsdown = {
  ...typed,
  'tsdown.config.ts': `import { defineConfig } from 'tsdown'\nimport inToto from 'unplugin-in-toto/rolldown'\nimport { banner } from './config/banner.ts'\n\nexport default defineConfig({ entry: ['src/index.ts'], format: ['esm', 'cjs'], dts: true, sourcemap: true, clean: true, outputOptions: { banner }, plugins: [inToto()] })\n`,
}
const compiled = (bundler: string, css: string): Record<string, string> => ({
  ...plain,
  [`${bundler}.config.mjs`]: `import { resolve } from 'node:path'\nimport inToto from 'unplugin-in-toto/${bundler}'\nimport { banner } from './config/shared.mjs'\n\nexport default { name: banner, mode: 'production', entry: './src/main.js', ${css}, output: { path: resolve('dist'), clean: true }, plugins: [inToto()] }\n`,
})
const rsbuild = {
  ...plain,
  '.env': 'PUBLIC_NAME=x\n',
  'public/robots.txt': 'User-agent: *\n',
  'rsbuild.config.mjs': `import inToto from 'unplugin-in-toto/rsbuild'\nimport { banner } from './config/shared.mjs'\n\nexport default { source: { entry: { index: './src/main.js' } }, html: { title: banner }, plugins: [inToto()] }\n`,
}
const rolled = (bundler: string): Record<string, string> => ({
  ...scripts,
  [`${bundler}.config.mjs`]: `import inToto from 'unplugin-in-toto/${bundler}'\nimport { banner } from './config/shared.mjs'\n\nexport default { input: 'src/main.js', plugins: [inToto()], output: [{ dir: 'dist/es', format: 'es', banner }, { dir: 'dist/cjs', format: 'cjs', banner }] }\n`,
})

const tools: Readonly<Record<string, Tool>> = {
  'webpack-cli': {
    packages: ['webpack@5', 'webpack-cli@7'],
    command: ['webpack'],
    files: compiled('webpack', 'experiments: { css: true }'),
    share: true,
  },
  'webpack-cli, by its own name': {
    packages: ['webpack@5', 'webpack-cli@6'],
    command: ['webpack-cli', 'build', '-c', 'webpack.config.mjs'],
    files: compiled('webpack', 'experiments: { css: true }'),
  },
  '@rspack/cli': {
    packages: ['@rspack/core@2', '@rspack/cli@2'],
    command: ['rspack', 'build'],
    files: compiled('rspack', `module: { rules: [{ test: /css$/, type: 'css' }] }`),
  },
  '@rspack/cli 1': {
    packages: ['@rspack/core@1', '@rspack/cli@1'],
    command: ['rspack', 'build', '--config', 'rspack.config.mjs'],
    files: compiled('rspack', 'experiments: { css: true }'),
  },
  rsbuild: { packages: ['@rsbuild/core@2'], command: ['rsbuild', 'build'], files: rsbuild },
  'rsbuild 1': { packages: ['@rsbuild/core@1'], command: ['rsbuild', 'build'], files: rsbuild },
  vite: {
    packages: ['vite@8'],
    command: ['vite', 'build'],
    files: {
      ...plain,
      'index.html': '<script type="module" src="/src/main.js"></script>\n',
      'vite.config.mjs': `import inToto from 'unplugin-in-toto/vite'\nimport { banner } from './config/shared.mjs'\n\nexport default { define: { BANNER: JSON.stringify(banner) }, plugins: [inToto()] }\n`,
    },
  },
  rollup: { packages: ['rollup@4'], command: ['rollup', '-c', 'rollup.config.mjs'], files: rolled('rollup') },
  rolldown: { packages: ['rolldown@1'], command: ['rolldown', '-c', 'rolldown.config.mjs'], files: rolled('rolldown') },
  'esbuild, by a context': {
    packages: ['esbuild'],
    command: ['build.mjs'],
    files: {
      ...plain,
      'build.mjs': `import { context } from 'esbuild'\nimport inToto from 'unplugin-in-toto/esbuild'\nimport { banner } from './config/shared.mjs'\n\nconst building = await context({ entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', banner: { js: banner }, plugins: [inToto()] })\nawait building.rebuild()\nawait building.dispose()\n`,
    },
  },
  'tsup with declarations': { packages: ['tsup@8', 'typescript@5'], command: ['tsup'], files: tsup, share: true },
  'tsup 9 with declarations': { packages: ['tsup@9', 'typescript@5'], command: ['tsup'], files: tsup, node: 24 },
  'tsdown with declarations': { packages: ['tsdown@0.21', 'typescript@5'], command: ['tsdown'], files: tsdown, share: true },
  'tsdown 0.23 with declarations': { packages: ['tsdown@0.23', 'typescript@5'], command: ['tsdown'], files: tsdown, node: 24 },
}

const chosen = Object.entries(tools).filter(([, { share }]) => share === true || process.env['CI_SHARE'] !== '1')
const isTraced = process.env['CI_PEERS'] === '1' || spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0
const isReady = install(join(folder, 'probe'), ['is-number']) && isTraced
if (!isTraced) console.warn('skipped: no strace, so opened files are not traced')

/** The files below dist but the link, with their digests. */
function outputs(root: string): Record<string, string> {
  const names = walkFiles(join(root, 'dist')).filter((name) => !name.endsWith('.link'))
  return Object.fromEntries(names.map((name) => [`dist/${name}`, sha256(join(root, 'dist', name))]))
}

test.skipIf(!isReady).each(chosen)('%s', (name, { packages, command, files, node }) => {
  const root = join(folder, name.replaceAll(/\W+/g, '-'))
  write(root, { ...files, 'package.json': '{ "name": "lib", "version": "1.0.0", "private": true, "type": "module" }\n' })
  mustRun(root, 'npm', 'install', ...packages, ...(node === undefined ? [] : [`node@${node}`]), ...tarballs)
  mustRun(root, 'npx', 'intoto', 'keygen', '-o', `${root}-key`)
  env['INTOTO_KEY_FILE'] = `${root}-key`
  const [bin = '', ...args] = command
  const runtime = node === undefined ? process.execPath : join(root, 'node_modules/node/bin/node')
  const words = [runtime, ...(bin.endsWith('.mjs') ? [bin] : [join(root, 'node_modules/.bin', bin)]), ...args]
  env['INTOTO_DISABLE'] = '1'
  mustRun(root, ...words)
  delete env['INTOTO_DISABLE']
  const without = outputs(root)
  rmSync(join(root, 'dist'), { recursive: true })

  const said = mustRun(root, 'strace', ...tracing(`${root}.trace`), ...words)
  const [found = ''] = readdirSync(join(root, 'dist')).filter((file) => file.endsWith('.link'))
  expect(found, said).not.toBe('')
  const { payload } = decodeMetadata(readFileSync(join(root, 'dist', found)))
  if (!isLink(payload)) throw new Error(`${found} is no link`)
  const { materials, products } = payload
  expect(Object.fromEntries(Object.entries(products).map(([file, digest]) => [file, digest['sha256']]))).toEqual(without)
  for (const [file, digest] of Object.entries(materials)) expect(digest, file).toEqual({ sha256: sha256(join(root, file)) })
  // The tool itself lies in node_modules here; that packages are materials is seen where tools lie elsewhere.
  const opened = [...openedBelow(root, `${root}.trace`)].filter((file) => !file.startsWith('node_modules/') && !file.startsWith('dist/'))
  console.log(
    `${name}: ${opened.length} files opened, ${Object.keys(materials).length} materials, ${Object.keys(products).length} products`,
  )
  expect(opened.filter((file) => !(file in materials))).toEqual([])
  const unopened = Object.keys(materials).filter((file) => !opened.includes(file) && !file.startsWith('node_modules/'))
  expect(unopened.filter((file) => file !== 'package-lock.json' && !/^src\/.*\.ts$/.test(file))).toEqual([])
  expect(payload.command).toEqual(bin.endsWith('.mjs') ? ['node', bin, ...args] : command)
  rmSync(root, { recursive: true, maxRetries: 5 }) // all of them at the end would take minutes
})
