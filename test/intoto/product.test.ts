/** What lies on the disk against what the links say, both ways round; and link files that travel with the product. */
import { describe, expect, it } from 'vitest'
import { createLink, linkFileName, type Artifacts, type ProductEvidence, type Report } from 'intoto'
import { alice, bob, carol, codesOf, errorsOf, files, layout, linkFile, mallory, sha256, step, verdict, type Chain } from './world.ts'

const buildLink = await linkFile(alice, {
  name: 'build',
  command: ['vite', 'build'],
  products: files({ 'dist/a.js': 'a', 'dist/b.js': 'b' }),
})
const [linkName, linkBytes] = Object.entries(buildLink)[0]!
const chain = (changes: Partial<Chain> = {}): Chain => ({
  layout: layout([step('source'), step('build')]),
  links: [sourceLink, buildLink],
  ...changes,
})
const sourceLink = await linkFile(alice, { name: 'source', products: files({ 'src/a.ts': 's', 'package.json': '{}' }) })

const folder = (contents: Record<string, string>, more: Partial<ProductEvidence> = {}): ProductEvidence => ({
  path: 'dist',
  kind: 'folder',
  artifacts: files(contents),
  ignore: [],
  ...more,
})
const judged = (product: ProductEvidence, changes: Partial<Chain> = {}) =>
  verdict({ ...chain(changes), options: { ...changes.options, product } })
const honest = { 'dist/a.js': 'a', 'dist/b.js': 'b' }

describe('a folder that is judged', () => {
  it('passes as it was made', async () => {
    const report = await judged(folder(honest))
    expect(report).toMatchObject({
      ok: true,
      product: { path: 'dist', kind: 'folder', matched: 2, links: 0, added: 0, missing: 0, changed: 0 },
    })
  })

  it('is refused with a file that is added, missing or changed, each by name', async () => {
    const report = await judged(folder({ 'dist/a.js': 'evil', 'dist/new.js': 'n' }))
    expect(errorsOf(report).map(({ code, file, message }) => [code, file, message])).toEqual([
      ['E_PRODUCT', 'dist/a.js', 'dist/a.js: changed after "build"'],
      ['E_PRODUCT', 'dist/new.js', 'dist/new.js: is on the disk, but no step made it'],
      ['E_PRODUCT', 'dist/b.js', 'dist/b.js: made by "build", but not on the disk'],
    ])
    expect(report.product).toMatchObject({ matched: 0, added: 1, missing: 1, changed: 1 })
    expect(errorsOf(report)[0]).toMatchObject({
      expected: { label: 'build wrote', text: `sha256 ${sha256('a')}`, from: linkName },
      actual: { label: 'on disk', text: `sha256 ${sha256('evil')}` },
    })
  })

  it('says E_TAMPER where a MATCH binds the file, also through prefixes', async () => {
    const steps = [
      step('source'),
      step('build'),
      step('package', { by: [bob], materials: ['MATCH * IN package WITH PRODUCTS IN dist FROM build'] }),
    ]
    const links = [sourceLink, buildLink, await linkFile(bob, { name: 'package' })]
    const report = await judged(folder({ ...honest, 'dist/a.js': 'evil' }), { layout: layout(steps), links })
    expect(errorsOf(report)).toMatchObject([
      { code: 'E_TAMPER', file: 'dist/a.js', rule: { step: 'package', list: 'expected_materials', index: 0 } },
    ])
  })

  it('knows a renamed file, and the script that ran afterwards', async () => {
    const renamed = errorsOf(await judged(folder({ 'dist/a.js': 'a', 'dist/c.js': 'b' })))
    expect(renamed[0]!.cause).toContain('"dist/b.js"')
    const script = errorsOf(
      await judged(folder({ ...honest, 'dist/a.js': 'x' }), { options: { scripts: { build: 'vite build', postbuild: 'banner' } } }),
    )
    expect(script[0]!.cause).toContain('"postbuild"')
  })

  it('tells of 50,000 renamed files without comparing each with each', async () => {
    const many = (prefix: string) => files(Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`dist/${prefix}${i}`, `${i}`])))
    const links = [sourceLink, await linkFile(alice, { name: 'build', products: many('a') })]
    const report = await judged(folder({}, { artifacts: many('b') }), { links })
    expect(report.product).toMatchObject({ matched: 0, added: 50_000, missing: 50_000 })
    expect(errorsOf(report)).toHaveLength(40)
    expect(errorsOf(report)[0]!.cause).toContain('a product of "build"')
  }, 60_000)

  it('does not ask for files outside of it', async () => {
    expect((await judged(folder({ 'src/a.ts': 's' }, { path: 'src' }))).ok).toBe(true)
    expect(codesOf(await judged(folder({ 'package.json': '{}' }, { path: '' })))).toEqual(['E_PRODUCT', 'E_PRODUCT', 'E_PRODUCT'])
    expect((await judged(folder({ ...honest, 'package.json': '{}', 'src/a.ts': 's' }, { path: '' }))).ok).toBe(true)
  })

  it('is refused when there is nothing to judge: no file in it, and no step that made one', async () => {
    for (const path of ['dis', 'dist/a.js', '../dist']) {
      const report = await judged(folder({}, { path }))
      const [problem, ...more] = errorsOf(report)
      expect([more, report.product]).toMatchObject([[], { matched: 0, missing: 1 }])
      expect(problem).toMatchObject({ code: 'E_PRODUCT', file: path, message: `${path}: holds no file, and no step made one below it` })
    }
    const nothing = { layout: layout([step('build')]), links: [await linkFile(alice, { name: 'build' })] }
    expect(errorsOf(await judged(folder({}, { path: '' }), nothing))).toMatchObject([{ code: 'E_PRODUCT', file: '.' }])
  })

  it('is not looked at while the links do not hold', async () => {
    const report = await judged(folder({ 'dist/new.js': 'n' }), { links: [sourceLink] })
    expect(codesOf(report)).toEqual(['E_MISSING_STEP'])
    expect(report.product).toBeUndefined()
  })

  it('takes the last step that made a file', async () => {
    const steps = [step('build'), step('minify', { by: [bob] })]
    const links = [buildLink, await linkFile(bob, { name: 'minify', materials: files(honest), products: files({ 'dist/a.js': 'small' }) })]
    const wire = layout(steps)
    expect((await judged(folder({ ...honest, 'dist/a.js': 'small' }), { layout: wire, links })).ok).toBe(true)
    expect(codesOf(await judged(folder(honest), { layout: wire, links }))).toEqual(['E_PRODUCT'])
    expect((await judged(folder(honest), { layout: wire, links, options: { through: 'build' } })).ok).toBe(true)
  })

  it('does not miss what a later step deleted, if the layout says so', async () => {
    const links = [buildLink, await linkFile(bob, { name: 'clean', materials: files(honest), products: files({ 'dist/a.js': 'a' }) })]
    const silent = layout([step('build'), step('clean', { by: [bob] })])
    const spoken = layout([step('build'), step('clean', { by: [bob], materials: ['DELETE dist/b.js', 'ALLOW *'] })])
    expect(codesOf(await judged(folder({ 'dist/a.js': 'a' }), { layout: silent, links }))).toEqual(['E_PRODUCT'])
    expect((await judged(folder({ 'dist/a.js': 'a' }), { layout: spoken, links })).ok).toBe(true)
  })

  it('is compared by what both sides have, and not at all without a strong digest', async () => {
    const two = createLink({ name: 'build', products: { 'dist/a.js': { sha256: sha256('a'), sha512: 'ab'.repeat(64) } } })
    const wire = layout([step('build')])
    expect((await judged(folder({ 'dist/a.js': 'a' }), { layout: wire, links: [await linkFile(alice, two)] })).ok).toBe(true)
    const none = createLink({ name: 'build', products: { 'dist/a.js': {} } })
    expect(codesOf(await judged(folder({ 'dist/a.js': 'a' }), { layout: wire, links: [await linkFile(alice, none)] }))).toEqual([
      'E_PRODUCT',
    ])
  })

  it('names twenty of each kind and counts the rest', async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`dist/x${i}`, '1']))
    const found = errorsOf(await judged(folder({ ...honest, ...many })))
    expect(found).toHaveLength(20)
    expect(found.at(-1)!.message).toContain('and 40 more')
  })
})

const pack = await linkFile(bob, { name: 'package', products: files({ 'app-1.0.0.tgz': 'tar' }) })

describe('a file that is judged', () => {
  const wire = layout([step('package', { by: [bob] })])
  const file = (artifacts: Artifacts): Promise<string[]> =>
    judged({ path: 'app-1.0.0.tgz', kind: 'file', artifacts, ignore: [] }, { layout: wire, links: [pack] }).then(codesOf)

  it('is a product of its step, wherever it lies', async () => {
    expect(await file(files({ 'app-1.0.0.tgz': 'tar' }))).toEqual([])
    expect(await file(files({ '.release/app-1.0.0.tgz': 'tar' }))).toEqual([])
  })

  it('is no product when several are called so and nothing says which it is, unless they are the same', async () => {
    const steps = { layout: layout([step('build')]) }
    const both = (b: string) => linkFile(alice, { name: 'build', products: files({ 'dist/a/index.js': 'a', 'dist/b/index.js': b }) })
    const file = (name: string, content: string): ProductEvidence => ({
      path: name,
      kind: 'file',
      artifacts: files({ [name]: content }),
      ignore: [],
    })
    for (const content of ['a', 'b', 'evil']) {
      expect(errorsOf(await judged(file('index.js', content), { ...steps, links: [await both('b')] }))).toMatchObject([
        { code: 'E_PRODUCT', file: 'index.js', actual: { text: 'dist/a/index.js, dist/b/index.js' } },
      ])
    }
    expect(codesOf(await judged(file('dist/b/index.js', 'b'), { ...steps, links: [await both('b')] }))).toEqual([])
    expect(codesOf(await judged(file('dist/b/index.js', 'a'), { ...steps, links: [await both('b')] }))).toEqual(['E_PRODUCT'])
    expect(codesOf(await judged(file('index.js', 'a'), { ...steps, links: [await both('a')] }))).toEqual([])
  })

  it('is no product of the chain when a later step deleted it, as in its folder', async () => {
    const clean = step('clean', { by: [bob], materials: ['DELETE dist/b.js'], products: ['DISALLOW dist/b.js'] })
    const links = [
      sourceLink,
      buildLink,
      await linkFile(bob, { name: 'clean', materials: files(honest), products: files({ 'dist/a.js': 'a' }) }),
    ]
    const changes = { layout: layout([step('source'), step('build'), clean]), links }
    const one = (name: string, content: string): Promise<Report> =>
      judged({ path: name, kind: 'file', artifacts: files({ [name]: content }), ignore: [] }, changes)
    expect((await one('dist/a.js', 'a')).ok).toBe(true)
    for (const name of ['dist/b.js', 'elsewhere/b.js']) {
      const report = await one(name, 'b')
      expect(errorsOf(report)).toMatchObject([{ code: 'E_PRODUCT', file: name, message: `${name}: is on the disk, but no step made it` }])
    }
    const inFolder = await judged(folder(honest), changes)
    expect(errorsOf(inFolder)).toMatchObject([{ code: 'E_PRODUCT', file: 'dist/b.js', cause: '"clean" deleted what "build" made' }])
  })

  it('is refused when it differs, is unknown or is not there', async () => {
    expect(await file(files({ 'app-1.0.0.tgz': 'evil' }))).toEqual(['E_PRODUCT'])
    expect(await file(files({ '.release/app-1.0.0.tgz': 'evil' }))).toEqual(['E_PRODUCT'])
    expect(await file(files({ 'other.tgz': 'tar' }))).toEqual(['E_PRODUCT'])
    expect(await file({})).toEqual(['E_PRODUCT'])
  })
})

describe('link files among the product', () => {
  const withLink = (bytes: Uint8Array, name = `dist/${linkName}`): ProductEvidence => {
    const artifacts = files(honest)
    artifacts[name] = { sha256: sha256(bytes) }
    return folder({}, { artifacts, ignore: [name] })
  }

  it('are the ones that were verified, byte for byte', async () => {
    const report = await judged(withLink(linkBytes))
    expect(report).toMatchObject({ ok: true, product: { matched: 2, links: 1 } })
    expect(errorsOf(await judged(withLink(new Uint8Array([1]))))).toMatchObject([
      { code: 'E_PRODUCT', file: `dist/${linkName}`, cause: expect.stringContaining('not one that was verified') },
    ])
  })

  it('are no excuse: a link of nobody is a file that no step made', async () => {
    expect(codesOf(await judged(withLink(linkBytes, 'dist/build.00000000.link')))).toEqual(['E_PRODUCT'])
    expect(codesOf(await judged(withLink(linkBytes, 'dist/evil.link')))).toEqual(['E_PRODUCT'])
  })

  it('may be of steps behind the last one that is looked at', async () => {
    const later = `dist/${linkFileName('test', carol.key.keyid)}`
    const wire = layout([step('source'), step('build'), step('test', { by: [carol] })])
    expect((await judged(withLink(new Uint8Array([1]), later), { layout: wire, options: { through: 'build' } })).ok).toBe(true)
    // Only under the names that links of those steps can have: of another key, or of a step that was looked at, it is an unknown file.
    for (const name of [linkFileName('test', mallory.key.keyid), linkFileName('build', bob.key.keyid)])
      expect(codesOf(await judged(withLink(new Uint8Array([1]), `dist/${name}`), { layout: wire, options: { through: 'build' } }))).toEqual(
        ['E_PRODUCT'],
      )
    const links = [sourceLink, buildLink, await linkFile(carol, { name: 'test' })]
    expect(codesOf(await judged(withLink(new Uint8Array([1]), later), { layout: wire, links }))).toEqual(['E_PRODUCT'])
  })
})

describe('link files that a rule lets pass by name', () => {
  const name = `dist/${linkName}`
  const packageWith = async (
    digest: string,
    rule = `ALLOW ${name}`,
    wire = [step('build'), step('package', { by: [bob], materials: [rule, 'DISALLOW *'] })],
  ) => {
    const link = createLink({ name: 'package', materials: { [name]: { sha256: digest } } })
    return verdict({ layout: layout(wire), links: [buildLink, await linkFile(bob, link)] })
  }

  it('must be the link that was verified', async () => {
    expect((await packageWith(sha256(linkBytes))).ok).toBe(true)
    expect(errorsOf(await packageWith(sha256('another build')))).toMatchObject([
      {
        code: 'E_TAMPER',
        step: 'package',
        file: name,
        expected: { text: `sha256 ${sha256(linkBytes)}` },
        rule: { text: `ALLOW ${name}`, index: 0 },
      },
    ])
  })

  it('are free behind a pattern, as with the reference tools', async () => {
    expect((await packageWith(sha256('another build'), 'ALLOW *.link')).ok).toBe(true)
  })

  it('must have been verified at all', async () => {
    const steps = [
      step('build', { by: [alice, carol] }),
      step('package', { by: [bob], materials: [`ALLOW dist/${linkFileName('build', carol.key.keyid)}`, 'DISALLOW *'] }),
    ]
    const link = createLink({ name: 'package', materials: files({ [`dist/${linkFileName('build', carol.key.keyid)}`]: 'planted' }) })
    expect(codesOf(await verdict({ layout: layout(steps), links: [buildLink, await linkFile(bob, link)] }))).toEqual(['E_TAMPER'])
  })
})
