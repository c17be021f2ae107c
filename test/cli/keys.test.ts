/** keygen, key show, key rotate: files, modes, passwords, ids; and that nothing secret is ever printed (command.ts looks at every call). */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importKey, keyids } from 'intoto'
import { describe, expect, test } from 'vitest'
import { bin, complaints, intoto, mustRun, temporaryFolder } from './command.ts'
import { hasTerminal, typed } from './typing.ts'

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

  const password = 'correct horse'
  const isEncrypted = (name: string): boolean => readFileSync(at(name), 'utf8').includes('BEGIN ENCRYPTED PRIVATE KEY')
  const opens = (name: string, env: NodeJS.ProcessEnv): number | null =>
    intoto(['run', '-n', 'x', '--signing-key', at(name), '-x', '-d', at('links')], { env }).code

  test('says whether the private key is encrypted', () => {
    expect(mustRun(['keygen', '-o', at('plain')]).out).toContain('mode 0600, not encrypted')
    expect(mustRun(['keygen', '-o', at('sealed')], { env: { INTOTO_PASSWORD: password } }).out).toContain('mode 0600, encrypted')
  })

  test.each<[string, string[], NodeJS.ProcessEnv]>([
    ['the password file', [], { INTOTO_PASSWORD_FILE: at('secret') }],
    ['a bare -P where nobody can be asked: the variable', ['-P'], { INTOTO_PASSWORD: password }],
    ['a bare -P where nobody can be asked: the file', ['-P'], { INTOTO_PASSWORD_FILE: at('secret') }],
    ['both: the variable', [], { INTOTO_PASSWORD: password, INTOTO_PASSWORD_FILE: at('nothing') }],
  ])('encrypts with %s', (what, flags, env) => {
    writeFileSync(at('secret'), `${password}\n`)
    const name = what.replaceAll(/\W/g, '-')
    mustRun(['keygen', '-o', at(name), ...flags], { env })
    expect(isEncrypted(name)).toBe(true)
    expect(opens(name, { INTOTO_PASSWORD: password })).toBe(0)
  })

  test.each<[string, string[], NodeJS.ProcessEnv]>([
    ['an empty -P, as of a variable that is not set', ['-P', ''], {}],
    ['a bare -P where nobody can be asked', ['-P'], {}],
    ['a password file that is not there', [], { INTOTO_PASSWORD_FILE: at('nothing') }],
    ['an empty password file', [], { INTOTO_PASSWORD_FILE: at('empty') }],
    ['a password file whose first line is empty', ['-P'], { INTOTO_PASSWORD_FILE: at('late') }],
  ])('writes nothing with %s', (_what, flags, env) => {
    writeFileSync(at('empty'), '')
    writeFileSync(at('late'), '\ncorrect horse\n')
    const ended = intoto(['keygen', '-o', at('unwritten'), ...flags], { env })
    expect(ended).toMatchObject({ code: 2, err: expect.stringMatching(/^E_(?:CONFIG|KEY) .*\n {2}try /) as string })
    expect([existsSync(at('unwritten')), existsSync(at('unwritten.pub'))]).toEqual([false, false])
  })

  test('an existing key opens with a bare -P from the environment, and never with an empty password', () => {
    const sign = ['run', '-n', 'x', '--signing-key', at('locked'), '-x', '-d', at('links')]
    mustRun([...sign, '-P'], { env: { INTOTO_PASSWORD: password } })
    mustRun([...sign, '-P'], { env: { INTOTO_PASSWORD_FILE: at('password') } })
    expect(intoto([...sign, '-P', ''], { env: { INTOTO_PASSWORD: password } })).toMatchObject({ code: 2 })
  })

  test.skipIf(!hasTerminal)('a password that is typed is asked for twice, and not shown', async () => {
    const ask = (name: string, words: readonly string[]) =>
      typed(
        [process.execPath, bin, 'keygen', '-P', '-o', at(name)],
        words.map((word, i) => [i === 0 ? /password/ : /again/, `${word}\r`] as const),
        {},
      )
    const same = await ask('typed', [password, password])
    expect(same, same.text).toMatchObject({ code: 0 })
    expect(same.text).not.toContain('horse')
    expect(opens('typed', { INTOTO_PASSWORD: password })).toBe(0)
    const different = await ask('mistyped', [password, 'correct house'])
    expect(different, different.text).toMatchObject({ code: 2 })
    expect(different.text).toContain('E_CONFIG')
    const empty = await ask('mistyped', ['', ''])
    expect(empty, empty.text).toMatchObject({ code: 2 })
    expect(existsSync(at('mistyped'))).toBe(false)
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

  test.each<[string, (env: string) => NodeJS.ProcessEnv]>([
    ['INTOTO_PASSWORD', (password) => ({ INTOTO_PASSWORD: password })],
    ['INTOTO_PASSWORD_FILE', () => ({ INTOTO_PASSWORD_FILE: at('password') })],
  ])('encrypts the new key with %s, which opens the owner’s too', (name, env) => {
    const layout = at(`${name}.layout`)
    mustRun(['keygen', '-o', at(`${name}-owner`)], { env: env('correct horse') })
    const words = ['layout', 'new', '--step', 'build', '--functionary', at('rsa.pub'), '--sign-with', at(`${name}-owner`), '-o', layout]
    mustRun(words, { env: env('correct horse') })
    const rotate = ['key', 'rotate', at('rsa.pub'), '-o', at(`${name}-next`), '-l', layout, '--sign-with', at(`${name}-owner`)]
    expect(mustRun(rotate, { env: env('correct horse') }).out).toContain('mode 0600, encrypted')
    expect(readFileSync(at(`${name}-next`), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    expect(mustRun(['key', 'rotate', at('ci.pub'), '-o', at(`${name}-plain`)]).out).toContain('mode 0600, not encrypted')
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
