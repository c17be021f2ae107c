/**
 * Layouts, links and keys from the peers' own test suites, with the verdicts of those tests. They are the peers' and lie beside the project where
 * somebody has put them; without them there is nothing here to run.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeMetadata, importKey, InTotoError, judge, keyidFor } from 'intoto'
import { inspectIn, linkDirectory, readMetadataFile } from 'intoto/node'
import { afterAll, expect, test } from 'vitest'

const data = fileURLToPath(new URL('../../../shared/peer-data', import.meta.url))

interface Case {
  dir: string
  layout: string
  layoutKeys: string[]
  linkDir: string
  product: string[]
  expected: 'pass' | 'fail'
  why: string
  /** Set when a verifier may well do without. */
  optional?: string
}

interface Cases {
  cases: Case[]
  /** Ids as the peers compute them; null for a key that a peer refuses. */
  keyids: { file: string; python31: string | null; go011: string | null }[]
}

const present = existsSync(join(data, 'cases.json'))
if (!present) console.warn('not run: the test data of the peers (shared/peer-data) is not here')
const { cases, keyids }: Cases = present ? (JSON.parse(readFileSync(join(data, 'cases.json'), 'utf8')) as Cases) : { cases: [], keyids: [] }

const work = mkdtempSync(join(tmpdir(), 'suites-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

async function verdictOf(given: Case, folder: string): Promise<{ ok: boolean; codes: string[] }> {
  const at = (path: string): string => join(data, given.dir, path)
  try {
    for (const file of given.product) cpSync(at(file), join(folder, file))
    const layout = decodeMetadata(readMetadataFile(at(given.layout)))
    const keys = await Promise.all(given.layoutKeys.map((file) => importKey(readFileSync(at(file), 'utf8'))))
    const report = await judge(layout, {
      keys,
      links: linkDirectory(at(given.linkDir)),
      commandMismatch: 'warn',
      inspect: inspectIn(folder),
    })
    return { ok: report.ok, codes: report.problems.map(({ code }) => code) }
  } catch (error) {
    if (error instanceof InTotoError) return { ok: false, codes: [error.code] }
    throw error
  }
}

test('the data is whole where it is', () => {
  expect(cases.length > 10).toBe(present)
})

for (const [i, given] of cases.entries()) {
  test(`${given.dir} ${given.layout} with ${given.layoutKeys.join(', ')}: ${given.why}`, async () => {
    const { ok, codes } = await verdictOf(given, mkdtempSync(join(work, `${i}-`)))
    // OpenPGP is refused by name, whatever the data makes of it.
    if (given.optional !== undefined && !ok) expect(codes).toContain('E_UNSUPPORTED')
    else expect([ok, codes]).toEqual([given.expected === 'pass', expect.anything()])
  })
}

for (const { file, python31, go011 } of keyids) {
  test(`key ids of ${file}`, async () => {
    const pem = readFileSync(join(data, file), 'utf8')
    if (python31 === null) return expect(importKey(pem)).rejects.toMatchObject({ code: 'E_KEY' })
    const key = await importKey(pem)
    expect([keyidFor(key, 'python'), keyidFor(key, 'go')]).toEqual([python31, go011])
  })
}
