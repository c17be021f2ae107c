/**
 * `intoto verify`: says yes to what was delivered, or exactly why not. Parses flags, asks for the verdict, renders it; the exit code is the
 * verdict.
 */
import { InTotoError, type Report } from 'intoto'
import type { Call, CommandFile } from './command.ts'
import { exitCodeOf, exitCodes } from './failure.ts'
import { declareOutput, type OutputFlags, refuseOutputs, writeReport } from './output.ts'
import { declareJudged, inputsOf, reachVerdict, type VerdictFlags } from './verdict.ts'
import { version } from './version.ts'

type Flags = VerdictFlags & OutputFlags

/** `intoto verify`. */
export const verifyCommand: CommandFile = {
  usage: '[PRODUCT…] -k KEY… [-l LAYOUT] [-d DIR…]',
  summary: 'Verifies a chain of links by its layout, and what lies on disk by the chain.',
  examples: [
    ['intoto verify dist -k in-toto/owner.pub', 'every file below dist, by in-toto/root.layout'],
    ['intoto verify dist -k in-toto/owner.pub --through build', 'before there is a package: only up to the build'],
    ['intoto verify lib-1.0.0.tgz -l root.layout -k alice.pub -d evidence', 'a tarball that somebody sent'],
    ['intoto verify npm:lib@1.0.0 -l root.layout -k alice.pub -d evidence', 'what the registry serves, and what it says of it'],
    ['intoto verify dist -k in-toto/owner.pub --format sarif --output intoto.sarif', 'a report for code scanning, text on screen'],
  ],
  declare(command) {
    declareJudged(command)
    declareOutput(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    refuseOutputs(flags.outputs ?? [], { command: 'verify', inputs: inputsOf(flags, call.args) })
    try {
      const trace = flags.outputs?.some((output) => output.format === 'html') === true
      const { report, context } = await reachVerdict(flags, { command: 'verify', products: call.args, terminal: call.terminal, trace })
      await writeReport(report, { outputs: flags.outputs, context, terminal: call.terminal })
      return report.ok ? exitCodes.ok : exitCodes.refused
    } catch (error) {
      await reportUnreadable(error, flags, call)
      throw error
    }
  },
}

/** Whether there was something to read, and it is no layout or key. */
function isOfBytes(error: InTotoError): boolean {
  if (error.code === 'E_KEY') return !(error.cause instanceof InTotoError && error.cause.code === 'E_IO')
  return exitCodeOf(error) === exitCodes.refused
}

/** A layout or key whose bytes are none is a verdict too: whoever waits for a Report gets one, and the error's own lines are said all the same. */
export async function reportUnreadable(error: unknown, flags: Flags, call: Call): Promise<void> {
  const outputs = flags.outputs?.filter((output) => output.format !== 'text')
  if (!(error instanceof InTotoError) || !isOfBytes(error) || outputs === undefined || outputs.length === 0) return
  const report: Report = {
    schemaVersion: 1,
    ok: false,
    time: new Date().toISOString(),
    layout: { file: flags.layout, signers: [] },
    steps: [],
    inspections: [],
    problems: [error.problem],
  }
  const context = { version, folders: flags.linkDir ?? [], products: call.args, loosened: [], verbose: false }
  await writeReport(report, { outputs, context, terminal: call.terminal, withText: false })
}
