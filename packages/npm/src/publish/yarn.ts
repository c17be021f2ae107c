/**
 * Yarn 2 and later keep registry and token in .yarnrc.yml and in variables of their own, not where npm looks. Asked when a Yarn project publishes: npm, which
 * uploads the file for Yarn, is then told both. A token goes from Yarn to npm's environment and nowhere else.
 */
import { runClient, type Client } from './client.ts'

/** Where Yarn would publish, and what lets it in. */
export interface YarnSettings {
  registry?: string
  authorization?: string
}

/** Does this client read .yarnrc.yml? */
export function isBerry(client: Client | undefined): client is Client {
  return client?.name === 'yarn' && !client.version.startsWith('1.')
}

/** Registry and token as `yarn npm publish` takes them: a scope's own settings, then those of its registry, then the general ones. */
export async function yarnSettings(o: { folder: string; env: NodeJS.ProcessEnv; name: string; client: Client }): Promise<YarnSettings> {
  const scope = /^@([^/]+)\//.exec(o.name)?.[1]
  const setting = async (name: string): Promise<unknown> => {
    const words = [...o.client.start, 'config', 'get', name, '--no-redacted', '--json']
    const { code, stdout } = await runClient(words, { cwd: o.folder, env: o.env, keep: true })
    return code === 0 ? valueOf(stdout) : undefined
  }
  const own = scope === undefined ? undefined : memberOf(await setting('npmScopes'), scope)
  const registry =
    textOf(memberOf(own, 'npmPublishRegistry')) ?? textOf(await setting('npmPublishRegistry')) ?? textOf(await setting('npmRegistryServer'))
  if (registry === undefined) return {}
  const registries = authorizationIn(own) === undefined ? await setting('npmRegistries') : undefined
  const bare = registry.replace(/\/+$/, '')
  const places = [own, ...[bare, bare.replace(/^https?:/, '')].map((url) => memberOf(registries, url))]
  const found = places.map(authorizationIn).find((text) => text !== undefined)
  if (found !== undefined) return { registry, authorization: found }
  const general = { npmAuthToken: await setting('npmAuthToken'), npmAuthIdent: await setting('npmAuthIdent') }
  const authorization = authorizationIn(general)
  return authorization === undefined ? { registry } : { registry, authorization }
}

/** Value of the header that such settings make. */
function authorizationIn(settings: unknown): string | undefined {
  const token = textOf(memberOf(settings, 'npmAuthToken'))
  if (token !== undefined) return `Bearer ${token}`
  const ident = textOf(memberOf(settings, 'npmAuthIdent'))
  return ident === undefined ? undefined : `Basic ${identOf(ident)}`
}

/** `name:password`, or that in base64, as Yarn takes both. */
function identOf(ident: string): string {
  return ident.includes(':') ? Buffer.from(ident).toString('base64') : ident
}

function valueOf(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch {
    return undefined
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { [name: string]: unknown })[name]
    : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
