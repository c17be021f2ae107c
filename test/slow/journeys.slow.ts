/**
 * First contact, as README tells it: from what a template makes to a verified build, with our packages as npm would install them. Needs a package
 * registry and takes minutes; without one it is skipped aloud. What each journey took is printed.
 */
import { execFile } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { settings, startRegistry } from '../cli/registry.ts'
import { env, folder, install, mustRun, run, tarballs, write, type Ended } from './project.ts'

const start = promisify(execFile)
const scaffolder = install(join(folder, 'create'), ['create-vite@9'])

/** `npm publish` beside this process, which is the registry. */
async function publishTo(root: string, npmrc: string): Promise<Ended> {
  try {
    const { stdout, stderr } = await start('npm', ['publish'], { cwd: root, env: { ...env, npm_config_userconfig: npmrc } })
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout: string; stderr: string }
    return { code: code ?? 1, text: stdout + stderr }
  }
}

/** The journey of README, from `npm i -D` to a verified build; answers with its folder. */
function journey(
  name: string,
  root: string,
  verify: readonly string[] = ['dist', '-k', 'in-toto/owner.pub', '--through', 'build'],
): string {
  mustRun(root, 'git', 'init', '-q')
  const began = Date.now()
  mustRun(root, 'npm', 'install', '-D', ...tarballs)
  const installed = Date.now()
  const said = mustRun(root, 'npx', 'unplugin-in-toto', 'init', '--yes')
  expect(said).toContain('Verified')
  const built = Date.now()
  expect(mustRun(root, 'npm', 'run', 'build')).toMatch(
    /in-toto\] build: \d+ materials?, \d+ products? -> \S+build\.[0-9a-f]{8}\.link \(signed\)/,
  )
  expect(mustRun(root, 'npx', 'intoto', 'verify', ...verify)).toMatch(/^ ok +build +1\/1 signature/m)
  const seconds = (from: number, to: number): string => `${Math.round((to - from) / 100) / 10} s`
  console.log(
    `${name}: 2 commands and ${seconds(began, built)} from "npm i -D" to a verified link (install ${seconds(began, installed)}, init ${seconds(installed, built)}); build and verify again ${seconds(built, Date.now())}`,
  )
  const before = mustRun(root, 'git', 'status', '--porcelain', '-uall')
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  expect(mustRun(root, 'npx', 'unplugin-in-toto', 'init', '--yes')).toContain('nothing was changed')
  expect(mustRun(root, 'git', 'status', '--porcelain', '-uall')).toBe(before)
  expect(readFileSync(join(root, 'package.json'), 'utf8')).toBe(manifest)
  return root
}

/** A changed byte of what was delivered is refused, whatever built it. */
function tampered(root: string, file: string, verify: readonly string[]): void {
  appendFileSync(join(root, file), ' ')
  const { code, text } = run(root, 'npx', 'intoto', 'verify', ...verify)
  expect(code, text).toBe(1)
  expect(text).toMatch(new RegExp(`^E_PRODUCT ${file.replaceAll('.', '\\.')}`, 'm'))
}

const verifyDist = ['dist', '-k', 'in-toto/owner.pub', '--through', 'build']

test.skipIf(!scaffolder).each(['vue-ts', 'vanilla'])('create-vite, %s', (template) => {
  const root = join(folder, `vite-${template}`)
  mustRun(
    folder,
    process.execPath,
    join(folder, 'create/node_modules/create-vite/index.js'),
    `vite-${template}`,
    '--template',
    template,
    '--no-interactive',
  )
  mustRun(root, 'npm', 'install')
  journey(`create-vite ${template}`, root)
  const main = readdirSync(join(root, 'src')).find((name) => /^main\.[jt]s$/.test(name)) as string
  appendFileSync(join(root, 'src', main), '\nconsole.log("more")\n')
  const names = readdirSync(join(root, 'dist/assets'))
  mustRun(root, 'npm', 'run', 'build')
  expect(readdirSync(join(root, 'dist/assets'))).not.toEqual(names)
  mustRun(root, 'npx', 'intoto', 'verify', ...verifyDist)
  tampered(root, 'dist/index.html', verifyDist)
})

test.skipIf(!scaffolder)('webpack', () => {
  const root = join(folder, 'webpack')
  write(root, {
    'package.json': '{ "name": "site", "private": true, "scripts": { "build": "webpack" } }',
    'webpack.config.js': `const path = require('path');\n\nmodule.exports = {\n  mode: 'production',\n  entry: './src/index.js',\n  output: { filename: '[name].[contenthash].js', path: path.resolve(__dirname, 'dist'), clean: true },\n};\n`,
    'src/index.js': `import { greet } from './greet';\nconsole.log(greet());\n`,
    'src/greet.js': `export const greet = () => 'hello';\n`,
  })
  mustRun(root, 'npm', 'install', '-D', 'webpack@5', 'webpack-cli@6')
  journey('webpack', root)
  write(root, { 'src/greet.js': `export const greet = () => 'good day';\n` })
  mustRun(root, 'npm', 'run', 'build')
  mustRun(root, 'npx', 'intoto', 'verify', ...verifyDist)
})

test.skipIf(!scaffolder)('a library by Rollup, published', async () => {
  const root = join(folder, 'rollup')
  write(root, {
    'package.json': `{ "name": "journey-lib", "version": "1.0.0", "type": "module", "main": "dist/index.js", "files": ["dist"], "scripts": { "build": "rollup -c" } }`,
    'rollup.config.js': `export default {\n  input: 'src/index.js',\n  output: { dir: 'dist', format: 'es' },\n}\n`,
    'src/index.js': `export const answer = 42\n`,
    'README.md': '# journey-lib\n',
  })
  mustRun(root, 'npm', 'install', '-D', 'rollup@4')
  journey('rollup library', root)
  mustRun(root, 'npm', 'pack', '--pack-destination', '..')
  mustRun(root, 'npx', 'intoto', 'verify', '../journey-lib-1.0.0.tgz', '-k', 'in-toto/owner.pub')
  const registry = await startRegistry()
  const npmrc = join(root, '.npmrc')
  writeFileSync(npmrc, settings(registry))
  const publish = (): Promise<Ended> => publishTo(root, npmrc)
  const published = await publish()
  expect(published.code, published.text).toBe(0)
  expect([...registry.packages.keys()]).toEqual(['journey-lib'])
  mustRun(root, 'npm', 'version', '1.0.1', '--no-git-tag-version')
  mustRun(root, 'npm', 'run', 'build')
  appendFileSync(join(root, 'dist/index.js'), '// evil\n')
  const refused = await publish()
  expect(refused.code).not.toBe(0)
  expect(refused.text).toMatch(/^E_TAMPER dist\/index\.js/m)
  expect(Object.keys(registry.packages.get('journey-lib')?.versions ?? {})).toEqual(['1.0.0'])
})

test.skipIf(!scaffolder)('a script that calls esbuild', () => {
  const root = join(folder, 'esbuild')
  write(root, {
    'package.json': '{ "name": "tool", "private": true, "type": "module", "scripts": { "build": "node build.mjs" } }',
    'build.mjs': `import * as esbuild from 'esbuild'\n\nawait esbuild.build({\n  entryPoints: ['src/index.ts'],\n  bundle: true,\n  entryNames: '[name]-[hash]',\n  outdir: 'dist',\n})\n`,
    'src/index.ts': `export const answer: number = 42\nconsole.log(answer)\n`,
  })
  mustRun(root, 'npm', 'install', '-D', 'esbuild')
  journey('esbuild script', root)
})

test.skipIf(!scaffolder)('Astro', () => {
  const root = join(folder, 'astro')
  write(root, {
    'package.json': '{ "name": "pages", "private": true, "type": "module", "scripts": { "build": "astro build" } }',
    'astro.config.mjs': `import { defineConfig } from 'astro/config'\n\nexport default defineConfig({})\n`,
    'src/pages/index.astro': `---\nconst title = 'Pages'\n---\n<html><head><title>{title}</title></head><body><h1>{title}</h1><script>console.log('hi')</script></body></html>\n`,
    'public/robots.txt': 'User-agent: *\n',
  })
  mustRun(root, 'npm', 'install', '-D', 'astro@5')
  journey('Astro', root)
  tampered(root, 'dist/index.html', verifyDist)
})
