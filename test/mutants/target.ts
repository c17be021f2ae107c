/**
 * The readers as the fuzzer sees them: bytes in, an answer or a refusal in due form out. What two readers must agree about is compared. Called by the
 * slow test.
 */
import { isDeepStrictEqual } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  canonicalJson,
  decodeMetadata,
  formatRule,
  importKey,
  importSigner,
  matchPattern,
  parseExpires,
  parseJson,
  parseRuleText,
  stringifyJson,
  utf8,
  type JsonObject,
  type Metadata,
} from 'intoto'
import { readLines, readLockfile, readTarball } from 'intoto-npm'
import { withDefaults } from '../../packages/intoto/src/encoding/limits.ts'
import { decodePlain } from '../../packages/intoto/src/metadata/metadata.ts'
import type { TestKey } from '../interop/keys.ts'
import { chainCases } from '../intoto/chains.ts'
import { pax, tar } from '../npm/archive.ts'
import { lockfileText } from '../npm/fixture.ts'
import type { Target } from './fuzz.ts'
import { answer } from './kind.ts'
import { matches } from './oracle.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Everything about some metadata as text, so that artifacts in tables and in objects are the same. */
function told(metadata: Metadata | undefined): unknown {
  if (metadata === undefined) return undefined
  const { payload, signedBytes, signatures, format } = metadata
  return [format, stringifyJson(payload as unknown as JsonObject), text(signedBytes), signatures.map(({ keyid, sig }) => [keyid, [...sig]])]
}

async function metadata(bytes: Uint8Array): Promise<void> {
  const fast = await answer(() => decodeMetadata(bytes, { what: 'x' }))
  const plain = await answer(() => decodePlain(bytes, withDefaults({}), 'x'))
  check(isDeepStrictEqual(told(fast), told(plain)), 'the fast way and the plain one differ')
}

async function json(bytes: Uint8Array): Promise<void> {
  const read = await answer(() => parseJson(bytes))
  if (read === undefined) return
  JSON.parse(text(bytes))
  const again = stringifyJson(read.value)
  check(stringifyJson(parseJson(utf8(again)).value) === again, 'written and read again, it is another value')
  const canonical = await answer(() => canonicalJson(read.value))
  if (canonical !== undefined) check(!read.floats || !/[.eE]/.test(again.replace(/"(?:[^"\\]|\\.)*"/g, '')), 'a float has a canonical form')
}

async function rule(bytes: Uint8Array): Promise<void> {
  const read = await answer(() => parseRuleText(text(bytes)))
  if (read !== undefined)
    check(isDeepStrictEqual(parseRuleText(formatRule(read)), read), `written as ${formatRule(read)}, it is another rule`)
}

/** Pattern and name, a line each. */
function pattern(bytes: Uint8Array): void {
  const [pattern = '', name = ''] = text(bytes).split('\n')
  // The comparison goes through a regular expression, which many stars keep busy for ever.
  if (pattern.replace(/\*+/g, '*').split('*').length < 8) check(matchPattern(pattern, name) === matches(pattern, name), 'another match')
}

const lockfiles = ['npm-v3/package-lock.json', 'pnpm-v9/pnpm-lock.yaml', 'yarn-v1/yarn.lock', 'berry/yarn.lock', 'bun/bun.lock']

/** The targets, with inputs to begin with. */
export function targets(keys: readonly TestKey[]): Target[] {
  const small = (bytes: Uint8Array): boolean => bytes.length < 8000
  const files = chainCases.flatMap(({ layout, links }) => [layout, ...Object.values(links)]).filter(small)
  const lines = files.filter((_, i) => i % 20 === 0).map((bytes) => utf8(text(bytes).replaceAll('\n', ' ')))
  const archive = tar([
    { name: 'package/package.json', content: '{}' },
    { name: 'PaxHeader/y', kind: 'x', content: pax([['path', 'package/ü.js']]) },
    { name: 'y', content: 'y' },
  ])
  return [
    { name: 'metadata', seeds: files, run: metadata },
    { name: 'json', seeds: files.slice(0, 40), run: json },
    { name: 'public keys', seeds: keys.map(({ publicPem }) => utf8(publicPem)), run: (bytes) => answer(() => importKey(text(bytes))) },
    {
      name: 'private keys',
      seeds: keys.map(({ privatePem }) => utf8(privatePem)),
      run: (bytes) => answer(() => importSigner(text(bytes))),
    },
    {
      name: 'tar archives',
      seeds: [archive],
      run: (bytes) => answer(() => readTarball(new Uint8Array(gzipSync(bytes, { level: 1 })), { unpackedBytes: 2 ** 22 })),
    },
    {
      name: 'gzip',
      seeds: [new Uint8Array(gzipSync(archive))],
      run: (bytes) => answer(() => readTarball(bytes, { unpackedBytes: 2 ** 22 })),
    },
    ...lockfiles.map((path) => ({
      name: path,
      seeds: [utf8(lockfileText(path))],
      run: (bytes: Uint8Array) => answer(() => readLockfile({ name: path, text: text(bytes) })),
    })),
    { name: 'lines', seeds: [utf8(lines.map(text).join('\n')), ...lines], run: (bytes) => answer(() => readLines(bytes)) },
    { name: 'rules', seeds: ['ALLOW *', 'MATCH a/* IN b WITH PRODUCTS IN c FROM d', 'REQUIRE "a\\n"'].map(utf8), run: rule },
    { name: 'patterns', seeds: ['*.js\na.js', '[!a-c]?\nxy', '**/[]x]\na/]'].map(utf8), run: pattern },
    { name: 'expiry', seeds: [utf8('2030-02-28T23:59:59Z')], run: (bytes) => answer(() => parseExpires(text(bytes))) },
  ]
}
