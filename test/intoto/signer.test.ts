import { createPrivateKey, createPublicKey, generateKeyPairSync, verify as nodeVerify, type KeyObject } from 'node:crypto'
import { fromHex, generateKeyPair, importKey, importSigner, importSignerSync, toHex, utf8, verifySignature, type KeyPairType } from 'intoto'
import { describe, expect, it } from 'vitest'
import { writePem } from '../../packages/intoto/src/encoding/pem.ts'
import { refusal } from './refusal.ts'

const data = utf8('what is signed')
const types: readonly KeyPairType[] = ['ed25519', 'ecdsa', 'ecdsa-p384', 'ecdsa-p521', 'rsa']
const pair = (type: string, options: object = {}): { privateKey: KeyObject; publicKey: KeyObject } =>
  (generateKeyPairSync as unknown as (type: string, options: object) => { privateKey: KeyObject; publicKey: KeyObject })(type, options)
const pkcs8 = (type: string, options?: object): string => pair(type, options).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const encrypted = (cipher: string): string =>
  pair('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem', cipher, passphrase: 'secret' }) as string

/** Which of the two fillings runs: only Node signs with RSA at once. */
const rsa = pair('rsa', { modulusLength: 2048 })
const onNode = ((): boolean => {
  try {
    importSignerSync(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
    return true
  } catch {
    return false
  }
})()

/** One pair of each type: RSA keys take long to find. */
const made = new Map(types.map((type) => [type, generateKeyPair(type)]))

it('refuses to sign with numbers of an RSA key that do not belong together', async () => {
  const numbers = rsa.privateKey.export({ format: 'jwk' })
  const even = Buffer.from(numbers.p!, 'base64url')
  even[even.length - 1]! &= 0xfe
  const key = createPrivateKey({ key: { ...numbers, p: even.toString('base64url') }, format: 'jwk' })
  const pem = key.export({ type: 'pkcs8', format: 'pem' }) as string
  expect(await refusal('E_KEY', async () => (await importSigner(pem)).sign(data))).toMatch(/damaged/)
  if (onNode) expect(await refusal('E_KEY', () => importSignerSync(pem).signSync!(data))).toMatch(/damaged/)
})

describe('generateKeyPair', () => {
  it.each(types)('%s: a pair that signs and verifies', async (type) => {
    const one = await made.get(type)!
    const signer = await importSigner(one.privatePem)
    expect(signer.key).toEqual(await importKey(one.publicPem))
    expect(await verifySignature(signer.key, data, await signer.sign(data))).toBe(true)
  })

  it('makes a new pair every time', async () => {
    expect((await generateKeyPair()).privatePem).not.toBe((await generateKeyPair()).privatePem)
  })

  it('encrypts when there is a password, as OpenSSL reads it', async () => {
    const { privatePem, publicPem } = await generateKeyPair('ecdsa', { password: 'sécret' })
    expect(privatePem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    expect((await importSigner(privatePem, { password: 'sécret' })).key).toEqual(await importKey(publicPem))
    expect(createPrivateKey({ key: privatePem, passphrase: 'sécret' }).type).toBe('private')
    expect(await refusal('E_KEY', () => importSigner(privatePem, { password: 'secret' }))).toMatch(/password is wrong/)
    expect(await refusal('E_KEY', () => importSigner(privatePem))).toMatch(/no password/)
    expect(await refusal('E_KEY', () => importSigner(privatePem, { password: '' }))).toMatch(/no password/)
  })

  it('makes RSA keys of 3072 bits', async () => {
    const { publicPem } = await made.get('rsa')!
    expect(createPublicKey(publicPem).asymmetricKeyDetails).toMatchObject({ modulusLength: 3072, publicExponent: 65_537n })
  })

  it('refuses what it does not know', async () => {
    for (const type of ['x25519', '__proto__', 'RSA', '']) await refusal('E_KEY', () => generateKeyPair(type as KeyPairType))
    await refusal('E_KEY', () => generateKeyPair('ed25519', { password: '' }))
  })
})

describe('importSigner', () => {
  it('signs with RSA by the scheme it is told, which Sigstore’s tools need, and verifies under that scheme alone', async () => {
    const { privatePem, publicPem } = await made.get('rsa')!
    const signer = await importSigner(privatePem, { scheme: 'rsa-pkcs1v15-sha256' })
    const signature = await signer.sign(data)
    expect(signer.key.scheme).toBe('rsa-pkcs1v15-sha256')
    expect(nodeVerify('sha256', data, createPublicKey(publicPem), signature)).toBe(true)
    expect(await verifySignature(signer.key, data, signature)).toBe(true)
    expect(await verifySignature(await importKey(publicPem), data, signature)).toBe(false)
  })

  it('refuses a scheme of another key type', async () => {
    const { privatePem } = await made.get('ed25519')!
    for (const scheme of ['rsa-pkcs1v15-sha256', 'hmac', '__proto__']) await refusal('E_KEY', () => importSigner(privatePem, { scheme }))
  })

  it('signs Ed25519 as RFC 8032 does', async () => {
    // RFC 8032, 7.1, test 2
    const seed = '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'
    const { key, sign, signSync } = await importSigner(writePem('PRIVATE KEY', fromHex(`302e020100300506032b657004220420${seed}`)))
    expect(key.keyval.public).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    const expected =
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    expect(toHex(await sign(Uint8Array.of(0x72)))).toBe(expected)
    expect(toHex(signSync!(Uint8Array.of(0x72)))).toBe(expected)
  })

  it.each<[string, string, object, 'pkcs1' | 'sec1']>([
    ['PKCS#1', 'rsa', { modulusLength: 2048 }, 'pkcs1'],
    ['SEC1 on P-256', 'ec', { namedCurve: 'P-256' }, 'sec1'],
    ['SEC1 on P-384', 'ec', { namedCurve: 'P-384' }, 'sec1'],
    ['SEC1 on P-521', 'ec', { namedCurve: 'P-521' }, 'sec1'],
  ])('reads %s, also with line ends of Windows', async (_, type, options, form) => {
    const { privateKey, publicKey } = pair(type, options)
    const pem = privateKey.export({ type: form, format: 'pem' }) as string
    const expected = await importKey(publicKey.export({ type: 'spki', format: 'pem' }) as string)
    for (const text of [
      pem,
      pem.replaceAll('\n', '\r\n'),
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${pem}`,
    ]) {
      const signer = await importSigner(text)
      expect(signer.key).toEqual(expected)
      expect(await verifySignature(expected, data, await signer.sign(data))).toBe(true)
    }
  })

  it('signs at once where the platform can: in Node always, elsewhere with Ed25519', async () => {
    for (const type of types) {
      const { key, signSync } = await importSigner((await made.get(type)!).privatePem)
      expect(signSync !== undefined).toBe(onNode || type === 'ed25519')
      if (signSync !== undefined) expect(await verifySignature(key, data, signSync(data))).toBe(true)
    }
  })

  it('makes ECDSA signatures in DER and RSA ones in PSS', async () => {
    expect((await (await importSigner(pkcs8('ec', { namedCurve: 'P-256' }))).sign(data))[0]).toBe(0x30)
    const signer = await importSigner(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
    const { constants, verify } = await import('node:crypto')
    const padding = constants.RSA_PKCS1_PSS_PADDING
    expect(verify('sha256', data, { key: rsa.publicKey, padding, saltLength: 32 }, await signer.sign(data))).toBe(true)
  })

  it.each(['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc'])('reads keys that OpenSSL encrypted with %s', async (cipher) => {
    const pem = encrypted(cipher)
    expect((await importSigner(pem, { password: 'secret' })).key.keytype).toBe('ed25519')
    expect(await refusal('E_KEY', () => importSigner(pem, { password: 'other' }))).toMatch(/password is wrong/)
  })

  it('refuses a file that asks for years of work before its password is known to be wrong', async () => {
    const hex = (...parts: string[]): string => parts.join('')
    const element = (tag: string, body: string): string => hex(tag, (body.length / 2).toString(16).padStart(2, '0'), body)
    const cipher = hex('060960864801650304012a', element('04', '00'.repeat(16)))
    const sealed = (kdf: string, parameters: string): string => {
      const scheme = element('30', hex(element('30', hex(kdf, element('30', parameters))), element('30', cipher)))
      const whole = element('30', hex(element('30', hex('06092a864886f70d01050d', scheme)), element('04', '00'.repeat(16))))
      return writePem('ENCRYPTED PRIVATE KEY', fromHex(whole))
    }
    const salt = element('04', '00'.repeat(8))
    const slow = [
      sealed('06092a864886f70d01050c', hex(salt, element('02', '7fffffff'))),
      sealed('06092b06010401da47040b', hex(salt, element('02', '4000'), element('02', '08'), element('02', '4000'))),
      writePem(
        'ENCRYPTED PRIVATE KEY',
        fromHex(
          element(
            '30',
            hex(
              element('30', hex('06092a864886f70d010503', element('30', hex(salt, element('02', '7fffffff'))))),
              element('04', '00'.repeat(16)),
            ),
          ),
        ),
      ),
    ]
    for (const pem of slow) {
      if (onNode) expect(await refusal('E_KEY', () => importSigner(pem, { password: 'secret' }))).toMatch(/more rounds/)
      else await refusal('E_UNSUPPORTED', () => importSigner(pem, { password: 'secret' }))
    }
  })

  it('reads other encryptions in Node, and says what to do elsewhere', async () => {
    const pem = encrypted('des-ede3-cbc')
    if (onNode) expect((await importSigner(pem, { password: 'secret' })).key.keytype).toBe('ed25519')
    else expect(await refusal('E_UNSUPPORTED', () => importSigner(pem, { password: 'secret' }))).toMatch(/encrypted/)
  })

  const good = pkcs8('ed25519')
  const der = Buffer.from(good.split('\n')[1]!, 'base64')

  it.each<[string, string, RegExp]>([
    ['nothing', '', /empty/],
    ['white space', '\n\n', /empty/],
    ['no PEM', 'secret', /not a PEM file/],
    ['a public key', pair('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string, /public one/],
    ['a certificate', writePem('CERTIFICATE', new Uint8Array(8)), /CERTIFICATE/],
    ['an OpenSSH key', writePem('OPENSSH PRIVATE KEY', new Uint8Array(8)), /OpenSSH/],
    [
      'the old encryption of OpenSSL',
      rsa.privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'secret' }) as string,
      /old OpenSSL way/,
    ],
    ['a key that is cut off', good.slice(0, 60), /cut off/],
    ['a key whose bytes are cut off', writePem('PRIVATE KEY', der.subarray(0, 40)), /damaged/],
    [
      'a key with a byte too few inside',
      writePem('PRIVATE KEY', fromHex('302d020100300506032b657004210 41f'.replace(' ', '') + '01'.repeat(31))),
      /damaged/,
    ],
    ['random bytes', writePem('PRIVATE KEY', new Uint8Array(64).fill(0xab)), /damaged/],
    [
      'an encrypted key whose bytes are cut off',
      writePem('ENCRYPTED PRIVATE KEY', Buffer.from(encrypted('aes-256-cbc').split('\n').slice(1, 3).join(''), 'base64')),
      /password is wrong, or the file is damaged/,
    ],
    ['X25519', pkcs8('x25519'), /X25519/],
    ['Ed448', pkcs8('ed448'), /Ed448/],
    ['RSA of 1024 bits', pkcs8('rsa', { modulusLength: 1024 }), /1024 bits/],
    ['RSA with exponent 3', pkcs8('rsa', { modulusLength: 2048, publicExponent: 3 }), /exponent/],
    ['RSA restricted to PSS', pkcs8('rsa-pss', { modulusLength: 2048 }), /PSS/],
    ['secp256k1', pkcs8('ec', { namedCurve: 'secp256k1' }), /curve/],
    ['P-224 in SEC1', pair('ec', { namedCurve: 'secp224r1' }).privateKey.export({ type: 'sec1', format: 'pem' }) as string, /curve/],
  ])('refuses %s, at once too, without its content', async (_, pem, reason) => {
    const options = { password: 'secret' }
    const messages = [await refusal('E_KEY', () => importSigner(pem, options))]
    if (onNode || !pem.includes('ENCRYPTED PRIVATE')) messages.push(await refusal('E_KEY', () => importSignerSync(pem, options)))
    for (const message of messages) {
      expect(message).toMatch(reason)
      for (const line of pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----')))
        expect(message).not.toContain(line.slice(0, 12))
    }
  })
})

describe('importSignerSync', () => {
  it('reads unencrypted Ed25519 everywhere', async () => {
    const { key, signSync } = importSignerSync((await generateKeyPair()).privatePem)
    expect(await verifySignature(key, data, signSync!(data))).toBe(true)
  })

  it('reads every other key in Node, and says what to do elsewhere', async () => {
    const sealed = await generateKeyPair('ed25519', { password: 'secret' })
    const ecdsa = await generateKeyPair('ecdsa')
    if (onNode) {
      expect(importSignerSync(sealed.privatePem, { password: 'secret' }).key).toEqual(await importKey(sealed.publicPem))
      expect(importSignerSync(ecdsa.privatePem).key).toEqual(await importKey(ecdsa.publicPem))
      await refusal('E_KEY', () => importSignerSync(sealed.privatePem, { password: 'other' }))
    } else {
      expect(await refusal('E_UNSUPPORTED', () => importSignerSync(sealed.privatePem, { password: 'secret' }))).toMatch(/synchronously/)
      expect(await refusal('E_UNSUPPORTED', () => importSignerSync(ecdsa.privatePem))).toMatch(/synchronously/)
    }
  })
})
