/** Signed Statements in Sigstore bundles and in JSON Lines: what cosign and npm expect of them, and everything that has to be refused. */
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createLink,
  fromUtf8,
  generateKeyPair,
  importKey,
  importSigner,
  sign,
  toStatement,
  utf8,
  type KeyPairType,
  type Metadata,
  type Signer,
} from 'intoto'
import { addLine, keyHint, packageProvenance, readBundle, readLines, toBundle, verifyBundle, writeLines } from 'intoto-npm'
import { refusal } from './refusal.ts'

const sha256 = 'ab'.repeat(32)
const link = createLink({ name: 'package', command: ['npm', 'pack'], products: { 'a-1.0.0.tgz': { sha256 } } })
const statement = packageProvenance({
  subject: { name: 'a', version: '1.0.0', sha256, sha512: 'cd'.repeat(64) },
  link,
  client: 'npm/11.0.0',
  environment: {},
})
const types: KeyPairType[] = ['ed25519', 'ecdsa', 'ecdsa-p384', 'rsa']
const pairs = new Map<KeyPairType, { signer: Signer; publicPem: string }>()
let other: Signer

beforeAll(async () => {
  for (const type of types) {
    const { privatePem, publicPem } = await generateKeyPair(type)
    pairs.set(type, { signer: await importSigner(privatePem, type === 'rsa' ? { scheme: 'rsa-pkcs1v15-sha256' } : {}), publicPem })
  }
  other = await importSigner((await generateKeyPair()).privatePem)
})
const pair = (type: KeyPairType = 'ed25519'): { signer: Signer; publicPem: string } => pairs.get(type)!
interface BundleJson {
  mediaType: string
  verificationMaterial: { publicKey?: { hint: string }; certificate?: object }
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid: string }[] }
}
const parse = (bytes: Uint8Array): BundleJson => JSON.parse(fromUtf8(bytes)) as BundleJson
const changed = (bytes: Uint8Array, change: (bundle: BundleJson) => void): Uint8Array => {
  const bundle = parse(bytes)
  change(bundle)
  return utf8(JSON.stringify(bundle))
}

describe.each(types)('toBundle with %s', (type) => {
  it('has the shape that cosign takes: v0.3, one signature, an empty key id, a hint over the SPKI', async () => {
    const { signer, publicPem } = pair(type)
    const bundle = parse(await toBundle(await sign(statement, [signer]), signer.key))
    const spki = createPublicKey(publicPem).export({ type: 'spki', format: 'der' })
    expect(bundle).toEqual({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: createHash('sha256').update(spki).digest('base64') } },
      dsseEnvelope: {
        payload: Buffer.from(JSON.stringify(statement)).toString('base64'),
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ sig: expect.any(String), keyid: '' }],
      },
    })
    expect(keyHint(signer.key)).toBe(bundle.verificationMaterial.publicKey?.hint)
  })

  it('carries a signature that Node’s own crypto accepts over the envelope’s encoding', async () => {
    const { signer, publicPem } = pair(type)
    const { dsseEnvelope } = parse(await toBundle(await sign(statement, [signer]), signer.key))
    const body = Buffer.from(dsseEnvelope.payload, 'base64')
    const signed = Buffer.concat([Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${body.length} `), body])
    const key = createPublicKey(publicPem)
    const hash = { ed25519: null, rsa: 'sha256', 'ecdsa-p384': 'sha384', ecdsa: 'sha256' }[type as 'rsa']
    expect(nodeVerify(hash, signed, key, Buffer.from(dsseEnvelope.signatures[0]!.sig, 'base64'))).toBe(true)
  })

  it('is read back and verified', async () => {
    const { signer, publicPem } = pair(type)
    const bytes = await toBundle(await sign(statement, [signer]), signer.key)
    const { key, statement: read } = await verifyBundle(bytes, [other.key, await importKey(publicPem)])
    expect(key.keyval).toEqual(signer.key.keyval)
    expect(JSON.stringify(read)).toBe(JSON.stringify(statement))
  })
})

describe('toBundle', () => {
  it('makes one bundle for each signer', async () => {
    const metadata = await sign(statement, [pair().signer, pair('ecdsa').signer])
    const bundles = [await toBundle(metadata, pair().signer.key), await toBundle(metadata, pair('ecdsa').signer.key)]
    expect(bundles.map((bytes) => parse(bytes).dsseEnvelope.signatures.length)).toEqual([1, 1])
    expect((await verifyBundle(bundles[0]!, [pair().signer.key])).key.keyid).toBe(pair().signer.key.keyid)
    expect((await refusal(() => verifyBundle(bundles[1]!, [pair().signer.key]))).code).toBe('E_SIGNATURE')
  })

  it('refuses a key that has not signed, classic links, and metablocks', async () => {
    expect((await refusal(async () => toBundle(await sign(statement, [pair().signer]), other.key))).code).toBe('E_SIGNATURE')
    expect((await refusal(async () => toBundle(await sign(link, [pair().signer]), pair().signer.key))).code).toBe('E_UNSUPPORTED')
    expect((await refusal(async () => toBundle(await sign(link, [pair().signer], { format: 'metablock' }), pair().signer.key))).code).toBe(
      'E_UNSUPPORTED',
    )
  })

  it('refuses RSA signatures by PSS, which cosign takes for bad ones', async () => {
    const pss = await importSigner((await generateKeyPair('rsa')).privatePem)
    const error = await refusal(async () => toBundle(await sign(statement, [pss]), pss.key))
    expect(error).toMatchObject({ code: 'E_UNSUPPORTED', problem: { fix: [expect.stringContaining('rsa-pkcs1v15-sha256')] } })
  })

  it('takes link Statements', async () => {
    const bytes = await toBundle(await sign(toStatement(link), [pair().signer]), pair().signer.key)
    expect((await verifyBundle(bytes, [pair().signer.key])).statement.predicateType).toBe('https://in-toto.io/attestation/link/v0.3')
  })
})

describe('verifyBundle', () => {
  let good: Uint8Array
  beforeAll(async () => {
    good = await toBundle(await sign(statement, [pair().signer]), pair().signer.key)
  })
  const cases: [what: string, change: (bundle: BundleJson) => void, code: string][] = [
    [
      'another payload',
      (b) =>
        (b.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...statement, predicateType: 'https://x.example/y' })).toString('base64')),
      'E_SIGNATURE',
    ],
    ['another payload type', (b) => (b.dsseEnvelope.payloadType = 'application/vnd.in-toto.provenance+json'), 'E_SIGNATURE'],
    ['a changed signature', (b) => (b.dsseEnvelope.signatures[0]!.sig = Buffer.alloc(64, 1).toString('base64')), 'E_SIGNATURE'],
    ['a second signature', (b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0]!), 'E_FORMAT'],
    ['no signature', (b) => (b.dsseEnvelope.signatures = []), 'E_FORMAT'],
    ['a certificate beside the key', (b) => (b.verificationMaterial.certificate = {}), 'E_FORMAT'],
    ['neither key nor certificate', (b) => delete b.verificationMaterial.publicKey, 'E_FORMAT'],
    ['another media type', (b) => (b.mediaType = 'application/vnd.dev.sigstore.bundle.v9+json'), 'E_FORMAT'],
    ['no envelope', (b) => delete (b as Partial<BundleJson>).dsseEnvelope, 'E_UNSUPPORTED'],
    ['a certificate instead of the key', (b) => (b.verificationMaterial = { certificate: { rawBytes: 'AAAA' } }), 'nothing'],
  ]
  it.each(cases)('with %s', async (_, change, expected) => {
    const bytes = changed(good, change)
    if (expected === 'nothing') return expect(readBundle(bytes).keyless).toBe(true)
    expect((await refusal(() => verifyBundle(bytes, [pair().signer.key]))).code).toBe(expected)
  })

  it('does not believe the hint', async () => {
    const bytes = changed(good, (b) => (b.verificationMaterial.publicKey!.hint = keyHint(other.key)))
    expect((await verifyBundle(bytes, [pair().signer.key])).key.keyid).toBe(pair().signer.key.keyid)
    expect((await refusal(() => verifyBundle(bytes, [other.key]))).code).toBe('E_SIGNATURE')
  })

  it('takes the older spelling of the version', async () => {
    const bytes = changed(good, (b) => (b.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.3'))
    expect((await verifyBundle(bytes, [pair().signer.key])).key.keyid).toBe(pair().signer.key.keyid)
  })

  it.each(['', '{', '[]', 'null', '{"mediaType":1}', '['.repeat(100_000)])('refuses %j', async (text) => {
    expect((await refusal(() => verifyBundle(utf8(text), [pair().signer.key]))).code).toBe('E_FORMAT')
  })
})

describe('JSON Lines', () => {
  let one: Metadata
  let two: Metadata
  beforeAll(async () => {
    one = await sign(statement, [pair().signer])
    two = await sign(toStatement(link), [pair('ecdsa').signer])
  })

  it('hold one envelope a line and come back to the byte', () => {
    const file = writeLines([one, two, one])
    expect(fromUtf8(file).split('\n')).toEqual([fromUtf8(one.bytes), fromUtf8(two.bytes), ''])
    const { lines, skipped } = readLines(file)
    expect(lines.map(({ number, metadata, keyless }) => [number, fromUtf8(metadata.bytes), keyless])).toEqual([
      [1, fromUtf8(one.bytes), false],
      [2, fromUtf8(two.bytes), false],
    ])
    expect(skipped).toEqual([])
  })

  it('take an envelope that was printed over many lines, its payload untouched', () => {
    const pretty = { ...one, bytes: utf8(JSON.stringify(JSON.parse(fromUtf8(one.bytes)), null, 2)) }
    expect(writeLines([pretty])).toEqual(writeLines([one]))
  })

  it('grow by one line, once', () => {
    const file = addLine(writeLines([one]), two)
    expect(readLines(file).lines).toHaveLength(2)
    expect(addLine(file, one)).toBe(file)
    expect(fromUtf8(addLine(utf8('unknown line without end'), one))).toBe(`unknown line without end\n${fromUtf8(writeLines([one]))}`)
  })

  it('pass over lines that are something else, and say which', async () => {
    const bundle = await toBundle(one, pair().signer.key)
    const file = utf8(`\n# comment\n${fromUtf8(bundle)}\r\n{"payload":"!"}\n   \n${fromUtf8(two.bytes)}`)
    const { lines, skipped } = readLines(file, 'a.intoto.jsonl')
    expect(lines.map(({ number }) => number)).toEqual([3, 6])
    expect(lines[0]?.metadata.payload).toEqual(one.payload)
    expect(skipped).toMatchObject([{ number: 2, reason: expect.stringContaining('a.intoto.jsonl:2') }, { number: 4 }])
  })

  it('are bounded', async () => {
    expect((await refusal(() => readLines(utf8('\n'.repeat(10_001))))).code).toBe('E_FORMAT')
    expect((await refusal(() => readLines(new Uint8Array([0xff])))).code).toBe('E_FORMAT')
  })
})
