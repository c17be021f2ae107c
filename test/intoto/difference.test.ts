/** What differs between two layouts, and between a layout and what was observed. */
import { describe, expect, it } from 'vitest'
import { compareObserved, createLink, diffLayouts, parseLayout, type Layout, type LinkInit, type ObservedFile } from 'intoto'
import { alice, bob, carol, files, inspection, layout, mallory, person, step, type Person } from './world.ts'

const base = (changes: Record<string, unknown> = {}, build: Record<string, unknown> = {}): Layout =>
  parseLayout(
    layout(
      [
        step('source', { products: ['CREATE *', 'DISALLOW *'] }),
        {
          ...step('build', {
            by: [bob],
            command: ['vite', 'build'],
            materials: ['REQUIRE package.json', 'MATCH * WITH PRODUCTS FROM source', 'DISALLOW *'],
            products: ['CREATE dist/a.js', 'CREATE dist/old.js', 'DISALLOW *'],
          }),
          ...build,
        },
      ],
      changes,
    ),
  )

const rsaKey = (await person('rsa')).key

describe('two layouts', () => {
  it('are equal to themselves, in another order of keys too', () => {
    const { keys } = base()
    const reversed = Object.fromEntries(Object.entries(keys).reverse())
    expect(diffLayouts(base(), base({ keys: reversed }))).toEqual([])
  })

  it('differ place by place, in lines that went and lines that came', () => {
    const next = base(
      { expires: '2098-01-01T00:00:00Z', readme: `${bob.key.keyid} ci`, inspect: [inspection('unpack', { run: ['tar', 'xzf', 'a.tgz'] })] },
      {
        threshold: 2,
        pubkeys: [bob.key.keyid, carol.key.keyid],
        expected_command: [],
        expected_materials: [
          ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'source'],
          ['REQUIRE', 'package.json'],
          ['DISALLOW', '*'],
        ],
        expected_products: [
          ['CREATE', 'dist/a.js'],
          ['CREATE', 'dist/new.js'],
          ['DISALLOW', '*'],
        ],
      },
    )
    expect(diffLayouts(base(), next)).toEqual([
      { path: 'expires', removed: ['2099-01-01T00:00:00Z'], added: ['2098-01-01T00:00:00Z'] },
      { path: 'readme', removed: [], added: [`${bob.key.keyid} ci`] },
      { path: 'inspect', removed: [], added: ['unpack'] },
      { path: 'steps.build.pubkeys', removed: [bob.key.keyid], added: [`ci ${bob.key.keyid}`, carol.key.keyid] },
      { path: 'steps.build.threshold', removed: ['1'], added: ['2'] },
      { path: 'steps.build.expected_command', removed: ['["vite","build"]'], added: [] },
      { path: 'steps.build.expected_materials', removed: ['REQUIRE package.json'], added: ['REQUIRE package.json'] },
      { path: 'steps.build.expected_products', removed: ['CREATE dist/old.js'], added: ['CREATE dist/new.js'] },
      { path: 'inspect.unpack.run', removed: [], added: ['["tar","xzf","a.tgz"]'] },
    ])
  })

  it('differ by the order of steps, and by a key that took the place of another under its id', () => {
    const turned = base()
    turned.steps.reverse()
    expect(diffLayouts(base(), turned)).toEqual([{ path: 'steps', removed: ['source -> build'], added: ['build -> source'] }])
    const keys = { ...base().keys, [alice.key.keyid]: { ...mallory.key, keyid: alice.key.keyid } }
    expect(diffLayouts(base(), base({ keys })).map(({ path }) => path)).toEqual(['keys'])
  })

  it('differ by the scheme of a key, and by what a key of an unknown kind holds', () => {
    const id = 'ab'.repeat(32)
    const odd = (more: object): Layout =>
      base({ keys: { ...base().keys, [id]: { keytype: {}, scheme: 'x', keyval: { public: 'y' }, ...more } } })
    expect(diffLayouts(base(), odd({}))).toEqual([{ path: 'keys', removed: [], added: [expect.stringContaining('"keytype":{}')] }])
    expect(diffLayouts(odd({}), odd({}))).toEqual([])
    expect(diffLayouts(odd({}), odd({ scheme: 'z' })).map(({ path }) => path)).toEqual(['keys'])
    const rsa = (scheme: string): Layout => base({ keys: { ...base().keys, [rsaKey.keyid]: { ...rsaKey, scheme } } })
    expect(diffLayouts(rsa('rsassa-pss-sha256'), rsa('rsa-pkcs1v15-sha256'))).toMatchObject([
      { path: 'keys', removed: [expect.stringContaining('rsassa-pss-sha256')], added: [expect.stringContaining('rsa-pkcs1v15-sha256')] },
    ])
  })
})

describe('a layout and what was observed', () => {
  const file = (by: Person, init: LinkInit): ObservedFile => ({
    link: createLink(init),
    file: `${init.name}.link`,
    key: by.key,
  })
  const source = file(alice, { name: 'source', products: files({ 'package.json': '{}', 'src/main.ts': 'main' }) })
  const build = (change: Partial<LinkInit> = {}, by = bob): ObservedFile =>
    file(by, {
      name: 'build',
      command: ['vite', 'build'],
      materials: files({ 'package.json': '{}', 'src/main.ts': 'main' }),
      products: files({ 'dist/a.js': 'a', 'dist/old.js': 'o' }),
      ...change,
    })
  const seen = (...links: ObservedFile[]): string[] =>
    compareObserved(base(), links).map(({ severity, code, step: name, file: about }) =>
      [severity, code, name, about].filter(Boolean).join(' '),
    )

  it('agree where nothing is refused and nothing idle', () => {
    expect(seen(source, build())).toEqual([])
  })

  it('tells all that would be refused, whatever else fails, and what is idle or new', () => {
    const changed = build({
      command: ['vite', 'build', '--debug'],
      materials: files({ 'package.json': '{}', 'src/main.ts': 'evil' }),
      products: files({ 'dist/a.js': 'a', 'dist/new.js': 'n' }),
    })
    expect(seen(source, changed, file(carol, { name: 'banner' }))).toEqual([
      'error E_COMMAND build build.link',
      'error E_TAMPER build src/main.ts',
      'error E_RULE build dist/new.js',
      'warning E_RULE build',
      'warning E_RULE banner banner.link',
    ])
  })

  it('tells what two functionaries do not agree about, whichever link is looked at', () => {
    const twice = base({}, { pubkeys: [bob.key.keyid, carol.key.keyid], threshold: 2 })
    const other = build({ products: files({ 'dist/a.js': 'other', 'dist/old.js': 'o' }) }, carol)
    expect(compareObserved(twice, [source, build(), build({}, carol)])).toEqual([])
    expect(compareObserved(twice, [source, build(), { ...other, file: 'b.link' }])).toMatchObject([
      { severity: 'error', code: 'E_THRESHOLD', step: 'build', file: 'dist/a.js', actual: { from: 'b.link' } },
    ])
    expect(compareObserved(twice, [source, build(), { ...build({}, alice), link: other.link }]).map(({ code }) => code)).not.toContain(
      'E_THRESHOLD',
    )
  })

  it('tells who may not, and which step nobody carried out', () => {
    expect(seen(build({}, alice))).toContain('error E_ACTOR build build.link')
    expect(seen({ link: build().link, file: 'build.link' })).toContain('error E_ACTOR build build.link')
    expect(seen(build())).toContain('error E_MISSING_STEP source')
  })
})
