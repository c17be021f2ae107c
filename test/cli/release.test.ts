/**
 * A release from a home with a telling name: what is made beside the tarball (Statements, bundles, what stores hold, what npm is handed), what a client that
 * gives no digest leaves behind, and that key, environment, home and user name stand in none of it, nor in anything that was printed.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeMetadata, importKey, type Link, linkFileName, type Statement } from 'intoto'
import { layoutVerifierId, npmPackBuildType, readLines, readTarball, unhostedBuilderId, verifyBundle } from 'intoto-npm'
import { alice, layout as layoutOf, linkFile, owner, signed, step } from '../intoto/world.ts'
import { type FakeArchivista, startArchivista } from '../npm/archivista.ts'
import { type FakeRegistry, startOci } from '../npm/oci.ts'
import { type Chain, makeChain } from './chain.ts'
import { endOf, bareEnvironment, bin, type Ended, start, temporaryFolder } from './command.ts'
import { type Registry, settings, startRegistry } from './registry.ts'

const canary = { env: 'canary-in-the-environment', home: 'canary-home-7c1d', user: 'canary-user-7c1d' }
const home = join(temporaryFolder(), canary.home)
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
const tarball = 'lib-1.0.0.tgz'
const before = { HOME: process.env['HOME'], USER: process.env['USER'], LOGNAME: process.env['LOGNAME'] }
let chain: Chain
let registry: Registry
let oci: FakeRegistry
let archivista: FakeArchivista
let said = ''

beforeAll(async () => {
  mkdirSync(join(home, 'bin'), { recursive: true })
  Object.assign(process.env, { HOME: home, USER: canary.user, LOGNAME: canary.user })
  const postpack = `"${process.execPath}" "${bin}" postpack --unproven --signing-key ../keys/ci -k in-toto/owner.pub`
  const scripts = { build: 'node build.cjs', postpack }
  chain = makeChain(home, 'test', { manifest: { scripts }, layout: ['--client', 'pnpm', '--tarball', tarball] })
  ;[registry, oci, archivista] = await Promise.all([startRegistry(), startOci(), startArchivista()])
  writeFileSync(join(chain.root, '.npmrc'), settings(registry))
  writeFileSync(join(home, 'bin/npm'), `#!${process.execPath}\n${npmBetween}`)
  chmodSync(join(home, 'bin/npm'), 0o755)
  const packed = await intoto('pack', '--client', 'pnpm', '--signing-key', '../keys/ci')
  if (packed.code !== 0) throw new Error(packed.err)
}, 60_000)

afterAll(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  await Promise.all([oci.close(), archivista.close()])
})

/** npm, which would ask Sigstore over the network: notes what it is called with, and is npm without --provenance-file. */
const npmBetween = `const { appendFileSync } = require('node:fs')
const { spawnSync } = require('node:child_process')
const words = process.argv.slice(2)
appendFileSync(process.env.HOME + '/npm.log', JSON.stringify(words) + '\\n')
const at = words.indexOf('--provenance-file')
if (at >= 0) words.splice(at, 2)
const path = process.env.PATH.split(':').filter((folder) => folder !== process.env.HOME + '/bin').join(':')
process.exit(spawnSync('npm', words, { stdio: 'inherit', env: { ...process.env, PATH: path } }).status)
`

function environment(): NodeJS.ProcessEnv {
  return {
    SECRET_TOKEN: canary.env,
    PATH: [join(home, 'bin'), join(modules, '.bin'), process.env['PATH']].join(delimiter),
    npm_config_cache: join(home, 'cache'),
    npm_config_userconfig: join(home, '.npmrc'),
  }
}

/** `intoto`, beside the servers in this process. */
async function intoto(...args: string[]): Promise<Ended> {
  const done = await endOf(start(args, { ...chain.call, env: environment() }))
  said += done.out + done.err
  return done
}

const at = (...path: string[]): string => join(chain.root, ...path)
/** The Statement of a bundle that the functionary has signed. */
async function statementOf(file: string): Promise<Statement> {
  const key = await importKey(readFileSync(at('in-toto/ci.pub'), 'utf8'))
  return (await verifyBundle(readFileSync(at(file)), [key])).statement
}

/** What is said of the place of a package that lies in a workspace and is packed there, called from a folder. */
async function workspaceOf(packing: readonly string[], from: string): Promise<unknown> {
  const root = mkdtempSync(join(home, 'workspace-'))
  const app = join(root, 'packages/app')
  mkdirSync(app, { recursive: true })
  spawnSync('git', ['init', '-q', root])
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "version": "1.0.0" }')
  const key = ['--signing-key', join(chain.keys, 'ci')]
  for (const [cwd, ...words] of [
    [app, 'pack', '--client', 'npm', ...key, ...packing, '-d', join(root, 'links')],
    [join(root, from), 'provenance', join(app, 'app-1.0.0.tgz'), ...key, '-d', join(root, 'links'), '-o', join(root, 'said')],
  ] as const) {
    const done = await endOf(start(words, { cwd, env: environment() }))
    expect(done.code, done.err).toBe(0)
  }
  const [line] = readLines(readFileSync(join(root, 'said'))).lines
  const { predicate } = (line?.metadata.payload ?? {}) as { predicate?: { buildDefinition: { externalParameters: { workspace: string } } } }
  return predicate?.buildDefinition.externalParameters.workspace
}

describe('intoto provenance', () => {
  test('signs SLSA provenance, as a line and as a bundle, with the key of the link and no other', async () => {
    const made = await intoto('provenance', tarball, '--signing-key', '../keys/ci', '--bundle', 'slsa.json')
    expect([made.code, made.out], made.err).toEqual([0, `${tarball}.intoto.jsonl\nslsa.json\n`])
    const statement = await statementOf('slsa.json')
    const read = await readTarball(at(tarball))
    expect(statement).toMatchObject({
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [{ name: 'pkg:npm/lib@1.0.0', digest: { sha256: read.sha256, sha512: read.sha512 } }],
      predicate: {
        buildDefinition: { buildType: npmPackBuildType, externalParameters: { command: ['pnpm', 'pack'], client: 'pnpm', workspace: '.' } },
        runDetails: { builder: { id: unhostedBuilderId } },
      },
    })
    expect(await workspaceOf([], 'packages/app')).toBe('packages/app')
    expect(await workspaceOf(['--base-path', '../..'], '.')).toBe('packages/app')
    const stranger = await intoto('provenance', tarball, '--signing-key', '../keys/alice')
    expect([stranger.code, stranger.err]).toEqual([1, expect.stringMatching(/^E_ACTOR .*not signed by the key/m)])
  })

  test('signs the link, and the verdict, whichever it is', async () => {
    const link = await intoto('provenance', tarball, '--predicate', 'link', '--signing-key', '../keys/ci', '--bundle', 'link.json')
    expect(link.code, link.err).toBe(0)
    expect((await statementOf('link.json')).predicateType).toBe('https://in-toto.io/attestation/link/v0.3')
    const vsa = ['--predicate', 'vsa', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci']
    const passed = await intoto('provenance', tarball, ...vsa, '--bundle', 'vsa.json')
    expect(passed.code, passed.err).toBe(0)
    expect(await statementOf('vsa.json')).toMatchObject({
      predicateType: 'https://slsa.dev/verification_summary/v1',
      predicate: { verifier: { id: layoutVerifierId }, verificationResult: 'PASSED', resourceUri: 'pkg:npm/lib@1.0.0' },
    })
    expect(readLines(readFileSync(at(`${tarball}.intoto.jsonl`))).lines).toHaveLength(3)

    copyFileSync(at('dist/index.js'), at('kept.js'))
    appendFileSync(at('dist/index.js'), '// evil')
    const packed = await intoto('pack', '--client', 'pnpm', '--signing-key', '../keys/ci', '--pack-destination', 'evil', '-d', 'evil')
    expect(packed.code, packed.err).toBe(0)
    const failed = await intoto('provenance', `evil/${tarball}`, ...vsa, '--bundle', 'failed.json')
    copyFileSync(at('kept.js'), at('dist/index.js'))
    expect([failed.code, failed.err]).toEqual([1, expect.stringMatching(/^E_\w+ .*lib-1\.0\.0\.tgz/m)])
    expect((await statementOf('failed.json')).predicate).toMatchObject({ verificationResult: 'FAILED' })
  })

  test('signs no verdict that is milder than by default, or of another time', async () => {
    for (const flags of [['--at', '2026-01-01'], ['--command-mismatch', 'warn'], ['--statements'], ['--limit', 'fileBytes=1000000']]) {
      const vsa = ['--predicate', 'vsa', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci', '-o', 'none.jsonl', ...flags]
      const refused = await intoto('provenance', tarball, ...vsa)
      expect([refused.code, refused.err]).toEqual([2, expect.stringContaining(`leave out ${flags[0]}`)])
      expect(refused.err).toMatch(/^E_CONFIG /m)
      expect(existsSync(at('none.jsonl'))).toBe(false)
    }
  })

  test('signs the verdict of a chain with a sublayout, with the links of both', async () => {
    const began = new Date().toISOString().slice(0, 19)
    const { sha256 } = await readTarball(at(tarball))
    const inner = linkFileName('package', alice.key.keyid).replace(/\.link$/, '')
    mkdirSync(at('sub', inner), { recursive: true })
    copyFileSync(at(tarball), at('sub', tarball))
    writeFileSync(at('sub/owner.pub'), owner.publicPem)
    writeFileSync(at('sub/root.layout'), await signed(layoutOf([step('package')]), [owner]))
    writeFileSync(at('sub', `${inner}.link`), await signed(layoutOf([step('pack')]), [alice]))
    for (const [name, bytes] of Object.entries(await linkFile(alice, { name: 'pack', products: { [tarball]: { sha256 } } })))
      writeFileSync(at('sub', inner, name), bytes)
    const trust = ['-k', 'sub/owner.pub', '-l', 'sub/root.layout', '-d', 'sub', '--base-path', 'sub', '--signing-key', '../keys/ci']
    const made = await intoto('provenance', `sub/${tarball}`, '--predicate', 'vsa', ...trust, '--bundle', 'sub.json')
    expect(made.code, made.err).toBe(0)
    const { predicate } = (await statementOf('sub.json')) as Statement & {
      predicate: { timeVerified: string; inputAttestations: object[] }
    }
    expect(predicate).toMatchObject({
      verificationResult: 'PASSED',
      inputAttestations: [{ name: `${inner}.link` }, { name: expect.any(String) as string }],
    })
    expect([began, predicate.timeVerified].toSorted()).toEqual([began, predicate.timeVerified])
  })
})

describe('intoto evidence', () => {
  test('goes to an OCI registry and comes back, enough to verify by', async () => {
    const store = `oci://${oci.host}/team/app`
    const pushed = await intoto('evidence', 'push', tarball, '--store', store)
    expect(pushed.code, pushed.err).toBe(0)
    const pulled = await intoto('evidence', 'pull', tarball, '--store', store, '-d', 'from-oci')
    expect(pulled.code, pulled.err).toBe(0)
    expect(pulled.out).toContain(join('from-oci', 'root.layout'))
    const verify = ['verify', tarball, '-k', 'in-toto/owner.pub', '-l', 'from-oci/root.layout', '-d', 'from-oci']
    const verified = await intoto(...verify)
    expect(verified.code, verified.out + verified.err).toBe(0)
    writeFileSync(at('other.txt'), 'other')
    const absent = await intoto('evidence', 'pull', 'other.txt', '--store', 'dir:absent', '-d', 'nothing')
    expect([absent.code, absent.err]).toEqual([2, expect.stringMatching(/^E_IO absent {2}there is no such store\n {2}try /)])
    const nothing = await intoto('evidence', 'pull', 'other.txt', '--store', store, '-d', 'nothing')
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining('no store has anything about this file')])
  })

  test('goes to Archivista as Statements and comes back', async () => {
    const store = `archivista+${archivista.url}`
    const pushed = await intoto('evidence', 'push', tarball, '--store', store)
    expect(pushed.code, pushed.err).toBe(0)
    expect(archivista.envelopes.size).toBeGreaterThanOrEqual(3)
    const pulled = await intoto('evidence', 'pull', tarball, '--store', store, '-d', 'from-archivista')
    expect(pulled.code, pulled.err).toBe(0)
    const names = readdirSync(at('from-archivista'))
    expect(names.length).toBeGreaterThan(0)
    for (const name of names)
      for (const { metadata } of readLines(readFileSync(at('from-archivista', name))).lines) expect(metadata.signatures).toHaveLength(1)
  })
})

describe.skipIf(process.platform === 'win32')('uploads', () => {
  test('hand npm the keyless bundle beside a tarball, and none that a key signed', async () => {
    registry.packages.clear()
    const bundle = JSON.parse(readFileSync(at('slsa.json'), 'utf8')) as { verificationMaterial: object }
    const publish = ['publish', tarball, '--client', 'npm', '-k', 'in-toto/owner.pub']
    writeFileSync(at(`${tarball}.sigstore.json`), JSON.stringify(bundle))
    const plain = await intoto(...publish, '--dry-run')
    expect([plain.code, plain.out], plain.err).toEqual([0, expect.not.stringContaining('--provenance-file')])
    bundle.verificationMaterial = { certificate: { rawBytes: 'MAA=' } }
    writeFileSync(at(`${tarball}.sigstore.json`), JSON.stringify(bundle))
    const done = await intoto(...publish)
    expect(done.code, done.err).toBe(0)
    const called = readFileSync(join(home, 'npm.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as string[])
    const words = called.find(([first]) => first === 'publish') ?? []
    expect(words.slice(words.indexOf('--provenance-file'))).toEqual(['--provenance-file', `${tarball}.sigstore.json`])
    expect(words).toContain('--ignore-scripts')
  })

  test('of a client that gives no digest are signed with --unproven, which link and verdict tell', async () => {
    registry.packages.clear()
    registry.tarballs.clear()
    const env = { ...bareEnvironment(environment()) }
    const done = await endOf(spawn('pnpm', ['publish', '--no-git-checks'], { cwd: chain.root, env, stdio: ['ignore', 'pipe', 'pipe'] }))
    expect(done.code, done.out + done.err).toBe(0)
    const [file = ''] = readdirSync(at('in-toto')).filter((name) => /^package\.[0-9a-f]{8}\.link$/.test(name))
    const link = decodeMetadata(readFileSync(at('in-toto', file))).payload as Link
    expect(link.byproducts).toMatchObject({ unproven: true })
    const verified = await intoto('verify', 'npm:lib@1.0.0', '-k', 'in-toto/owner.pub')
    expect(verified.code, verified.out + verified.err).toBe(0)
    expect(verified.out).toMatch(/E_PRODUCT .*"package" was signed without proof that pnpm\S* uploaded these bytes \(--unproven\)/)
  })
})

describe('the person who releases', () => {
  test('stands in no link, Statement, bundle, tarball, store, upload or message', async () => {
    const failing = [
      ['verify', tarball, '-k', 'in-toto/alice.pub'],
      ['pack', '--signing-key', join(home, 'keys/none')],
      ['verify', tarball, '-k', 'in-toto/owner.pub', '-l', join(home, 'none.layout')],
      ['reproduce', '-l', 'none.link'],
    ]
    for (const words of failing) expect((await intoto(...words)).code, words.join(' ')).not.toBe(0)
    const without = await endOf(
      start(['run', '-n', 'x', '--', 'true'], { ...chain.call, env: { ...environment(), INTOTO_KEY_FILE: join(home, 'keys/none') } }),
    )
    expect(without.err).toContain('~/keys/none')
    said += without.out + without.err

    const ours = said.replace(/^> lib@1\.0\.0 .*$/gm, '') // pnpm says where it runs a script
    expect(ours.split('\n').filter((line) => line.includes(canary.home))).toEqual([])
    const everything = new Map<string, Buffer>([['what was printed', Buffer.from(ours)]])
    const made = [
      ...links('in-toto'),
      ...links('dist'),
      `${tarball}.intoto.jsonl`,
      'slsa.json',
      'link.json',
      'vsa.json',
      'failed.json',
      tarball,
    ]
    for (const name of made) everything.set(name, readFileSync(at(name)))
    for (const { name, bytes } of (await readTarball(at(tarball))).files) everything.set(`${tarball}/${name}`, Buffer.from(bytes))
    for (const [name, bytes] of [...oci.blobs, ...archivista.envelopes]) everything.set(name, bytes)
    for (const [name, { bytes }] of oci.manifests) everything.set(name, bytes)
    for (const [name, packument] of registry.packages) everything.set(`packument of ${name}`, Buffer.from(JSON.stringify(packument)))
    const [, key = ''] = readFileSync(join(chain.keys, 'ci'), 'utf8').split('\n')
    for (const [name, bytes] of everything)
      for (const secret of [canary.env, canary.home, canary.user, registry.token, key])
        expect(readable(bytes).includes(secret), `${secret} in ${name}`).toBe(false)
    expect(everything.size).toBeGreaterThan(20)
    expect(statSync(join(chain.keys, 'ci')).mode & 0o077).toBe(0)
    expect(existsSync(at('none.link'))).toBe(false)
  })

  function links(folder: string): string[] {
    return readdirSync(at(folder))
      .filter((name) => name.endsWith('.link'))
      .map((name) => join(folder, name))
  }

  /** Bytes as text, and what stands in them in base64, payloads of envelopes within bundles too. */
  function readable(bytes: Buffer, depth = 2): string {
    const text = bytes.toString('latin1')
    const inner = depth === 0 ? [] : (text.match(/[A-Za-z0-9+/]{40,}={0,2}/g) ?? [])
    return [text, ...inner.map((part) => readable(Buffer.from(part, 'base64'), depth - 1))].join('\n')
  }
})
