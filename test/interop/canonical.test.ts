/** Canonical JSON, byte for byte as in-toto's own libraries write it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareCanonical } from './canonical.ts'
import { describeWithPeers, startPeer, type Peer } from './peer.ts'
import { chosenSeed, Random } from './random.ts'

describeWithPeers('canonical JSON', () => {
  let peers: { python: Peer; go: Peer }
  beforeAll(() => {
    peers = { python: startPeer('python'), go: startPeer('go') }
  })
  afterAll(() => Object.values(peers).forEach((peer) => peer.close()))

  test('10,000 random values are the same bytes in Python, and those with small numbers in Go', async () => {
    const seed = chosenSeed()
    console.log(`INTOTO_SEED=${seed}`)
    await expect(compareCanonical(new Random(seed), 10_000, peers)).resolves.toBeUndefined()
  })
})
