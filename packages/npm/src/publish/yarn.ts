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
  const setting = async (path: string): Promise<string | undefined> => {
    const words = [...o.client.start, 'config', 'get', path, '--no-redacted', '--json']
    const { code, stdout } = await runClient(words, { cwd: o.folder, env: o.env, keep: true })
    return code === 0 ? textOf(stdout) : undefined
  }
  const first = async (paths: readonly string[]): Promise<string | undefined> => {
    for (const path of paths) {
      const value = await setting(path)
      if (value !== undefined) return value
    }
    return undefined
  }
  const own = scope === undefined ? [] : [`npmScopes[${JSON.stringify(scope)}]`]
  const registry = await first([
    ...own.flatMap((at) => [`${at}.npmPublishRegistry`, `${at}.npmRegistryServer`]),
    'npmPublishRegistry',
    'npmRegistryServer',
  ])
  const bare = registry?.replace(/\/+$/, '')
  const places = [
    ...own,
    ...(bare === undefined ? [] : [bare, bare.replace(/^https?:/, '')].map((url) => `npmRegistries[${JSON.stringify(url)}]`)),
  ]
  const token = await first([...places.map((at) => `${at}.npmAuthToken`), 'npmAuthToken'])
  const ident = token === undefined ? await first([...places.map((at) => `${at}.npmAuthIdent`), 'npmAuthIdent']) : undefined
  const authorization = token === undefined ? (ident === undefined ? undefined : `Basic ${identOf(ident)}`) : `Bearer ${token}`
  return { ...(registry === undefined ? {} : { registry }), ...(authorization === undefined ? {} : { authorization }) }
}

/** `name:password`, or that in base64, as Yarn takes both. */
function identOf(ident: string): string {
  return ident.includes(':') ? Buffer.from(ident).toString('base64') : ident
}

function textOf(stdout: string): string | undefined {
  try {
    const value: unknown = JSON.parse(stdout)
    return typeof value === 'string' && value !== '' ? value : undefined
  } catch {
    return undefined
  }
}
