/**
 * First contact, as README tells it: from what a template makes to a verified build, with our packages as npm would install them. Needs a package
 * registry and takes minutes; without one it is skipped aloud. What each journey took is printed.
 */
import { execFile, spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { bareEnvironment } from '../cli/command.ts'
import { settings, startRegistry } from '../cli/registry.ts'

const start = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'intoto-journeys-'))
const repository = fileURLToPath(new URL('../../', import.meta.url))
const env = bareEnvironment({
  HOME: join(folder, 'home'),
  XDG_CONFIG_HOME: join(folder, 'home/.config'),
  npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(process.env['HOME'] ?? '', '.npmrc'),
  npm_config_cache: join(folder, 'cache'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  ASTRO_TELEMETRY_DISABLED: '1',
})
const tarballs = pack()
const scaffolder = install(join(folder, 'create'), ['create-vite@9'])
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }), 120_000)

interface Ended {
  readonly code: number | null
  readonly text: string
}

function run(cwd: string, ...words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(words[0] ?? '', words.slice(1), {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
    maxBuffer: 64 * 1024 * 1024,
  })
  return { code: status, text: stdout + stderr }
}

function mustRun(cwd: string, ...words: readonly string[]): string {
  const { code, text } = run(cwd, ...words)
  expect(code, `${words.join(' ')}\n${text}`).toBe(0)
  return text
}

/** Our packages, as `npm publish` would upload them. */
function pack(): string[] {
  const to = join(folder, 'packages')
  mkdirSync(to, { recursive: true })
  for (const from of ['.', 'packages/intoto', 'packages/npm', 'packages/cli'])
    mustRun(join(repository, from), 'npm', 'pack', '--ignore-scripts', '--pack-destination', to)
  return readdirSync(to).map((name) => join(to, name))
}

/** False where nothing can be installed. */
function install(at: string, names: readonly string[]): boolean {
  mkdirSync(at, { recursive: true })
  if (!existsSync(join(at, 'package.json'))) writeFileSync(join(at, 'package.json'), '{ "private": true }')
  const { code, text } = run(at, 'npm', 'install', ...names)
  if (code !== 0 && process.env['CI_PEERS'] === '1') throw new Error(text)
  if (code !== 0) console.warn(`skipped: ${names.join(', ')} can not be installed here`)
  return code === 0
}

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

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
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
