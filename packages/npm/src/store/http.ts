/**
 * Requests to stores: over TLS unless the host is this machine, bounded in time and size, redirects followed by hand and without credentials to
 * other origins. All stores go through here; no message quotes what a server sent.
 */
import { InTotoError } from 'intoto'
import { until } from './deadline.ts'

/** How requests are made. */
export interface HttpOptions {
  /** Milliseconds for a request and its whole answer. */
  timeout: number
  fetch: typeof fetch
  /** Ends requests for which nobody waits any more. */
  signal?: AbortSignal
}

/** One request. */
export interface Call {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  url: URL
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array
  /** Most bytes of an answer that are read. */
  limit: number
}

/** An answer, read whole. */
export interface Answer {
  status: number
  headers: Headers
  bytes: Uint8Array
  /** Where it came from in the end. */
  url: URL
}

const redirects = new Set([301, 302, 303, 307, 308])

/** Is this host the machine itself? */
export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(url.hostname)
}

/**
 * Refuses addresses that evidence and credentials must not travel to: anything but TLS, except on this machine, and addresses with a password in them.
 * @throws InTotoError E_CONFIG
 */
export function checkAddress(url: URL): void {
  if (url.username !== '' || url.password !== '') {
    throw new InTotoError({
      code: 'E_CONFIG',
      message: `the address of ${url.host} holds credentials`,
      fix: 'give them apart from the address, where they are not printed',
    })
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `${url.protocol}//${url.host} is not reached over TLS`,
    fix: 'use https; plain http is for this machine only',
  })
}

/**
 * Does a request; up to five redirects for GET and HEAD. Any status is an answer.
 * @throws InTotoError E_IO: no answer, a late one, one beyond the limit, or a redirect that leads astray
 */
export function request(call: Call, o: HttpOptions): Promise<Answer> {
  const late = (): Error => new DOMException('late', 'TimeoutError')
  return until({ milliseconds: o.timeout, late, signal: o.signal }, (signal) => follow(call, { ...o, signal }))
}

async function follow(call: Call, o: HttpOptions): Promise<Answer> {
  let { url, headers } = call
  for (let hop = 0; ; hop++) {
    const response = await attempt(url, () =>
      o.fetch(url, { method: call.method, headers: { ...headers }, body: bodyOf(call), redirect: 'manual', signal: o.signal ?? null }),
    )
    const location = response.headers.get('location')
    if (!redirects.has(response.status) || location === null || (call.method !== 'GET' && call.method !== 'HEAD')) {
      return {
        status: response.status,
        headers: response.headers,
        bytes: await attempt(url, () => readBody(response, call.limit, url)),
        url,
      }
    }
    await response.body?.cancel()
    if (hop >= 5) throw failed(url, 'it redirects without end', 'check the address')
    const next = redirectTarget(url, location)
    if (next.origin !== url.origin) headers = withoutCredentials(headers)
    url = next
  }
}

function redirectTarget(from: URL, location: string): URL {
  let next: URL
  try {
    next = new URL(location, from)
    checkAddress(next)
  } catch (cause) {
    throw failed(from, 'it redirects to an address that is not reached over TLS', 'check the address', cause)
  }
  if (isLoopback(next) && !isLoopback(from)) throw failed(from, 'it redirects to this machine', 'check the address')
  return next
}

function withoutCredentials(headers: Call['headers']): Call['headers'] {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => name.toLowerCase() !== 'authorization'))
}

function bodyOf(call: Call): Uint8Array<ArrayBuffer> | null {
  return call.body === undefined ? null : new Uint8Array(call.body)
}

/** Reads no more than the limit, whatever the length that was announced. */
async function readBody(response: Response, limit: number, url: URL): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > limit) {
      await response.body?.cancel().catch(() => undefined)
      throw failed(url, `it sends more than ${limit} bytes`, 'raise the limit if this is really meant')
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

async function attempt<T>(url: URL, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof InTotoError) throw error
    const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
    const code = typeof cause?.code === 'string' ? cause.code : 'no answer'
    const late = name === 'TimeoutError' || name === 'AbortError'
    const reason = late ? 'it does not answer in time' : `the connection failed (${code})`
    throw failed(url, reason, 'check the address and the network, and try again', error)
  }
}

/** What went wrong with which server. */
export function failed(url: URL, reason: string, fix: string, cause?: unknown): InTotoError {
  return new InTotoError({ code: 'E_IO', message: `${url.host}: ${reason}`, fix }, cause === undefined ? {} : { cause })
}
