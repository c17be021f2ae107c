/**
 * An OCI registry in memory, on loopback, after the distribution specification 1.1, as strict as a real one: digests are checked, manifests need their
 * blobs, uploads need their session. What real registries differ in is switched: the referrers API, authentication, pages.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { answering, closeServer, listen } from './registry.ts'

/** What the registry is to be like, and what it has; tests change both. */
export interface FakeRegistry {
  /** `127.0.0.1:PORT` */
  host: string
  referrersApi: boolean
  auth: 'none' | 'basic' | 'token'
  /** Entries on one page of the referrers list. */
  page: number
  blobs: Map<string, Buffer>
  manifests: Map<string, { bytes: Buffer; type: string }>
  tags: Map<string, string>
  /** `METHOD path status` */
  log: string[]
  /** Called before an answer; true when it has answered itself. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
  close: () => Promise<void>
}

/** Credentials that it takes. */
export const account = { username: 'alice', password: 'canary-password' }

const index = 'application/vnd.oci.image.index.v1+json'
const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Starts a registry with one repository, `team/app`. */
export async function startOci(): Promise<FakeRegistry> {
  const fake: FakeRegistry = {
    host: '',
    referrersApi: true,
    auth: 'none',
    page: 100,
    blobs: new Map(),
    manifests: new Map(),
    tags: new Map(),
    log: [],
    close: () => closeServer(server),
  }
  const uploads = new Set<string>()
  const server: Server = createServer(
    answering((request, response, body) => {
      response.on('finish', () => fake.log.push(`${request.method} ${request.url} ${response.statusCode}`))
      if (fake.intercept?.(request, response) === true) return
      const url = new URL(request.url ?? '/', `http://${fake.host}`)
      if (url.pathname === '/token') return sendToken(request, response, url)
      if (!isAllowed(fake, request)) return challenge(fake, response)
      const [, kind = '', rest = ''] = /^\/v2\/team\/app\/(blobs|manifests|referrers)\/(.+)$/.exec(url.pathname) ?? []
      if (kind === 'blobs') blobs(fake, uploads, { request, response, url, rest, body })
      else if (kind === 'manifests') manifests(fake, { request, response, rest, body })
      else if (kind === 'referrers' && fake.referrersApi) referrers(fake, response, { digest: rest, url })
      else send(response, 404)
    }),
  )
  fake.host = (await listen(server)).replace('http://', '')
  return fake
}

function send(response: ServerResponse, status: number, headers: Record<string, string> = {}, body: string | Uint8Array = ''): void {
  response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers })
  response.end(body)
}

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  rest: string
  body: Buffer
}

function blobs(fake: FakeRegistry, uploads: Set<string>, { request, response, url, rest, body }: Exchange & { url: URL }): void {
  if (rest === 'uploads/' && request.method === 'POST') {
    const session = randomUUID()
    uploads.add(session)
    // with a parameter of its own, as registries do that keep state in the address
    return send(response, 202, { location: `/v2/team/app/blobs/uploads/${session}?state=abc` })
  }
  if (rest.startsWith('uploads/')) {
    const digest = url.searchParams.get('digest') ?? ''
    const known = uploads.delete(rest.slice('uploads/'.length))
    if (request.method !== 'PUT' || !known || url.searchParams.get('state') !== 'abc' || digestOf(body) !== digest)
      return send(response, 400)
    fake.blobs.set(digest, body)
    return send(response, 201, { location: `/v2/team/app/blobs/${digest}` })
  }
  const blob = fake.blobs.get(rest)
  if (blob === undefined) return send(response, 404)
  response.writeHead(200, { 'content-length': String(blob.length), 'content-type': 'application/octet-stream' })
  response.end(request.method === 'HEAD' ? undefined : blob)
}

function manifests(fake: FakeRegistry, { request, response, rest, body }: Exchange): void {
  if (request.method !== 'PUT') {
    const found = fake.manifests.get(fake.tags.get(rest) ?? rest)
    if (found === undefined) return send(response, 404)
    if (request.headers.accept?.includes(found.type) !== true) return send(response, 404)
    response.writeHead(200, { 'content-length': String(found.bytes.length), 'content-type': found.type })
    return void response.end(request.method === 'HEAD' ? undefined : found.bytes)
  }
  const digest = digestOf(body)
  const manifest = JSON.parse(body.toString()) as {
    mediaType: string
    config?: { digest: string }
    layers?: { digest: string; size: number }[]
    manifests?: { digest: string }[]
    subject?: { digest: string }
  }
  const type = request.headers['content-type'] ?? ''
  if (rest.includes(':') && rest !== digest) return send(response, 400)
  if (manifest.mediaType !== type) return send(response, 400)
  const needed = [...(manifest.config === undefined ? [] : [manifest.config]), ...(manifest.layers ?? [])]
  if (needed.some((each) => !fake.blobs.has(each.digest))) return send(response, 400)
  if ((manifest.layers ?? []).some((each) => fake.blobs.get(each.digest)?.length !== each.size)) return send(response, 400)
  if ((manifest.manifests ?? []).some((each) => !fake.manifests.has(each.digest))) return send(response, 400)
  fake.manifests.set(digest, { bytes: body, type })
  if (!rest.includes(':')) fake.tags.set(rest, digest)
  send(response, 201, {
    location: `/v2/team/app/manifests/${digest}`,
    ...(fake.referrersApi && manifest.subject !== undefined ? { 'oci-subject': manifest.subject.digest } : {}),
  })
}

function referrers(fake: FakeRegistry, response: ServerResponse, { digest, url }: { digest: string; url: URL }): void {
  const all = [...fake.manifests].flatMap(([own, { bytes, type }]) => {
    const manifest = JSON.parse(bytes.toString()) as { subject?: { digest: string }; artifactType?: string; annotations?: object }
    return manifest.subject?.digest === digest
      ? [{ mediaType: type, digest: own, size: bytes.length, artifactType: manifest.artifactType, annotations: manifest.annotations }]
      : []
  })
  const from = Number(url.searchParams.get('from') ?? 0)
  const more = from + fake.page < all.length
  const headers = {
    'content-type': index,
    ...(more ? { link: `</v2/team/app/referrers/${digest}?from=${from + fake.page}>; rel="next"` } : {}),
  }
  send(response, 200, headers, JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: all.slice(from, from + fake.page) }))
}

const basic = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`

function isAllowed(fake: FakeRegistry, request: IncomingMessage): boolean {
  if (fake.auth === 'none') return true
  if (fake.auth === 'basic') return request.headers.authorization === basic
  const write = request.method === 'POST' || request.method === 'PUT'
  const allowed = ['Bearer token-pull,push', 'Bearer fixed-token', ...(write ? [] : ['Bearer token-pull'])]
  return allowed.map((each) => each.replace(',', '.')).includes(request.headers.authorization ?? '')
}

function challenge(fake: FakeRegistry, response: ServerResponse): void {
  const bearer = `Bearer realm="http://${fake.host}/token",service="fake registry",scope="repository:team/app:pull"`
  send(response, 401, { 'www-authenticate': fake.auth === 'basic' ? 'Basic realm="fake"' : bearer }, '{"errors":[{"code":"UNAUTHORIZED"}]}')
}

/** Anybody may pull, the account may push. */
function sendToken(request: IncomingMessage, response: ServerResponse, url: URL): void {
  const [, access = ''] = /^repository:team\/app:(pull|pull,push)$/.exec(url.searchParams.get('scope') ?? '') ?? []
  if (url.searchParams.get('service') !== 'fake registry' || access === '') return send(response, 400)
  if (access !== 'pull' && request.headers.authorization !== basic) return send(response, 401)
  send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ token: `token-${access.replace(',', '.')}` }))
}
