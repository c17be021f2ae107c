/**
 * Did the functionaries run what the layout expects? (specification 5.2, step 8.) The reference tools only warn; here a difference is a
 * refusal unless the caller says otherwise. Called by the verification; compares lists, never text.
 */
import type { Run, StepRun } from './run.ts'
import { commandText, shown } from './text.ts'

/** Compares the command of every valid link. An empty expectation allows any command. */
export function checkCommands(run: Run, { step, valid }: StepRun): void {
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
