/** Signature vectors of others: both cryptographic implementations must reach the verdict that the vectors, or the peers, have. */
import { readFileSync } from 'node:fs'
import { fromHex, importKey, keyids, toHex, utf8, verifySignature, type Key } from 'intoto'
import { describe, expect, it } from 'vitest'
import { preAuthEncoding } from '../../packages/intoto/src/metadata/envelope.ts'
import { writePem } from '../../packages/intoto/src/encoding/pem.ts'

const load = (path: string): unknown => JSON.parse(readFileSync(new URL(`../vectors/${path}`, import.meta.url), 'utf8'))

interface Wycheproof {
  groups: { key: string; tests: [number, string, string, string][] }[]
}

describe('Wycheproof', () => {
  it.each([
    ['ed25519', 151, 'ed25519'],
    ['ecdsa_secp256r1_sha256', 484, 'ecdsa-sha2-nistp256'],
    ['ecdsa_secp384r1_sha384', 504, 'ecdsa-sha2-nistp384'],
    ['ecdsa_secp521r1_sha512', 542, 'ecdsa-sha2-nistp521'],
    ['rsa_pss_2048_sha256_mgf1_32', 108, 'rsassa-pss-sha256'],
    ['rsa_pss_3072_sha256_mgf1_32', 108, 'rsassa-pss-sha256'],
    ['rsa_signature_2048_sha256', 257, 'rsa-pkcs1v15-sha256'],
  ])('%s: all %i verdicts', async (file, count, scheme) => {
    const { groups } = load(`wycheproof/${file}.json`) as Wycheproof
    const wrong: string[] = []
    let tests = 0
    for (const group of groups) {
      const key = { ...(await importKey(writePem('PUBLIC KEY', fromHex(group.key)))), scheme }
      for (const [id, message, signature, result] of group.tests) {
        tests++
        const verdict = await verifySignature(key, fromHex(message), fromHex(signature))
        // "acceptable" marks legacy encodings that a strict verifier refuses.
        if (verdict !== (result === 'valid')) wrong.push(`${file} ${id}: ${result}, but ${verdict}`)
      }
    }
    expect(wrong).toEqual([])
    expect(tests).toBe(count)
  })
})

/** An Ed25519 key object, also for keys that `importKey` refuses. */
const ed25519 = (hex: string): Key => ({ keyid: 'k', keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex } })

/** The eight points whose order divides 8, each in its only canonical encoding, and their other encodings. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

describe('Ed25519 edge cases', () => {
  const cases = load('ed25519/edge.json') as {
    name: string
    key: string
    message: string
    signature: string
    python: boolean
    go: boolean
  }[]

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, { key, message, signature, python, go }) => {
    expect(python).toBe(go)
    const isWeak = smallOrder.includes(key) || smallOrder.includes(signature.slice(0, 64))
    expect(await verifySignature(ed25519(key), fromHex(message), fromHex(signature))).toBe(python && !isWeak)
  })

  it('no signature is good under a key of small order, in any encoding of any of them', async () => {
    for (const key of smallOrder) {
      for (const r of smallOrder) expect(await verifySignature(ed25519(key), utf8('Zcash'), fromHex(r + '00'.repeat(32)))).toBe(false)
      await expect(importKey(writePem('PUBLIC KEY', fromHex(`302a300506032b6570032100${key}`)))).rejects.toMatchObject({ code: 'E_KEY' })
    }
  })
})

describe('the DSSE protocol’s own vector', () => {
  // secure-systems-lab/dsse, protocol.md: a P-256 key by its coordinates, payload "hello world".
  const x = 46950820868899156662930047687818585632848591499744589407958293238635476079160n
  const y = 5640078356564379163099075877009565129882514886557779369047442380624545832820n
  const point = `04${x.toString(16).padStart(64, '0')}${y.toString(16).padStart(64, '0')}`
  const pem = writePem('PUBLIC KEY', fromHex(`3059301306072a8648ce3d020106082a8648ce3d030107034200${point}`))
  const encoded = preAuthEncoding('http://example.com/HelloWorld', utf8('hello world'))

  it('has that pre-authentication encoding', () => {
    expect(toHex(encoded)).toBe(toHex(utf8('DSSEv1 29 http://example.com/HelloWorld 11 hello world')))
  })

  it('has a signature r‖s, which in in-toto is DER', async () => {
    const key = await importKey(pem)
    expect(new Set(keyids(key)).size).toBe(5)
    const raw = Buffer.from('A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==', 'base64')
    const { ecdsaToDer } = await import('../../packages/intoto/src/encoding/der.ts')
    expect(await verifySignature(key, encoded, ecdsaToDer(raw))).toBe(true)
    expect(await verifySignature(key, encoded, raw)).toBe(false)
    expect(await verifySignature(key, utf8('hello world'), ecdsaToDer(raw))).toBe(false)
  })
})
