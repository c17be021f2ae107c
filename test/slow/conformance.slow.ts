/**
 * The conformance kit: ours answers every case as it must, with an empty list of known failures, and the other two implementations as docs/conformance.md
 * says they do. The chains of test/vectors, which other tests put before ours, are left to `npm run conformance`.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { havePeers } from '../interop/peer.ts'

interface Result {
  name: string
  area: string
  expected: 'accept' | 'refuse'
  answers: Record<string, { did: string; said: string }>
}

const kit = fileURLToPath(new URL('../conformance/index.mjs', import.meta.url))
const page = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')

test('every case is answered as it must be, and as the page says', async () => {
  expect(JSON.parse(readFileSync(new URL('../conformance/known.json', import.meta.url), 'utf8'))).toEqual([])
  const { stdout } = await promisify(execFile)(process.execPath, [kit, '--json', '--no-vectors'], { maxBuffer: 2 ** 28 })
  const results = JSON.parse(stdout) as Result[]
  expect(results.length).toBeGreaterThan(150)
  expect(results.filter(({ expected, answers }) => answers['ours']!.did !== `${expected}s`)).toEqual([])
  expect(Object.keys(results[0]!.answers)).toEqual(havePeers ? ['ours', 'Python', 'Go'] : ['ours'])
  for (const { area, name, expected, answers } of results) {
    const cells = Object.values(answers).map(({ did }) => (did === `${expected}s` ? 'as it must' : `**${did}**`))
    expect(page).toContain(`| \`${name.slice(area.length + 1)}\` | ${expected} | ${cells.join(' | ')} |`)
  }
})
