/**
 * `intoto run`: carries out a step. Records materials, runs the command, records products, signs the link. Passes on the command's own exit code
 * once the link is written.
 */
import type { Command } from './flags.ts'
import { sign } from 'intoto'
import { runStep } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { misuse } from './failure.ts'
import { declareRecording, evidenceFolder, putLink, type PathFlags, type RecordingFlags, recordingOptions } from './recording.ts'
import { declareFormat, declareSigner, requireSigner, signOptions, type SigningFlags } from './signing.ts'
import { escape } from './terminal.ts'
import { millisecondsOf, refuseEmptyProgram } from './words.ts'

interface Flags extends RecordingFlags, PathFlags, SigningFlags {
  recordStreams?: boolean
  /** False under -x. */
  command: boolean
  runTimeout?: string
}

/** `intoto run`. */
export const run: CommandFile = {
  usage: '-n STEP --signing-key REF [-m PATH…] [-p PATH…] -- COMMAND…',
  summary: 'Runs a command and signs a link: what was there before, what after, what ran.',
  examples: [
    ['intoto run -n test --signing-key alice -m . -- npm test', 'evidence that these files were tested'],
    ['intoto run -n build --signing-key ci -m src -p dist -- npm run build', 'evidence of a build, from outside its process'],
    ['intoto run -n review --signing-key alice -m document.pdf -x', 'no command: "I have seen this"'],
  ],
  declare(command) {
    declareRecording(command)
    declareSigner(command)
    declareFormat(command)
    declareRun(command)
    command.argument('[command...]', 'what to run, after --')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    if (!flags.command && call.args.length > 0) call.terminal.note('E_CONFIG run  -x was given: the command is not run')
    if (flags.command && call.args.length === 0)
      throw misuse('run: no command was given', [
        'put it after --, as in: intoto run -n test -- npm test',
        '-x for a step without a command',
      ])
    if (flags.command) refuseEmptyProgram('run', call.args)
    const options = signOptions(flags)
    const signer = await requireSigner(flags, call.terminal)
    const { link, counts, code, signal } = await runStep({
      step: flags.stepName,
      command: flags.command ? call.args : [],
      materials: flags.materials ?? [],
      products: flags.products ?? [],
      streams: flags.recordStreams === true,
      ...(flags.runTimeout === undefined ? {} : { timeout: millisecondsOf('--run-timeout', flags.runTimeout) }),
      ...(await recordingOptions(flags, call.terminal)),
    })
    putLink(await sign(link, [signer], options), flags.metadataDirectory ?? evidenceFolder(), call.terminal, counts)
    // Whoever reads only the last line must not take the link for evidence of a success.
    if (code !== 0) {
      const { commandLine } = await import('./formats/phrase.ts')
      const how = signal === undefined ? `ended with ${code}` : `was ended by ${signal}`
      call.terminal.complain(`[in-toto] ${escape(flags.stepName)}: ${commandLine(call.args)} ${how}; the link says so`)
    }
    return code
  },
}

function declareRun(command: Command): void {
  command
    .option('-m, --materials <path...>', 'files and folders to record before the command')
    .option('-p, --products <path...>', 'files and folders to record after the command')
    .option('-s, --record-streams', 'keep what the command prints in the link')
    .option('-x, --no-command', 'sign a link without running anything')
    .option('-d, --metadata-directory <dir>', 'where the link goes (default: in-toto/ if it exists, else here)')
    .option('--run-timeout <seconds>', 'stop the command after this time (default: never)')
}
