/**
 * Did the functionaries run what the layout expects (specification 5.2, step 8), and did it succeed? The reference tools only warn of a
 * difference; here it is a refusal unless the caller says otherwise. A failure they do not look at; here it is a warning, or what the caller says.
 * Called by the verification; compares lists, never text.
 */
import type { JsonValue } from '../encoding/json.ts'
import type { Run, StepRun } from './run.ts'
import { carryOutText, commandText, shown } from './text.ts'

/** Looks at the command of every valid link: is it the expected one, and how did it end? */
export function checkCommands(run: Run, step: StepRun): void {
  compareCommands(run, step)
  checkOutcomes(run, step)
}

/** An empty expectation allows any command. */
function compareCommands(run: Run, { step, valid }: StepRun): void {
  const expected = step.expected_command
  if (expected.length === 0) return
  for (const { link, file } of valid) {
    const ran = link!.command
    if (ran.length === expected.length && ran.every((word, i) => word === expected[i])) continue
    const cause = differenceText(expected, ran)
    run.add({
      code: 'E_COMMAND',
      severity: run.session.options.commandMismatch === 'warn' ? 'warning' : 'error',
      step: step.name,
      file,
      message: `${shown(step.name)}: ran another command than the layout expects`,
      expected: {
        label: 'expected',
        text: commandText(expected),
        from: `layout.steps[${run.layout.steps.indexOf(step)}].expected_command`,
      },
      actual: { label: 'ran', text: commandText(ran), from: file },
      ...(cause === '' ? {} : { cause }),
      fix: [
        'carry out the step with the expected command',
        'or have the owner sign a layout that expects this one; --command-mismatch warn lets it pass, as the reference tools do',
      ],
    })
  }
}

/** A link of a command that failed is honest evidence, of a failure: a test that did not pass, a build that broke off. */
function checkOutcomes(run: Run, { step, valid }: StepRun): void {
  const isRefused = run.session.options.commandFailure === 'error'
  for (const { link, file, sublayout } of valid) {
    // A sublayout's summary repeats its last step, whose own link was looked at inside.
    if (sublayout !== undefined) continue
    const value = link!.byproducts['return-value']
    if (!isFailure(value)) continue
    run.add({
      code: 'E_COMMAND',
      severity: isRefused ? 'error' : 'warning',
      step: step.name,
      file,
      message: `${shown(step.name)}: the command ended with ${value}`,
      fix: [
        `carry out the step again when its command succeeds: ${carryOutText(step)}`,
        isRefused
          ? 'or --command-failure warn lets it pass, as the reference tools do, which do not look'
          : '--command-failure error refuses such a step',
      ],
    })
  }
}

/** Only an integer is an exit status; a signal shows as its negative number, and Windows has large ones. */
function isFailure(value: JsonValue | undefined): value is number | bigint {
  return (typeof value === 'bigint' || Number.isInteger(value)) && Number(value) !== 0
}

/** `extra: --mode staging`, `missing: --minify`: what stands between the common beginning and the common end. */
function differenceText(expected: readonly string[], ran: readonly string[]): string {
  let start = 0
  while (start < Math.min(expected.length, ran.length) && expected[start] === ran[start]) start++
  let end = 0
  while (end < Math.min(expected.length, ran.length) - start && expected.at(-1 - end) === ran.at(-1 - end)) end++
  const extra = ran.slice(start, ran.length - end)
  const missing = expected.slice(start, expected.length - end)
  return [extra.length > 0 ? `extra: ${commandText(extra)}` : '', missing.length > 0 ? `missing: ${commandText(missing)}` : '']
    .filter(Boolean)
    .join(', ')
}
