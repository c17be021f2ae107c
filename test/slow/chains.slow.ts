/** The comparison with both peers: 2,000 chains for every change, the same ones; 20,000 new ones by hand. */
import { beforeAll, expect, test } from 'vitest'
import { compareCanonical } from '../interop/canonical.ts'
import { havePeers, startPeer } from '../interop/peer.ts'
import { chosenSeed, Random } from '../interop/random.ts'
import { runChains, tally } from '../interop/tally.ts'

beforeAll(() => expect(havePeers, 'both peers are needed: bash .ci/peers').toBe(true))

const share = process.env['CI_SHARE'] !== undefined
const count = share ? 2_000 : 20_000

test(`${count} random chains: no difference without a name`, async () => {
  const result = tally(await runChains({ seed: share ? chosenSeed(1_714_550_677) : chosenSeed(), count }))
  expect(result.unexplained).toEqual([])
  expect(result.honestRefused).toEqual([])
  // The generator must be worth its while: good chains and bad ones, and most differences seen.
  expect(result.accepted).toBeGreaterThan(count * 0.3)
  expect(result.refused).toBeGreaterThan(count * 0.25)
  expect(result.names.size).toBeGreaterThan(15)
})

// The quick tests compare 10,000.
if (!share) {
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
}
