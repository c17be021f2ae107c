/** Option `audit`: inputs of plugins that read by themselves and tell nobody, in bundlers of each kind; and that it breaks no build. */
import { describe, expect, it } from 'vitest'
import { keyPem, linkName, sha256, smallProject, type Bundler, type Other, type Project } from './project.ts'

/** Source text of a build whose plugin, or loader, reads four files in four ways and announces none. */
const read = `import { readFileSync } from 'node:fs'
import fs, { promises } from 'node:fs'
import { readFile } from 'node:fs/promises'
export async function secrets() {
  fs.cpSync('data/copied', 'dist/copied', { recursive: true })
  const stream = fs.createReadStream('data/four.txt').setEncoding('utf8')
  let four = ''
  for await (const piece of stream) four += piece
  return readFileSync('data/one.txt', 'utf8') + await readFile(new URL('data/two.txt', import.meta.url), 'utf8') + await promises.readFile('data/three.txt', 'utf8') + four
}
`
const builds: Readonly<Record<string, (options: string) => string>> = {
  vite: (options) => `import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
import { secrets } from './secrets.mjs'
await build({ configFile: false, logLevel: 'warn', build: { lib: { entry: 'src/main.js', formats: ['es'], fileName: 'main' } }, plugins: [inToto({ ${options} }),
  { name: 'reader', async transform(code, id) { return id.endsWith('part.js') ? 'export const part = ' + JSON.stringify(await secrets()) : null } }] })`,
  rollup: (options) => `import { rollup } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
import { secrets } from './secrets.mjs'
const bundle = await rollup({ input: 'src/main.js', plugins: [inToto({ ${options} }),
  { name: 'reader', async load(id) { return id.endsWith('part.js') ? 'export const part = ' + JSON.stringify(await secrets()) : null } }] })
await bundle.write({ dir: 'dist' })
await bundle.close()`,
  esbuild: (options) => `import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
import { secrets } from './secrets.mjs'
await build({ entryPoints: ['src/main.js'], bundle: true, format: 'esm', outdir: 'dist', plugins: [inToto({ ${options} }),
  { name: 'reader', setup: (build) => build.onLoad({ filter: /part/ }, async () => ({ contents: 'export const part = ' + JSON.stringify(await secrets()) })) }] })`,
  webpack: (options) => `import webpack from 'webpack'
import inToto from 'unplugin-in-toto/webpack'
import { writeFileSync } from 'node:fs'
writeFileSync('loader.mjs', "import { secrets } from './secrets.mjs'; export default function () { const done = this.async(); secrets().then((text) => done(null, 'export const part = ' + JSON.stringify(text)), done) }")
await new Promise((done, fail) => webpack({ mode: 'production', entry: './src/main.js', context: process.cwd(), output: { path: process.cwd() + '/dist' },
  module: { rules: [{ test: /part/, use: process.cwd() + '/loader.mjs' }] }, plugins: [inToto({ ${options}, generated: 'loader.mjs' })] }, (error, stats) => error || stats.hasErrors() ? fail(error ?? stats.toString()) : done()))`,
}

function readerProject(bundler: string): Project {
  const project = smallProject(`audit-${bundler}`, bundler as Bundler | Other)
  project.write('secrets.mjs', read)
  for (const name of ['one', 'two', 'three', 'four']) project.write(`data/${name}.txt`, name)
  project.write('data/copied/deep.txt', 'deep')
  project.write('src/main.js', `import { part } from './part.js'\nconsole.log(part)\n`)
  return project
}

const told = ['data/copied/deep.txt', 'data/four.txt', 'data/one.txt', 'data/three.txt', 'data/two.txt']

describe.each(Object.keys(builds))('audit, with %s', (bundler) => {
  it('adds what plugins read and told nobody of, says so, and changes no output', async () => {
    const project = readerProject(bundler)
    const without = await project.script(builds[bundler]!('audit: false'))
    expect(without.code, without.text).toBe(0)
    const plain = await project.link()
    const output = sha256(project.path('dist/main.js'))
    expect(Object.keys(plain.materials).filter((name) => name.startsWith('data/'))).toEqual([])
    expect(plain.byproducts['coverage']).not.toContain('audit')

    const ended = await project.script(builds[bundler]!('audit: true'))
    expect(ended.code, ended.text).toBe(0)
    const { materials, byproducts, products } = await project.link()
    expect(Object.keys(materials).filter((name) => name.startsWith('data/'))).toEqual(told)
    for (const name of told) expect(materials[name]).toEqual({ sha256: sha256(project.path(name)) })
    expect(Object.keys(materials)).toEqual(expect.arrayContaining(Object.keys(plain.materials)))
    expect(Object.keys(materials).filter((name) => name.startsWith('dist/') || /node_modules\/.*\.[cm]?js$/.test(name))).toEqual([])
    expect(byproducts['coverage']).toContain('audit')
    expect(byproducts['unsettled']).toBeUndefined()
    expect(Object.keys(products)).toContain('dist/main.js')
    expect(sha256(project.path('dist/main.js'))).toBe(output)
  })
})

describe('audit', () => {
  it('breaks no build: what did not hold still is listed, and nothing else of this process is', async () => {
    const project = readerProject('rollup')
    const meddling = builds['rollup']!('audit: true').replace(
      'await bundle.write',
      `const fs = await import('node:fs')
fs.writeFileSync('data/one.txt', 'changed'); fs.rmSync('data/two.txt'); fs.writeFileSync('made.json', '{}'); fs.readFileSync('made.json'); fs.readFileSync(process.env.INTOTO_KEY_FILE)
try { fs.readFileSync('absent.txt') } catch (error) { console.log(error.code) }
fs.closeSync(fs.openSync('written.txt', 'w'))
console.log(fs.readFile.name, fs.readFile.length, typeof fs.promises.open)
await bundle.write`,
    )
    project.write('key.pem', keyPem)
    const ended = await project.script(meddling, { INTOTO_KEY_FILE: project.path('key.pem') })
    expect(ended.code, ended.text).toBe(0)
    expect(ended.stdout).toContain('ENOENT')
    expect(ended.stdout).toContain('readFile 3 function')
    const { materials, byproducts } = await project.link(`dist/${linkName}`)
    expect(byproducts['unsettled']).toEqual(['data/one.txt', 'made.json'])
    expect(Object.keys(materials)).not.toEqual(expect.arrayContaining(['key.pem']))
    expect(Object.keys(materials).filter((name) => /written|absent|made|key/.test(name))).toEqual([])
    expect(Object.keys(materials).filter((name) => name.startsWith('data/'))).toEqual([
      'data/copied/deep.txt',
      'data/four.txt',
      'data/three.txt',
    ])
  })
})
