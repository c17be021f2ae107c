/** The comparison with both peers, ten times as long. */
import { beforeAll, expect, test } from 'vitest'
import { compareCanonical } from '../interop/canonical.ts'
import { havePeers, startPeer } from '../interop/peer.ts'
import { chosenSeed, Random } from '../interop/random.ts'
import { runChains, tally } from '../interop/tally.ts'

beforeAll(() => expect(havePeers, 'both peers are needed: bash .ci/peers').toBe(true))

test('20,000 random chains: no difference without a name', async () => {
  const result = tally(await runChains({ seed: chosenSeed(), count: 20_000 }))
  expect(result.unexplained).toEqual([])
  expect(result.honestRefused).toEqual([])
})

test('100,000 random values: canonical JSON is the same bytes', async () => {
  const seed = chosenSeed()
  console.log(`INTOTO_SEED=${seed}`)
  const peers = { python: startPeer('python'), go: startPeer('go') }
  try {
    await compareCanonical(new Random(seed), 100_000, peers)
  } finally {
    for (const peer of Object.values(peers)) peer.close()
  }
})
