/** A link that was written while it was recorded is, to the byte, the one that is made of maps. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  emptyRecord,
  generateKeyPair,
  importSigner,
  sign,
  type Artifacts,
  type Link,
  type Signer,
} from 'intoto'
import { createHashedLink, recordArtifactsSync, runStep, sha256Map, type StepRun } from 'intoto/node'
import { folder } from './place.ts'

let signer: Signer
beforeAll(async () => {
  signer = await importSigner((await generateKeyPair('ed25519')).privatePem)
})

/** Names that are spelled, sorted or encoded in their own way. "a.x" is listed behind "a/x" and stands before it. */
const names = [
  'a/x',
  'a.x',
  'quote"d',
  'back\\slash',
  'tab\there',
  'del\u007f',
  'ü',
  '\u2028',
  '\uff5e',
  '\u{1f600}',
  '__proto__',
  'toArtifacts',
]
const files = Object.fromEntries(names.map((name) => [name, name]))

async function bytes(link: Link, format: 'dsse' | 'metablock'): Promise<Uint8Array> {
  return (await sign(link, [signer], { format })).bytes
}

/** The step, and the same link from maps. */
async function both(base: string, o: Partial<Parameters<typeof runStep>[0]> = {}): Promise<{ run: StepRun; plain: Link }> {
  const run = await runStep({ step: 'st"ep', command: [], base, materials: ['.'], products: ['a'], ...o })
  const sides = {
    materials: recordArtifactsSync(o.materials ?? ['.'], { base }),
    products: recordArtifactsSync(o.products ?? ['a'], { base }),
  }
  return { run, plain: createLink({ name: 'st"ep', ...sides }) }
}

describe.skipIf(process.platform === 'win32')('the link of a step', () => {
  it('is the same to the byte, in both formats, before and after its maps were made', async () => {
    const base = folder(files)
    symlinkSync('a', join(base, 'b'))
    for (const o of [{}, { materials: [], products: ['a', 'b'] }, { materials: ['a', 'file:a'] }, { products: ['dir:a', 'a'] }]) {
      for (const format of ['dsse', 'metablock'] as const) {
        const { run, plain } = await both(base, o)
        const expected = await bytes(plain, format)
        expect(await bytes(run.link, format)).toEqual(expected)
        expect(await bytes(run.link, format), 'a second time').toEqual(expected)
        expect(run.link).toEqual(plain)
        expect(await bytes(run.link, format), 'with its maps').toEqual(expected)
        expect(decodeMetadata(expected).payload).toEqual(plain)
        expect(run.counts).toEqual({ materials: Object.keys(plain.materials).length, products: Object.keys(plain.products).length })
      }
    }
  })

  it('cannot be written with half a surrogate pair in a name', async () => {
    const { link } = await runStep({ step: 's', command: [], base: folder({ 'a\ufffd': '' }), products: ['a\ud800'] })
    await expect(bytes(link, 'dsse')).rejects.toMatchObject({ problem: { code: 'E_FORMAT' } })
    expect(Object.keys(link.products)).toEqual(['a\ud800'])
  })

  it('is what it was changed to before it is signed', async () => {
    const base = folder(files)
    const digest = { sha256: 'a'.repeat(64) }
    const other = (): Artifacts => Object.assign(emptyRecord(), { other: digest }) as Artifacts
    const changes: ((link: Link) => void)[] = [
      (link) => (link.materials['a/x'] = digest),
      (link) => delete link.materials['a/x'],
      (link) => (link.products = other()),
      (link) => Object.defineProperty(link, 'materials', { configurable: true, enumerable: true, get: other }),
      (link) => delete (link as Partial<Link>).products,
      (link) => (link['more'] = 'x'),
      (link) => (link.name = 'other'),
      (link) => (link.environment = undefined as never),
    ]
    for (const change of changes) {
      const { run, plain } = await both(base)
      for (const link of [run.link, plain]) change(link)
      expect(await bytes(run.link, 'dsse')).toEqual(await bytes(plain, 'dsse'))
    }
  })
})

describe('createHashedLink', () => {
  const digest = (i: number): string => i.toString(16).padStart(64, '0')
  const hashed = (list: readonly string[]): Map<string, string> => new Map(list.map((name, i) => [name, digest(i)]))
  const maps = (side: ReadonlyMap<string, string>): Artifacts =>
    Object.assign(emptyRecord(), Object.fromEntries([...side].map(([name, sha256]) => [name, sha256Map(sha256)])))
  const half = '\ud800'

  it.each([
    ['names of every kind, in any order', hashed(names), hashed(names.toReversed())],
    ['nothing', hashed([]), hashed([])],
  ])('is the link that is made of maps, to the byte: %s', async (_, materials, products) => {
    for (const format of ['dsse', 'metablock'] as const) {
      const own = await sign(createHashedLink({ name: 'x' }, materials, products), [signer], { format })
      const other = await sign(createLink({ name: 'x', materials: maps(materials), products: maps(products) }), [signer], { format })
      expect(Buffer.from(own.bytes).equals(Buffer.from(other.bytes))).toBe(true)
      expect(own.payload).toEqual(other.payload)
    }
  })

  it('keeps a name that no file can hold for whoever signs it to refuse', async () => {
    const link = createHashedLink({ name: 'x' }, hashed([half]), hashed([]))
    expect(Object.keys(link.materials)).toEqual([half])
    await expect(sign(link, [signer])).rejects.toMatchObject({ code: 'E_FORMAT' })
  })
})
