/**
 * Publishing to a real registry server (verdaccio) with every client that the development tools bring along: the product of the link is what the registry
 * serves, byte for byte. Installs the server and npm 10 into a temporary folder, which takes minutes; without a package registry it is skipped aloud.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeMetadata, type Link } from 'intoto'
import { carryOut, makeChain } from '../cli/chain.ts'
import { bareEnvironment, bin } from '../cli/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'intoto-registry-'))
const tools = join(folder, 'tools')
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
const clients = ['npm', 'npm10', 'pnpm', 'yarn', 'bun'] as const
let server: ChildProcess | undefined
let settings = ''

const installed = install()

/** verdaccio 6.8 asks for a tag of node-fetch that registries do not always have: its release is named. */
function install(): boolean {
  mkdirSync(tools)
  writeFileSync(join(tools, 'package.json'), JSON.stringify({ private: true, overrides: { 'node-fetch': '2.7.0' } }))
  const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', 'verdaccio@6.8.0', 'npm10@npm:npm@10']
  const { status } = spawnSync('npm', words, { cwd: tools, env: bareEnvironment(), stdio: 'ignore', timeout: 8 * 60_000 })
  if (status !== 0 && process.env['CI_PEERS'] === '1') throw new Error('verdaccio can not be installed')
  if (status !== 0) console.warn('skipped: verdaccio can not be installed here, so that nothing is published to a real registry')
  return status === 0
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

beforeAll(async () => {
  if (!installed) return
  const host = `127.0.0.1:${await freePort()}`
  const config = {
    storage: join(folder, 'storage'),
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: {},
    packages: { '**': { access: '$all', publish: '$authenticated' } },
    log: { type: 'stdout', level: 'fatal' },
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config)) // JSON is YAML
  server = spawn(
    process.execPath,
    [join(tools, 'node_modules/verdaccio/bin/verdaccio'), '--config', join(folder, 'config.yaml'), '--listen', host],
    { stdio: 'ignore' },
  )
  const user = {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'tester', password: 'only-for-this-test' }),
  }
  for (let tries = 0; settings === ''; tries++) {
    await sleep(500)
    try {
      const { token } = (await (await fetch(`http://${host}/-/user/org.couchdb.user:tester`, user)).json()) as { token: string }
      settings = `registry=http://${host}/\n//${host}/:_authToken=${token}\n`
    } catch (error) {
      if (tries > 120) throw error
    }
  }
  mkdirSync(join(folder, 'bin'))
  for (const name of ['pnpm', 'bun']) symlinkSync(join(modules, '.bin', name), join(folder, 'bin', name))
  writeFileSync(
    join(folder, 'bin/yarn'),
    `#!/bin/sh\nexec "${process.execPath}" "${join(modules, '@yarnpkg/cli-dist/bin/yarn.js')}" "$@"\n`,
  )
  mkdirSync(join(folder, 'bin10'))
  writeFileSync(
    join(folder, 'bin10/npm'),
    `#!/bin/sh\nexec "${process.execPath}" "${join(tools, 'node_modules/npm10/bin/npm-cli.js')}" "$@"\n`,
  )
  for (const file of ['bin/yarn', 'bin10/npm']) chmodSync(join(folder, file), 0o755)
}, 120_000)

afterAll(() => {
  server?.kill()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** pnpm runs another version than its own where package.json names one. */
function versionOf(which: (typeof clients)[number]): string {
  const packages = { npm: 'npm', npm10: 'npm', pnpm: 'pnpm', yarn: '@yarnpkg/cli-dist', bun: 'bun' }
  if (packages[which] === 'npm') return '11.0.0'
  return (JSON.parse(readFileSync(join(modules, packages[which], 'package.json'), 'utf8')) as { version: string }).version
}

test.skipIf(!installed).each(clients)(
  'what %s packs is what the registry serves',
  async (which) => {
    const client = which === 'npm10' ? 'npm' : which
    const at = join(folder, which)
    mkdirSync(at)
    const manifest = { name: `lib-${which}`, scripts: { build: 'node build.cjs' }, packageManager: `${client}@${versionOf(which)}` }
    const chain = makeChain(at, 'test', { manifest, layout: ['--client', client, '--tarball', `lib-${which}-1.0.0.tgz`] })
    writeFileSync(join(chain.root, '.npmrc'), settings)
    const path = [...(which === 'npm10' ? [join(folder, 'bin10')] : []), join(folder, 'bin'), process.env['PATH']].join(':')
    const env = bareEnvironment({ PATH: path, YARN_IGNORE_PATH: '1', YARN_ENABLE_TELEMETRY: '0' })
    const run = (...words: string[]) => spawnSync(words[0] ?? '', words.slice(1), { cwd: chain.root, env, encoding: 'utf8' })
    if (client === 'yarn') {
      writeFileSync(join(chain.root, 'yarn.lock'), '')
      expect(run('yarn', 'install').status).toBe(0)
      for (const step of ['source', 'build', 'test'] as const) carryOut(chain, step) // Yarn has tidied package.json
    }
    const published = run(process.execPath, bin, 'publish', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci')
    expect(published.status, published.stdout + published.stderr).toBe(0)

    const registry = /^registry=(.*)$/m.exec(settings)?.[1] ?? ''
    const served = Buffer.from(
      await (await fetch(`${registry}lib-${which}/-/lib-${which}-1.0.0.tgz`, { headers: { connection: 'close' } })).arrayBuffer(),
    )
    const [file = ''] = readdirSync(join(chain.root, 'in-toto')).filter((name) => name.startsWith('package.'))
    const link = decodeMetadata(readFileSync(join(chain.root, 'in-toto', file))).payload as Link
    expect(link.command).toEqual([client, 'pack'])
    expect(link.products[`lib-${which}-1.0.0.tgz`]).toEqual({ sha256: createHash('sha256').update(served).digest('hex') })

    const verified = run(process.execPath, bin, 'verify', `npm:lib-${which}@1.0.0`, '-k', 'in-toto/owner.pub')
    expect(verified.status, verified.stdout + verified.stderr).toBe(0)
    const again = run(process.execPath, bin, 'publish', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci')
    expect(again.status, 'a version is published once').not.toBe(0)
  },
  180_000,
)
