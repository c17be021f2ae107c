/** Evidence in Archivista: Statements go in, and the chain behind a tarball comes out, followed by materials, checked by content address. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  generateKeyPair,
  importSigner,
  sign,
  toStatement,
  type Artifacts,
  type Metadata,
  type Problem,
  type Signer,
} from 'intoto'
import { openStore, packageProvenance, toBundle, writeLines, type EvidenceFile, type StoreOptions } from 'intoto-npm'
import { gitoid, startArchivista, type FakeArchivista } from './archivista.ts'
import { refusal } from './refusal.ts'

let server: FakeArchivista
let alice: Signer
let mallory: Signer
let chain: Metadata[]
const hash = (text: string): string => Buffer.from(text.padEnd(32, '.')).toString('hex')
const artifacts = (...names: string[]): Artifacts => Object.fromEntries(names.map((name) => [name, { sha256: hash(name) }]))
const subject = { sha256: hash('a-1.0.0.tgz') }
const open = (o: StoreOptions = {}) => openStore(`archivista+${server.url}`, o)
const statement = (name: string, materials: string[], products: string[], signer = alice): Promise<Metadata> =>
  sign(toStatement(createLink({ name, materials: artifacts(...materials), products: artifacts(...products) })), [signer])
const named = (metadata: Metadata, name: string): EvidenceFile => ({ name, bytes: metadata.bytes })
const names = (list: readonly EvidenceFile[]): string[] => list.map(({ name }) => name)
const keyid8 = (signer: Signer): string => signer.key.keyid.slice(0, 8)

beforeAll(async () => {
  alice = await importSigner((await generateKeyPair()).privatePem)
  mallory = await importSigner((await generateKeyPair()).privatePem)
  chain = [
    await statement('source', [], ['src/a.js', 'LICENSE']),
    await statement('build', ['src/a.js'], ['dist/a.js']),
    await statement('package', ['dist/a.js', 'LICENSE'], ['a-1.0.0.tgz']),
  ]
})
beforeEach(async () => {
  server = await startArchivista()
  return () => server.close()
})

describe('push', () => {
  it('uploads Statements as they are', async () => {
    const { stored, skipped } = await open().push(
      chain.map((each, i) => named(each, `${i}.intoto.jsonl`)),
      subject,
    )
    expect(skipped).toEqual([])
    expect(stored.map(({ reference }) => reference)).toEqual(chain.map(({ bytes }) => `archivista+${server.url}#${gitoid(bytes)}`))
    expect([...server.envelopes.values()].map(String)).toEqual(chain.map(({ bytes }) => Buffer.from(bytes).toString()))
  })

  it('uploads each line of a bundle, and nothing twice', async () => {
    await open().push([named(chain[0]!, 'one.json')], subject)
    await open().push([{ name: 'all.intoto.jsonl', bytes: writeLines(chain) }], subject)
    expect(server.envelopes.size).toBe(3)
    expect(server.log.filter((line) => line.endsWith('500'))).toEqual([])
  })

  it('says which files it cannot hold, and that it can hold none', async () => {
    const link = await sign(createLink({ name: 'build' }), [alice])
    const bundle = { name: 'x.sigstore.json', bytes: await toBundle(chain[0]!, alice.key) }
    const { stored, skipped } = await open().push(
      [
        named(link, 'build.c0ffee12.link'),
        named(chain[0]!, 'a.json'),
        bundle,
        { name: 'mixed.jsonl', bytes: writeLines([link, chain[1]!]) },
      ],
      subject,
    )
    expect(stored.map(({ name }) => name)).toEqual(['a.json', 'mixed.jsonl'])
    expect(skipped.map(({ name }) => name)).toEqual(['build.c0ffee12.link', 'x.sigstore.json', 'mixed.jsonl'])
    const error = await refusal(() => open().push([named(link, 'build.c0ffee12.link')], subject))
    expect(error).toMatchObject({ code: 'E_UNSUPPORTED', problem: { fix: [expect.stringContaining('Statements')] } })
  })

  it('does not believe a server that stores something else', async () => {
    const lying: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      return String(input).endsWith('/upload') ? new Response('{"gitoid":"00"}') : answer
    }
    expect((await refusal(() => open({ fetch: lying }).push([named(chain[0]!, 'a.json')], subject))).code).toBe('E_IO')
  })
})

describe('pull', () => {
  beforeEach(async () => {
    await open().push(
      chain.map((each, i) => named(each, `${i}.json`)),
      subject,
    )
  })

  it('finds what is about a tarball and follows its materials back to the source', async () => {
    const files = await open().pull(subject)
    expect(names(files)).toEqual(['build', 'package', 'source'].map((step) => `${step}.${keyid8(alice)}.link`))
    for (const { bytes } of files) expect(chain.map((each) => Buffer.from(each.bytes).toString())).toContain(Buffer.from(bytes).toString())
    expect(names(await open().pull({ sha256: hash('dist/a.js') }))).toEqual(
      ['build', 'source'].map((step) => `${step}.${keyid8(alice)}.link`),
    )
    expect(await open().pull({ sha256: hash('unknown') })).toEqual([])
  })

  it('by sha512 too', async () => {
    const tarball = { sha256: hash('p.tgz'), sha512: 'ab'.repeat(64) }
    const link = createLink({ name: 'package', products: { 'p.tgz': { sha256: tarball.sha256 } } })
    const provenance = packageProvenance({ subject: { name: 'p', version: '1.0.0', ...tarball }, link, client: 'npm/11', environment: {} })
    await open().push([named(await sign(provenance, [alice]), 'p.json')], tarball)
    const files = await open().pull({ sha256: hash('other'), sha512: tarball.sha512 })
    expect(names(files)).toEqual([expect.stringMatching(/^provenance\.[0-9a-f]{16}\.intoto\.jsonl$/)])
    expect(decodeMetadata(files[0]!.bytes).payload).toMatchObject({ predicateType: 'https://slsa.dev/provenance/v1' })
  })

  it('keeps two links of one step and key apart', async () => {
    await open().push([named(await statement('build', ['src/a.js'], ['dist/a.js', 'dist/b.js']), 'b.json')], subject)
    const files = names(await open().pull(subject)).filter((name) => name.includes('build'))
    expect(files.map((name) => name.replace(/^[0-9a-f]{16}\//, 'X/')).toSorted()).toEqual([
      `X/build.${keyid8(alice)}.link`,
      `build.${keyid8(alice)}.link`,
    ])
  })

  it('asks for given keys only, so that a stranger’s LICENSE leads nowhere', async () => {
    await open().push([named(await statement('source', [], ['LICENSE'], mallory), 'm.json')], subject)
    expect(names(await open().pull(subject))).toContain(`source.${keyid8(mallory)}.link`)
    expect(names(await open().pull(subject, { keyids: [alice.key.keyid] }))).toEqual(
      ['build', 'package', 'source'].map((step) => `${step}.${keyid8(alice)}.link`),
    )
  })

  it('reads answers page by page', async () => {
    server.page = 1
    await open().push([named(await statement('package', [], ['a-1.0.0.tgz'], mallory), 'm.json')], subject)
    expect(await open().pull(subject)).toHaveLength(4)
  })

  it('ends, however statements lead in circles', async () => {
    await open().push(
      [named(await statement('x', ['one'], ['two']), 'x.json'), named(await statement('y', ['two'], ['one']), 'y.json')],
      subject,
    )
    server.log.length = 0
    expect(await open().pull({ sha256: hash('one') })).toHaveLength(2)
    expect(server.log.filter((line) => line.includes('/query'))).toHaveLength(2)
  })

  it('refuses bytes of another content address', async () => {
    server.tamper = (bytes) => Buffer.from(bytes.toString().replace('"sig":"', '"sig":"A'))
    expect(await refusal(() => open().pull(subject))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining('another content address'),
    })
  })

  it('passes over what is no Statement v1, with a word', async () => {
    const old = {
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: 'a', digest: { sha256: subject.sha256 } }],
      predicateType: 'x',
    }
    const bytes = Buffer.from(
      JSON.stringify({
        payload: Buffer.from(JSON.stringify(old)).toString('base64'),
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ keyid: '', sig: 'AAAA' }],
      }),
    )
    server.envelopes.set(gitoid(bytes), bytes)
    const warnings: Problem[] = []
    expect(await open({ warn: (problem) => warnings.push(problem) }).pull(subject)).toHaveLength(3)
    expect(warnings).toMatchObject([{ severity: 'warning', message: expect.stringContaining(gitoid(bytes)) }])
  })

  it('names a step whose name is no file name by its address', async () => {
    await open().push([named(await statement('../../evil', [], ['e']), 'e.json')], subject)
    expect(names(await open().pull({ sha256: hash('e') }))).toEqual([expect.stringMatching(/^link\.[0-9a-f]{16}\.intoto\.jsonl$/)])
  })

  it('is bounded', async () => {
    for (const limits of [{ files: 2 }, { fileBytes: 200 }, { totalBytes: 600 }])
      expect((await refusal(() => open({ limits }).pull(subject))).code).toBe('E_IO')
  })
})

describe('servers', () => {
  it('of earlier versions have routes without a version', async () => {
    server.versioned = false
    await open().push([named(chain[2]!, 'a.json')], subject)
    expect(await open().pull(subject)).toHaveLength(1)
  })

  it('may want a token, and get it', async () => {
    server.token = 'canary-token'
    expect(await refusal(() => open().pull(subject))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('401') })
    await open({ credentials: { token: 'canary-token' } }).push([named(chain[2]!, 'a.json')], subject)
    expect(await open({ credentials: { token: 'canary-token' } }).pull(subject)).toHaveLength(1)
  })

  it.each(['no json', '[]', '{}', '{"data":null,"errors":[{"message":"canary"}]}', '{"data":{"dsses":{"edges":{}}}}'])(
    'that answer a query with %j are none',
    async (body) => {
      const other: typeof fetch = async () => new Response(body)
      expect((await refusal(() => open({ fetch: other }).pull(subject))).code).toBe('E_FORMAT')
    },
  )

  it('that fail are told apart from none', async () => {
    const failing: typeof fetch = async () => new Response('canary: internals', { status: 500 })
    expect(await refusal(() => open({ fetch: failing }).pull(subject))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining('status 500'),
    })
    expect((await refusal(() => open({ fetch: failing }).push([named(chain[0]!, 'a.json')], subject))).code).toBe('E_IO')
  })

  it('ids that are no ids are not fetched', async () => {
    const asked: string[] = []
    const odd: typeof fetch = async (input) => {
      asked.push(String(input))
      return new Response(
        JSON.stringify({ data: { dsses: { edges: [{ node: { gitoidSha256: '../../admin' } }, null, { node: null }, {}] } } }),
      )
    }
    expect(await open({ fetch: odd }).pull(subject)).toEqual([])
    expect(asked.every((url) => url.endsWith('/query'))).toBe(true)
  })
})
