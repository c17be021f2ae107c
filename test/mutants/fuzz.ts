/**
 * A coverage-guided fuzzer: inputs that reach something new join the corpus from which the next ones are made. Called by the slow test for each change
 * and, longer, by hand.
 */
import type { Random } from '../interop/random.ts'
import { mutateBytes } from './bytes.ts'
import { startCoverage } from './coverage.ts'
import { watch } from './watchdog.ts'

/** A reader under test. */
export interface Target {
  readonly name: string
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /** @throws whatever is wrong */
  run(input: Uint8Array): unknown
}

/** What a run came to. */
export interface Fuzzing {
  executions: number
  edges: number
  /** Inputs that were kept because of what they reach. */
  kept: number
  /** Each with its input in base64. */
  findings: string[]
}

/** Inputs between two looks at the counters, which cost as much as many of them. */
const batch = 128
/** No larger input is made: what is small is tried more often. */
const mostBytes = 32_768

interface Input {
  target: Target
  bytes: Uint8Array
}

/** Tries inputs for so many seconds. */
export async function fuzz(targets: readonly Target[], o: { random: Random; seconds: number; sources: RegExp }): Promise<Fuzzing> {
  const { random } = o
  const corpus = new Map(targets.map((target) => [target, [...target.seeds]]))
  const findings = new Map<string, string>()
  const seen = new Set<string>()
  const dog = watch('an input of the fuzzer', 60)
  const coverage = await startCoverage(o.sources)
  let [executions, kept] = [0, 0]

  async function run({ target, bytes }: Input): Promise<void> {
    dog.at(++executions)
    try {
      await target.run(bytes)
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      const where = text.split('\n').slice(0, 3).join('\n')
      const input = Buffer.from(bytes).toString('base64')
      if (!findings.has(where)) findings.set(where, `${target.name}: ${text}\ninput: ${input.slice(0, 4000)}`)
    }
  }

  /** Keeps those of the inputs that reach something that was not seen before, each by what the ones before it do not. */
  async function sift(inputs: readonly Input[]): Promise<void> {
    for (const input of inputs) await run(input)
    const ran = await coverage.take()
    if ([...ran].every((part) => seen.has(part))) return
    if (inputs.length === 1) {
      for (const part of ran) seen.add(part)
      corpus.get(inputs[0]!.target)!.push(inputs[0]!.bytes)
      kept++
      return
    }
    await sift(inputs.slice(0, inputs.length / 2))
    await sift(inputs.slice(inputs.length / 2))
  }

  function made(): Input {
    const target = random.pick(targets)
    const inputs = corpus.get(target)!
    // What came last is what few have reached.
    const recent = inputs.slice(-8)
    const bytes = random.pick(random.chance(0.3) ? recent : inputs)
    return { target, bytes: mutateBytes(bytes, random, random.pick(inputs)).subarray(0, mostBytes) }
  }

  for (const target of targets) for (const bytes of target.seeds) await run({ target, bytes })
  for (const part of await coverage.take()) seen.add(part)
  const end = performance.now() + o.seconds * 1000
  while (performance.now() < end && findings.size < 20) await sift(Array.from({ length: batch }, made))
  await coverage.close()
  await dog.close()
  return { executions, edges: seen.size, kept, findings: [...findings.values()] }
}
