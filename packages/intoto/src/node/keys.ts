/**
 * Finds and reads keys: PEM files, environment variables, passwords, and the place in a user's configuration folder where `intoto init` puts a
 * private key. The plugin and every command get their signer here. A message never holds a byte of a key or a password.
 */
import { createECDH, createPrivateKey } from 'node:crypto'
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromUtf8 } from '../encoding/bytes.ts'
import { InTotoError, problem, type Problem } from '../errors.ts'
import { importKey, type Key } from '../keys/key.ts'
import { importSigner, importSignerSync, type Signer, type SignerOptions } from '../keys/signer.ts'
import { printable } from './fault.ts'
import { readMetadataFile } from './read.ts'

/** How a signing key is to be read. */
export interface LoadOptions {
  /** For an encrypted key; else INTOTO_PASSWORD, or the first line of the file that INTOTO_PASSWORD_FILE names. */
  password?: string
  /** Environment to look into; `process.env` unless given. */
  env?: NodeJS.ProcessEnv
  /** Receives a warning when others than the owner can read the key file. */
  warn?: (problem: Problem) => void
  /** Another scheme than the key type's own: see `SignerOptions`. */
  scheme?: string
}

/** Where a signing key may come from, in order. */
export interface KeySearch {
  /** What the person named: wins over all else. */
  given?: string | undefined
  env: NodeJS.ProcessEnv
  /** On a build machine no user's own key is picked up. */
  ci: boolean
  /** Name in package.json, under which `intoto init` keeps a key. */
  packageName?: string | undefined
}

/** A reference for `loadSigner`, and in words where it was found. */
export interface FoundSigner {
  readonly ref: string
  readonly from: string
}

/** Values taken out of an environment, for the next build of the same process. */
const taken = new WeakMap<object, Map<string, string>>()

/**
 * Signer for a reference: a path, `file:PATH`, or `env:NAME` (PEM, also with `\n` for line ends, base64 of PEM, or a token of
 * DevGuard). A variable is taken out of
 * the environment.
 * @throws InTotoError E_KEY: absent, unreadable, not a private key, wrong or missing password
 */
export async function loadSigner(ref: string, o: LoadOptions = {}): Promise<Signer> {
  const { pem, options } = privateKey(ref, o)
  try {
    return await importSigner(pem, options)
  } catch (error) {
    throw keyFault(error, 'signing key', ref)
  }
}

/** The same for where nothing can be awaited; the signer has `signSync`. */
export function loadSignerSync(ref: string, o: LoadOptions = {}): Signer {
  const { pem, options } = privateKey(ref, o)
  try {
    return importSignerSync(pem, options)
  } catch (error) {
    throw keyFault(error, 'signing key', ref)
  }
}

/**
 * Public key from a PEM file.
 * @throws InTotoError E_KEY: absent, unreadable, not a public key of a kind that is known
 */
export async function loadKey(path: string): Promise<Key> {
  try {
    return await importKey(fromUtf8(readMetadataFile(path, { what: 'key' })))
  } catch (error) {
    throw keyFault(error, 'public key', path)
  }
}

/** The first of: what is given, INTOTO_KEY, INTOTO_KEY_FILE, outside CI the key that `intoto init` made for this package. Takes INTOTO_KEY out. */
export function findSigner(o: KeySearch): FoundSigner | undefined {
  const inline = takeVariable('INTOTO_KEY', o.env)
  if (o.given !== undefined) return { ref: o.given, from: 'the key that was named' }
  if (inline !== undefined) return { ref: 'env:INTOTO_KEY', from: 'INTOTO_KEY' }
  const file = o.env['INTOTO_KEY_FILE']
  if (file !== undefined && file !== '') return { ref: `file:${file}`, from: 'INTOTO_KEY_FILE' }
  const own = o.ci || o.packageName === undefined ? undefined : userKeyFile(o.packageName, o.env)
  return own !== undefined && isThere(own)
    ? { ref: `file:${own}`, from: `the key of ${o.packageName ?? ''} in your configuration folder` }
    : undefined
}

/**
 * The password that the environment holds: INTOTO_PASSWORD, which is taken out of it, else the first line of the file that INTOTO_PASSWORD_FILE names.
 * @throws InTotoError E_KEY: that file can't be read, or its first line is empty
 */
export function findPassword(env: NodeJS.ProcessEnv): string | undefined {
  const value = takeVariable('INTOTO_PASSWORD', env)
  if (value !== undefined) return value
  const file = env['INTOTO_PASSWORD_FILE']
  if (file === undefined || file === '') return undefined
  const [line = ''] = textOf(file, 'the password file').split(/\r?\n/, 1)
  if (line !== '') return line
  const message = `the password file ${printable(file)} holds no password in its first line`
  throw new InTotoError({ code: 'E_KEY', message, file, fix: 'write the password into it, or unset INTOTO_PASSWORD_FILE' })
}

/** Path of the private key that belongs to a package name, in the user's configuration folder; undefined for what is no package name. */
export function userKeyFile(packageName: string, env: NodeJS.ProcessEnv): string | undefined {
  if (!/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~_-][a-z0-9._~-]*$/i.test(packageName)) return undefined
  return join(configurationFolder(env), 'intoto', `${packageName.replace('/', '+')}.pem`)
}

function configurationFolder(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'win32') return env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support')
  const folder = env['XDG_CONFIG_HOME']
  return folder !== undefined && isAbsolute(folder) ? folder : join(env['HOME'] ?? homedir(), '.config')
}

/** A configuration folder that can't be read holds no key for us. */
function isThere(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** An empty variable counts as absent: build machines set it so where a secret is not available. */
function takeVariable(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const values = taken.get(env) ?? new Map<string, string>()
  taken.set(env, values)
  const value = env[name]
  if (value !== undefined) delete env[name]
  if (value !== undefined && value !== '') values.set(name, value)
  return values.get(name)
}

function privateKey(ref: string, o: LoadOptions): { pem: string; options: SignerOptions } {
  const env = o.env ?? process.env
  const pem = ref.startsWith('env:') ? fromVariable(ref.slice('env:'.length), env) : fromFile(ref, o.warn)
  if (!/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) return { pem, options: { scheme: o.scheme } }
  return { pem, options: { scheme: o.scheme, password: o.password ?? passwordFrom(env, ref) } }
}

function passwordFrom(env: NodeJS.ProcessEnv, ref: string): string {
  const password = findPassword(env)
  if (password !== undefined) return password
  const fix = 'set INTOTO_PASSWORD or INTOTO_PASSWORD_FILE'
  throw new InTotoError({ code: 'E_KEY', message: `the signing key ${printable(ref)} is encrypted and there is no password`, fix })
}

function fromVariable(name: string, env: NodeJS.ProcessEnv): string {
  const value = takeVariable(name, env)
  const fix = 'set it to the PEM text of a private key, or to its base64'
  if (value === undefined) throw new InTotoError({ code: 'E_KEY', message: `the variable ${printable(name)} is not set or empty`, fix })
  if (/^[0-9a-f]{64}$/i.test(value.trim())) return fromScalar(value.trim(), name)
  const pem = value.includes('-----BEGIN') ? value : Buffer.from(value, 'base64').toString('utf8')
  if (!pem.includes('-----BEGIN')) {
    throw new InTotoError({ code: 'E_KEY', message: `the variable ${printable(name)} holds neither PEM nor base64 of PEM`, fix })
  }
  return withLines(pem)
}

/** A private key of P-256 as the bare number: DevGuard's tokens are of this form. */
function fromScalar(hex: string, name: string): string {
  try {
    const curve = createECDH('prime256v1')
    curve.setPrivateKey(hex, 'hex')
    const point = curve.getPublicKey()
    const member = (bytes: Buffer): string => bytes.toString('base64url')
    const key = {
      kty: 'EC',
      crv: 'P-256',
      d: member(Buffer.from(hex, 'hex')),
      x: member(point.subarray(1, 33)),
      y: member(point.subarray(33)),
    }
    return createPrivateKey({ key, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }) as string
  } catch {
    const message = `the variable ${printable(name)} holds 64 hexadecimal digits that are no private key of P-256`
    throw new InTotoError({ code: 'E_KEY', message, fix: 'copy the token again' })
  }
}

/** Secrets stores write line ends as `\n` or turn them into spaces. */
function withLines(pem: string): string {
  const lines = pem.replaceAll('\\r', '').replaceAll('\\n', '\n').trim()
  if (lines.includes('\n')) return `${lines}\n`
  return lines.replace(
    /^(-----BEGIN [A-Z0-9 ]+-----)\s*(.*?)\s*(-----END [A-Z0-9 ]+-----)$/,
    (_, begin: string, body: string, end: string) => {
      return `${begin}\n${body.replaceAll(' ', '\n')}\n${end}\n`
    },
  )
}

function fromFile(ref: string, warn: LoadOptions['warn']): string {
  const path = ref.startsWith('file:') ? filePath(ref) : ref
  const pem = textOf(path, 'the signing key')
  const mode = process.platform === 'win32' ? 0 : (statSync(path, { throwIfNoEntry: false })?.mode ?? 0)
  if ((mode & 0o077) !== 0 && pem.includes('PRIVATE KEY')) {
    const message = `others than you may read the signing key ${printable(path)}`
    warn?.(problem({ code: 'E_KEY', severity: 'warning', message, file: path, fix: `chmod 600 ${printable(path)}` }))
  }
  return pem
}

function filePath(ref: string): string {
  if (!ref.startsWith('file://')) return ref.slice('file:'.length)
  try {
    return fileURLToPath(ref)
  } catch (cause) {
    throw new InTotoError({ code: 'E_KEY', message: `${printable(ref)} is no file URL`, fix: 'name the key file by its path' }, { cause })
  }
}

function textOf(path: string, what: string): string {
  try {
    return fromUtf8(readMetadataFile(path, { what: 'key' }))
  } catch (error) {
    throw keyFault(error, what, path)
  }
}

/** Every failure with a key is E_KEY and names the reference; the reason stays. */
function keyFault(error: unknown, what: string, ref: string): InTotoError {
  if (!(error instanceof InTotoError)) throw error
  const { message, fix, expected, actual } = error.problem
  const named = message.includes(printable(ref)) ? message : `${what} ${printable(ref)}: ${message}`
  const evidence = { ...(expected === undefined ? {} : { expected }), ...(actual === undefined ? {} : { actual }) }
  const advice = fix.length === 0 ? 'give a key in PEM form' : fix
  return new InTotoError({ code: 'E_KEY', message: named, file: ref, fix: advice, ...evidence }, { cause: error })
}
