/** The admission handler: what it says about images and packages, where evidence comes from, and how it stands many requests over TLS. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { Agent, createServer as createTlsServer, request as tlsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  InTotoError,
  memoryLinks,
  sign,
  toStatement,
  type Link,
  type LinkSource,
  type Metadata,
} from 'intoto'
import { linkDirectory } from 'intoto/node'
import { openStore } from 'intoto-npm'
import { createAdmissionHandler, type AdmissionLayout } from 'intoto-npm/admission'
import { alice, bob, files, inspection, layout, linkFile, mallory, owner, sha256, signed, step } from '../intoto/world.ts'
import {
  bad,
  chainLayout,
  digest,
  entry,
  good,
  handlerOf,
  honestLinks,
  manifest,
  object,
  ownersLayout,
  planted,
  podSpec,
  review,
  type Answered,
} from './admission.ts'
import { startArchivista } from './archivista.ts'
import { selfSigned } from './certificate.ts'
import { startOci } from './oci.ts'
import { refusal } from './refusal.ts'
import { closeServer, listen, tarball } from './registry.ts'

const folder = mkdtempSync(join(tmpdir(), 'intoto-admission-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What tests have started. */
const servers: { close: () => Promise<void> }[] = []
afterAll(async () => {
  for (const { close } of servers) await close()
})

const otherBytes = await tarball({ name: 'lib', version: '1.0.0', evil: true })

/** What a handler with one layout says about an image, both ways of asking; they must agree. */
async function verdictOn(image: string, changes: Partial<AdmissionLayout> = {}): Promise<Answered> {
  const { ask } = handlerOf({ layouts: [await entry(changes)] })
  const plain = await ask({ image })
  const { response } = (await ask(review(object('Pod', podSpec(image))))).body
  expect(response.allowed).toBe(plain.body.allowed)
  if (!plain.body.allowed)
    for (const line of plain.body.reasons) expect(response.status.message).toContain(line.slice(0, line.indexOf(' ')))
  return plain
}

const codes = ({ body }: Answered): string[] => body.problems.filter((one: any) => one.severity === 'error').map((one: any) => one.code)

describe('an image', () => {
  it('is let in when its manifest is a product of the verified chain', async () => {
    const { status, body } = await verdictOn(good)
    expect(status).toBe(200)
    expect(body).toMatchObject({ allowed: true, subject: good, reasons: [], report: { ok: true, product: { matched: 1 } } })
    expect(body.report.product.path).toBe(`image/blobs/sha256/${sha256(manifest)}`)
    expect(body.report).not.toHaveProperty('summary')
    expect(body.report).not.toHaveProperty('chain')
  })

  it('is let in under a tag too, when a digest stands behind it', async () => {
    expect((await verdictOn(`registry.example:5000/team/app:1.0@${digest}`)).status).toBe(200)
  })

  it.each<[what: string, image: string, code: string]>([
    ['has another digest', bad, 'E_PRODUCT'],
    ['is named by tag', 'registry.example/team/app:1.0', 'E_PRODUCT'],
    ['is named by nothing', 'registry.example/team/app', 'E_PRODUCT'],
    ['names no registry', `team/app@${digest}`, 'E_FORMAT'],
    ['is a file of the sources', `registry.example/team/app@sha256:${sha256(planted)}`, 'E_PRODUCT'],
    ['has a digest of another algorithm', `registry.example/app@sha512:${'ab'.repeat(64)}`, 'E_UNSUPPORTED'],
  ])('that %s is refused', async (_, image, code) => {
    const answered = await verdictOn(image)
    expect([answered.status, codes(answered)]).toEqual([403, [code]])
    expect(answered.body.reasons[0]).toMatch(new RegExp(`^${code} .*; try: `))
  })

  it('by tag alone is refused with the advice to name its digest', async () => {
    const { body } = await verdictOn('registry.example:5000/team/app:1.0')
    expect(body.reasons[0]).toContain('deploy the digest: registry.example:5000/team/app:1.0@sha256:…')
  })

  it('is refused when the chain does not hold: a link changed, missing, of a stranger; the layout changed, expired, of a stranger', async () => {
    const links = await honestLinks()
    const [name = ''] = Object.keys(links).filter((one) => one.startsWith('image.'))
    const tampered = { ...links, [name]: Buffer.from(Buffer.from(links[name]!).toString().replace('payload":"ey', 'payload":"fy')) }
    const { [name]: _, ...missing } = links
    const forged = { ...missing, ...(await linkFile(mallory, { name: 'image', products: files({ x: manifest }) })) }
    for (const [changed, code] of [
      [tampered, 'E_MISSING_STEP'],
      [missing, 'E_MISSING_STEP'],
      [forged, 'E_ACTOR'],
    ] as const) {
      const answered = await verdictOn(good, { evidence: [memoryLinks(changed)] })
      expect([answered.status, codes(answered).includes(code)], JSON.stringify(answered.body.reasons)).toEqual([403, true])
    }
    const expired = await ownersLayout(chainLayout({ expires: '2020-01-01T00:00:00Z' }))
    expect(codes(await verdictOn(good, { layout: expired }))).toEqual(['E_LAYOUT_EXPIRED'])
    expect(codes(await verdictOn(good, { keys: [mallory.key] }))).toEqual(['E_LAYOUT_SIGNATURE'])
    expect(codes(await verdictOn(good, { keys: [owner.key, mallory.key] }))).toEqual(['E_LAYOUT_SIGNATURE'])
    expect(codes(await verdictOn(good, { keys: [] }))).toEqual(['E_CONFIG'])
  })

  it('is a product of the step that is named, and of what comes after it', async () => {
    expect((await verdictOn(good, { imageStep: 'image' })).status).toBe(200)
    expect(codes(await verdictOn(good, { imageStep: 'source' }))).toEqual(['E_PRODUCT'])
    expect(codes(await verdictOn(good, { imageStep: 'none' }))).toEqual(['E_CONFIG'])
    // a later step writes something else under the name
    const open = await ownersLayout(layout([step('image'), step('patch')]))
    const links = {
      ...(await linkFile(alice, { name: 'image', products: files({ 'image/m': manifest }) })),
      ...(await linkFile(alice, { name: 'patch', products: files({ 'image/m': 'patched' }) })),
    }
    const patched = { layout: open, evidence: [memoryLinks(links)], imageStep: 'image' }
    expect(codes(await verdictOn(good, patched))).toEqual(['E_PRODUCT'])
    expect((await verdictOn(`registry.example/app@sha256:${sha256('patched')}`, { ...patched, imageStep: 'patch' })).status).toBe(200)
  })

  it('of a layout without steps is refused', async () => {
    expect(codes(await verdictOn(good, { layout: await ownersLayout(layout([])) }))).toEqual(['E_CONFIG'])
  })

  it('of a layout with inspections is refused: no command is run', async () => {
    const inspected = await ownersLayout(chainLayout({ inspect: [inspection('look', { run: ['touch', join(folder, 'canary')] })] }))
    expect(codes(await verdictOn(good, { layout: inspected }))).toEqual(['E_UNSUPPORTED'])
  })

  it('may be made by a layout below the layout, with parameters', async () => {
    const [outer, inner] = [layout([step('image', { command: ['build', '{VERSION}'] })]), layout([step('compile', { by: [bob] })])]
    const place = `image.${alice.key.keyid.slice(0, 8)}`
    const compiled = await linkFile(bob, { name: 'compile', products: files({ m: manifest }), command: ['build', '1'] })
    const below = Object.entries(compiled).map(([name, bytes]) => [`${place}/${name}`, bytes] as const)
    const evidence = [memoryLinks({ [`${place}.link`]: await signed(inner, [alice]), ...Object.fromEntries(below) }), memoryLinks({})]
    const trust = { layout: await ownersLayout(outer), evidence, names: new Map([[owner.key.keyid, 'olivia']]) }
    const yes = await verdictOn(good, { ...trust, parameters: { VERSION: '1' } })
    expect([yes.status, yes.body.report?.layout.signers[0].name], JSON.stringify(yes.body.reasons)).toEqual([200, 'olivia'])
    expect(codes(await verdictOn(bad, { ...trust, parameters: { VERSION: '1' } }))).toEqual(['E_PRODUCT'])
    expect(codes(await verdictOn(good, { ...trust, parameters: { VERSION: '2' } }))).toEqual(['E_COMMAND'])
  })

  it('may be the subject of a Statement with the link predicate where that is allowed', async () => {
    const content = await ownersLayout(layout([step('image')]))
    const statement = await sign(toStatement(createLink({ name: 'image', products: files({ app: manifest }) })), [alice.signer])
    const file = (name: string): Partial<AdmissionLayout> => ({
      layout: content,
      evidence: [memoryLinks({ [name]: encodeMetadata(statement) })],
    })
    const name = `image.${alice.key.keyid.slice(0, 8)}.intoto.jsonl`
    expect((await verdictOn(good, { ...file(name), statements: true })).status).toBe(200)
    expect(codes(await verdictOn(good, file(name)))).toEqual(['E_MISSING_STEP'])
    const foreign = await sign(toStatement(createLink({ name: 'image', products: files({ app: manifest }) })), [mallory.signer])
    const answered = await verdictOn(good, {
      layout: content,
      statements: true,
      evidence: [memoryLinks({ [name]: encodeMetadata(foreign) })],
    })
    expect(answered.status).toBe(403)
  })
})

describe('layouts', () => {
  it('the first whose pattern matches decides, and what none matches is refused', async () => {
    const team = await entry({ for: ['registry.example/team/*'] })
    const other = await entry({ for: ['registry.example/*', 'npm:*'], keys: [mallory.key] })
    const { ask } = handlerOf({ layouts: [team, other] })
    expect((await ask({ image: good })).status).toBe(200)
    expect(codes(await ask({ image: `registry.example/app@${digest}` }))).toEqual(['E_LAYOUT_SIGNATURE'])
    expect(codes(await ask({ image: `elsewhere.example/app@${digest}` }))).toEqual(['E_CONFIG'])
    expect(codes(await ask({ image: `registry.example.evil.example/team/app@${digest}` }))).toEqual(['E_CONFIG'])
    expect((await ask({ image: `Registry.Example/team/app@${digest}` })).status).toBe(200)
  })

  it('without any, everything is refused', async () => {
    expect(codes(await handlerOf({ layouts: [] }).ask({ image: good }))).toEqual(['E_CONFIG'])
  })

  it('are asked for anew, links too: what is renewed or added counts for the next request', async () => {
    const place = join(folder, 'links')
    const store = openStore(`dir:${join(folder, 'store')}`)
    let current = await ownersLayout(chainLayout({ expires: '2020-01-01T00:00:00Z' }))
    const { ask } = handlerOf({ layouts: [await entry({ layout: async () => current, evidence: [linkDirectory(place), store] })] })
    expect(codes(await ask({ image: good }))).toEqual(['E_LAYOUT_EXPIRED'])
    current = await ownersLayout()
    expect(codes(await ask({ image: good }))).toContain('E_MISSING_STEP')
    const links = Object.entries(await honestLinks()).map(([name, bytes]) => ({ name, bytes }))
    await store.push(links.slice(1), { sha256: sha256(manifest) })
    expect(codes(await ask({ image: good }))).toEqual(['E_MISSING_STEP'])
    linkDirectory(place).put(decodeMetadata(links[0]!.bytes) as Metadata<Link>)
    expect((await ask({ image: good })).status).toBe(200)
    expect(codes(await ask({ image: bad }))).toContain('E_MISSING_STEP')
  })

  it('a store that can’t be asked is a refusal, though the other evidence would do', async () => {
    const dead = openStore('oci://127.0.0.1:9/team/app', { timeout: 2_000 })
    const answered = await verdictOn(good, { evidence: [memoryLinks(await honestLinks()), dead] })
    expect([answered.status, codes(answered)]).toEqual([403, ['E_IO']])
  })

  it.each(['oci://registry.example/team/app', 'archivista+https://archivista.example'])(
    'a store that is slow keeps others out for no longer than anybody waits for it: %s',
    async (reference) => {
      const asked: (AbortSignal | null | undefined)[] = []
      const silent: typeof fetch = (_, init) => {
        asked.push(init?.signal)
        return new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
        })
      }
      const slow = openStore(reference, { fetch: silent, timeout: 600_000 })
      const { ask } = handlerOf({
        layouts: [await entry({ for: ['slow.example/*'], evidence: [slow] }), await entry()],
        limits: { verdicts: 1, timeout: 1_500 },
      })
      const late = await ask({ image: good.replace('registry.example', 'slow.example') })
      expect([late.status, codes(late)]).toEqual([403, ['E_IO']])
      expect(late.body.reasons[0]).toContain('1500 ms')
      expect(asked.map((signal) => signal?.aborted)).toEqual([true])
      expect((await ask({ image: good })).status).toBe(200)
    },
  )

  it('a verification that nobody waits for any more looks for no more evidence', async () => {
    const links = memoryLinks(await honestLinks())
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    let asked = 0
    const slow: LinkSource = {
      ...links,
      get: async (step, keyid) => {
        asked++
        await released
        return links.get(step, keyid)
      },
      list: (step) => links.list(step),
      within: (step, keyid) => links.within(step, keyid),
    }
    const { ask } = handlerOf({
      layouts: [await entry({ for: ['slow.example/*'], evidence: [slow] }), await entry()],
      limits: { verdicts: 1, timeout: 1_500 },
    })
    expect(codes(await ask({ image: good.replace('registry.example', 'slow.example') }))).toEqual(['E_IO'])
    const before = asked
    release()
    expect((await ask({ image: good })).status).toBe(200)
    expect(asked).toBe(before)
  })

  it('evidence may lie in a registry beside the image, and in Archivista as Statements', async () => {
    const [oci, archivista] = [await startOci(), await startArchivista()]
    servers.push(oci, archivista)
    const links = await honestLinks()
    const statements = Object.entries(links).map(async ([name, bytes]) => {
      const { signer } = name.startsWith('image.') ? bob : alice
      const statement = await sign(toStatement(decodeMetadata(bytes).payload as Link), [signer])
      return { name: name.replace(/link$/, 'intoto.jsonl'), bytes: encodeMetadata(statement) }
    })
    const beside = openStore(`oci://${oci.host}/team/app`)
    await beside.push(
      Object.entries(links).map(([name, bytes]) => ({ name, bytes })),
      { sha256: sha256(manifest) },
    )
    const graph = openStore(`archivista+${archivista.url}`)
    await graph.push(await Promise.all(statements), { sha256: sha256(manifest) })
    expect((await verdictOn(good, { evidence: [beside] })).status).toBe(200)
    expect((await verdictOn(good, { evidence: [graph], statements: true })).status).toBe(200)
    expect((await verdictOn(good, { evidence: [graph] })).status).toBe(403)
    for (const evidence of [[beside], [graph]]) expect((await verdictOn(bad, { evidence, statements: true })).status).toBe(403)
  })

  it('as of a time', async () => {
    const { ask } = handlerOf({ layouts: [await entry()], now: () => new Date('2100-01-01T00:00:00Z') })
    expect(codes(await ask({ image: good }))).toEqual(['E_LAYOUT_EXPIRED'])
  })

  it('a function of the caller that fails is a refusal that tells nothing, and the log has the error', async () => {
    const fail = (): never => {
      throw new TypeError('canary at secret.ts:1')
    }
    const { ask, log } = handlerOf({ layouts: [await entry({ layout: fail })] })
    for (const [body, status] of [
      [{ image: good }, 403],
      [review(object('Pod', podSpec(good))), 200],
    ] as const) {
      const answered = await ask(body)
      expect([answered.status, answered.body.allowed ?? answered.body.response.allowed]).toEqual([status, false])
      expect(log.at(-1)).toMatchObject({ allowed: false, error: expect.any(TypeError) as TypeError })
    }
    const silent = createAdmissionHandler({ layouts: [await entry()], log: fail })
    const request = new Request('http://x.example', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ image: good }),
    })
    expect((await silent(request)).status).toBe(200)
  })

  it('no text that comes back can drive a terminal, and none is lost', async () => {
    const message = 'a\u202eb\nc\u{e0041}'
    const fail = (): never => {
      throw new InTotoError({ code: 'E_IO', message, file: message })
    }
    const { body } = await handlerOf({ layouts: [await entry({ layout: fail })] }).ask({ image: good })
    expect(body.reasons).toEqual(['E_IO a\\u{202e}b\\u{a}c\\u{e0041}'])
    expect(body.problems[0]).toMatchObject({ message, file: message })
  })

  it.each([{ timeout: 0 }, { timeout: Number.NaN }, { containers: 1.5 }, { bodyBytes: Infinity }, { verdicts: '8' }, { patience: 1 }])(
    'refuses the limit %j',
    async (limits) => {
      expect((await refusal(() => createAdmissionHandler({ layouts: [], limits: limits as object }))).code).toBe('E_CONFIG')
    },
  )
})

describe('a package', () => {
  const integrityOf = (bytes: Uint8Array): string => `sha512-${createHash('sha512').update(bytes).digest('base64')}`

  /** What a chain made, and what a registry serves in its place. */
  interface Scene {
    made: Buffer
    served?: Buffer
    /** What the registry says it serves. */
    announced?: { name?: string; version?: string; as?: string; bytes?: Buffer }
    layout?: object
  }

  async function scene({ made, served = made, announced = {}, layout: content }: Scene): Promise<ReturnType<typeof handlerOf>> {
    const { name = 'lib', version = '1.0.0', as = version, bytes = served } = announced
    const server = createServer((request, response) => {
      if (request.url === '/file.tgz') return void response.end(served)
      const dist = { integrity: integrityOf(bytes), tarball: `${url}/file.tgz` }
      const packument = { name, versions: { [as]: { name, version, dist } } }
      response.writeHead(request.url === '/lib' ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(packument))
    })
    const url = await listen(server)
    servers.push({ close: () => closeServer(server) })
    const products = { 'lib-1.0.0.tgz': { sha256: sha256(made) } }
    const links = await linkFile(alice, { name: 'package', products, command: ['npm', 'pack'] })
    const promise = content ?? layout([step('package', { command: ['npm', 'pack'], products: ['CREATE *.tgz', 'DISALLOW *'] })])
    const layouts = [await entry({ layout: await ownersLayout(promise), evidence: [memoryLinks(links)] })]
    return handlerOf({ layouts, registry: async () => ({ registry: url }), limits: { tarballBytes: 100_000 } })
  }

  const unpack = inspection('unpack', {
    run: ['tar', 'xzf', 'lib-1.0.0.tgz'],
    materials: ['MATCH *.tgz WITH PRODUCTS FROM package', 'DISALLOW *'],
    products: ['REQUIRE package/package.json', 'ALLOW *'],
  })

  it('is let in when its tarball is what the chain made, and inspections that unpack it hold', async () => {
    const made = await tarball({ name: 'lib', version: '1.0.0' })
    const { ask } = await scene({ made, layout: layout([step('package', { command: ['npm', 'pack'] })], { inspect: [unpack] }) })
    const integrity = integrityOf(made)
    for (const question of [{ package: 'lib@1.0.0' }, { package: 'npm:lib@1.0.0' }, { package: 'lib@1.0.0', integrity }]) {
      const { status, body } = await ask(question)
      expect([status, body.subject, body.report?.inspections[0].status], JSON.stringify(body.reasons)).toEqual([200, 'npm:lib@1.0.0', 'ok'])
    }
    const other = await ask({ package: 'lib@1.0.0', integrity: integrityOf(Buffer.from('x')) })
    expect([other.status, codes(other)]).toEqual([403, ['E_PRODUCT']])
  })

  it.each<[what: string, question: string, code: string, scene?: Partial<Scene>]>([
    ['of which the registry serves other bytes', 'lib@1.0.0', 'E_PRODUCT', { served: otherBytes }],
    ['whose bytes the registry has not announced', 'lib@1.0.0', 'E_PRODUCT', { announced: { bytes: Buffer.from('x') } }],
    ['named by tag', 'lib@latest', 'E_PRODUCT'],
    ['named by range', 'lib@^1.0.0', 'E_PRODUCT'],
    ['named without version', 'lib', 'E_PRODUCT'],
    ['without such a version', 'lib@2.0.0', 'E_IO'],
    ['that does not exist', 'liberty@1.0.0', 'E_IO'],
    ['that leads elsewhere', '../lib@1.0.0', 'E_FORMAT'],
    ['that is no tarball', 'lib@1.0.0', 'E_FORMAT', { served: Buffer.from('no gzip') }],
    ['that is too large', 'lib@1.0.0', 'E_IO', { served: Buffer.alloc(200_000) }],
    [
      'with an inspection that is a command',
      'lib@1.0.0',
      'E_UNSUPPORTED',
      { layout: layout([step('package')], { inspect: [inspection('look')] }) },
    ],
  ])('%s is refused', async (_, question, code, changes = {}) => {
    const { ask } = await scene({ made: await tarball({ name: 'lib', version: '1.0.0' }), ...changes })
    const answered = await ask({ package: question })
    expect([answered.status, codes(answered)[0]], JSON.stringify(answered.body.reasons)).toEqual([403, code])
  })

  it('that was made once, served under the number of another, is refused', async () => {
    const made = await tarball({ name: 'lib', version: '0.9.0' })
    const answered = await (await scene({ made, announced: { version: '0.9.0', as: '1.0.0' } })).ask({ package: 'lib@1.0.0' })
    expect([answered.status, codes(answered)]).toEqual([403, ['E_PRODUCT']])
    expect(answered.body.reasons[0]).toContain('another package under this name and version')
  })

  it('is refused where no registry is configured', async () => {
    expect(codes(await handlerOf({ layouts: [await entry()] }).ask({ package: 'lib@1.0.0' }))).toEqual(['E_CONFIG'])
  })
})

describe('over TLS', () => {
  it('answers 200 reviews at once, the good with yes and the bad with no, each under its own uid', async () => {
    const { handle, log } = handlerOf({ layouts: [await entry()], limits: { timeout: 60_000 } })
    const tls = selfSigned()
    const server = createTlsServer(tls, (incoming, outgoing) => {
      void textOf(incoming)
        .then((body) =>
          handle(new Request('https://localhost/', { method: 'POST', headers: { 'content-type': 'application/json' }, body })),
        )
        .then(async (response) => outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text()))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    const agent = new Agent({ ca: tls.cert, keepAlive: true, maxSockets: 200 })
    const send = (body: string): Promise<any> =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, agent, method: 'POST', headers: { 'content-type': 'application/json' } }
        const outgoing = tlsRequest(options, (incoming) => void textOf(incoming).then((text) => resolve(JSON.parse(text)), reject))
        outgoing.on('error', reject).end(body)
      })
    const wanted = Array.from({ length: 200 }, (_, i) => ({ uid: `uid-${i}`, image: i % 2 === 0 ? good : bad }))
    const answers = await Promise.all(
      wanted.map(({ uid, image }) => send(JSON.stringify(review(object('Deployment', podSpec(image)), { uid })))),
    )
    expect(answers.map(({ response }) => [response.uid, response.allowed])).toEqual(wanted.map(({ uid, image }) => [uid, image === good]))
    expect(log.filter(({ allowed }) => allowed)).toHaveLength(100)
    // a client that does not know the certificate has no conversation
    const stranger = new Agent({ ca: selfSigned().cert })
    await expect(
      new Promise((resolve, reject) => tlsRequest({ host: '127.0.0.1', port, agent: stranger }, resolve).on('error', reject).end()),
    ).rejects.toThrow(/self-signed|self signed|certificate/)
    agent.destroy()
    await closeServer(server)
  })
})
