/**
 * The signing key as a canary, in every bundler: no byte of it, in any writing, reaches a bundle, a link, a cache, a log or a tarball, though a plugin
 * writes the whole environment into the output; and a build whose output holds it fails and says nothing of it.
 */
import { spawnSync } from 'node:child_process'
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { bareEnvironment, bin } from '../cli/command.ts'
import { keyPem, librarySource, others, Project, smallProject, type Bundler, type Ended, type Other } from '../plugin/project.ts'

vi.setConfig({ maxConcurrency: 2 })

const password = 'correct horse battery staple'
const privateKey: KeyObject = createPrivateKey(keyPem)
const encrypted = String(privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: password }))

/** Every writing of a secret in which it could leave. */
function writingsOf(pem: string): Map<string, Buffer> {
  const body = pem.split('\n').slice(1, -2)
  const all = new Map(body.map((line, i) => [`line ${i + 1} of the PEM`, Buffer.from(line.slice(0, 60))]))
  const der = Buffer.from(body.join(''), 'base64')
  for (const encoding of ['base64', 'base64url', 'hex'] as const) {
    all.set(`the PEM in ${encoding}`, Buffer.from(Buffer.from(pem).toString(encoding).slice(48, 120)))
    all.set(`the DER in ${encoding}`, Buffer.from(der.toString(encoding).slice(-40)))
  }
  return all
}

const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
const writings = new Map([
  ...writingsOf(keyPem),
  ...[...writingsOf(encrypted)].map(([name, bytes]): [string, Buffer] => [`encrypted: ${name}`, bytes]),
  ['the seed', seed],
  ...(['hex', 'base64', 'base64url'] as const).map((encoding): [string, Buffer] => [
    `the seed in ${encoding}`,
    Buffer.from(seed.toString(encoding).replace(/=+$/, '')),
  ]),
  ['the seed in upper-case hex', Buffer.from(seed.toString('hex').toUpperCase())],
  ['the password', Buffer.from(password)],
  ['the password in base64', Buffer.from(Buffer.from(password).toString('base64').slice(0, 30))],
])

function foundIn(bytes: Buffer): string[] {
  return [...writings].filter(([, writing]) => bytes.includes(writing)).map(([name]) => name)
}

/** Every file of a project with what it holds of the key; what is installed there by a link is not followed. */
function foundBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => foundIn(readFileSync(path)).map((name) => `${path.slice(folder.length + 1)}: ${name}`))
}

type Any = Bundler | Other
const isOther = (bundler: Any): bundler is Other => others.some((other) => other === bundler)
const key = { INTOTO_KEY_FILE: undefined, INTOTO_KEY: keyPem }
const ways: readonly [string, Record<string, string | undefined>][] = [
  ['plain', key],
  ['under a password', { INTOTO_KEY_FILE: undefined, INTOTO_KEY: encrypted, INTOTO_PASSWORD: password }],
]

function newProject(bundler: Any): Project {
  return isOther(bundler) ? new Project(`canary-${bundler}`, bundler, 'trouble') : smallProject(`canary-${bundler}`, bundler)
}

/** Builds; another plugin writes into the output what variables there are when it begins and when it ends. */
function build(bundler: Any, project: Project, env: Record<string, string | undefined>): Promise<Ended> {
  if (!isOther(bundler)) {
    const before = `const variables = () => JSON.stringify(process.env)\nlet early = 'none'`
    const hooks = `buildStart() { early = variables() }, writeBundle: () => fs.writeFileSync('dist/late.txt', early + variables())`
    return project.script(librarySource(bundler, { before, plugins: `{ name: 'dump', ${hooks} }` }), env)
  }
  const all = { BUNDLER: bundler.replace(/\d$/, ''), CASE: 'environment', CI: '1', ...env }
  return bundler === 'bun' ? project.bun(['run.mjs'], all) : project.node(['run.mjs'], all)
}

describe.each(['vite', 'rollup', ...others] as const)('%s', { concurrent: true }, (bundler) => {
  it.each(ways)('keeps a key to itself: %s', async (_, env) => {
    const project = newProject(bundler)
    const ended = await build(bundler, project, env)
    expect(ended.code, ended.text).toBe(0)
    expect(project.links('dist')).toHaveLength(1)
    expect(project.read('dist/late.txt').split('"PATH"')).toHaveLength(3)
    expect(foundBelow(project.dir)).toEqual([])
    expect(foundIn(Buffer.from(ended.text))).toEqual([])
  })

  it('fails when the output holds the key, and shows nothing of it', async () => {
    const project = newProject(bundler)
    project.write('src/part.js', `export const part = ${JSON.stringify(seed.toString('hex'))}\n`)
    const ended = await build(bundler, project, key)
    expect(ended.text).toMatch(/E_KEY .*holds the signing key/)
    expect(ended.code).not.toBe(0)
    expect(project.links('dist')).toEqual([])
    expect(foundIn(Buffer.from(ended.text))).toEqual([])
    expect(foundBelow(project.dir)).toContain('src/part.js: the seed in hex') // as it would be found anywhere else
  })
})

describe('the command', () => {
  it('keeps the key out of links, what it says, what it runs and what it packs, when all goes well and when nothing does', () => {
    const project = smallProject('canary-command', 'rollup')
    project.write('package.json', JSON.stringify({ name: 'canary', version: '1.0.0', files: ['src', '*.link', '*.txt'] }))
    const dump = ['--', process.execPath, '-e', `require('fs').writeFileSync('env.txt', JSON.stringify(process.env))`]
    const cases: readonly (readonly string[])[] = [
      ['run', '-n', 'build', '-m', 'src', '-p', 'src', '-s', ...dump],
      ['run', '-n', 'build', '-m', 'src', '-d', 'src/main.js', '--debug', ...dump],
      ['run', '-n', '../build', '--debug', '-x'],
      ['run', '-n', 'build', '--signing-key', 'src/main.js', '--debug', '-x'],
      ['verify', '-k', 'env:INTOTO_KEY', '--debug'],
      ['sign', '-f', 'src/main.js', '--debug'],
      ['key', 'show', 'env:INTOTO_KEY', '--debug'],
      ['record', 'stop', '-n', 'absent', '--debug'],
    ]
    const wrong = { INTOTO_KEY: encrypted, INTOTO_PASSWORD: `${password}!` }
    const unneeded = { INTOTO_KEY: keyPem, INTOTO_PASSWORD: password }
    for (const env of [unneeded, { INTOTO_KEY: encrypted, INTOTO_PASSWORD: password }, wrong]) {
      for (const [i, words] of cases.entries()) {
        const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...words], {
          cwd: project.dir,
          env: bareEnvironment(env),
          encoding: 'utf8',
        })
        expect(status === 0, `${words.join(' ')}\n${stderr}`).toBe(i === 0 && env !== wrong)
        expect(foundIn(Buffer.from(stdout + stderr)), words.join(' ')).toEqual([])
      }
      expect(foundBelow(project.dir)).toEqual([])
    }
    const packed = spawnSync('npm', ['pack', '--ignore-scripts'], { cwd: project.dir, encoding: 'utf8' })
    expect(packed.status, packed.stderr).toBe(0)
    const tarball = gunzipSync(readFileSync(project.path('canary-1.0.0.tgz')))
    expect(tarball.includes('package/env.txt')).toBe(true)
    expect(foundIn(tarball)).toEqual([])
  })
})
