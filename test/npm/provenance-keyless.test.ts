/**
 * Keyless signing from end to end on loopback: a certificate authority, a log and a time stamper of @sigstore/mock behind a server of ours, and a
 * trusted root made of their keys. No other address is known to anybody here.
 */
import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fulcioHandler, initializeCA, initializeCTLog, initializeTLog, initializeTSA, rekorHandler, tsaHandler } from '@sigstore/mock'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createLink, fromUtf8, generateKeyPair, importSigner, sign, utf8 } from 'intoto'
import { packageProvenance, signKeyless, toBundle, verifyBundle, verifyKeyless, type KeylessSigning } from 'intoto-npm'
import { refusal } from './refusal.ts'
import { answering, closeServer, listen } from './registry.ts'

const sha256 = 'ab'.repeat(32)
const link = createLink({ name: 'package', command: ['npm', 'pack'], products: { 'a-1.0.0.tgz': { sha256 } } })
const statement = packageProvenance({
  subject: { name: 'a', version: '1.0.0', sha256, sha512: 'cd'.repeat(64) },
  link,
  client: 'npm/11.0.0',
  environment: {},
})

const workflow = 'https://github.com/acme/thing/.github/workflows/release.yml@refs/tags/v1'
const issuer = 'https://token.issuer.example'
const token = (claims: object): string =>
  [{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.x'
const identityToken = token({ sub: workflow, iss: issuer, aud: 'sigstore', email: undefined, exp: 4_102_444_800 })

let server: Server
let url: string
let trustedRoot: Uint8Array
let bundle: Uint8Array
const requests: string[] = []
const services = (): KeylessSigning => ({ identityToken, fulcioUrl: url, rekorUrl: url, tsaUrl: url, logEntry: 'intoto', timeout: 5_000 })

beforeAll(async () => {
  // The mock's time stamper leaves zeros out of milliseconds, and the reader takes three digits or none: so the clock shows three that count.
  vi.useFakeTimers({ toFake: ['Date'], now: Math.floor(Date.now() / 1000) * 1000 + 789 })
  const ctlog = await initializeCTLog(ecKeys())
  const ca = await initializeCA(ecKeys(), ctlog)
  const tlog = await initializeTLog('http://loopback', ecKeys())
  const tsa = await initializeTSA(ecKeys())
  const handlers = [fulcioHandler(ca), rekorHandler(tlog), tsaHandler(tsa)]
  server = createServer(
    answering(async (request, response, sent) => {
      requests.push(request.url ?? '')
      const handler = handlers.find(({ path }) => request.url === path)
      const answer = await handler?.fn(sent.toString())
      response.writeHead(answer?.statusCode ?? 404, { 'content-type': answer?.contentType ?? 'text/plain' })
      const body = answer?.response ?? 'not found'
      response.end(typeof body === 'string' ? body : Buffer.from(body.buffer))
    }),
  )
  url = await listen(server)
  const base64 = (bytes: ArrayBufferView): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  const validFor = { start: '2020-01-01T00:00:00Z' }
  const log = (publicKey: Buffer, id: Buffer) => ({
    baseUrl: 'http://loopback', // the log signs its checkpoints under this name
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(publicKey), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: id.toString('base64') },
  })
  const authority = (...certificates: ArrayBufferView[]) => ({
    subject: { organization: 'mock', commonName: 'mock' },
    uri: url,
    certChain: { certificates: certificates.map((each) => ({ rawBytes: base64(each) })) },
    validFor,
  })
  trustedRoot = utf8(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [log(tlog.publicKey, createHash('sha256').update(tlog.publicKey).digest())],
      certificateAuthorities: [authority(ca.rootCertificate)],
      ctlogs: [log(ctlog.publicKey, Buffer.from(ctlog.logID.buffer, ctlog.logID.byteOffset, ctlog.logID.byteLength))],
      timestampAuthorities: [authority(tsa.intCertificate, tsa.rootCertificate)],
    }),
  )
  bundle = await signKeyless(statement, services())
})
afterAll(() => vi.useRealTimers())
afterAll(() => closeServer(server))

function ecKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
}

interface KeylessJson {
  verificationMaterial: {
    certificate?: { rawBytes: string }
    tlogEntries: { canonicalizedBody: string; integratedTime: string }[]
    timestampVerificationData?: object
  }
  dsseEnvelope: { payload: string; signatures: { sig: string }[] }
}
const changed = (change: (json: KeylessJson) => void): Uint8Array => {
  const json = JSON.parse(fromUtf8(bundle)) as KeylessJson
  change(json)
  return utf8(JSON.stringify(json))
}
const trust = (o: object = {}) => ({ trustedRoot, identity: workflow, issuer, ...o })

describe('keyless', () => {
  it('signs with an identity, and verifies without any request', () => {
    expect(requests.toSorted()).toEqual(['/api/v1/log/entries', '/api/v1/timestamp', '/api/v2/signingCert'])
    expect(JSON.stringify(verifyKeyless(bundle, trust()))).toBe(JSON.stringify(statement))
    expect(requests).toHaveLength(3)
  })

  it('without time stamps takes the log’s own time', async () => {
    const { tsaUrl: _, ...untimed } = services()
    expect(JSON.stringify(verifyKeyless(await signKeyless(statement, untimed), trust()))).toBe(JSON.stringify(statement))
  })

  it('holds no token', () => {
    expect(fromUtf8(bundle)).not.toContain(identityToken.split('.')[1])
  })

  it.each([
    ['another repository', { identity: 'https://github.com/acme/other/.github/workflows/release.yml@refs/tags/v1' }],
    ['a part of the identity', { identity: 'https://github.com/acme/thing' }],
    ['a pattern', { identity: '.*' }],
    ['the identity and more', { identity: `${workflow}2` }],
    ['another issuer', { issuer: 'https://token.issuer.example.evil' }],
  ])('expecting %s is E_ACTOR', async (_, other) => {
    expect((await refusal(() => verifyKeyless(bundle, trust(other)))).code).toBe('E_ACTOR')
  })

  it.each([
    ['an empty identity', { identity: '' }, 'E_CONFIG'],
    ['an empty issuer', { issuer: '' }, 'E_CONFIG'],
    ['no trusted root', { trustedRoot: utf8('{') }, 'E_FORMAT'],
    ['something else as trusted root', { trustedRoot: utf8('[1]') }, 'E_FORMAT'],
    [
      'an empty trusted root',
      { trustedRoot: utf8('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}') },
      'E_SIGNATURE',
    ],
  ])('with %s is refused', async (_, other, code) => {
    expect((await refusal(() => verifyKeyless(bundle, trust(other)))).code).toBe(code)
  })

  it.each<[string, (json: KeylessJson) => void]>([
    [
      'another payload',
      (b) =>
        (b.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...statement, predicateType: 'https://x.example/' })).toString('base64')),
    ],
    ['another signature', (b) => (b.dsseEnvelope.signatures[0]!.sig = Buffer.alloc(70, 1).toString('base64'))],
    ['no log entry', (b) => (b.verificationMaterial.tlogEntries = [])],
    ['a changed log entry', (b) => (b.verificationMaterial.tlogEntries[0]!.canonicalizedBody = Buffer.from('{}').toString('base64'))],
    ['a later time in the log', (b) => (b.verificationMaterial.tlogEntries[0]!.integratedTime = '4102444800')],
    ['a damaged certificate', (b) => (b.verificationMaterial.certificate!.rawBytes = 'AAAA')],
  ])('a bundle with %s is E_SIGNATURE', async (_, change) => {
    expect((await refusal(() => verifyKeyless(changed(change), trust()))).code).toBe('E_SIGNATURE')
  })

  it('a bundle of another authority is E_SIGNATURE', async () => {
    const root = JSON.parse(fromUtf8(trustedRoot)) as {
      certificateAuthorities: { certChain: unknown }[]
      timestampAuthorities: { certChain: unknown }[]
    }
    root.certificateAuthorities[0]!.certChain = root.timestampAuthorities[0]!.certChain
    expect((await refusal(() => verifyKeyless(bundle, trust({ trustedRoot: utf8(JSON.stringify(root)) })))).code).toBe('E_SIGNATURE')
  })

  it('and keys are not taken for one another', async () => {
    const signer = await importSigner((await generateKeyPair()).privatePem)
    const keyed = await toBundle(await sign(statement, [signer]), signer.key)
    expect((await refusal(() => verifyKeyless(keyed, trust()))).code).toBe('E_SIGNATURE')
    expect((await refusal(() => verifyBundle(bundle, [signer.key]))).code).toBe('E_SIGNATURE')
  })

  it('says when a service refuses or is not there, without the token', async () => {
    const gone = await refusal(() => signKeyless(statement, { ...services(), fulcioUrl: `${url}/gone` }))
    expect(gone.code).toBe('E_KEY')
    const closed = createServer()
    const address = await listen(closed)
    await new Promise((done) => closed.close(done))
    const unreachable = await refusal(() => signKeyless(statement, { ...services(), rekorUrl: address }))
    expect(unreachable.code).toBe('E_KEY')
    for (const { message } of [gone, unreachable]) expect(message).not.toContain(identityToken)
  })
})

describe('without sigstore installed', () => {
  it('everything else works, and keyless says what to install', () => {
    const root = mkdtempSync(join(tmpdir(), 'intoto-bare-'))
    try {
      // the package as users get it, with its dependencies and without its optional peer
      const modules = join(root, 'node_modules')
      const own = fileURLToPath(new URL('../../packages/npm/', import.meta.url))
      cpSync(join(own, 'dist'), join(modules, 'intoto-npm/dist'), { recursive: true })
      cpSync(join(own, 'package.json'), join(modules, 'intoto-npm/package.json'))
      for (const name of ['intoto', 'modern-tar', 'confbox'])
        symlinkSync(join(own, '../../node_modules', name), join(modules, name), 'junction')
      const script = `
        const { keyHint, signKeyless, verifyKeyless } = await import('intoto-npm')
        const trust = { trustedRoot: new Uint8Array(), identity: 'a', issuer: 'b' }
        const codes = [typeof keyHint]
        for (const run of [() => signKeyless({}, { identityToken: 'x' }), () => verifyKeyless(new Uint8Array(), trust)]) {
          try { await run() } catch (error) { codes.push(error.code, ...error.problem.fix) }
        }
        console.log(JSON.stringify(codes))`
      writeFileSync(join(root, 'bare.mjs'), script)
      const install = 'npm install --save-dev sigstore@4'
      expect(JSON.parse(execFileSync(process.execPath, ['bare.mjs'], { cwd: root, encoding: 'utf8' }))).toEqual([
        'function',
        'E_UNSUPPORTED',
        install,
        'E_UNSUPPORTED',
        install,
      ])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
