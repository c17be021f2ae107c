import * as fc from 'fast-check'
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from 'intoto'
import { describe, expect, it } from 'vitest'
import { concat, equalBytes } from '../../packages/intoto/src/encoding/bytes.ts'
import { refusal } from './refusal.ts'

const bytes = fc.uint8Array({ maxLength: 200 })

describe('base64', () => {
  it('gives back what it was given, as RFC 4648 writes it', () => {
    expect(['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => toBase64(utf8(text)))).toEqual([
      '',
      'Zg==',
      'Zm8=',
      'Zm9v',
      'Zm9vYg==',
      'Zm9vYmE=',
      'Zm9vYmFy',
    ])
    fc.assert(
      fc.property(bytes, (data) => {
        expect(fromBase64(toBase64(data))).toEqual(data)
        expect(toBase64(data)).toBe(Buffer.from(data).toString('base64'))
      }),
    )
  })

  it('reads the URL-safe alphabet too, with padding', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(fromBase64(toBase64(data).replaceAll('+', '-').replaceAll('/', '_'))).toEqual(data)
      }),
    )
  })

  it.each([
    ['no padding', 'Zg'],
    ['too little padding', 'Zg='],
    ['too much padding', 'Zg==='],
    ['padding alone', '===='],
    ['padding inside', 'Zg==Zg=='],
    ['padding within a group', 'Z=g='],
    ['a line feed', 'Zm9v\nZm9v'],
    ['a space at the end', 'Zm9v '],
    ['a character of no alphabet', 'Zm9*'],
    ['a character beyond ASCII', 'Zm9\u{1F600}'],
    ['both alphabets in one text', '+_+_'],
    ['bits behind the last byte', 'Zh=='],
    ['bits behind the last two bytes', 'Zm9='],
    ['one character', 'Z'],
    ['five characters', 'Zm9vY'],
  ])('refuses %s', async (_, text) => {
    await refusal('E_FORMAT', () => fromBase64(text))
  })
})

describe('hex', () => {
  it('gives back what it was given, reads either case, writes lower case', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(fromHex(toHex(data))).toEqual(data)
        expect(fromHex(toHex(data).toUpperCase())).toEqual(data)
        expect(toHex(data)).toBe(Buffer.from(data).toString('hex'))
      }),
    )
  })

  it.each(['0', '0g', ' 00', '0x00', '00\n', '\u{FF10}0'])('refuses %j', async (text) => {
    await refusal('E_FORMAT', () => fromHex(text))
  })
})

describe('UTF-8', () => {
  it('gives back every well-formed text, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(fromUtf8(utf8(text))).toBe(text)
      }),
    )
    expect(fromUtf8(utf8('\ufeffa'))).toBe('\ufeffa')
  })

  it.each([
    ['a first half', 'a\ud800b'],
    ['a second half', '\udc00'],
    ['halves in the wrong order', '\udc00\ud800'],
  ])('refuses %s of a surrogate pair', async (_, text) => {
    await refusal('E_FORMAT', () => utf8(text))
  })

  it.each([[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]])('refuses the bytes %s', async (...octets) => {
    await refusal('E_FORMAT', () => fromUtf8(Uint8Array.from(octets)))
  })
})

describe('concat and equalBytes', () => {
  it('put parts behind each other and compare them', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const both = concat(a, b)
        expect([...both]).toEqual([...a, ...b])
        expect(equalBytes(both, concat(a, b))).toBe(true)
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })
})
