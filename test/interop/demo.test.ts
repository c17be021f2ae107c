/**
 * `npm run demo`, with what it makes put before both peers: the good chain is accepted and the bad ones are refused, as it made them and once more in
 * the other envelope.
 */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify, stripVTControlCharacters } from 'node:util'
import { decodeMetadata, encodeMetadata, sign } from 'intoto'
import { loadSigner } from 'intoto/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPeers, startPeer, type Peer, type PeerName } from './peer.ts'

const script = fileURLToPath(new URL('../../playground/release/demo.mjs', import.meta.url))
const run = promisify(execFile)

/** What each project of the demo comes to in the peers, which let another command pass. */
const expected = { app: true, 'refusal-1': false, 'refusal-2': false, 'refusal-3': false, 'refusal-4': true }

describeWithPeers('the demo', () => {
  let root: string
  let folder: string
  let said: string
  let peers: Record<PeerName, Peer>
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'demo-'))
    folder = join(root, 'demo')
    peers = { python: startPeer('python'), go: startPeer('go') }
    const { stdout } = await run(process.execPath, [script], {
      env: { ...process.env, DEMO_FOLDER: folder, NO_COLOR: '1' },
      maxBuffer: 2 ** 26,
    })
    said = stripVTControlCharacters(stdout)
  }, 400_000)
  afterAll(() => {
    Object.values(peers).forEach((peer) => peer.close())
    rmSync(root, { recursive: true, force: true })
  })

  test('ends well: one chain accepted, and four refused for four reasons', () => {
    expect(
      said
        .match(/^ *(E_[A-Z_]+)/gm)
        ?.map((code) => code.trim())
        .filter((code, i, all) => all.indexOf(code) === i),
    ).toEqual(['E_ACTOR', 'E_TAMPER', 'E_MISSING_STEP', 'E_COMMAND'])
    expect(said).toContain('One chain accepted, four refused')
  })

  /** The links of a project in one folder, which is all that the peers take. */
  function gather(project: string, to: string): void {
    mkdirSync(to)
    copyFileSync(join(project, 'in-toto/root.layout'), join(to, 'root.layout'))
    for (const where of ['in-toto', 'dist']) {
      for (const name of readdirSync(join(project, where)))
        if (name.endsWith('.link')) copyFileSync(join(project, where, name), join(to, name))
    }
  }

  /** The same payloads, signed anew by the same people in a Metablock. */
  async function inMetablocks(from: string, to: string): Promise<void> {
    mkdirSync(to)
    const people = await Promise.all(['owner', 'alice', 'ci', 'mallory'].map((name) => loadSigner(join(folder, 'keys', name))))
    for (const name of readdirSync(from)) {
      const { payload, signatures } = decodeMetadata(readFileSync(join(from, name)))
      const signer = people.find(({ key }) => signatures.some(({ keyid }) => keyid === key.keyid))!
      const ids = signatures.map(({ keyid }) => keyid)
      writeFileSync(join(to, name), encodeMetadata(await sign(payload, [signer], { format: 'metablock', keyids: () => ids })))
    }
  }

  for (const [project, accepted] of Object.entries(expected)) {
    test(`${project} is ${accepted ? 'accepted' : 'refused'} by both peers in both envelopes`, async () => {
      const links = { dsse: join(root, `${project}-dsse`), metablock: join(root, `${project}-metablock`) }
      gather(join(folder, project), links.dsse)
      await inMetablocks(links.dsse, links.metablock)
      const verdicts: [string, boolean][] = []
      for (const [format, dir] of Object.entries(links)) {
        for (const peer of Object.values(peers)) {
          const work = mkdtempSync(join(root, 'work-'))
          const request = { dir: work, layout: join(dir, 'root.layout'), keys: [join(folder, 'keys/owner.pub')], links: dir }
          verdicts.push([`${peer.name} ${format}`, (await peer.ask('verify', request)).ok])
        }
      }
      expect(Object.fromEntries(verdicts)).toEqual({
        'python dsse': accepted,
        'go dsse': accepted,
        'python metablock': accepted,
        'go metablock': accepted,
      })
    })
  }
})
