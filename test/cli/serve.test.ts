/** `intoto serve` as its users run it: over TLS on loopback, with reviews as Kubernetes sends them, and with everything that a network can bring. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { Agent, request as tlsRequest } from 'node:https'
import { connect as connectPlainly, type Socket } from 'node:net'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { object, podSpec, review } from '../npm/admission.ts'
import { selfSigned } from '../npm/certificate.ts'
import { closeServer, listen, startRegistry, tarball } from '../npm/registry.ts'
import { complaints, endOf, mustRun, start, temporaryFolder, type Ended } from './command.ts'

const manifest = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: [] })
const digest = createHash('sha256').update(manifest).digest('hex')
const good = `registry.example/app@sha256:${digest}`
const bad = `registry.example/app@sha256:${'0'.repeat(64)}`
const build = `const fs = require('node:fs')
fs.mkdirSync('image/blobs/sha256', { recursive: true })
fs.writeFileSync('image/blobs/sha256/${digest}', ${JSON.stringify(manifest)})
fs.writeFileSync('image/index.json', '{}')
`

const folder = temporaryFolder()
const root = join(folder, 'app')
const tls = selfSigned()
const pair = ['--tls-cert', join(folder, 'tls.crt'), '--tls-key', join(folder, 'tls.key')]
const trust = ['-k', 'in-toto/owner.pub', ...pair]
const agent = new Agent({ ca: tls.cert, keepAlive: true, maxSockets: 200 })
afterAll(() => agent.destroy())

let server: Server

beforeAll(async () => {
  mkdirSync(join(root, 'in-toto'), { recursive: true })
  writeFileSync(join(folder, 'tls.crt'), tls.cert)
  writeFileSync(join(folder, 'tls.key'), tls.key)
  writeFileSync(join(root, 'build.cjs'), build)
  for (const name of ['owner', 'ci']) mustRun(['keygen', '-o', join('..', name)], { cwd: root })
  cpSync(join(folder, 'owner.pub'), join(root, 'in-toto/owner.pub'))
  const step = ['-n', 'image', '--signing-key', '../ci', '-d', 'in-toto', '-m', 'build.cjs', '-p', 'image']
  mustRun(['run', ...step, '--', process.execPath, 'build.cjs'], { cwd: root })
  mustRun(['layout', 'learn', '--functionary', '../ci.pub', '--sign-with', '../owner'], { cwd: root })
  server = await serve([...trust, '--limit', 'timeout=100000'])
})
afterAll(async () => {
  await server.stop('SIGTERM')
})

/** A server that runs. */
interface Server {
  readonly port: number
  /** What it has said so far. */
  readonly log: () => string
  readonly stop: (signal: NodeJS.Signals) => Promise<Ended>
}

/** Starts one on a free port, and waits until it says its address. */
async function serve(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const child = start(['serve', ...words, '--port', '0'], { cwd: root, env })
  let [out, err] = ['', '']
  child.stdout?.on('data', (piece: Buffer) => (out += piece.toString()))
  child.stderr?.on('data', (piece: Buffer) => (err += piece.toString()))
  const ended = endOf(child)
  while (!out.includes('\n') && child.exitCode === null) await sleep(20)
  const [, port] = /^https?:\/\/[^/]+:(\d+)\/\n$/.exec(out) ?? []
  expect(port, err).toBeDefined()
  const stop = async (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal)
    const end = await ended
    expect(end.err).not.toMatch(/\n\s+at |PRIVATE KEY/)
    for (const line of tls.key.split('\n').slice(1, -2)) expect(end.out + end.err).not.toContain(line)
    return end
  }
  return { port: Number(port), log: () => err, stop }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: any
}

/** Sends a request over TLS; a body that is no text is sent as JSON. */
function send(body: unknown, o: { method?: string; path?: string; headers?: object; port?: number } = {}): Promise<Answer> {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  const { method = 'POST', path = '/validate?timeout=10s', port = server.port } = o
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...o.headers }
    const outgoing = tlsRequest({ host: '127.0.0.1', port, agent, method, path, headers }, (incoming) => {
      const { statusCode: status = 0, headers: got } = incoming
      textOf(incoming).then((words) => resolve({ status, headers: got, body: words === '' ? undefined : JSON.parse(words) }), reject)
    })
    outgoing.on('error', reject).end(body === undefined ? undefined : text)
  })
}

const deployment = (image: string, uid = 'uid'): object => review(object('Deployment', podSpec(image)), { uid })

describe('answers', () => {
  test('reviews: the good image yes, another no with the reason, one line of log for each', async () => {
    expect((await send(deployment(good, 'one'))).body).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'one', allowed: true },
    })
    const refused = await send(deployment(bad, 'two'))
    expect([refused.status, refused.body.response.uid, refused.body.response.allowed]).toEqual([200, 'two', false])
    expect(refused.body.response.status.message).toMatch(/^not verified by in-toto\nE_PRODUCT registry\.example\/app@sha256:0{64}: /)
    const decisions = (): string[] =>
      server
        .log()
        .split('\n')
        .filter((line) => /^\[in-toto\] (?:allowed|refused)/.test(line))
    await expect.poll(() => decisions().length).toBe(2)
    expect(decisions()).toEqual([
      expect.stringMatching(/^\[in-toto\] allowed {2}CREATE Deployment shop\/web {2}registry\.example\/app@sha256:[0-9a-f]{64} {2}\d+ ms$/),
      expect.stringMatching(/^\[in-toto\] refused {2}CREATE Deployment shop\/web {2}registry\.example\S+ {2}E_PRODUCT .* {2}\d+ ms$/),
    ])
  })

  test('plain questions, with the Report', async () => {
    const yes = await send({ image: good })
    expect([yes.status, yes.body.allowed, yes.body.report.ok, yes.body.report.layout.signers[0].name]).toEqual([200, true, true, 'owner'])
    const no = await send({ image: 'registry.example/app:latest' })
    expect([no.status, no.body.allowed, no.body.reasons[0]]).toEqual([403, false, expect.stringContaining('@sha256:…')])
  })

  test('health, and nothing else to GET', async () => {
    expect(await send(undefined, { method: 'GET', path: '/healthz' })).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await send(undefined, { method: 'HEAD', path: '/healthz?x' })).toMatchObject({ status: 200, body: undefined })
    expect((await send(undefined, { method: 'GET', path: '/' })).status).toBe(405)
    expect((await send(undefined, { method: 'TRACE', path: '/' })).body).toMatchObject({ allowed: false })
  })

  test('a link that is changed, and one that comes back, count for the next request', async () => {
    const [name = ''] = readdirSync(join(root, 'in-toto')).filter((file) => file.endsWith('.link'))
    const link = join(root, 'in-toto', name)
    renameSync(link, join(folder, 'kept'))
    const missing = await send(deployment(good))
    expect(missing.body.response.status.message).toContain('E_MISSING_STEP')
    const tampered = JSON.parse(readFileSync(join(folder, 'kept'), 'utf8')) as { payload: string }
    const payload = Buffer.from(tampered.payload, 'base64').toString().replace(digest, '0'.repeat(64))
    writeFileSync(link, JSON.stringify({ ...tampered, payload: Buffer.from(payload).toString('base64') }))
    for (const image of [good, bad]) expect((await send(deployment(image))).body.response.status.message).toContain('E_SIGNATURE')
    renameSync(join(folder, 'kept'), link)
    expect((await send(deployment(good))).body.response.allowed).toBe(true)
  })

  test('a layout for each pattern, and evidence from a store by digest', async () => {
    mustRun(['evidence', 'push', `image/blobs/sha256/${digest}`, '--store', `dir:${join(folder, 'store')}`, '-d', 'in-toto'], { cwd: root })
    cpSync(join(root, 'in-toto/root.layout'), join(folder, 'team.layout'))
    const layouts = ['-l', `registry.example/app=${join(folder, 'team.layout')}`, '-k', 'in-toto/owner.pub', '--image-step', 'image']
    const other = await serve([...layouts, ...pair, '--store', `dir:${join(folder, 'store')}`])
    expect((await send(deployment(good), other)).body.response.allowed).toBe(true)
    const elsewhere = await send(deployment(good.replace('/app', '/other')), other)
    expect(elsewhere.body.response.status.message).toContain('no layout promises anything about registry.example/other')
    rmSync(join(folder, 'team.layout'))
    expect((await send(deployment(good), other)).body.response.status.message).toContain('E_IO')
    expect(await other.stop('SIGINT')).toMatchObject({ code: 130 })
  })
})

test('packages, as the registry serves them', async () => {
  const registry = await startRegistry()
  const place = join(folder, 'package')
  mkdirSync(join(place, 'in-toto'), { recursive: true })
  writeFileSync(join(place, 'deep-1.0.1.tgz'), await tarball({ name: 'deep', version: '1.0.1' }))
  mustRun(['run', '-n', 'package', '--signing-key', '../ci', '-d', 'in-toto', '-p', 'deep-1.0.1.tgz', '--', process.execPath, '-v'], {
    cwd: place,
  })
  mustRun(['layout', 'learn', '--functionary', '../ci.pub', '--sign-with', '../owner'], { cwd: place })
  const words = ['-l', 'npm:*=../package/in-toto/root.layout', '-d', '../package/in-toto', '--registry', `${registry.url}/`]
  const other = await serve([...trust, ...words])
  const yes = await send({ package: 'deep@1.0.1' }, other)
  expect([yes.status, yes.body.allowed, yes.body.report?.product.path], JSON.stringify(yes.body.reasons)).toEqual([
    200,
    true,
    'deep-1.0.1.tgz',
  ])
  const integrity = `sha512-${Buffer.from(registry.sha512('deep@1.0.1'), 'hex').toString('base64')}`
  expect((await send({ package: 'npm:deep@1.0.1', integrity }, other)).status).toBe(200)
  for (const question of ['deep@2.0.0', 'deep@latest', '@acme/scoped@1.2.0', 'none@1.0.0']) {
    const no = await send({ package: question }, other)
    expect([no.status, no.body.allowed, /^E_(?:PRODUCT|IO) /.test(no.body.reasons[0])], question).toEqual([403, false, true])
  }
  expect((await send({ image: good }, other)).body.reasons[0]).toContain('no layout promises anything')
  await other.stop('SIGTERM')
  await registry.close()
})

describe('a network', () => {
  /** Connections that send nothing, or half of something; they are there while all else happens. */
  const slow: { socket: Socket; answer: Promise<string> }[] = []

  const hear = (socket: Socket, bytes: string): { socket: Socket; answer: Promise<string> } => {
    let text = ''
    socket.on('data', (piece: Buffer) => (text += piece.toString()))
    socket.on('error', () => {})
    if (bytes !== '') socket.write(bytes)
    return { socket, answer: once(socket, 'close').then(() => text) }
  }
  const raw = (bytes: string, port = server.port): ReturnType<typeof hear> =>
    hear(connect({ host: '127.0.0.1', port, ca: tls.cert }), bytes)
  const plainly = (bytes: string): ReturnType<typeof hear> => hear(connectPlainly(server.port, '127.0.0.1'), bytes)

  const head = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  beforeAll(() => {
    for (const half of ['', 'POST / HT', head]) for (let i = 0; i < 10; i++) slow.push(raw(half))
    for (let i = 0; i < 10; i++) slow.push(plainly(''))
    for (let i = 0; i < 10; i++) slow.push(raw(`${head}content-length: 100\r\n\r\n{`))
  })

  test('200 requests at once, beside 50 that never come to their end', async () => {
    const wanted = Array.from({ length: 200 }, (_, i) => ({ uid: `uid-${i}`, image: i % 2 === 0 ? good : bad }))
    const answers = await Promise.all(wanted.map(({ uid, image }) => send(deployment(image, uid), { path: '/' })))
    expect(answers.map(({ body }) => [body.response?.uid, body.response?.allowed])).toEqual(
      wanted.map(({ uid, image }) => [uid, image === good]),
    )
  })

  test.each<[what: string, body: string | Uint8Array, o: object, status: number]>([
    ['too large, and says so', Buffer.alloc(5_000_000, 0x20), { headers: { 'content-length': '5000000' } }, 413],
    ['too large, in chunks', Buffer.alloc(5_000_000, 0x20), { headers: { 'transfer-encoding': 'chunked' } }, 413],
    ['no JSON', '{', {}, 400],
    ['a member that stands twice', '{"image":"a","image":"b"}', {}, 400],
    ['no UTF-8', Buffer.from('{"image":"\xff"}', 'latin1'), {}, 400],
    ['another type, of which nothing is read', Buffer.alloc(3_000_000, 0x20), { headers: { 'content-type': 'text/plain' } }, 415],
    ['another type', '{}', { headers: { 'content-type': 'text/plain' } }, 415],
    ['a path that is none', JSON.stringify({ image: bad }), { path: '//' }, 400],
  ])('%s', async (_, body, o, status) => {
    const answered = await send(body, o)
    expect([answered.status, answered.body.allowed]).toEqual([status, false])
    expect(answered.body.reasons[0]).toMatch(/^E_/)
  })

  test('what is no HTTP is answered in JSON, and the server goes on', async () => {
    for (const [bytes, status] of [
      ['hello\r\n\r\n', 400],
      [`POST / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
      [`${head}content-length: 3\r\ncontent-length: 4\r\n\r\n{}`, 400],
      [`${head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{}`, 400],
    ] as const) {
      const { answer } = raw(bytes)
      const text = await answer
      expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as object).toMatchObject({ allowed: false })
    }
    await plainly('GET / HTTP/1.0\r\n\r\n').answer // no TLS at all
    const gone = raw(`${head}content-length: 100\r\n\r\n{`)
    await once(gone.socket, 'secureConnect')
    gone.socket.destroy()
    expect((await send(deployment(good))).body.response.allowed).toBe(true)
  })

  test('a body that does not come to its end is answered in time', async () => {
    const other = await serve([...trust, '--limit', 'timeout=1000'])
    const half = raw(`${head}content-length: 100\r\n\r\n{`, other.port)
    const text = await half.answer
    expect(text).toMatch(/^HTTP\/1\.1 408 /)
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as object).toMatchObject({ allowed: false })
    expect(await other.stop('SIGTERM')).toMatchObject({ code: 0 })
  })

  test('clients that never come to their end lose their connection', async () => {
    const answers = await Promise.all(slow.slice(0, 30).map(({ answer }) => answer))
    for (const text of answers.slice(20, 30)) expect(text).toMatch(/^HTTP\/1\.1 408 /)
    for (const { socket } of slow) socket.destroy()
    expect((await send(deployment(good))).body.response.allowed).toBe(true)
  })
})

describe('the end', () => {
  test('what is being answered is answered, nothing new is taken, exit code 0', async () => {
    let ask = (): void => {}
    const asked = new Promise<void>((resolve) => (ask = resolve))
    const archivista = createServer((_, response) => {
      ask()
      setTimeout(() => response.writeHead(500).end(), 1_000)
    })
    const address = await listen(archivista)
    const other = await serve([...trust, '--store', `archivista+${address}`])
    const answer = send(deployment(good), other)
    await asked
    const end = other.stop('SIGTERM')
    await sleep(300)
    await expect(send({ image: good }, { ...other, headers: { connection: 'close' } })).rejects.toThrow(
      /ECONNREFUSED|socket hang up|ECONNRESET/,
    )
    const { body, headers } = await answer
    expect([body.response.allowed, headers.connection]).toEqual([false, 'close'])
    expect(body.response.status.message).toContain('E_IO')
    expect(await end).toMatchObject({ code: 0 })
    await closeServer(archivista)
  })
})

describe('mistakes end the command before it listens', () => {
  /** Runs it to its end, which one that listens all the same would never come to. */
  async function mistaken(words: readonly string[]): Promise<Ended> {
    const child = start(['serve', ...words], { cwd: root })
    child.stdout?.once('data', () => child.kill('SIGKILL'))
    return endOf(child)
  }

  test.each<[what: string, words: string[], code: number, said: string]>([
    ['no key', [], 2, 'no key was given'],
    ['plain HTTP for others', ['-k', 'in-toto/owner.pub', '--host', '0.0.0.0'], 2, '--without-tls'],
    ['half of a pair', ['-k', 'in-toto/owner.pub', '--tls-cert', '../tls.crt'], 2, 'belong together'],
    [
      'a key that is none',
      ['-k', 'in-toto/owner.pub', '--tls-cert', '../tls.crt', '--tls-key', '../tls.crt'],
      2,
      'no certificate and its key',
    ],
    [
      'a key of another certificate',
      ['-k', 'in-toto/owner.pub', '--tls-cert', '../tls.crt', '--tls-key', '../ci'],
      2,
      'no certificate and its key',
    ],
    ['no such file', ['-k', 'in-toto/owner.pub', '--tls-cert', '../none', '--tls-key', '../tls.key'], 2, 'does not exist'],
    ['a port that is none', [...trust, '--port', '65536'], 2, '--port'],
    ['an address that is none of ours', [...trust, '--host', '192.0.2.1'], 2, 'cannot listen'],
    ['no layout', [...trust, '-l', 'none.layout'], 2, 'none.layout'],
    ['a layout that is none', [...trust, '-l', 'build.cjs'], 1, 'build.cjs'],
    ['a layout that never decides', [...trust, '-l', 'in-toto/root.layout', 'x=in-toto/root.layout'], 2, 'never decide'],
    ['a step that is none', [...trust, '--image-step', 'imaeg'], 2, '--image-step image'],
    ['a limit that is none', [...trust, '--limit', 'bodyBites=3'], 2, 'bodyBytes'],
    ['a limit of nothing', [...trust, '--limit', 'timeout=0'], 2, 'timeout'],
    ['a store that is none', [...trust, '--store', 's3://x'], 2, 'is not the address of a store'],
  ])('%s', async (_, words, code, said) => {
    const ended = await mistaken(['--port', '0', ...words])
    expect([ended.code, ended.out]).toEqual([code, ''])
    expect(ended.err).toContain(said)
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
  })

  test('a port that is taken', async () => {
    const ended = await mistaken([...trust, '--port', String(server.port)])
    expect([ended.code, ended.err]).toEqual([2, expect.stringContaining('something else listens there')])
  })

  test('plain HTTP is served on loopback, and elsewhere only aloud', async () => {
    const other = await serve([
      '-k',
      'in-toto/owner.pub',
      '--host',
      '0.0.0.0',
      '--without-tls',
      '--statements',
      '--command-mismatch',
      'warn',
    ])
    for (const flag of ['--statements', '--command-mismatch warn']) expect(other.log()).toContain(`[in-toto] ${flag}: `)
    expect(other.log()).toContain('--without-tls: plain HTTP on 0.0.0.0')
    const response = await fetch(`http://127.0.0.1:${other.port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ image: good }),
    })
    expect(await response.json()).toMatchObject({ allowed: true })
    await other.stop('SIGTERM')
  })
})
