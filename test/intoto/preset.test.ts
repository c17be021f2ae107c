/** Layouts from names and rules, and the presets: honest chains pass; empty, planted and tampered ones do not. */
import { describe, expect, it } from 'vitest'
import {
  createLink,
  defineLayout,
  functionaryNames,
  lintLayout,
  linkFileName,
  npmLayout,
  webappLayout,
  type Artifacts,
  type Inspect,
  type Layout,
  type LinkInit,
  type NpmPreset,
  type Report,
} from 'intoto'
import { alice, bob, carol, codesOf, errorsOf, files, sha256, signed, thrownBy, verdict, type Person } from './world.ts'

const expires = '2099-01-01T00:00:00Z'
const functionaries = { dev: alice.key, ci: bob.key }
const who = { source: ['dev'], install: ['ci'], build: ['ci'], test: ['ci'], package: ['ci'] }
const makers: Record<string, Person> = { source: alice, install: bob, build: bob, test: bob, package: bob }
const buildLink = linkFileName('build', bob.key.keyid)

describe('defineLayout', () => {
  it('makes a layout that its parser takes, with the keys of those who do something, and their names in the readme', () => {
    const layout = defineLayout({
      functionaries: { ...functionaries, nobody: carol.key },
      expires: new Date('2030-01-02T03:04:05.678Z'),
      readme: 'How it is made.',
      steps: [
        {
          name: 'build',
          functionaries: ['dev', 'ci'],
          threshold: 2,
          command: ['make'],
          materials: ['DISALLOW *'],
          products: ['CREATE "my file"', 'match * with products from build'],
        },
      ],
      inspect: [{ name: 'look', run: ['ls'], products: ['ALLOW *'] }],
    })
    expect(layout).toMatchObject({
      expires: '2030-01-02T03:04:05Z',
      steps: [
        {
          threshold: 2,
          pubkeys: [alice.key.keyid, bob.key.keyid],
          expected_command: ['make'],
          expected_products: [
            ['CREATE', 'my file'],
            ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'build'],
          ],
        },
      ],
      inspect: [{ name: 'look', run: ['ls'], expected_materials: [] }],
    })
    expect(Object.keys(layout.keys).sort()).toEqual([alice.key.keyid, bob.key.keyid].sort())
    expect(JSON.stringify(layout)).not.toContain('private')
    expect([...functionaryNames(layout)]).toEqual([
      [alice.key.keyid, 'dev'],
      [bob.key.keyid, 'ci'],
    ])
  })

  it('refuses functionaries without key, rules that are none, and dates that do not exist', () => {
    const step = { name: 'a', functionaries: ['eve'] }
    expect(thrownBy(() => defineLayout({ functionaries, expires, steps: [step] })).code).toBe('E_CONFIG')
    expect(thrownBy(() => defineLayout({ functionaries, expires, steps: [{ name: 'a', functionaries: ['constructor'] }] })).code).toBe(
      'E_CONFIG',
    )
    expect(
      thrownBy(() => defineLayout({ functionaries, expires, steps: [{ name: 'a', functionaries: ['dev'], products: ['PERMIT *'] }] })).code,
    ).toBe('E_LAYOUT_INVALID')
    for (const never of ['2099-02-30T00:00:00Z', new Date('never')])
      expect(thrownBy(() => defineLayout({ functionaries, expires: never, steps: [] })).code).toBe('E_LAYOUT_INVALID')
  })

  it('reads no names for ids that are not in the layout', () => {
    expect([
      ...functionaryNames({
        readme: `c0ffee1234 eve\n${alice.key.keyid} alice`,
        keys: { [alice.key.keyid]: alice.key },
      } as unknown as Layout),
    ]).toEqual([[alice.key.keyid, 'alice']])
  })
})

const source = { 'package.json': '{}', 'package-lock.json': '{}', 'src/main.ts': 'main', 'README.md': '#' }
const dist = { 'dist/index.js': 'bundle', 'dist/chunk.js': 'chunk' }
const modules = { 'node_modules/dep/index.js': 'dep' }
const tarball = 'app-1.0.0.tgz'

/** What honest people record, step by step; a test changes what its villain changes. */
function honest(): Record<string, LinkInit & { materials: Artifacts; products: Artifacts }> {
  return {
    source: { name: 'source', materials: files(), products: files(source) },
    install: {
      name: 'install',
      command: ['npm', 'ci'],
      materials: files({ 'package.json': '{}', 'package-lock.json': '{}' }),
      products: files(modules),
    },
    build: { name: 'build', materials: files({ 'package.json': '{}', 'src/main.ts': 'main', ...modules }), products: files(dist) },
    test: { name: 'test', materials: files({ 'package.json': '{}', 'src/main.ts': 'main', ...dist }), products: files() },
    package: {
      name: 'package',
      command: ['npm', 'pack'],
      materials: files({ 'package.json': '{}', 'README.md': '#', ...dist }),
      products: files({ [tarball]: 'tar' }),
    },
  }
}

async function judged(
  layout: Layout,
  change: (links: ReturnType<typeof honest>) => void = () => {},
  o: { inspect?: Inspect; without?: string[] } = {},
): Promise<Report> {
  const inits = honest()
  change(inits)
  const links: Record<string, Uint8Array> = {}
  for (const { name } of layout.steps)
    if (!o.without?.includes(name))
      links[linkFileName(name, makers[name]!.key.keyid)] = await signed(createLink(inits[name]!), [makers[name]!])
  const build = links[buildLink]
  // The build's link lies in its output folder, so whoever reads that folder reads the link.
  for (const name of ['test', 'package']) {
    if (
      build === undefined ||
      links[linkFileName(name, bob.key.keyid)] === undefined ||
      inits[name]!.materials[`dist/${buildLink}`] !== undefined
    )
      continue
    inits[name]!.materials[`dist/${buildLink}`] = { sha256: sha256(build) }
    links[linkFileName(name, bob.key.keyid)] = await signed(createLink(inits[name]!), [bob])
  }
  return verdict({ layout, links: [links], options: o.inspect === undefined ? {} : { inspect: o.inspect } })
}

const preset = (changes: Partial<NpmPreset> = {}): NpmPreset => ({ functionaries, expires, who, ...changes })
const npm = npmLayout(preset())
const bound = npmLayout(preset({ install: true }))
const webapp = webappLayout(preset({ main: 'dist/index.js' }))

describe('npmLayout', () => {
  it('says what design of a package it means', () => {
    const rules = Object.fromEntries(
      npm.steps.map(({ name, expected_materials, expected_products }) => [
        name,
        [expected_materials.map((rule) => rule.join(' ')), expected_products.map((rule) => rule.join(' '))],
      ]),
    )
    const checked = [
      'REQUIRE package.json',
      'MATCH dist/* WITH PRODUCTS FROM build',
      `ALLOW dist/${buildLink}`,
      'MATCH * WITH PRODUCTS FROM source',
      'DISALLOW *',
    ]
    expect(rules).toEqual({
      source: [[], ['REQUIRE package.json', 'ALLOW *']],
      build: [
        ['REQUIRE package.json', 'MATCH * WITH PRODUCTS FROM source', 'ALLOW node_modules/*', 'DISALLOW *'],
        ['REQUIRE dist/index.js', 'CREATE dist/*', 'DISALLOW *'],
      ],
      test: [checked, []],
      package: [checked, ['CREATE *.tgz', 'DISALLOW *']],
    })
    expect(npm.steps.at(-1)!.expected_command).toEqual(['npm', 'pack'])
    expect(npm.inspect).toEqual([])
  })

  it('has nothing for lint to say', () => {
    for (const layout of [npm, bound, webapp, npmLayout(preset({ tarball }))])
      expect(lintLayout(layout, { now: new Date('2098-12-01T00:00:00Z') })).toEqual([])
  })

  it('lets an honest chain pass, with node_modules bound and unbound', async () => {
    for (const layout of [npm, bound, webapp]) expect(codesOf(await judged(layout))).toEqual([])
  })

  it('follows another output folder and main file', async () => {
    const layout = npmLayout(preset({ dist: 'out put/', main: 'out put/main.mjs', who, untested: true }))
    expect(layout.steps.map(({ name }) => name)).toEqual(['source', 'build', 'package'])
    expect(layout.steps[1]!.expected_products).toEqual([
      ['REQUIRE', 'out put/main.mjs'],
      ['CREATE', 'out put/*'],
      ['DISALLOW', '*'],
    ])
  })

  for (const step of ['source', 'build', 'test', 'package']) {
    it(`refuses an empty link of ${step}, or none`, async () => {
      expect((await judged(npm, (links) => Object.assign(links[step]!, { materials: files(), products: files() }))).ok).toBe(false)
      expect(codesOf(await judged(npm, () => {}, { without: [step] }))).toEqual(['E_MISSING_STEP'])
    })
  }

  const planted: [string, string, (links: ReturnType<typeof honest>) => void][] = [
    ['a source file that nobody committed', 'E_RULE', ({ build }) => Object.assign(build!.materials, files({ 'src/evil.ts': 'evil' }))],
    ['a file beside the output', 'E_RULE', ({ build }) => Object.assign(build!.products, files({ 'evil.js': 'evil' }))],
    [
      'an output that was there before',
      'E_RULE',
      ({ build }) =>
        void (
          Object.assign(build!.products, files({ 'dist/old.js': 'x' })),
          Object.assign(build!.materials, files({ 'dist/old.js': 'x' }))
        ),
    ],
    ['a file in the package', 'E_RULE', (links) => Object.assign(links['package']!.materials, files({ 'dist/evil.js': 'evil' }))],
    ['a file in the tested output', 'E_RULE', ({ test }) => Object.assign(test!.materials, files({ 'dist/evil.js': 'evil' }))],
    ['something else than a tarball', 'E_RULE', (links) => Object.assign(links['package']!.products, files({ 'evil.sh': 'evil' }))],
    [
      'another link in the output',
      'E_RULE',
      (links) => Object.assign(links['package']!.materials, files({ 'dist/build.00000000.link': 'x' })),
    ],
    [
      "another file under the name of the build's link",
      'E_TAMPER',
      (links) => Object.assign(links['package']!.materials, files({ [`dist/${buildLink}`]: 'evil' })),
    ],
  ]
  for (const [what, code, change] of planted) {
    it(`refuses ${what}`, async () => {
      for (const layout of [npm, bound]) expect(codesOf(await judged(layout, change))).toContain(code)
    })
  }

  const tampered: [string, (links: ReturnType<typeof honest>) => void, string][] = [
    ['source changed before the build', ({ build }) => Object.assign(build!.materials, files({ 'src/main.ts': 'evil' })), 'src/main.ts'],
    [
      'package.json changed before the build',
      ({ build }) => Object.assign(build!.materials, files({ 'package.json': 'evil' })),
      'package.json',
    ],
    ['output changed before the test', ({ test }) => Object.assign(test!.materials, files({ 'dist/index.js': 'evil' })), 'dist/index.js'],
    [
      'output changed before packing',
      (links) => Object.assign(links['package']!.materials, files({ 'dist/index.js': 'evil' })),
      'dist/index.js',
    ],
    ['readme changed before packing', (links) => Object.assign(links['package']!.materials, files({ 'README.md': 'evil' })), 'README.md'],
  ]
  for (const [what, change, file] of tampered) {
    it(`refuses ${what}`, async () => {
      for (const layout of [npm, bound]) expect(errorsOf(await judged(layout, change))).toMatchObject([{ code: 'E_TAMPER', file }])
    })
  }

  it('binds node_modules only with the step that installs them', async () => {
    const change = ({ build }: ReturnType<typeof honest>) => Object.assign(build!.materials, files({ 'node_modules/dep/index.js': 'evil' }))
    expect((await judged(npm, change)).ok).toBe(true)
    expect(errorsOf(await judged(bound, change))).toMatchObject([{ code: 'E_TAMPER', file: 'node_modules/dep/index.js' }])
    expect(codesOf(await judged(bound, ({ install }) => Object.assign(install!, { materials: files() })))).toContain('E_RULE')
    expect(
      codesOf(await judged(bound, ({ install }) => Object.assign(install!.materials, files({ 'package-lock.json': 'evil' })))),
    ).toContain('E_TAMPER')
  })

  it('lets only those do a step who may', async () => {
    const strict = npmLayout(preset({ who: { ...who, source: ['ci'] } }))
    expect(codesOf(await judged(strict))).toEqual(['E_ACTOR'])
  })

  it('refuses strangers and folders that are patterns', () => {
    expect(thrownBy(() => npmLayout(preset({ who: { build: ['eve'] } }))).code).toBe('E_CONFIG')
    for (const folder of ['', '/', 'di*st', 'a[b]']) expect(thrownBy(() => npmLayout(preset({ dist: folder }))).code).toBe('E_CONFIG')
  })
})

describe('the inspection of a tarball', () => {
  const layout = npmLayout(preset({ tarball }))
  /** What `tar xzf` leaves behind: the tarball, and its contents below `package/`. */
  const unpacked =
    (contents: Record<string, string>, tar = 'tar'): Inspect =>
    async ({ name }) => {
      const below = Object.fromEntries(Object.entries(contents).map(([path, content]) => [`package/${path}`, content]))
      return createLink({ name, materials: files({ [tarball]: tar }), products: files({ [tarball]: tar, ...below }) })
    }
  const contents = { 'package.json': '{}', 'README.md': '#', ...dist }

  it('runs tar, and lets the honest one pass', async () => {
    expect(layout.inspect[0]!.run).toEqual(['tar', 'xzf', tarball])
    expect(codesOf(await judged(layout, () => {}, { inspect: unpacked(contents) }))).toEqual([])
  })

  const bad: [string, Inspect, string[]][] = [
    ['another tarball', unpacked(contents, 'evil'), ['E_TAMPER', 'E_TAMPER']],
    ['an empty one', unpacked({}), ['E_RULE', 'E_RULE']],
    ['one with a file of nobody', unpacked({ ...contents, 'evil.js': 'evil' }), ['E_RULE']],
    ['one with a changed bundle', unpacked({ ...contents, 'dist/index.js': 'evil' }), ['E_TAMPER']],
    ['one with a changed readme', unpacked({ ...contents, 'README.md': 'evil' }), ['E_TAMPER']],
    ['one with another link of the build', unpacked({ ...contents, [`dist/${buildLink}`]: 'evil' }), ['E_TAMPER']],
    [
      'one with a file beside package/',
      async ({ name }) =>
        createLink({ name, products: files({ 'package/package.json': '{}', 'package/dist/index.js': 'bundle', '../evil': 'x' }) }),
      ['E_RULE'],
    ],
  ]
  for (const [what, inspect, codes] of bad) {
    it(`refuses ${what}`, async () => {
      expect(codesOf(await judged(layout, () => {}, { inspect }))).toEqual(codes)
    })
  }
})
