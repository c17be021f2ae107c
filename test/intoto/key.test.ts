import { readFileSync } from 'node:fs'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  canonicalJson,
  fromHex,
  generateKeyPair,
  importKey,
  importSigner,
  keyidFor,
  keyids,
  keyMaterial,
  sameKey,
  toHex,
  toLayoutKey,
  utf8,
  verifySignature,
  type JsonObject,
  type Key,
} from 'intoto'
import { describe, expect, it } from 'vitest'
import { writePem } from '../../packages/intoto/src/encoding/pem.ts'
import { checkKey, isKnownKeytype } from '../../packages/intoto/src/keys/key.ts'
import { refusal } from './refusal.ts'

interface PeerKey {
  name: string
  pem: string
  scheme: string
  python: string
  go: string
  legacy?: string
  alias?: string
}

const peers = JSON.parse(readFileSync(new URL('../vectors/keys/keys.json', import.meta.url), 'utf8')) as PeerKey[]
const peer = (name: string): PeerKey => peers.find((key) => key.name === name)!
const spki = (type: string, options: object): string =>
  (generateKeyPairSync as unknown as (type: string, options: object) => { publicKey: string })(type, {
    ...options,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).publicKey

const rsaPem = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

describe('key ids', () => {
  it.each(peers.map((key) => [key.name, key] as const))(
    '%s has the ids that Python, Go and old tools give it',
    async (_, { pem, scheme, python, go, legacy, alias }) => {
      const key = await importKey(pem)
      expect(key).toMatchObject({ keyid: python, scheme })
      expect(keyids(key)[0]).toBe(python)
      expect(keyidFor(key, 'python')).toBe(python)
      expect(keyidFor(key, 'go')).toBe(go)
      expect(keyids(key)).toContain(go)
      if (legacy !== undefined) expect(keyids(key)).toContain(legacy)
      if (alias !== undefined) expect(keyids(key)).toContain(alias)
      expect(new Set(keyids(key)).size).toBe(keyids(key).length)
    },
  )

  it('do not depend on line ends, columns or text around the PEM block', async () => {
    for (const { pem, python } of peers) {
      for (const text of [pem.replaceAll('\n', '\r\n'), `# owner\n${pem}\n# end\n`, pem.trimEnd()]) {
        expect((await importKey(text)).keyid).toBe(python)
      }
    }
  })

  it('also hold the one that the key carries, at the end', async () => {
    const key = { ...(await importKey(peer('ed25519').pem)), keyid: 'abcd' }
    expect(keyids(key).at(-1)).toBe('abcd')
    expect(keyids(key)[0]).toBe(peer('ed25519').python)
  })
})

describe('importKey', () => {
  it('keeps PEM as Python writes it, and Ed25519 as hex', async () => {
    expect((await importKey(peer('rsa').pem)).keyval.public).toBe(peer('rsa').pem)
    expect((await importKey(peer('ed25519').pem)).keyval.public).toMatch(/^[0-9a-f]{64}$/)
  })

  it('reads PKCS#1 public keys of RSA', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const [pkcs1, spki] = (['pkcs1', 'spki'] as const).map((type) => publicKey.export({ type, format: 'pem' }) as string)
    expect(await importKey(pkcs1!)).toEqual(await importKey(spki!))
    for (const damaged of [pkcs1!.replace(/\n(.)/, '\nA'), '-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n'])
      expect(await refusal('E_KEY', () => importKey(damaged))).toMatch(/damaged|not an RSA key/)
  })

  const ed = Buffer.from(peer('ed25519').pem.split('\n')[1]!, 'base64')
  const p256 = Buffer.from(peer('ecdsa-p256').pem.split('\n').slice(1, 3).join(''), 'base64')

  /** A key that nobody has, with a modulus of so many bytes. */
  const rsa = (bytes: number, e: string): string =>
    createPublicKey({ key: { kty: 'RSA', n: Buffer.alloc(bytes, 0xff).toString('base64url'), e }, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    }) as string

  it.each([
    ['nothing', '', /empty/],
    ['white space', ' \n\t', /empty/],
    ['no PEM', 'ssh-ed25519 AAAA', /not a PEM file/],
    ['JSON', '{"keytype":"ed25519"}', /not a PEM file/],
    ['a certificate', writePem('CERTIFICATE', new Uint8Array(9)), /CERTIFICATE/],
    ['two keys in one file', peer('rsa').pem + peer('ed25519').pem, /more than one/],
    ['a key that is cut off', peer('rsa').pem.slice(0, 200), /cut off/],
    ['a key without its end', writePem('PUBLIC KEY', p256.subarray(0, 50)), /damaged/],
    ['a key with bytes behind it', writePem('PUBLIC KEY', Buffer.concat([ed, Buffer.of(0)])), /damaged/],
    [
      'a point that is not on its curve',
      writePem('PUBLIC KEY', Buffer.concat([p256.subarray(0, -1), Buffer.of(p256.at(-1)! ^ 1)])),
      /point/,
    ],
    ...[2, 7].map((y): [string, string, RegExp] => [
      `a y of Ed25519 without an x: ${y}`,
      writePem('PUBLIC KEY', Buffer.concat([ed.subarray(0, 12), Buffer.of(y), Buffer.alloc(31)])),
      /point/,
    ]),
    [
      'a compressed point',
      writePem('PUBLIC KEY', fromHex(`3039301306072a8648ce3d020106082a8648ce3d03010703220002${toHex(p256.subarray(27, 59))}`)),
      /uncompressed/,
    ],
    ['RSA of 1024 bits', spki('rsa', { modulusLength: 1024 }), /1024 bits/],
    ['RSA of 2040 bits', spki('rsa', { modulusLength: 2040 }), /2040 bits/],
    ['RSA with exponent 3', spki('rsa', { modulusLength: 2048, publicExponent: 3 }), /exponent/],
    ['RSA of 8200 bits', rsa(1025, 'AQAB'), /8200 bits is too large/],
    ['RSA with an even exponent', rsa(256, 'AQAC'), /exponent/],
    ['RSA with an exponent above 2^32', rsa(256, 'AQAAAAE'), /exponent/],
    [
      'bits that do not fill a byte',
      writePem('PUBLIC KEY', Buffer.concat([ed.subarray(0, 11), Buffer.of(1), ed.subarray(12)])),
      /not a public key/,
    ],
    ['RSA restricted to PSS', spki('rsa-pss', { modulusLength: 2048 }), /PSS/],
    ['X25519', spki('x25519', {}), /X25519/],
    ['Ed448', spki('ed448', {}), /Ed448/],
    ['DSA', spki('dsa', { modulusLength: 2048, divisorLength: 256 }), /DSA/],
    ['P-224', spki('ec', { namedCurve: 'secp224r1' }), /curve/],
    ['secp256k1', spki('ec', { namedCurve: 'secp256k1' }), /curve/],
  ])('refuses %s', async (_, pem, reason) => {
    expect(await refusal('E_KEY', () => importKey(pem))).toMatch(reason)
  })

  it('refuses a private key, without any of its content', async () => {
    for (const type of ['ed25519', 'ecdsa'] as const) {
      const { privatePem } = await generateKeyPair(type)
      const message = await refusal('E_KEY', () => importKey(privatePem))
      expect(message).toMatch(/private/)
      for (const line of privatePem.split('\n').slice(1, -2)) expect(message).not.toContain(line)
    }
  })
})

describe('material', () => {
  it('is what makes a key the same key, whatever its id, scheme and spelling', async () => {
    const [rsa, ed] = await Promise.all([importKey(peer('rsa').pem), importKey(peer('ed25519').pem)])
    expect(
      sameKey(rsa, { ...rsa, keyid: 'other', scheme: 'rsassa-pss-sha512', keyval: { public: rsa.keyval.public.replaceAll('\n', '\r\n') } }),
    ).toBe(true)
    expect(sameKey(ed, { ...ed, keyid: 'other', keyval: { public: ed.keyval.public.toUpperCase() } })).toBe(true)
    expect(sameKey(rsa, ed)).toBe(false)
    expect(new Set((await Promise.all(peers.map(({ pem }) => importKey(pem)))).map(keyMaterial)).size).toBe(peers.length)
  })

  it('is never shared by keys that cannot be used', () => {
    const gpg = (keyid: string): Key => ({ keyid, keytype: 'openpgp', scheme: 'pgp', keyval: { public: 'x' } })
    expect(sameKey(gpg('a'), gpg('b'))).toBe(false)
  })
})

describe('checkKey', () => {
  const object = (name: string, members: JsonObject = {}): JsonObject => {
    const { python, pem, scheme } = peer(name)
    const hex = toHex(Buffer.from(pem.split('\n')[1]!, 'base64').subarray(-32))
    const keytype = name.split('-')[0]!
    return { keyid: python, keytype, scheme, keyval: { public: keytype === 'ed25519' ? hex : pem }, ...members }
  }

  it.each(peers.map(({ name }) => [name]))('accepts %s, and its objects by old tools and by Go', async (name) => {
    expect(checkKey(object(name))).toMatchObject(object(name))
    const { keyval } = object(name)
    checkKey(object(name, { keyval: { ...(keyval as JsonObject), private: '' }, keyid_hash_algorithms: ['sha256', 'sha512'] }))
    if (name.startsWith('ecdsa')) {
      checkKey(object(name, { keytype: peer(name).scheme }))
      // in-toto-golang writes this label for every curve.
      const key = checkKey(object(name, { scheme: 'ecdsa-sha2-nistp256' }))
      expect(sameKey(key, await importKey(peer(name).pem))).toBe(true)
    }
    if (name === 'rsa') checkKey(object(name, { keyval: { public: peer(name).pem.trimEnd() } }))
  })

  it('takes the id under which a layout lists the key when the object has none', () => {
    const bare = object('ed25519')
    delete bare['keyid']
    expect(checkKey(bare, 'abc').keyid).toBe('abc')
  })

  it('returns keys of unknown types as they are', () => {
    const openpgp = { type: 'rsa', method: 'pgp+rsa-pkcsv1.5', hashes: ['pgp+SHA2'], keyval: { public: {} }, keyid: 'aa' }
    expect(checkKey(openpgp)).toEqual(openpgp)
    for (const keytype of ['hmac', 'none', 'sigstore-oidc', '__proto__', 'constructor', '', undefined, null, 5, 'RSA', 'rsa ']) {
      expect(isKnownKeytype(keytype)).toBe(false)
    }
    for (const keytype of ['rsa', 'ed25519', 'ecdsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384'])
      expect(isKnownKeytype(keytype)).toBe(true)
  })

  it.each<[string, string, JsonObject, RegExp]>([
    ['a private key', 'ed25519', { keyval: { public: '00'.repeat(32), private: 'a1'.repeat(32) } }, /private/],
    ['a private member that is no text', 'ed25519', { keyval: { public: '00'.repeat(32), private: null } }, /private/],
    ['no public text', 'ed25519', { keyval: {} }, /"public"/],
    ['a list as keyval', 'ed25519', { keyval: [] }, /"public"/],
    ['a scheme that is no text', 'ed25519', { scheme: null }, /"scheme"/],
    ['an id that is no text', 'ed25519', { keyid: 5 }, /"keyid"/],
    ['an empty id', 'ed25519', { keyid: '' }, /"keyid"/],
    ['Ed25519 as PEM', 'ed25519', { keyval: { public: peer('ed25519').pem } }, /64 hexadecimal/],
    ['Ed25519 of 31 bytes', 'ed25519', { keyval: { public: '01'.repeat(31) } }, /64 hexadecimal/],
    ['a weak Ed25519 key', 'ed25519', { keyval: { public: `01${'00'.repeat(31)}` } }, /weak/],
    ['an RSA key that calls itself ecdsa', 'rsa', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }, /content is rsa/],
    ['an ECDSA key that calls itself rsa', 'ecdsa-p256', { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }, /content is ecdsa/],
    ['an RSA key with the scheme of Ed25519', 'rsa', { scheme: 'ed25519' }, /does not belong/],
    ['an unknown scheme', 'rsa', { scheme: 'rsassa-pss-sha1' }, /does not belong/],
    ['the scheme __proto__', 'rsa', { scheme: '__proto__' }, /does not belong/],
    ['the scheme of another curve', 'ecdsa-p256', { scheme: 'ecdsa-sha2-nistp384' }, /does not belong/],
    ['P-384 with the scheme of P-521', 'ecdsa-p384', { scheme: 'ecdsa-sha2-nistp521' }, /does not belong/],
    ['an alias of another curve', 'ecdsa-p256', { keytype: 'ecdsa-sha2-nistp384' }, /does not belong/],
    ['an RSA key of 1024 bits', 'rsa', { keyval: { public: spki('rsa', { modulusLength: 1024 }) } }, /1024/],
    [
      'a private PEM in place of a public one',
      'rsa',
      { keyval: { public: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string } },
      /private/,
    ],
  ])('refuses %s', async (_, name, members, reason) => {
    expect(await refusal('E_LAYOUT_INVALID', () => checkKey(object(name, members)))).toMatch(reason)
  })
})

describe('toLayoutKey', () => {
  it('makes an object over which Python and Go compute the same bytes', async () => {
    const key = await importKey(peer('rsa').pem)
    const object = toLayoutKey({ ...key, keyval: { public: key.keyval.public, private: '' } as Key['keyval'] })
    expect(Object.keys(object).sort()).toEqual(['keyid', 'keyid_hash_algorithms', 'keytype', 'keyval', 'scheme'])
    expect(Object.keys(object['keyval'] as JsonObject)).toEqual(['public'])
    expect(checkKey(object)).toEqual(object)
    const bare: JsonObject = { ...object, keyval: { public: peer('rsa').pem.trimEnd() } }
    delete bare['keyid']
    expect(createHash('sha256').update(canonicalJson(bare)).digest('hex')).toBe(peer('rsa').go)
  })
})

describe('verifySignature', () => {
  const data = utf8('what is signed')

  it.each(['ed25519', 'ecdsa', 'ecdsa-p384', 'ecdsa-p521', 'rsa'] as const)('knows a good %s signature from every other', async (type) => {
    const other = await generateKeyPair(type === 'rsa' ? 'ecdsa' : type)
    const { key, sign } = await importSigner(type === 'rsa' ? rsaPem() : (await generateKeyPair(type)).privatePem)
    const sig = await sign(data)
    expect(await verifySignature(key, data, sig)).toBe(true)
    expect(await verifySignature(key, utf8('what is signee'), sig)).toBe(false)
    expect(await verifySignature(await importKey(other.publicPem), data, sig)).toBe(false)
    for (const at of [0, Math.floor(sig.length / 2), sig.length - 1]) {
      const changed = sig.slice()
      changed[at]! ^= 1
      expect(await verifySignature(key, data, changed)).toBe(false)
    }
    for (const cut of [sig.subarray(1), sig.subarray(0, -1), Uint8Array.of(...sig, 0), new Uint8Array(0), new Uint8Array(sig.length)]) {
      expect(await verifySignature(key, data, cut)).toBe(false)
    }
  })

  it('takes RSA-PSS with a salt as long as the hash only, as Go does', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = await importKey(publicKey.export({ type: 'spki', format: 'pem' }) as string)
    const { constants, sign } = await import('node:crypto')
    for (const saltLength of [0, 20, 31, 32, 33, 64, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
      const sig = sign('sha256', data, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
      expect(await verifySignature(key, data, sig)).toBe(saltLength === 32)
    }
    const pkcs1 = sign('sha256', data, privateKey)
    expect(await verifySignature(key, data, pkcs1)).toBe(false)
    expect(await verifySignature({ ...key, scheme: 'rsa-pkcs1v15-sha256' }, data, pkcs1)).toBe(true)
    expect(await verifySignature({ ...key, scheme: 'rsa-pkcs1v15-sha512' }, data, pkcs1)).toBe(false)
  })

  it('hashes by curve under Go’s label', async () => {
    for (const type of ['ecdsa-p384', 'ecdsa-p521'] as const) {
      const { key, sign } = await importSigner((await generateKeyPair(type)).privatePem)
      expect(await verifySignature({ ...key, scheme: 'ecdsa-sha2-nistp256' }, data, await sign(data))).toBe(true)
    }
  })

  it('says no for a key that cannot be used, and throws nothing', async () => {
    const key = await importKey(peer('ed25519').pem)
    for (const bad of [{ keytype: 'hmac' }, { scheme: 'none' }, { keyval: { public: '' } }, { keyval: {} as Key['keyval'] }]) {
      expect(await verifySignature({ ...key, ...bad }, data, new Uint8Array(64))).toBe(false)
    }
  })
})
