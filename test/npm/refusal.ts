/** What a refusal looks like in a test: called by the tests of this folder. */
import { InTotoError } from 'intoto'
import { expect } from 'vitest'

/** The error of something that must be refused: a typed one, in one line, without the secrets that tests plant as `canary`. */
export async function refusal(run: () => unknown): Promise<InTotoError> {
  const error = await Promise.resolve()
    .then(run)
    .then(
      () => 'nothing was refused',
      (reason: unknown) => reason,
    )
  expect(error).toBeInstanceOf(InTotoError)
  expect((error as InTotoError).message).not.toMatch(/\n|canary/)
  return error as InTotoError
}
