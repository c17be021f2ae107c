/**
 * An HTTP or HTTPS server around a function from request to response. `serve.ts` starts it. It gives every client a bounded time and answers what it can't
 * understand in the same JSON as the function; it decides nothing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { InTotoError, type ProblemCode } from 'intoto'
import { escape } from '../terminal.ts'

/** What the server is to be like. */
export interface ServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** PEM texts; plain HTTP without. */
  readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array }
  /** Never rejects. */
  readonly handle: (request: Request) => Promise<Response>
}

/** A server that listens. */
export interface Listening {
  /** `https://127.0.0.1:8443/` */
  readonly url: string
  /** Takes no new requests, answers those that are there, and is through when all are answered or the time is up. */
  end(): Promise<void>
}

/** Milliseconds: for the head of a request, and for all of it; Kubernetes keeps a connection for 90 seconds, we for longer. */
const patience = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 120_000, connectionsCheckingInterval: 1_000 }
/** Of TLS: many may come at once. */
const handshakeTimeout = 30_000
/** More connections at once are closed unread. */
const mostConnections = 4_096
/** How long a body is still taken off the wire that nobody wants any more, so that its sender reads the answer. */
const lingering = 2_000
/** How long those that are being answered may take at the end. */
const grace = 10_000

/**
 * Starts a server.
 * @throws InTotoError E_KEY: certificate and key are none, or none of each other; E_IO: it can't listen there
 */
export async function startServer(o: ServerOptions): Promise<Listening> {
  let isEnding = false
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    answer({ incoming, outgoing, isEnding: () => isEnding, handle: o.handle }).catch(() => outgoing.destroy())
  }
  const server = o.tls === undefined ? createServer(patience, listener) : tlsServer(o.tls, listener)
  server.maxConnections = mostConnections
  server.on('clientError', refuseClient)
  await listen(server, o)
  const { address, family, port } = server.address() as AddressInfo
  const url = `${o.tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${port}/`
  const end = (): Promise<void> =>
    new Promise((done) => {
      isEnding = true
      const timer = setTimeout(() => server.closeAllConnections(), grace)
      server.close(() => {
        clearTimeout(timer)
        done()
      })
      server.closeIdleConnections()
    })
  return { url, end }
}

function tlsServer(
  tls: NonNullable<ServerOptions['tls']>,
  listener: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Server {
  const [cert, key] = [Buffer.from(tls.cert), Buffer.from(tls.key)]
  try {
    // OpenSSL itself is content with a key of another kind, and then no handshake ever succeeds
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('of different pairs')
    return createTlsServer({ ...patience, cert, key, minVersion: 'TLSv1.2', handshakeTimeout }, listener)
  } catch (cause) {
    const message = '--tls-cert and --tls-key hold no certificate and its key in PEM'
    throw new InTotoError({ code: 'E_KEY', message, fix: 'give the files that belong together, the key without password' }, { cause })
  }
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'something else listens there' : (cause.code ?? 'an error')
      const message = `cannot listen on ${escape(host)}, port ${port}: ${reason}`
      reject(new InTotoError({ code: 'E_IO', message, fix: 'choose --host and --port' }, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly isEnding: () => boolean
  readonly handle: ServerOptions['handle']
}

async function answer({ incoming, outgoing, isEnding, handle }: Exchange): Promise<void> {
  // a client that goes away takes nothing along
  for (const stream of [incoming, outgoing]) stream.on('error', () => {})
  const response = isHealth(incoming) ? health(isEnding()) : await handled(incoming, handle)
  const body = Buffer.from(await response.arrayBuffer())
  outgoing.on('finish', () => linger(incoming))
  if (isEnding()) outgoing.shouldKeepAlive = false
  outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), 'content-length': body.length })
  outgoing.end(incoming.method === 'HEAD' ? undefined : body)
}

function isHealth({ method, url }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && /^\/healthz(?:\?|$)/.test(url ?? '')
}

function health(isEnding: boolean): Response {
  return Response.json({ status: isEnding ? 'ending' : 'ok' }, { status: isEnding ? 503 : 200, headers: { 'cache-control': 'no-store' } })
}

async function handled(incoming: IncomingMessage, handle: ServerOptions['handle']): Promise<Response> {
  let request: Request
  try {
    request = requestOf(incoming)
  } catch {
    return refusal(400, 'the request line or a header is none')
  }
  return handle(request)
}

/** As far as the admission looks at a request. */
function requestOf(incoming: IncomingMessage): Request {
  const { method = 'GET', url = '/', headers } = incoming
  const passed = new Headers()
  for (const name of ['content-type', 'content-length'] as const) {
    const value = headers[name]
    if (value !== undefined) passed.set(name, value)
  }
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(incoming)
  return new Request(new URL(url, 'http://admission.invalid'), { method, headers: passed, body, duplex: 'half' })
}

/** Piece by piece, as they are asked for. Whoever stops asking leaves the connection open, so that there can be an answer. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let isOpen = true
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const close = (end: () => void) => (): void => {
          if (isOpen) end()
          isOpen = false
        }
        incoming.on('data', (piece: Buffer) => {
          if (!isOpen) return
          controller.enqueue(new Uint8Array(piece))
          incoming.pause()
        })
        incoming.on(
          'end',
          close(() => controller.close()),
        )
        incoming.on(
          'close',
          close(() => controller.error(new Error('the client went away'))),
        )
        incoming.pause()
      },
      pull: () => void incoming.resume(),
      cancel() {
        isOpen = false
      },
    },
    { highWaterMark: 1 },
  )
}

/** Lets a client that still sends come to its end, for a while. */
function linger(incoming: IncomingMessage): void {
  if (incoming.complete) return
  incoming.removeAllListeners('data')
  const timer = setTimeout(() => incoming.destroy(), lingering)
  incoming.on('close', () => clearTimeout(timer))
  incoming.on('end', () => clearTimeout(timer))
  incoming.resume()
}

/** What is no HTTP, or comes too slowly, has no request to be answered by; Node hands over the socket. */
function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const [status, message, code] = clientFaults[error.code ?? ''] ?? [400, 'the request is no HTTP', 'E_FORMAT']
  const text = refusalText(message, code)
  const head = `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n`
  socket.end(head + text)
  socket.setTimeout(lingering, () => socket.destroy())
}

const clientFaults: Readonly<Record<string, readonly [status: number, message: string, code: ProblemCode]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the headers are too large', 'E_FORMAT'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come to its end in time', 'E_IO'],
}

function refusal(status: number, message: string): Response {
  return new Response(refusalText(message, 'E_FORMAT'), { status, headers: { 'content-type': 'application/json' } })
}

/** In the form in which the admission answers what it can't read. */
function refusalText(message: string, code: ProblemCode): string {
  const problem = { code, severity: 'error', message, fix: [] }
  return `${JSON.stringify({ schemaVersion: 1, allowed: false, reasons: [`${code} ${message}`], warnings: [], problems: [problem] })}\n`
}
