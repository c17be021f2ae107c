/** What the package promises of its bundle: the page is there, and all that it names. */
import { deepEqual, ok } from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const page = readFileSync('dist/index.html', 'utf8')

test('the page names its script, its styles and its icon', () => {
  const kinds = [...page.matchAll(/(?:src|href)="[^"]*\.(js|css|svg)"/g)].map(([, kind]) => kind)
  deepEqual(kinds.toSorted(), ['css', 'js', 'svg'])
})

test('what the page names is there', () => {
  for (const [, address = ''] of page.matchAll(/(?:src|href)="\/([^"]+)"/g)) ok(existsSync(`dist/${address}`), address)
})
