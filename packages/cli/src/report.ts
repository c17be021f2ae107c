/**
 * `intoto report`: the verdict as a picture, one HTML file that needs no other. Judges exactly as verify does; only the rendering is its own.
 */
import type { Call, CommandFile } from './command.ts'
import { exitCodes } from './failure.ts'
import { tally, verdict } from './formats/phrase.ts'
import { complainQuietly, errorsOf, refuseOutputs, writeReport } from './output.ts'
import { escape } from './terminal.ts'
import { declareJudged, inputsOf, reachVerdict, type VerdictFlags } from './verdict.ts'
import { reportUnreadable } from './verify.ts'

interface Flags extends VerdictFlags {
  output: string
}

/** `intoto report`. */
export const report: CommandFile = {
  usage: '[PRODUCT…] -k KEY… [-l LAYOUT] [-d DIR…] [-o FILE]',
  summary:
    'Draws the chain of custody: one HTML file with the verdict, who did what, where files went, and what is wrong. Exit code as verify.',
  examples: [
    ['intoto report dist -k in-toto/owner.pub', 'writes in-toto-report.html'],
    ['intoto report lib-1.0.0.tgz -k in-toto/owner.pub --output chain.html', 'for a tarball, to a file of your choice'],
    ['intoto verify dist -k in-toto/owner.pub --format html --output chain.html', 'the same beside another verdict'],
  ],
  declare(command) {
    declareJudged(command)
    command.option('-o, --output <file>', 'file to write', 'in-toto-report.html')
  },
  async run(call: Call) {
    const flags = call.options as unknown as Flags
    const outputs = [{ format: 'html', file: flags.output }]
    refuseOutputs(outputs, { command: 'report', inputs: inputsOf(flags, call.args) })
    try {
      const o = { command: 'report', products: call.args, terminal: call.terminal, trace: true }
      const { report: found, context } = await reachVerdict(flags, o)
      await writeReport(found, { outputs, context, terminal: call.terminal, withText: false })
      const counts = tally(found.problems)
      call.terminal.print(`${escape(flags.output)}  ${counts === '' ? '' : `${counts}. `}${verdict(found)}\n`)
      await complainQuietly(errorsOf(found.problems), call.terminal)
      return found.ok ? exitCodes.ok : exitCodes.refused
    } catch (error) {
      // An older picture must not be what is left.
      await reportUnreadable(error, { ...flags, outputs }, call)
      throw error
    }
  },
}
