/**
 * An OCI registry as far as evidence needs it (distribution specification 1.1): blobs, manifests, and the list of referrers with its fallback to a tag.
 * `referrers.ts` calls it. It checks every byte against the digest it was asked for.
 */
import { InTotoError, parseJson, stringifyJson, utf8, type JsonObject } from 'intoto'
import { failed, request, type Answer, type Call, type HttpOptions } from './http.ts'
import { sha256Hex, type Credentials } from './store.ts'
import { answerChallenge, type Access } from './token.ts'

/** How a manifest or blob is named. */
export interface Descriptor {
  mediaType: string
  /** `sha256:<hex>` */
  digest: string
  size: number
  artifactType?: string
  annotations?: Readonly<Record<string, string>>
}

/** Media types of the image specification. */
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndex = 'application/vnd.oci.image.index.v1+json'

/** The specification lets a registry refuse manifests from here on. */
const manifestBytes = 4 * 1024 * 1024
const maxPages = 50

/** One repository of one registry. */
export class Registry {
  private readonly base: URL
  private readonly repository: string
  private readonly credentials: Credentials | undefined
  private readonly http: HttpOptions
  private readonly tokens: Map<Access, string>

  constructor(
    base: URL,
    repository: string,
    o: { credentials: Credentials | undefined; http: HttpOptions },
    tokens: Map<Access, string> = new Map(),
  ) {
    this.base = base
    this.repository = repository
    this.credentials = o.credentials
    this.http = o.http
    this.tokens = tokens
  }

  /** The same repository, whose requests end when the signal is given. */
  until(signal: AbortSignal): Registry {
    return new Registry(this.base, this.repository, { credentials: this.credentials, http: { ...this.http, signal } }, this.tokens)
  }

  /** The blob with this digest. @throws InTotoError E_IO: absent, refused, or other bytes than those asked for */
  async blob(descriptor: Descriptor): Promise<Uint8Array> {
    const answer = await this.call({ method: 'GET', path: `blobs/${descriptor.digest}`, limit: descriptor.size })
    return this.checked(this.expectStatus(answer, [200]).bytes, descriptor)
  }

  /** The manifest with this digest, parsed; undefined when it is gone. */
  async manifest(descriptor: Descriptor): Promise<JsonObject | undefined> {
    const answer = await this.call({
      method: 'GET',
      path: `manifests/${descriptor.digest}`,
      headers: { accept: descriptor.mediaType },
      limit: manifestBytes,
    })
    if (answer.status === 404) return undefined
    return this.object(this.checked(this.expectStatus(answer, [200]).bytes, descriptor))
  }

  /** Descriptor of the manifest with this digest, if there is one; registries differ in how they say that there is none. */
  async head(digest: string): Promise<Descriptor | undefined> {
    const accept = [
      ociManifest,
      ociIndex,
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
    ].join(', ')
    const answer = await this.call({ method: 'HEAD', path: `manifests/${digest}`, headers: { accept }, limit: 0 })
    if ([400, 404, 405].includes(answer.status)) return undefined
    const { headers } = this.expectStatus(answer, [200])
    const [mediaType, size] = [headers.get('content-type'), Number(headers.get('content-length'))]
    return mediaType === null || !Number.isSafeInteger(size) || size <= 0 ? undefined : { mediaType, digest, size }
  }

  /** Uploads a blob unless it is there. */
  async putBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = `sha256:${sha256Hex(bytes)}`
    const descriptor = { mediaType, digest, size: bytes.length }
    const there = await this.call({ method: 'HEAD', path: `blobs/${digest}`, limit: 0 }, 'pull,push')
    if (there.status === 200) return descriptor
    const begun = this.expectStatus(await this.call({ method: 'POST', path: 'blobs/uploads/', limit: manifestBytes }, 'pull,push'), [202])
    const location = begun.headers.get('location')
    const target = location === null ? undefined : new URL(location, begun.url)
    // an upload that goes elsewhere would take the credentials along
    if (target === undefined || target.origin !== this.base.origin)
      throw failed(this.base, 'it names no place of its own to upload to', 'check the registry')
    target.searchParams.set('digest', digest)
    const headers = { 'content-type': 'application/octet-stream' }
    this.expectStatus(await this.call({ method: 'PUT', url: target, headers, body: bytes, limit: manifestBytes }, 'pull,push'), [201])
    return descriptor
  }

  /** Uploads a manifest under its digest, or under a tag; `linked` tells whether the registry itself keeps the list of referrers. */
  async putManifest(manifest: object, o: { mediaType: string; tag?: string }): Promise<Descriptor & { linked: boolean }> {
    const body = utf8(stringifyJson(manifest as JsonObject))
    const digest = `sha256:${sha256Hex(body)}`
    const headers = { 'content-type': o.mediaType }
    const answer = await this.call(
      { method: 'PUT', path: `manifests/${o.tag ?? digest}`, headers, body, limit: manifestBytes },
      'pull,push',
    )
    const linked = this.expectStatus(answer, [201]).headers.has('oci-subject')
    return { mediaType: o.mediaType, digest, size: body.length, linked }
  }

  /** Manifests that say they are about the one with this digest, which need not be there itself. */
  async referrers(digest: string): Promise<Descriptor[]> {
    const found: Descriptor[] = []
    let next: URL | undefined = this.url(`referrers/${digest}`)
    for (let page = 0; next !== undefined && page < maxPages; page++) {
      const answer: Answer = await this.call({ method: 'GET', url: next, headers: { accept: ociIndex }, limit: manifestBytes })
      if (page === 0 && answer.status === 404) return this.tagged(digest)
      found.push(...this.descriptors(this.object(this.expectStatus(answer, [200]).bytes)))
      next = this.nextPage(answer)
    }
    if (next !== undefined) throw failed(this.base, `it lists referrers on more than ${maxPages} pages`, 'look what is there')
    return found
  }

  /** The list under the fallback tag; empty when there is none, or something else stands there. */
  async tagged(digest: string): Promise<Descriptor[]> {
    const answer = await this.call({
      method: 'GET',
      path: `manifests/${fallbackTag(digest)}`,
      headers: { accept: ociIndex },
      limit: manifestBytes,
    })
    if (answer.status === 404) return []
    const index = this.object(this.expectStatus(answer, [200]).bytes)
    return index['mediaType'] === ociIndex || answer.headers.get('content-type') === ociIndex ? this.descriptors(index) : []
  }

  private nextPage(answer: Answer): URL | undefined {
    const [, target] = /<([^>]+)>\s*;[^,]*\brel="?next"?/i.exec(answer.headers.get('link') ?? '') ?? []
    if (target === undefined) return undefined
    const next = new URL(target, answer.url)
    if (next.origin !== this.base.origin) throw failed(this.base, 'its list of referrers goes on at another address', 'check the registry')
    return next
  }

  private descriptors(index: JsonObject): Descriptor[] {
    const { manifests } = index
    return (Array.isArray(manifests) ? manifests : []).flatMap((entry) => {
      const descriptor = readDescriptor(entry)
      return descriptor === undefined ? [] : [descriptor]
    })
  }

  private checked(bytes: Uint8Array, { digest }: Descriptor): Uint8Array {
    if (`sha256:${sha256Hex(bytes)}` === digest) return bytes
    throw failed(this.base, `what it sends for ${digest} has another digest`, 'check the registry, it is damaged or lies')
  }

  private object(bytes: Uint8Array): JsonObject {
    const { value } = parseJson(bytes, { what: `${this.base.host}: manifest` })
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
    throw new InTotoError({
      code: 'E_FORMAT',
      message: `${this.base.host}: it sends something else than a manifest`,
      fix: 'check the address of the registry',
    })
  }

  private url(path: string): URL {
    return new URL(`/v2/${this.repository}/${path}`, this.base)
  }

  /** A request with what authentication is known; asked for more by the registry itself, once again with that. */
  private async call(o: Omit<Call, 'url'> & { path?: string; url?: URL }, access: Access = 'pull'): Promise<Answer> {
    const url = o.url ?? this.url(o.path ?? '')
    const call = (token: string | undefined): Promise<Answer> =>
      request({ ...o, url, headers: { ...o.headers, ...(token === undefined ? {} : { authorization: token }) } }, this.http)
    const answer = await call(this.tokens.get(access))
    const header = answer.headers.get('www-authenticate')
    if (answer.status !== 401 || header === null) return answer
    // where a redirect leads may name any token service, which would get the password
    if (answer.url.origin !== this.base.origin) return answer
    const token = await answerChallenge({ header, registry: this.base, repository: this.repository, access }, this.credentials, this.http)
    if (token === undefined) return answer
    this.tokens.set(access, token)
    return call(token)
  }

  private expectStatus(answer: Answer, allowed: readonly number[]): Answer {
    if (allowed.includes(answer.status)) return answer
    const where = new URL(`https://${this.base.host}`)
    if (answer.status === 401 || answer.status === 403) {
      const fix = this.credentials === undefined ? 'give credentials for it' : 'check the credentials and what they may do there'
      throw failed(where, `access to ${this.repository} is refused (status ${answer.status})`, fix)
    }
    if (answer.status === 404)
      throw failed(where, `${this.repository} is not there, or lacks what its own lists name`, 'check the name of the repository')
    throw failed(where, `it answers with status ${answer.status}`, 'check the address of the registry, or try again later')
  }
}

/** Tag of the list of referrers where a registry keeps none itself (distribution specification, "Referrers Tag Schema"). */
export function fallbackTag(digest: string): string {
  return digest.replace(':', '-')
}

/** A descriptor from outside, if it is one that can be fetched and checked. */
export function readDescriptor(value: unknown): Descriptor | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { mediaType, digest, size, artifactType, annotations } = value as Record<string, unknown>
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  const texts =
    typeof annotations === 'object' && annotations !== null
      ? Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
      : []
  const descriptor: Descriptor = { mediaType, digest, size }
  if (typeof artifactType === 'string') descriptor.artifactType = artifactType
  if (texts.length > 0) descriptor.annotations = Object.fromEntries(texts)
  return descriptor
}
