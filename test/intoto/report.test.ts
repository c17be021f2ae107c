/** The Report as data: it fits its schema whatever the verdict, it is plain JSON, and it holds what a person needs. */
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  importKey,
  InTotoError,
  judge,
  memoryLinks,
  VerificationError,
  type Layout,
  type Metadata,
  type Report,
} from 'intoto'
import { chainCases } from './chains.ts'
import { alice, bob, carol, errorsOf, files, inspection, layout, linkFile, linkFile as link, mallory, step, verdict } from './world.ts'

const schema = JSON.parse(readFileSync(new URL('../../packages/intoto/schema/report.schema.json', import.meta.url), 'utf8'))
const validate = new Ajv2020({
  allErrors: true,
  strict: true,
  strictTypes: false,
  formats: { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) },
}).compile(schema)

/** As renderers write it. */
function written(report: Report): unknown {
  const dropped = (one: Report): object => ({
    ...one,
    summary: undefined,
    chain: undefined,
    steps: one.steps.map((step) => ({ ...step, ...(step.sublayout && { sublayout: dropped(step.sublayout) }) })),
  })
  return JSON.parse(JSON.stringify(dropped(report)))
}

function fits(report: Report): void {
  validate(written(report))
  expect(validate.errors ?? []).toEqual([])
}

describe('the Report', () => {
  it('fits its schema for every chain made with the reference tools', async () => {
    let count = 0
    for (const chain of chainCases) {
      let metadata: Metadata<Layout>
      try {
        metadata = decodeMetadata(chain.layout) as Metadata<Layout>
      } catch (error) {
        if (error instanceof InTotoError) continue
        throw error
      }
      const keys = await Promise.all(chain.owners.map(importKey))
      fits(
        await judge(metadata, {
          keys,
          links: memoryLinks(chain.links),
          inspect: async ({ name }) => createLink({ name }),
          layoutFile: 'root.layout',
          trace: true,
        }),
      )
      count++
    }
    expect(count).toBeGreaterThan(60)
  })

  it('fits its schema with sublayouts, products, inspections, names and every kind of problem', async () => {
    const wire = layout(
      [step('build', { by: [alice, bob], command: ['x'], products: ['REQUIRE a', 'DISALLOW *'] }), step('test', { by: [carol] })],
      { inspect: [inspection('i')], odd: 1 },
    )
    const links = [
      await link(alice, { name: 'build', products: files({ a: '1', b: '2' }) }),
      await link(mallory, { name: 'build' }),
      await link(carol, { name: 'test' }),
    ]
    const names = new Map([[alice.key.keyid, 'alice']])
    const product = { path: 'dist', kind: 'folder' as const, artifacts: files({ 'dist/x': '1' }), ignore: [] }
    for (const options of [
      {},
      { commandMismatch: 'warn' as const },
      { through: 'build' },
      { through: 'nobody' },
      { names, trace: true, commandMismatch: 'warn' as const },
      { product, now: new Date(0) },
    ]) {
      fits(await verdict({ layout: wire, links, options: { inspect: async ({ name }) => createLink({ name }), ...options } }))
    }
    const passing = layout([step('build')])
    fits(await verdict({ layout: passing, links, options: { product: { ...product, artifacts: files({}) } } }))
  })

  it('is refused by its schema when it is not one', async () => {
    const good = written(await verdict({ layout: layout([step('build')]), links: [await linkFile(alice, { name: 'build' })] })) as any
    expect(validate(good)).toBe(true)
    expect(validate({ ...good, ok: false })).toBe(false)
    expect(validate({ ...good, schemaVersion: 2 })).toBe(false)
    expect(validate({ ...good, extra: 1 })).toBe(false)
    expect(validate({ ...good, problems: [{ code: 'E_RULE', severity: 'error', message: '', fix: [] }] })).toBe(false)
  })

  it('is the same text for the same input, and holds no key and no file content', async () => {
    const chain = {
      layout: layout([step('build', { products: ['DISALLOW *'] })]),
      links: [await linkFile(alice, { name: 'build', products: files({ secret: 'content' }), byproducts: { stdout: 'hush' } })],
      options: { now: new Date(0) },
    }
    const [first, second] = [JSON.stringify(written(await verdict(chain))), JSON.stringify(written(await verdict(chain)))]
    expect(first).toBe(second)
    expect(first).not.toContain('hush')
    expect(first).not.toContain(alice.key.keyval.public)
  })

  it('tells in each problem what to do', async () => {
    const wire = layout([step('build', { products: ['DISALLOW *'] }), step('test')])
    for (const report of [
      await verdict({ layout: wire }),
      await verdict({ layout: layout([wire.steps[0]]), links: [await linkFile(alice, { name: 'build', products: files({ x: '1' }) })] }),
    ]) {
      for (const { fix, message } of errorsOf(report)) {
        expect(fix.length).toBeGreaterThan(0)
        expect(message).not.toContain('\n')
      }
    }
  })
})

describe('VerificationError', () => {
  it('stands under the code of the first error, warnings notwithstanding', async () => {
    const report = await verdict({ layout: layout([step('build')], { odd: 1 }) })
    const error = new VerificationError(report)
    expect([report.problems[0]!.severity, error.code, error.name, error.message]).toEqual([
      'warning',
      'E_MISSING_STEP',
      'VerificationError',
      errorsOf(report)[0]!.message,
    ])
  })
})
