/**
 * Links on their way to DevGuard, against a server on loopback that checks what DevGuard checks of a request: its signature under a known token (RFC 9421),
 * the digest of the content, and the members of the body. And what its verification then makes of the links.
 */
import { createHash, createPublicKey, randomBytes, createECDH, verify as verifySignature } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createLink,
  devguardLayout,
  emptyRecord,
  encodeMetadata,
  judge,
  type JsonObject,
  keyidFor,
  linkFileName,
  memoryLinks,
  sign,
  type Signer,
} from 'intoto'
import { loadSigner } from 'intoto/node'
import { type EvidenceFile, openStore } from 'intoto-npm'
import { refusal } from './refusal.ts'

interface Body {
  step: string
  supplyChainId: string
  supplyChainOutputDigest: string | null
  payload: string
  filename: string
}

const asset = 'team/projects/web/assets/app'
const token = (() => {
  const curve = createECDH('prime256v1')
  curve.generateKeys()
  return curve.getPrivateKey('hex').padStart(64, '0')
})()
const commit = createHash('sha1').update('a commit').digest('hex')
const image = { sha256: createHash('sha256').update('{"manifest":true}').digest('hex') }
const received: Body[] = []
let server: Server
let url: string
let signer: Signer

/** The public halves of the tokens that the server knows, by fingerprint. */
const members = new Map<string, Buffer>()

function join(hex: string): void {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(hex, 'hex')
  const point = curve.getPublicKey()
  members.set(createHash('sha256').update(point.subarray(1).toString('hex')).digest('hex'), point)
}

/** As the server checks a request: who it is, that the content is what was signed, that the method is. */
function admitted(headers: NodeJS.Dict<string | string[]>, method: string, bytes: Buffer): boolean {
  const point = members.get(String(headers['x-fingerprint']))
  const digest = String(headers['content-digest'])
  const [, parameters = ''] = /^sig77=(.*)$/.exec(String(headers['signature-input'])) ?? []
  const [, signature = ''] = /^sig77=:(.*):$/.exec(String(headers['signature'])) ?? []
  if (point === undefined || digest !== `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`) return false
  if (!/^\("@method" "content-digest"\);created=\d+;alg="ecdsa-p256-sha256"$/.test(parameters)) return false
  const base = `"@method": ${method}\n"content-digest": ${digest}\n"@signature-params": ${parameters}`
  const member = (part: Buffer): string => part.toString('base64url')
  const key = createPublicKey({
    key: { kty: 'EC', crv: 'P-256', x: member(point.subarray(1, 33)), y: member(point.subarray(33)) },
    format: 'jwk',
  })
  return verifySignature('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64'))
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const bytes = Buffer.concat(chunks)
      const status =
        request.url !== `/api/v1/organizations/${asset}/in-toto` || request.method !== 'POST'
          ? 404
          : admitted(request.headers, 'POST', bytes)
            ? 200
            : 401
      if (status === 200) received.push(JSON.parse(bytes.toString('utf8')) as Body)
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `devguard+http://127.0.0.1:${(server.address() as AddressInfo).port}/${asset}`
  join(token)
  signer = await loadSigner('env:TOKEN', { env: { TOKEN: token } })
})

beforeEach(() => void received.splice(0))
afterAll(() => void server.close())

const artifacts = (contents: Record<string, string>) => {
  const found = emptyRecord<{ [algorithm: string]: string }>()
  for (const [name, content] of Object.entries(contents))
    found[name] = Object.assign(emptyRecord<string>(), { sha256: createHash('sha256').update(content).digest('hex') })
  return found
}

const source = { 'src/main.js': '1', 'package.json': '{}' }
const built = { 'dist/index.js': '2' }

/** The three links, named and signed as DevGuard's scanner does. */
async function links(o: { format?: 'dsse' | 'metablock'; built?: Record<string, string> } = {}): Promise<EvidenceFile[]> {
  const git = Object.assign(emptyRecord(), { git: Object.assign(emptyRecord(), { commit, dirty: false }) }) as JsonObject
  const steps = [
    createLink({
      name: 'deploy',
      materials: artifacts(o.built ?? built),
      products: artifacts({ 'image-digest.txt': `sha256:${image.sha256}` }),
    }),
    createLink({ name: 'post-commit', products: artifacts(source), byproducts: git }),
    createLink({ name: 'build', materials: artifacts(source), products: artifacts(built) }),
  ]
  const keyids = (): string[] => [keyidFor(signer.key, 'devguard')]
  return Promise.all(
    steps.map(async (link) => ({
      name: linkFileName(link.name, keyids()[0]!),
      bytes: encodeMetadata(await sign(link, [signer], { format: o.format ?? 'dsse', keyids })),
    })),
  )
}

const store = (credentials = { token }) => openStore(url, { credentials })

describe('DevGuard', () => {
  test('gets each link in a signed request, in the order of the steps, the digest of the image with the last', async () => {
    const files = await links()
    const { stored, skipped } = await store().push([...files, { name: 'root.layout', bytes: Buffer.from('{}') }], image)
    expect(skipped).toEqual([{ name: 'root.layout', reason: 'DevGuard takes links only' }])
    expect(stored.map(({ reference }) => reference)).toEqual(Array(3).fill(`${url}#${commit}`))
    expect(received.map(({ step, supplyChainId, supplyChainOutputDigest }) => [step, supplyChainId, supplyChainOutputDigest])).toEqual([
      ['post-commit', commit, null],
      ['build', commit, null],
      ['deploy', commit, `sha256:${image.sha256}`],
    ])
    for (const { filename, payload } of received)
      expect(Buffer.from(payload)).toEqual(Buffer.from(files.find(({ name }) => name === filename)!.bytes))
  })

  test('can say yes to them: its own layout, as the preset writes it, accepts what was uploaded and refuses what was swapped', async () => {
    const verdict = async (files: readonly EvidenceFile[]): Promise<string[]> => {
      received.splice(0)
      await store().push(files, image)
      const owner = await loadSigner('env:OWNER', { env: { OWNER: randomBytes(31).toString('hex').padStart(64, '0') } })
      const signed = await sign(devguardLayout({ functionaries: { dev: signer.key }, expires: '2099-01-01T00:00:00Z' }), [owner])
      const report = await judge(signed, {
        keys: [owner.key],
        links: memoryLinks(Object.fromEntries(received.map(({ filename, payload }) => [filename, Buffer.from(payload)]))),
        inspect: async () => createLink({ name: 'verify-digest', products: artifacts({ 'image-digest.txt': `sha256:${image.sha256}` }) }),
      })
      return report.problems.filter(({ severity }) => severity === 'error').map(({ code, file }) => `${code} ${file ?? ''}`)
    }
    expect(await verdict(await links())).toEqual([])
    expect(await verdict(await links({ built: { 'dist/index.js': 'evil' } }))).toEqual(['E_TAMPER dist/index.js'])
  })

  test('refuses strangers, and takes nothing that it could not judge', async () => {
    const stranger = createECDH('prime256v1')
    stranger.generateKeys()
    const other = { token: stranger.getPrivateKey('hex').padStart(64, '0') }
    expect(await refusal(async () => store(other).push(await links(), image))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining('status 401'),
    })
    expect(await refusal(async () => store().push(await links({ format: 'metablock' }), image))).toMatchObject({ code: 'E_UNSUPPORTED' })
    const unknown = (await links()).filter(({ name }) => !name.startsWith('post-commit'))
    expect(await refusal(async () => store().push(unknown, image))).toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('commit'),
    })
    expect(await refusal(async () => store().pull(image))).toMatchObject({ code: 'E_UNSUPPORTED' })
    const wrong = { token: 'not-a-token' }
    const refused = await refusal(async () => store(wrong).push(await links(), image))
    expect(refused).toMatchObject({ code: 'E_KEY' })
    expect(JSON.stringify(refused)).not.toContain('not-a-token')
    expect(received).toEqual([])
  })

  test('has an address with an asset in it, over TLS', () => {
    for (const bad of [
      'devguard+https://devguard.example',
      'devguard+http://devguard.example/a',
      'devguard+https://me:pw@devguard.example/a',
    ])
      expect(() => openStore(bad)).toThrow(expect.objectContaining({ code: 'E_CONFIG' }))
  })
})
