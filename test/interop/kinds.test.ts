/**
 * Every kind of key in both envelopes, between us and both peers, in every direction; what comes out is the table of docs/interop.md.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  InTotoError,
  judge,
  sign,
  stringifyJson,
  toLayoutKey,
  type JsonObject,
  type JsonValue,
  type Layout,
  type Metadata,
} from 'intoto'
import { linkDirectory } from 'intoto/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOf, dictionary, type Format } from './chain.ts'
import { keyTypes, makeKey, type Style, type TestKey } from './keys.ts'
import { describeWithPeers, startPeer, type Peer, type PeerName } from './peer.ts'

const products = dictionary([
  ['dist/a.js', digestOf('a', ['sha256'])],
  ['dist/ü 😀', digestOf('b', ['sha256'])],
])
const payloadOfLink = (): JsonObject =>
  createLink({
    name: 'build',
    products,
    command: ['make'],
    byproducts: { 'return-value': 0, stdout: '', stderr: '' },
  }) as unknown as JsonObject

function payloadOfLayout(key: JsonObject): JsonObject {
  const step = {
    _type: 'step',
    name: 'build',
    threshold: 1,
    pubkeys: [key['keyid']!],
    expected_command: ['make'],
    expected_materials: [],
    expected_products: [
      ['REQUIRE', 'dist/a.js'],
      ['CREATE', 'dist/*'],
      ['DISALLOW', '*'],
    ],
  }
  return {
    _type: 'layout',
    expires: '2055-01-01T00:00:00Z',
    readme: '',
    keys: dictionary([[key['keyid'] as string, key as JsonValue]]),
    steps: [step],
    inspect: [],
  }
}

const ids = (style: Style | 'both', key: TestKey): string[] => (style === 'both' ? [key.ids.python, key.ids.go] : [key.ids[style]])

describeWithPeers('every kind of key', () => {
  let root: string
  let peers: Record<PeerName, Peer>
  const keys = new Map<string, TestKey>()
  const rows: string[] = []
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'kinds-'))
    peers = { python: startPeer('python'), go: startPeer('go') }
    for (const type of keyTypes) keys.set(type, await makeKey(type, root, type))
  })
  afterAll(() => {
    Object.values(peers).forEach((peer) => peer.close())
    rmSync(root, { recursive: true, force: true })
  })

  let chains = 0
  const newFolder = (): string => {
    const folder = join(root, `chain-${chains++}`)
    mkdirSync(folder)
    return folder
  }

  async function writtenByUs(
    folder: string,
    o: { name: string; payload: JsonObject; key: TestKey; format: Format; style: Style | 'both' },
  ): Promise<void> {
    const metadata = await sign(o.payload as never, [o.key.signer], { format: o.format, keyids: () => ids(o.style, o.key) })
    writeFileSync(join(folder, o.name), encodeMetadata(metadata))
  }

  async function writtenBy(
    peer: PeerName,
    folder: string,
    o: { name: string; payload: JsonObject; key: TestKey; format: Format },
  ): Promise<void> {
    const request = {
      payload: stringifyJson(o.payload),
      keys: JSON.stringify([o.key.privateFile]),
      format: JSON.stringify(o.format),
      path: JSON.stringify(join(folder, o.name)),
    }
    expect(await peers[peer].askText('sign', request)).toEqual({ ok: true })
  }

  const linkName = (id: string): string => `build.${id.slice(0, 8)}.link`
  const acceptedBy = async (peer: PeerName, folder: string, key: TestKey): Promise<string> => {
    const answer = await peers[peer].ask('verify', { dir: folder, layout: 'root.layout', keys: [key.publicFile], links: folder })
    return answer.ok ? 'yes' : `no: ${answer.kind} ${answer.message}`
  }
  const acceptedByUs = async (folder: string, key: TestKey): Promise<string> => {
    try {
      const layout = decodeMetadata(readFileSync(join(folder, 'root.layout'))) as Metadata<Layout>
      const report = await judge(layout, { keys: [key.key], links: linkDirectory(folder) })
      return report.ok ? 'yes' : `no: ${report.problems.map((p) => p.message).join('; ')}`
    } catch (error) {
      if (error instanceof InTotoError) return `no: ${error.message}`
      throw error
    }
  }
  const peersKey = async (peer: PeerName, key: TestKey): Promise<JsonObject> =>
    (await peers[peer].ask('key', { path: key.publicFile }))['key'] as JsonObject

  for (const type of keyTypes) {
    test(`${type}: each implementation gives the key its own id, and so do we`, async () => {
      const key = keys.get(type)!
      for (const style of ['python', 'go'] as const) {
        expect((await peers[style].ask('keyid', { pem: key.publicPem }))['keyid']).toBe(key.ids[style])
      }
    })

    for (const format of ['metablock', 'dsse'] as const) {
      test(`${type} in ${format}: ours in both peers, theirs here, our link under their layouts`, async () => {
        const key = keys.get(type)!
        const cells: Record<string, string> = {}

        const made = newFolder()
        await writtenByUs(made, { name: 'root.layout', payload: payloadOfLayout(toLayoutKey(key.key)), key, format, style: 'both' })
        await writtenByUs(made, { name: linkName(key.ids.python), payload: payloadOfLink(), key, format, style: 'python' })
        for (const peer of ['python', 'go'] as const) cells[`ours in ${peer}`] = await acceptedBy(peer, made, key)
        cells['ours here'] = await acceptedByUs(made, key)

        for (const peer of ['python', 'go'] as const) {
          const listed = await peersKey(peer, key)
          const theirs = newFolder()
          await writtenBy(peer, theirs, { name: 'root.layout', payload: payloadOfLayout(listed), key, format })
          await writtenBy(peer, theirs, { name: linkName(key.ids[peer]), payload: payloadOfLink(), key, format })
          cells[`${peer}'s here`] = await acceptedByUs(theirs, key)

          const mixed = newFolder()
          await writtenBy(peer, mixed, { name: 'root.layout', payload: payloadOfLayout(listed), key, format })
          await writtenByUs(mixed, { name: linkName(key.ids[peer]), payload: payloadOfLink(), key, format, style: peer })
          cells[`our link, ${peer}'s layout, there`] = await acceptedBy(peer, mixed, key)
          cells[`our link, ${peer}'s layout, here`] = await acceptedByUs(mixed, key)
        }
        // Go's payload of an envelope is canonical JSON: with the line feeds of a PEM key in it, it is no JSON, and Go can't read it either.
        const unreadable =
          format === 'dsse' && type !== 'ed25519' ? ["go's here", "our link, go's layout, there", "our link, go's layout, here"] : []
        for (const name of unreadable) {
          expect([name, cells[name]]).toEqual([name, expect.stringMatching(/^no: .*(not strict JSON|error decoding payload)/) as string])
          cells[name] = 'no'
        }
        expect(cells).toEqual(Object.fromEntries(Object.keys(cells).map((name) => [name, unreadable.includes(name) ? 'no' : 'yes'])))
        const there = (peer: PeerName): string[] => [
          cells[`ours in ${peer}`]!,
          cells[`${peer}'s here`]!,
          cells[`our link, ${peer}'s layout, there`]!,
        ]
        rows.push(`| ${[type, format, ...there('python'), ...there('go')].join(' | ')} |`)
      })
    }
  }

  test('the table of docs/interop.md is what was just seen', () => {
    const table = rows.join('\n')
    console.log(table)
    expect(rows).toHaveLength(keyTypes.length * 2)
    expect(readFileSync(new URL('../../docs/interop.md', import.meta.url), 'utf8')).toContain(table)
  })
})
