/** Statements beside links: which of them a folder that is judged may hold, and that nobody can smuggle anything in under their name. */
import { describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  linkFileName,
  sign,
  toProvenance,
  toStatement,
  type ProductEvidence,
  type Statement,
} from 'intoto'
import { alice, bob, codesOf, files, layout, linkFile, mallory, sha256, step, verdict, type Person } from './world.ts'

const honest = { 'dist/a.js': 'a', 'dist/b.js': 'b' }
const link = createLink({
  name: 'build',
  command: ['vite', 'build'],
  materials: files({ 'src/a.ts': 's' }),
  products: files(honest),
  byproducts: { 'return-value': 0 },
})
const name = linkFileName('build', alice.key.keyid).replace('.link', '.intoto.jsonl')
const provenance = { builderId: 'https://registry.example/b', buildType: 'https://registry.example/t' }

async function envelope(statement: Statement, by: readonly Person[] = [alice]): Promise<string> {
  const signers = by.map(({ signer }) => signer)
  return `${Buffer.from(encodeMetadata(await sign(statement, signers))).toString()}\n`
}

/** The codes of a verdict about `dist` with this file in it, next to the honest link. */
async function judged(content: string, o: { as?: string; filed?: string; wire?: object } = {}): Promise<string[]> {
  const artifacts = files({ ...honest, [`dist/${o.as ?? name}`]: content })
  const product: ProductEvidence = { path: 'dist', kind: 'folder', artifacts, ignore: [] }
  const links = [await linkFile(alice, link), { [o.filed ?? o.as ?? name]: Buffer.from(content) }]
  return codesOf(await verdict({ layout: o.wire ?? layout([step('build')]), links, options: { product } }))
}

describe('a Statement beside its link', () => {
  it('is evidence, of either predicate, and stronger digests are no contradiction', async () => {
    expect(await judged(await envelope(toStatement(link)))).toEqual([])
    expect(await judged(await envelope(toProvenance(link, provenance)))).toEqual([])
    const packages = [{ uri: 'pkg:npm/x@1.0.0', digest: { sha512: 'ab' } }]
    expect(await judged(await envelope(toProvenance(link, { ...provenance, resolvedDependencies: packages })))).toEqual([])
    const stronger = toStatement(link)
    for (const subject of stronger.subject) subject.digest = { ...subject.digest, sha512: 'cd'.repeat(64) }
    expect(await judged(await envelope(stronger))).toEqual([])
  })

  it('is counted with the links', async () => {
    const content = await envelope(toStatement(link))
    const artifacts = files({ ...honest, [`dist/${name}`]: content })
    const product: ProductEvidence = { path: 'dist', kind: 'folder', artifacts, ignore: [] }
    const links = [await linkFile(alice, link), { [name]: Buffer.from(content) }]
    const report = await verdict({ layout: layout([step('build')]), links, options: { product } })
    expect(report).toMatchObject({ ok: true, product: { matched: 2, links: 1, added: 0 } })
  })
})

describe('a file with the name of a Statement', () => {
  it('is refused when it is none', async () => {
    for (const content of ['', '\n', '{}\n', 'alert(1)\n', '[[[[\n']) expect(await judged(content), content).toEqual(['E_PRODUCT'])
  })

  it('is refused when somebody else signed it, or nobody did, or somebody too', async () => {
    expect(await judged(await envelope(toStatement(link), [mallory]))).toEqual(['E_PRODUCT'])
    expect(await judged(await envelope(toStatement(link), [bob]))).toEqual(['E_PRODUCT'])
    expect(await judged(await envelope(toStatement(link), []))).toEqual(['E_PRODUCT'])
    expect(await judged(await envelope(toStatement(link), [alice, mallory]))).toEqual(['E_PRODUCT'])
    const claimed = await sign(toStatement(link), [mallory.signer], { keyids: () => [alice.key.keyid] })
    expect(await judged(`${Buffer.from(encodeMetadata(claimed)).toString()}\n`)).toEqual(['E_PRODUCT'])
  })

  it('is refused with one byte that no signature covers', async () => {
    const content = await envelope(toStatement(link))
    const smuggled = [
      content.trimEnd(),
      `${content}\n`,
      `${content}<script>`,
      content + content,
      ` ${content}`,
      content.replace('{', '{"evil":"alert(1)",'),
      content.replace('"sig":', '"evil":1,"sig":'),
      content.replace('"payload":', '"payload" :'),
    ]
    for (const text of smuggled) expect(await judged(text), text.slice(0, 40)).toEqual(['E_PRODUCT'])
  })

  it('is refused when it speaks of another link, be it by the same functionary', async () => {
    const others = [
      { ...link, name: 'other' },
      { ...link, command: ['vite', 'build', '--evil'] },
      { ...link, products: files({ 'dist/a.js': 'a' }) },
      { ...link, products: files({ ...honest, 'dist/c.js': 'c' }) },
      { ...link, products: files({ ...honest, 'dist/b.js': 'c' }) },
      { ...link, materials: files({ 'src/a.ts': 'old' }) },
      { ...link, byproducts: { 'return-value': 1 } },
    ].map((init) => createLink(init))
    for (const other of others) expect(await judged(await envelope(toStatement(other))), JSON.stringify(other)).toEqual(['E_PRODUCT'])
    for (const other of others.slice(2, 6))
      expect(await judged(await envelope(toProvenance(other, provenance))), JSON.stringify(other)).toEqual(['E_PRODUCT'])
  })

  it('is refused with another predicate', async () => {
    const statement = { ...toStatement(link), predicateType: 'https://registry.example/sbom' }
    expect(await judged(await envelope(statement))).toEqual(['E_PRODUCT'])
  })

  it('is refused under another name, of another step or key', async () => {
    const content = await envelope(toStatement(link))
    for (const as of ['build.00000000.intoto.jsonl', name.replace('build', 'test'), 'evil.intoto.jsonl', `${name}.js`, `x${name}`])
      expect(await judged(content, { as }), as).toEqual(['E_PRODUCT'])
    expect(await judged(content, { as: name.replace('.intoto.jsonl', '.json') })).toEqual(['E_PRODUCT'])
  })

  it('is refused when the one in the link folder is another than the one that is judged', async () => {
    expect(await judged(await envelope(toStatement(link)), { filed: 'elsewhere.txt' })).toEqual(['E_PRODUCT'])
  })

  it('is refused when the link itself does not count', async () => {
    const wire = layout([step('build', { by: [bob] })])
    expect(await judged(await envelope(toStatement(link)), { wire })).toContain('E_ACTOR')
  })

  it('counts by the digest on disk', async () => {
    const content = await envelope(toStatement(link))
    const artifacts = { ...files(honest), [`dist/${name}`]: { sha256: sha256('changed') } }
    const product: ProductEvidence = { path: 'dist', kind: 'folder', artifacts, ignore: [] }
    const links = [await linkFile(alice, link), { [name]: Buffer.from(content) }]
    expect(codesOf(await verdict({ layout: layout([step('build')]), links, options: { product } }))).toEqual(['E_PRODUCT'])
    expect(decodeMetadata(Buffer.from(content.trimEnd())).format).toBe('dsse')
  })
})
