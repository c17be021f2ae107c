/**
 * A whole run of random chains, and what it came to: figures for people, and the chains that a test has to fail for. Called by the quick test and the
 * slow one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareMany, type Comparison } from './compare.ts'
import { makeKeys } from './keys.ts'
import { startPeer } from './peer.ts'
import type { Verdict } from './view.ts'

export interface Run {
  comparisons: Comparison[]
  /** Where the chains that nothing explains lie. */
  folder: string
  seconds: number
  seed: number
}

export interface Tally {
  accepted: number
  refused: number
  /** Each with its seed, folder and the three answers. */
  unexplained: string[]
  honestRefused: string[]
  /** How often each difference was seen, by side, peer and name. */
  names: Map<string, number>
}

/** Starts the peers, makes keys, compares. The folder stays only when something in it is worth a look. */
export async function runChains({ seed, count }: { seed: number; count: number }): Promise<Run> {
  console.log(`INTOTO_SEED=${seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'chains-'))
  const peers = { python: startPeer('python'), go: startPeer('go') }
  try {
    const keys = await makeKeys(folder)
    const start = performance.now()
    const comparisons = await compareMany({ seed, count, folder, keys, peers })
    return { comparisons, folder, seed, seconds: (performance.now() - start) / 1000 }
  } finally {
    for (const peer of Object.values(peers)) peer.close()
  }
}

const answer = (verdict: Verdict): string => (verdict.ok ? 'accepts' : `refuses: ${verdict.problems.join('; ').slice(0, 400)}`)

function describeOne({ chain, verdicts }: Comparison, folder: string): string {
  const done = chain.marks.join(', ') || 'honest'
  const said = (['ours', 'python', 'go'] as const).map((who) => `  ${who} ${answer(verdicts[who])}`)
  return [`INTOTO_SEED=${chain.seed} (${done}), kept in ${join(folder, `chain-${chain.seed}`)}`, ...said].join('\n')
}

/** Counts, prints, and removes the folder when there is nothing to look into. */
export function tally({ comparisons, folder, seconds, seed }: Run): Tally {
  const names = new Map<string, number>()
  const unexplained: string[] = []
  const honestRefused: string[] = []
  for (const comparison of comparisons) {
    const { chain, verdicts, explained } = comparison
    const side = verdicts.ours.ok ? 'we accept, it refuses' : 'we refuse, it accepts'
    for (const [peer, found] of Object.entries(explained)) {
      for (const name of found ?? []) names.set(`${peer}, ${side}: ${name}`, (names.get(`${peer}, ${side}: ${name}`) ?? 0) + 1)
    }
    if (Object.values(explained).includes(undefined)) unexplained.push(describeOne(comparison, folder))
    if (chain.marks.length === 0 && !verdicts.ours.ok) honestRefused.push(describeOne(comparison, folder))
  }
  const accepted = comparisons.filter(({ verdicts }) => verdicts.ours.ok).length
  const refused = comparisons.length - accepted
  const differing = comparisons.filter(({ explained }) => Object.keys(explained).length > 0).length
  console.log(
    [
      `${comparisons.length} chains from seed ${seed} in ${seconds.toFixed(1)} s: ${accepted} accepted, ${refused} refused; all three agree on ${comparisons.length - differing}`,
      ...[...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${String(count).padStart(6)}  ${name}`),
      ...unexplained,
      ...honestRefused,
    ].join('\n'),
  )
  if (unexplained.length === 0 && honestRefused.length === 0) rmSync(folder, { recursive: true, force: true })
  return { accepted, refused, unexplained, honestRefused, names }
}
