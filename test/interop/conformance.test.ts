/** The page about conformance speaks of every case of the kit, and no answer of ours on it is wrong. The cases themselves run in test/slow. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const kit = fileURLToPath(new URL('../conformance/index.mjs', import.meta.url))
const page = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')
const cases = JSON.parse(execFileSync(process.execPath, [kit, '--list'], { encoding: 'utf8' })) as {
  area: string
  name: string
  expected: string
}[]

test('every case is on the page, with our answer as it must be', () => {
  const missing = cases.filter(
    ({ area, name, expected }) => !page.includes(`| \`${name.slice(area.length + 1)}\` | ${expected} | as it must |`),
  )
  expect(missing).toEqual([])
  expect(cases.length).toBeGreaterThan(60)
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
})

test('our figures on the page are full marks in every area', () => {
  const rows = [...page.matchAll(/^\| ([a-z]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm)]
  expect(rows.length).toBeGreaterThan(13)
  for (const [, area, all, ours] of rows) expect([area, ours]).toEqual([area, all])
})
