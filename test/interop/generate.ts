/**
 * One random chain from one seed: an honest plan, parameters now and then, none to three things that go wrong, signatures, none or one damage to the
 * files. Called by the comparisons, quick and slow.
 */
import { afterSigning } from './damage.ts'
import { honestChain, type Plan } from './chain.ts'
import type { TestKey } from './keys.ts'
import { Random } from './random.ts'
import { seal, type Files, type Sealer } from './seal.ts'
import { atInspection, beforeSigning, failBelow, lottery } from './tamper.ts'

export interface Chain {
  seed: number
  plan: Plan
  files: Files
  /** What was done to it, by name; empty for an honest chain. */
  marks: string[]
}

/** Puts `{P0}`, `{P1}` … in place of pieces of rules, so that the layout is the same again after substitution. */
function addParameters(plan: Plan, random: Random): string[] {
  const parameters: Record<string, string> = {}
  let braces = false
  for (const item of [...plan.root.payload.steps, ...plan.root.payload.inspect]) {
    for (const rule of [...item.expected_materials, ...item.expected_products]) {
      braces ||= /[{}]/.test(rule.join(''))
      const at = rule.length === 2 ? 1 : random.pick([1, rule.length - 1])
      const token = rule[at]
      if (token === undefined || token.length === 0 || !random.chance(0.4)) continue
      const characters = [...token]
      const from = random.below(characters.length)
      const to = random.between(from + 1, characters.length)
      const name = `P${Object.keys(parameters).length}`
      parameters[name] = characters.slice(from, to).join('')
      rule[at] = `${characters.slice(0, from).join('')}{${name}}${characters.slice(to).join('')}`
    }
  }
  if (random.chance(0.1)) parameters['unused'] = '{P0}'
  const forgotten = random.chance(0.05) && delete parameters['P0']
  plan.parameters = parameters
  return forgotten ? ['parameter forgotten'] : braces ? ['parameters among braces'] : []
}

/** Applies this many of the changes, chosen at random, and says which took hold. A change may not know what to do with the ruins of another. */
function apply<C extends (...rest: never[]) => boolean | void>(
  changes: Record<string, C>,
  o: { random: Random; count: number; run: (change: C) => boolean | void },
): string[] {
  const marks: string[] = []
  for (let tries = 0; marks.length < o.count && tries < 20; tries++) {
    const [name, change] = o.random.pick(Object.entries(changes))
    try {
      if (o.run(change) !== false) marks.push(name)
    } catch (error) {
      if (marks.length === 0) throw error
    }
  }
  return marks
}

/** The chain of this seed. The keys are new in every run; everything else depends on the seed alone. */
export async function generate(seed: number, keys: readonly TestKey[], sealer: Sealer): Promise<Chain> {
  const random = new Random(seed)
  const plan = honestChain(random, keys)
  const marks = random.chance(0.07) ? addParameters(plan, random) : []
  if (random.chance(0.4) && failBelow(plan, random)) marks.push('inspection below fails')
  // Honest, with random rules, tampered with before or after signing, or both.
  const fate = random.below(100)
  if (fate >= 40 && fate < 62 && lottery(plan, random, keys) !== false) marks.push('random rules')
  const changes = plan.root.payload.inspect.length > 0 && random.chance(0.5) ? atInspection : beforeSigning
  const count = fate < 62 ? 0 : fate < 80 ? 1 : fate < 88 ? random.between(1, 3) : 0
  marks.push(...apply(changes, { random, count, run: (change) => change(plan, random, keys) }))
  const files = await seal(sealer, plan, marks.length > 0)
  if (fate >= 84) marks.push(...apply(afterSigning, { random, count: 1, run: (change) => change(files, random, plan) }))
  return { seed, plan, files, marks }
}
