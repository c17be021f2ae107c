/**
 * What a campaign of mutants is made of: kinds, each of which makes one mutant from chance, hands it to the code and looks at the answer. Whatever a
 * kind throws is a finding: a wrong acceptance, two ways that differ, an error that is not ours.
 */
import { inspect } from 'node:util'
import { InTotoError, type Problem } from 'intoto'
import type { Random } from '../interop/random.ts'

/** What became of a mutant; `void` is one that came out as it went in. */
export type Outcome = 'accepted' | 'refused' | 'void'

export interface Kind {
  readonly name: string
  /** How often it is chosen, beside the others. */
  readonly weight: number
  /** @throws whatever is wrong */
  run(random: Random): Promise<Outcome> | Outcome
}

/** A refusal as a person sees it: a code, one line, no stack. @throws when it is not */
export function checkProblem({ code, message, fix }: Pick<Problem, 'code' | 'message' | 'fix'>): void {
  const isLine = (text: string): boolean => text.length > 0 && text.length < 20_000 && !/[\n\r]/.test(text)
  if (![message, ...fix].every(isLine) || !/^E_[A-Z_]+$/.test(code))
    throw new Error(`not a problem as it should be: ${inspect({ code, message, fix }).slice(0, 1000)}`)
}

/** What the code gave back, or undefined when it refused in due form. @throws any other error */
export async function answer<T>(run: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    checkProblem(error.problem)
    return undefined
  }
}

/** One of the kinds, by weight. */
export function choose(kinds: readonly Kind[], random: Random): Kind {
  let at = random.below(kinds.reduce((sum, { weight }) => sum + weight, 0))
  return kinds.find(({ weight }) => (at -= weight) < 0)!
}
