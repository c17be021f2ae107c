/** The life of one artifact: where it was read and written, which rule took it, why others did not. */
import { describe, expect, it } from 'vitest'
import { createLink, explainArtifact, parseLayout, type ArtifactLife, type Link } from 'intoto'
import { alice, bob, files, inspection, layout, linkFile, sha256, step, verdict } from './world.ts'

const match = [
  'REQUIRE package.json',
  'CREATE nothing',
  'MATCH dist/* WITH PRODUCTS FROM build',
  'MATCH * WITH PRODUCTS FROM source',
  'DISALLOW *',
]
const wire = layout(
  [
    step('source', { products: ['REQUIRE package.json', 'ALLOW *'] }),
    step('build', { materials: ['MATCH * WITH PRODUCTS FROM source', 'DISALLOW *'], products: ['CREATE dist/*', 'DISALLOW *'] }),
    step('package', { by: [bob], materials: match, products: ['CREATE *.tgz'] }),
  ],
  { inspect: [inspection('unpack', { products: ['MATCH dist/* IN package WITH PRODUCTS FROM build', 'DISALLOW *'] })] },
)
const chain = (
  packed: Record<string, string> = { 'package.json': '{}', 'dist/a.js': 'a' },
  unpacked: Record<string, string> = { 'package/dist/a.js': 'a' },
): Link[] => [
  createLink({ name: 'source', products: files({ 'package.json': '{}', 'src/a.ts': 's' }) }),
  createLink({ name: 'build', materials: files({ 'src/a.ts': 's' }), products: files({ 'dist/a.js': 'a' }) }),
  createLink({ name: 'package', materials: files(packed), products: files({ 'x.tgz': 't' }) }),
  createLink({ name: 'unpack', products: files(unpacked) }),
]
const life = (path: string, links = chain()): [string, string, string, string | undefined][] =>
  told(explainArtifact(parseLayout(wire), links, path))
const told = ({ stages }: ArtifactLife): [string, string, string, string | undefined][] =>
  stages.map(({ step, list, name, outcome, rule }) => [`${step} ${list.slice('expected_'.length)}`, name, outcome, rule?.text])

describe('explainArtifact', () => {
  it('follows an artifact through all steps, into a folder of another name', () => {
    expect(life('dist/a.js')).toEqual([
      ['build products', 'dist/a.js', 'consumed', 'CREATE dist/*'],
      ['package materials', 'dist/a.js', 'consumed', 'MATCH dist/* WITH PRODUCTS FROM build'],
      ['unpack products', 'package/dist/a.js', 'consumed', 'MATCH dist/* IN package WITH PRODUCTS FROM build'],
    ])
    expect(life('package/dist/a.js')).toEqual(life('dist/a.js'))
  })

  it('says what refused it, and why no rule before took it', () => {
    const { stages } = explainArtifact(parseLayout(wire), chain({ 'package.json': '{}', 'dist/a.js': 'evil' }), 'dist/a.js')
    const packed = stages.find(({ step }) => step === 'package')!
    expect(packed).toMatchObject({ outcome: 'refused', rule: { text: 'DISALLOW *', index: 4 }, digests: { sha256: sha256('evil') } })
    expect(packed.passed).toEqual([
      {
        rule: expect.objectContaining({ text: 'MATCH dist/* WITH PRODUCTS FROM build', index: 2 }),
        why: expect.stringContaining('digests differ'),
      },
      {
        rule: expect.objectContaining({ text: 'MATCH * WITH PRODUCTS FROM source' }),
        why: expect.stringContaining('not among the products of "source"'),
      },
    ])
  })

  it('says that no rule took it, which allows it', () => {
    expect(life('x.tgz')).toEqual([['package products', 'x.tgz', 'consumed', 'CREATE *.tgz']])
    const open = parseLayout(layout([step('source')]))
    expect(told(explainArtifact(open, chain(), 'src/a.ts'))).toEqual([['source products', 'src/a.ts', 'unclaimed', undefined]])
  })

  it('tells of a REQUIRE that misses it, or that came too late', () => {
    expect(life('package.json', chain({ 'dist/a.js': 'a' })).at(-1)).toEqual([
      'package materials',
      'package.json',
      'refused',
      'REQUIRE package.json',
    ])
    const late = parseLayout(layout([step('source', { products: ['ALLOW *', 'REQUIRE package.json'] })]))
    expect(told(explainArtifact(late, chain(), 'package.json'))).toEqual([
      ['source products', 'package.json', 'refused', 'REQUIRE package.json'],
    ])
  })

  it('knows nothing of an artifact that nobody recorded', () => {
    expect(life('nowhere.js')).toEqual([])
    expect(life('constructor')).toEqual([])
  })

  it('does not run in circles through prefixes', () => {
    const odd = parseLayout(layout([step('a', { products: ['MATCH * IN x WITH PRODUCTS FROM a', 'ALLOW *'] })]))
    const links = [createLink({ name: 'a', products: files({ f: '1', 'x/f': '1', 'x/x/f': '1' }) })]
    expect(told(explainArtifact(odd, links, 'f')).map(([, name]) => name)).toEqual(['f', 'x/f', 'x/x/f'])
  })

  it('works on the chain of a traced Report, and agrees with it', async () => {
    const links = await Promise.all(
      chain()
        .slice(0, 3)
        .map((link, i) => linkFile(i === 2 ? bob : alice, link)),
    )
    const report = await verdict({ layout: wire, links, options: { trace: true, inspect: async () => chain()[3]! } })
    expect([report.ok, report.chain!.map(({ name }) => name)]).toEqual([true, ['source', 'build', 'package', 'unpack']])
    for (const path of ['dist/a.js', 'src/a.ts', 'package.json', 'x.tgz']) {
      for (const { step: name, list, name: artifact, outcome, rule } of explainArtifact(parseLayout(wire), report.chain!, path).stages) {
        const rules = [...report.steps, ...report.inspections].find((one) => one.name === name)!.rules.filter((one) => one.list === list)
        expect(rules.filter(({ names }) => names!.includes(artifact)).map(({ index }) => index)).toEqual(
          outcome === 'consumed' ? [rule!.index] : [],
        )
      }
    }
  })
})
