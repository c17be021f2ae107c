/** Inputs that a bundler opens, and that decide what comes out, but that it names nowhere: each beside what a bundler does name. */
import { symlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { linkName, Project, vites, type Bundler, type Other } from './project.ts'

/** Builds `src/main.js` to `dist` by a script, and gives the names of the materials; `options` and `imports` are source texts. */
async function materialsOf(project: Project, bundler: Bundler | Other, options = '', imports = ''): Promise<string[]> {
  project.write('build.mjs', imports + scriptOf(bundler, options))
  const { code, text } = bundler === 'bun' ? await project.bun(['build.mjs']) : await project.node(['build.mjs'])
  expect(code, text).toBe(0)
  return Object.keys((await project.link()).materials)
}

function scriptOf(bundler: Bundler | Other, options: string): string {
  if (bundler === 'esbuild')
    return `import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
await build({ entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', plugins: [inToto()], ${options} })`
  if (bundler === 'rolldown')
    return `import { rolldown } from 'rolldown'
import inToto from 'unplugin-in-toto/rolldown'
const { plugins = [], ...input } = { ${options} }
const bundle = await rolldown({ input: 'src/main.js', plugins: [inToto(), ...plugins], ...input })
await bundle.write({ dir: 'dist' })
await bundle.close()`
  if (bundler === 'bun')
    return `import inToto from 'unplugin-in-toto/bun'
await Bun.build({ entrypoints: ['src/main.js'], outdir: 'dist', plugins: [inToto()], ${options} })`
  return `import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
const { plugins = [], build: more, ...config } = { ${options} }
await build({ configFile: false, logLevel: 'warn', plugins: [inToto(), ...plugins], build: { rollupOptions: { input: 'src/main.js' }, ...more }, ...config })`
}

describe.each(['vite', 'rolldown', 'esbuild'] as const)('a package whose format stands in a package.json of its own, by %s', (bundler) => {
  it('has the outer one among the materials, too', async () => {
    const project = new Project(`nested-${bundler}`, bundler)
    project.write('src/main.js', `import 'dep'`)
    project.write('src/package.json', '{ "type": "module" }')
    project.write(
      'node_modules/dep/package.json',
      '{ "name": "dep", "version": "1.0.0", "sideEffects": true, "exports": { ".": "./dist/esm/i.js" } }',
    )
    project.write('node_modules/dep/dist/esm/package.json', '{ "name": "dep/esm", "type": "module" }')
    project.write('node_modules/dep/dist/esm/i.js', 'console.log(1)')
    expect(await materialsOf(project, bundler)).toEqual([
      'build.mjs',
      'node_modules/dep/dist/esm/i.js',
      'node_modules/dep/dist/esm/package.json',
      'node_modules/dep/package.json',
      'package.json',
      'src/main.js',
      'src/package.json',
    ])
  })
})

describe.each(['rolldown', 'vite'] as const)('files that a plugin wants watched, by %s', (bundler) => {
  it('are materials, whichever hook tells of them', async () => {
    const project = new Project(`watched-${bundler}`, bundler)
    project.write('src/main.js', `import './part.js'`)
    project.write('src/part.js', 'console.log(1)')
    const hooks = ['buildStart', 'resolveId', 'load', 'transform', 'moduleParsed', 'buildEnd']
    for (const hook of hooks) project.write(`config/${hook}.json`, '{}')
    const told = hooks.map((hook) => `${hook}() { this.addWatchFile(process.cwd() + '/config/${hook}.json') }`)
    const inSequence = `buildStart: { sequential: true, handler() { this.addWatchFile(process.cwd() + '/config/sequence.json') } }`
    project.write('config/sequence.json', '{}')
    const materials = await materialsOf(
      project,
      bundler,
      `plugins: [{ name: 'teller', enforce: 'pre', ${told.join(', ')} }, { name: 'other', resolveId: false, buildEnd: null, ${inSequence} }]`,
    )
    expect(materials.filter((name) => name.startsWith('config/'))).toEqual(
      [...hooks, 'sequence'].map((hook) => `config/${hook}.json`).sort(),
    )
  })
})

describe('a configuration that is asked for among other letters, by rollup', () => {
  it('is a material', async () => {
    const project = new Project('letters', 'rollup')
    project.write('src/main.js', 'console.log(1)')
    const config = `{ input: 'src/main.js', output: { dir: 'dist', format: 'es' }, plugins: [inToto()] }`
    project.write('rollup.config.mjs', `import inToto from 'unplugin-in-toto/rollup'\nexport default ${config}`)
    const { code, text } = await project.bin('rollup', ['-cm'])
    expect(code, text).toBe(0)
    expect(Object.keys((await project.link()).materials)).toEqual(['package.json', 'rollup.config.mjs', 'src/main.js'])
  })
})

describe.each(['esbuild', 'rolldown', 'bun'] as const)('a tsconfig that is named, by %s', (bundler) => {
  it('is a material with all that it extends', async () => {
    const project = new Project(`tsconfig-${bundler}`, bundler)
    project.write('src/main.js', 'console.log(1)')
    project.write('config/tsconfig.build.json', '{ "extends": "./base.json" }')
    project.write('config/base.json', '{ "extends": "preset/strict.json" }')
    project.write('node_modules/preset/package.json', '{ "name": "preset" }')
    project.write('node_modules/preset/strict.json', '{}')
    const materials = await materialsOf(project, bundler, `tsconfig: './config/tsconfig.build.json'`)
    expect(materials).toEqual(expect.arrayContaining(['config/base.json', 'config/tsconfig.build.json', 'node_modules/preset/strict.json']))
  })
})

describe.each(['vite', 'vite5', 'esbuild'] as const)('what a configuration imports by name, by %s', (bundler) => {
  it('is a material where it is of the project', async () => {
    const project = new Project(`named-${bundler}`, bundler)
    project.write('package.json', JSON.stringify({ name: 'named', type: 'module', imports: { '#config/*': './config/*.mjs' } }))
    project.write('index.html', '<script type="module" src="/src/main.js"></script>')
    project.write('src/main.js', 'console.log(1)')
    project.write('config/one.mjs', `export { two } from 'shared/two'`)
    project.write(
      'packages/shared/package.json',
      '{ "name": "shared", "type": "module", "exports": { "./two": { "require": "./two.cjs", "import": "./two.mjs" } } }',
    )
    project.write('packages/shared/two.mjs', `export * from './three.mjs'`)
    project.write('packages/shared/three.mjs', 'export const two = 2')
    project.write('packages/shared/two.cjs', '')
    symlinkSync('../packages/shared', project.path('node_modules/shared'))
    project.write('node_modules/installed/package.json', '{ "name": "installed", "main": "index.js" }')
    project.write('node_modules/installed/index.js', '')
    const imports = `import { two } from '#config/one'\nimport 'installed'\nimport 'node:fs'\n`
    let materials: string[] = []
    if (bundler === 'esbuild') materials = await materialsOf(project, bundler, 'define: { TWO: String(two) }', imports)
    else {
      project.write(
        'vite.config.mjs',
        `${imports}import inToto from 'unplugin-in-toto/vite'\nexport default { define: { TWO: two }, plugins: [inToto()] }`,
      )
      const { code, text } = await project.bin('vite', ['build'])
      expect(code, text).toBe(0)
      materials = Object.keys((await project.link()).materials)
    }
    expect(materials).toEqual([
      ...(bundler === 'esbuild' ? ['build.mjs'] : []),
      'config/one.mjs',
      ...(bundler === 'esbuild' ? [] : ['index.html']),
      'package.json',
      'packages/shared/package.json',
      'packages/shared/three.mjs',
      'packages/shared/two.mjs',
      'src/main.js',
      ...(bundler === 'esbuild' ? [] : ['vite.config.mjs']),
    ])
  })
})

describe.each(['vite', 'vite5'] as const)('what a CSS module takes from others, by %s', (bundler) => {
  it('is a material, whichever way it is said', async () => {
    const project = new Project(`values-${bundler}`, bundler)
    project.write('src/main.js', `import style from './a.module.css'\nconsole.log(style)`)
    project.write(
      'src/a.module.css',
      `@value red from "./values/red.css"; @value more: "./values/more.css"; @value blue from more;
:import("./values/names.css") { i__name: name }
.a { color: red; background: blue; animation: i__name }`,
    )
    project.write('src/values/red.css', '@value red: #f00;')
    project.write('src/values/more.css', '@value blue: #00f;')
    project.write('src/values/names.css', ':export { name: given }')
    const materials = await materialsOf(project, bundler)
    expect(materials.filter((name) => name.endsWith('.css'))).toEqual([
      'src/a.module.css',
      'src/values/more.css',
      'src/values/names.css',
      'src/values/red.css',
    ])
    const [style = ''] = project.files('dist/assets').filter((name) => name.endsWith('.css'))
    expect(project.read(style)).toMatch(/given/)
  })
})

describe('a configuration of PostCSS in another folder, by vite', () => {
  it('is a material, with what it imports and its package.json', async () => {
    const project = new Project('postcss', 'vite')
    project.write('src/main.js', `import './a.css'`)
    project.write('src/a.css', 'a { color: red }')
    project.write('pc/package.json', '{ "type": "module" }')
    project.write('pc/postcss.config.js', `import { plugin } from './plugin.js'\nexport default { plugins: [plugin] }`)
    project.write('pc/plugin.js', `export const plugin = { postcssPlugin: 'green', Declaration(one) { one.value = 'green' } }`)
    const materials = await materialsOf(project, 'vite', `css: { postcss: './pc' }`)
    expect(materials.filter((name) => name.startsWith('pc/'))).toEqual(['pc/package.json', 'pc/plugin.js', 'pc/postcss.config.js'])
  })
})

describe('icons of pages', () => {
  it('are materials of rsbuild, and .env files are where and as its command was told', async () => {
    const project = new Project('icons-rsbuild', 'rsbuild')
    project.write('src/index.js', 'console.log(process.env.PUBLIC_NAME)')
    for (const name of ['icon.png', 'app.png', 'touch.png']) project.write(`images/${name}`, name)
    for (const name of ['.env', '.env.staging']) project.write(`env/${name}`, `PUBLIC_NAME=${name}`)
    project.write('.env', 'PUBLIC_NAME=none')
    project.write(
      'rsbuild.config.mjs',
      `import inToto from 'unplugin-in-toto/rsbuild'
const icons = [{ src: './images/app.png', size: 192 }, { src: './images/touch.png', size: 180, target: 'apple-touch-icon' }]
export default { html: { favicon: () => './images/icon.png', appIcon: { name: 'app', icons } }, plugins: [inToto()] }`,
    )
    const { code, text } = await project.bin('rsbuild', ['build', '--env-dir', 'env', '--env-mode=staging'])
    expect(code, text).toBe(0)
    const { materials } = await project.link()
    expect(Object.keys(materials)).toEqual([
      'env/.env',
      'env/.env.staging',
      'images/app.png',
      'images/icon.png',
      'images/touch.png',
      'package.json',
      'rsbuild.config.mjs',
      'src/index.js',
    ])
  })

  it.each(['rspack', 'rspack1'] as const)('are materials of %s', async (bundler) => {
    const project = new Project(`icons-${bundler}`, bundler)
    project.write('src/index.js', 'console.log(1)')
    project.write('images/icon.png', 'icon')
    const { code, text } = await project.script(`import { rspack } from '@rspack/core'
import inToto from 'unplugin-in-toto/rspack'
const plugins = [new rspack.HtmlRspackPlugin({ favicon: './images/icon.png' }), inToto()]
rspack({ mode: 'production', plugins }, (error, stats) => { if (error || stats.hasErrors()) throw error ?? stats })`)
    expect(code, text).toBe(0)
    const { materials, products } = await project.link()
    expect(Object.keys(materials)).toEqual(['build.mjs', 'images/icon.png', 'package.json', 'src/index.js'])
    expect(Object.keys(products)).toEqual(['dist/icon.png', 'dist/index.html', 'dist/main.js'])
  })
})

describe.each(vites)('what is inlined, by %s', (bundler) => {
  it('is a material: files of a public folder that is not copied, sets of images', async () => {
    const project = new Project(`inlined-${bundler}`, bundler)
    project.write(
      'src/main.js',
      `import icon from '/icon.svg?inline'\nimport text from '/text.txt?raw'\nimport './a.css'\nconsole.log(icon, text)`,
    )
    project.write('src/a.css', 'a { background: image-set("./one.svg" 1x, "./two.svg" 2x) }')
    for (const name of ['public/icon.svg', 'src/one.svg', 'src/two.svg']) project.write(name, '<svg xmlns="http://www.w3.org/2000/svg"/>')
    for (const name of ['public/text.txt', 'public/other.txt']) project.write(name, name)
    const materials = await materialsOf(project, bundler, `build: { copyPublicDir: false, rollupOptions: { input: 'src/main.js' } }`)
    expect(materials).toEqual([
      'build.mjs',
      'package.json',
      'public/icon.svg',
      'public/text.txt',
      'src/a.css',
      'src/main.js',
      'src/one.svg',
      'src/two.svg',
    ])
  })
})

describe('the public folder of a build into the folder of the package, by vite', () => {
  it('is copied to products', async () => {
    const project = new Project('beside', 'vite')
    project.write('src/index.html', '<script type="module" src="./main.js"></script>')
    project.write('src/main.js', 'console.log(1)')
    project.write('src/public/deep/text.txt', 'text')
    const { code, text } = await project.script(`import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
await build({ configFile: false, root: 'src', logLevel: 'error', plugins: [inToto()], build: { outDir: '..', emptyOutDir: false } })`)
    expect(code, text).toBe(0)
    const { materials, products } = await project.link(linkName)
    expect(Object.keys(materials)).toEqual(['build.mjs', 'package.json', 'src/index.html', 'src/main.js', 'src/public/deep/text.txt'])
    expect(Object.keys(products)).toEqual([expect.stringMatching(/^assets\/index-.*\.js$/), 'deep/text.txt', 'index.html'])
  })
})

describe('a script above the package, and flags of whoever runs it', () => {
  const above = (bundler: Other): Project => {
    const project = new Project(`above-${bundler}`, bundler)
    project.write('package.json', '{ "name": "above", "type": "module", "workspaces": ["apps/*"] }')
    project.write('apps/a/package.json', '{ "name": "a", "type": "module" }')
    project.write('apps/a/src/main.js', 'console.log(1)')
    project.write('apps/a/build.env', 'NAME=1')
    project.write('apps/a/before.mjs', `import './deep.mjs'`)
    project.write('apps/a/deep.mjs', '')
    project.write('scripts/shared.mjs', '')
    return project
  }
  const own = [
    '../../package.json',
    '../../scripts/build.mjs',
    '../../scripts/shared.mjs',
    'before.mjs',
    'build.env',
    'deep.mjs',
    'package.json',
  ]

  it('are materials of webpack, with the records that it reads', async () => {
    const project = above('webpack')
    project.write('apps/a/records.json', '{}')
    project.write('apps/a/unused.json', '{}')
    project.write(
      'scripts/build.mjs',
      `import './shared.mjs'
import webpack from 'webpack'
import inToto from 'unplugin-in-toto/webpack'
webpack({ mode: 'production', entry: './src/main.js', recordsInputPath: process.cwd() + '/records.json', plugins: [inToto()] }, (error, stats) => { if (error || stats.hasErrors()) throw error ?? stats })`,
    )
    const flags = ['--env-file=build.env', '--import', './before.mjs']
    const { code, text } = await project.node([...flags, '../../scripts/build.mjs'], {}, 'apps/a')
    expect(code, text).toBe(0)
    const { materials } = await project.link(`apps/a/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual([...own, 'records.json', 'src/main.js'])
  })

  it('are materials of bun', async () => {
    const project = above('bun')
    project.write(
      'scripts/build.mjs',
      `import './shared.mjs'
import inToto from 'unplugin-in-toto/bun'
await Bun.build({ entrypoints: ['src/main.js'], outdir: 'dist', plugins: [inToto()] })`,
    )
    const { code, text } = await project.bun(['--env-file', 'build.env', '--preload=./before.mjs', '../../scripts/build.mjs'], {}, 'apps/a')
    expect(code, text).toBe(0)
    expect(Object.keys((await project.link(`apps/a/dist/${linkName}`)).materials)).toEqual([...own, 'src/main.js'])
  })
})

describe('macros, by bun', () => {
  it('are materials with what they import', async () => {
    const project = new Project('macros', 'bun')
    project.write('src/main.js', `import { macro } from '../macros/macro' with { type: 'macro' }\nconsole.log(macro())`)
    project.write('macros/macro.ts', `import { deep } from './deep.ts'\nexport const macro = () => deep`)
    project.write('macros/deep.ts', `export const deep = 'deep'`)
    const materials = await materialsOf(project, 'bun')
    expect(project.read('dist/main.js')).toContain('console.log("deep")')
    expect(materials).toEqual(['build.mjs', 'macros/deep.ts', 'macros/macro.ts', 'package.json', 'src/main.js'])
  })
})
