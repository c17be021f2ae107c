import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { generateKeyPair, importKey, type Problem, type Signer } from 'intoto'
import { findSigner, loadKey, loadSigner, loadSignerSync, userKeyFile } from 'intoto/node'
import { folder, problemOf } from './place.ts'

const posix = process.platform !== 'win32'
let pem: string
let publicPem: string
let keyid: string
let encrypted: string

beforeAll(async () => {
  const pair = await generateKeyPair()
  pem = pair.privatePem
  publicPem = pair.publicPem
  keyid = (await importKey(publicPem)).keyid
  encrypted = (await generateKeyPair('ed25519', { password: 'open sesame' })).privatePem
})

/** Both ways of loading, which must agree. */
async function load(ref: string, env: () => NodeJS.ProcessEnv = () => ({})): Promise<Signer> {
  const signer = await loadSigner(ref, { env: env() })
  expect(loadSignerSync(ref, { env: env() }).key).toEqual(signer.key)
  return signer
}

describe('loadSigner', () => {
  it('reads a path, file:PATH and a file URL', async () => {
    const at = folder({ 'my key': pem })
    for (const ref of [join(at, 'my key'), `file:${join(at, 'my key')}`, pathToFileURL(join(at, 'my key')).href]) {
      expect((await load(ref)).key.keyid).toBe(keyid)
    }
  })

  it('reads a variable in every form in which secrets stores hand out PEM', async () => {
    const forms = [
      pem,
      pem.trim(),
      pem.replaceAll('\n', '\r\n'),
      pem.replaceAll('\n', '\\n'),
      pem.replaceAll('\n', '\\r\\n'),
      pem.trim().replaceAll('\n', ' '),
      `\n  ${pem}`,
      Buffer.from(pem).toString('base64'),
      Buffer.from(pem).toString('base64url'),
      Buffer.from(pem)
        .toString('base64')
        .replace(/(.{40})/g, '$1\n'),
    ]
    for (const [i, text] of forms.entries()) expect((await load('env:MY_KEY', () => ({ MY_KEY: text }))).key.keyid, `form ${i}`).toBe(keyid)
  })

  it('takes a variable out of the environment, and still knows it for the next build', async () => {
    const env: NodeJS.ProcessEnv = { MY_KEY: pem, OTHER: 'kept' }
    expect((await loadSigner('env:MY_KEY', { env })).key.keyid).toBe(keyid)
    expect(env).toEqual({ OTHER: 'kept' })
    expect(loadSignerSync('env:MY_KEY', { env }).key.keyid).toBe(keyid)
    await problemOf(() => loadSigner('env:MY_KEY', { env: {} }), 'E_KEY')
  })

  it('signs at once and later, and alike', async () => {
    const at = folder({ key: pem })
    const data = new TextEncoder().encode('data')
    const signer = await loadSigner(join(at, 'key'))
    expect(signer.signSync?.(data)).toEqual(await signer.sign(data))
  })

  it('lets an RSA key sign by another scheme, and no other key', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const at = folder({ rsa, key: pem })
    const scheme = 'rsa-pkcs1v15-sha256'
    expect((await loadSigner(join(at, 'rsa'), { scheme })).key.scheme).toBe(scheme)
    expect(loadSignerSync(join(at, 'rsa'), { scheme }).key.scheme).toBe(scheme)
    expect((await loadSigner(join(at, 'rsa'))).key.scheme).toBe('rsassa-pss-sha256')
    await problemOf(() => loadSigner(join(at, 'key'), { scheme }), 'E_KEY')
  })

  it('takes the password from the option, INTOTO_PASSWORD or the file of INTOTO_PASSWORD_FILE, in this order', async () => {
    const at = folder({ key: encrypted, password: 'open sesame\nsecond line\n', wrong: 'no\n' })
    const key = join(at, 'key')
    const expected = (await loadSigner(key, { password: 'open sesame', env: { INTOTO_PASSWORD: 'wrong' } })).key.keyid
    const env: NodeJS.ProcessEnv = { INTOTO_PASSWORD: 'open sesame', INTOTO_PASSWORD_FILE: join(at, 'wrong') }
    expect((await loadSigner(key, { env })).key.keyid).toBe(expected)
    expect(env['INTOTO_PASSWORD']).toBeUndefined()
    expect(loadSignerSync(key, { env: { INTOTO_PASSWORD_FILE: join(at, 'password') } }).key.keyid).toBe(expected)
    await problemOf(() => loadSigner(key, { env: { INTOTO_PASSWORD_FILE: join(at, 'wrong') } }), 'E_KEY')
    await problemOf(() => loadSignerSync(key, { env: { INTOTO_PASSWORD_FILE: join(at, 'absent') } }), 'E_KEY')
    const missing = await problemOf(() => loadSigner(key, { env: {} }), 'E_KEY')
    expect(missing.fix.join()).toContain('INTOTO_PASSWORD')
  })

  it.skipIf(!posix)('warns when others may read the key', async () => {
    const at = folder({ key: pem })
    const warned: Problem[] = []
    const warn = (problem: Problem): number => warned.push(problem)
    chmodSync(join(at, 'key'), 0o600)
    await loadSigner(join(at, 'key'), { warn })
    expect(warned).toEqual([])
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(join(at, 'key'), mode)
      await loadSigner(join(at, 'key'), { warn })
    }
    expect(warned).toHaveLength(3)
    expect(warned[0]).toMatchObject({ code: 'E_KEY', severity: 'warning', file: join(at, 'key') })
    expect(warned[0]?.fix.join()).toContain('chmod 600')
  })

  it('says E_KEY for every bad key, names the reference and nothing of its content', async () => {
    const bad: Record<string, string | Uint8Array> = {
      empty: '',
      text: 'correct horse battery staple',
      public: publicPem,
      truncated: pem.slice(0, pem.length / 2),
      damaged: pem.replace(/\n[A-Za-z0-9+/=]{20}/, '\ncanarycanarycanarycan'),
      twice: pem.split('\n').slice(1).join('\n'),
      binary: new Uint8Array([0xff, 0xfe, 0, 1]),
      large: 'canary'.repeat(11_000),
    }
    const at = folder(bad)
    for (const name of [...Object.keys(bad), 'absent', '.']) {
      for (const call of [() => loadSigner(join(at, name), { env: {} }), () => loadSignerSync(join(at, name), { env: {} })]) {
        const problem = await problemOf(call, 'E_KEY')
        expect(problem.message).toContain(name === '.' ? at : name)
        if (name === 'large')
          expect([problem.message, ...problem.fix]).toEqual([expect.stringContaining('65536'), expect.stringContaining('none is so large')])
        const said = JSON.stringify(problem)
        expect(said).not.toMatch(/canary|staple/)
        for (const line of pem.split('\n').filter((part) => part.length > 10 && !part.startsWith('-')))
          expect(said).not.toContain(line.slice(0, 10))
      }
    }
    for (const value of ['', 'canary', Buffer.from('canary').toString('base64')]) {
      expect(JSON.stringify(await problemOf(() => loadSigner('env:BAD', { env: { BAD: value } }), 'E_KEY'))).not.toContain('canary')
    }
  })
})

describe('loadKey', () => {
  it('reads a public key, and refuses all else with E_KEY', async () => {
    const at = folder({ 'a.pub': publicPem, private: pem, text: 'x' })
    expect((await loadKey(join(at, 'a.pub'))).keyid).toBe(keyid)
    for (const name of ['private', 'text', 'absent', '.']) await problemOf(() => loadKey(join(at, name)), 'E_KEY')
  })
})

describe('findSigner', () => {
  const search = (env: NodeJS.ProcessEnv, rest: { given?: string; ci?: boolean; packageName?: string } = {}): string | undefined =>
    findSigner({ env, ci: false, ...rest })?.ref

  it('takes what is given, INTOTO_KEY, INTOTO_KEY_FILE, and the key of the package, in this order', () => {
    const at = folder()
    const env = (): NodeJS.ProcessEnv => ({ XDG_CONFIG_HOME: at, APPDATA: at, HOME: at })
    const own = userKeyFile('@scope/app', env()) ?? ''
    if (process.platform !== 'darwin') {
      mkdirSync(dirname(own), { recursive: true })
      writeFileSync(own, pem)
    }
    const packageName = '@scope/app'
    expect(search({ ...env(), INTOTO_KEY: 'x', INTOTO_KEY_FILE: 'k' }, { given: 'mine', packageName })).toBe('mine')
    expect(search({ ...env(), INTOTO_KEY: 'x', INTOTO_KEY_FILE: 'k' }, { packageName })).toBe('env:INTOTO_KEY')
    expect(search({ ...env(), INTOTO_KEY: '', INTOTO_KEY_FILE: 'k' }, { packageName })).toBe('file:k')
    if (process.platform !== 'darwin') {
      expect(search(env(), { packageName })).toBe(`file:${own}`)
      expect(search(env(), { packageName, ci: true })).toBeUndefined()
    }
    expect(search(env(), { packageName: 'other' })).toBeUndefined()
    expect(search(env())).toBeUndefined()
    expect(search({ ...env(), INTOTO_KEY_FILE: '' })).toBeUndefined()
  })

  it('takes INTOTO_KEY out of the environment, whatever wins, and its reference still loads', async () => {
    const env: NodeJS.ProcessEnv = { INTOTO_KEY: pem }
    expect(search(env, { given: 'mine' })).toBe('mine')
    expect(env).toEqual({})
    expect(search(env)).toBe('env:INTOTO_KEY')
    expect((await loadSigner('env:INTOTO_KEY', { env })).key.keyid).toBe(keyid)
  })

  it('says in words where a key was found', () => {
    expect(findSigner({ env: { INTOTO_KEY_FILE: 'k' }, ci: true })).toEqual({ ref: 'file:k', from: 'INTOTO_KEY_FILE' })
  })
})

describe('userKeyFile', () => {
  it('gives each package its own file, outside of any project, and none to what is no package name', () => {
    const env = { XDG_CONFIG_HOME: folder(), APPDATA: folder() }
    const names = ['a', '@a/b', 'a.b', '@a/b.c'].map((name) => userKeyFile(name, env))
    expect(new Set(names).size).toBe(4)
    for (const name of ['', '..', '../x', '/x', '@a/../b', 'a/b', '@a/', '.hidden', 'a\\b', 'a\0'])
      expect(userKeyFile(name, env), name).toBeUndefined()
  })

  it.skipIf(process.platform !== 'linux')('follows XDG_CONFIG_HOME when it is absolute', () => {
    expect(userKeyFile('a', { HOME: '/home/x', XDG_CONFIG_HOME: '/conf' })).toBe('/conf/intoto/a.pem')
    expect(userKeyFile('a', { HOME: '/home/x', XDG_CONFIG_HOME: 'relative' })).toBe('/home/x/.config/intoto/a.pem')
    expect(userKeyFile('@a/b', { HOME: '/home/x' })).toBe('/home/x/.config/intoto/@a+b.pem')
  })
})
