/** `intoto show`: every kind of file, by content; who signed; and data that tries to drive the terminal. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLink, encodeMetadata, importSigner, sign, statementType, type Artifacts, type Signer, type Statement } from 'intoto'
import { beforeAll, describe, expect, test } from 'vitest'
import { complaints, intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
let alice: Signer

beforeAll(async () => {
  for (const name of ['alice', 'bob']) mustRun(['keygen', '-o', at(name)])
  alice = await importSigner(readFileSync(at('alice'), 'utf8'))
})

const hostile = 'a\u001b[2J\u202e\u009bevil\nE_ACTOR x  y'
const hex = 'ab'.repeat(32)

function artifacts(names: readonly string[]): Artifacts {
  const all: Artifacts = Object.create(null) as Artifacts
  for (const name of names) all[name] = Object.assign(Object.create(null) as object, { sha256: hex })
  return all
}

function statement(): Statement {
  return {
    _type: statementType,
    subject: [{ name: 'lib-1.0.0.tgz', digest: { sha256: hex } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: { builder: 'ci' },
  }
}

describe('kinds', () => {
  test('a link in both envelopes, cut to what fits and whole with -v', async () => {
    const many = Array.from({ length: 40 }, (_, i) => `src/${i}.js`)
    const link = createLink({
      name: 'build',
      materials: artifacts(many),
      products: artifacts(['dist/a.js']),
      command: ['vite', 'build', '--mode', 'a b'],
      byproducts: { 'return-value': 0 },
    })
    for (const format of ['dsse', 'metablock'] as const) {
      writeFileSync(at('a.link'), encodeMetadata(await sign(link, [alice], { format })))
      const { out } = mustRun(['show', at('a.link'), '-k', at('alice.pub')])
      expect(out).toContain(`link of step "build" (${format === 'dsse' ? 'dsse envelope' : 'metablock'})`)
      expect(out).toMatch(/signed by +alice \([0-9a-f]{8}\) {2}valid/)
      expect(out).toContain("vite build --mode 'a b'")
      expect(out).toContain('… and 28 more')
    }
    expect(mustRun(['show', at('a.link'), '-v']).out).toContain(`src/39.js  sha256 ${hex}`)
  })

  test('a Statement, bare, in an envelope, in a Sigstore bundle, and several on lines', async () => {
    const envelope = Buffer.from(encodeMetadata(await sign(statement(), [alice]))).toString('utf8')
    const files = {
      'bare.json': JSON.stringify(statement()),
      'a.intoto.json': envelope,
      'a.sigstore.json': JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {},
        dsseEnvelope: JSON.parse(envelope) as unknown,
      }),
      'a.intoto.jsonl': `${JSON.stringify(JSON.parse(envelope))}\n{"unknown":1}\n${JSON.stringify(JSON.parse(envelope))}\n`,
    }
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(at(name), content)
      const { out } = mustRun(['show', at(name)])
      expect(out.match(/Statement, https:\/\/slsa\.dev\/provenance\/v1/g)).toHaveLength(name.endsWith('l') ? 2 : 1)
      expect(out).toContain('lib-1.0.0.tgz  sha256 ababab…abab')
    }
    mustRun(['show', at('a.intoto.jsonl'), '-k', at('alice.pub')])
  })

  test('a layout, by names, with its rules counted', () => {
    mustRun(['layout', 'new', '--preset', 'npm', '--functionary', at('alice.pub'), '--sign-with', at('bob'), '-o', at('root.layout')])
    const { out } = mustRun(['show', at('root.layout'), '-k', at('bob.pub')])
    expect(out).toMatch(/step +build {2}1 of alice \([0-9a-f]{8}\)/)
    expect(out).toMatch(/materials +1 {2}REQUIRE package\.json/)
  })

  test('a public key; of a private one nothing', () => {
    expect(mustRun(['show', at('alice.pub')]).out).toContain(alice.key.keyid)
    const ended = intoto(['show', at('alice')])
    expect(ended.code).toBe(2)
    expect(ended.out).toBe('')
  })
})

describe('signatures', () => {
  test('a key that has not signed, a signature that does not hold: exit code 1', async () => {
    writeFileSync(at('signed.link'), encodeMetadata(await sign(createLink({ name: 'x' }), [alice])))
    const other = intoto(['show', at('signed.link'), '-k', at('bob.pub')])
    expect(other.code).toBe(1)
    expect(other.out).toMatch(/not signed by bob/)
    const envelope = JSON.parse(readFileSync(at('signed.link'), 'utf8')) as { payload: string }
    const payload = Buffer.from(Buffer.from(envelope.payload, 'base64').toString('utf8').replace('"x"', '"y"')).toString('base64')
    writeFileSync(at('forged.link'), JSON.stringify({ ...envelope, payload }))
    const forged = intoto(['show', at('forged.link'), '-k', at('alice.pub')])
    expect(forged.code).toBe(1)
    expect(forged.out).toContain('NOT VALID')
    writeFileSync(at('unsigned.link'), encodeMetadata(await sign(createLink({ name: 'x' }), [])))
    expect(mustRun(['show', at('unsigned.link')]).out).toContain('signed by     nobody')
    expect(intoto(['show', at('unsigned.link'), '-k', at('alice.pub')]).code).toBe(1)
  })
})

describe('what is no metadata', () => {
  test.each([
    ['text', 'hello'],
    ['other JSON', '{"name":"x"}'],
    ['a list', '[1,2]'],
    ['deep JSON', '{"a":'.repeat(5000)],
    ['lines of nothing', 'a\nb\n'],
    ['an unknown payload', JSON.stringify({ payloadType: 'text/plain', payload: 'aGk=', signatures: [] })],
  ])('%s: exit code 1, two lines that name the file', (_what, content) => {
    writeFileSync(at('odd'), content)
    const ended = intoto(['show', at('odd')])
    expect(ended.code, ended.err).toBe(1)
    expect(ended.out).toBe('')
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
    expect(ended.err).toContain('odd')
  })
})

test('what is no metadata is refused by the name of its file, with the line where there is one', () => {
  const at = temporaryFolder()
  for (const [name, content, line] of [
    ['text', 'a\n', /^E_FORMAT text:1 {2}column 1: not strict JSON/],
    ['bytes', Buffer.from([0xff]), /^E_FORMAT bytes {2}not well-formed UTF-8/],
    ['object', '{}', /^E_FORMAT object {2}neither a DSSE envelope/],
    ['old', '{"_type":"https://in-toto.io/Statement/v0.1"}', /^E_UNSUPPORTED old {2}statement: version/],
    ['link', '{"_type":"link"}', /^E_FORMAT link {2}link\.name: expected a string/],
  ] as const) {
    writeFileSync(join(at, name), content)
    const ended = intoto(['show', name], { cwd: at })
    expect(ended.err).toMatch(line)
    expect(ended.code).toBe(name === 'old' ? 2 : 1)
  }
})

test('names in a link can’t drive the terminal or pretend to be lines of ours', async () => {
  const link = createLink({
    name: hostile.replace('/', ''),
    materials: artifacts([hostile]),
    command: [hostile],
    byproducts: { [hostile]: hostile },
  })
  writeFileSync(at('hostile.link'), encodeMetadata(await sign(link, [alice])))
  const { out } = mustRun(['show', at('hostile.link'), '-v'])
  expect(out).toContain('\\u{1b}[2J\\u{202e}\\u{9b}evil\\u{a}E_ACTOR')
  expect(out).not.toMatch(/^E_ACTOR/m)
})
