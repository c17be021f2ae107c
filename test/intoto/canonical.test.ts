import * as fc from 'fast-check'
import { canonicalJson, emptyRecord, fromUtf8, parseJson, utf8, type JsonValue } from 'intoto'
import { describe, expect, it } from 'vitest'
import { compareCodePoints, sortNames } from '../../packages/intoto/src/encoding/order.ts'
import { refusal } from './refusal.ts'

const canonical = (text: string): string => fromUtf8(canonicalJson(parseJson(utf8(text)).value))

describe('canonical JSON', () => {
  it.each([
    ['white space goes', ' { "a" : [ 1 , true , null ] } ', '{"a":[1,true,null]}'],
    ['names are sorted at every level', '{"b":{"d":1,"c":2},"a":3}', '{"a":3,"b":{"c":2,"d":1}}'],
    ['lists keep their order', '[3,1,2]', '[3,1,2]'],
    [
      'only backslash and quotation mark are escaped',
      '"\\\\ \\" \\n \\u0000 \\u007f \\u2028 \\/ <>&"',
      '"\\\\ \\" \n \0 \u007f \u2028 / <>&"',
    ],
    ['characters beyond ASCII stand as they are', '"\\u00e9\\ud83d\\ude00"', '"\u00e9\u{1F600}"'],
    [
      'names are sorted by code point, not by UTF-16 unit',
      '{"\u{1F600}":1,"\uff5e":2,"\ue000":3,"\ud7ff":4}',
      '{"\ud7ff":4,"\ue000":3,"\uff5e":2,"\u{1F600}":1}',
    ],
    ['names that look like numbers are sorted as text', '{"10":1,"9":2,"1":3}', '{"1":3,"10":1,"9":2}'],
    ['a name that is the beginning of another comes first', '{"ab":1,"a":2,"":3}', '{"":3,"a":2,"ab":1}'],
    ['integers keep all digits', '[9007199254740993,-18446744073709551616,0]', '[9007199254740993,-18446744073709551616,0]'],
    ['__proto__ is a name like any other', '{"toString":1,"__proto__":{"a":1}}', '{"__proto__":{"a":1},"toString":1}'],
    ['names are escaped too', '{"a\\"\\\\\\n":1}', '{"a\\"\\\\\n":1}'],
  ])('%s', (_, text, expected) => {
    expect(canonical(text)).toBe(expected)
  })

  it('is UTF-8', () => {
    expect([...canonicalJson('\u00e9\u20ac\u{1F600}')]).toEqual([0x22, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0x22])
  })

  it.each([
    ['1.5', 1.5],
    ['minus zero', -0],
    ['a number that is not exact', 2 ** 53],
    ['NaN', Number.NaN],
    ['half a pair', '\ud800'],
    ['half a pair in a name', { '\udfff': 1 }],
  ])('refuses %s', async (_, value) => {
    await refusal('E_FORMAT', () => canonicalJson({ nested: [value] }))
  })

  it('is safe at the greatest depth that the reader allows, and refuses more', async () => {
    const deep = '['.repeat(1_000) + ']'.repeat(1_000)
    expect(fromUtf8(canonicalJson(parseJson(utf8(deep), { limits: { depth: 1_000 } }).value))).toBe(deep)
    const loop: JsonValue[] = []
    loop.push(loop)
    await refusal('E_FORMAT', () => canonicalJson(loop))
  })

  it('does not depend on the order in which members were written', () => {
    const names = fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 12 })
    fc.assert(
      fc.property(names, fc.func(fc.integer()), (names, rank) => {
        const build = (order: readonly string[]): JsonValue => {
          const object = emptyRecord()
          for (const name of order) object[name] = name.length
          return object
        }
        const other = [...names].sort((a, b) => rank(a) - rank(b))
        expect(canonicalJson(build(names))).toEqual(canonicalJson(build(other)))
      }),
    )
  })

  it('is injective on values', () => {
    const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null))
    const value = fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string({ unit: 'binary' }), leaf, { noNullPrototype: false }))
    fc.assert(
      fc.property(value, value, (a, b) => {
        const same = fromUtf8(canonicalJson(a)) === fromUtf8(canonicalJson(b))
        expect(same).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)))
      }),
    )
  })
})

function sorted(value: JsonValue): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return Array.isArray(value) ? ['list', ...value.map(sorted)] : value
  return [
    'object',
    ...Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name]!)]),
  ]
}

describe('the order of names', () => {
  it('is that of their UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(utf8(a), utf8(b)))
      }),
    )
    fc.assert(
      fc.property(fc.array(text), (names) => {
        expect(sortNames([...names])).toEqual([...names].sort((a, b) => Buffer.compare(utf8(a), utf8(b))))
      }),
    )
  })
})
