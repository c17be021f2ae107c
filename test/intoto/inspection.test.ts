/** Inspections from the verifier's side: when they run, what they are told, how they fail. Real commands run in test/node. */
import { describe, expect, it } from 'vitest'
import { createLink, InTotoError, linkFileName, type Inspect, type Inspection } from 'intoto'
import { alice, bob, carol, codesOf, errorsOf, files, inspection, layout, linkFile, signed, step, verdict } from './world.ts'

const build = step('build', { products: ['ALLOW *'] })
const links = [await linkFile(alice, { name: 'build', products: files({ 'dist/a.js': 'a' }) })]
const forbidden: Inspect = () => Promise.reject(new Error('an inspection ran'))

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('inspections', () => {
  it('run in layout order when everything before them holds, and are told the link files of this run', async () => {
    const calls: [string, readonly string[], readonly string[]][] = []
    const inspect: Inspect = async (what: Inspection, { linkFiles }) => {
      calls.push([what.name, what.run, linkFiles])
      return createLink({ name: what.name, products: files({ 'dist/a.js': 'a' }) })
    }
    const wire = layout([build], {
      inspect: [
        inspection('one', { run: ['sh', '-c', 'x; $y'] }),
        inspection('two', { products: ['MATCH * WITH PRODUCTS FROM build', 'DISALLOW *'] }),
      ],
    })
    const report = await verdict({ layout: wire, links, options: { inspect } })
    expect(report.ok).toBe(true)
    expect(calls).toEqual([
      ['one', ['sh', '-c', 'x; $y'], [linkFileName('build', alice.key.keyid)]],
      ['two', ['true'], [linkFileName('build', alice.key.keyid)]],
    ])
    expect(report.inspections).toMatchObject([
      { name: 'one', kind: 'inspection', status: 'ok', threshold: 0, products: 1 },
      { name: 'two', status: 'ok' },
    ])
  })

  it('see a file that only has the name of a link, and one that does not hold', async () => {
    const told: string[][] = []
    const inspect: Inspect = async (what: Inspection, { linkFiles }) => (told.push([...linkFiles]), createLink({ name: what.name }))
    const wire = layout([{ ...build, pubkeys: [alice, bob, carol].map(({ key }) => key.keyid) }], { inspect: [inspection('look')] })
    const junk = { [linkFileName('build', bob.key.keyid)]: utf8('#!/bin/sh') }
    const forged = { [linkFileName('build', carol.key.keyid)]: Object.values(await linkFile(bob, { name: 'build' }))[0]! }
    expect((await verdict({ layout: wire, links: [...links, junk, forged], options: { inspect } })).ok).toBe(true)
    const statements = { [`build.${bob.key.keyid.slice(0, 8)}.json`]: utf8('{}') }
    expect((await verdict({ layout: wire, links: [...links, statements], options: { inspect, statements: true } })).ok).toBe(true)
    expect(told).toEqual([[linkFileName('build', alice.key.keyid)], [linkFileName('build', alice.key.keyid)]])
  })

  it('end without any verdict when they are interrupted, in a sublayout too', async () => {
    const interrupted: Inspect = () => Promise.reject(new InTotoError({ code: 'E_NOT_RECORDED', message: 'interrupted' }))
    const wire = layout([build], { inspect: [inspection('look')] })
    await expect(verdict({ layout: wire, links, options: { inspect: interrupted } })).rejects.toThrow('interrupted')
    const inner = { [linkFileName('build', alice.key.keyid)]: await signed(wire, [alice]) }
    const below = Object.fromEntries(
      links.flatMap((files) => Object.entries(files)).map(([name, bytes]) => [`build.${alice.key.keyid.slice(0, 8)}/${name}`, bytes]),
    )
    await expect(verdict({ layout: layout([build]), links: [inner, below], options: { inspect: interrupted } })).rejects.toThrow(
      'interrupted',
    )
  })

  it('are refused, never skipped, where nothing can run them', async () => {
    const report = await verdict({ layout: layout([build], { inspect: [inspection('look')] }), links })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_UNSUPPORTED', message: expect.stringContaining('"look"') }])
    expect([report.ok, report.inspections[0]!.status]).toEqual([false, 'unchecked'])
  })

  it('are always run: a signed link of that name does not stand for one', async () => {
    const signedLink = await linkFile(alice, { name: 'look', products: files({ 'dist/a.js': 'a' }) })
    const wire = layout([build], { inspect: [inspection('look', { products: ['DISALLOW *'] })] })
    expect(codesOf(await verdict({ layout: wire, links: [...links, signedLink] }))).toEqual(['E_UNSUPPORTED'])
    const inspect: Inspect = async ({ name }) => createLink({ name, products: files({ evil: 'e' }) })
    expect(codesOf(await verdict({ layout: wire, links: [...links, signedLink], options: { inspect } }))).toEqual(['E_RULE'])
  })

  const unverified: [string, object, object][] = [
    ['a signature is missing', { by: [] }, {}],
    ['the layout has expired', {}, { expires: '2020-01-01T00:00:00Z' }],
    ['a link is missing', { links: [] }, {}],
    ['a command differs', {}, { steps: [step('build', { command: ['x'] })] }],
    ['a rule of a step fails', {}, { steps: [step('build', { products: ['DISALLOW *'] })] }],
    ['the product differs', { options: { inspect: forbidden, product: { path: 'dist', kind: 'folder', artifacts: {}, ignore: [] } } }, {}],
  ]
  for (const [what, chain, changes] of unverified) {
    it(`never run when ${what}`, async () => {
      const wire = layout([build], { inspect: [inspection('look')], ...changes })
      const report = await verdict({ layout: wire, links, options: { inspect: forbidden }, ...chain })
      expect([report.ok, report.inspections.every(({ status }) => status === 'unchecked')]).toEqual([false, true])
    })
  }

  it('fail with their command: later ones do not run, and no rules are looked at', async () => {
    const ran: string[] = []
    const inspect: Inspect = async ({ name }) => {
      ran.push(name)
      if (name === 'one') throw new InTotoError({ code: 'E_INSPECTION', message: 'inspection one ended with exit code 127' })
      return createLink({ name })
    }
    const wire = layout([build], { inspect: [inspection('one'), inspection('two', { products: ['REQUIRE x'] })] })
    const report = await verdict({ layout: wire, links, options: { inspect } })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_INSPECTION', step: 'one' }])
    expect([ran, report.inspections.map(({ status }) => status)]).toEqual([['one'], ['fail', 'unchecked']])
  })

  it('have their rules checked after all have run, and may MATCH each other; rules of steps may not', async () => {
    const inspect: Inspect = async ({ name }) => createLink({ name, products: files({ f: name === 'evil' ? '2' : '1' }) })
    const match = (name: string) => [`MATCH * WITH PRODUCTS FROM ${name}`, 'DISALLOW *']
    const mutual = layout([build], { inspect: [inspection('a', { products: match('b') }), inspection('b', { products: match('a') })] })
    expect((await verdict({ layout: mutual, links, options: { inspect } })).ok).toBe(true)
    const evil = layout([build], { inspect: [inspection('a', { products: match('evil') }), inspection('evil', { products: match('a') })] })
    expect(codesOf(await verdict({ layout: evil, links, options: { inspect } }))).toEqual(['E_TAMPER', 'E_TAMPER'])
    const step2 = layout([step('build', { products: match('a') })], { inspect: [inspection('a')] })
    expect(errorsOf(await verdict({ layout: step2, links, options: { inspect: forbidden } }))).toMatchObject([
      { code: 'E_RULE', step: 'build' },
    ])
  })

  it('let an error that nobody foresaw through', async () => {
    await expect(
      verdict({ layout: layout([build], { inspect: [inspection('x')] }), links, options: { inspect: forbidden } }),
    ).rejects.toThrow('an inspection ran')
  })
})
