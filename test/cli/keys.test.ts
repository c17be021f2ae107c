/** keygen, key show, key rotate: files, modes, passwords, ids; and that nothing secret is ever printed (command.ts looks at every call). */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importKey, keyids } from 'intoto'
import { describe, expect, test } from 'vitest'
import { complaints, intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)

describe('keygen', () => {
  test.each([
    ['ed25519', 'ed25519'],
    ['ecdsa', 'ecdsa-sha2-nistp256'],
    ['ecdsa-p384', 'ecdsa-sha2-nistp384'],
    ['ecdsa-p521', 'ecdsa-sha2-nistp521'],
    ['rsa', 'rsassa-pss-sha256'],
  ])('%s: both halves, the private one for its owner alone, even with umask 000', async (type, scheme) => {
    const umask = process.umask(0)
    const { out } = mustRun(['keygen', '--type', type, '-o', at(type)])
    process.umask(umask)
    const key = await importKey(readFileSync(at(`${type}.pub`), 'utf8'))
    expect(key.scheme).toBe(scheme)
    expect(out).toContain(key.keyid)
    if (process.platform !== 'win32') expect(statSync(at(type)).mode & 0o777).toBe(0o600)
    mustRun(['run', '-n', 'x', '--signing-key', at(type), '-x', '-d', at('links')])
  })

  test('makes the folder that it is told, for its owner alone', () => {
    mustRun(['keygen', '-o', at('kept/folder/alice')])
    expect(existsSync(at('kept/folder/alice.pub'))).toBe(true)
    if (process.platform !== 'win32')
      expect([statSync(at('kept')).mode & 0o777, statSync(at('kept/folder')).mode & 0o777]).toEqual([0o700, 0o700])
  })

  test('overwrites neither half', () => {
    writeFileSync(at('half.pub'), 'mine')
    for (const name of ['ed25519', 'half']) {
      const before = existsSync(at(name)) ? readFileSync(at(name)) : undefined
      const ended = intoto(['keygen', '-o', at(name)])
      expect(ended.code).toBe(2)
      expect(ended.err).toContain('is not overwritten')
      expect(existsSync(at(name)) ? readFileSync(at(name)) : undefined).toEqual(before)
    }
  })

  test('encrypts with a password from the environment, which signing then needs', () => {
    mustRun(['keygen', '-o', at('locked')], { env: { INTOTO_PASSWORD: 'correct horse' } })
    expect(readFileSync(at('locked'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    const sign = ['run', '-n', 'x', '--signing-key', at('locked'), '-x', '-d', at('links')]
    mustRun(sign, { env: { INTOTO_PASSWORD: 'correct horse' } })
    writeFileSync(at('password'), 'correct horse\n')
    mustRun(sign, { env: { INTOTO_PASSWORD_FILE: at('password') } })
    const spoken = mustRun([...sign, '-P', 'correct horse'])
    expect(spoken.err).toContain('E_CONFIG --password')
    for (const [args, env] of [
      [sign, {}],
      [sign, { INTOTO_PASSWORD: 'wrong' }],
      [[...sign, '-P'], {}],
    ] as const) {
      const ended = intoto(args, { env })
      expect(ended.code, ended.err).toBe(2)
      expect(complaints(ended).length).toBeLessThanOrEqual(2)
      expect(ended.err).not.toContain('horse')
    }
  })

  test('a place that takes no file', () => {
    expect(intoto(['keygen', '-o', at('half.pub/key')])).toMatchObject({ code: 2, err: expect.stringMatching(/^E_IO /) as string })
  })
})

describe('key show', () => {
  test('prints every id of a public key, and of a private one’s public half', async () => {
    const key = await importKey(readFileSync(at('ecdsa-p384.pub'), 'utf8'))
    for (const name of ['ecdsa-p384.pub', 'ecdsa-p384']) {
      const { out } = mustRun(['key', 'show', at(name)])
      for (const id of keyids(key)) expect(out).toContain(id)
      expect(out).toContain(`<step>.${key.keyid.slice(0, 8)}.link`)
    }
  })

  test.each([
    ['an absent file', () => at('none'), 2],
    ['a folder', () => folder, 2],
    ['no key', () => at('password'), 2],
  ])('%s', (_what, path, code) => {
    const ended = intoto(['key', 'show', path()])
    expect(ended.code, ended.err).toBe(code)
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
  })
})

describe('key rotate', () => {
  test('puts the successor where the old key stood, signed by the owner; the old one may do nothing more', () => {
    for (const name of ['owner', 'ci']) mustRun(['keygen', '-o', at(name)])
    const layout = at('root.layout')
    mustRun(['layout', 'new', '--step', 'build', '--functionary', at('ci.pub'), '--sign-with', at('owner'), '-o', layout])
    const verify = (): number | null => intoto(['verify', '-k', at('owner.pub'), '-l', layout, '-d', at('evidence')]).code
    mustRun(['run', '-n', 'build', '--signing-key', at('ci'), '-d', at('evidence'), '-x'])
    expect(verify()).toBe(0)
    mustRun(['key', 'rotate', at('ci.pub'), '-o', at('ci2'), '-l', layout, '--sign-with', at('owner')])
    mustRun(['sign', '-f', layout, '-k', at('owner.pub'), '--verify'])
    expect(verify()).toBe(1)
    mustRun(['run', '-n', 'build', '--signing-key', at('ci2'), '-d', at('evidence'), '-x'])
    expect(verify()).toBe(0)
  })

  test('refuses before it makes anything', () => {
    for (const args of [
      [at('alone.pub'), '-o', at('new')],
      [at('rsa.pub'), '-o', at('new'), '-l', at('root.layout'), '--sign-with', at('owner')],
      [at('ci.pub'), '-o', at('new'), '-l', at('root.layout')],
      [at('ci.pub'), '-o', at('ci2')],
    ]) {
      expect(intoto(['key', 'rotate', ...args]).code).toBe(2)
      expect(existsSync(at('new'))).toBe(false)
    }
  })
})
