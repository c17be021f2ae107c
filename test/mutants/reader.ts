/**
 * Mutants of everything that is read beside chains: keys, tarballs, lockfiles, bundles, rules, patterns. What a reader accepts must be what a plain
 * second reading finds; what it refuses, it refuses in due form.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  createLink,
  formatRule,
  importKey,
  importSigner,
  matchPattern,
  parseRule,
  parseRuleText,
  ruleTokens,
  sign,
  toStatement,
  utf8,
  verifySignature,
} from 'intoto'
import { readLines, readLockfile, readTarball, toBundle, verifyBundle, writeLines } from 'intoto-npm'
import type { TestKey } from '../interop/keys.ts'
import { artifactNames, patternFor, strayPattern } from '../interop/names.ts'
import type { Random } from '../interop/random.ts'
import { pax, tar } from '../npm/archive.ts'
import { lockfileText } from '../npm/fixture.ts'
import { mutateBytes } from './bytes.ts'
import { answer, type Kind, type Outcome } from './kind.ts'
import { matches, publicKey as plainKey } from './oracle.ts'

const lossy = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
const mutateText = (text: string, random: Random): string => lossy(mutateBytes(utf8(text), random))

function check(holds: boolean, what: string): Outcome {
  if (!holds) throw new Error(what)
  return 'accepted'
}

const spki = (text: string): string => plainKey(text).export({ type: 'spki', format: 'der' }).toString('hex')

async function publicKey(random: Random, keys: readonly TestKey[]): Promise<Outcome> {
  const pem = mutateText(random.pick(keys).publicPem, random)
  const key = await answer(() => importKey(pem))
  if (key === undefined) return 'refused'
  const { public: text } = key.keyval
  return check(spki(pem).endsWith(key.keytype === 'ed25519' ? text : spki(text)), `another key than OpenSSL reads: ${pem}`)
}

async function privateKey(random: Random, keys: readonly TestKey[]): Promise<Outcome> {
  // The base64 inside decoded, changed and encoded again: a letter changed in PEM rarely is more than a broken frame.
  const { privatePem } = random.pick(keys)
  const der = Buffer.from(privatePem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const changed = Buffer.from(mutateBytes(der, random)).toString('base64').replace(/.{64}/g, '$&\n')
  const pem = random.chance(0.3) ? mutateText(privatePem, random) : `-----BEGIN PRIVATE KEY-----\n${changed}\n-----END PRIVATE KEY-----\n`
  const signer = await answer(() => importSigner(pem))
  if (signer === undefined) return 'refused'
  const data = utf8('data')
  const good = await answer(async () => verifySignature(signer.key, data, await signer.sign(data)))
  if (!good) return 'refused'
  const inside = /-----BEGIN PRIVATE KEY-----([^]*?)-----END/.exec(pem)?.[1] ?? ''
  const plain = createPrivateKey({ key: Buffer.from(inside, 'base64'), format: 'der', type: 'pkcs8' })
  const own = createPublicKey(plain).export({ type: 'spki', format: 'der' }).toString('hex')
  const { public: text } = signer.key.keyval
  return check(own.endsWith(signer.key.keytype === 'ed25519' ? text : spki(text)), 'a signer with the key of somebody else')
}

const archive = tar([
  { name: 'package/package.json', content: '{"name":"x","version":"1.0.0"}' },
  { name: 'package/dist/index.js', content: 'export default 1\n'.repeat(40) },
  { name: 'package/dist/', kind: '5', mode: '000755 ' },
  { name: 'PaxHeader/y', kind: 'x', content: pax([['path', 'package/ü.js']]) },
  { name: 'y', content: 'y' },
  { name: 'c.js', prefix: 'package/lib', content: '' },
])

const field = (header: Buffer, at: number, length: number): string =>
  header
    .subarray(at, at + length)
    .toString()
    .replace(/\0[^]*$/, '')

/** The files of an archive as the simplest of readers sees them. */
function naiveTar(bytes: Buffer): Record<string, string> {
  const files: Record<string, string> = Object.create(null)
  let path: string | undefined
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const header = bytes.subarray(at, at + 512)
    const size = Number.parseInt(field(header, 124, 12).trim(), 8)
    const content = bytes.subarray(at + 512, at + 512 + size)
    const kind = field(header, 156, 1)
    const prefix = field(header, 257, 6) === 'ustar' ? field(header, 345, 155) : ''
    const name = path ?? (prefix === '' ? '' : `${prefix}/`) + field(header, 0, 100)
    path = kind === 'x' ? /\d+ path=(.*)\n/.exec(content.toString())?.[1] : undefined
    if (kind === '0' || kind === '') files[name] = content.toString('latin1')
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

/** Headers with their sums put right, so that a change gets further than the sum. */
function repaired(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes)
  for (let at = 0; at + 512 <= out.length; at += 512) {
    if (!fieldIs(out, at + 257, 'ustar')) continue
    out.fill(0x20, at + 148, at + 156)
    const sum = out.subarray(at, at + 512).reduce((total, byte) => total + byte, 0)
    out.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), at + 148)
  }
  return out
}

const fieldIs = (bytes: Uint8Array, at: number, text: string): boolean => lossy(bytes.subarray(at, at + text.length)) === text

async function tarball(random: Random): Promise<Outcome> {
  const way = random.below(4)
  const changed = way === 0 ? archive : mutateBytes(archive, random)
  const packed = new Uint8Array(gzipSync(way === 1 ? changed : repaired(changed), { level: 1 }))
  const bytes = way === 0 ? mutateBytes(packed, random) : packed
  const read = await answer(() => readTarball(bytes, { unpackedBytes: 2 ** 24 }))
  if (read === undefined) return 'refused'
  const files = Object.create(null) as Record<string, string>
  for (const { name, bytes } of read.files) files[name] = Buffer.from(bytes).toString('latin1')
  const naive = naiveTar(gunzipSync(bytes))
  const told = [files, naive].map((seen) => JSON.stringify(Object.entries(seen).map(([name, content]) => [name, content.slice(0, 20)])))
  return check(isDeepStrictEqual(files, naive), `another reader sees other files: ${told.join(' and ')}`)
}

const lockfiles = [
  'npm-v3/package-lock.json',
  'npm-v2/package-lock.json',
  'pnpm-v9/pnpm-lock.yaml',
  'pnpm-v6/pnpm-lock.yaml',
  'yarn-v1/yarn.lock',
  'berry/yarn.lock',
  'bun/bun.lock',
].map((path) => ({ name: path, text: lockfileText(path) }))

async function lockfile(random: Random): Promise<Outcome> {
  const { name, text } = random.pick(lockfiles)
  const changed = mutateText(text, random)
  const read = await answer(() => readLockfile({ name, text: changed }))
  if (read === undefined) return 'refused'
  for (const { name: own, integrity, digests } of read.packages) {
    check(typeof own === 'string' && Object.values(digests).every((hex) => /^[0-9a-f]+$/.test(hex)), `odd package ${own}`)
    // Yarn 1 may have a SHA-1 behind the address, in hex.
    const written = integrity?.startsWith('sha1-') ? Buffer.from(integrity.slice('sha1-'.length), 'base64').toString('hex') : ''
    if (integrity === undefined || changed.includes('\\')) continue
    // YAML reads a line end within a text as a space.
    const [whole, part] = [changed, integrity].map((one) => one.replace(/\s+/g, '')) as [string, string]
    check(
      whole.includes(part) || whole.toLowerCase().includes(written || part),
      `an integrity from nowhere: ${integrity} of ${own} in ${name}`,
    )
  }
  return 'accepted'
}

async function bundles(keys: readonly TestKey[]): Promise<Kind['run']> {
  const signer = keys.find(({ type }) => type === 'ed25519')!
  const link = createLink({ name: 'package', command: ['npm', 'pack'], products: { 'a-1.0.0.tgz': { sha256: 'ab'.repeat(32) } } })
  const envelope = await sign(toStatement(link), [signer.signer])
  const bundle = await toBundle(envelope, signer.key)
  const lines = writeLines([envelope, await sign(link, [signer.signer])])
  const payload = (bytes: Uint8Array): string =>
    Buffer.from((JSON.parse(lossy(bytes)) as { dsseEnvelope: { payload: string } }).dsseEnvelope.payload, 'base64').toString('hex')
  return async (random) => {
    if (random.chance(0.4)) {
      const read = await answer(() => readLines(mutateBytes(lines, random)))
      return read === undefined || read.lines.length === 0 ? 'refused' : 'accepted'
    }
    const bytes = mutateBytes(bundle, random)
    const found = await answer(() => verifyBundle(bytes, [signer.key]))
    return found === undefined ? 'refused' : check(payload(bytes) === payload(bundle), 'a bundle with another payload')
  }
}

const rules = ['ALLOW *', 'MATCH src/*.js IN a WITH PRODUCTS IN b/c FROM build', 'REQUIRE "a b"', 'DISALLOW [!a-c]?*', 'CREATE dist/*']

async function rule(random: Random): Promise<Outcome> {
  const text = mutateText(random.pick(rules), random)
  const read = await answer(() => parseRuleText(text))
  if (read === undefined) return 'refused'
  check(isDeepStrictEqual(parseRuleText(formatRule(read)), read), `written as ${formatRule(read)}, it reads otherwise: ${text}`)
  return check(isDeepStrictEqual(parseRule(ruleTokens(read)), read), `its tokens read otherwise: ${text}`)
}

function pattern(random: Random): Outcome {
  const name = artifactNames(random, 1)[0]!
  const text = mutateText(random.chance(0.5) ? patternFor(random, name) : strayPattern(random), random)
  const other = random.chance(0.5) ? name : mutateText(name, random)
  check(
    matchPattern(text, other) === matches(text, other),
    `${JSON.stringify(text)} on ${JSON.stringify(other)} is ${matchPattern(text, other)}`,
  )
  return matchPattern(text, other) ? 'accepted' : 'refused'
}

/** The kinds of mutants of what is read beside chains. */
export async function readerKinds(keys: readonly TestKey[]): Promise<Kind[]> {
  return [
    { name: 'public keys', weight: 6, run: (random) => publicKey(random, keys) },
    { name: 'private keys', weight: 4, run: (random) => privateKey(random, keys) },
    { name: 'tarballs', weight: 8, run: tarball },
    { name: 'lockfiles', weight: 8, run: lockfile },
    { name: 'bundles', weight: 5, run: await bundles(keys) },
    { name: 'rules', weight: 4, run: rule },
    { name: 'patterns', weight: 4, run: pattern },
  ]
}
