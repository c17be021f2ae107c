import * as fc from 'fast-check'
import { canonicalJson, emptyRecord, fromUtf8, parseJson, stringifyJson, utf8, type JsonObject, type JsonValue } from 'intoto'
import { describe, expect, it } from 'vitest'
import { minifyMember } from '../../packages/intoto/src/encoding/minify.ts'

const minified = (text: string): string | undefined => {
  const bytes = minifyMember(utf8(text), 'signed')
  return bytes && fromUtf8(bytes)
}

const name = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('signed', 'a', 'ab', '"', '\\', '\u{1F600}', '\uff5e', '10', '9'),
)
const leaf = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('\\', '"', '\\"', '\n', ' ', '[', '}', ',', ':'),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 6 }).map((members) => {
      const object = emptyRecord()
      for (const [name, member] of members) object[name] = member
      return object
    }),
  ),
}))
const style = fc.record({ indent: fc.constantFrom(0, 1, 2), sorted: fc.boolean(), ascii: fc.boolean() })

describe('minifyMember', () => {
  it('gives the canonical form or nothing', () => {
    fc.assert(
      fc.property(value, value, value, style, (before, signed, behind, style) => {
        const bytes = utf8(stringifyJson({ before, signed, signatures: behind }, style))
        const found = minifyMember(bytes, 'signed')
        if (found !== undefined) expect(fromUtf8(found)).toBe(fromUtf8(canonicalJson((parseJson(bytes).value as JsonObject)['signed']!)))
      }),
      { numRuns: 500 },
    )
  })

  it('gives it for what is sorted and plain, whatever stands around', () => {
    const plain = fc.array(
      fc.tuple(
        fc.stringMatching(/^[a-z./é]{1,9}$/),
        fc.oneof(fc.integer(), fc.stringMatching(/^[a-z "\\]*$/), fc.array(fc.constantFrom(1, 'a', null))),
      ),
    )
    fc.assert(
      fc.property(plain, value, value, fc.constantFrom(0, 1, 2), (members, before, behind, indent) => {
        const signed = emptyRecord()
        for (const [name, member] of members) signed[name] = member
        const bytes = utf8(` ${stringifyJson({ before, signed, zlast: behind }, { indent, sorted: true })}\r\n`)
        expect(minified(fromUtf8(bytes))).toBe(fromUtf8(canonicalJson(signed)))
      }),
      { numRuns: 300 },
    )
  })

  it.each<[string, string]>([
    ['names out of order', '{"signed":{"b":1,"a":2}}'],
    ['names out of order deep inside', '{"signed":{"a":[[{"b":1,"a":2}]]}}'],
    ['names out of order behind a closed object', '{"signed":{"b":{"z":1},"a":2}}'],
    ['a name that is the beginning of the one before', '{"signed":{"ab":1,"a":2}}'],
    ['an escape that canonical JSON lacks', '{"signed":"\\n"}'],
    ['a letter as an escape', '{"signed":"\\u0061"}'],
    ['an escaped slash', '{"signed":"\\/"}'],
    ['an escape in a name', '{"signed":{"a\\"":1}}'],
    ['no such member', '{"sign":{},"unsigned":1,"a":{"signed":1},"b":["signed"]}'],
    ['its name only as a value', '{"a":"signed","b":1}'],
    ['its name written with an escape', '{"sign\\u0065d":{}}'],
  ])('gives nothing for %s', (_, text) => {
    expect(minified(text)).toBeUndefined()
  })

  it.each<[string, string, string]>([
    ['escapes that canonical JSON has', '{ "signed" : "a\\"b\\\\" }', '"a\\"b\\\\"'],
    ['white space inside strings', '{"signed" : { "a b" : " [ ] " } }', '{"a b":" [ ] "}'],
    ['lists of objects, each with its own order', '{"signed":[{"b":1},{"a":2}, [ {"c":3} ] ],"x":1}', '[{"b":1},{"a":2},[{"c":3}]]'],
    ['an order of UTF-8 bytes that is not one of UTF-16 units', '{"signed":{"\uff5e":1,"\u{1F600}":2}}', '{"\uff5e":1,"\u{1F600}":2}'],
    ['large integers', '{"signed": -9007199254740993 }', '-9007199254740993'],
    ['an empty name and empty containers', '{"signed":{"":[ ],"a":{ }},"b":{}}', '{"":[],"a":{}}'],
  ])('gives it for %s', (_, text, expected) => {
    expect(minified(text)).toBe(expected)
  })
})
