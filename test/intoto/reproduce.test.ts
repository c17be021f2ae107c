/** Two links of one step side by side, what kind of difference lies between two files, and the layouts that ask for two builders or for DevGuard. */
import { describe, expect, it } from 'vitest'
import {
  compareLinks,
  createLink,
  devguardLayout,
  explainDiscrepancy,
  importKey,
  keyidFor,
  keyids,
  linkFileName,
  type Artifacts,
  type LinkInit,
  reproducibleLayout,
  reproductionProblems,
  utf8,
} from 'intoto'
import { alice, bob, codesOf, errorsOf, files, person, signed, thrownBy, verdict } from './world.ts'

const expires = '2099-01-01T00:00:00Z'
const base: LinkInit = {
  name: 'build',
  command: ['vite', 'build'],
  materials: files({ 'src/main.js': '1' }),
  products: files({ 'dist/a.js': '1', 'dist/b.js': '2' }),
}
const link = (init: Partial<LinkInit> = {}) => createLink({ ...base, ...init })

describe('compareLinks', () => {
  it('says that nothing differs where the products are the same, whatever else is noise', () => {
    const found = compareLinks(
      link({ byproducts: { 'duration-ms': 5, stdout: 'a' } }),
      link({ byproducts: { 'duration-ms': 9, stdout: 'b' } }),
    )
    expect(found).toEqual({ step: 'build', ok: true, differences: [], circumstances: [] })
  })

  it('takes equal digests for nothing where they are none, or so weak that two files can share them', () => {
    for (const digests of [{}, { md5: 'd41d8cd98f00b204e9800998ecf8427e' }]) {
      const weak = link({ products: { 'dist/a.js': digests } })
      expect(compareLinks(weak, weak)).toMatchObject({
        ok: false,
        differences: [{ name: 'dist/a.js', cause: expect.stringContaining('SHA-256') }],
      })
    }
  })

  it('names what differs and what is on one side only, and takes the reason from the links themselves', () => {
    const first = link({ byproducts: { node: '20.19.0', framework: { name: 'vite', version: '8.0.0' } } })
    const second = link({
      products: files({ 'dist/a.js': 'other', 'dist/c.js': '2' }),
      byproducts: { node: '20.19.0', framework: { name: 'vite', version: '8.1.0' } },
    })
    const found = compareLinks(first, second)
    expect(found.ok).toBe(false)
    expect(found.circumstances).toEqual([{ name: 'framework', first: 'vite 8.0.0', second: 'vite 8.1.0' }])
    const problems = reproductionProblems(found, { first: 'one.link', second: 'two.link' })
    expect(problems.map(({ file, severity, cause }) => [file, severity, cause])).toEqual([
      ['dist/a.js', 'error', 'framework differs: vite 8.0.0 and vite 8.1.0'],
      ['dist/b.js', 'error', 'the other link has the same content as dist/c.js'],
      ['dist/c.js', 'error', 'the other link has the same content as dist/b.js'],
    ])
    expect(problems[1]).toMatchObject({ code: 'E_THRESHOLD', actual: { text: 'not there', from: 'two.link' } })
  })

  it('finds the likes of 20,000 renamed files without comparing each with each', () => {
    const many = (hash: string): Artifacts =>
      files(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`dist/chunk${i}-${hash}.js`, `${hash}${i}`])))
    const found = compareLinks(
      createLink({ name: 'build', products: many('aaaaaaaa') }),
      createLink({ name: 'build', products: many('bbbbbbbb') }),
    )
    expect(found.differences).toHaveLength(40_000)
    expect(found.differences[0]!.cause).toContain('dist/chunk0-bbbbbbbb.js')
    expect(found.differences.at(-1)!.cause).toContain('dist/chunk9999-aaaaaaaa.js')
  }, 60_000)

  it('says when the materials were others, before all other reasons but the bytes', () => {
    const second = link({
      materials: files({ 'src/main.js': '2' }),
      products: files({ 'dist/a.js': 'x', 'dist/b.js': '2' }),
      command: ['vite'],
    })
    const found = compareLinks(link(), second)
    expect(found.differences.map(({ list, name, cause }) => [list, name, cause])).toEqual([
      ['materials', 'src/main.js', undefined],
      ['products', 'dist/a.js', 'they did not begin with the same materials: src/main.js'],
    ])
    expect(compareLinks(link(), second, () => 'seen').differences[1]?.cause).toBe('seen')
    const same = compareLinks(link(), link({ materials: files({ 'src/main.js': '2' }) }))
    expect([same.ok, reproductionProblems(same, { first: 'a', second: 'b' }).map(({ severity }) => severity)]).toEqual([true, ['warning']])
  })
})

describe('explainDiscrepancy', () => {
  const places = { first: ['/home/a/app'], second: ['/tmp/b/app'] }
  it.each([
    ['only line endings differ', 'a\nb\n', 'a\r\nb\r\n'],
    ['only a byte order mark differs', 'a', '\ufeffa'],
    ['absolute paths of the machine are in it', 'x("/home/a/app/src")', 'x("/tmp/b/app/src")'],
    ['the time of the build is in it', 'at 2026-01-02T03:04:05.678Z', 'at 2026-02-03T04:05:06.789Z'],
    ['the time of the build is in it', 't=1767323045123;', 't=1770091506789;'],
    ['random values, or hashes of other files that differ, are in it', 'id-9f86d081884c7d65', 'id-60303ae22b998861'],
    ['the same lines stand in another order', 'a\nb\nc', 'c\na\nb'],
    ['the same words stand in another order', '{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['only white space differs', 'a  b', 'ab '],
    [undefined, 'a', 'b'],
  ])('%s', (reason, a, b) => {
    expect(explainDiscrepancy(utf8(a), utf8(b), places)).toBe(reason)
    expect(explainDiscrepancy(utf8(b), utf8(a), { first: places.second, second: places.first })).toBe(reason)
  })

  it('knows the header of gzip, and says nothing of other bytes', () => {
    const gzip = (time: number): Uint8Array => Uint8Array.from([0x1f, 0x8b, 8, 0, time, 0, 0, 0, 0, 3, 1, 2, 3])
    expect(explainDiscrepancy(gzip(1), gzip(2))).toBe('only the time in the gzip header differs')
    expect(explainDiscrepancy(Uint8Array.from([0xff, 1]), Uint8Array.from([0xff, 2]))).toBeUndefined()
  })
})

describe('reproducibleLayout', () => {
  const functionaries = { alice: alice.key, bob: bob.key }
  const preset = { functionaries, expires, untested: true, main: 'dist/a.js', who: { source: ['alice'] } }
  const source = files({ 'package.json': '{}', 'src/main.js': '1' })
  const build = (products = files({ 'dist/a.js': '1' })) => createLink({ name: 'build', materials: source, products })

  it('wants the same from every builder', async () => {
    const layout = reproducibleLayout(preset)
    expect(layout.steps.map(({ name, threshold }) => [name, threshold])).toEqual([
      ['source', 1],
      ['build', 2],
    ])
    const links: Record<string, Uint8Array> = {}
    links[linkFileName('source', alice.key.keyid)] = await signed(createLink({ name: 'source', products: source }), [alice])
    links[linkFileName('build', alice.key.keyid)] = await signed(build(), [alice])
    expect(codesOf(await verdict({ layout, links: [links] }))).toEqual(['E_MISSING_STEP'])
    links[linkFileName('build', bob.key.keyid)] = await signed(build(), [bob])
    expect(errorsOf(await verdict({ layout, links: [links] }))).toEqual([])
    links[linkFileName('build', bob.key.keyid)] = await signed(build(files({ 'dist/a.js': '2' })), [bob])
    expect(codesOf(await verdict({ layout, links: [links] }))).toEqual(['E_THRESHOLD'])
  })

  it('refuses a layout that one builder could satisfy, or that none can', () => {
    expect(thrownBy(() => reproducibleLayout({ ...preset, who: { build: ['alice'] } })).code).toBe('E_CONFIG')
    expect(thrownBy(() => reproducibleLayout({ ...preset, functionaries: { alice: alice.key, again: alice.key } })).code).toBe('E_CONFIG')
    expect(thrownBy(() => reproducibleLayout({ ...preset, builders: 3 })).code).toBe('E_CONFIG')
    expect(thrownBy(() => reproducibleLayout({ ...preset, builders: 1 })).code).toBe('E_CONFIG')
  })
})

/** Loaded by in-toto-golang 0.11.0 as DevGuard loads it: label `ecdsa-sha2-nistp521`, hash algorithms `sha256`. */
const vector = {
  pem: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWsn98TUb3iCwn6NkpDcrg+bAaC1/\naujNejO+xIE6YDInwQl5xz/CLssREtWq9YjBZvzRXoSi2z0CAk9bFtmgTw==\n-----END PUBLIC KEY-----\n',
  keyid: '76b5f7fdd0f3643990ddd4b5b47c04c03ede77acc5fc0b9749caa6a13b2fe959',
}

describe('devguardLayout', () => {
  it('computes key ids as in-toto-golang does for DevGuard', async () => {
    expect(keyidFor(await importKey(vector.pem), 'devguard')).toBe(vector.keyid)
  })

  it('has the steps, rules and key ids of DevGuard', async () => {
    const { key } = await person('ecdsa')
    const layout = devguardLayout({ functionaries: { carol: key }, expires, commands: { build: ['make'] } })
    const keyid = keyidFor(key, 'devguard')
    expect(Object.keys(layout.keys)).toEqual([keyid])
    expect(keyids(key)).toContain(keyid)
    expect(layout.steps.map(({ name, pubkeys, expected_command }) => [name, pubkeys, expected_command])).toEqual([
      ['post-commit', [keyid], []],
      ['build', [keyid], ['make']],
      ['deploy', [keyid], []],
    ])
    expect(layout.inspect.map(({ name, run }) => [name, run])).toEqual([['verify-digest', ['true']]])
  })
})
