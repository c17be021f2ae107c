/**
 * Metadata and keys made to exhaust whoever reads them: each is refused, or judged within a documented limit, by the command itself. Prints the table of
 * docs/limits.md; fails at ten times what is promised there.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createLink,
  encodeMetadata,
  importSigner,
  sign,
  type Artifacts,
  type JsonValue,
  type LinkInit,
  type Payload,
  type Signer,
} from 'intoto'
import { bareEnvironment, bin } from '../cli/command.ts'

/** What is promised; the tests allow ten times as much, since they run beside others on machines of any kind. */
const promised = { seconds: 2, mebibytes: 256 }
const margin = 10

const top = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-hostile-'))
afterAll(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }))
const at = (name: string): string => join(top, name)

/** Says at its end what the process took. */
const meter = at('meter.cjs')
writeFileSync(
  meter,
  `process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const fs = require('node:fs')
  // What resourceUsage knows includes what the test itself had in memory when it started us.
  const status = fs.existsSync('/proc/self/status') ? fs.readFileSync('/proc/self/status', 'utf8') : ''
  const kibibytes = Number(/VmHWM:\\s*(\\d+)/.exec(status)?.[1] ?? maxRSS)
  fs.writeFileSync(process.env.METER, JSON.stringify({ mebibytes: kibibytes / 1024, seconds: (userCPUTime + systemCPUTime) / 1e6 }))
})`,
)

interface Figures {
  readonly code: number | null
  readonly seconds: number
  readonly mebibytes: number
  readonly text: string
}

function measure(words: readonly string[], env: NodeJS.ProcessEnv = {}): Figures {
  rmSync(at('figures'), { force: true })
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', meter, bin, ...words], {
    cwd: top,
    env: bareEnvironment({ METER: at('figures'), ...env }),
    encoding: 'utf8',
    timeout: promised.seconds * margin * 3000,
    killSignal: 'SIGKILL',
  })
  const text = stdout + stderr
  expect(status, `no end within ${promised.seconds * margin * 3} s: ${words.join(' ')}`).not.toBe(null)
  const figures = JSON.parse(readFileSync(at('figures'), 'utf8')) as { mebibytes: number; seconds: number }
  return { code: status, text, ...figures }
}

const table: Record<string, { answer: string; 'CPU s': string; MiB: number }> = {}

/** Runs the command on one hostile thing and holds what it takes against the promise. */
function judge(name: string, words: readonly string[], o: { answer: RegExp; code?: readonly number[]; env?: NodeJS.ProcessEnv }): void {
  const { code, seconds, mebibytes, text } = measure(words, o.env)
  const told = `${name}: ${code} after ${seconds} s with ${mebibytes} MiB\n${text.slice(0, 3000)}`
  const answer = /\b(E_[A-Z_]+) /.exec(text)?.[1] ?? 'accepted'
  table[name] = { answer, 'CPU s': seconds.toFixed(1), MiB: Math.round(mebibytes) }
  expect(o.code ?? [1, 2], told).toContain(code)
  expect(text, told).toMatch(o.answer)
  expect(text.length, told).toBeLessThan(100_000)
  expect(text, told).not.toMatch(/\n\s+at |internal error|Maximum call stack|heap out of memory/)
  expect(seconds, told).toBeLessThan(promised.seconds * margin)
  expect(mebibytes, told).toBeLessThan(promised.mebibytes * margin)
}

let owner: Signer
let ci: Signer
let linkName: string

const verifyWords = ['verify', 'dist', '-k', 'owner.pub', '-l', 'root.layout', '-d', 'links', '--base-path', '.']
const future = '2099-01-01T00:00:00Z'

interface Parts {
  rules?: string[][]
  keys?: { [keyid: string]: JsonValue }
  pubkeys?: string[]
  threshold?: number
  expires?: string
}

function layoutOf(o: Parts = {}): Payload {
  const step = {
    _type: 'step',
    name: 'build',
    threshold: o.threshold ?? 1,
    pubkeys: o.pubkeys ?? [ci.key.keyid],
    expected_command: [],
    expected_materials: [],
    expected_products: o.rules ?? [['ALLOW', '*']],
  }
  const keys = { [ci.key.keyid]: ci.key as unknown as JsonValue, ...o.keys }
  return { _type: 'layout', expires: o.expires ?? future, readme: '', keys, steps: [step], inspect: [] } as unknown as Payload
}

async function put(file: string, payload: Payload, signer: Signer): Promise<void> {
  writeFileSync(at(file), encodeMetadata(await sign(payload, [signer], { format: 'metablock' })))
}

async function restore(): Promise<void> {
  for (const name of ['root.layout', `links/${linkName}`, 'owner.pub']) rmSync(at(name), { recursive: true, force: true })
  writeFileSync(at('owner.pub'), owner.key.keyval.public.startsWith('-') ? owner.key.keyval.public : ownerPem)
  await put('root.layout', layoutOf(), owner)
  await put(`links/${linkName}`, createLink({ name: 'build', products: product }), ci)
}
let ownerPem: string
let product: Artifacts

beforeAll(async () => {
  const pair = (): { publicKey: string; privateKey: string } =>
    generateKeyPairSync('ed25519', {
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
  const [a, b] = [pair(), pair()]
  ownerPem = a.publicKey
  owner = await importSigner(a.privateKey)
  ci = await importSigner(b.privateKey)
  writeFileSync(at('ci'), b.privateKey, { mode: 0o600 })
  linkName = `build.${ci.key.keyid.slice(0, 8)}.link`
  for (const name of ['dist', 'links']) mkdirSync(at(name))
  writeFileSync(at('dist/a.js'), '')
  product = { 'dist/a.js': { sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' } }
  await restore()
  expect(measure(verifyWords).text).toContain('Verified.')
})

/** Writes a file in pieces, so that the test itself needs no memory for it. */
function writePieces(path: string, start: string, pieces: readonly [text: string, times: number], end: string): void {
  const [text, times] = pieces
  const many = Math.max(1, Math.floor(2 ** 20 / text.length))
  const descriptor = openSync(path, 'w')
  writeSync(descriptor, start)
  const block = text.repeat(many)
  let left = times
  for (; left > many; left -= many) writeSync(descriptor, block)
  writeSync(descriptor, text.repeat(left))
  writeSync(descriptor, end)
  closeSync(descriptor)
}

const mebibyte = 2 ** 20

describe.each(['layout', 'link', 'key'] as const)('in place of a %s', (what) => {
  const file = (): string => at({ layout: 'root.layout', link: `links/${linkName}`, key: 'owner.pub' }[what])
  const places: Readonly<Record<string, (path: string) => void>> = {
    'a FIFO': (path) => execFileSync('mkfifo', [path]),
    '/dev/zero': (path) => symlinkSync('/dev/zero', path),
    'a folder': (path) => mkdirSync(path),
    'a loop of links': (path) => symlinkSync(path, path),
    '2.5 GB, sparse': (path) => {
      writeFileSync(path, '')
      truncateSync(path, 2.5e9)
    },
    '200 MB of one string': (path) => writePieces(path, '{"signatures": [], "signed": "', ['a', 200e6], '"}'),
    '100,000 levels': (path) => writeFileSync(path, `{"signatures": [], "signed": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    '100,000 levels in an envelope': (path) => {
      const payload = Buffer.from(`{"_type": "link", "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`).toString('base64')
      writeFileSync(
        path,
        JSON.stringify({ payloadType: 'application/vnd.in-toto+json', payload, signatures: [{ keyid: '', sig: 'AAAA' }] }),
      )
    },
    '1,000,000 signatures': (path) =>
      writePieces(path, '{"signed": {"_type": "link"}, "signatures": [', ['{"keyid": "ab", "sig": "ab"},', 1e6], '{}]}'),
    'a string of 120 MiB': (path) => writePieces(path, '{"signatures": [], "signed": "', ['a', 120 * mebibyte], '"}'),
    '120 MiB of white space': (path) => writePieces(path, '{', [' ', 120 * mebibyte], '}'),
    '120 MiB of escapes': (path) => writePieces(path, '{"signatures": [], "signed": "', ['\\u0041', 20 * mebibyte], '"}'),
    '1,900,000 empty objects': (path) =>
      writePieces(path, '{"signatures": [], "signed": [', [`[${Array(99_999).fill('{}').join()}],`, 19], '0]}'),
    'an integer of 10,000,000 digits': (path) => writePieces(path, '{"signatures": [], "signed": ', ['7', 1e7], '}'),
    '240,000 members of one object': (path) => {
      const members = Array.from({ length: 240_000 }, (_, i) => `"${i}": 0`)
      writeFileSync(path, `{"signatures": [], "signed": {${members.join()}}}`)
    },
  }
  // Keys are no JSON: what is hostile about them comes below.
  const names = what === 'key' ? Object.keys(places).slice(0, 6) : Object.keys(places)
  test.each(names)('%s', async (name) => {
    await restore()
    rmSync(file())
    places[name]!(file())
    judge(`${what}: ${name}`, verifyWords, { answer: /E_(IO|FORMAT|KEY|LAYOUT_INVALID|THRESHOLD|MISSING_STEP|SIGNATURE)/ })
  })
})

describe('a layout that its owner signed', () => {
  const cases: Readonly<Record<string, { make: () => Parts; answer: RegExp; code?: number[] }>> = {
    'with 1,000,000 rules': { make: () => ({ rules: rulesOf(1e6) }), answer: /E_FORMAT/ },
    'with 240,000 rules': { make: () => ({ rules: rulesOf(240_000) }), answer: /E_LAYOUT_INVALID/ },
    'with 19,999 rules': { make: () => ({ rules: rulesOf(19_998) }), answer: /Verified/, code: [0] },
    'with a rule of 1 MB': { make: () => ({ rules: [['ALLOW', '*'.repeat(1e6)]] }), answer: /E_LAYOUT_INVALID|E_FORMAT/ },
    'with a pattern of 2,000 stars': {
      make: () => ({
        rules: [
          ['ALLOW', `${'*a'.repeat(2000)}b`],
          ['ALLOW', '*'],
        ],
      }),
      answer: /Verified/,
      code: [0],
    },
    'with 1,000,000 functionaries for one step': { make: () => ({ pubkeys: idsOf(1e6) }), answer: /E_FORMAT|E_LAYOUT_INVALID/ },
    'with 20,000 keys': { make: () => ({ keys: keysOf(20_000) }), answer: /E_LAYOUT_INVALID/ },
    'with a threshold of 9007199254740991': {
      make: () => ({ threshold: Number.MAX_SAFE_INTEGER }),
      answer: /E_MISSING_STEP|E_THRESHOLD/,
    },
  }
  test.each(Object.keys(cases))('%s', async (name) => {
    const { make, answer, code } = cases[name]!
    await restore()
    await put('root.layout', layoutOf(make()), owner)
    judge(`signed layout ${name}`, verifyWords, { answer, ...(code && { code }) })
  })
})

/** As `createLink` makes it, but for the limits. */
function linkOf({ name, products = {}, byproducts = {} }: LinkInit): Payload {
  return { _type: 'link', name, materials: {}, products, byproducts, command: [], environment: {} } as unknown as Payload
}

function rulesOf(count: number): string[][] {
  return [...Array.from({ length: count }, (_, i) => ['ALLOW', `src/${i}/*`]), ['ALLOW', '*']]
}

function idsOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => i.toString(16).padStart(64, '0'))
}

/** Keys that nobody has; each is looked at all the same. */
function keysOf(count: number): { [keyid: string]: JsonValue } {
  const keys: { [keyid: string]: JsonValue } = {}
  for (const [i, keyid] of idsOf(count).entries()) {
    const value = Buffer.from(`${i}`.padStart(32, 'x')).toString('hex')
    keys[keyid] = { keyid, keytype: 'ed25519', scheme: 'ed25519', keyval: { public: value } }
  }
  return keys
}

describe('a link that its functionary signed', () => {
  const many = (count: number, name: (i: number) => string): Artifacts =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [name(i), { sha256: 'ab'.repeat(32) }]))
  const cases: Readonly<Record<string, { make: () => LinkInit; rules?: string[][]; answer: RegExp; code?: number[] }>> = {
    'with 1,000,000 artifacts': { make: () => ({ name: 'build', products: many(1e6, (i) => `dist/${i}`) }), answer: /E_FORMAT/ },
    'with 240,000 artifacts': {
      make: () => ({ name: 'build', products: { ...many(240_000, (i) => `lib/${i}`), ...product } }),
      answer: /Verified|E_/,
      code: [0, 1],
    },
    'with names against 30 stars': {
      make: () => ({ name: 'build', products: { ...many(1000, (i) => `${'a'.repeat(250)}${i}`), ...product } }),
      rules: [
        ['ALLOW', `${'*a'.repeat(30)}b`],
        ['ALLOW', '*'],
      ],
      answer: /Verified|E_/,
      code: [0, 1],
    },
    'with names of 100 KB against 2,000 stars': {
      make: () => ({ name: 'build', products: { ...many(100, (i) => `${'a'.repeat(100_000)}${i}`), ...product } }),
      rules: [
        ['ALLOW', `${'*a'.repeat(2000)}b`],
        ['ALLOW', '*'],
      ],
      answer: /Verified|E_/,
      code: [0, 1],
    },
    'with 20,000 artifacts against 3,000 rules that match nothing': {
      make: () => ({ name: 'build', products: { ...many(20_000, (i) => `lib/${i}`), ...product } }),
      rules: [...Array.from({ length: 3000 }, (_, i) => ['ALLOW', `*/x${i}*y`]), ['ALLOW', '*']],
      answer: /Verified|E_/,
      code: [0, 1],
    },
    'with 100 MB of output': {
      make: () => ({ name: 'build', products: product, byproducts: { stdout: 'a'.repeat(1e8) } }),
      answer: /Verified/,
      code: [0],
    },
  }
  test.each(Object.keys(cases))('%s', async (name) => {
    const { make, rules, answer, code } = cases[name]!
    await restore()
    if (rules !== undefined) await put('root.layout', layoutOf({ rules }), owner)
    await put(`links/${linkName}`, linkOf(make()), ci)
    judge(`signed link ${name}`, verifyWords, { answer, ...(code && { code }) })
  })

  test('with 1,000 signatures of strangers', async () => {
    await restore()
    const file = at(`links/${linkName}`)
    const link = JSON.parse(readFileSync(file, 'utf8')) as { signatures: unknown[] }
    link.signatures = [...Array.from({ length: 999 }, () => ({ keyid: ci.key.keyid, sig: 'ab'.repeat(64) })), link.signatures[0]]
    writeFileSync(file, JSON.stringify(link))
    judge('link with 1,000 signatures under one key id', verifyWords, { answer: /Verified/, code: [0] })
  })
})

describe('a key', () => {
  const pem = (label: string, der: Uint8Array): string =>
    `-----BEGIN ${label}-----\n${(
      Buffer.from(der)
        .toString('base64')
        .match(/.{1,64}/g) ?? []
    ).join('\n')}\n-----END ${label}-----\n`
  const element = (tag: number, ...body: readonly Uint8Array[]): Buffer => {
    const all = Buffer.concat(body)
    if (all.length < 128) return Buffer.concat([Buffer.from([tag, all.length]), all])
    const length = Buffer.from(all.length.toString(16).padStart(8, '0'), 'hex')
    return Buffer.concat([Buffer.from([tag, 0x84]), length, all])
  }
  const rsa = (modulus: Uint8Array, exponent: Uint8Array): Buffer => {
    const id = Buffer.from('300d06092a864886f70d0101010500', 'hex')
    const key = element(0x30, element(2, Buffer.from([0]), modulus), element(2, exponent))
    return element(0x30, id, element(3, Buffer.from([0]), key))
  }
  const ones = (bytes: number): Buffer => Buffer.alloc(bytes, 0xff)
  const nested = (levels: number): Buffer => {
    let der: Buffer = Buffer.alloc(0)
    for (let i = 0; i < levels; i++) der = element(0x30, der)
    return der
  }
  const cases: Readonly<Record<string, () => string>> = {
    'of 100 MB of base64': () => pem('PUBLIC KEY', Buffer.alloc(75e6)),
    'of 100 MB without an end': () => `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(1e8)}`,
    'with 1,000,000 beginnings': () => '-----BEGIN PUBLIC KEY-----\n'.repeat(1e6),
    'whose DER claims 2 GB': () => pem('PUBLIC KEY', Buffer.from('30847fffffff3000', 'hex')),
    'of 5,000 nested sequences': () => pem('PUBLIC KEY', nested(5000)),
    'of RSA with 8,000,000 bits': () => pem('PUBLIC KEY', rsa(ones(1e6), Buffer.from([1, 0, 1]))),
    'of RSA with a huge exponent': () => pem('PUBLIC KEY', rsa(ones(1024), ones(1023).fill(0x7f, 0, 1))),
    'of 20,000,000 lines': () => `-----BEGIN PUBLIC KEY-----\n${'A\n'.repeat(2e7)}-----END PUBLIC KEY-----\n`,
  }
  test.each(Object.keys(cases))('%s', async (name) => {
    await restore()
    writeFileSync(at('owner.pub'), cases[name]!())
    judge(`key ${name}`, verifyWords, { answer: /E_KEY|E_IO/ })
  })

  test('under a password with 2,147,483,647 rounds', () => {
    const [salt, iv] = [Buffer.alloc(8), Buffer.alloc(16)]
    const oid = (hex: string): Buffer => element(6, Buffer.from(hex, 'hex'))
    const prf = element(0x30, oid('2a864886f70d0209'), element(5))
    const kdf = element(0x30, oid('2a864886f70d01050c'), element(0x30, element(4, salt), element(2, Buffer.from('7fffffff', 'hex')), prf))
    const cipher = element(0x30, oid('60864801650304012a'), element(4, iv))
    const scheme = element(0x30, oid('2a864886f70d01050d'), element(0x30, kdf, cipher))
    writeFileSync(at('slow'), pem('ENCRYPTED PRIVATE KEY', element(0x30, scheme, element(4, Buffer.alloc(64)))), { mode: 0o600 })
    const env = { INTOTO_PASSWORD: 'correct horse' }
    judge('private key with 2,147,483,647 rounds of PBKDF2', ['run', '-n', 'x', '--signing-key', 'slow', '-x'], {
      answer: /E_KEY|E_UNSUPPORTED/,
      env,
    })
  })
})

describe('what is shown', () => {
  const envelope = (payload: string): string =>
    JSON.stringify({
      payloadType: 'application/vnd.in-toto+json',
      payload: Buffer.from(payload).toString('base64'),
      signatures: [{ keyid: '', sig: 'AAAA' }],
    })
  const subject = `{"name": "a", "digest": {"sha256": "${'ab'.repeat(32)}"}}`
  const statement = (count: number): string =>
    `{"_type": "https://in-toto.io/Statement/v1", "subject": [${Array(count).fill(subject).join()}], "predicateType": "x", "predicate": {}}`
  const cases: Readonly<Record<string, { make: () => string; answer: RegExp; code?: number[] }>> = {
    'a Statement with 1,000,000 subjects': { make: () => envelope(statement(1e6)), answer: /E_FORMAT|E_IO/ },
    'a Statement with 240,000 subjects': { make: () => envelope(statement(240_000)), answer: /subject|E_/, code: [0, 1, 2] },
    'a bundle with 1,000,000 log entries': {
      make: () =>
        `{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"tlogEntries": [${Array(1e6).fill('{}').join()}]}, "dsseEnvelope": ${envelope('{}')}}`,
      answer: /E_FORMAT/,
    },
    'an envelope of 90 MiB of base64': { make: () => envelope(`"${'a'.repeat(68 * mebibyte)}"`), answer: /E_FORMAT|E_LAYOUT_INVALID/ },
  }
  test.each(Object.keys(cases))('%s', (name) => {
    const { make, answer, code } = cases[name]!
    writeFileSync(at('shown'), make())
    judge(name, ['show', 'shown'], { answer, ...(code && { code }) })
  })
})

test('a tarball that unpacks to 4 GB', async () => {
  await restore()
  const zeros = gzipSync(Buffer.alloc(256 * mebibyte))
  writeFileSync(at('bomb.tgz'), Buffer.concat(Array(16).fill(zeros)))
  judge('tarball that unpacks to 4 GB', ['verify', 'bomb.tgz', ...verifyWords.slice(2)], { answer: /E_/ })
})

afterAll(() => console.table(table))
