/**
 * Real clients install a small project from a registry on loopback; what the readers say of the lockfile and of the files in node_modules is
 * compared with what the registry serves. bun runs where its binary is installed.
 */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findLockfile, readLockfile, readManifest, resolveBundled } from 'intoto-npm'
import { startRegistry, tarball, type Registry } from './registry.ts'

const require = createRequire(new URL('../../packages/npm/package.json', import.meta.url))
/** File of an installed package, whether its `exports` show it or not. */
const fileOf = (name: string, file: string): string | undefined =>
  require.resolve
    .paths(name)
    ?.map((folder) => join(folder, name, file))
    .find((path) => existsSync(path))
const binOf = (name: string, file: string): string => {
  const path = fileOf(name, file)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}
const bun = fileOf('bun', 'bin/bun.exe')

interface Client {
  name: string
  command: readonly string[]
  /** Which lockfile it writes. */
  file: string
  /** Further files of the project. */
  files?: (url: string) => Record<string, string>
  workspace?: string
  /** Whether the lockfile has digests of tarballs. */
  digests: boolean
}
const node = process.execPath
const clients: Client[] = [
  {
    name: 'npm',
    command: ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'],
    file: 'package-lock.json',
    workspace: '0.0.1',
    digests: true,
  },
  {
    name: 'pnpm',
    command: [node, binOf('pnpm', 'bin/pnpm.cjs'), 'install', '--ignore-scripts', '--no-frozen-lockfile'],
    file: 'pnpm-lock.yaml',
    files: () => ({ 'pnpm-workspace.yaml': 'packages:\n  - packages/*\n' }),
    digests: true,
  },
  {
    name: 'yarn 1',
    command: [node, binOf('yarn', 'bin/yarn.js'), 'install', '--ignore-scripts'],
    file: 'yarn.lock',
    workspace: '0.0.1',
    digests: true,
  },
  ...(['node-modules', 'pnpm'] as const).map((linker) => ({
    name: `yarn 4 (${linker})`,
    command: [node, binOf('@yarnpkg/cli-dist', 'bin/yarn.js'), 'install'],
    file: 'yarn.lock',
    files: (url: string) => ({
      'yarn.lock': '',
      '.yarnrc.yml': `npmRegistryServer: '${url}'\nunsafeHttpWhitelist: ['127.0.0.1']\nenableTelemetry: false\nenableGlobalCache: false\nnodeLinker: ${linker}\nenableScripts: false\nenableImmutableInstalls: false\n`,
    }),
    digests: false,
  })),
  ...(bun !== undefined ? [{ name: 'bun', command: [bun, 'install', '--ignore-scripts'], file: 'bun.lock', digests: true }] : []),
]
if (clients.every(({ name }) => name !== 'bun')) console.log('lockfile-clients: no bun here, its lockfile is read from a fixture only')

let registry: Registry
let root: string
beforeAll(async () => {
  registry = await startRegistry()
  root = realpathSync(mkdtempSync(join(tmpdir(), 'intoto-clients-')))
})
afterAll(async () => {
  await registry.close()
  rmSync(root, { recursive: true, force: true })
})

/** Makes the project, lets the client install it, and returns its folder. */
async function install(client: Client, index: number): Promise<string> {
  const folder = join(root, String(index))
  const manifest = {
    name: 'app',
    version: '1.0.0',
    private: true,
    workspaces: ['packages/*'],
    dependencies: {
      '@acme/scoped': '^1.0.0',
      plain: '^2.0.0',
      kleur: 'npm:plain@1.0.0',
      peerhost: '^1.0.0',
      deep: '^1.0.0',
      outer: '^1.0.0',
      packed: 'file:./vendor/packed-1.0.0.tgz',
      remote: `${registry.url}/tarballs/remote-1.0.0.tgz`,
      shelf: client.workspace ?? 'workspace:*',
    },
    devDependencies: { tool: '^3.0.0' },
  }
  const files: Record<string, string | Uint8Array> = {
    'package.json': JSON.stringify(manifest),
    'packages/shelf/package.json': '{"name":"shelf","version":"0.0.1"}',
    'packages/shelf/index.js': '1',
    'vendor/packed-1.0.0.tgz': await tarball({ name: 'packed', version: '1.0.0' }),
    ...client.files?.(registry.url),
  }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  const [command = '', ...args] = client.command
  const env = {
    PATH: process.env['PATH'],
    HOME: join(root, 'home'),
    CI: '1',
    npm_config_registry: registry.url,
    npm_config_cache: join(root, 'cache'),
    npm_config_store_dir: join(root, 'store'),
    YARN_CACHE_FOLDER: join(root, `yarn-${index}`),
    BUN_INSTALL_CACHE_DIR: join(root, 'bun'),
    npm_config_update_notifier: 'false',
  }
  await promisify(execFile)(command, args, { cwd: folder, env, timeout: 40_000 }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`${client.name}: ${error.stdout}\n${error.stderr}`)
    },
  )
  return folder
}

/** Every index.js below node_modules, as bundlers name it: links are resolved, so that a package's file has one path. */
function installedFiles(folder: string): string[] {
  const found = new Set<string>()
  const visit = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (entry.isDirectory()) visit(join(at, entry.name))
      else if (entry.isSymbolicLink() && entry.name !== '.bin' && existsSync(join(at, entry.name, 'index.js')))
        found.add(realpathSync(join(at, entry.name, 'index.js')))
      else if (entry.name === 'index.js') found.add(join(at, entry.name))
    }
  }
  visit(join(folder, 'node_modules'))
  return [...found]
}

/** Where the inner that outer brought along would lie; Yarn 4 removes it when it installs into node_modules. */
function outerInner(files: readonly string[]): string {
  const outer = files.find((file) => readManifest(file)?.includes('outer@1.0.0')) ?? ''
  return join(dirname(outer), 'node_modules/inner/index.js')
}

describe.each(clients.map((client, index) => ({ ...client, index })))('$name', (client) => {
  it('writes a lockfile whose digests are those of the registry, and installs what resolves to exactly that', async () => {
    const folder = await install(client, client.index)
    const path = join(folder, client.file)
    expect(findLockfile(join(folder, 'packages/shelf'))).toBe(path)
    const lockfile = readLockfile(path)
    const registryPackages = [
      '@acme/scoped@1.2.0',
      'deep@1.0.1',
      'deep@2.0.0',
      'outer@1.0.0',
      'peerhost@1.0.0',
      'plain@1.0.0',
      'plain@2.1.3',
      'tool@3.0.0',
    ]
    for (const spec of registryPackages) {
      const [locked] = lockfile.packages.filter(({ name, version }) => `${name}@${version}` === spec)
      expect(locked, spec).toMatchObject({ origin: 'registry', digests: client.digests ? { sha512: registry.sha512(spec) } : {} })
    }

    const files = installedFiles(folder)
    const { dependencies, unknown } = resolveBundled(files, lockfile, { read: readManifest })
    expect(unknown).toEqual([])
    const expected = registryPackages.map((spec) => `pkg:npm/${spec.replace(/^@/, '%40')}`)
    const uris = dependencies.map(({ uri }) => uri)
    const fromRegistry = new Set(uris.filter((uri) => !uri.includes('?')))
    expect([...fromRegistry]).toEqual([...expected, 'pkg:npm/inner@1.0.0'].toSorted())
    expect(uris.filter((uri) => uri.includes('?')).map((uri) => /pkg:npm\/(\w+)/.exec(uri)?.[1])).toEqual(['packed', 'remote'])
    // what outer brought along is not the registry's inner, which Yarn 1 installs beside it
    const inner = dependencies.filter(({ uri }) => uri === 'pkg:npm/inner@1.0.0')
    const brought = inner.filter(({ annotations }) => annotations?.['bundledIn'] === 'pkg:npm/outer@1.0.0')
    expect(brought.map(({ digest }) => digest)).toEqual(existsSync(outerInner(files)) ? [undefined] : [])
    for (const { annotations, digest } of inner)
      if (annotations === undefined && client.digests) expect(digest).toEqual({ sha512: registry.sha512('inner@1.0.0') })
    for (const { uri, digest } of dependencies) {
      const spec = uri.replace('pkg:npm/', '').replace('%40', '@')
      if (client.digests && registryPackages.includes(spec)) expect(digest, uri).toEqual({ sha512: registry.sha512(spec) })
    }

    // the same by names relative to the project, as links record them
    const names = files.map((file) => file.slice(folder.length + 1))
    expect(resolveBundled(names, lockfile, { base: folder, read: readManifest })).toEqual({ dependencies, unknown })

    // a package that was changed after the install is known no longer
    const stale = files.find((file) => file.includes('/plain') && readManifest(file)?.includes('plain@2.1.3'))!
    writeFileSync(join(dirname(stale), 'package.json'), '{"name":"plain","version":"2.1.4"}')
    expect(resolveBundled([stale], lockfile, { read: readManifest }).unknown).toEqual([stale])
  })
})
