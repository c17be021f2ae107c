import * as fc from 'fast-check'
import { fromHex, toHex } from 'intoto'
import { describe, expect, it } from 'vitest'
import {
  derTag,
  ecdsaFromDer,
  ecdsaToDer,
  readElement,
  readElements,
  readOid,
  readPositive,
  writeElement,
  writeOid,
  writePositive,
} from '../../packages/intoto/src/encoding/der.ts'
import { readPem, writePem } from '../../packages/intoto/src/encoding/pem.ts'
import { refusal } from './refusal.ts'

describe('DER elements', () => {
  it('come back as they were written, of every length', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535]) {
      const body = new Uint8Array(length).fill(7)
      expect(readElement(writeElement(derTag.octetString, body), derTag.octetString)).toEqual(body)
    }
    expect(toHex(writeElement(derTag.octetString, new Uint8Array(200)).subarray(0, 3))).toBe('0481c8')
  })

  it.each([
    ['an indefinite length', '30800000'],
    ['a length in more bytes than needed', '04810100'],
    ['a length with a leading zero', '0482008000'],
    ['a length that is cut off', '0482'],
    ['a length beyond three bytes', '04840000000100'],
    ['contents that are cut off', '040200'],
    ['a long tag', '1f0100'],
    ['a tag alone', '04'],
  ])('with %s are refused', async (_, hex) => {
    await refusal('E_FORMAT', () => readElements(fromHex(hex)))
  })

  it('with anything behind them, or of another tag, are refused', async () => {
    await refusal('E_FORMAT', () => readElement(fromHex('04000400'), derTag.octetString))
    await refusal('E_FORMAT', () => readElement(fromHex('0400'), derTag.sequence))
  })

  it.each(['00', '0000', '007f', 'ff', '', '80'])('INTEGER %s is not the shortest form of a positive number', async (hex) => {
    await refusal('E_FORMAT', () => readPositive({ tag: derTag.integer, body: fromHex(hex), whole: fromHex(hex) }))
  })

  it('hold positive numbers of every size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), (digits) => {
        const number = digits.slice(
          Math.max(
            0,
            digits.findIndex((digit) => digit !== 0),
          ),
        )
        if (number[0] === 0) return
        const [element] = readElements(writePositive(digits))
        expect(readPositive(element)).toEqual(number)
      }),
    )
  })

  it.each([
    ['1.2.840.113549.1.1.1', '06092a864886f70d010101'],
    ['1.3.101.112', '06032b6570'],
    ['2.16.840.1.101.3.4.1.42', '060960864801650304012a'],
    ['1.2.840.10045.3.1.7', '06082a8648ce3d030107'],
  ])('hold the object identifier %s', (dotted, hex) => {
    expect(toHex(writeOid(dotted))).toBe(hex)
    expect(readOid(readElements(fromHex(hex))[0])).toBe(dotted)
  })
})

describe('ECDSA signatures', () => {
  it('go from r‖s to DER and back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(32, 48, 66).chain((size) => fc.uint8Array({ minLength: 2 * size, maxLength: 2 * size })),
        (raw) => {
          const size = raw.length / 2
          if (raw.subarray(0, size).every((byte) => byte === 0) || raw.subarray(size).every((byte) => byte === 0)) return
          expect(ecdsaFromDer(ecdsaToDer(raw), size)).toEqual(raw)
        },
      ),
    )
  })

  it.each([
    ['a zero', '3006020100020101'],
    ['a negative number', '3006020180020101'],
    ['a needless leading zero', '300702020001020101'],
    ['a third number', '3009020101020101020101'],
    ['one number', '3003020101'],
    ['bytes behind it', '300602010102010100'],
    ['an indefinite length', '3080020101020101'],
    ['raw r‖s', '01'.repeat(64)],
    ['nothing', ''],
    ['a number beyond the size of the curve', `3026022101${'00'.repeat(32)}020101`],
  ])('with %s are none', (_, hex) => {
    expect(ecdsaFromDer(fromHex(hex), 32)).toBeUndefined()
  })
})

describe('PEM', () => {
  const block = writePem('PUBLIC KEY', new Uint8Array(100).fill(1))

  it('is written with 64 columns and line feeds', () => {
    const lines = block.split('\n')
    expect(lines[0]).toBe('-----BEGIN PUBLIC KEY-----')
    expect(lines[1]).toHaveLength(64)
    expect(block.endsWith('-----END PUBLIC KEY-----\n')).toBe(true)
  })

  it.each([
    ['line ends of Windows', block.replaceAll('\n', '\r\n')],
    ['text around', `# my key\n${block}\nthe end`],
    ['other columns', block.replaceAll(/\n(?!-)/g, ' ').replace('----- ', '-----\n')],
    ['no line feed at the end', block.trimEnd()],
  ])('is read with %s', (_, text) => {
    expect(readPem(text)).toEqual(readPem(block))
  })

  it('may hold several blocks', () => {
    expect(readPem(`${block}${writePem('CERTIFICATE', new Uint8Array(1))}`).map(({ label }) => label)).toEqual([
      'PUBLIC KEY',
      'CERTIFICATE',
    ])
    expect(readPem('nothing')).toEqual([])
  })

  it.each([
    ['cut off', block.slice(0, 80)],
    ['not base64', block.replace('AQEB', '!!!!')],
    ['closed by another name', block.replace('END PUBLIC', 'END PRIVATE')],
    ['far too long', block + ' '.repeat(70_000)],
  ])('is refused when it is %s, without its content', async (_, text) => {
    expect(await refusal('E_KEY', () => readPem(text))).not.toMatch(/AQEB|!!!!/)
  })
})
