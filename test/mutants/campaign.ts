/**
 * A run of so many mutants from one seed on: each has a seed of its own, so that one that fails can be made again alone. Called by the slow test.
 */
import { cpuUsage } from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { chosenSeed, Random } from '../interop/random.ts'
import { choose, type Kind, type Outcome } from './kind.ts'
import { watch } from './watchdog.ts'

/** What came of a campaign. */
export interface Campaign {
  counts: Map<string, Record<Outcome | 'milliseconds', number>>
  /** Each with its seed. */
  findings: string[]
}

/** The most findings worth listing. */
const most = 20

/** Makes and tries the mutants; prints the seed, the counts and the slowest. */
export async function campaign(kinds: readonly Kind[], o: { count: number; seed?: number }): Promise<Campaign> {
  const seed = chosenSeed(o.seed)
  console.log(`INTOTO_SEED=${seed}`)
  const result: Campaign = { counts: new Map(), findings: [] }
  const dog = watch('a mutant', 60)
  let slowest = { milliseconds: 0, seed, kind: '' }
  const start = cpuUsage()
  for (let i = 0; i < o.count && result.findings.length < most; i++) {
    const own = (seed + i) >>> 0
    const random = new Random(own)
    const kind = choose(kinds, random)
    dog.at(own)
    const began = performance.now()
    const counts = result.counts.get(kind.name) ?? { accepted: 0, refused: 0, void: 0, milliseconds: 0 }
    result.counts.set(kind.name, counts)
    try {
      counts[await kind.run(random)]++
    } catch (error) {
      const finding = `INTOTO_SEED=${own} (${kind.name}): ${error instanceof Error ? error.stack : String(error)}`
      result.findings.push(finding)
      console.error(finding)
    }
    const milliseconds = performance.now() - began
    counts.milliseconds += milliseconds
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, seed: own, kind: kind.name }
    if ((i + 1) % 1000 > 0) continue
    // What is printed leaves only when nothing else is to be done.
    await setImmediate()
    if ((i + 1) % 10_000 === 0) console.log(`${i + 1} mutants, ${result.findings.length} findings`)
  }
  await dog.close()
  const rows = [...result.counts].map(
    ([name, { accepted, refused, void: none, milliseconds }]) =>
      `  ${name}: ${accepted} accepted, ${refused} refused, ${none} as before, ${(milliseconds / 1000).toFixed(1)} s`,
  )
  console.log(
    [
      `${o.count} mutants from seed ${seed} in ${(cpuUsage(start).user / 1e6).toFixed(1)} s of processor time, ${result.findings.length} findings`,
      ...rows,
      `  slowest: ${slowest.milliseconds.toFixed(0)} ms (${slowest.kind}, INTOTO_SEED=${slowest.seed})`,
      ...result.findings,
    ].join('\n'),
  )
  return result
}
