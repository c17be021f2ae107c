/**
 * Authentication as OCI registries ask for it: nothing, basic, or a token from the service that the registry names (distribution's token
 * specification). `registry.ts` calls it. Credentials go to the registry and to that service, and into no message.
 */
import { InTotoError } from 'intoto'
import { checkAddress, failed, isLoopback, request, type HttpOptions } from './http.ts'
import type { Credentials } from './store.ts'

/** What a registry may do with a repository for us. */
export type Access = 'pull' | 'pull,push'

/** A challenge of `WWW-Authenticate`. */
interface Challenge {
  scheme: string
  parameters: ReadonlyMap<string, string>
}

/**
 * The `Authorization` header that answers a registry's refusal; undefined when there is nothing to answer with.
 * @throws InTotoError E_IO: the token service fails; E_FORMAT: a challenge or token of another form
 */
export async function answerChallenge(
  asked: { header: string; registry: URL; repository: string; access: Access },
  credentials: Credentials | undefined,
  http: HttpOptions,
): Promise<string | undefined> {
  if (credentials !== undefined && 'token' in credentials) return `Bearer ${credentials.token}`
  const challenges = parseChallenges(asked.header)
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
  if (bearer === undefined)
    return credentials === undefined || !challenges.some(({ scheme }) => scheme === 'basic') ? undefined : basic(credentials)
  const realm = realmOf(bearer, asked.registry)
  const service = bearer.parameters.get('service')
  if (service !== undefined) realm.searchParams.set('service', service)
  realm.searchParams.set('scope', `repository:${asked.repository}:${asked.access}`)
  const headers = credentials === undefined ? {} : { authorization: basic(credentials) }
  const { status, bytes } = await request({ method: 'GET', url: realm, headers, limit: 1024 * 1024 }, http)
  if (status === 401 || status === 403) return undefined
  if (status !== 200) throw failed(realm, `the token service answers with status ${status}`, 'try again later')
  return `Bearer ${tokenOf(bytes, realm)}`
}

function realmOf(challenge: Challenge, registry: URL): URL {
  const text = challenge.parameters.get('realm') ?? ''
  let realm: URL
  try {
    realm = new URL(text)
    checkAddress(realm)
  } catch (cause) {
    throw failed(registry, 'it names a token service that is not reached over TLS', 'do not use this registry with credentials', cause)
  }
  if (isLoopback(realm) && !isLoopback(registry))
    throw failed(registry, 'it names a token service on this machine', 'do not use this registry')
  return realm
}

function tokenOf(bytes: Uint8Array, realm: URL): string {
  try {
    const { token, access_token: alias } = JSON.parse(new TextDecoder().decode(bytes)) as { token?: unknown; access_token?: unknown }
    const found = token ?? alias
    // RFC 6750, b64token: anything else could smuggle a header
    if (typeof found === 'string' && /^[A-Za-z0-9._~+/=-]+$/.test(found)) return found
  } catch {
    // not JSON
  }
  throw new InTotoError({
    code: 'E_FORMAT',
    message: `${realm.host}: the token service sends no token`,
    fix: 'check the address of the registry',
  })
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Challenges of RFC 9110, 11.6.1, as far as registries write them: `Bearer realm="…",service="…"`, `Basic realm="…"`. */
function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  for (const [, scheme, name, quoted, plain] of header
    .slice(0, 8_192)
    .matchAll(/(?:^|[\s,])([A-Za-z]+)(?=\s+[A-Za-z_]+=|\s*$|\s*,)|([A-Za-z_]+)=(?:"([^"]*)"|([^\s,"]+))/g)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
    else if (name !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted ?? plain ?? '')
  }
  return challenges
}
