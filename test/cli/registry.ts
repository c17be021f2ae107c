/** A registry of packages on loopback that does what clients ask of one, and, where told to, what it must not: for the tests of publishing. */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { readTarball } from 'intoto-npm'
import { afterAll } from 'vitest'

type Packument = { versions: { [version: string]: { [member: string]: unknown } }; _attachments?: { [file: string]: { data: string } } }

export interface Registry {
  readonly url: string
  readonly token: string
  /** Packages that were uploaded. */
  readonly packages: Map<string, Packument>
  /** Tarballs by the end of their address. */
  readonly tarballs: Map<string, Buffer>
  /** Done to every upload before it is stored. */
  tamper: ((upload: Packument) => void) | undefined
  /** How often an uploaded package is not there yet. */
  late: number
  readonly others: Others | undefined
}

/** Packages of another registry: clients are sent there for what nobody has uploaded, but for these names. */
export interface Others {
  readonly upstream: string
  readonly but: readonly string[]
}

/** Starts one; it ends with the test file. */
export async function startRegistry(others?: Others): Promise<Registry> {
  const server = createServer((request, response) => void answer(request, response, registry))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const registry: Registry = {
    url: `http://127.0.0.1:${port}/`,
    token: 'npm_canary_token_5f21',
    packages: new Map(),
    tarballs: new Map(),
    tamper: undefined,
    late: 0,
    others,
  }
  afterAll(() => void server.close())
  return registry
}

/** What a project's .npmrc says of it. */
export function settings({ url, token }: Registry): string {
  return `registry=${url}\n${url.replace('http:', '')}:_authToken=${token}\nupdate-notifier=false\naudit=false\n`
}

/** As if these tarballs had been uploaded. */
export async function offer(registry: Registry, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const bytes = readFileSync(file)
    const { files: packed, integrity, top } = await readTarball(bytes)
    const text = packed.find(({ name }) => name === `${top}/package.json`)?.bytes
    const manifest = JSON.parse(Buffer.from(text ?? []).toString('utf8')) as { name: string; version: string }
    const tarball = basename(file)
    const dist = { integrity, tarball: `${registry.url}${manifest.name}/-/${tarball}` }
    const latest = { name: manifest.name, 'dist-tags': { latest: manifest.version } }
    registry.tarballs.set(tarball, bytes)
    registry.packages.set(manifest.name, { ...latest, versions: { [manifest.version]: { ...manifest, dist } } })
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, registry: Registry): Promise<void> {
  const path = decodeURIComponent(new URL(request.url ?? '/', registry.url).pathname).slice(1)
  const send = (status: number, body: Buffer | object): void => {
    response.writeHead(status, { 'content-type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json' })
    response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body))
  }
  const elsewhere = (): void => {
    const { others } = registry
    if (others === undefined || others.but.includes(path)) return send(404, { error: 'not found' })
    response.writeHead(307, { location: new URL((request.url ?? '/').slice(1), others.upstream).href }).end()
  }
  if (request.headers.authorization !== `Bearer ${registry.token}`) return send(401, { error: 'who are you?' })
  if (request.method === 'PUT') {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const upload = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Packument
    registry.tamper?.(upload)
    for (const [file, { data }] of Object.entries(upload._attachments ?? {})) registry.tarballs.set(file, Buffer.from(data, 'base64'))
    delete upload._attachments
    registry.packages.set(path, upload)
    return send(201, { ok: true })
  }
  const tarball = /\/-\/(.+)$/.exec(path)?.[1]
  if (tarball !== undefined) {
    const bytes = registry.tarballs.get(tarball)
    return bytes === undefined ? elsewhere() : send(200, bytes)
  }
  const packument = registry.packages.get(path)
  if (packument === undefined) return elsewhere()
  if (registry.late-- > 0) return send(404, { error: 'not found' })
  send(200, packument)
}
