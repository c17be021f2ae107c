/**
 * The package client of a project: which one it is, how it is started, how it packs and how it uploads a file. Everything that publishes asks here.
 * A client's scripts may run; what they print goes to stderr, since stdout is the caller's.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InTotoError } from 'intoto'
import { printable, withoutSecrets } from 'intoto/node'
import { findLockfile } from '../lockfile/index.ts'

/** The clients whose ways are known. */
export type ClientName = 'npm' | 'pnpm' | 'yarn' | 'bun'

/** A client that can be started. */
export interface Client {
  readonly name: ClientName
  /** `11.0.0` */
  readonly version: string
  /** How it is started: a program and its first arguments. */
  readonly start: readonly string[]
}

/** What detection may look at. */
export interface ClientSearch {
  /** Folder of package.json. */
  folder: string
  env: NodeJS.ProcessEnv
  /** Named by the caller: nothing is guessed. */
  given?: ClientName
}

const clientNames: readonly ClientName[] = ['npm', 'pnpm', 'yarn', 'bun']
const lockfiles: Readonly<Record<string, ClientName>> = {
  'npm-shrinkwrap.json': 'npm',
  'package-lock.json': 'npm',
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
}
/** Set while `intoto pack` and `intoto publish` pack, to the folder that they pack into: the hook in "postpack" leaves the work to them. */
export const packingVariable = 'INTOTO_PACKING'

/** Does `intoto pack` or `intoto publish` pack here, so that they record and verify and the hook has nothing to do? Never within a client's own publish. */
export function isPackedByUs(env: NodeJS.ProcessEnv): boolean {
  const folder = env[packingVariable]
  if (folder === undefined || folder === '' || env['npm_command'] === 'publish' || env['npm_command'] === 'stage') return false
  return agentOf(env) !== 'npm' || env['npm_config_pack_destination'] === folder
}

/** Is this word the name of a client? */
export function isClientName(word: string): word is ClientName {
  return clientNames.some((name) => name === word)
}

/**
 * The client of a project: `packageManager` of package.json (its own or the workspace's), else the lockfile, else whoever started us, else npm.
 * @throws InTotoError E_UNSUPPORTED: package.json names another client; E_CONFIG: it can't be started
 */
export async function findClient(o: ClientSearch): Promise<Client> {
  const name = o.given ?? namedBy(o.folder) ?? lockfiles[basename(findLockfile(o.folder) ?? '')] ?? agentOf(o.env)
  const start = startOf(name, o.env)
  const { code, stdout } = await runClient([...start, '--version'], { cwd: o.folder, env: o.env, keep: true })
  const version = /^\d+\.\d+\.\d+\S*/.exec(stdout.trim())?.[0]
  if (code === 0 && version !== undefined) return { name, version, start }
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `${name} does not say its version (exit code ${code})`,
    fix: `run "${name} --version" here`,
  })
}

/** `packageManager` of the nearest package.json that has one; Corepack reads it so. */
function namedBy(folder: string): ClientName | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const name = packageManager(join(at, 'package.json'))
    if (name !== undefined) {
      if (isClientName(name)) return name
      const message = `package.json names the client ${printable(JSON.stringify(name))}, whose ways are not known`
      throw new InTotoError({
        code: 'E_UNSUPPORTED',
        message,
        file: join(at, 'package.json'),
        fix: `name one of ${clientNames.join(', ')} with --client`,
      })
    }
    if (dirname(at) === at) return undefined
  }
}

function packageManager(file: string): string | undefined {
  try {
    const { packageManager: value } = JSON.parse(readFileSync(file, 'utf8')) as { packageManager?: unknown }
    return typeof value === 'string' ? value.split('@', 1)[0] : undefined
  } catch {
    return undefined // none, or none that a client could read; packing says so
  }
}

function agentOf(env: NodeJS.ProcessEnv): ClientName {
  const name = (env['npm_config_user_agent'] ?? '').split('/', 1)[0] ?? ''
  return isClientName(name) ? name : 'npm'
}

/** The very client that started us where it is the one, so that its version is the same; else by name. */
function startOf(name: ClientName, env: NodeJS.ProcessEnv): readonly string[] {
  const { npm_execpath: script, npm_node_execpath: node } = env
  const same = script !== undefined && agentOf(env) === name && (env['npm_config_user_agent'] ?? '') !== ''
  if (!same || name === 'yarn') return [name]
  return /\.[cm]?js$/.test(script) ? [node ?? process.execPath, script] : [script]
}

/** How a client is run. */
export interface ClientRun {
  cwd: string
  env: NodeJS.ProcessEnv
  /** Keep stdout in place of passing it to stderr. */
  keep?: boolean
}

/** What came of it. */
export interface ClientResult {
  readonly code: number
  readonly stdout: string
}

const mostOutput = 64 * 1024 * 1024

/**
 * Runs a client to its end, without our keys and without what a client around us has set.
 * @throws InTotoError E_CONFIG: it can't be started
 */
export function runClient([program = '', ...args]: readonly string[], o: ClientRun): Promise<ClientResult> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((done, fail) => {
    // stdout and stderr of scripts go where people look; what the client itself must tell is asked for by `keep`
    const child = spawn(program, args, {
      cwd: o.cwd,
      env: plainEnvironment(o.env),
      stdio: ['inherit', o.keep === true ? 'pipe' : 2, o.keep === true ? 'ignore' : 2],
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= mostOutput) chunks.push(chunk)
    })
    child.once('error', (cause) => {
      const message = `cannot start ${printable(program)}`
      fail(
        new InTotoError(
          { code: 'E_CONFIG', message, fix: `install ${printable(basename(program))}, or name another client with --client` },
          { cause },
        ),
      )
    })
    child.once('close', (code, signal) =>
      done({ code: code ?? (signal === null ? 1 : 128), stdout: Buffer.concat(chunks).toString('utf8') }),
    )
  })
}

/** Settings of a client around us that would make another one inside do something else. */
const foreign =
  /^npm_(?:lifecycle_.*|package_.*|command|config_(?:dry_run|json|workspace|workspaces|include_workspace_root|pack_destination|ignore_scripts|foreground_scripts|node_gyp|argv))$/i

function plainEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(withoutSecrets(env)).filter(([name]) => !foreign.test(name)))
}

/** Packing: where from, where to. */
export interface PackCall {
  folder: string
  env: NodeJS.ProcessEnv
  /** An empty folder. */
  into: string
  /** File name of the tarball, for clients that must be told one. */
  file: string
  /** Run no script, as in a repack. */
  withoutScripts?: boolean
}

/**
 * Has the client pack the project.
 * @throws InTotoError E_PRODUCT: it failed (its own words are on stderr)
 */
export async function packBy(client: Client, o: PackCall): Promise<void> {
  const env = {
    ...o.env,
    [packingVariable]: o.into,
    ...(o.withoutScripts === true && client.name === 'yarn' ? { YARN_ENABLE_SCRIPTS: '0' } : {}),
  }
  const command = [...client.start, ...packArguments(client, o)]
  const { code } = await runClient(command, { cwd: o.folder, env })
  if (code === 0) return
  const message = `${[client.name, ...packArguments(client, o).slice(0, client.name === 'bun' ? 2 : 1)].join(' ')} ended with exit code ${code}`
  throw new InTotoError({ code: 'E_PRODUCT', message, fix: 'see what it said above' })
}

function packArguments({ name, version }: Client, o: PackCall): string[] {
  const quiet = o.withoutScripts === true ? ['--ignore-scripts'] : []
  if (name === 'bun') return ['pm', 'pack', '--destination', o.into, ...quiet]
  if (name === 'pnpm') return ['pack', '--pack-destination', o.into, ...(o.withoutScripts === true ? ['--config.ignore-scripts=true'] : [])]
  if (name === 'npm')
    return [
      'pack',
      '--pack-destination',
      o.into,
      ...(o.withoutScripts === true ? quiet : ['--foreground-scripts', '--ignore-scripts=false']),
    ]
  return version.startsWith('1.') ? ['pack', '--filename', join(o.into, o.file), ...quiet] : ['pack', '--out', join(o.into, o.file)]
}

/** The words by which a client uploads a tarball as it is, running no script. Yarn 4 can't upload a file: npm does it. */
export function uploadCommand(client: Client, tarball: string, args: readonly string[]): string[] {
  if (client.name === 'yarn') return ['npm', 'publish', tarball, '--ignore-scripts', ...args]
  const checks = client.name === 'pnpm' ? ['--no-git-checks'] : []
  return [...client.start, 'publish', tarball, '--ignore-scripts', ...checks, ...args]
}
