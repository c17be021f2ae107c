import { matchDigestSet, parseStatement, statementType, type Statement } from 'intoto'
import { describe, expect, it } from 'vitest'
import { refusal } from './refusal.ts'

const a = 'a'.repeat(64)
const b = 'b'.repeat(64)
const statement = (members: object = {}): unknown => ({
  _type: statementType,
  subject: [{ name: 'a.js', digest: { sha256: a } }],
  predicateType: 'https://example.org/p',
  predicate: { x: 1 },
  ...members,
})
const subject = (...entries: unknown[]): unknown => statement({ subject: entries })

describe('parseStatement', () => {
  it('keeps members that it does not know', () => {
    expect(parseStatement(statement({ later: [1] }))).toEqual(statement({ later: [1] }))
  })

  it.each<[string, unknown]>([
    ['no predicate', statement({ predicate: undefined })],
    ['a null predicate, which is the same', statement({ predicate: null })],
    ['no subjects', subject()],
    ['subjects without names', subject({ digest: { sha256: a } }, { digest: { sha256: b } })],
    [
      'subjects whose name means nothing',
      subject(
        { name: '_', digest: { sha256: a } },
        { name: '_', digest: { sha256: b } },
        { name: '', digest: { gitCommit: '01' } },
        { name: '', digest: { sha256: b } },
      ),
    ],
    [
      'descriptors with every member',
      subject({
        name: 'a',
        uri: 'pkg:npm/a@1',
        digest: { sha512: 'ab', other: 'x' },
        content: 'YQ==',
        downloadLocation: 'https://example.org',
        mediaType: 'text/plain',
        annotations: { a: 1 },
      }),
    ],
  ])('reads one with %s', (_, value) => {
    const read = parseStatement(value)
    expect(read.subject).toEqual((value as Statement).subject)
    expect(read.predicate ?? undefined).toEqual((value as Statement).predicate ?? undefined)
  })

  it.each<[string, unknown, RegExp]>([
    ['no object', [], /statement: expected an object/],
    ['another type', statement({ _type: 'link' }), /statement\._type/],
    ['no subject list', statement({ subject: undefined }), /statement\.subject: expected a list/],
    ['null in its place', statement({ subject: null }), /statement\.subject: expected a list/],
    ['a subject that is a text', subject('a'), /subject\[0\]/],
    ['a subject without a digest', subject({ name: 'a', uri: 'https://example.org' }), /subject\[0\].*digest/],
    ['an empty digest set', subject({ name: 'a', digest: {} }), /subject\[0\]\.digest/],
    ['a digest that is a number', subject({ name: 'a', digest: { sha256: 5 } }), /digest\.sha256/],
    ['an empty digest', subject({ name: 'a', digest: { sha256: '' } }), /digest\.sha256/],
    ['a name that stands twice', subject({ name: 'a', digest: { sha256: a } }, { name: 'a', digest: { sha256: b } }), /subject\[1\]\.name/],
    ['a name that is a number', subject({ name: 1, digest: { sha256: a } }), /subject\[0\]\.name/],
    ['annotations that are a list', subject({ digest: { sha256: a }, annotations: [] }), /annotations/],
    ['no predicate type', statement({ predicateType: undefined }), /predicateType/],
    ['an empty predicate type', statement({ predicateType: '' }), /predicateType/],
    ['a predicate that is a text', statement({ predicate: 'x' }), /statement\.predicate/],
  ])('refuses %s', async (_, value, reason) => {
    expect(await refusal('E_FORMAT', () => parseStatement(value))).toMatch(reason)
  })

  it('says that other versions are not read', async () => {
    expect(await refusal('E_UNSUPPORTED', () => parseStatement(statement({ _type: 'https://in-toto.io/Statement/v0.1' })))).toMatch(/v0\.1/)
  })
})

describe('matchDigestSet', () => {
  const c = 'c'.repeat(128)
  const d = 'd'.repeat(128)

  it.each<[string, boolean, Record<string, string>, Record<string, string>]>([
    ['one accepted algorithm agrees', true, { sha256: a, sha512: c }, { sha256: a }],
    ['two agree', true, { sha256: a, sha512: c }, { sha512: c, sha256: a }],
    ['weak and unknown ones do not count against it', true, { sha256: a, md5: '1', other: 'x' }, { sha256: a, md5: '2', other: 'y' }],
    ['another accepted one contradicts', false, { sha256: a, sha512: c }, { sha256: a, sha512: d }],
    ['nothing is in both', false, { sha256: a }, { sha512: c }],
    ['nothing at all', false, {}, {}],
    ['only weak ones agree', false, { sha1: 'a'.repeat(40), md5: 'a'.repeat(32) }, { sha1: 'a'.repeat(40), md5: 'a'.repeat(32) }],
    ['only an unknown one agrees', false, { somehash: a }, { somehash: a }],
    ['only a git object agrees', false, { gitCommit: 'a'.repeat(40) }, { gitCommit: 'a'.repeat(40) }],
    ['the agreeing one is too short', false, { sha256: 'ab' }, { sha256: 'ab' }],
    ['the agreeing one is no lower-case hex', false, { sha256: a.toUpperCase() }, { sha256: a.toUpperCase() }],
    ['they differ', false, { sha256: a }, { sha256: b }],
  ])('%s: %s', (_, expected, one, other) => {
    expect(matchDigestSet(one, other)).toBe(expected)
    expect(matchDigestSet(other, one)).toBe(expected)
  })
})
