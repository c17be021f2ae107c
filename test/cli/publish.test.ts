/** Publishing in real processes, against a registry on loopback: one file from packing to the registry, and what happens to all others. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { decodeMetadata, type Link } from 'intoto'
import { readTarball } from 'intoto-npm'
import { tgz } from '../npm/archive.ts'
import { type Chain, carryOut, copyOf, makeChain } from './chain.ts'
import { endOf, bareEnvironment, type Ended, start, temporaryFolder } from './command.ts'
import { type Registry, settings, startRegistry } from './registry.ts'

const folder = temporaryFolder()
let tested: Chain
let registry: Registry

/** Values that must turn up nowhere. */
const canary = { env: 'canary-in-the-environment', home: 'canary-home', user: 'canary-user' }

beforeAll(async () => {
  mkdirSync(join(folder, 'honest'))
  tested = makeChain(join(folder, 'honest'), 'test')
  registry = await startRegistry()
})

function environment(): NodeJS.ProcessEnv {
  const home = join(folder, canary.home)
  mkdirSync(home, { recursive: true })
  return {
    HOME: home,
    USER: canary.user,
    LOGNAME: canary.user,
    SECRET_TOKEN: canary.env,
    npm_config_cache: join(folder, 'cache'),
    npm_config_userconfig: join(home, '.npmrc'),
  }
}

async function ended(child: ReturnType<typeof spawn>): Promise<Ended> {
  const { out, err, ...rest } = await endOf(child)
  for (const secret of [canary.env, canary.user, registry.token]) expect(out + err).not.toContain(secret)
  expect(out + err).not.toMatch(/\n\s+at .*[:)]|node:internal/)
  return { ...rest, out, err }
}

/** `intoto`, beside the registry in this process. */
async function intoto(chain: Chain, ...args: string[]): Promise<Ended> {
  return ended(start(args, { ...chain.call, env: environment() }))
}

async function npm(chain: Chain, ...args: string[]): Promise<Ended> {
  const env = bareEnvironment(environment())
  return ended(spawn('npm', args, { cwd: chain.root, env, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' }))
}

/** A copy of the chain that knows the registry; with other scripts the steps are carried out again, honestly. */
function project(scripts?: { [name: string]: string }): Chain {
  const chain = copyOf(tested)
  writeFileSync(join(chain.root, '.npmrc'), settings(registry))
  registry.packages.clear()
  registry.tarballs.clear()
  registry.tamper = undefined
  if (scripts === undefined) return chain
  const file = join(chain.root, 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { scripts: { [name: string]: string } }
  manifest.scripts = { ...manifest.scripts, ...scripts }
  writeFileSync(file, JSON.stringify(manifest, null, 2))
  for (const step of ['source', 'build', 'test'] as const) carryOut(chain, step)
  return chain
}

const publish = ['publish', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci'] as const
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function packageLink(chain: Chain): Link {
  const [file = ''] = readdirSync(join(chain.root, 'in-toto')).filter((name) => /^package\.[0-9a-f]{8}\.link$/.test(name))
  return decodeMetadata(readFileSync(join(chain.root, 'in-toto', file))).payload as Link
}

function nothingArrived(): void {
  expect([...registry.packages.keys()], 'packages in the registry').toEqual([])
}

describe('intoto publish', () => {
  test('uploads the very file that was verified, and asks what the registry serves', async () => {
    const chain = project()
    const dry = await intoto(chain, ...publish, '--dry-run', '--', '--otp', '654321')
    expect(dry.code, dry.err).toBe(0)
    expect(dry.out + dry.err).not.toContain('654321')
    expect(dry.out).toMatch(/lib@1\.0\.0 {2}sha512-.*\n.*to http:.*npm publish lib-1\.0\.0\.tgz --ignore-scripts/)
    nothingArrived()
    expect(readdirSync(join(chain.root, 'in-toto')).filter((name) => name.startsWith('package.'))).toEqual([])

    registry.late = 1 + 2 // once before the upload, twice after it
    const done = await intoto(chain, ...publish)
    expect(done.code, done.err).toBe(0)
    expect(done.out).toBe('+ lib@1.0.0  the registry serves the tarball that was verified\n')
    const served = registry.tarballs.get('lib-1.0.0.tgz') as Buffer
    expect(packageLink(chain).products).toEqual({ 'lib-1.0.0.tgz': { sha256: sha256(served) } })
    expect(existsSync(join(chain.root, 'lib-1.0.0.tgz'))).toBe(false)

    const verified = await intoto(chain, 'verify', 'npm:lib@latest', '-k', 'in-toto/owner.pub')
    expect(verified.code, verified.out + verified.err).toBe(0)
    expect(verified.out).toContain('lib-1.0.0.tgz')

    const everything = [JSON.stringify(packageLink(chain)), JSON.stringify([...registry.packages.values()])]
    for (const { bytes } of (await readTarball(served)).files) everything.push(Buffer.from(bytes).toString('latin1'))
    const key = readFileSync(join(chain.keys, 'ci'), 'utf8').split('\n')[1] as string
    for (const secret of [canary.env, canary.user, canary.home, registry.token, key, folder])
      expect(everything.join('\n')).not.toContain(secret)
  })

  test('says so when the registry tells or serves something else, with exit code 1', async () => {
    const chain = project()
    registry.tamper = ({ versions }) => {
      for (const manifest of Object.values(versions))
        Object.assign(manifest, { dependencies: { evil: '1.0.0' }, scripts: { postinstall: 'evil' } })
    }
    const told = await intoto(chain, ...publish)
    expect(told.code).toBe(1)
    expect(told.err).toContain('another "dependencies" than package.json')
    expect(told.err).toContain('another "scripts" than package.json')
    const verified = await intoto(chain, 'verify', 'npm:lib@1.0.0', '-k', 'in-toto/owner.pub')
    expect(verified.code).toBe(1)
    expect(verified.out).toContain('E_PRODUCT')
  })

  test('is refused before it packs where nobody could judge, and where a word would go astray', async () => {
    const chain = project({ prepare: `node -e "require('fs').writeFileSync('ran', '')"` })
    const signing = ['--signing-key', '../keys/ci']
    for (const [words, said] of [
      [['publish', ...signing], /no key was given/],
      [['publish', ...signing, '-k', 'absent.pub'], /absent\.pub/],
      [['publish', ...signing, '-k', 'in-toto/owner.pub', '-l', 'absent.layout'], /absent\.layout/],
      [['publish', 'a.tgz', 'b.tgz', '-k', 'in-toto/owner.pub'], /"b\.tgz"/],
      [['publish', 'a.tgz', 'next', '-k', 'in-toto/owner.pub'], /"next"/],
      [['publish', '-k', 'in-toto/owner.pub', ...signing, '--', '--tag', 'next', 'b.tgz'], /"b\.tgz"/],
    ] as const) {
      const { code, err } = await intoto(chain, ...words)
      expect([code, err]).toEqual([2, expect.stringMatching(said)])
      expect(existsSync(join(chain.root, 'ran')), err).toBe(false)
    }
    nothingArrived()
  })

  test('uploads nothing when a script changes the build while packing', async () => {
    const edits = project({ prepare: `node -e "require('fs').appendFileSync('dist/index.js', '// evil')"` })
    const edited = await intoto(edits, ...publish)
    expect([edited.code, edited.err]).toEqual([1, expect.stringMatching(/E_TAMPER.*dist\/index\.js/)])
    nothingArrived()
  })

  test('nor does it verify when a script changes the build while packing, and changes it back', async () => {
    const evil = `fs=require('fs');fs.copyFileSync('dist/index.js','../index.js');fs.appendFileSync('dist/index.js','// evil')`
    const back = `require('fs').copyFileSync('../index.js','dist/index.js')`
    const chain = project({ prepack: `node -e "${evil}"`, postpack: `node -e "${back}"` })
    const recorded = ['-m', 'package.json', 'dist', '-p', 'lib-1.0.0.tgz', '--signing-key', '../keys/ci']
    const ran = await intoto(chain, 'run', '-n', 'package', ...recorded, '--', 'npm', 'pack')
    expect(ran.code, ran.err).toBe(0)
    const verified = await intoto(chain, 'verify', 'lib-1.0.0.tgz', '-k', 'in-toto/owner.pub')
    expect([verified.code, verified.out]).toEqual([
      1,
      expect.stringMatching(/^E_PRODUCT package\/dist\/index\.js .*other bytes than "package" read/m),
    ])
    const given = await intoto(chain, 'publish', 'lib-1.0.0.tgz', '-k', 'in-toto/owner.pub')
    expect([given.code, given.err]).toEqual([1, expect.stringContaining('nothing was uploaded')])
    nothingArrived()
  })

  test('takes a tarball that was packed before, and no other', async () => {
    const chain = project()
    const packed = await intoto(chain, 'pack', '--signing-key', '../keys/ci', '--pack-destination', '.release')
    expect([packed.code, packed.out]).toEqual([0, `${join('.release', 'lib-1.0.0.tgz')}\n`])
    const file = join(chain.root, '.release/lib-1.0.0.tgz')
    const good = readFileSync(file)
    const { files } = await readTarball(good)
    const entries = files.map(({ name, bytes }) => ({ name, content: bytes }))
    const bad = {
      'a second top folder': [...entries, { name: 'evil/dist/index.js', content: 'evil' }],
      'a duplicate entry': [...entries, { name: 'package/dist/index.js', content: 'evil' }],
      'a dropped file': entries.filter(({ name }) => !name.endsWith('more.js')),
    }
    for (const [i, [attack, content]] of Object.entries(bad).entries()) {
      writeFileSync(file, tgz(content))
      const { code, out, err } = await intoto(chain, i === 0 ? 'publish' : 'verify', file, '-k', 'in-toto/owner.pub')
      expect([attack, code], out + err).toEqual([attack, 1])
    }
    nothingArrived()
    writeFileSync(file, good)
    const done = await intoto(chain, 'publish', file, '-k', 'in-toto/owner.pub', '--store', `dir:${join(folder, 'store')}`)
    expect(done.code, done.err).toBe(0)
    expect(registry.tarballs.get('lib-1.0.0.tgz')?.equals(good)).toBe(true)

    // from the store and the registry alone, in a folder without evidence
    const elsewhere = { ...chain, call: { cwd: chain.keys } }
    writeFileSync(join(chain.keys, '.npmrc'), settings(registry))
    const pulled = [
      'verify',
      'npm:lib@1.0.0',
      '-k',
      'owner.pub',
      '-l',
      join(chain.root, 'in-toto/root.layout'),
      '--store',
      `dir:${join(folder, 'store')}`,
    ]
    const verified = await intoto(elsewhere, ...pulled)
    expect(verified.code, verified.out + verified.err).toBe(0)
    const fetched = await intoto(elsewhere, 'evidence', 'pull', file, '--store', `dir:${join(folder, 'store')}`, '-d', 'pulled')
    expect(fetched.code, fetched.err).toBe(0)
    expect(readdirSync(join(chain.keys, 'pulled'))).toContain('root.layout')
  })

  test('uploads nothing after a step whose command failed, which "verify" only warns of', async () => {
    const chain = project()
    writeFileSync(join(chain.root, 'src/index.js'), 'const = 42\n')
    for (const step of ['source', 'build'] as const) carryOut(chain, step)
    const checked = ['-m', 'package.json', 'src', 'dist', '--', 'node', '--check', 'dist/index.js']
    // Not by "intoto": what Node says of the file holds a stack.
    const failed = await endOf(start(['run', '-n', 'test', '--signing-key', '../keys/alice', ...checked], chain.call))
    expect(failed.code).toBe(1)
    expect(failed.err).toMatch(/\n\[in-toto\] test: node --check dist\/index\.js ended with 1; the link says so\n$/)

    const early = await intoto(chain, 'verify', 'dist', '-k', 'in-toto/owner.pub', '--through', 'test')
    expect(early.code, early.out).toBe(0)
    expect(early.out).toMatch(/^E_COMMAND in-toto\/test\.[0-9a-f]{8}\.link {2}test: the command ended with 1$/m)
    const strict = ['dist', '-k', 'in-toto/owner.pub', '--through', 'test', '--command-failure', 'error']
    expect(await intoto(chain, 'verify', ...strict)).toMatchObject({ code: 1, out: expect.stringContaining('Not verified.') })

    const refused = await intoto(chain, ...publish)
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/^E_COMMAND .* test: the command ended with 1$/m)
    expect(refused.err).toContain('nothing was uploaded')
    nothingArrived()
    const hooked = await npm(chain, 'pack', '--foreground-scripts')
    expect(hooked.code).not.toBe(0)
    expect(hooked.err).toMatch(/^E_COMMAND /m)

    const relaxed = await intoto(chain, ...publish, '--command-failure', 'warn', '--dry-run')
    expect(relaxed.code, relaxed.err).toBe(0)
    expect(relaxed.err).toContain('--command-failure warn: a step whose command failed is only warned about')
  })

  test.each(['--dry-run', '--dry-run=true', '--dry', '--dr', '--dry-r', '-dry-run'])(
    'takes %s among the client’s words for a misunderstanding',
    async (word) => {
      const asked = await intoto(tested, ...publish, '--', word)
      expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('--dry-run stands after --')])
    },
  )

  test('refuses a signing key below the package root, whatever is packed', async () => {
    const chain = project()
    renameSync(join(chain.keys, 'ci'), join(chain.root, 'ci.key'))
    const { code, err } = await intoto(chain, 'pack', '--signing-key', 'ci.key')
    expect(code).toBe(2)
    expect(err).toMatch(/^E_KEY ci\.key .*below the package root/m)
  })
})

describe('the hook inside npm publish', () => {
  test('records what npm uploads, and ends the publish when the chain does not hold', async () => {
    const chain = project()
    const done = await npm(chain, 'publish')
    expect(done.code, done.err).toBe(0)
    const served = registry.tarballs.get('lib-1.0.0.tgz') as Buffer
    expect(packageLink(chain).products).toEqual({ 'lib-1.0.0.tgz': { sha256: sha256(served) } })

    registry.packages.clear()
    appendFileSync(join(chain.root, 'dist/index.js'), '// evil')
    const refused = await npm(chain, 'publish')
    expect(refused.code).not.toBe(0)
    expect(refused.err).toMatch(/E_TAMPER.*dist\/index\.js/)
    nothingArrived()
  })
})
