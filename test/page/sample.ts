/** A chain of five steps for the tests of the page, made and judged in memory by the library: as it should be, or with much gone wrong. */
import { createHash } from 'node:crypto'
import {
  createLink,
  defineLayout,
  encodeMetadata,
  generateKeyPair,
  importSigner,
  judge,
  linkFileName,
  memoryLinks,
  sign,
  type Artifacts,
  type Key,
  type Layout,
  type Link,
  type Metadata,
  type ProductEvidence,
  type Report,
  type Signer,
} from 'intoto'

/** Everything that a person would put into the page. */
export interface Sample {
  readonly layout: Metadata<Layout>
  readonly owner: { readonly key: Key; readonly publicPem: string }
  readonly links: Record<string, Uint8Array>
  readonly product: ProductEvidence
  readonly names: ReadonlyMap<string, string>
}

export interface SampleOptions {
  /** Files in `src`, and as many in `dist`. */
  files?: number
  /** Changed bytes, a missing link, another command, files on the disk that nobody made. */
  broken?: boolean
  /** Put at the end of names that come from files. */
  suffix?: string
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

function artifacts(names: readonly string[], contentOf: (name: string) => string = (name) => name): Artifacts {
  const made: Artifacts = Object.create(null)
  for (const name of names) made[name] = { sha256: sha256(contentOf(name)) }
  return made
}

/** Makes the chain with fresh keys. */
export async function makeSample({ files = 12, broken = false, suffix = '' }: SampleOptions = {}): Promise<Sample> {
  const people = new Map<string, { signer: Signer; publicPem: string }>()
  for (const name of ['owner', `alice${suffix}`, `ci${suffix}`]) {
    const { privatePem, publicPem } = await generateKeyPair('ed25519')
    people.set(name, { signer: await importSigner(privatePem), publicPem })
  }
  const keyOf = (name: string): Key => people.get(name)!.signer.key
  const [alice, ci] = [`alice${suffix}`, `ci${suffix}`]
  const layout = defineLayout({
    functionaries: { [alice]: keyOf(alice), [ci]: keyOf(ci) },
    expires: '2026-04-01T00:00:00Z',
    steps: [
      { name: 'source', functionaries: [alice], products: ['REQUIRE package.json', 'ALLOW *'] },
      {
        name: 'build',
        functionaries: [ci],
        command: ['vite', 'build'],
        materials: ['REQUIRE package.json', 'MATCH * WITH PRODUCTS FROM source', 'ALLOW node_modules/*', 'DISALLOW *'],
        products: ['CREATE dist/*', 'DISALLOW *'],
      },
      {
        name: 'test',
        functionaries: [ci],
        command: ['npm', 'test'],
        materials: ['MATCH dist/* WITH PRODUCTS FROM build', 'MATCH * WITH PRODUCTS FROM source', 'DISALLOW *'],
      },
      {
        name: 'scan',
        functionaries: [alice],
        materials: ['MATCH dist/* WITH PRODUCTS FROM build', 'DISALLOW *'],
        products: ['CREATE scan.json', 'DISALLOW *'],
      },
      {
        name: 'package',
        functionaries: [ci],
        command: ['npm', 'pack'],
        materials: ['MATCH dist/* WITH PRODUCTS FROM build', 'MATCH * WITH PRODUCTS FROM source', 'DISALLOW *'],
        products: ['CREATE *.tgz', 'DISALLOW *'],
      },
    ],
  })
  const numbers = Array.from({ length: files }, (_, i) => i)
  const [src, dist] = [
    numbers.map((i) => `src/part/${i % 7}/module-${i}${suffix}.ts`),
    numbers.map((i) => `dist/assets/chunk-${i}${suffix}.js`),
  ]
  const modules = numbers.slice(0, Math.ceil(files / 3)).map((i) => `node_modules/lib-${i % 9}/index-${i}.js`)
  const source = artifacts(['package.json', ...src])
  const built = artifacts(dist)
  const changed = artifacts(dist, (name) => (/-(?:1|3)\D/.test(name) ? `banner ${name}` : name))
  const links: Link[] = [
    createLink({ name: 'source', products: source }),
    createLink({ name: 'build', command: ['vite', 'build'], materials: { ...source, ...artifacts(modules) }, products: built }),
    createLink({ name: 'test', command: ['npm', 'test'], materials: { ...artifacts(['package.json']), ...built } }),
    createLink({ name: 'scan', command: ['scan', 'dist', '--all'], materials: built, products: artifacts(['scan.json']) }),
    createLink({
      name: 'package',
      command: ['npm', 'pack'],
      materials: { ...artifacts(['package.json', ...(broken ? ['notes.txt'] : [])]), ...(broken ? changed : built) },
      products: artifacts(['lib-1.0.0.tgz']),
    }),
  ]
  const packed: Record<string, Uint8Array> = {}
  for (const link of links) {
    const by = layout.steps.find(({ name }) => name === link.name)!.pubkeys[0]!
    const { signer } = [...people.values()].find(({ signer: one }) => one.key.keyid === by)!
    packed[linkFileName(link.name, by)] = encodeMetadata(await sign(link, [signer]))
  }
  const { signer, publicPem } = people.get('owner')!
  const onDisk = artifacts(dist)
  const names = new Map([...people].map(([name, person]) => [person.signer.key.keyid, name]))
  const product: ProductEvidence = { path: 'dist', kind: 'folder', artifacts: onDisk, ignore: [] }
  return { layout: await sign(layout, [signer]), owner: { key: signer.key, publicPem }, links: packed, product, names }
}

/** The library's own verdict, as of a fixed time. */
export function judgeSample(sample: Sample, links: Record<string, Uint8Array> = sample.links): Promise<Report> {
  return judge(sample.layout, {
    keys: [sample.owner.key],
    links: memoryLinks(links),
    now: new Date('2026-03-01T12:00:00Z'),
    product: sample.product,
    names: sample.names,
    layoutFile: 'in-toto/root.layout',
    trace: true,
  })
}

export const context = { version: '1.2.3', folders: ['in-toto', 'dist'], products: ['dist'], loosened: [] }
