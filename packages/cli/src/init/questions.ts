/** The questions of `intoto init`, asked on a terminal only; each has a flag that answers it. Loaded when somebody is there to answer. */
import { confirm, isCancel, select } from '@clack/prompts'
import { exitCodes } from '../failure.ts'

/** One of several; Ctrl-C ends the command. */
export async function choose<T extends string>(message: string, values: readonly T[], initial: T): Promise<T> {
  const options = values.map((value): { value: string; label: string } => ({ value, label: value }))
  const answer = await select({ message, options, initialValue: initial, output: process.stderr })
  if (isCancel(answer)) process.exit(exitCodes.interrupted)
  return values.find((value) => value === answer) ?? initial
}

/** Yes or no; Ctrl-C ends the command. */
export async function agree(message: string): Promise<boolean> {
  const answer = await confirm({ message, output: process.stderr })
  if (isCancel(answer)) process.exit(exitCodes.interrupted)
  return answer
}
