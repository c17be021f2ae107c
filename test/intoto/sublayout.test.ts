/** A layout delivered in place of a link: its key, its folder, its expiry, its summary, and no way to go on for ever. */
import { describe, expect, it } from 'vitest'
import { createLink, InTotoError, linkFileName, memoryLinks, toLayoutKey, type Inspect, type LinkSource } from 'intoto'
import {
  alice,
  bob,
  carol,
  codesOf,
  errorsOf,
  files,
  inspection,
  layout,
  linkFile,
  mallory,
  owner,
  signed,
  step,
  verdict,
  warningsOf,
  type Person,
} from './world.ts'

const folder = (name: string, who: Person, contents: Record<string, Uint8Array>): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(contents).map(([path, bytes]) => [`${name}.${who.key.keyid.slice(0, 8)}/${path}`, bytes]))

const innerSteps = [
  step('fetch', { by: [bob], products: ['CREATE *', 'DISALLOW *'] }),
  step('compile', { by: [carol], materials: ['MATCH * WITH PRODUCTS FROM fetch', 'DISALLOW *'] }),
]
const innerLinks = {
  ...(await linkFile(bob, { name: 'fetch', materials: {}, products: files({ src: 's' }), command: ['curl'] })),
  ...(await linkFile(carol, {
    name: 'compile',
    materials: files({ src: 's' }),
    products: files({ app: 'a' }),
    command: ['cc'],
    byproducts: { 'return-value': 0 },
  })),
}
const outer = layout([step('build', { products: ['REQUIRE app', 'ALLOW app', 'DISALLOW *'] })])

const sublayout = async (inner: object, by: Person[] = [alice]): Promise<Record<string, Uint8Array>> => ({
  [linkFileName('build', alice.key.keyid)]: await signed(inner, by),
})
const judged = async (inner: object, links: Record<string, Uint8Array> = innerLinks, options: object = {}) =>
  verdict({ layout: outer, links: [await sublayout(inner), folder('build', alice, links)], options })

describe('a sublayout', () => {
  it('is verified as a whole when only the steps up to its own are looked at', async () => {
    const options = { through: 'build' }
    expect((await judged(layout(innerSteps), innerLinks, options)).ok).toBe(true)
    const { [linkFileName('fetch', bob.key.keyid)]: _, ...without } = innerLinks
    expect(errorsOf(await judged(layout(innerSteps), without, options))).toMatchObject([{ code: 'E_MISSING_STEP', step: 'build/fetch' }])
    const named = layout([step('build', { by: [bob] }), ...innerSteps])
    expect(errorsOf(await judged(named, innerLinks, options))).toMatchObject([{ code: 'E_MISSING_STEP', step: 'build/build' }])
  })

  it('that fails is the one that the Report holds, when several functionaries deliver one', async () => {
    const two = layout([step('build', { by: [alice, bob] })])
    const by = async (who: Person, inner: object): Promise<Record<string, Uint8Array>[]> => [
      { [linkFileName('build', who.key.keyid)]: await signed(inner, [who]) },
      folder('build', who, innerLinks),
    ]
    const late = layout(innerSteps, { expires: '2001-01-01T00:00:00Z' })
    for (const [first, second] of [
      [layout(innerSteps), late],
      [late, layout(innerSteps)],
    ] as const) {
      const report = await verdict({ layout: two, links: [...(await by(alice, first)), ...(await by(bob, second))] })
      expect(codesOf(report)).toEqual(['E_LAYOUT_EXPIRED'])
      expect(report.steps[0]!.sublayout).toMatchObject({ ok: false, layout: { expires: '2001-01-01T00:00:00Z' } })
    }
  })

  it("stands for its summary link: materials of the first step, products and command of the last, under the step's name", async () => {
    const wire = layout([
      step('build', { command: ['cc'], materials: ['DISALLOW *'], products: ['REQUIRE app', 'ALLOW app', 'DISALLOW *'] }),
    ])
    const report = await verdict({ layout: wire, links: [await sublayout(layout(innerSteps)), folder('build', alice, innerLinks)] })
    expect(codesOf(report)).toEqual([])
    expect(report.steps[0]).toMatchObject({
      status: 'ok',
      products: 1,
      command: ['cc'],
      sublayout: {
        ok: true,
        steps: [
          { name: 'fetch', status: 'ok' },
          { name: 'compile', status: 'ok' },
        ],
      },
    })
    expect(report.summary).toMatchObject({ name: '', products: { app: {} }, byproducts: { 'return-value': 0 } })
  })

  it('is judged by the outer rules and commands, too', async () => {
    const strict = layout([step('build', { products: ['DISALLOW app'] })])
    const links = [await sublayout(layout(innerSteps)), folder('build', alice, innerLinks)]
    expect(codesOf(await verdict({ layout: strict, links }))).toEqual(['E_RULE'])
    expect(codesOf(await verdict({ layout: layout([step('build', { command: ['make'] })]), links }))).toEqual(['E_COMMAND'])
  })

  it('whose command failed is warned about once, under the step inside, and refused when the caller says so', async () => {
    const failed = { name: 'compile', materials: files({ src: 's' }), products: files({ app: 'a' }), byproducts: { 'return-value': 2 } }
    const links = { ...innerLinks, ...(await linkFile(carol, failed)) }
    const report = await judged(layout(innerSteps), links)
    const message = 'compile: the command ended with 2'
    expect([report.ok, warningsOf(report)]).toMatchObject([true, [{ code: 'E_COMMAND', step: 'build/compile', message }]])
    const strict = await judged(layout(innerSteps), links, { commandFailure: 'error' })
    expect(errorsOf(strict)).toMatchObject([{ code: 'E_COMMAND', step: 'build/compile', message }])
  })

  it("must be signed by the functionary; a stranger's or the owner's signature does not do", async () => {
    for (const who of [mallory, owner]) {
      const links = [await sublayout(layout(innerSteps), [who]), folder('build', alice, innerLinks)]
      expect(codesOf(await verdict({ layout: outer, links }))).toEqual(['E_ACTOR'])
    }
  })

  it('finds its links in its own folder only', async () => {
    expect(codesOf(await verdict({ layout: outer, links: [await sublayout(layout(innerSteps)), innerLinks] }))).toEqual([
      'E_MISSING_STEP',
      'E_MISSING_STEP',
    ])
    expect(
      codesOf(await verdict({ layout: outer, links: [await sublayout(layout(innerSteps)), folder('build', bob, innerLinks)] })),
    ).toEqual(['E_MISSING_STEP', 'E_MISSING_STEP'])
  })

  it('has its own keys: those of the outer layout do not count inside', async () => {
    const report = await judged(layout(innerSteps, { keys: {} }))
    expect(codesOf(report)).toEqual(['E_ACTOR', 'E_ACTOR'])
    expect(errorsOf(report).map(({ step, message }) => [step, message.includes('does not hold that key')])).toEqual([
      ['build/fetch', true],
      ['build/compile', true],
    ])
    expect(report.steps[0]).toMatchObject({ status: 'fail', sublayout: { ok: false } })
  })

  it('expires by itself', async () => {
    const report = await judged(layout(innerSteps, { expires: '2020-01-01T00:00:00Z' }))
    expect(errorsOf(report)).toMatchObject([{ code: 'E_LAYOUT_EXPIRED', step: 'build' }])
  })

  it('fails with its rules and thresholds', async () => {
    const rule = await judged(layout([step('fetch', { by: [bob], products: ['DISALLOW *'] }), innerSteps[1]]))
    expect(errorsOf(rule)).toMatchObject([{ code: 'E_RULE', step: 'build/fetch', file: 'src' }])
    const threshold = await judged(layout([step('fetch', { by: [bob, carol], threshold: 2 }), innerSteps[1]]))
    expect(codesOf(threshold)).toEqual(['E_MISSING_STEP'])
  })

  it('is no sublayout when its content is no layout: duplicate names inside make it absent', async () => {
    const report = await judged(layout([innerSteps[0], innerSteps[0]]))
    expect(codesOf(report)).toEqual(['E_MISSING_STEP'])
    expect(warningsOf(report)).toMatchObject([{ code: 'E_LAYOUT_INVALID' }])
  })

  it('does not count in a Metablock with a member that in-toto does not know, and is not needed when others are enough', async () => {
    const inner = { ...layout(innerSteps), extra: 'x' }
    const by = (format: 'dsse' | 'metablock') => signed(inner, [alice], { format })
    const two = layout([step('build', { by: [alice, bob] })])
    const other = await linkFile(bob, { name: 'build', products: files({ app: 'a' }) })
    const judge = async (format: 'dsse' | 'metablock', wire: object, ...more: Record<string, Uint8Array>[]) =>
      verdict({
        layout: wire,
        links: [{ [linkFileName('build', alice.key.keyid)]: await by(format) }, folder('build', alice, innerLinks), ...more],
      })
    expect((await judge('dsse', two)).ok).toBe(true)
    expect(errorsOf(await judge('metablock', two))).toMatchObject([{ code: 'E_LAYOUT_INVALID', step: 'build' }])
    const enough = await judge('metablock', two, other)
    expect([enough.ok, warningsOf(enough).map(({ code }) => code)]).toEqual([true, ['E_LAYOUT_INVALID']])
  })

  it('must have steps: an empty summary proves nothing', async () => {
    expect(errorsOf(await judged(layout([])))).toMatchObject([
      { code: 'E_LAYOUT_INVALID', step: 'build', message: expect.stringContaining('no steps') },
    ])
  })

  it('gets no parameters', async () => {
    const inner = layout([step('fetch', { by: [bob], products: ['ALLOW {P}', 'DISALLOW *'] }), innerSteps[1]])
    expect(codesOf(await judged(inner, innerLinks, { parameters: { P: '*' } }))).toEqual(['E_RULE'])
  })

  it('meets a threshold together with an ordinary link, if they agree', async () => {
    const two = layout([step('build', { by: [alice, bob], threshold: 2 })])
    const link = createLink({ name: 'build', products: files({ app: 'a' }) })
    const other = createLink({ name: 'build', products: files({ app: 'b' }) })
    const links = [await sublayout(layout(innerSteps)), folder('build', alice, innerLinks)]
    expect((await verdict({ layout: two, links: [...links, await linkFile(bob, link)] })).ok).toBe(true)
    expect(codesOf(await verdict({ layout: two, links: [...links, await linkFile(bob, other)] }))).toEqual(['E_THRESHOLD'])
  })
})

describe('layouts by several functionaries', () => {
  it('must all hold, and the one that fails is shown', async () => {
    const two = layout([step('build', { by: [alice, bob], threshold: 2 })])
    const good = await signed(layout(innerSteps), [bob])
    const links = [await sublayout(layout(innerSteps)), { [linkFileName('build', bob.key.keyid)]: good }, folder('build', bob, innerLinks)]
    expect((await verdict({ layout: two, links: [...links, folder('build', alice, innerLinks)] })).ok).toBe(true)
    const report = await verdict({ layout: two, links })
    expect(codesOf(report)).toEqual(['E_MISSING_STEP', 'E_MISSING_STEP'])
    expect(report.steps[0]!.sublayout).toMatchObject({ ok: false, layout: { file: linkFileName('build', alice.key.keyid) } })
  })
})

describe('sublayouts within sublayouts', () => {
  /** A tower of layouts, each with one step, built from the inside. */
  async function tower(height: number): Promise<Record<string, Uint8Array>> {
    let contents = await linkFile(alice, { name: 'build', products: files({ app: 'a' }) })
    for (let level = 0; level < height; level++) {
      contents = {
        [linkFileName('build', alice.key.keyid)]: await signed(layout([step('build')], { readme: `level ${level}` }), [alice]),
        ...folder('build', alice, contents),
      }
    }
    return contents
  }

  it('are followed to the depth of the limit, which has a name', async () => {
    expect((await verdict({ layout: outer, links: [await tower(3)] })).ok).toBe(true)
    expect((await verdict({ layout: outer, links: [await tower(16)] })).ok).toBe(true)
    expect(errorsOf(await verdict({ layout: outer, links: [await tower(17)] }))).toMatchObject([
      { code: 'E_LAYOUT_INVALID', message: expect.stringContaining('sublayoutDepth') },
    ])
    expect(codesOf(await verdict({ layout: outer, links: [await tower(3)], options: { limits: { sublayoutDepth: 2 } } }))).toEqual([
      'E_LAYOUT_INVALID',
    ])
  })

  it('end when a layout contains itself, alone or through another', async () => {
    const self = await signed(layout([step('build'), step('more')]), [alice])
    const name = linkFileName('build', alice.key.keyid)
    const more = linkFileName('more', alice.key.keyid)
    const source = {
      [name]: self,
      [more]: self,
      ...folder('build', alice, { [name]: self, [more]: self }),
      ...folder('more', alice, { [name]: self, [more]: self }),
    }
    const report = await verdict({ layout: layout([step('build')]), links: [source] })
    expect(errorsOf(report).map(({ code, message }) => [code, message.includes('contains itself')])).toEqual([
      ['E_LAYOUT_INVALID', true],
      ['E_LAYOUT_INVALID', true],
    ])
    const [a, b] = [
      await signed(layout([step('build')], { readme: 'a' }), [alice]),
      await signed(layout([step('build')], { readme: 'b' }), [alice]),
    ]
    const pair = {
      [name]: a,
      ...folder('build', alice, { [name]: b, ...folder('build', alice, { [name]: a, ...folder('build', alice, { [name]: b }) }) }),
    }
    expect(errorsOf(await verdict({ layout: layout([step('build')]), links: [pair] }))[0]!.message).toContain('contains itself')
  })
})

describe('sublayouts whose keys share the name of a file', () => {
  /** A tower of layouts, each with one step that one key may carry out under many ids with the same first digits. */
  async function fan(width: number, height: number): Promise<Record<string, Uint8Array>> {
    const ids = Array.from({ length: width }, (_, i) => `aaaaaaaa${i.toString(16).padStart(8, '0')}`)
    const keys = Object.fromEntries(ids.map((keyid) => [keyid, { ...toLayoutKey(alice.key), keyid }]))
    const every = { keyids: () => ids }
    const name = 'build.aaaaaaaa'
    let contents: Record<string, Uint8Array> = { [`${name}.link`]: await signed(createLink({ name: 'build' }), [alice], every) }
    for (let level = 0; level < height; level++) {
      const inner = layout([{ ...step('build'), pubkeys: ids }], { keys, readme: `level ${level}` })
      const below = Object.entries(contents).map(([path, bytes]) => [`${name}/${path}`, bytes])
      contents = { [`${name}.link`]: await signed(inner, [alice], every), ...Object.fromEntries(below) }
    }
    const top = `build.${alice.key.keyid.slice(0, 8)}`
    const moved = Object.entries(contents).map(([path, bytes]) => [path.replace(name, top), bytes])
    return { ...Object.fromEntries(moved), [`${top}.link`]: await signed(layout([{ ...step('build'), pubkeys: ids }], { keys }), [alice]) }
  }

  /** Counts how often files are read. */
  const counted = (source: LinkSource, reads: string[]): LinkSource => ({
    get: async (...where) => (await source.get(...where)).map(({ file, read }) => ({ file, read: () => (reads.push(file), read()) })),
    list: (name) => source.list(name),
    within: (...where) => counted(source.within(...where), reads),
  })

  it('are not opened again and again, since a few layers of them would never end', async () => {
    const reads: string[] = []
    const links = counted(memoryLinks(await fan(20, 4)), reads)
    const report = await verdict({ layout: outer, options: { links } })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_FORMAT', message: expect.stringContaining('more than the limit of 16 (fileUses)') }])
    expect(reads.length).toBeLessThan(5 * 16)
    expect((await verdict({ layout: layout([step('build')]), links: [await fan(2, 2)] })).ok).toBe(true)
    const few = { limits: { fileUses: 3 } }
    expect(codesOf(await verdict({ layout: outer, links: [await fan(2, 2)], options: few }))).toEqual(['E_FORMAT'])
  })
})

describe('inspections of sublayouts', () => {
  const inner = layout(innerSteps, { inspect: [inspection('inside', { products: ['REQUIRE seen', 'ALLOW *'] })] })

  it('run when all steps hold, before those of the outer layout', async () => {
    const ran: string[] = []
    const inspect: Inspect = async ({ name }) => (ran.push(name), createLink({ name, products: files({ seen: '1' }) }))
    const wire = layout([step('build')], { inspect: [inspection('outside', { products: ['REQUIRE seen'] })] })
    const links = [await sublayout(inner), folder('build', alice, innerLinks)]
    const report = await verdict({ layout: wire, links, options: { inspect } })
    expect([report.ok, ran]).toEqual([true, ['inside', 'outside']])
    expect(report.steps[0]!.sublayout).toMatchObject({ ok: true, inspections: [{ name: 'inside', status: 'ok' }] })
  })

  it('do not run when a rule of the outer layout fails', async () => {
    const inspect: Inspect = () => Promise.reject(new Error('ran'))
    const wire = layout([step('build', { products: ['DISALLOW *'] })])
    const report = await verdict({
      layout: wire,
      links: [await sublayout(inner), folder('build', alice, innerLinks)],
      options: { inspect },
    })
    expect(codesOf(report)).toEqual(['E_RULE'])
    expect(report.steps[0]!.sublayout!.ok).toBe(false)
  })

  it('fail the whole, and are never skipped', async () => {
    const links = [await sublayout(inner), folder('build', alice, innerLinks)]
    const inspect: Inspect = async ({ name }) => createLink({ name })
    expect(errorsOf(await verdict({ layout: outer, links, options: { inspect } }))).toMatchObject([
      { code: 'E_RULE', step: 'build/inside', file: 'seen' },
    ])
    expect(codesOf(await verdict({ layout: outer, links }))).toEqual(['E_UNSUPPORTED'])
    const ran: string[] = []
    const outside = { ...outer, inspect: [inspection('outside')] }
    const report = await verdict({
      layout: outside,
      links,
      options: { inspect: async ({ name }) => (ran.push(name), createLink({ name })) },
    })
    expect([report.ok, ran]).toEqual([false, ['inside']])
  })

  it('fail the whole from any depth, by their command and by their rules', async () => {
    const deep = layout([step('compile', { by: [bob] })], { inspect: [inspection('deep', { products: ['REQUIRE seen', 'ALLOW *'] })] })
    const middle = layout([step('fetch', { by: [bob] })], { inspect: [inspection('middle')] })
    const links = [
      await sublayout(middle),
      folder('build', alice, {
        [linkFileName('fetch', bob.key.keyid)]: await signed(deep, [bob]),
        ...folder('fetch', bob, await linkFile(bob, { name: 'compile', products: files({ app: 'a' }) })),
      }),
    ]
    const wire = { ...outer, inspect: [inspection('outside')] }
    const ran: string[] = []
    const seen: Inspect = async ({ name }) => (ran.push(name), createLink({ name, products: files({ seen: '1' }) }))
    expect([(await verdict({ layout: wire, links, options: { inspect: seen } })).ok, ran]).toEqual([true, ['deep', 'middle', 'outside']])
    ran.length = 0
    const unseen: Inspect = async ({ name }) => (ran.push(name), createLink({ name }))
    const byRule = await verdict({ layout: wire, links, options: { inspect: unseen } })
    expect([byRule.ok, ran]).toEqual([false, ['deep']])
    expect(errorsOf(byRule)).toMatchObject([{ code: 'E_RULE', step: 'build/fetch/deep', file: 'seen' }])
    const failing: Inspect = () => Promise.reject(new InTotoError({ code: 'E_INSPECTION', message: 'ended with 1' }))
    const byCommand = await verdict({ layout: wire, links, options: { inspect: failing } })
    expect(errorsOf(byCommand)).toMatchObject([{ code: 'E_INSPECTION', step: 'build/fetch/deep' }])
    expect(byCommand).toMatchObject({ ok: false, steps: [{ status: 'fail', sublayout: { ok: false, steps: [{ status: 'fail' }] } }] })
  })
})
