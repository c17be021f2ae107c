/**
 * Every guide is followed: its commands are typed in their order, in a project as it says its reader has one, with our command and the bundlers in place.
 * Only the installation is left out, which test/slow does.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { bareEnvironment, mustRun, temporaryFolder } from '../cli/command.ts'
import { linkTools, writeFiles } from '../cli/tools.ts'
import { documents, type Document } from './document.ts'
import { commandLines, follow, type Place } from './shell.ts'

const folder = temporaryFolder()
const bundlers = { vite: 'bin/vite.js', rollup: 'dist/bin/rollup' }

const manifest = (more: object): string => `${JSON.stringify({ version: '1.0.0', type: 'module', ...more }, null, 2)}\n`
const library: Readonly<Record<string, string>> = {
  'package.json': manifest({ name: 'my-lib', files: ['dist'], scripts: { build: 'rollup -c' }, devDependencies: { rollup: '*' } }),
  'rollup.config.js': `export default { input: 'src/index.js', output: { dir: 'dist' } }\n`,
  'src/index.js': `export const answer = 42\n`,
  'README.md': '# my-lib\n',
  '.gitignore': 'node_modules\ndist\n',
}
const app: Readonly<Record<string, string>> = {
  'package.json': manifest({ name: 'my-app', private: true, scripts: { build: 'vite build' }, devDependencies: { vite: '*' } }),
  'index.html': '<!doctype html><title>app</title><script type="module" src="/src/main.js"></script>\n',
  'src/main.js': `import('./lazy.js').then(({ lazy }) => console.log(lazy))\n`,
  'src/lazy.js': 'export const lazy = 1\n',
  '.gitignore': 'node_modules\ndist\n',
}
const withPlugin = (bundler: string): string => `import inToto from 'unplugin-in-toto/${bundler}'\n\n`
const workspace: Readonly<Record<string, string>> = {
  'package.json': manifest({ name: 'root', private: true, workspaces: ['packages/lib', 'packages/app'] }),
  '.gitignore': 'node_modules\ndist\n',
  ...below('packages/lib', library),
  ...below('packages/app', { ...app, 'src/main.js': `import { answer } from '../../lib/dist/index.js'\nconsole.log(answer)\n` }),
}

function below(at: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${at}/${name}`, text]))
}

/** What the reader of each guide has. */
const readers: Readonly<Record<string, { files: Readonly<Record<string, string>>; before?: (place: Place) => void }>> = {
  'library.md': { files: library },
  'webapp.md': { files: app },
  'monorepo.md': { files: workspace },
  'ci.md': { files: app, before: setUp },
  'consumer.md': { files: { 'package.json': '{ "private": true }' }, before: receive },
  'security.md': {
    files: {
      ...library,
      'rollup.config.js': `${withPlugin('rollup')}export default { input: 'src/index.js', output: { dir: 'dist' }, plugins: [inToto()] }\n`,
    },
  },
}

function setUp({ root, env }: Place): void {
  const { status, stdout, stderr } = spawnSync('npx', ['unplugin-in-toto', 'init', '--yes'], { cwd: root, env, encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
}

/** A package, and the evidence about it, as its author makes them. */
function receive({ root, env }: Place): void {
  const author = join(root, '../author')
  writeFiles(author, library)
  linkTools(author, bundlers)
  setUp({ root: author, aside: '', env })
  const at = { cwd: author, env }
  const pem = join(env['XDG_CONFIG_HOME'] ?? '', 'intoto/my-lib.pem')
  mustRun(['pack', '--pack-destination', root, '--signing-key', pem], at)
  for (const from of ['dist', 'in-toto'])
    for (const name of readdirSync(join(author, from)).filter((file) => file.endsWith('.link')))
      cpSync(join(author, from, name), join(root, 'evidence', name))
  for (const name of ['root.layout', 'owner.pub']) cpSync(join(author, 'in-toto', name), join(root, name))
}

/** npm, but for what needs a registry, which has been done already; and npx, but for the time that it takes to find what is there. */
function withoutRegistry(at: string): string {
  mkdirSync(at, { recursive: true })
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim()
  const programs = {
    npm: `case "$1" in i | install | ci) exit 0 ;; esac\nexec '${npm}' "$@"\n`,
    npx: `at=$PWD\nname=$1\nshift\nuntil [ -e "$at/node_modules/.bin/$name" ] || [ "$at" = / ]; do at=$(dirname "$at"); done\nexec "$at/node_modules/.bin/$name" "$@"\n`,
  }
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(at, name), `#!/bin/sh\n${text}`)
    chmodSync(join(at, name), 0o755)
  }
  return at
}

const guides = documents
  .filter(({ name }) => name.startsWith('docs/guides/'))
  .map((document) => [document.name.slice('docs/guides/'.length), document] as const)

/** What these documents show is for sh; Windows has it not everywhere. */
test.skipIf(process.platform === 'win32').each(guides)(
  '%s',
  async (name, document: Document) => {
    const reader = readers[name]
    if (reader === undefined) throw new Error(`nobody reads docs/guides/${name}: say in this test what its reader has`)
    const place = join(folder, name)
    const root = join(place, 'project')
    const env = bareEnvironment({
      HOME: join(place, 'home'),
      XDG_CONFIG_HOME: join(place, 'home/.config'),
      PATH: [withoutRegistry(join(place, 'bin')), process.env['PATH']].join(delimiter),
      ...Object.fromEntries(
        ['AUTHOR', 'COMMITTER'].flatMap((who) => [
          [`GIT_${who}_NAME`, 'alice'],
          [`GIT_${who}_EMAIL`, 'alice@registry.example'],
        ]),
      ),
      GIT_CONFIG_GLOBAL: '/dev/null',
      npm_config_update_notifier: 'false',
      NO_COLOR: '1',
    })
    writeFiles(root, reader.files)
    linkTools(root, bundlers)
    spawnSync('git', ['init', '-q'], { cwd: root, env })
    const there = { root, aside: join(place, 'aside'), env }
    reader.before?.(there)
    expect(document.blocks.filter(({ language }) => language === 'sh').flatMap(commandLines).length).toBeGreaterThan(3)
    expect(await follow(document.blocks, there)).toBeUndefined()
  },
  300_000,
)
