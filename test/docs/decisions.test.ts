/** Every decision of docs/decisions.md names tests, and they exist under these titles: a test that goes or is renamed takes its line with it. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const page = new URL('../../docs/decisions.md', import.meta.url)
const lines = readFileSync(page, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:decision|---) /.test(line))

it.each(lines.map((line) => [line.slice(2, line.indexOf(' | ')), line]))('%s', (_, line) => {
  const named = [...line.matchAll(/\]\((\.\.\/test\/[^)]+)\): “([^”]+)”/g)]
  expect(named).not.toEqual([])
  expect(line.split('](../test/')).toHaveLength(named.length + 1)
  for (const [, file, title] of named) expect(readFileSync(new URL(file!, page), 'utf8'), file).toContain(title)
})
