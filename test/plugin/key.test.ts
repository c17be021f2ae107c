import { createPrivateKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decodeMetadata, keyidFor } from 'intoto'
import { readFileSync } from 'node:fs'
import { engines, key, keyFile, keyPem, librarySource, linkName, smallProject, type Bundler } from './project.ts'

const jwk = createPrivateKey(keyPem).export({ format: 'jwk' })
const noKey = { INTOTO_KEY_FILE: undefined }

describe.each(engines)('without a key, %s', (bundler) => {
  it('builds, says once that nothing is signed, and leaves no link that could be taken for one', async () => {
    const project = smallProject(`keyless-${bundler}`, bundler)
    project.write('dist/build.0123abcd.link', 'of an earlier build')
    const ended = await project.script(
      librarySource(bundler, { after: 'await build()' }).replace(`logLevel: 'warn'`, `logLevel: 'info'`),
      noKey,
    )
    expect(ended.code, ended.text).toBe(0)
    expect(ended.text.split('not signed: no key (INTOTO_KEY). Fine locally; releases set INTOTO_REQUIRED=1.')).toHaveLength(2)
    expect(project.files('dist').map((name) => name.replace('.mjs', '.js'))).toEqual(['dist/main.js'])
  })

  it('fails at the start when a link is required', async () => {
    const project = smallProject(`required-${bundler}`, bundler)
    const ended = await project.script(librarySource(bundler), { ...noKey, INTOTO_REQUIRED: '1' })
    expect(ended.text).toContain('E_KEY there is no key to sign the link with, and a link is required')
    expect(ended.text).not.toMatch(/^\s+at .*recorder/m)
    expect(ended.code).toBe(1)
    expect(project.files('dist')).toEqual([])
  })

  it('fails with a key that is none, and shows nothing of it', async () => {
    const project = smallProject(`bad-${bundler}`, bundler)
    project.write('bad.pem', keyPem.replace(/\n[A-Za-z0-9]{8}/, '\nAAAASECR'))
    const ended = await project.script(librarySource(bundler, { options: `key: 'bad.pem'` }), noKey)
    expect(ended.text).toMatch(/E_KEY .*bad\.pem: the key cannot be used/)
    expect(ended.text).not.toContain('SECR')
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })
})

describe('the key', () => {
  it('is read from a variable, and gone from there before other plugins and children see it', async () => {
    const project = smallProject('variable', 'vite')
    const seen = `{ name: 'reader', config() { console.log('seen', process.env.INTOTO_KEY) } }`
    const ended = await project.script(librarySource('vite', { plugins: seen }), { ...noKey, INTOTO_KEY: keyPem })
    expect(ended.stdout).toContain('seen undefined')
    expect(ended.code, ended.text).toBe(0)
    await project.link()
  })

  it('is the same for every build of a process', async () => {
    const project = smallProject('twice', 'rollup')
    const ended = await project.script(librarySource('rollup', { after: 'await build()' }), {
      ...noKey,
      INTOTO_KEY: keyPem.replaceAll('\n', '\\n'),
    })
    expect(ended.code, ended.text).toBe(0)
    await project.link()
  })

  it('may be encrypted', async () => {
    const project = smallProject('encrypted', 'rollup')
    const pem = createPrivateKey(keyPem).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'correct horse battery',
    })
    const env = { ...noKey, INTOTO_KEY: String(pem), INTOTO_PASSWORD: 'correct horse battery' }
    expect((await project.script(librarySource('rollup'), env)).code).toBe(0)
    await project.link()
    const wrong = await project.script(librarySource('rollup'), { ...env, INTOTO_PASSWORD: 'wrong' })
    expect(wrong.text).toMatch(/E_KEY .*the password is wrong/)
    expect(wrong.code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it("may be a signer of one's own, in no hurry", async () => {
    const project = smallProject('signer', 'vite')
    const before = `const { importSigner } = await import('intoto')
const { key, sign } = await importSigner(fs.readFileSync(${JSON.stringify(keyFile)}, 'utf8'))
globalThis.signer = { key, sign: async (data) => { await new Promise((done) => setTimeout(done, 30)); return sign(data) } }`
    const script = librarySource('vite', { options: 'key: globalThis.signer', before })
    expect((await project.script(script, noKey)).code).toBe(0)
    await project.link()
    // It cannot sign again while the process exits: then there is no link rather than a wrong one.
    const late = librarySource('vite', { options: 'key: globalThis.signer', before, after: `fs.writeFileSync('dist/late.js', '')` })
    const ended = await project.script(late, noKey)
    expect(ended.stderr).toContain('E_KEY the signer cannot sign while the process exits')
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it('gives the id and the file name of the style that is asked for, and either format', async () => {
    const project = smallProject('style', 'rollup')
    const script = librarySource('rollup', { options: `keyidStyle: 'go', format: 'metablock'` })
    expect((await project.script(script)).code).toBe(0)
    const id = keyidFor(key, 'go')
    expect(id).not.toBe(key.keyid)
    const name = `dist/${linkName.replace(key.keyid.slice(0, 8), id.slice(0, 8))}`
    const { format, signatures } = decodeMetadata(readFileSync(project.path(name)))
    expect({ format, ids: signatures.map(({ keyid }) => keyid) }).toEqual({ format: 'metablock', ids: [id] })
    await project.link(name)
  })

  it.each([
    ['the whole environment', keyPem, 'globalThis.environment'],
    ['the whole environment, the key in base64', Buffer.from(keyPem).toString('base64'), 'globalThis.environment'],
    ['its base64', keyPem, `Buffer.from(globalThis.environment.INTOTO_KEY).toString('base64')`],
    ['the number in hex', keyPem, `Buffer.from('${jwk.d}', 'base64url').toString('hex')`],
  ])('in a bundle fails the build: %s', async (_, value, leaked) => {
    const project = smallProject('leak', 'rollup')
    const plugins = `{ name: 'leak', renderChunk: () => 'export const all = ' + JSON.stringify(${leaked}) }`
    const script = `globalThis.environment = { ...process.env }\n${librarySource('rollup', { plugins })}`
    const ended = await project.script(script, { ...noKey, INTOTO_KEY: value })
    expect(ended.text).toMatch(/E_KEY dist\/main\.js this emitted file holds the signing key/)
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
    expect(ended.text).not.toContain(keyPem.split('\n')[1])
  })

  it('is in no file, when nobody puts it there', async () => {
    const project = smallProject('canary', 'vite5')
    project.write('src/main.js', 'export const all = [globalThis.all, import.meta.env]')
    const script = librarySource('vite5').replace(
      'build: {',
      `define: { 'globalThis.all': JSON.stringify(process.env) }, envPrefix: ['VITE_', 'INTOTO_'], build: {`,
    )
    const ended = await project.script(script, { ...noKey, INTOTO_KEY: keyPem })
    expect(ended.code, ended.text).toBe(0)
    for (const name of project.files('dist')) {
      expect(project.read(name)).not.toContain(keyPem.split('\n')[1])
      expect(project.read(name)).not.toContain(jwk.d)
    }
    await project.link()
  })
})

describe('the environment of a link', () => {
  const run = async (bundler: Bundler, env: Record<string, string>): ReturnType<ReturnType<typeof smallProject>['script']> => {
    const project = smallProject('environment', bundler)
    const ended = await project.script(
      librarySource(bundler, { options: `env: ['MODE', 'TOKEN', 'ABSENT']`, after: `console.log(fs.existsSync('dist/${linkName}'))` }),
      env,
    )
    if (ended.code === 0) expect((await project.link()).environment).toEqual({ variables: ['MODE=release'] })
    return ended
  }

  it('holds the variables that were asked for and no other', async () => {
    expect((await run('rollup', { MODE: 'release', OTHER: 'x' })).code).toBe(0)
  })

  it('refuses what looks like a secret', async () => {
    const ended = await run('rollup', { MODE: 'release', TOKEN: `ghp_${'a1'.repeat(18)}` })
    expect(ended.text).toContain('E_CONFIG option "env": the value of TOKEN looks like a secret')
    expect(ended.text).not.toContain('a1a1')
    expect(ended.code).toBe(1)
  })

  it('is told of misspelt variables of ours', async () => {
    expect((await run('rollup', { MODE: 'release', INTOTO_KEYFILE: 'x' })).text).toContain('the variable INTOTO_KEYFILE is not one of ours')
  })
})
