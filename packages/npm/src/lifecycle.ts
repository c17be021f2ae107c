/**
 * What npm tells the scripts of its life cycle, and the tarball that it has just written. The postpack hook calls it. The environment is a claim:
 * the file counts only when its digest is the one that npm gives.
 */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InTotoError } from 'intoto'
import { printable, readMetadataFile } from 'intoto/node'

/** A tarball that `npm pack` has just written. */
export interface FoundTarball {
  readonly path: string
  readonly bytes: Uint8Array
  /** `sha512-<base64>`, as npm says and as the bytes are. */
  readonly integrity: string
  /** Name and version of the client, such as `npm/11.0.0`. */
  readonly client: string
}

const largest = 1024 ** 3
const advice = 'publish with "intoto publish", or in two steps: "npm pack" (which records and verifies), then "npm publish <the .tgz>"'

/**
 * The tarball of the `npm pack` that runs this script as its postpack; undefined when npm only says what it would pack (`--dry-run`).
 * @throws InTotoError E_CONFIG: not inside npm's postpack, or inside a publish, where no tarball is on disk; E_UNSUPPORTED: another client;
 * E_PRODUCT: no file has the digest that npm gives; E_IO
 */
export function findTarball(env: NodeJS.ProcessEnv, cwd: string): FoundTarball | undefined {
  const client = clientOf(env)
  if (env['npm_lifecycle_event'] !== 'postpack') {
    throw misuse(
      'this command belongs into the "postpack" script of package.json',
      'add "postpack": "intoto postpack …" to "scripts" and run "npm pack"',
    )
  }
  if (!client.startsWith('npm/')) {
    const message = `${printable(client)} does not tell its postpack script which tarball it wrote`
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message,
      fix: 'pack with "npm pack", or record with "intoto run -n package -p <the .tgz> -- <pack command>"',
    })
  }
  if (env['npm_command'] !== 'pack') {
    throw misuse(`npm ${printable(env['npm_command'] ?? '')} packs in memory: there is no tarball to record and verify`, advice)
  }
  const integrity = env['npm_package_integrity'] ?? ''
  if (isDryRun(env)) return undefined
  if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))
    throw misuse('npm does not give the digest of its tarball (npm_package_integrity)', 'use npm 8 or later')
  const folder = resolve(env['INIT_CWD'] ?? cwd, setting(env, 'pack_destination') ?? '.')
  for (const path of candidates(folder, env)) {
    const bytes = readMetadataFile(path, { limit: largest })
    if (`sha512-${createHash('sha512').update(bytes).digest('base64')}` === integrity) return { path, bytes, integrity, client }
  }
  const message = `no tarball in ${printable(folder)} has the digest that npm gives`
  throw new InTotoError({
    code: 'E_PRODUCT',
    message,
    file: folder,
    expected: { text: integrity, from: 'npm_package_integrity' },
    fix: 'run "npm pack" again',
  })
}

/** Does npm only say what it would do? */
export function isDryRun(env: NodeJS.ProcessEnv): boolean {
  return setting(env, 'dry_run') === 'true'
}

/** A setting of npm: what it has decided is in small letters, what it was given in the environment as it was given. */
function setting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const own = `npm_config_${name}`
  const given = Object.keys(env).find((key) => key.toLowerCase().replaceAll('-', '_') === own)
  return env[own] ?? (given === undefined ? undefined : env[given])
}

/** The name that npm gives first, then all other tarballs: the digest decides, not the name. */
function candidates(folder: string, env: NodeJS.ProcessEnv): string[] {
  const name = (env['npm_package_name'] ?? '').replace(/^@/, '').replace('/', '-')
  const likely = `${name}-${env['npm_package_version'] ?? ''}.tgz`
  let names: string[]
  try {
    names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() && entry.name.endsWith('.tgz') ? [entry.name] : [],
    )
  } catch (cause) {
    const message = `cannot list ${printable(folder)}, where npm should have written its tarball`
    throw new InTotoError({ code: 'E_IO', message, file: folder, fix: 'check --pack-destination' }, { cause })
  }
  return names.sort((a, b) => Number(b === likely) - Number(a === likely)).map((file) => join(folder, file))
}

/** The first word of the user agent; Bun and Yarn set it as npm does. */
function clientOf(env: NodeJS.ProcessEnv): string {
  return (env['npm_config_user_agent'] ?? '').split(' ', 1)[0] || 'an unknown client'
}

function misuse(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}
