/**
 * The readers under a coverage-guided fuzzer: 15 seconds for every change, ten minutes by hand (or `INTOTO_SECONDS`). No input ends in an error that is not
 * ours, hangs, or is read in two ways.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeKeys } from '../interop/keys.ts'
import { chosenSeed, Random } from '../interop/random.ts'
import { fuzz } from '../mutants/fuzz.ts'
import { targets } from '../mutants/target.ts'

const seconds = process.env['CI_SHARE'] === undefined ? Number(process.env['INTOTO_SECONDS'] ?? 600) : 15

test('readers answer or refuse, whatever they are given', async () => {
  const seed = chosenSeed()
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
  try {
    const all = targets(await makeKeys(folder))
    const { executions, edges, kept, findings } = await fuzz(all, {
      random: new Random(seed),
      seconds,
      sources: /packages\/(?:intoto|npm)\/src/,
    })
    console.log(`INTOTO_SEED=${seed}: ${executions} inputs in ${seconds} s, ${edges} parts of the sources reached, ${kept} inputs kept`)
    expect(findings).toEqual([])
    // Coverage is counted, and leads somewhere.
    expect(edges).toBeGreaterThan(200)
    expect(kept).toBeGreaterThan(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
