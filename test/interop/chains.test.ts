/** Random chains before in-toto, in-toto-golang and ours: no difference that is not explained. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { differences } from './difference.ts'
import { describeWithPeers } from './peer.ts'
import { chosenSeed } from './random.ts'
import { runChains, tally } from './tally.ts'

describeWithPeers('random chains', () => {
  test('300 of them: where the peers agree, so do we, and every other difference has a name', async () => {
    // The first of those that `npm run test:share` compares: the same for every change, so that a failure is the change's own.
    const result = tally(await runChains({ seed: chosenSeed(1_714_550_677), count: 300 }))
    expect(result.unexplained).toEqual([])
    expect(result.honestRefused).toEqual([])
    // The generator must be worth its while: good chains and bad ones, and most differences seen.
    expect(result.accepted).toBeGreaterThan(90)
    expect(result.refused).toBeGreaterThan(75)
    expect(result.names.size).toBeGreaterThan(8)
  }, 200_000)
})

test('docs/divergences.md explains every difference by its name', () => {
  const text = readFileSync(new URL('../../docs/divergences.md', import.meta.url), 'utf8')
  const missing = new Set(differences.map(({ name }) => name).filter((name) => !text.includes(`\`${name}\``)))
  expect([...missing]).toEqual([])
})
