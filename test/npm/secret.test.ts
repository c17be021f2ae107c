import { describe, expect, it } from 'vitest'
import { generateKeyPair } from 'intoto'
import { refuseSecrets, type PackedFile } from 'intoto-npm'
import { problemOf } from '../node/place.ts'

const file = (name: string, content: string | Uint8Array): PackedFile[] => [
  { name: `package/${name}`, bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content, executable: false },
]

describe('refuseSecrets', () => {
  it('refuses private keys of every kind, wherever they stand, and says nothing of them', async () => {
    const pems = await Promise.all([
      generateKeyPair(),
      generateKeyPair('ecdsa'),
      generateKeyPair('rsa'),
      generateKeyPair('ed25519', { password: 'x' }),
    ])
    for (const { privatePem } of pems) {
      const body = privatePem.split('\n')[1] ?? ''
      const forms = [
        privatePem,
        `const key = \`${privatePem}\``,
        JSON.stringify({ private_key: privatePem }),
        privatePem.replaceAll('\n', '\r\n'),
        `\u0000\u00ff${privatePem}`,
      ]
      for (const content of forms) {
        const problem = await problemOf(() => refuseSecrets(file('dist/index.js', content)), 'E_KEY')
        expect(problem.message).toContain('dist/index.js')
        expect(JSON.stringify(problem)).not.toContain(body.slice(4, 20))
      }
    }
    for (const label of ['RSA PRIVATE KEY', 'EC PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'DSA PRIVATE KEY']) {
      await problemOf(() => refuseSecrets(file('a', `-----BEGIN ${label}-----\n${'MIIB'.repeat(20)}\n-----END ${label}-----\n`)), 'E_KEY')
    }
    const old = `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233\n\n${'MIIB'.repeat(20)}\n-----END RSA PRIVATE KEY-----\n`
    await problemOf(() => refuseSecrets(file('a', old)), 'E_KEY')
  })

  it('lets code pass that only speaks of private keys, and public keys', async () => {
    const { publicPem } = await generateKeyPair()
    refuseSecrets(file('a.js', `if (text.includes('-----BEGIN PRIVATE KEY-----')) return text.split('-----END PRIVATE KEY-----')`))
    refuseSecrets(file('a.md', '-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----'))
    refuseSecrets(file('a.pub', publicPem))
  })

  it('looks through text that is nearly a key as fast as through any other', async () => {
    const line = '    MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n'
    const begin = '-----BEGIN PRIVATE KEY-----\n'
    const end = '-----END PRIVATE KEY-----\n'
    refuseSecrets(file('README.md', `For example:\n\n    ${begin}${line.repeat(8)}    (and so on)\n    ${end}`))
    refuseSecrets(file('a.md', begin.repeat(40_000)))
    refuseSecrets(file('a.md', `${begin}${'\\n \\r'.repeat(400_000)}`))
    refuseSecrets(file('a.md', `-----BEGIN ${'A '.repeat(100_000)}${'-----BEGIN '.repeat(100_000)}`))
    // What is not a key before it hides none.
    await problemOf(() => refuseSecrets(file('a.md', `${begin}(${begin}${begin}    ${line}    ${end}`)), 'E_KEY')
    await problemOf(() => refuseSecrets(file('a.md', `${begin}${line}(…)\n${begin}${line}${end}`)), 'E_KEY')
    // Forty letters, a line end as written in JSON being one.
    const short = (letters: number): string => `-----BEGIN EC PRIVATE KEY-----\\n\\r${'A'.repeat(letters - 1)}-----END `
    await problemOf(() => refuseSecrets(file('a.md', short(40))), 'E_KEY')
    refuseSecrets(file('a.md', short(39)))
  })

  it('refuses a file that holds the signing key in whatever form', async () => {
    const secret = new Uint8Array([1, 2, 3, 0, 250, 251])
    await problemOf(() => refuseSecrets(file('a', secret), { secrets: [secret] }), 'E_KEY')
    await problemOf(
      () => refuseSecrets(file('a', new Uint8Array([9, ...secret, 9])), { secrets: [new Uint8Array([7, 7]), secret] }),
      'E_KEY',
    )
    refuseSecrets(file('a', 'text'), { secrets: [secret, new Uint8Array(0)] })
  })

  it('refuses environment files, and not their examples', async () => {
    for (const name of ['.env', 'config/.env', '.env.local', '.env.production', '.env.example.local']) {
      expect((await problemOf(() => refuseSecrets(file(name, 'A=1')), 'E_CONFIG')).message).toContain(name)
    }
    for (const name of ['.env.example', '.env.sample', 'x.env', '.environment', 'dist/.env.template', 'env'])
      refuseSecrets(file(name, 'A=1'))
  })

  it('lets pass what a person has looked at', async () => {
    const { privatePem } = await generateKeyPair()
    refuseSecrets([...file('test/key.pem', privatePem), ...file('.env', '')], { allow: ['test/key.pem', '.env'] })
    await problemOf(() => refuseSecrets(file('other/test/key.pem', privatePem), { allow: ['test/key.pem'] }), 'E_KEY')
  })
})
