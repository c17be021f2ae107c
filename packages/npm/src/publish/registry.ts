/**
 * What a registry serves for one version of a package: its manifest and its tarball. Verification of published packages and the check after an upload
 * ask. Everything that comes back is bounded and believed by nobody here.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { InTotoError } from 'intoto'
import { printable } from 'intoto/node'
import { plainVersion, type Manifest } from './manifest.ts'
import { withoutUserinfo, type RegistryAccess } from './access.ts'

/** One version as a registry serves it. */
export interface Published {
  readonly name: string
  readonly version: string
  /** What installers are told about it, `dist` included. */
  readonly manifest: Manifest
  /** `dist.integrity` */
  readonly integrity: string | undefined
  readonly tarball: Uint8Array
}

/** What to ask for, and how patiently. */
export interface RegistryQuery extends RegistryAccess {
  name: string
  /** Exact version or a tag such as `latest`. */
  version: string
  /** Keep asking so long while the version is not there, in milliseconds; 0. A registry may need a while after an upload. */
  patience?: number
  /** For one request, in milliseconds; 30 seconds. */
  timeout?: number
  /** Most bytes of the tarball; 1 GiB. */
  limit?: number
}

const limits = { packument: 128 * 1024 * 1024, tarball: 1024 ** 3 }

/**
 * Manifest and tarball of a version.
 * @throws InTotoError E_IO: unreachable, refused, absent, or more than the limits; E_FORMAT: no packument; E_PRODUCT: the tarball is not the one that
 * its own manifest names
 */
export async function fetchPublished(o: RegistryQuery): Promise<Published> {
  const query = withoutUserinfo(o)
  const deadline = Date.now() + (o.patience ?? 0)
  for (let pause = 250; ; pause = Math.min(pause * 2, 5_000)) {
    try {
      return await fetchOnce(query)
    } catch (error) {
      if (!isAbsent(error) || Date.now() + pause > deadline) throw error
    }
    await sleep(pause)
  }
}

async function fetchOnce(o: RegistryQuery): Promise<Published> {
  const what = printable(`${o.name}@${o.version}`)
  const base = o.registry.endsWith('/') ? o.registry : `${o.registry}/`
  const address = new URL(o.name.replace('/', '%2f'), base)
  const packument = parse(await download(address, o, limits.packument), what)
  const versions = record(packument['versions'])
  const version = versionOf(o.version, versions, record(packument['dist-tags']))
  if (version === undefined) throw absent(`the registry has no ${what}`)
  const manifest = record(versions[version])
  const dist = record(manifest['dist'])
  if (typeof dist['tarball'] !== 'string' || !URL.canParse(dist['tarball'])) throw malformed(what)
  const tarball = await download(new URL(dist['tarball']), o, o.limit ?? limits.tarball)
  const integrity = typeof dist['integrity'] === 'string' ? dist['integrity'] : undefined
  if (integrity !== undefined && !holds(integrity, tarball)) {
    const message = `${what}: the registry serves a tarball that has not the digest of its own manifest`
    throw new InTotoError({
      code: 'E_PRODUCT',
      message,
      expected: { text: integrity, label: 'dist.integrity' },
      fix: 'do not install it; tell the registry',
    })
  }
  return { name: o.name, version, manifest, integrity, tarball }
}

/** As installers choose: a version as npm cleans it before it is put up, without `v` and build; what is a version, or a range of them, is never looked up among the tags, where anything may stand. */
function versionOf(asked: string, versions: Manifest, tags: Manifest): string | undefined {
  for (const version of [plainVersion(asked), asked]) if (Object.hasOwn(versions, version)) return version
  const isTag = !/^[\s<>=~^v]*(?:\d|[x*](?:\.|$)|$)/i.test(asked)
  const tagged = isTag && Object.hasOwn(tags, asked) ? tags[asked] : undefined
  return typeof tagged === 'string' && Object.hasOwn(versions, tagged) ? tagged : undefined
}

/** Each strong digest that the text names must be that of the bytes, and there must be one. */
function holds(integrity: string, bytes: Uint8Array): boolean {
  const named = integrity
    .trim()
    .split(/\s+/)
    .filter((one) => /^sha(?:256|384|512)-/.test(one))
  return (
    named.length > 0 &&
    named.every((one) => {
      const digest = createHash(one.slice(0, 6)).update(bytes).digest('base64')
      return digest === one.slice(7).split('?', 1)[0]
    })
  )
}

/** The token goes to the registry's own origin only, and never along with a redirection elsewhere. */
async function download(address: URL, o: RegistryQuery, limit: number): Promise<Uint8Array> {
  if (address.protocol !== 'https:' && address.protocol !== 'http:') throw failure(`the registry names an address that is none of the web`)
  const own = address.origin === new URL(o.registry).origin
  const headers: Record<string, string> = {
    accept: 'application/json, application/octet-stream;q=0.9, */*;q=0.1',
    'cache-control': 'no-cache',
  }
  if (own && o.authorization !== undefined) headers['authorization'] = o.authorization
  let response: Response
  try {
    response = await fetch(address, { headers, signal: AbortSignal.timeout(o.timeout ?? 30_000) })
  } catch (cause) {
    throw failure(`the registry at ${printable(address.host)} can't be reached`, cause)
  }
  if (response.status === 404) throw absent(`the registry has no ${printable(`${o.name}@${o.version}`)}`)
  if (!response.ok || response.body === null) throw failure(`the registry answered with status ${response.status}`)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > limit) throw failure(`the registry sends more than the limit of ${limit} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw cause instanceof InTotoError ? cause : failure(`the registry's answer broke off`, cause)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function parse(bytes: Uint8Array, what: string): Manifest {
  try {
    return record(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch {
    throw malformed(what)
  }
}

function record(value: unknown): Manifest {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Manifest) : {}
}

const absentVersions = new WeakSet<InTotoError>()

function isAbsent(error: unknown): boolean {
  return error instanceof InTotoError && absentVersions.has(error)
}

function absent(message: string): InTotoError {
  const error = new InTotoError({ code: 'E_IO', message, fix: 'check name, version and --registry' })
  absentVersions.add(error)
  return error
}

function malformed(what: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message: `${what}: the registry's answer is no packument`, fix: 'check --registry' })
}

function failure(message: string, cause?: unknown): InTotoError {
  return new InTotoError({ code: 'E_IO', message, fix: 'check --registry and the network' }, cause === undefined ? {} : { cause })
}
