/** The same chains in Node, in a page of a real browser and in a worker there: the same Report, to the last member. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build } from 'vite'
import { judgeAll, type Outcome } from './app/judge.ts'
import { randomChains, vectorChains } from './chains.ts'
import { findChromium, openPage } from './chromium.ts'

const chromium = findChromium()
if (!chromium) console.warn('skipped: no chromium on this machine')

describe.skipIf(!chromium)('in a real browser', () => {
  let here: Outcome[]
  let there: Record<string, unknown>
  let out: string
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'browser-'))
    const chains = [...vectorChains(), ...(await randomChains(200, out))]
    here = await judgeAll(chains)
    const app = join(out, 'app')
    await build({
      root: fileURLToPath(new URL('app', import.meta.url)),
      logLevel: 'error',
      configFile: false,
      worker: { format: 'es' },
      build: { outDir: app, emptyOutDir: true, target: 'es2022' },
    })
    there = await openPage(chromium!, { folder: app, files: { '/chains.json': JSON.stringify(chains) }, outcomes: ['page', 'worker'] })
  }, 300_000)
  afterAll(() => rmSync(out, { recursive: true, force: true }))

  test('the chains are there, some good and some bad', () => {
    const reports = here.flatMap(
      (outcome) => (outcome.reports ?? []) as { ok: boolean; inspections: { status: string }[]; product?: object }[],
    )
    for (const ok of [true, false]) expect(reports.filter((report) => report.ok === ok).length).toBeGreaterThan(40)
    expect(reports.filter(({ inspections }) => inspections.some(({ status }) => status !== 'unchecked')).length).toBeGreaterThan(5)
    expect(reports.filter(({ product }) => product !== undefined).length).toBeGreaterThan(40)
  })

  for (const where of ['page', 'worker']) {
    test(`every Report of the ${where} is Node's`, () => {
      expect(there[where]).toEqual(here)
    })
  }
})
