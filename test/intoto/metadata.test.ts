import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import {
  addSignature,
  createLink,
  decodeMetadata,
  encodeMetadata,
  fromBase64,
  fromUtf8,
  generateKeyPair,
  hasSignature,
  importKey,
  importSigner,
  InTotoError,
  keyidFor,
  keyids,
  parseJson,
  parseLayout,
  sign,
  signersOf,
  signSync,
  statementType,
  stringifyJson,
  toBase64,
  toHex,
  toLayoutKey,
  toStatement,
  utf8,
  type JsonObject,
  type JsonValue,
  type Key,
  type Layout,
  type Link,
  type Metadata,
  type Signer,
} from 'intoto'
import { beforeAll, describe, expect, it } from 'vitest'
import { preAuthEncoding } from '../../packages/intoto/src/metadata/envelope.ts'
import { refusal } from './refusal.ts'

const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const link = createLink({
  name: 'build',
  command: ['make', '<all>'],
  materials: { 'é.js': { sha256 }, ['__proto__']: { sha256 } },
  products: { 'b.js': { sha256 }, '\u{1F600}': { sha256 }, '\uff5e': { sha256 } },
  byproducts: { 'return-value': 0, stdout: 'a\n\u0000"\\', size: 9007199254740993n },
})
const formats = ['dsse', 'metablock'] as const

let alice: Signer
let bob: Signer
let layout: Layout
beforeAll(async () => {
  alice = await importSigner((await generateKeyPair()).privatePem)
  bob = await importSigner((await generateKeyPair('ecdsa')).privatePem)
  layout = parseLayout({
    _type: 'layout',
    expires: '2030-01-01T00:00:00Z',
    readme: '',
    keys: { [alice.key.keyid]: toLayoutKey(alice.key) },
    steps: [],
    inspect: [],
  })
})

/** A file, opened, changed and closed again. */
function edited(metadata: Metadata, change: (file: JsonObject) => void): Uint8Array {
  const file = parseJson(metadata.bytes).value as JsonObject
  change(file)
  return utf8(stringifyJson(file))
}

const entriesOf = (file: JsonObject): JsonObject[] => file['signatures'] as JsonObject[]

describe.each(formats)('a %s file', (format) => {
  it('gives back what was signed, and who signed it', async () => {
    for (const signers of [[], [alice], [alice, bob]]) {
      const signed = await sign(link, signers, { format })
      const read = decodeMetadata(encodeMetadata(signed))
      expect(read.format).toBe(format)
      expect(read.payload).toEqual(link)
      expect(read.signedBytes).toEqual(signed.signedBytes)
      expect(read.signatures).toEqual(signed.signatures)
      expect(read.bytes).toBe(encodeMetadata(signed))
      expect(await signersOf(read, [alice.key, bob.key])).toEqual(signers.map(({ key }) => key))
    }
  })

  it('holds layouts under Python’s and Go’s id, links under the key’s own', async () => {
    const ids = [keyidFor(bob.key, 'python'), keyidFor(bob.key, 'go')]
    expect((await sign(layout, [bob], { format })).signatures.map(({ keyid }) => keyid)).toEqual(ids)
    expect((await sign(link, [bob], { format })).signatures.map(({ keyid }) => keyid)).toEqual([bob.key.keyid])
    const chosen = await sign(link, [bob], { format, keyids: (key) => [keyidFor(key, 'go'), keyidFor(key, 'go'), 'x'] })
    expect(chosen.signatures.map(({ keyid }) => keyid)).toEqual([ids[1], 'x'])
    expect(await signersOf(chosen, [bob.key])).toEqual([bob.key])
  })

  it.each<[string, (value: JsonObject) => void]>([
    [
      'a changed value',
      (value) => {
        value['name'] = 'test'
      },
    ],
    [
      'a member put in',
      (value) => {
        value['extra'] = 1
      },
    ],
    [
      'a member taken out',
      (value) => {
        delete value['environment']
      },
    ],
    [
      'a digit of a large integer',
      (value) => {
        ;(value['byproducts'] as JsonObject)['size'] = 9007199254740992n
      },
    ],
    [
      'an artifact __proto__',
      (value) => {
        ;(value['products'] as JsonObject)['__proto__'] = { sha256 }
      },
    ],
    [
      'another order of a list',
      (value) => {
        ;(value['command'] as JsonValue[]).reverse()
      },
    ],
  ])('is not signed any more after %s', async (_, change) => {
    const signed = await sign(link, [alice], { format })
    const bytes = edited(signed, (file) => {
      if (format === 'metablock') return change(file['signed'] as JsonObject)
      const payload = parseJson(fromBase64(file['payload'] as string)).value as JsonObject
      change(payload)
      file['payload'] = toBase64(utf8(stringifyJson(payload)))
    })
    const read = decodeMetadata(bytes)
    expect(await signersOf(read, [alice.key])).toEqual([])
  })

  it('is refused when the character that stands for a broken one is broken itself', async () => {
    const replaced = createLink({ name: 'build', products: { 'a\ufffd.js': { sha256 } } })
    const { bytes } = await sign(replaced, [alice], { format })
    const text = format === 'dsse' ? fromUtf8(fromBase64((parseJson(bytes).value as JsonObject)['payload'] as string)) : fromUtf8(bytes)
    const [before, after] = text.split(format === 'dsse' ? '\ufffd' : '\\ufffd') as [string, string]
    const put = (middle: Uint8Array): Uint8Array => {
      const whole = new Uint8Array(Buffer.concat([utf8(before), middle, utf8(after)]))
      if (format === 'metablock') return whole
      return edited(decodeMetadata(bytes), (file) => {
        file['payload'] = toBase64(whole)
      })
    }
    expect(await signersOf(decodeMetadata(put(utf8('\ufffd'))), [alice.key])).toHaveLength(1)
    for (const broken of [Uint8Array.of(0xff), Uint8Array.of(0xed, 0xa0, 0x80), utf8('\\ud800')])
      expect(await refusal('E_FORMAT', () => decodeMetadata(put(broken)))).toMatch(/UTF-8|surrogate/)
  })

  it('counts a key once, however many ids and entries it has', async () => {
    const signed = await sign(link, [alice, bob], { format, keyids })
    const read = decodeMetadata(edited(signed, (file) => entriesOf(file).push(...entriesOf(file).map((entry) => ({ ...entry })))))
    const twins: Key[] = [alice.key, { ...alice.key, keyid: keyidFor(alice.key, 'go') }, { ...alice.key, keyid: 'own' }]
    expect(await signersOf(read, twins)).toEqual([alice.key])
    expect(await signersOf(read, [...twins, bob.key])).toHaveLength(2)
  })

  it('is looked up by id: a good signature under another id is none, a bad one before it does no harm', async () => {
    const signed = await sign(link, [alice], { format })
    const renamed = decodeMetadata(
      edited(signed, (file) => {
        entriesOf(file)[0]!['keyid'] = 'abc'
      }),
    )
    expect(await hasSignature(renamed, alice.key)).toBe(false)
    expect(await hasSignature(renamed, alice.key, ['abc'])).toBe(true)
    expect(await hasSignature(renamed, bob.key, ['abc'])).toBe(false)
    const [entry] = signed.signatures
    const bad = format === 'dsse' ? toBase64(new Uint8Array(64)) : '00'.repeat(64)
    const second = decodeMetadata(edited(signed, (file) => entriesOf(file).unshift({ keyid: entry!.keyid, sig: bad })))
    expect(await hasSignature(second, alice.key)).toBe(true)
  })

  it.each(['constructor', '__proto__', 'toString', ''])('has no signer %j', async (keyid) => {
    const signed = decodeMetadata(
      edited(await sign(link, [alice], { format }), (file) => {
        entriesOf(file)[0]!['keyid'] = keyid
      }),
    )
    expect(await signersOf(signed, [{ ...bob.key, keyid }])).toEqual([])
  })

  it('tries no more than a few entries of one id, and only different ones', async () => {
    const signed = await sign(link, [alice], { format })
    const encode = format === 'dsse' ? toBase64 : toHex
    const [{ keyid, sig }] = signed.signatures as unknown as [{ keyid: string; sig: Uint8Array }]
    const flood = (count: number, value: (i: number) => Uint8Array): Uint8Array =>
      edited(signed, (file) => {
        file['signatures'] = [...Array.from({ length: count }, (_, i) => ({ keyid, sig: encode(value(i)) })), { keyid, sig: encode(sig) }]
      })
    expect(await hasSignature(decodeMetadata(flood(900, () => new Uint8Array(64))), alice.key)).toBe(true)
    expect(await hasSignature(decodeMetadata(flood(900, (i) => new Uint8Array(64).fill(i % 256, 0, 1 + (i >> 8)))), alice.key)).toBe(false)
  })

  it('may have 1,000 signatures, not 1,001 or 100,000', async () => {
    const signed = await sign(link, [alice], { format })
    const many = (count: number): Uint8Array =>
      edited(signed, (file) => {
        file['signatures'] = Array.from({ length: count }, (_, i) => ({ keyid: `k${i}`, sig: '00000000' }))
      })
    expect(decodeMetadata(many(1_000)).signatures).toHaveLength(1_000)
    for (const count of [1_001, 100_000])
      expect(await refusal('E_FORMAT', () => decodeMetadata(many(count)))).toMatch(/limit of 1000 \(signatures\)/)
    expect(decodeMetadata(many(1_001), { limits: { signatures: 2_000 } }).signatures).toHaveLength(1_001)
  })

  it('takes one more signature, which replaces an older one of the same id and leaves the rest of the file', async () => {
    const signed = await sign(link, [alice], { format })
    const noted = decodeMetadata(
      edited(signed, (file) => {
        file['note'] = 'kept'
      }),
    )
    const both = decodeMetadata((await addSignature(noted, bob)).bytes)
    expect(await signersOf(both, [alice.key, bob.key])).toHaveLength(2)
    expect(both.signedBytes).toEqual(signed.signedBytes)
    expect(parseJson(both.bytes).value).toMatchObject({ note: 'kept' })
    const again = decodeMetadata((await addSignature(both, bob)).bytes)
    expect(again.signatures.map(({ keyid }) => keyid)).toEqual([alice.key.keyid, bob.key.keyid])
    expect(await signersOf(again, [alice.key, bob.key])).toHaveLength(2)
  })

  it('takes one more signature however large it may be', async () => {
    const artifacts = 250_001
    const large = createLink({ name: 'build', byproducts: { list: Array.from({ length: artifacts }, () => 0) } })
    const signed = await sign(large, [alice], { format })
    const read = decodeMetadata(signed.bytes, { limits: { artifacts, values: 1_000_000 } })
    expect(await signersOf(await addSignature(read, bob), [alice.key, bob.key])).toHaveLength(2)
  })

  it('is signed at once by signers that can', async () => {
    const signed = signSync(link, [alice], { format })
    expect(signed).toEqual(await sign(link, [alice], { format }))
    const { key, sign: slow } = bob
    expect(await refusal('E_KEY', () => signSync(link, [{ key, sign: slow }], { format }))).toMatch(/synchronously/)
  })

  it('is not made when a signer answers with a signature that is none', async () => {
    const confused: Signer = { key: alice.key, sign: (data) => bob.sign(data) }
    expect(await refusal('E_KEY', () => sign(link, [confused], { format }))).toContain(alice.key.keyid)
    await refusal('E_KEY', async () => addSignature(await sign(link, [], { format }), confused))
    const borrowed: Signer[] = [
      { ...bob, key: alice.key },
      { key: alice.key, sign: Reflect.get(bob, 'sign') },
      { ...alice, sign: Reflect.get(bob, 'sign') },
      { ...bob, key: { ...bob.key, keyval: alice.key.keyval } },
    ]
    for (const signer of borrowed) await refusal('E_KEY', () => sign(link, [signer], { format }))
  })

  it.each<[string, (file: JsonObject) => void, RegExp]>([
    [
      'no signatures',
      (file) => {
        delete file['signatures']
      },
      /"signatures" is not a list/,
    ],
    [
      'signatures that are an object',
      (file) => {
        file['signatures'] = {}
      },
      /"signatures" is not a list/,
    ],
    [
      'null signatures',
      (file) => {
        file['signatures'] = null
      },
      /"signatures" is not a list/,
    ],
    [
      'a signature that is a text',
      (file) => {
        file['signatures'] = ['x']
      },
      /signatures\[0\] is not an object/,
    ],
    [
      'a keyid that is a number',
      (file) => {
        entriesOf(file)[0]!['keyid'] = 5
      },
      /signatures\[0\].*not a text/,
    ],
    [
      'a sig that is null',
      (file) => {
        entriesOf(file)[0]!['sig'] = null
      },
      /signatures\[0\].*not a text/,
    ],
    [
      'the members of the other format too',
      (file) => {
        if (format === 'dsse') file['signed'] = {}
        else file['payload'] = ''
      },
      /both formats/,
    ],
    [
      'a payloadType in the wrong place',
      (file) => {
        delete file['payload']
        delete file['signed']
        if (format === 'metablock') file['payloadType'] = 'x'
      },
      /"payload" is not a text|not a text/,
    ],
  ])('is refused with %s', async (_, change, reason) => {
    const bytes = edited(await sign(link, [alice], { format }), change)
    expect(await refusal('E_FORMAT', () => decodeMetadata(bytes, { what: 'build.link' }))).toMatch(reason)
    expect(await refusal('E_FORMAT', () => decodeMetadata(bytes, { what: 'build.link' }))).toMatch(/^build\.link: /)
  })

  it('is refused when its content is nothing known, with the reason of the model', async () => {
    const put = (value: JsonValue): Uint8Array =>
      utf8(
        stringifyJson(
          format === 'dsse'
            ? { payload: toBase64(utf8(stringifyJson(value))), payloadType: 'application/vnd.in-toto+json', signatures: [] }
            : { signed: value, signatures: [] },
        ),
      )
    for (const value of [{}, [], null, 'link', { _type: 'Link' }, { _type: ['link'] }]) {
      expect(await refusal('E_FORMAT', () => decodeMetadata(put(value)))).toMatch(/_type/)
    }
    expect(await refusal('E_UNSUPPORTED', () => decodeMetadata(put({ _type: 'https://in-toto.io/Statement/v0.1' })))).toMatch(/v0\.1/)
    expect(await refusal('E_FORMAT', () => decodeMetadata(put({ _type: 'link' }), { what: 'a.link' }))).toMatch(/^a\.link: link\.name/)
    expect(await refusal('E_LAYOUT_INVALID', () => decodeMetadata(put({ _type: 'layout' }), { what: 'root.layout' }))).toMatch(
      /^root\.layout: layout\.expires/,
    )
  })

  it('is refused with members that stand twice, wherever they stand', async () => {
    const text = fromUtf8((await sign(link, [alice], { format })).bytes)
    const twice =
      format === 'dsse'
        ? text.replace('"payloadType"', '"payloadType":"a","payloadType"')
        : text.replace('"_type"', '"_type": "link", "_type"')
    expect(await refusal('E_FORMAT', () => decodeMetadata(utf8(twice)))).toMatch(/stands twice/)
    expect(await refusal('E_FORMAT', () => decodeMetadata(utf8(text.replace('"keyid"', '"keyid":"a","keyid"'))))).toMatch(/stands twice/)
  })
})

describe('a file that was damaged', () => {
  const bytes = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...utf8('{}[]",:\\ 019-.eE\ntfn_/=+')))
  const damage = fc.array(fc.record({ at: fc.nat(), cut: fc.nat({ max: 3 }), put: fc.array(bytes, { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  })

  it.each(formats)('as %s is refused in order, or says what was signed, or is signed no more', async (format) => {
    const signed = await sign(link, [alice], { format })
    let read = 0
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const file = [...signed.bytes]
        for (const { at, cut, put } of changes) file.splice(at % file.length, cut, ...put)
        let found: Metadata
        try {
          found = decodeMetadata(Uint8Array.from(file))
        } catch (error) {
          expect(error).toBeInstanceOf(InTotoError)
          return
        }
        read++
        if ((await signersOf(found, [alice.key])).length > 0) expect(found.payload).toEqual(link)
      }),
      { numRuns: 800 },
    )
    expect(read).toBeGreaterThan(10)
  })
})

describe('an envelope', () => {
  it('is JSON on one line around a payload by JSON.stringify', async () => {
    const signed = await sign(link, [alice])
    const text = fromUtf8(signed.bytes)
    expect(text).not.toContain('\n')
    const file = JSON.parse(text) as { payload: string; payloadType: string; signatures: { keyid: string; sig: string }[] }
    expect(Object.keys(file)).toEqual(['payload', 'payloadType', 'signatures'])
    expect(file.payloadType).toBe('application/vnd.in-toto+json')
    const payload = Buffer.from(file.payload, 'base64')
    expect(JSON.parse(payload.toString())).toMatchObject({ _type: 'link', name: 'build', byproducts: { stdout: 'a\n\u0000"\\' } })
    expect(signed.signedBytes).toEqual(preAuthEncoding(file.payloadType, payload))
    expect(file.signatures).toEqual([{ keyid: alice.key.keyid, sig: Buffer.from(signed.signatures[0]!.sig).toString('base64') }])
  })

  it('counts the bytes of the payload type, not its characters', () => {
    expect(fromUtf8(preAuthEncoding('é', utf8('aé')))).toBe('DSSEv1 2 é 3 aé')
    expect(fromUtf8(preAuthEncoding('', new Uint8Array(0)))).toBe('DSSEv1 0  0 ')
  })

  it('may be written in either base64 alphabet', async () => {
    const signed = await sign(createLink({ name: '???>>>~~~', byproducts: { a: '\u00ff\u00fe\u00fb' } }), [alice])
    const url = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_')
    const bytes = edited(signed, (file) => {
      file['payload'] = url(file['payload'] as string)
      for (const entry of entriesOf(file)) entry['sig'] = url(entry['sig'] as string)
    })
    expect(fromUtf8(bytes)).not.toBe(fromUtf8(signed.bytes))
    expect(await signersOf(decodeMetadata(bytes), [alice.key])).toHaveLength(1)
  })

  it('may have signatures without a key id: each key is tried', async () => {
    const read = decodeMetadata(
      edited(await sign(link, [alice, bob]), (file) => {
        for (const entry of entriesOf(file)) delete entry['keyid']
      }),
    )
    expect(read.signatures.map(({ keyid }) => keyid)).toEqual(['', ''])
    expect(await signersOf(read, [bob.key, alice.key])).toEqual([bob.key, alice.key])
    const stranger = await importKey((await generateKeyPair()).publicPem)
    expect(await signersOf(read, [stranger])).toEqual([])
  })

  it.each<[string, (text: string) => string]>([
    ['a line feed in it', (text) => `${text.slice(0, 8)}\n${text.slice(8)}`],
    ['a character of no alphabet', (text) => `${text.slice(0, 8)}*${text.slice(9)}`],
    ['no padding', (text) => text.replace(/=*$/, '').slice(0, -1)],
    ['hex', () => 'abc'],
  ])('is refused when payload or signature is base64 with %s', async (_, spoil) => {
    const signed = await sign(link, [alice])
    expect(
      await refusal('E_FORMAT', () =>
        decodeMetadata(
          edited(signed, (file) => {
            file['payload'] = spoil(file['payload'] as string)
          }),
        ),
      ),
    ).toMatch(/base64/)
    expect(
      await refusal('E_FORMAT', () =>
        decodeMetadata(
          edited(signed, (file) => {
            entriesOf(file)[0]!['sig'] = spoil(entriesOf(file)[0]!['sig'] as string)
          }),
        ),
      ),
    ).toMatch(/base64/)
  })

  it.each([
    '',
    'application/vnd.in-toto+json ',
    'APPLICATION/VND.IN-TOTO+JSON',
    'application/json',
    'application/vnd.in-toto.link+json',
    'application/vnd.in-toto+jsonx',
  ])('of type %j is refused for a link', async (type) => {
    expect(
      await refusal('E_FORMAT', async () =>
        decodeMetadata(
          edited(await sign(link, [alice]), (file) => {
            file['payloadType'] = type
          }),
        ),
      ),
    ).toMatch(/payloadType/)
  })

  it.each([
    'application/json',
    'application/vnd.in-toto.+json',
    'application/vnd.in-toto.a b+json',
    'application/vnd.in-toto.link+dsse',
    'text/plain',
  ])('of type %j is refused for a Statement too', async (type) => {
    const bytes = edited(await sign(toStatement(link), [alice]), (file) => {
      file['payloadType'] = type
    })
    expect(await refusal('E_FORMAT', () => decodeMetadata(bytes))).toMatch(/payloadType/)
  })

  it('is not signed any more under another type', async () => {
    const statement = await sign(toStatement(link), [alice])
    const read = decodeMetadata(
      edited(statement, (file) => {
        file['payloadType'] = 'application/vnd.in-toto.link+json'
      }),
    )
    expect(read.payload).toMatchObject({ _type: statementType })
    expect(await signersOf(read, [alice.key])).toEqual([])
  })

  it('is what it was when the caller uses the buffer again', async () => {
    const plain = createLink({ name: 'build', products: { 'a.js': { sha256 }, 'b.js': { sha256 } } })
    for (const format of formats) {
      const { bytes } = await sign(plain, [alice], { format })
      const buffer = bytes.slice()
      const read = decodeMetadata(buffer)
      buffer.fill(0x61)
      expect((read.payload as Link).products).toEqual(plain.products)
      expect(await signersOf(read, [alice.key])).toHaveLength(1)
    }
  })

  it('may hold floats, a metablock may not', async () => {
    const float = createLink({ name: 'build', byproducts: { seconds: 1.5 } })
    expect(await signersOf(decodeMetadata((await sign(float, [alice])).bytes), [alice.key])).toHaveLength(1)
    await refusal('E_FORMAT', () => sign(float, [alice], { format: 'metablock' }))
    for (const number of ['1.0', '1e3', '-0', '1.5']) {
      const text = fromUtf8((await sign(link, [alice], { format: 'metablock' })).bytes).replace('9007199254740993', number)
      expect(await refusal('E_FORMAT', () => decodeMetadata(utf8(text)))).toMatch(/plain integer/)
    }
  })

  it('of a layout holds none either: neither reference tool takes 1.0 for a threshold', async () => {
    const text = (threshold: string): string =>
      `{"_type":"layout","expires":"2030-01-01T00:00:00Z","keys":{},"inspect":[],"steps":[{"_type":"step","name":"build","threshold":${threshold},` +
      '"pubkeys":[],"expected_command":[],"expected_materials":[],"expected_products":[]}]}'
    const file = (payload: string): Uint8Array =>
      utf8(stringifyJson({ payload: toBase64(utf8(payload)), payloadType: 'application/vnd.in-toto+json', signatures: [] }))
    expect(decodeMetadata(file(text('1'))).payload).toMatchObject({ _type: 'layout' })
    for (const number of ['1.0', '1e0', '10e-1'])
      expect(await refusal('E_LAYOUT_INVALID', () => decodeMetadata(file(text(number))))).toMatch(/plain integer/)
  })

  it('is not readable when its payload is canonical JSON with a raw line feed', async () => {
    const signed = await sign(link, [alice], { format: 'metablock' })
    const file = stringifyJson({ payload: toBase64(signed.signedBytes), payloadType: 'application/vnd.in-toto+json', signatures: [] })
    expect(await refusal('E_FORMAT', () => decodeMetadata(utf8(file), { what: 'a.link' }))).toMatch(
      /^a\.link \(payload\):.*control character/,
    )
  })
})

describe('a metablock', () => {
  it('is verified over what stands in it, whatever its white space and the order of its members', async () => {
    const signed = await sign(link, [alice], { format: 'metablock' })
    const file = parseJson(signed.bytes).value as JsonObject
    const turned = (value: JsonValue): JsonValue => {
      if (Array.isArray(value)) return value.map(turned)
      if (typeof value !== 'object' || value === null) return value
      const object = Object.create(null) as JsonObject
      for (const name of Object.keys(value).reverse()) object[name] = turned(value[name]!)
      return object
    }
    for (const style of [{}, { indent: 2 }, { ascii: true }]) {
      expect(await signersOf(decodeMetadata(utf8(`\n ${stringifyJson(turned(file), style)}\r\n`)), [alice.key])).toHaveLength(1)
    }
  })

  it('may have hex of either case, and nothing else', async () => {
    const signed = await sign(link, [alice, bob], { format: 'metablock' })
    const withSig = (change: (sig: string) => string): Uint8Array =>
      edited(signed, (file) => {
        for (const entry of entriesOf(file)) entry['sig'] = change(entry['sig'] as string)
      })
    expect(await signersOf(decodeMetadata(withSig((sig) => sig.toUpperCase())), [alice.key, bob.key])).toHaveLength(2)
    for (const change of [
      (sig: string) => Buffer.from(sig, 'hex').toString('base64'),
      (sig: string) => `0x${sig}`,
      (sig: string) => `${sig} `,
      (sig: string) => sig.slice(1),
      () => '',
    ]) {
      expect(await signersOf(decodeMetadata(withSig(change)), [alice.key, bob.key])).toEqual([])
    }
  })

  it('ignores entries of other kinds, as both peers do', async () => {
    const signed = await sign(link, [alice], { format: 'metablock' })
    const openpgp = { keyid: 'aa', other_headers: '04000108', signature: '00', short_keyid: 'a' }
    const read = decodeMetadata(
      edited(signed, (file) => {
        entriesOf(file).unshift(openpgp, { sig: 'no key id' }, { keyid: alice.key.keyid, sig: 'no hex' })
      }),
    )
    expect(read.signatures).toHaveLength(4)
    expect(await signersOf(read, [alice.key])).toHaveLength(1)
  })

  it('has no use for a signature without a key id', async () => {
    const read = decodeMetadata(
      edited(await sign(link, [alice], { format: 'metablock' }), (file) => {
        delete entriesOf(file)[0]!['keyid']
      }),
    )
    expect(await hasSignature(read, alice.key)).toBe(false)
  })

  it('cannot hold a Statement', async () => {
    await refusal('E_CONFIG', () => sign(toStatement(link), [alice], { format: 'metablock' }))
    const file = { signed: toStatement(link) as unknown as JsonValue, signatures: [] }
    expect(await refusal('E_FORMAT', () => decodeMetadata(utf8(stringifyJson(file))))).toMatch(/Statement/)
  })
})

describe('files by the peers', () => {
  interface PeerKey {
    name: string
    pem: string
    pythonMetablock: string
    pythonEnvelope: string
    goMetablock: string
    goEnvelope: string
  }
  const peers = JSON.parse(readFileSync(new URL('../vectors/keys/keys.json', import.meta.url), 'utf8')) as PeerKey[]
  const files = ['pythonMetablock', 'pythonEnvelope', 'goMetablock', 'goEnvelope'] as const

  it.each(peers.flatMap((peer) => files.map((file) => [peer.name, file, peer] as const)))(
    '%s: %s is signed by its key and no other',
    async (_, file, peer) => {
      const read = decodeMetadata(utf8(peer[file]))
      expect(read.payload).toMatchObject({ _type: 'link', name: 'build', command: ['make', '<all>'], products: { 'café.js': { sha256 } } })
      const keys = await Promise.all(peers.map(({ pem }) => importKey(pem)))
      expect(await signersOf(read, keys)).toEqual([await importKey(peer.pem)])
    },
  )

  it.each(peers.map((peer) => [peer.name, peer] as const))(
    '%s: ours have the same bytes as Python’s, but for the signature',
    async (_, peer) => {
      const theirs = decodeMetadata(utf8(peer.pythonMetablock))
      const ours = await sign(theirs.payload as Link, [alice], { format: 'metablock' })
      const neutral = (metadata: Metadata): string =>
        metadata.signatures.reduce((text, { keyid, sig }) => text.replace(keyid, '').replace(toHex(sig), ''), fromUtf8(metadata.bytes))
      expect(neutral(ours)).toBe(neutral(theirs))
      expect(ours.signedBytes).toEqual(theirs.signedBytes)
    },
  )
})
