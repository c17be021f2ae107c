/**
 * Layouts of node_modules as clients really make them, without a network: a workspace whose app uses another package of it and one from a tarball.
 * What the link calls their files, seen from the package and from the workspace.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'
import { describe, expect, it } from 'vitest'
import { linkName, Project, sha256 } from '../plugin/project.ts'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
const npm = process.env['npm_execpath']

/** How each client installs from what is there, what a workspace is called in a range, and where it puts a tarball's files. */
const clients = {
  npm: {
    command: npm === undefined ? ['npm'] : [process.execPath, npm],
    args: ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund'],
    range: '*',
    tiny: 'node_modules/tiny',
    lockfile: 'package-lock.json',
  },
  pnpm: {
    command: [process.execPath, join(modules, 'pnpm/bin/pnpm.cjs')],
    args: ['install', '--offline', '--ignore-scripts', '--store-dir', 'store'],
    range: 'workspace:*',
    tiny: 'node_modules/.pnpm/tiny@file+vendor+tiny-1.0.0.tgz/node_modules/tiny',
    lockfile: 'pnpm-lock.yaml',
  },
  'pnpm hoisted': {
    command: [process.execPath, join(modules, 'pnpm/bin/pnpm.cjs')],
    args: ['install', '--offline', '--ignore-scripts', '--store-dir', 'store', '--config.node-linker=hoisted'],
    range: 'workspace:*',
    tiny: 'node_modules/tiny',
    lockfile: 'pnpm-lock.yaml',
  },
  'yarn 1': {
    command: [process.execPath, join(modules, 'yarn/bin/yarn.js')],
    args: ['install', '--offline', '--ignore-scripts', '--non-interactive', '--cache-folder', 'store'],
    range: '*',
    tiny: 'node_modules/tiny',
    lockfile: 'yarn.lock',
  },
  yarn: {
    command: [process.execPath, join(modules, '@yarnpkg/cli-dist/bin/yarn.js')],
    args: ['install', '--mode=skip-build'],
    range: 'workspace:*',
    tiny: 'node_modules/tiny',
    lockfile: 'yarn.lock',
  },
} as const

type Client = keyof typeof clients

/** `mono` below a project that has the bundlers: Node finds those further up, and no client ever sees them. */
async function installed(client: Client): Promise<Project> {
  const { command, args, range } = clients[client]
  const project = new Project(`layout-${client.replace(' ', '-')}`, 'vite')
  const json = (name: string, value: object): void => project.write(`mono/${name}/package.json`, JSON.stringify(value))
  json('.', { name: 'mono', version: '1.0.0', private: true, workspaces: ['app', 'packages/*'] })
  json('app', {
    name: 'app',
    version: '1.0.0',
    type: 'module',
    dependencies: { shared: range, tiny: 'file:../vendor/tiny-1.0.0.tgz' },
  })
  json('packages/shared', { name: 'shared', version: '1.0.0', type: 'module', main: 'index.js' })
  project.write('mono/packages/shared/index.js', `export const shared = 'shared'`)
  project.write('mono/app/src/main.js', `import { shared } from 'shared'\nimport { tiny } from 'tiny'\nexport const main = shared + tiny\n`)
  project.write('mono/pnpm-workspace.yaml', 'packages:\n  - app\n  - packages/*\n')
  project.write('mono/.yarnrc.yml', 'nodeLinker: node-modules\nenableNetwork: false\nenableTelemetry: false\nenableGlobalCache: false\n')
  if (client === 'yarn') project.write('mono/yarn.lock', '')
  const entries = {
    'package/package.json': '{ "name": "tiny", "version": "1.0.0", "type": "module", "main": "index.js" }',
    'package/index.js': `export { deep as tiny } from './lib/deep.js'`,
    'package/lib/deep.js': `export const deep = 'deep'`,
  }
  const tar = await packTar(Object.entries(entries).map(([name, body]) => ({ header: { name, size: body.length }, body })))
  mkdirSync(project.path('mono/vendor'))
  writeFileSync(project.path('mono/vendor/tiny-1.0.0.tgz'), gzipSync(tar))
  const env = { PATH: process.env['PATH'], HOME: project.path(), CI: '', YARN_IGNORE_PATH: '1' }
  const ended = spawnSync(command[0], [...command.slice(1), ...args], { cwd: project.path('mono'), env, encoding: 'utf8' })
  if (ended.status !== 0) throw new Error(`${client} did not install: ${ended.stdout}${ended.stderr}`)
  return project
}

async function build(project: Project, root: string): Promise<{ names: string[]; dependencies: unknown; unresolved: unknown }> {
  project.write(
    'mono/app/build.mjs',
    `import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
process.chdir(import.meta.dirname)
await build({ configFile: false, logLevel: 'warn', plugins: [inToto({ root: '${root}' })], build: { lib: { entry: 'src/main.js', formats: ['es'], fileName: 'main' } } })`,
  )
  const ended = await project.node(['mono/app/build.mjs'])
  expect(ended.code, ended.text).toBe(0)
  const { materials, products, byproducts } = await project.link(`mono/app/dist/${linkName}`)
  const base = root === 'package' ? 'mono/app' : 'mono'
  for (const [name, digest] of Object.entries({ ...materials, ...products }))
    expect(digest, name).toEqual({ sha256: sha256(project.path(base, name)) })
  return {
    names: Object.keys(materials),
    dependencies: byproducts['resolved-dependencies'],
    unresolved: byproducts['unresolved-files'],
  }
}

describe.each(Object.keys(clients) as Client[])('a workspace installed by %s', (client) => {
  it('has one name for each file, that of its real place', async () => {
    const project = await installed(client)
    const { tiny, lockfile } = clients[client]
    const files = [
      'app/build.mjs',
      'app/package.json',
      'app/src/main.js',
      `${tiny}/index.js`,
      `${tiny}/lib/deep.js`,
      `${tiny}/package.json`,
      lockfile,
      'package.json',
      'packages/shared/index.js',
      'packages/shared/package.json',
    ]
    const whole = await build(project, 'workspace')
    // The workspace's own package.json is read only where it is the nearest one of something.
    expect(whole.names.filter((name) => name !== 'package.json')).toEqual(files.filter((name) => name !== 'package.json').sort())
    expect(whole.dependencies).toMatchObject([{ uri: expect.stringContaining('tiny') }])
    expect(whole.unresolved).toBeUndefined()
    const own = await build(project, 'package')
    const fromApp = files.map((name) => (name.startsWith('app/') ? name.slice('app/'.length) : `../${name}`))
    expect(own.names.filter((name) => name !== '../package.json')).toEqual(fromApp.filter((name) => name !== '../package.json').sort())
  })
})
