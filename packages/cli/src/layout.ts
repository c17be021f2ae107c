/**
 * `intoto layout new|lint`: a layout from a few flags, signed or to be signed; and a look for what is probably wrong with one. What the rules of
 * a preset are is the library's business.
 */
import type { Command } from './flags.ts'
import { lintLayout } from 'intoto'
import type { Call, CommandFile } from './command.ts'
import { declareDraft, type DraftFlags, refuseReplacing, writeDraft, usualLayout } from './draft.ts'
import { exitCodes } from './failure.ts'
import { problemLines } from './formats/text.ts'
import { complainQuietly } from './output.ts'
import { inOrder, tally } from './formats/phrase.ts'
import { declarePlan, type PlanFlags, planLayout } from './plan.ts'
import { refuseTarget } from './target.ts'
import { readLayout } from './trust.ts'

interface NewFlags extends PlanFlags, DraftFlags {}

/** `intoto layout new`. */
export const create: CommandFile = {
  usage:
    '(--preset NAME | --step NAME=COMMAND… | --from MODULE) --functionary [STEP=]PUB… [--expires DAYS|DATE] [--sign-with REF…] [-o FILE]',
  summary: 'Writes a layout: which steps, by whom, with what rules, until when. Unsigned unless --sign-with is given.',
  examples: [
    [
      'intoto layout new --preset npm --functionary alice.pub build=ci.pub --sign-with owner',
      'source, build, test, package; ci builds, alice does all else',
    ],
    [
      'intoto layout new --step source --step "build=vite build" --functionary ci.pub --expires 90',
      'two steps of your own, to be signed later',
    ],
    ['intoto layout new --from intoto.layout.ts --sign-with owner', 'a layout as code'],
  ],
  declare(command: Command) {
    declarePlan(command)
    declareDraft(command)
  },
  async run(call: Call) {
    const flags = call.options as NewFlags
    const layout = await planLayout(flags, call.terminal)
    if (flags.from !== undefined)
      refuseTarget(flags.output ?? usualLayout, { command: 'layout new', content: 'a layout', inputs: [flags.from] })
    refuseReplacing(layout, flags, { command: 'layout new', terminal: call.terminal })
    await writeDraft(layout, flags, call.terminal)
    return exitCodes.ok
  },
}

/** `intoto layout lint`. */
export const lint: CommandFile = {
  usage: '[FILE…] [--strict]',
  summary:
    'Finds what verifies and is probably not meant: lists that let everything pass, rules that never act, thresholds beyond the keys.',
  examples: [
    ['intoto layout lint', 'print findings about in-toto/root.layout'],
    ['intoto layout lint next.layout --strict', 'exit code 1 if there are any'],
  ],
  declare(command) {
    command.argument('[file...]', 'layouts (default: in-toto/root.layout)')
    command.option('--strict', 'exit code 1 for warnings too')
  },
  async run(call: Call) {
    const files = call.args.length === 0 ? [usualLayout] : call.args
    const findings = files.flatMap((file) => lintLayout(readLayout(file).payload).map((p) => ({ ...p, file: p.file ?? file })))
    const lines = inOrder(findings).map((p) => problemLines(p, { paint: call.terminal.out, verbose: call.terminal.verbose }).join('\n'))
    call.terminal.print(`${[...lines, findings.length === 0 ? 'nothing to remark' : tally(findings)].join('\n\n')}\n`)
    const decisive = findings.filter((p) => p.severity === 'error' || call.options['strict'] === true)
    await complainQuietly(decisive, call.terminal)
    return decisive.length > 0 ? exitCodes.refused : exitCodes.ok
  },
}
