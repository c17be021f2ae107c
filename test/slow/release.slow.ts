/**
 * This project's own packages, released by its own means to a real registry server on loopback, and installed from there: all four go through their chains,
 * and nobody without a key gets anywhere. Other packages come from the registry that npm is configured for.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { bareEnvironment, mustRun } from '../cli/command.ts'
import { folder, installed, settings, start } from './verdaccio.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = join(root, '.ci/release.mjs')
const names = ['intoto', 'intoto-npm', 'intoto-cli', 'unplugin-in-toto']
const keys = join(folder, 'keys')

beforeAll(async () => {
  if (!installed) return
  const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' })
  await start({ uplink: stdout.trim(), own: names })
  mkdirSync(keys)
  for (const name of ['owner', 'releaser', 'stranger']) mustRun(['keygen', '-o', join(keys, name)])
  writeFileSync(join(folder, 'user.npmrc'), settings.npm)
}, 120_000)

function run(program: string, words: readonly string[], o: { cwd?: string } = {}): { status: number | null; said: string } {
  const env = bareEnvironment({ npm_config_userconfig: join(folder, 'user.npmrc'), npm_config_cache: join(folder, 'cache') })
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: o.cwd ?? root, env, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

const release = (...words: string[]) => run(process.execPath, [script, ...words])

describe.skipIf(!installed)('this project', () => {
  const places = ['--layouts', join(folder, 'layouts'), '--evidence', join(folder, 'evidence')]
  const publish = ['publish', '-k', join(keys, 'owner.pub'), ...places]

  test('is released by nobody without a key, or without a layout', () => {
    for (const words of [['publish'], publish, [...publish, '--signing-key', join(keys, 'releaser')], ['layout'], ['other'], []])
      expect(release(...words).status, words.join(' ')).toBe(2)
  })

  test('releases its four packages, and can be installed from where they are', async () => {
    const made = release('layout', '--sign-with', join(keys, 'owner'), '--functionary', join(keys, 'releaser.pub'), ...places.slice(0, 2))
    expect(made.status, made.said).toBe(0)
    expect(readdirSync(join(folder, 'layouts')).sort()).toEqual(names.map((name) => `${name}.layout`).sort())

    const stranger = release(...publish, '--signing-key', join(keys, 'stranger'))
    expect([stranger.status, stranger.said]).toEqual([1, expect.stringMatching(/^E_ACTOR /m)])
    expect((await fetch(`${settings.registry}intoto`, { headers: { connection: 'close' } })).status).toBe(404)

    const done = release(...publish, '--signing-key', join(keys, 'releaser'))
    expect(done.status, done.said).toBe(0)
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    for (const name of names) expect(done.said).toContain(`+ ${name}@${version}  the registry serves the tarball that was verified`)

    const app = join(folder, 'app')
    mkdirSync(app)
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
    const installed_ = run('npm', ['install', '--no-audit', '--no-fund', '--legacy-peer-deps', 'unplugin-in-toto'], { cwd: app })
    expect(installed_.status, installed_.said).toBe(0)
    const command = run('npx', ['--no', '--', 'intoto', '--version'], { cwd: app })
    expect([command.status, command.said]).toEqual([0, expect.stringContaining(`intoto ${version} `)])
    const code = `import inToto from 'unplugin-in-toto/rollup'; import { npmLayout } from 'intoto'; console.log(inToto().name, typeof npmLayout)`
    expect(run(process.execPath, ['--input-type=module', '-e', code], { cwd: app }).said).toContain('in-toto function')
    for (const name of names) {
      const trust = ['-k', join(keys, 'owner.pub'), '-l', join(folder, 'layouts', `${name}.layout`), '-d', join(folder, 'evidence', name)]
      const verified = run('npx', ['--no', '--', 'intoto', 'verify', `npm:${name}@${version}`, ...trust], { cwd: app })
      expect(verified.status, verified.said).toBe(0)
    }
  })
})
