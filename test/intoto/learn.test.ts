/** Layouts that are learned from links: the same round again passes, so does the next honest one; each thing that goes wrong is refused. */
import { describe, expect, it } from 'vitest'
import {
  createLink,
  formatRule,
  learnLayout,
  lintLayout,
  linkFileName,
  parseRule,
  type Layout,
  type LearnOptions,
  type Link,
  type LinkInit,
  type ObservedRun,
  type Report,
} from 'intoto'
import { alice, bob, carol, codesOf, errorsOf, files, sha256, signed, thrownBy, verdict, type Person } from './world.ts'

const people: Record<string, Person> = { dev: alice, ci: bob, second: carol }
const functionaries = { dev: alice.key, ci: bob.key, second: carol.key }
const makers: Record<string, string> = { source: 'dev', build: 'ci', test: 'dev', package: 'ci' }
const options: LearnOptions = { functionaries, expires: '2099-01-01T00:00:00Z' }
const buildLink = `dist/${linkFileName('build', bob.key.keyid)}`

type Round = Record<
  string,
  Omit<LinkInit, 'materials' | 'products'> & { materials: Record<string, string>; products: Record<string, string> }
>

/** A web application that is built, tested and packed; `hash` and `code` differ from build to build. */
function round({ code = 'main', hash = 'B1x9Kq_z', version = '1.0.0' } = {}): Round {
  const source = {
    'package.json': '{}',
    'index.html': '<script>',
    'src/main.ts': code,
    'src/style.css': 'css',
    'public/logo.svg': 'svg',
    'README.md': '#',
  }
  const { 'README.md': _, ...read } = source
  const dist = {
    'dist/index.html': `page ${hash}`,
    [`dist/assets/index-${hash}.js`]: `bundle ${code}`,
    [`dist/assets/index-${hash}.js.map`]: `map ${code}`,
    'dist/logo.svg': 'svg',
  }
  const link = { [buildLink]: `the link ${hash}` }
  return {
    source: { name: 'source', materials: {}, products: source },
    build: { name: 'build', command: ['vite', 'build'], materials: { ...read, 'node_modules/vue/index.js': 'vue' }, products: dist },
    test: {
      name: 'test',
      command: ['node', '--test'],
      materials: { 'package.json': '{}', 'src/main.ts': code, ...dist, ...link },
      products: {},
    },
    package: {
      name: 'package',
      command: ['npm', 'pack'],
      materials: { 'package.json': '{}', 'README.md': '#', ...dist, ...link },
      products: { [`app-${version}.tgz`]: `tar ${hash}` },
    },
  }
}

function linkOf(init: Round[string]): Link {
  return createLink({ ...init, materials: files(init.materials), products: files(init.products) })
}

function observed(links: Round, by: Record<string, string> = makers): ObservedRun {
  return Object.values(links).map((init) => ({ link: linkOf(init), functionary: by[init.name]! }))
}

/** Everybody signs; steps that found the build's link beside the files found the very one. */
async function judged(layout: Layout, links: Round, by: Record<string, string> = makers): Promise<Report> {
  const written: Record<string, Uint8Array> = {}
  for (const init of Object.values(links)) {
    const link = linkOf(init)
    const build = written[linkFileName('build', bob.key.keyid)]
    if (build !== undefined && Object.hasOwn(link.materials, buildLink)) link.materials[buildLink] = { sha256: sha256(build) }
    const person = people[by[init.name]!]!
    written[linkFileName(init.name, person.key.keyid)] = await signed(link, [person])
  }
  return verdict({ layout, links: [written] })
}

const texts = (rules: readonly string[][]): string[] => rules.map((tokens) => formatRule(parseRule(tokens)))
const stepOf = (layout: Layout, name: string) => layout.steps.find((step) => step.name === name)!

describe('a learned layout', () => {
  const { layout, notes } = learnLayout([observed(round())], options)

  it('has the steps in the order of the flow, each with who did it and with what command', () => {
    expect(layout.steps.map(({ name, pubkeys, expected_command, threshold }) => [name, pubkeys, expected_command, threshold])).toEqual([
      ['source', [alice.key.keyid], [], 1],
      ['build', [bob.key.keyid], ['vite', 'build'], 1],
      ['test', [alice.key.keyid], ['node', '--test'], 1],
      ['package', [bob.key.keyid], ['npm', 'pack'], 1],
    ])
  })

  it('matches what flowed, names what was made, ends every list with DISALLOW, and says what it guessed', () => {
    const build = stepOf(layout, 'build')
    expect(texts(build.expected_materials)).toEqual([
      'REQUIRE index.html',
      'REQUIRE package.json',
      'MATCH * WITH PRODUCTS FROM source',
      'ALLOW node_modules/*',
      'DISALLOW *',
    ])
    expect(texts(build.expected_products)).toEqual([
      'REQUIRE dist/index.html',
      'REQUIRE dist/logo.svg',
      'CREATE dist/assets/index-????????.js',
      'CREATE dist/assets/index-????????.js.map',
      'CREATE dist/index.html',
      'CREATE dist/logo.svg',
      'DISALLOW *',
    ])
    expect(texts(stepOf(layout, 'package').expected_materials)).toEqual([
      'REQUIRE dist/index.html',
      'REQUIRE dist/logo.svg',
      'REQUIRE package.json',
      'MATCH dist/* WITH PRODUCTS FROM build',
      `ALLOW ${buildLink}`,
      'DISALLOW dist/*',
      'MATCH * WITH PRODUCTS FROM source',
      'DISALLOW *',
    ])
    expect(texts(stepOf(layout, 'package').expected_products)).toEqual(['CREATE app-*.tgz', 'DISALLOW *'])
    expect(lintLayout(layout, { maxDays: 1e6 })).toEqual([])
    expect(notes.join('\n')).toContain('dist/assets/index-B1x9Kq_z.js is taken for a name that changes')
  })

  it('lets the same round pass, and the next honest one: other code, other hashes, other version, a new source file', async () => {
    expect(errorsOf(await judged(layout, round()))).toEqual([])
    const next = round({ code: 'better', hash: 'Zz-81aBc', version: '1.1.0-rc.1' })
    next['source']!.products['src/new.ts'] = next['build']!.materials['src/new.ts'] = 'new'
    expect(errorsOf(await judged(layout, next))).toEqual([])
  })

  it.each<[string, string, (links: Round) => void]>([
    ['a source that changed after the build', 'E_TAMPER', (links) => void (links['test']!.materials['src/main.ts'] = 'evil')],
    ['a source that changed before the build', 'E_TAMPER', (links) => void (links['build']!.materials['src/main.ts'] = 'evil')],
    ['a file of dist that changed', 'E_TAMPER', (links) => void (links['package']!.materials['dist/index.html'] = 'evil')],
    ['a file that was added to dist by the build', 'E_RULE', (links) => void (links['build']!.products['dist/evil.js'] = 'evil')],
    ['a file that was added to dist after the build', 'E_RULE', (links) => void (links['package']!.materials['dist/evil.js'] = 'evil')],
    [
      'a source file that was put into dist',
      'E_RULE',
      (links) => void (links['source']!.products['dist/evil.js'] = links['package']!.materials['dist/evil.js'] = 'evil'),
    ],
    ['a dropped product', 'E_RULE', (links) => void delete links['build']!.products['dist/logo.svg']],
    ['a dropped file of dist', 'E_RULE', (links) => void delete links['package']!.materials['dist/index.html']],
    ['a dropped material', 'E_RULE', (links) => void delete links['build']!.materials['package.json']],
    ['empty materials', 'E_RULE', (links) => void (links['build']!.materials = {})],
    ['another command', 'E_COMMAND', (links) => void (links['build'] = { ...links['build']!, command: ['vite', 'build', '--mode', 'x'] })],
    ['a missing step', 'E_MISSING_STEP', (links) => void delete links['test']],
    ['a second product', 'E_RULE', (links) => void (links['package']!.products['more.tar'] = 'x')],
  ])('refuses %s', async (_what, code, change) => {
    const links = round({ hash: 'Zz-81aBc' })
    change(links)
    expect(codesOf(await judged(layout, links))).toContain(code)
  })

  it('tells a file once that two of its rules refuse, and both rules as failed', async () => {
    const links = round()
    links['package']!.materials['dist/evil.js'] = 'evil'
    const report = await judged(layout, links)
    expect(errorsOf(report).map(({ file, rule }) => [file, rule?.text])).toEqual([['dist/evil.js', 'DISALLOW dist/*']])
    const failed = report.steps.flatMap(({ rules }) => rules.filter(({ ok }) => !ok).map(({ text }) => text))
    expect(failed).toEqual(['DISALLOW dist/*', 'DISALLOW *'])
  })

  it('refuses another key', async () => {
    expect(codesOf(await judged(layout, round(), { ...makers, build: 'dev' }))).toContain('E_ACTOR')
  })
})

describe('names', () => {
  const build = (names: string[], materials: Record<string, string> = {}) =>
    ({ build: { name: 'build', materials, products: Object.fromEntries(names.map((name) => [name, `made ${name}`])) } }) as unknown as Round
  const created = (runs: string[][], materials?: Record<string, string>): string[] => {
    const { layout } = learnLayout(
      runs.map((names) => observed(build(names, materials))),
      options,
    )
    return texts(stepOf(layout, 'build').expected_products)
      .filter((rule) => rule.startsWith('CREATE'))
      .map((rule) => rule.slice(7))
  }

  it.each<[string, string]>([
    ['dist/assets/index-Bx_-9a1z.js', 'dist/assets/index-????????.js'],
    ['dist/main.0a1b2c3d4e5f60718293.js', 'dist/main.????????????????????.js'],
    ['dist/main.3fa94b21.chunk.css', 'dist/main.????????.chunk.css'],
    ['dist/chunk-ABCDEFGH.js', 'dist/chunk-????????.js'],
    ['_app/immutable/chunks/B1sBUHKb.js', '_app/immutable/chunks/????????.js'],
    ['_astro/page.DeAdBEEf.css', '_astro/page.????????.css'],
    ['dist/app.e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.js', 'dist/app.*.js'],
    ['dist/lib-1.2.3-beta.1.tgz', 'dist/lib-*.tgz'],
    ['dist/assets/index-CAUvuim5.js', 'dist/assets/index-????????.js'],
    ['dist/assets/index-aB-qzuwm.js', 'dist/assets/index-????????.js'],
    ['dist/index.d.ts', 'dist/index.d.ts'],
    ['dist/user-settings.js', 'dist/user-settings.js'],
    ['dist/use-darkMode.js', 'dist/use-darkMode.js'],
    ['dist/LICENSE.txt', 'dist/LICENSE.txt'],
    ['dist/report-20260101.html', 'dist/report-20260101.html'],
    ['dist/version12.js', 'dist/version12.js'],
    ['dist/[slug].js', 'dist/?slug].js'],
  ])('%s is %s', (name, pattern) => {
    expect(created([[name]])).toEqual([pattern])
  })

  it('a copy of a material, or a name that stays while its content changes, holds no hash', () => {
    expect(created([['a-B1sBUHKb.js']], { 'public/a-B1sBUHKb.js': 'made a-B1sBUHKb.js' })).toEqual(['a-B1sBUHKb.js'])
    const again = build(['a-B1sBUHKb.js'])
    again['build']!.products['a-B1sBUHKb.js'] = 'other'
    const { layout } = learnLayout([observed(build(['a-B1sBUHKb.js'])), observed(again)], options)
    expect(texts(stepOf(layout, 'build').expected_products)).toContain('CREATE a-B1sBUHKb.js')
  })

  it('what two runs call differently varies, even where it looks like a word', () => {
    expect(created([['dist/app-settings.js'], ['dist/app-profiles.js']])).toEqual(['dist/app-????????.js'])
    expect(created([['dist/a.js'], ['dist/a.js', 'dist/b.js']])).toEqual(['dist/a.js', 'dist/b.js'])
  })

  it('a hash that looks like a word is known by its neighbours', () => {
    const names = [
      'dist/index.html',
      'dist/user-settings.js',
      'dist/assets/a-B1sBUHKb.js',
      'dist/assets/b-Settings.js',
      'dist/assets/c.css',
    ]
    expect(created([names])).toEqual([
      'dist/assets/a-????????.js',
      'dist/assets/b-????????.js',
      'dist/assets/c.css',
      'dist/index.html',
      'dist/user-settings.js',
    ])
    expect(created([['_app/chunks/B1sBUHKb.js', '_app/chunks/Settings.js', '_app/chunks/main.js']])).toEqual([
      '_app/chunks/????????.js',
      '_app/chunks/main.js',
    ])
    const copied = { 'public/b-Settings.js': 'made dist/assets/b-Settings.js' }
    expect(created([names], copied)).toContain('dist/assets/b-Settings.js')
  })

  it('of too many names in a folder the folder is learned', () => {
    const names = Array.from({ length: 60 }, (_, i) => `dist/icons/${'abcdefghij'[i % 10]}${'abcdef'[Math.floor(i / 10)]}.svg`)
    expect(created([['dist/index.html', ...names]])).toEqual(['dist/*', 'dist/icons/*'])
    const hashed = Array.from({ length: 60 }, (_, i) => `dist/a/${i}-B1sBUHK${'abcdefghij'[i % 10]}.js`)
    expect(learnLayout([observed(build(hashed))], options).notes).toEqual([
      'build: too many names for a rule each, so that any name is allowed: dist/a/*',
    ])
  })
})

describe('learning', () => {
  it('finds what moved to another folder', async () => {
    const links = round()
    const moved = Object.fromEntries(
      Object.entries(links['build']!.products).map(([name, text]) => [name.replace('dist/', 'site/public/'), text]),
    )
    links['deploy'] = { name: 'deploy', materials: moved, products: {} }
    const by = { ...makers, deploy: 'ci' }
    const { layout } = learnLayout([observed(links, by)], options)
    expect(texts(stepOf(layout, 'deploy').expected_materials)).toContain('MATCH * IN site/public WITH PRODUCTS IN dist FROM build')
    expect(errorsOf(await judged(layout, links, by))).toEqual([])
    moved['site/public/index.html'] = 'evil'
    expect(codesOf(await judged(layout, links, by))).toContain('E_TAMPER')
  })

  it('compares with materials where there are no products: a build without source', async () => {
    const { source: _, ...links } = round()
    const { layout } = learnLayout([observed(links)], options)
    expect(texts(stepOf(layout, 'build').expected_materials)).toEqual([
      'REQUIRE index.html',
      'REQUIRE package.json',
      'ALLOW index.html',
      'ALLOW node_modules/*',
      'ALLOW package.json',
      'ALLOW public/*',
      'ALLOW src/*',
      'DISALLOW *',
    ])
    expect(texts(stepOf(layout, 'test').expected_materials)).toContain('MATCH * WITH MATERIALS FROM build')
    expect(errorsOf(await judged(layout, links))).toEqual([])
    links['test']!.materials['src/main.ts'] = 'evil'
    expect(codesOf(await judged(layout, links))).toContain('E_TAMPER')
  })

  it('never allows what lies above the project as a whole', () => {
    const materials = {
      'package.json': '{}',
      'src/main.ts': 'main',
      '../../package-lock.json': 'lock',
      '../../tsconfig.base.json': '{}',
      '../../node_modules/vue/index.js': 'vue',
      '../shared/src/a.ts': 'a',
    }
    const links = (more: Record<string, string>) =>
      ({ build: { name: 'build', materials: { ...materials, ...more }, products: { 'dist/a.js': 'a' } } }) as unknown as Round
    const rules = (more: Record<string, string>): string[] =>
      texts(stepOf(learnLayout([observed(links(more))], options).layout, 'build').expected_materials)
    expect(rules({})).toEqual([
      'REQUIRE ../../package-lock.json',
      'REQUIRE package.json',
      'ALLOW ../../node_modules/*',
      'ALLOW ../../package-lock.json',
      'ALLOW ../../tsconfig.base.json',
      'ALLOW ../shared/*',
      'ALLOW package.json',
      'ALLOW src/*',
      'DISALLOW *',
    ])
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`../../file${i}`, 'x']))
    expect(rules(many)).not.toContain('ALLOW ../../*')
  })

  it('allows what the build made for itself: in the next one it is there already', () => {
    const { source, build } = round()
    const byproducts = { generated: { '.astro/types.d.ts': { sha256: 'ab' } } }
    const { layout } = learnLayout([observed({ source: source!, build: { ...build!, byproducts } })], options)
    expect(texts(stepOf(layout, 'build').expected_materials).slice(2, -1)).toEqual([
      'MATCH * WITH PRODUCTS FROM source',
      'ALLOW .astro/*',
      'ALLOW node_modules/*',
    ])
  })

  it('tells what is made from what is changed and from what is passed on', async () => {
    const links = {
      banner: {
        name: 'banner',
        materials: { 'dist/a.js': 'a', 'dist/b.js': 'b' },
        products: { 'dist/a.js': 'banner a', 'dist/b.js': 'b', 'dist/c.js': 'c' },
      },
    }
    const { layout } = learnLayout([observed(links, { banner: 'ci' })], options)
    expect(texts(stepOf(layout, 'banner').expected_products)).toEqual([
      'REQUIRE dist/a.js',
      'REQUIRE dist/b.js',
      'REQUIRE dist/c.js',
      'MATCH * WITH MATERIALS FROM banner',
      'MODIFY dist/a.js',
      'CREATE dist/c.js',
      'DISALLOW *',
    ])
    expect(errorsOf(await judged(layout, links, { banner: 'ci' }))).toEqual([])
    links.banner.products['dist/b.js'] = 'changed'
    expect(codesOf(await judged(layout, links, { banner: 'ci' }))).not.toEqual([])
  })

  it('asks for as many functionaries as carried a step out together, and for more where told', () => {
    const { build } = round()
    const both = [...observed({ build: build! }, { build: 'ci' }), ...observed({ build: build! }, { build: 'second' })]
    expect(learnLayout([both], options).layout.steps[0]).toMatchObject({ threshold: 2, pubkeys: [bob.key.keyid, carol.key.keyid] })
    expect(learnLayout([both, observed({ build: build! })], options).layout.steps[0]!.threshold).toBe(1)
    const told = learnLayout([observed({ build: build! })], { ...options, thresholds: { build: 2 }, who: { build: ['dev'] } }).layout
    expect(told.steps[0]).toMatchObject({ threshold: 2, pubkeys: [bob.key.keyid, alice.key.keyid] })
    expect(told.readme).toContain(`${alice.key.keyid} dev`)
  })

  it('leaves the command open where runs differ, and says so; the caller’s order of steps wins', () => {
    const first = round()
    const other = round()
    other['build'] = { ...other['build']!, command: ['vite', 'build', '--debug'] }
    const { layout, notes } = learnLayout([observed(first), observed(other)], { ...options, order: ['package', 'test'] })
    expect(stepOf(layout, 'build').expected_command).toEqual([])
    expect(notes.join('\n')).toContain('build: its links name different commands')
    expect(layout.steps.map(({ name }) => name)).toEqual(['source', 'build', 'package', 'test'])
  })

  it('refuses links of one run that disagree, no links at all, and strangers', () => {
    const other = round()
    other['build']!.products['dist/index.html'] = 'other'
    const both = [...observed({ build: round()['build']! }, { build: 'ci' }), ...observed({ build: other['build']! }, { build: 'second' })]
    expect(thrownBy(() => learnLayout([both], options)).problem).toMatchObject({
      code: 'E_THRESHOLD',
      file: 'dist/index.html',
      step: 'build',
    })
    expect(thrownBy(() => learnLayout([[]], options)).code).toBe('E_CONFIG')
    expect(thrownBy(() => learnLayout([observed(round(), { ...makers, build: 'eve' })], options)).code).toBe('E_CONFIG')
  })
})
