/**
 * Publishing to a real registry server (verdaccio) with every client: the product of the link is what the registry serves, byte for byte; and of each attack
 * on the way nothing arrives, or the check of what arrived says so. Installs the server, npm 10, npm 12 and the Node that it needs into a temporary folder,
 * which takes minutes; without a package registry it is skipped aloud.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { decodeMetadata, type Link } from 'intoto'
import { readTarball } from 'intoto-npm'
import { type Chain, carryOut, makeChain } from '../cli/chain.ts'
import { bareEnvironment, bin } from '../cli/command.ts'
import { tgz } from '../npm/archive.ts'
import { clients, folder, installed, nodeOf, pathOf, settings, start, storage, versionOf, type Client } from './verdaccio.ts'

beforeAll(() => start(), 120_000)

/** Run before and after packing: what an attack is told to do. */
const script = `const fs = require('node:fs')
const [when] = process.argv.slice(2)
const attack = process.env.ATTACK
if (when === 'before' && attack === 'edited') fs.appendFileSync('dist/index.js', '// evil')
if (when === 'before' && attack === 'dropped') fs.rmSync('dist/more.js')
if (when === 'after' && attack === 'rewritten') {
  const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'))
  fs.writeFileSync('package.json', JSON.stringify({ ...manifest, dependencies: { evil: '1.0.0' } }))
}
`

/** Each attack, and what is said of it. */
const attacks = {
  edited: /E_TAMPER .*dist\/index\.js/,
  dropped: /E_PRODUCT .*dist\/more\.js/,
  rewritten: /E_\w+ .*package\.json/,
  'second folder': /E_FORMAT .*outside of the top folder/,
  duplicate: /E_FORMAT .*is in it twice/,
  swapped: /E_PRODUCT .*lib-/,
} as const

interface Project extends Chain {
  readonly name: string
  run(attack: string, ...words: string[]): { status: number | null; said: string }
}

function makeProject(which: Client): Project {
  const client = which.replace(/\d+$/, '')
  const at = join(folder, which)
  mkdirSync(at)
  const name = `lib-${which}`
  const scripts = { build: 'node build.cjs', prepack: 'node attack.cjs before', postpack: 'node attack.cjs after' }
  const manifest = { name, scripts, packageManager: `${client}@${versionOf(which)}` }
  const chain = makeChain(at, 'source', { manifest, layout: ['--client', client, '--tarball', `${name}-1.0.0.tgz`] })
  writeFileSync(join(chain.root, 'attack.cjs'), script)
  writeFileSync(join(chain.root, client === 'yarn' ? '.yarnrc.yml' : '.npmrc'), client === 'yarn' ? settings.yarn : settings.npm)
  const env = bareEnvironment({ PATH: pathOf(which), YARN_IGNORE_PATH: '1', npm_config_cache: join(folder, 'cache') })
  const run = (attack: string, ...words: string[]): { status: number | null; said: string } => {
    const own = { ...env, ATTACK: attack, EVIL: join(at, 'evil.tgz') }
    const { status, stdout, stderr } = spawnSync(words[0] ?? '', words.slice(1), { cwd: chain.root, env: own, encoding: 'utf8' })
    return { status, said: stdout + stderr }
  }
  if (client === 'yarn') {
    writeFileSync(join(chain.root, 'yarn.lock'), '')
    const { status, said } = run('', 'yarn', 'install')
    expect(status, said).toBe(0)
  }
  for (const step of ['source', 'build', 'test'] as const) carryOut(chain, step) // Yarn has tidied package.json
  cpSync(join(chain.root, 'dist'), join(at, 'dist'), { recursive: true })
  copyFileSync(join(chain.root, 'package.json'), join(at, 'package.json'))
  return { ...chain, name, run }
}

/** What the registry serves of a package now; undefined for nothing. */
async function served(name: string): Promise<Buffer | undefined> {
  const answer = await fetch(`${settings.registry}${name}/-/${name}-1.0.0.tgz`, { headers: { connection: 'close' } })
  return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined
}

describe.skipIf(!installed).each(clients)('%s', (which) => {
  const intoto = [nodeOf(which), bin] as const
  const publish = ['publish', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci'] as const
  let project: Project
  beforeAll(() => void (project = makeProject(which)), 120_000)

  /** As it was before the attack; only what was carried out honestly is left. */
  function restore(): void {
    const { root } = project
    for (const part of ['dist', 'package.json']) {
      rmSync(join(root, part), { recursive: true, force: true })
      cpSync(join(root, '..', part), join(root, part), { recursive: true })
    }
    for (const file of readdirSync(join(root, 'in-toto'))) if (file.startsWith('package.')) rmSync(join(root, 'in-toto', file))
  }

  test.each(Object.keys(attacks) as (keyof typeof attacks)[])(
    'attack "%s": nothing arrives, or it is seen',
    async (attack) => {
      const { name, root, run } = project
      const file = `${name}-1.0.0.tgz`
      const words: string[] = [...publish]
      if (attack === 'second folder' || attack === 'duplicate' || attack === 'swapped') {
        const packed = run('', ...intoto, 'pack', '--signing-key', '../keys/ci')
        expect(packed.status, packed.said).toBe(0)
        const { files } = await readTarball(readFileSync(join(root, file)))
        const entries = files.map((entry) => ({ name: entry.name, content: entry.bytes }))
        const evil = { name: attack === 'second folder' ? 'evil/dist/index.js' : 'package/dist/index.js', content: 'evil' }
        const planted = attack === 'swapped' ? entries.map((entry) => (entry.name === evil.name ? evil : entry)) : [...entries, evil]
        writeFileSync(attack === 'swapped' ? join(root, '../evil.tgz') : join(root, file), tgz(planted))
        words.splice(1, 0, file)
      }
      const { status, said } = run(attack, ...intoto, ...words)
      expect([status, said]).toEqual([1, expect.stringMatching(attacks[attack])])
      const arrived = await served(name)
      if (attack === 'swapped') {
        expect(arrived, 'what the client uploaded in its place').toEqual(readFileSync(join(root, '../evil.tgz')))
        rmSync(join(storage, name), { recursive: true })
      } else expect(arrived).toBeUndefined()
      rmSync(join(root, file), { force: true })
      restore()
    },
    180_000,
  )

  test('what is packed is what the registry serves', async () => {
    const { name, root, run } = project
    const published = run('', ...intoto, ...publish)
    expect(published.status, published.said).toBe(0)
    const [file = ''] = readdirSync(join(root, 'in-toto')).filter((path) => path.startsWith('package.'))
    const link = decodeMetadata(readFileSync(join(root, 'in-toto', file))).payload as Link
    expect(link.command).toEqual([which.replace(/\d+$/, ''), 'pack'])
    const sha256 = createHash('sha256')
      .update((await served(name)) ?? '')
      .digest('hex')
    expect(link.products[`${name}-1.0.0.tgz`]).toEqual({ sha256 })

    writeFileSync(join(root, '.npmrc'), settings.npm)
    const verified = run('', ...intoto, 'verify', `npm:${name}@1.0.0`, '-k', 'in-toto/owner.pub')
    expect(verified.status, verified.said).toBe(0)
    const again = run('', ...intoto, ...publish)
    expect(again.status, 'a version is published once').not.toBe(0)
  }, 180_000)
})

describe.skipIf(!installed).each(clients.filter((which) => which.startsWith('npm')))('the hook in %s publish', (which) => {
  test('signs what is uploaded, and stops what does not follow the layout', async () => {
    const at = join(folder, `hook-${which}`)
    mkdirSync(at)
    const name = `hook-${which}`
    const { root } = makeChain(at, 'test', { manifest: { name }, layout: ['--tarball', `${name}-1.0.0.tgz`] })
    writeFileSync(join(root, '.npmrc'), settings.npm)
    const env = bareEnvironment({ PATH: pathOf(which), npm_config_cache: join(folder, 'cache') })
    const publish = () => spawnSync('npm', ['publish'], { cwd: root, env, encoding: 'utf8' })
    const good = readFileSync(join(root, 'dist/index.js'))
    writeFileSync(join(root, 'dist/index.js'), 'evil')
    const refused = publish()
    expect([refused.status === 0, refused.stderr]).toEqual([false, expect.stringMatching(/E_TAMPER .*dist\/index\.js/)])
    expect(await served(name)).toBeUndefined()

    writeFileSync(join(root, 'dist/index.js'), good)
    const done = publish()
    expect(done.status, done.stderr).toBe(0)
    const [file = ''] = readdirSync(join(root, 'in-toto')).filter((path) => path.startsWith('package.'))
    const { products } = decodeMetadata(readFileSync(join(root, 'in-toto', file))).payload as Link
    const sha256 = createHash('sha256')
      .update((await served(name)) ?? '')
      .digest('hex')
    expect(products[`${name}-1.0.0.tgz`]).toEqual({ sha256 })
  }, 180_000)
})
