/** What a refusal looks like in a test: called by the tests of this folder. */
import { inspect } from 'node:util'
import { InTotoError, type ProblemCode } from 'intoto'
import { expect } from 'vitest'

/** Runs something that must be refused, with this code; gives back its message for a closer look. */
export async function refusal(code: ProblemCode, run: () => unknown): Promise<string> {
  let result: unknown
  try {
    result = await run()
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `))
    expect(error.message).not.toContain('\n')
    return error.message
  }
  expect.fail(`not refused, but ${inspect(result).slice(0, 200)}`)
}
