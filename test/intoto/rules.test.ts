/** Artifact rules through whole verifications: each rule by itself, and random lists against a second, naive engine. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  formatRule,
  matchPattern,
  ruleTokens,
  signSync,
  type ArtifactRule,
  type Artifacts,
  type DigestMap,
  type Link,
  type Report,
} from 'intoto'
// The engine itself: signing thousands of random chains would say nothing more.
import { applyRules } from '../../packages/intoto/src/verify/rules.ts'
import { alice, bob, codesOf, errorsOf, files, layout, linkFile, sha256, step, verdict } from './world.ts'

/** The link as it comes out of a file, with artifacts that are still bytes. */
function readBack(link: Link, format: 'dsse' | 'metablock'): Link {
  return decodeMetadata(encodeMetadata(signSync(link, [], { format }))).payload as Link
}

interface Sides {
  materials?: Record<string, string>
  products?: Record<string, string>
}

/** Two steps, `first` with whatever it has and no rules, `second` with the rules. */
async function judged(first: Sides, second: Sides, words: { materials?: string[]; products?: string[] }): Promise<Report> {
  return verdict({
    layout: layout([step('first'), step('second', { by: [bob], ...words })]),
    links: [
      await linkFile(alice, { name: 'first', materials: files(first.materials), products: files(first.products) }),
      await linkFile(bob, { name: 'second', materials: files(second.materials), products: files(second.products) }),
    ],
    options: { trace: true },
  })
}

const products = async (rules: string[], second: Sides, first: Sides = {}): Promise<Report> => judged(first, second, { products: rules })
const consumed = (report: Report): string[][] => report.steps[1]!.rules.map(({ names }) => names!)

describe('CREATE, DELETE, MODIFY', () => {
  const sides = { materials: { old: '1', same: '1', edited: '1' }, products: { new: '1', same: '1', edited: '2' } }

  it('consume what is new, what is gone, what differs; none fails by itself', async () => {
    const onProducts = await products(['CREATE *', 'MODIFY *', 'DELETE *', 'ALLOW same', 'DISALLOW *'], sides)
    expect(consumed(onProducts)).toEqual([['new'], ['edited'], [], ['same'], []])
    const onMaterials = await judged({}, sides, { materials: ['CREATE *', 'DELETE *', 'MODIFY *', 'ALLOW same', 'DISALLOW *'] })
    expect(consumed(onMaterials)).toEqual([[], ['old'], ['edited'], ['same'], []])
    expect([onProducts.ok, onMaterials.ok]).toEqual([true, true])
    expect((await products(['CREATE nothing', 'DELETE nothing', 'MODIFY nothing'], {})).ok).toBe(true)
  })

  it('leave an unchanged file to DISALLOW, and say why', async () => {
    const report = await products(['MODIFY *', 'DISALLOW *'], { materials: { a: '1' }, products: { a: '1' } })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_RULE', file: 'a', step: 'second', cause: expect.stringContaining('unchanged') }])
    const created = await products(['CREATE *', 'DISALLOW *'], { materials: { a: '1' }, products: { a: '2' } })
    expect(errorsOf(created)[0]!.cause).toContain('there before the step')
  })
})

describe('ALLOW and DISALLOW', () => {
  it('let the rest of the queue pass when no DISALLOW ends the list', async () => {
    expect((await products(['ALLOW a'], { products: { b: '1' } })).ok).toBe(true)
    expect((await products([], { products: { b: '1' } })).ok).toBe(true)
  })

  it('DISALLOW looks only at what is left, and passes an empty queue', async () => {
    expect((await products(['ALLOW *', 'DISALLOW *'], { products: { a: '1' } })).ok).toBe(true)
    expect((await products(['DISALLOW *'], {})).ok).toBe(true)
    expect(codesOf(await products(['DISALLOW a', 'ALLOW *'], { products: { a: '1' } }))).toEqual(['E_RULE'])
  })

  it('finds artifacts with names that objects inherit', async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const artifacts: Artifacts = Object.create(null)
      artifacts[name] = { sha256: sha256('x') }
      const report = await verdict({
        layout: layout([step('build', { products: ['CREATE a', 'DISALLOW *'] })]),
        links: [await linkFile(alice, { name: 'build', products: artifacts })],
      })
      expect(errorsOf(report)).toMatchObject([{ code: 'E_RULE', file: name }])
      expect((await products(['CREATE *', 'DISALLOW *'], { products: { [name]: '1' } })).ok).toBe(true)
    }
  })

  it('reports every artifact that it hits, up to twenty, and counts the rest', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${String(i).padStart(2, '0')}`, '1']))
    const found = errorsOf(await products(['DISALLOW *'], { products: many }))
    expect(found).toHaveLength(20)
    expect(found.at(-1)!.message).toContain('and 30 more')
  })
})

describe('REQUIRE', () => {
  it('wants the literal name still in the queue: no pattern, and not after another rule took it', async () => {
    expect((await products(['REQUIRE a.js'], { products: { 'a.js': '1' } })).ok).toBe(true)
    expect((await products(['REQUIRE *.js'], { products: { '*.js': '1' } })).ok).toBe(true)
    const glob = errorsOf(await products(['REQUIRE *.js'], { products: { 'a.js': '1' } }))
    expect(glob).toMatchObject([{ code: 'E_RULE', file: '*.js', cause: expect.stringContaining('letters') }])
    const late = errorsOf(await products(['ALLOW *', 'REQUIRE a.js'], { products: { 'a.js': '1' } }))
    expect(late).toMatchObject([
      {
        code: 'E_RULE',
        file: 'a.js',
        cause: expect.stringContaining('ALLOW *'),
        rule: { text: 'REQUIRE a.js', index: 1, list: 'expected_products', step: 'second' },
      },
    ])
  })

  it('consumes nothing', async () => {
    expect(codesOf(await products(['REQUIRE a', 'DISALLOW *'], { products: { a: '1' } }))).toEqual(['E_RULE'])
    expect((await products(['REQUIRE a', 'REQUIRE a', 'ALLOW a', 'DISALLOW *'], { products: { a: '1' } })).ok).toBe(true)
  })

  it('points at a name that differs only in case or Unicode form', async () => {
    const inCase = errorsOf(await products(['REQUIRE readme.md'], { products: { 'README.md': '1' } }))
    expect(inCase[0]!.cause).toContain('upper and lower case')
    const inForm = errorsOf(await products(['REQUIRE \u00e9'], { products: { 'e\u0301': '1' } }))
    expect(inForm[0]!.cause).toContain('Unicode form')
  })
})

describe('MATCH', () => {
  const first = { materials: { 'm.txt': 'm' }, products: { 'a.js': 'a', 'lib/b.js': 'b' } }

  it('consumes what has the same digests on the other side, materials or products', async () => {
    expect(
      (await products(['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'], { products: { 'a.js': 'a', 'lib/b.js': 'b' } }, first)).ok,
    ).toBe(true)
    expect((await products(['MATCH * WITH MATERIALS FROM first', 'DISALLOW *'], { products: { 'm.txt': 'm' } }, first)).ok).toBe(true)
    expect(codesOf(await products(['MATCH * WITH MATERIALS FROM first', 'DISALLOW *'], { products: { 'a.js': 'a' } }, first))).toEqual([
      'E_RULE',
    ])
  })

  it('does not fail by itself, and nothing makes it cover what is missing', async () => {
    expect((await products(['MATCH * WITH PRODUCTS FROM first'], { products: { other: 'x' } }, first)).ok).toBe(true)
    expect((await products(['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'], {}, first)).ok).toBe(true)
  })

  it('refuses a file that differs under E_TAMPER, with both digests, both files and the rule', async () => {
    const report = await products(['ALLOW x', 'MATCH *.js WITH PRODUCTS FROM first', 'DISALLOW *'], { products: { 'a.js': 'evil' } }, first)
    expect(errorsOf(report)).toMatchObject([
      {
        code: 'E_TAMPER',
        step: 'second',
        file: 'a.js',
        expected: { label: 'first wrote', text: `sha256 ${sha256('a')}`, from: `first.${alice.key.keyid.slice(0, 8)}.link` },
        actual: { label: 'second wrote', text: `sha256 ${sha256('evil')}`, from: `second.${bob.key.keyid.slice(0, 8)}.link` },
        rule: { text: 'MATCH *.js WITH PRODUCTS FROM first', step: 'second', list: 'expected_products', index: 1 },
      },
    ])
    const onMaterials = await judged(
      first,
      { materials: { 'a.js': 'evil' } },
      { materials: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'] },
    )
    expect(errorsOf(onMaterials)[0]!.message).toBe('a.js: changed after "first" and before "second"')
  })

  it('adds one slash to a prefix, takes it literally, and the artifact must have it', async () => {
    const source = (prefix: string, name: string) =>
      products([`MATCH * IN ${prefix} WITH PRODUCTS FROM first`, 'DISALLOW *'], { products: { [name]: 'a' } }, first)
    expect((await source('pkg', 'pkg/a.js')).ok).toBe(true)
    expect((await source('pkg/', 'pkg/a.js')).ok).toBe(true)
    expect(codesOf(await source('pkg', 'a.js'))).toEqual(['E_RULE'])
    expect(codesOf(await source('pkg', 'pkga.js'))).toEqual(['E_RULE'])
    expect(codesOf(await source('p*', 'pkg/a.js'))).toEqual(['E_RULE'])
    const destination = (prefix: string, name: string) =>
      products([`MATCH * WITH PRODUCTS IN ${prefix} FROM first`, 'DISALLOW *'], { products: { [name]: 'b' } }, first)
    expect((await destination('lib', 'b.js')).ok).toBe(true)
    expect(codesOf(await destination('lib', 'lib/b.js'))).toEqual(['E_RULE'])
    expect(
      (await products(['MATCH *.js IN out WITH PRODUCTS IN lib FROM first', 'DISALLOW *'], { products: { 'out/b.js': 'b' } }, first)).ok,
    ).toBe(true)
    const long = 'n'.repeat(1000)
    expect(
      (
        await products(
          ['MATCH * IN out WITH PRODUCTS IN lib FROM first', 'DISALLOW *'],
          { products: { [`out/${long}`]: 'l' } },
          { products: { [`lib/${long}`]: 'l' } },
        )
      ).ok,
    ).toBe(true)
    expect((await products(['MATCH * IN "" WITH PRODUCTS IN "" FROM first', 'DISALLOW *'], { products: { 'a.js': 'a' } }, first)).ok).toBe(
      true,
    )
  })

  it('applies the pattern behind the prefix', async () => {
    const nested = { products: { 'pkg/lib/b.js': 'b' } }
    expect((await products(['MATCH lib/* IN pkg WITH PRODUCTS FROM first', 'DISALLOW *'], nested, first)).ok).toBe(true)
    expect(codesOf(await products(['MATCH pkg/* IN pkg WITH PRODUCTS FROM first', 'DISALLOW *'], nested, first))).toEqual(['E_RULE'])
  })

  it('consumes nothing from a step that does not exist, whatever it is called, and may refer to its own step', async () => {
    for (const name of ['nobody', 'toString', '__proto__', 'constructor']) {
      const report = await products([`MATCH * WITH PRODUCTS FROM ${name}`, 'DISALLOW *'], { products: { a: '1' } })
      expect(errorsOf(report)).toMatchObject([{ code: 'E_RULE', cause: expect.stringContaining('no step') }])
    }
    expect((await products(['MATCH * WITH MATERIALS FROM second', 'DISALLOW *'], { materials: { a: '1' }, products: { a: '1' } })).ok).toBe(
      true,
    )
  })

  it('compares whole digest objects, and never by weak or absent digests', async () => {
    const link = (name: string, digests: DigestMap): Link => createLink({ name, products: { f: digests } })
    const match = async (a: DigestMap, b: DigestMap): Promise<Report> =>
      verdict({
        layout: layout([step('first'), step('second', { by: [bob], products: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'] })]),
        links: [await linkFile(alice, link('first', a)), await linkFile(bob, link('second', b))],
      })
    const [s256, s512] = [sha256('f'), 'a'.repeat(128)]
    expect((await match({ sha256: s256, sha512: s512 }, { sha256: s256, sha512: s512 })).ok).toBe(true)
    expect((await match({ sha512: s512 }, { sha512: s512 })).ok).toBe(true)
    expect(errorsOf(await match({ sha256: s256 }, { sha256: s256, sha512: s512 }))).toMatchObject([
      { code: 'E_RULE', cause: expect.stringContaining('all algorithms') },
    ])
    expect(codesOf(await match({ sha256: s256, sha512: s512 }, { sha256: s256, sha512: 'b'.repeat(128) }))).toEqual(['E_TAMPER'])
    for (const weak of [{}, { md5: 'a'.repeat(32) }, { sha1: 'a'.repeat(40) }]) {
      expect(errorsOf(await match(weak, weak))).toMatchObject([{ code: 'E_RULE', cause: expect.stringContaining('weaker digests') }])
    }
  })

  it('does not let MODIFY pass for what is equal but has no usable digest', async () => {
    const weak = { f: {} }
    const report = await verdict({
      layout: layout([step('build', { products: ['MODIFY *', 'DISALLOW *'] })]),
      links: [await linkFile(alice, { name: 'build', materials: weak, products: weak })],
    })
    expect(codesOf(report)).toEqual(['E_RULE'])
  })

  it('guesses: the same content under another name, an exchange, a dirty tree', async () => {
    const renamed = errorsOf(await products(['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'], { products: { 'renamed.js': 'a' } }, first))
    expect(renamed[0]!.cause).toContain('"a.js"')
    const exchanged = errorsOf(await products(['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'], { products: { 'a.js': 'b' } }, first))
    expect(exchanged).toMatchObject([{ code: 'E_TAMPER', cause: expect.stringContaining('lib/b.js') }])
    const dirty = await verdict({
      layout: layout([step('first'), step('second', { by: [bob], materials: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'] })]),
      links: [
        await linkFile(alice, { name: 'first', products: files({ a: '1' }) }),
        await linkFile(bob, { name: 'second', materials: files({ a: '2' }), byproducts: { git: { commit: 'c0ffee', dirty: true } } }),
      ],
    })
    expect(errorsOf(dirty)[0]!.cause).toContain('not committed')
  })

  it('guesses the script of package.json that ran in between', async () => {
    const chain = {
      layout: layout([step('build'), step('package', { by: [bob], materials: ['MATCH * WITH PRODUCTS FROM build', 'DISALLOW *'] })]),
      links: [
        await linkFile(alice, { name: 'build', command: ['vite', 'build'], products: files({ a: '1' }) }),
        await linkFile(bob, { name: 'package', command: ['npm', 'pack'], materials: files({ a: '2' }) }),
      ],
    }
    const cause = async (scripts: Record<string, string>) => errorsOf(await verdict({ ...chain, options: { scripts } }))[0]!.cause
    expect(await cause({ build: 'vite build', postbuild: 'node add-banner.mjs' })).toBe(
      'package.json script "postbuild" (node add-banner.mjs) ran in between',
    )
    expect(await cause({ bundle: 'vite build --mode x && vite build', postbundle: 'x' })).toContain('"postbundle"')
    expect(await cause({ build: 'vite build', prepack: 'clean-package' })).toContain('"prepack"')
    expect(await cause({ build: 'vite build', prepack: 'vite build', test: 'vitest' })).toBeUndefined()
  })
})

describe('the order of names in a link', () => {
  it('does not matter: neither tool is bound to one', async () => {
    const products = files({ 'src/b': '1', 'lib/x': '1', 'src/a': '1', '😀': '1', '～': '1', lib: '1' })
    const link = { ...createLink({ name: 'build' }), products } as Link
    const rules = ['REQUIRE lib', 'ALLOW src/*', 'ALLOW lib/x', 'ALLOW lib', 'ALLOW 😀', 'ALLOW ～', 'DISALLOW *']
    const report = await verdict({ layout: layout([step('build', { products: rules })]), links: [await linkFile(alice, link)] })
    expect(codesOf(report)).toEqual([])
  })
})

describe('names as they are recorded', () => {
  const single = async (name: string, rules: string[], other?: string): Promise<Report> =>
    verdict({
      layout: layout([step('build', { products: rules })]),
      links: [
        await linkFile(alice, { name: 'build', products: files(other === undefined ? { [name]: '1' } : { [name]: '1', [other]: '2' }) }),
      ],
    })

  it('does not let dir/../foo past DISALLOW foo', async () => {
    expect(codesOf(await single('dir/../foo', ['DISALLOW foo', 'ALLOW *']))).toEqual(['E_RULE'])
    expect(codesOf(await single('./foo', ['DISALLOW foo', 'ALLOW *']))).toEqual(['E_RULE'])
  })

  it('refuses a link in which two names mean one file', async () => {
    const report = await single('a.js', ['ALLOW *'], './a.js')
    expect(errorsOf(report)).toMatchObject([{ code: 'E_FORMAT', message: expect.stringContaining('"./a.js"') }])
  })

  it('does both for materials, too, whether or not the products are clean', async () => {
    for (const products of [{}, { './b.js': '1' }]) {
      const of = async (materials: Record<string, string>, rules: string[]): Promise<string[]> =>
        codesOf(
          await verdict({
            layout: layout([step('build', { materials: rules })]),
            links: [await linkFile(alice, { name: 'build', materials: files(materials), products: files(products) })],
          }),
        )
      expect(await of({ './foo': '1' }, ['DISALLOW foo', 'ALLOW *'])).toEqual(['E_RULE'])
      expect(await of({ foo: '1', 'dir/../foo': '2' }, ['ALLOW *'])).toEqual(['E_FORMAT'])
      expect(await of({ 'foo/': '1', foo: '2' }, ['ALLOW *'])).toEqual(['E_FORMAT'])
    }
  })

  it('takes the lone ./a.js of a Go recorder for a.js', async () => {
    const report = await judged(
      { products: { './a.js': 'a' } },
      { materials: { 'a.js': 'a' } },
      { materials: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'] },
    )
    expect(codesOf(report)).toEqual([])
  })

  it('keeps absolute names, names outside and URI names as they are', async () => {
    for (const name of ['/etc/passwd', '../lib/a.js', 'docker://image@sha256', 'file:a.js']) {
      expect([name, (await single(name, [`ALLOW ${name}`, 'DISALLOW *'])).ok]).toEqual([name, true])
    }
    expect(codesOf(await single('src\\a.js', ['ALLOW src/a.js', 'DISALLOW *']))).toEqual(['E_RULE'])
  })
})

// A second engine, as plain as the specification's text: sets of names, one rule after the other.

interface NaiveLink {
  materials: Record<string, string>
  products: Record<string, string>
}

function naive(
  rules: readonly ArtifactRule[],
  side: 'materials' | 'products',
  own: NaiveLink,
  chain: Record<string, NaiveLink>,
): { ok: boolean; taken: string[][] } {
  let queue = Object.keys(own[side])
  const taken: string[][] = []
  let ok = true
  const slash = (prefix: string | undefined): string => (!prefix ? '' : prefix.endsWith('/') ? prefix : `${prefix}/`)
  for (const rule of rules) {
    let hits: string[] = []
    if (rule.kind === 'REQUIRE') ok &&= queue.includes(rule.name)
    else if (rule.kind === 'DISALLOW') ok &&= !queue.some((name) => matchPattern(rule.pattern, name))
    else if (rule.kind === 'MATCH') {
      const link = chain[rule.step]
      const other = rule.artifacts === 'MATERIALS' ? link?.materials : link?.products
      const source = slash(rule.sourcePrefix)
      hits = queue.filter((name) => {
        if (other === undefined || !name.startsWith(source) || !matchPattern(rule.pattern, name.slice(source.length))) return false
        const there = other[slash(rule.destinationPrefix) + name.slice(source.length)]
        return there !== undefined && there === own[side][name]
      })
    } else {
      const { materials, products: made } = own
      const test = {
        CREATE: (name: string) => name in made && !(name in materials),
        DELETE: (name: string) => name in materials && !(name in made),
        MODIFY: (name: string) => name in materials && name in made && materials[name] !== made[name],
        ALLOW: () => true,
      }[rule.kind]
      hits = queue.filter((name) => matchPattern(rule.pattern, name) && test(name))
    }
    queue = queue.filter((name) => !hits.includes(name))
    taken.push(hits.sort())
  }
  return { ok, taken }
}

describe('random rules over random links', () => {
  const name = fc.constantFrom('a.js', 'b.js', 'src/a.js', 'src/b.ts', 'lib/a.js', 'lib/src/a.js', 'dist/x', 'package.json', '😀', 'src')
  const content = fc.constantFrom('1', '2', '3')
  const side = fc.dictionary(name, content, { maxKeys: 8, noNullPrototype: true })
  const pattern = fc.constantFrom(
    '*',
    '*.js',
    'src/*',
    'a.js',
    '?.js',
    '*/a.*',
    '[ab].js',
    'lib/*',
    's*',
    '*s*',
    '😀',
    'src',
    'package.json',
  )
  const prefix = fc.constantFrom('src', 'lib/', 'lib', '', 's')
  const rule: fc.Arbitrary<ArtifactRule> = fc.oneof(
    fc.record({
      kind: fc.constantFrom('CREATE' as const, 'DELETE' as const, 'MODIFY' as const, 'ALLOW' as const, 'DISALLOW' as const),
      pattern,
    }),
    fc.record({ kind: fc.constant('REQUIRE' as const), name }),
    fc.record(
      {
        kind: fc.constant('MATCH' as const),
        pattern,
        sourcePrefix: prefix,
        artifacts: fc.constantFrom('MATERIALS' as const, 'PRODUCTS' as const),
        destinationPrefix: prefix,
        step: fc.constantFrom('first', 'second', 'third', 'nobody'),
      },
      { requiredKeys: ['kind', 'pattern', 'artifacts', 'step'] },
    ),
  )
  const link = fc.record({ materials: side, products: side })

  it('reach the verdict, and take the artifacts, of a naive engine', () => {
    fc.assert(
      fc.property(
        fc.tuple(link, link, link),
        fc.array(rule, { maxLength: 7 }),
        fc.array(rule, { maxLength: 7 }),
        fc.constantFrom('dsse' as const, 'metablock' as const, undefined),
        ([a, b, c], onMaterials, onProducts, format) => {
          const chain = { first: a, second: b, third: c }
          const item = { name: 'second', expected_materials: onMaterials.map(ruleTokens), expected_products: onProducts.map(ruleTokens) }
          const links = new Map(
            Object.entries(chain).map(([step, { materials, products: made }]) => {
              const link = createLink({ name: step, materials: files(materials), products: files(made) })
              return [step, { link: format === undefined ? link : readBack(link, format), file: step, kind: 'step' as const }]
            }),
          )
          for (const [side, list, rules] of [
            ['materials', 'expected_materials', onMaterials],
            ['products', 'expected_products', onProducts],
          ] as const) {
            const expected = naive(rules, side, b, chain)
            const { reports, failures } = applyRules(item, list, links, true)
            const label = rules.map(formatRule).join('; ')
            expect([label, failures.length === 0]).toEqual([label, expected.ok])
            expect(reports.map(({ ok }) => ok).every(Boolean)).toBe(expected.ok)
            expect(reports.map(({ names }) => [...names!].sort())).toEqual(expected.taken)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('large chains', () => {
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`src/d${i % 97}/file-${i}.ts`, `${i}`]))

  it('1,000 rules over 10,000 artifacts take no more than their sum', async () => {
    const artifacts = many(10_000)
    const rules = Array.from(
      { length: 1000 },
      (_, i) =>
        [`MATCH src/d${i % 97}/none-${i}* WITH PRODUCTS FROM first`, `ALLOW *none-${i}.ts`, `CREATE src/d?/x${i}*`, `DISALLOW *.exe${i}`][
          i % 4
        ]!,
    )
    const report = await judged(
      { products: artifacts },
      { materials: artifacts },
      { materials: [...rules, 'MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'] },
    )
    expect(report.ok).toBe(true)
    expect(report.steps[1]!.rules.at(-2)!.consumed).toBe(10_000)
  })

  it('many rules that hit nothing in a queue that is empty cost nothing', async () => {
    const artifacts = many(10_000)
    const rules = ['ALLOW *', ...Array.from({ length: 3000 }, () => 'MATCH *?x* WITH PRODUCTS FROM first')]
    const wire = layout([step('first'), step('second', { by: [bob], materials: rules })])
    const links = [
      await linkFile(alice, { name: 'first', products: files(artifacts) }),
      await linkFile(bob, { name: 'second', materials: files(artifacts) }),
    ]
    expect((await verdict({ layout: wire, links })).ok).toBe(true)
  })
})
