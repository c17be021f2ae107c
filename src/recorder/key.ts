/**
 * The key that signs, taken once for the whole process, and the pieces of it that must never be found in an emitted file. The variable is
 * emptied as soon as the plugin is made, before other plugins run. No message and no file holds any of it.
 */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findSigner, loadSignerSync } from 'intoto/node'
import type { Problem, Signer } from 'intoto'
import { problemText } from './failure.ts'
import type { Log } from './log.ts'
import { packageOf } from './place.ts'

/** Who signs, if anybody, and what to look for in products. */
export interface SigningKey {
  readonly signer?: Signer
  /** Absolute path of the file that holds it, if it came from one. */
  readonly file?: string
  /** Pieces of the secret: text of the PEM, the number itself in hex and base64. */
  readonly needles: readonly Buffer[]
}

/** Takes key and password out of the environment, before any other plugin runs; `findSigner` keeps the key for when a build begins. */
export function takeKey(): void {
  remember('INTOTO_KEY', process.env['INTOTO_KEY'])
  remember('INTOTO_PASSWORD', process.env['INTOTO_PASSWORD'])
  delete process.env['INTOTO_PASSWORD']
  findSigner({ env: process.env, ci: true })
}

/**
 * The signer for a build: the given one, or the first that is found.
 * @param o.known keys that this process has loaded already
 * @throws InTotoError E_KEY when a key is named and cannot be used
 */
export function signingKey(
  given: string | Signer | undefined,
  folder: string,
  o: { known: Map<string, SigningKey>; log: Log },
): SigningKey {
  if (typeof given === 'object') return { signer: given, needles: [] }
  const found = findKey(given, folder)
  if (found === undefined) return { needles: [] }
  const known = o.known.get(found.ref)
  if (known !== undefined) return known
  const name = found.ref.startsWith('env:') ? found.ref.slice('env:'.length) : undefined
  if (name !== undefined) remember(name, process.env[name])
  const password = secrets.get('INTOTO_PASSWORD')
  const signer = loadSignerSync(found.ref, {
    warn: (p: Problem) => o.log.warn(problemText(p)),
    ...(password === undefined ? {} : { password }),
  })
  const file = name === undefined ? pathOf(found.ref) : undefined
  const key = { signer, needles: needlesOf(file === undefined ? secrets.get(name ?? '') : textOf(file)), ...(file && { file }) }
  o.known.set(found.ref, key)
  return key
}

/** Where the key of a build is, if there is one; nothing is read of it yet. */
export function findKey(given: string | undefined, folder: string): { readonly ref: string } | undefined {
  return findSigner({ given, env: process.env, ci: isCi(process.env), packageName: nameIn(folder) })
}

/** Secrets as they stood in variables, to know what must not leak. */
const secrets = new Map<string, string>()

function remember(name: string, value: string | undefined): void {
  if (value !== undefined && value !== '') secrets.set(name, value)
}

function isCi(env: NodeJS.ProcessEnv): boolean {
  return env['CI'] !== undefined && !['', '0', 'false'].includes(env['CI'])
}

function nameIn(folder: string): string | undefined {
  const name = packageOf(folder)?.['name']
  return typeof name === 'string' ? name : undefined
}

function pathOf(ref: string): string {
  return ref.startsWith('file://') ? fileURLToPath(ref) : resolve(ref.replace(/^file:/, ''))
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** Long enough not to be found by chance, short enough to be found in any wrapping. */
const needleLength = 40

function needlesOf(text: string | undefined): Buffer[] {
  const needles = new Set<string>()
  const password = secrets.get('INTOTO_PASSWORD')
  if (password !== undefined && password.length >= 12) needles.add(password)
  if (text !== undefined) {
    const pem = text.includes('-----BEGIN') ? text.replaceAll('\\n', '\n') : Buffer.from(text, 'base64').toString('utf8')
    if (pem !== text) needles.add(middle(text.trim().split(/\s+/)[0] ?? ''))
    needles.add(middle(secretLine(pem)))
    for (const encoding of ['base64', 'hex'] as const) needles.add(middle(Buffer.from(pem).toString(encoding)))
    for (const form of numberForms(pem)) needles.add(form)
  }
  return [...needles].filter((needle) => needle.length >= 12).map((needle) => Buffer.from(needle, 'latin1'))
}

function middle(line: string): string {
  const start = Math.max(0, Math.floor((line.length - needleLength) / 2))
  return line.slice(start, start + needleLength)
}

/** A line of the PEM that holds some of the secret: long keys (RSA) begin with their public half, short ones end with it. */
function secretLine(pem: string): string {
  const lines = pem.split(/\s+/).filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))
  return lines[lines.length < 8 ? Math.min(1, lines.length - 1) : Math.floor(lines.length / 2)] ?? ''
}

/** The private number itself: `d` of a JSON Web Key, in the writings that programs use. */
function numberForms(pem: string): string[] {
  try {
    const { d } = createPrivateKey(pem).export({ format: 'jwk' })
    if (typeof d !== 'string') return []
    const bytes = Buffer.from(d, 'base64url')
    const [hex, base64] = [bytes.toString('hex'), bytes.toString('base64')]
    return [hex, hex.toUpperCase(), base64, d, bytes.toString('latin1')]
  } catch {
    return [] // encrypted, or a kind that only our own reader knows
  }
}
