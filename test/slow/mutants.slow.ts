/**
 * Mutants of layouts, links, envelopes, keys, products, tarballs, lockfiles, bundles and rules: 10,000 for every change, 200,000 by hand. None is accepted
 * wrongly, none ends in an error that is not ours, none hangs, and the fast way through a link answers as the plain one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as library from 'intoto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeKeys, type TestKey } from '../interop/keys.ts'
import { chosenSeed } from '../interop/random.ts'
import { campaign } from '../mutants/campaign.ts'
import { bothWays, chainKinds, type Judges } from '../mutants/chain.ts'
import type { Kind } from '../mutants/kind.ts'
import { readerKinds } from '../mutants/reader.ts'

const share = process.env['CI_SHARE'] !== undefined
const count = share ? 10_000 : Number(process.env['INTOTO_COUNT'] ?? 200_000)

const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let kinds: Kind[]
let judges: Judges
let quick: TestKey[]

beforeAll(async () => {
  vi.resetModules()
  vi.doMock('../../packages/intoto/src/metadata/fast.ts', () => ({ decodeFast: () => undefined }))
  const plain = await import('intoto')
  vi.doUnmock('../../packages/intoto/src/metadata/fast.ts')
  const keys = await makeKeys(folder)
  // Chains are signed with quick keys for the most part: it is not the arithmetic that is tried here.
  quick = keys.filter(({ type }, i) => type === 'ed25519' || (type === 'ecdsa' && keys[i - 1]?.type !== type))
  judges = { fast: library, plain }
  kinds = [...(await chainKinds(judges, quick, folder)), ...(await readerKinds(keys))]
}, 600_000)

test(`${count} mutants: no wrong acceptance, no stray error, no hang`, async () => {
  const { counts, findings } = await campaign(kinds, { count, ...(share && { seed: 1_714_550_677 }) })
  expect(findings).toEqual([])
  if (count < 1000) return
  // The mutants must be worth their while: of every kind, and most of them no longer good.
  expect(new Set(counts.keys())).toEqual(new Set(kinds.map(({ name }) => name)))
  for (const { name } of kinds) expect([name, counts.get(name)!.refused > 0]).toEqual([name, true])
})

const chains = share ? 500 : 10_000
test(`${chains} random chains: the same Report the fast way and the plain one`, async () => {
  const seed = chosenSeed()
  console.log(`INTOTO_SEED=${seed}`)
  expect(await bothWays(judges, { keys: quick, scratch: folder, seed, count: chains })).toBeGreaterThan(chains * 0.2)
})
