/**
 * A package registry on loopback with a handful of tiny packages, for the tests that let real clients install: scoped, aliased, nested, bundled,
 * with peers, and one tarball that no registry lists. It answers what a client needs for an install and nothing else.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'

/** What goes into a package.json. */
export interface TinyPackage {
  name: string
  version: string
  [member: string]: unknown
}

const packages: readonly TinyPackage[] = [
  { name: '@acme/scoped', version: '1.2.0' },
  { name: 'plain', version: '1.0.0' },
  { name: 'plain', version: '2.1.3', dependencies: { deep: '^1.0.0' } },
  { name: 'deep', version: '1.0.1' },
  { name: 'deep', version: '2.0.0' },
  { name: 'tool', version: '3.0.0', dependencies: { deep: '^2.0.0' } },
  { name: 'native', version: '1.0.0' },
  { name: 'peerhost', version: '1.0.0', peerDependencies: { deep: '*' } },
  { name: 'outer', version: '1.0.0', dependencies: { inner: '1.0.0' }, bundleDependencies: ['inner'] },
  { name: 'inner', version: '1.0.0' },
]

/** The running registry. */
export interface Registry {
  /** Its address without a closing slash. */
  url: string
  /** sha512 in hex of the tarball of `name@version`. */
  sha512: (spec: string) => string
  close: () => Promise<void>
}

/** Bytes of a package's tarball, the same on every run. */
export async function tarball(manifest: TinyPackage): Promise<Buffer> {
  const files: Record<string, string> = {
    'package.json': JSON.stringify(manifest),
    'index.js': `export default '${manifest.name}@${manifest.version}'\n`,
  }
  if (manifest.name === 'outer') {
    files['node_modules/inner/package.json'] = '{"name":"inner","version":"1.0.0"}'
    files['node_modules/inner/index.js'] = 'export default "inner of outer"\n'
  }
  const entries = Object.entries(files).map(([name, body]) => ({
    header: { name: `package/${name}`, size: Buffer.byteLength(body), mtime: new Date(0), mode: 0o644 },
    body,
  }))
  return gzipSync(await packTar(entries))
}

/** Starts the registry on a free port. */
export async function startRegistry(): Promise<Registry> {
  const tarballs = new Map<string, Buffer>([['/tarballs/remote-1.0.0.tgz', await tarball({ name: 'remote', version: '1.0.0' })]])
  for (const each of packages) tarballs.set(tarballPath(each), await tarball(each))
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://loopback').pathname)
    const bytes = tarballs.get(path)
    const versions = packages.filter((each) => `/${each.name}` === path)
    if (bytes === undefined && versions.length === 0) response.statusCode = 404
    response.setHeader('content-type', bytes === undefined ? 'application/json' : 'application/octet-stream')
    response.end(bytes ?? JSON.stringify(packument(path.slice(1), versions, { url, tarballs })))
  })
  const url = await listen(server)
  const find = (spec: string): Buffer => {
    const each = packages.find(({ name, version }) => `${name}@${version}` === spec)
    return tarballs.get(each === undefined ? '/tarballs/remote-1.0.0.tgz' : tarballPath(each)) ?? Buffer.alloc(0)
  }
  return {
    url,
    sha512: (spec) => createHash('sha512').update(find(spec)).digest('hex'),
    close: () => closeServer(server),
  }
}

/** Listens on loopback; the server's address without a closing slash. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A listener that has the body before it answers; what it throws fails the request. */
export function answering(
  answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void | Promise<void>,
): RequestListener {
  return (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      Promise.resolve()
        .then(() => answer(request, response, Buffer.concat(parts)))
        .catch((error: unknown) => response.writeHead(599).end(String(error)))
    })
  }
}

/** Ends a server at once, whoever still holds a connection. */
export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>((done) => server.close(() => done()))
}

function tarballPath({ name, version }: TinyPackage): string {
  return `/${name}/-/${name.split('/').at(-1)}-${version}.tgz`
}

function packument(
  name: string,
  versions: readonly TinyPackage[],
  served: { url: string; tarballs: ReadonlyMap<string, Buffer> },
): unknown {
  const described = versions.map((each) => {
    const bytes = served.tarballs.get(tarballPath(each)) ?? Buffer.alloc(0)
    const digest = (algorithm: string, form: 'hex' | 'base64'): string => createHash(algorithm).update(bytes).digest(form)
    const dist = {
      tarball: served.url + tarballPath(each),
      integrity: `sha512-${digest('sha512', 'base64')}`,
      shasum: digest('sha1', 'hex'),
    }
    return [each.version, { ...each, dist }] as const
  })
  const time = Object.fromEntries(versions.map(({ version }) => [version, '2020-01-01T00:00:00.000Z']))
  return { name, 'dist-tags': { latest: versions.at(-1)?.version }, versions: Object.fromEntries(described), time }
}
