/**
 * Chains under the presets, made with the command alone, before both peers: accepted as they are, refused when a byte of them is another. The npm preset is
 * tried with every client, since all but npm rewrite package.json while packing.
 */
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Chain, carryOut, makeChain } from '../cli/chain.ts'
import { intoto, mustRun, temporaryFolder } from '../cli/command.ts'
import { describeWithPeers, startPeer, type Peer } from './peer.ts'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
const folder = temporaryFolder()
let peers: Peer[]
let rounds = 0

beforeAll(() => {
  peers = [startPeer('python'), startPeer('go')]
})
afterAll(() => peers.forEach((peer) => peer.close()))

/** What both peers and we say of the evidence of a project; `work` is the folder that inspections see. */
async function verdicts({ root, call }: Chain, o: { layout?: string; product?: string }): Promise<boolean[]> {
  const links = join(folder, `round-${rounds++}`)
  mkdirSync(links)
  for (const place of ['in-toto', 'dist'].filter((name) => existsSync(join(root, name))))
    for (const name of readdirSync(join(root, place))) if (name.endsWith('.link')) copyFileSync(join(root, place, name), join(links, name))
  const layout = join(root, 'in-toto', o.layout ?? 'root.layout')
  const said = await Promise.all(
    peers.map(async (peer) => {
      const dir = join(folder, `work-${rounds++}`)
      mkdirSync(dir)
      if (o.product !== undefined) copyFileSync(join(root, o.product), join(dir, o.product))
      return (await peer.ask('verify', { dir, layout, keys: [join(root, 'in-toto/owner.pub')], links })).ok
    }),
  )
  const { code } = intoto(
    ['verify', ...(o.product === undefined ? [] : [o.product]), '-k', 'in-toto/owner.pub', '-l', layout, '-d', links],
    call,
  )
  return [...said, code === 0]
}

/** Folder with the yarn that the tests mean; the one that npm links is Yarn 1. */
function yarnFolder(): string {
  const path = join(folder, 'bin')
  mkdirSync(path)
  writeFileSync(join(path, 'yarn'), `#!/bin/sh\nexec "${process.execPath}" "${join(modules, '@yarnpkg/cli-dist/bin/yarn.js')}" "$@"\n`)
  chmodSync(join(path, 'yarn'), 0o755)
  return path
}

describeWithPeers('the npm preset', () => {
  let tested: Chain
  let path: string
  beforeAll(() => {
    mkdirSync(join(folder, 'npm'))
    tested = makeChain(join(folder, 'npm'), 'test', { layout: ['--tarball', 'lib-1.0.0.tgz'] })
    path = [yarnFolder(), join(modules, '.bin'), process.env['PATH']].join(delimiter)
  }, 60_000)

  test.skipIf(process.platform === 'win32').each(['npm', 'pnpm', 'yarn', 'bun'])(
    'with %s: accepted by both peers, and refused with another tarball',
    async (client) => {
      const root = join(folder, client === 'npm' ? 'with-npm' : client, 'lib')
      for (const part of ['lib', 'keys']) cpSync(join(folder, 'npm', part), join(root, '..', part), { recursive: true })
      const env = {
        PATH: path,
        HOME: folder,
        YARN_ENABLE_TELEMETRY: '0',
        YARN_ENABLE_NETWORK: '0',
        YARN_IGNORE_PATH: '1',
        YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
      }
      const call = { cwd: root, env }
      const chain = { root, keys: join(root, '..', 'keys'), call }
      if (client === 'yarn') {
        writeFileSync(join(root, 'yarn.lock'), '')
        expect(spawnSync('yarn', ['install'], { cwd: root, env: { ...process.env, ...env } }).status).toBe(0)
        for (const step of ['source', 'build', 'test'] as const) carryOut(chain, step) // Yarn has tidied package.json
      }
      const functionaries = ['--functionary', 'in-toto/alice.pub', 'build=in-toto/ci.pub', 'package=in-toto/ci.pub']
      const words = ['--preset', 'npm', '--client', client, '--tarball', 'lib-1.0.0.tgz', ...functionaries]
      mustRun(['layout', 'new', ...words, '--sign-with', '../keys/owner', '-o', 'in-toto/client.layout'], call)
      mustRun(['pack', '--client', client, '--signing-key', '../keys/ci'], call)
      expect(await verdicts(chain, { layout: 'client.layout', product: 'lib-1.0.0.tgz' })).toEqual([true, true, true])
      appendFileSync(join(root, 'lib-1.0.0.tgz'), '\0')
      expect(await verdicts(chain, { layout: 'client.layout', product: 'lib-1.0.0.tgz' })).toEqual([false, false, false])
    },
    60_000,
  )

  test('"reproducible": both builders are needed, and must agree', async () => {
    const { call, root } = tested
    const who = ['--functionary', 'in-toto/alice.pub', 'build=in-toto/alice.pub', 'build=in-toto/ci.pub']
    mustRun(
      ['layout', 'new', '--preset', 'reproducible', '--no-test', ...who, '--sign-with', '../keys/owner', '-o', 'in-toto/twice.layout'],
      call,
    )
    const ask = (): Promise<boolean[]> => verdicts(tested, { layout: 'twice.layout' })
    expect(await ask()).toEqual([false, false, false])
    const [first = ''] = readdirSync(join(root, 'dist')).filter((name) => name.endsWith('.link'))
    mustRun(['reproduce', '-l', join('dist', first), '-k', 'in-toto/ci.pub', '--signing-key', '../keys/alice', '-d', 'in-toto'], call)
    expect(await ask()).toEqual([true, true, true])
    const [second = ''] = readdirSync(join(root, 'in-toto')).filter((name) => name.startsWith('build.'))
    rmSync(join(root, 'in-toto', second))
    const recorded = ['-m', 'package.json', 'build.cjs', 'src', '-p', 'dist', '-d', 'in-toto']
    const evil = `require('node:fs').appendFileSync('dist/index.js', '// evil')`
    mustRun(['run', '-n', 'build', '--signing-key', '../keys/alice', ...recorded, '--', 'node', '-e', evil], call)
    expect(await ask()).toEqual([false, false, false])
  }, 60_000)
})

describeWithPeers('the preset of DevGuard', () => {
  test('is accepted by both peers with keys under its ids, and refused when the build began with something else', async () => {
    const root = join(folder, 'devguard', 'lib')
    const call = { cwd: root }
    mkdirSync(join(root, 'in-toto'), { recursive: true })
    mkdirSync(join(root, 'src'))
    mustRun(['keygen', '-o', '../owner'], call)
    mustRun(['keygen', '--type', 'ecdsa', '-o', '../dev'], call)
    copyFileSync(join(root, '../owner.pub'), join(root, 'in-toto/owner.pub'))
    writeFileSync(join(root, 'src/main.js'), 'export default 1\n')
    writeFileSync(join(root, '.gitignore'), '*.link\ndist\nin-toto\nimage-digest.txt\n')
    for (const words of [
      ['init', '-q'],
      ['add', '-A'],
      ['-c', 'user.name=a', '-c', 'user.email=a@registry.example', 'commit', '-q', '-m', 'one'],
    ])
      expect(spawnSync('git', words, { cwd: root }).status).toBe(0)
    const made = ['--preset', 'devguard', '--functionary', '../dev.pub', '--sign-with', '../owner', '-o', 'in-toto/root.layout']
    mustRun(['layout', 'new', ...made], call)
    const own = ['--signing-key', '../dev', '--keyid-style', 'devguard', '-d', 'in-toto']
    const copy = `require('node:fs').cpSync('src', 'dist', { recursive: true })`
    mustRun(['record', 'source', '-n', 'post-commit', ...own], call)
    mustRun(['run', '-n', 'build', ...own, '-m', 'src', '-p', 'dist', '--', 'node', '-e', copy], call)
    writeFileSync(join(root, 'image-digest.txt'), 'sha256:c0ffee\n')
    mustRun(['run', '-n', 'deploy', ...own, '-m', 'dist', '-p', 'image-digest.txt', '-x'], call)
    expect(await verdicts({ root, keys: root, call }, { product: 'image-digest.txt' })).toEqual([true, true, true])
    expect(readFileSync(join(root, 'in-toto/root.layout'), 'utf8')).not.toContain('PRIVATE')
    appendFileSync(join(root, 'src/main.js'), '// evil\n')
    mustRun(['run', '-n', 'build', ...own, '-m', 'src', '-p', 'dist', '--', 'node', '-e', ''], call)
    expect(await verdicts({ root, keys: root, call }, { product: 'image-digest.txt' })).toEqual([false, false, false])
  }, 60_000)
})
