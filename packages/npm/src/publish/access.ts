/**
 * Which registry a package goes to and comes from, and the token for reading there: as npm's own configuration has it, or Yarn's. Publishing and `npm:`
 * products ask. No registry is known here by name, and no token reaches a message.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { InTotoError, utf8 } from 'intoto'
import { printable, writeFileAtomic } from 'intoto/node'
import { runClient, type Client } from './client.ts'
import type { Manifest } from './manifest.ts'
import { isBerry, yarnSettings, type YarnSettings } from './yarn.ts'

/** A registry and how one is let in. */
export interface RegistryAccess {
  /** Its address; name and password in it are sent as npm does. */
  registry: string
  /** Value of the header, where the configuration has one for this registry. */
  authorization?: string
}

/** What decides. */
export interface RegistrySearch {
  folder: string
  env: NodeJS.ProcessEnv
  /** Name of the package, for scoped registries. */
  name: string
  /** Its client: npm, pnpm and bun keep the same settings, Yarn 2 and later have their own. */
  client?: Client
  /** `publishConfig` of the packed package.json. */
  publishConfig?: unknown
  /** Arguments that the client is given: `--registry URL`. */
  args?: readonly string[]
}

/**
 * The registry of a package: a scope's own before the general one; flags before publishConfig before the configuration, as npm has it.
 * @throws InTotoError E_CONFIG: the configuration names none
 */
export async function findRegistry(o: RegistrySearch): Promise<RegistryAccess> {
  const scope = /^(@[^/]+)\//.exec(o.name)?.[1]
  const config = typeof o.publishConfig === 'object' && o.publishConfig !== null ? (o.publishConfig as Manifest) : {}
  const yarn: YarnSettings = isBerry(o.client) ? await yarnSettings({ ...o, client: o.client }) : {}
  const found =
    (scope === undefined ? undefined : await settingOf(`${scope}:registry`, config, { ...o, yarn })) ??
    (await settingOf('registry', config, { ...o, yarn }))
  const address = found === undefined ? undefined : webAddress(found)
  if (address === undefined) {
    const message =
      found === undefined
        ? `no registry is configured for ${printable(o.name)}`
        : `"${withoutCredentials([printable(found)]).join()}" is no address of a registry`
    const isGiven = flagOf('--registry', o.args ?? []) !== undefined
    const fix = isGiven ? '--registry https://HOST/' : 'npm config set registry https://HOST/, or name one with --registry'
    throw new InTotoError({ code: 'E_CONFIG', message, fix })
  }
  const { registry } = withoutUserinfo({ registry: address })
  const own = yarn.registry !== undefined && webAddress(yarn.registry) === address ? yarn.authorization : undefined
  const authorization = own ?? (await authorizationFor(registry, o))
  return authorization === undefined ? withoutUserinfo({ registry: address }) : { registry, authorization }
}

/** The address alone, and what it held of a name and a password as a header, unless there is one already. */
export function withoutUserinfo<T extends RegistryAccess>(access: T): T {
  const url = new URL(access.registry)
  const { username, password } = url
  if (username === '' && password === '') return access
  url.username = ''
  url.password = ''
  const basic = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
  return { ...access, registry: url.href, authorization: access.authorization ?? `Basic ${basic}` }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Arguments of a client as people may see them: without what lets in. */
export function withoutCredentials(words: readonly string[]): string[] {
  return words.map((word, i) => {
    const before = words[i - 1]
    if (before !== undefined && !before.includes('=') && isSecret(before) && !word.startsWith('-')) return '***'
    const [name = ''] = word.split('=', 1)
    if (name !== word && isSecret(name)) return `${name}=***`
    return word.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi, '$1***@')
  })
}

/** `--otp`, `--//host/:_authToken` and their like; npm takes shortened names, too. */
function isSecret(flag: string): boolean {
  return /^-+(?:config\.)?(?:(?:.*[:.])?_.*|otp?|(?:.*:)?key)$/i.test(flag)
}

/** What is needed to upload where a client would. */
export interface UploadSettings {
  client: Client
  access: RegistryAccess
  env: NodeJS.ProcessEnv
  /** A folder that nobody else can open. */
  folder: string
}

/**
 * What npm must be told in its environment to upload where Yarn would. With every other client the one that uploads knows its own settings. The token
 * itself stays in the environment: a settings file speaks of it, since shells drop variables of the names that npm reads directly.
 */
export async function uploadEnvironment(o: UploadSettings): Promise<NodeJS.ProcessEnv> {
  if (!isBerry(o.client)) return {}
  const [, kind, value = ''] = /^(Bearer|Basic) (.+)$/.exec(o.access.authorization ?? '') ?? []
  const settings: NodeJS.ProcessEnv = { npm_config_registry: o.access.registry }
  if (kind === undefined) return settings
  const own = await configured('userconfig', { folder: o.folder, env: o.env, name: '' })
  const place = o.access.registry.replace(/^https?:/, '').replace(/\/*$/, '/')
  const file = join(o.folder, 'upload.npmrc')
  const lines = [
    ...(own === undefined ? [] : linesOf(own)),
    `${place}:${kind === 'Bearer' ? '_authToken' : '_auth'}=\${INTOTO_UPLOAD_TOKEN}`,
    '',
  ]
  writeFileAtomic(file, utf8(lines.join('\n')), { mode: 0o600 })
  const upper = o.env['NPM_CONFIG_USERCONFIG'] === undefined ? {} : { NPM_CONFIG_USERCONFIG: file }
  return { ...settings, ...upper, npm_config_userconfig: file, INTOTO_UPLOAD_TOKEN: value }
}

async function settingOf(name: string, publishConfig: Manifest, o: RegistrySearch & { yarn: YarnSettings }): Promise<string | undefined> {
  const given = flagOf(`--${name}`, o.args ?? [])
  if (given !== undefined) return given
  const own = Object.hasOwn(publishConfig, name) ? publishConfig[name] : undefined
  return typeof own === 'string' ? own : (o.yarn.registry ?? (await configured(name, o)) ?? untold(name, o))
}

/** The last value of a flag, in both of its spellings. */
function flagOf(flag: string, args: readonly string[]): string | undefined {
  let value: string | undefined
  for (const [i, word] of args.entries()) {
    if (word === flag) value = args[i + 1]
    else if (word.startsWith(`${flag}=`)) value = word.slice(flag.length + 1)
  }
  return value
}

async function configured(name: string, o: RegistrySearch): Promise<string | undefined> {
  const start = o.client === undefined || o.client.name === 'yarn' || o.client.name === 'bun' ? ['npm'] : o.client.start
  const { code, stdout } = await runClient([...start, 'config', 'get', name], { cwd: o.folder, env: o.env, keep: true })
  // npm does not tell its configuration in a folder of a workspace; there the root's holds
  const root = code === 0 ? undefined : workspaceRoot(o.folder)
  if (root !== undefined) return configured(name, { ...o, folder: root })
  const value = stdout.trim()
  return code !== 0 || value === '' || value === 'undefined' || value === 'null' ? undefined : value
}

/** npm tells no setting that holds a password: then its files and its environment are read. */
async function untold(name: string, o: RegistrySearch): Promise<string | undefined> {
  const settings = await settingsOf((key) => key === name, o)
  const value = o.env[`npm_config_${name}`] ?? settings.get(name)
  return value !== undefined && URL.canParse(value) && new URL(value).password !== '' ? value : undefined
}

function webAddress(text: string): string | undefined {
  try {
    const url = new URL(text)
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined
  } catch {
    return undefined
  }
}

/**
 * npm does not tell its tokens, so that its files are read: the project's, then the person's. A token belongs to an address (`//host/path/`) and
 * everything below it.
 */
async function authorizationFor(registry: string, o: RegistrySearch): Promise<string | undefined> {
  const settings = await settingsOf((key) => /^\/\/.+:(?:_authToken|_auth)$/.test(key), o)
  for (let at = registry.replace(/^https?:/, '').replace(/\/*$/, '/'); at.length > 2; at = at.replace(/[^/]*\/$/, '')) {
    const token = settings.get(`${at}:_authToken`)
    if (token !== undefined) return `Bearer ${token}`
    const basic = settings.get(`${at}:_auth`)
    if (basic !== undefined) return `Basic ${basic}`
  }
  return undefined
}

/** Settings of npm's files, the first that says one. */
async function settingsOf(isWanted: (key: string) => boolean, o: RegistrySearch): Promise<Map<string, string>> {
  const user = await configured('userconfig', { ...o, args: [] })
  const root = workspaceRoot(o.folder)
  const places = [o.folder, ...(root === undefined ? [] : [root])].map((folder) => join(folder, '.npmrc'))
  const settings = new Map<string, string>()
  for (const line of [...places, ...(user === undefined ? [] : [user])].flatMap((file) => linesOf(file))) {
    const [, key = '', value = ''] = /^\s*([^=\s;#][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (isWanted(key) && !settings.has(key)) settings.set(key, expand(value.replace(/^"(.*)"$/, '$1'), o.env))
  }
  return settings
}

/** The nearest folder above whose package.json has workspaces. */
function workspaceRoot(folder: string): string | undefined {
  for (let at = dirname(resolve(folder)); at !== dirname(at); at = dirname(at)) {
    const text = linesOf(join(at, 'package.json')).join('\n')
    if (/"workspaces"\s*:/.test(text)) return at
  }
  return undefined
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)
  } catch {
    return [] // no file, no token
  }
}

/** `${NAME}` in a setting, as npm reads it. */
function expand(value: string, env: NodeJS.ProcessEnv): string {
  return value.replace(/\$\{([^}]+)\}/g, (all, name: string) => env[name] ?? all)
}
