import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { linkName, Project, sha256, smallProject, vites, type Bundler } from './project.ts'

const hasStrace = isThere('strace')
if (!hasStrace && process.env['CI_PEERS'] !== '1') process.stdout.write('skipped: no strace, so opened files are not traced\n')

/** Read by nobody: types vanish before anything is opened, and what a package was compiled by bears on nobody who uses it. What no bundler opens, but what decides which dependencies there are: the lockfile. */
const unread = ['src/types.ts', 'node_modules/tiny-dep/tsconfig.json']
const unopened = ['package-lock.json']

function isThere(command: string): boolean {
  try {
    execFileSync(command, ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Everything that holds for the link of every bundler. */
async function checkLink(project: Project): Promise<string[]> {
  const link = await project.link()
  const products = project.files('dist').filter((name) => name !== `dist/${linkName}`)
  expect(Object.keys(link.products)).toEqual(products)
  for (const [name, digests] of [...Object.entries(link.materials), ...Object.entries(link.products)]) {
    expect(digests, name).toEqual({ sha256: sha256(project.path(name)) })
  }
  return Object.keys(link.materials)
}

describe.each(vites)('a page with everything, by %s', (bundler: Bundler) => {
  const project = new Project(`app-${bundler}`, bundler, 'app')
  const sources = project
    .files('.')
    .filter((name) => !unread.includes(name) && (!name.startsWith('node_modules/') || name.startsWith('node_modules/tiny-dep/')))

  it('gets a link that holds every file that went in and every file that came out', async () => {
    const { code, text } = await project.bin('vite', ['build'])
    expect(code, text).toBe(0)
    const outputs = project.files('dist').length - 1
    expect(text).toContain(`[in-toto] build: ${sources.length} materials, ${outputs} products -> dist/${linkName} (signed)`)
    expect(await checkLink(project)).toEqual(sources)
    const { command, byproducts } = await project.link()
    expect(command).toEqual(['vite', 'build'])
    expect(byproducts).toMatchObject({
      'return-value': 0,
      bundler: { name: 'vite' },
      mode: 'production',
      coverage: ['declared', 'graph', 'watch'],
    })
    expect(byproducts['virtual']).toEqual(expect.arrayContaining(['virtual:answer', 'virtual:for-workers']))
    expect(JSON.stringify(byproducts)).not.toContain(project.dir)
  })

  it.runIf(hasStrace || process.env['CI_PEERS'] === '1')('holds exactly what a trace of the build without us saw opened', async () => {
    const opened = await project.traced([project.path('node_modules/.bin/vite'), 'build'], { BARE: '1' })
    process.stdout.write(`${bundler}: ${opened.size} files opened below the package\n`)
    const { code } = await project.bin('vite', ['build'])
    expect(code).toBe(0)
    const materials = await checkLink(project)
    expect([...opened].filter((name) => !name.startsWith('dist/') && !materials.includes(name))).toEqual([])
    expect(materials.filter((name) => !opened.has(name))).toEqual(unopened)
  })
})

describe.each([
  ['vite', 'runner'],
  ['vite', 'native'],
  ['vite7', 'runner'],
  ['vite7', 'native'],
  ['vite6', 'runner'],
] as const)('%s with its configuration loader "%s"', (bundler, loader) => {
  it('records the configuration and what it imports', async () => {
    const project = new Project(`loader-${bundler}-${loader}`, bundler)
    project.write('index.html', '<script type="module" src="/main.js"></script>')
    project.write('main.js', 'console.log(1)')
    project.write('config/title.mjs', `export { title } from './deep.mjs'`)
    project.write('config/deep.mjs', `export const title = 'deep'`)
    project.write(
      'vite.config.mjs',
      `import inToto from 'unplugin-in-toto/vite'\nimport { title } from './config/title.mjs'\nexport default { define: { TITLE: JSON.stringify(title) }, plugins: [inToto()] }`,
    )
    const { code, text } = await project.bin('vite', ['build', '--configLoader', loader])
    expect(code, text).toBe(0)
    const materials = await checkLink(project)
    expect(materials).toEqual(['config/deep.mjs', 'config/title.mjs', 'index.html', 'main.js', 'package.json', 'vite.config.mjs'])
  })
})

describe('a library with two outputs, by rollup', () => {
  const project = new Project('lib', 'rollup', 'lib')

  it('gets one link for both, with watched files, and configuration', async () => {
    const { code, text } = await project.bin('rollup', ['-c'])
    expect(text).toContain(`build: 9 materials, 4 products -> dist/${linkName} (signed)`)
    expect(code).toBe(0)
    expect(await checkLink(project)).toEqual([
      'config/banner.mjs',
      'package-lock.json',
      'package.json',
      'rollup.config.mjs',
      'src/index.js',
      'src/lazy.js',
      'src/letter.template',
      'src/part.js',
      'src/partial.txt',
    ])
    const { command, byproducts } = await project.link()
    expect(command).toEqual(['rollup', '-c'])
    expect(byproducts['virtual']).toEqual(['virtual:number'])
  })

  it.runIf(hasStrace || process.env['CI_PEERS'] === '1')('holds exactly what a trace of the build without us saw opened', async () => {
    const opened = await project.traced([project.path('node_modules/.bin/rollup'), '-c'], { BARE: '1' })
    process.stdout.write(`rollup: ${opened.size} files opened below the package\n`)
    expect((await project.bin('rollup', ['-c'])).code).toBe(0)
    const materials = await checkLink(project)
    expect([...opened].filter((name) => !name.startsWith('dist/') && !materials.includes(name))).toEqual([])
    expect(materials.filter((name) => !opened.has(name))).toEqual(unopened)
  })
})

describe('a script in CommonJS', () => {
  it.each(['webpack', 'esbuild'] as const)('has what it requires by a computed name among the materials of %s', async (bundler) => {
    const project = smallProject(`computed-${bundler}`, bundler)
    project.write('config/production.cjs', `module.exports = require('./shared' + '.cjs')`)
    project.write('config/shared.cjs', `module.exports = 'shared'`)
    project.write('config/unused.cjs', '')
    const build =
      bundler === 'webpack'
        ? `require('webpack')({ mode: 'production', name: settings, entry: './src/main.js', output: { path: __dirname + '/dist' }, plugins: [inToto()] }, (error, stats) => { if (error || stats.hasErrors()) throw error ?? stats })`
        : `require('esbuild').build({ banner: { js: '/* ' + settings + ' */' }, entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', plugins: [inToto()] })`
    const script = `const settings = require('./config/' + process.env.MODE + '.cjs')
import('unplugin-in-toto/${bundler}').then(({ default: inToto }) => ${build})`
    project.write('build.cjs', script)
    const { code, text } = await project.node(['build.cjs'], { MODE: 'production' })
    expect(code, text).toBe(0)
    const config = (await checkLink(project)).filter((name) => /^(?:config|build)/.test(name))
    expect(config).toEqual(['build.cjs', 'config/production.cjs', 'config/shared.cjs'])
  })
})

describe('a plugin that is frozen', () => {
  it.each(['vite', 'rolldown'] as const)('is heard by %s like any other', async (bundler) => {
    const project = smallProject(`frozen-${bundler}`, bundler)
    project.write('src/data.txt', 'watched')
    const { code, text } = await project.script(`import { build } from '${bundler}'
import inToto from 'unplugin-in-toto/${bundler}'
const handler = function (code, id) {
  if (id.endsWith('part.js')) this.addWatchFile(process.cwd() + '/src/data.txt')
  return code.replace('41', '42')
}
const plugins = [Object.freeze({ name: 'frozen', transform: Object.freeze({ order: 'pre', handler }) }), inToto()]
for (const format of ['es', 'cjs'])
  await build(${
    bundler === 'vite'
      ? `{ logLevel: 'warn', configFile: false, plugins, build: { emptyOutDir: false, lib: { entry: 'src/main.js', formats: [format] } } }`
      : `{ input: 'src/main.js', plugins, output: { dir: 'dist', format, entryFileNames: format + '.js' } }`
  })`)
    expect(code, text).toBe(0)
    expect(await checkLink(project)).toEqual(['build.mjs', 'package.json', 'src/data.txt', 'src/main.js', 'src/part.js'])
    expect(project.files('dist').filter((name) => name.endsWith('js') && /=\s?4[23]\b/.test(project.read(name)))).toHaveLength(2)
  })
})
