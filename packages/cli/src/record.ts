/**
 * `intoto record start|stop`: a step that is no single command, recorded in two calls with a signed, unfinished link between them; and
 * `intoto record source`, the link of the first step. None of them runs anything of the project.
 */
import type { Command } from './flags.ts'
import { sign } from 'intoto'
import { recordSource, recordStart, recordStop } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { declareRecording, evidenceFolder, putLink, type PathFlags, type RecordingFlags, recordingOptions, summary } from './recording.ts'
import { declareFormat, declareSigner, requireSigner, signOptions, type SigningFlags } from './signing.ts'
import { escape } from './terminal.ts'

type Flags = RecordingFlags & PathFlags & SigningFlags

const twoCalls = [
  ['intoto record start -n edit --signing-key alice -m src', 'before the work'],
  ['intoto record stop -n edit --signing-key alice -p src', 'after it'],
] as const

/** `intoto record start`. */
export const start: CommandFile = {
  usage: '-n STEP --signing-key REF [-m PATH…]',
  summary: 'Records materials into a signed, unfinished link in this folder; "record stop" finishes it.',
  examples: twoCalls,
  declare(command) {
    declareRecording(command)
    declareSigner(command)
    declareFormat(command)
    command.option('-m, --materials <path...>', 'files and folders to record')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const signer = await requireSigner(flags, call.terminal)
    const options = { ...(await recordingOptions(flags, call.terminal)), ...signOptions(flags) }
    const path = await recordStart({ ...options, step: flags.stepName, signer, materials: flags.materials ?? [] })
    call.terminal.note(`[in-toto] ${escape(flags.stepName)}: started -> ${escape(path)} (unfinished)`)
    return 0
  },
}

/** `intoto record stop`. */
export const stop: CommandFile = {
  usage: '-n STEP --signing-key REF [-p PATH…] [-d DIR]',
  summary: 'Checks the unfinished link of "record start", records products into it, signs it and puts it in place.',
  examples: twoCalls,
  declare(command) {
    declareRecording(command)
    declareSigner(command)
    declareFormat(command)
    command.option('-p, --products <path...>', 'files and folders to record')
    declareFolder(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const signer = await requireSigner(flags, call.terminal)
    const { format: asked, ...signing } = signOptions(flags)
    const options = {
      ...(await recordingOptions(flags, call.terminal)),
      ...signing,
      ...(flags.format || flags.useDsse ? { format: asked } : {}),
    }
    const linkFolder = flags.metadataDirectory ?? evidenceFolder()
    const { metadata, path } = await recordStop({ ...options, step: flags.stepName, signer, products: flags.products ?? [], linkFolder })
    call.terminal.note(`[in-toto] ${summary(metadata.payload)} -> ${escape(path)} (signed)`)
    return 0
  },
}

/** `intoto record source`. */
export const source: CommandFile = {
  usage: '--signing-key REF [-n source] [-d DIR]',
  summary: 'Signs a link whose products are the files that git tracks, with the bytes that lie in the working tree.',
  examples: [
    ['intoto record source --signing-key alice', 'writes in-toto/source.<key id>.link'],
    ['intoto record source --signing-key env:INTOTO_KEY -d evidence', 'in CI, into another folder'],
  ],
  declare(command) {
    declareSigner(command)
    declareFormat(command)
    command.option('-n, --step-name <step>', 'step of the layout that this is evidence of', 'source')
    command.option('--base-path <dir>', 'folder that names are relative to (default: here)')
    declareFolder(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const signer = await requireSigner(flags, call.terminal)
    const { base, warn } = await recordingOptions(flags, call.terminal)
    const link = await recordSource({
      cwd: process.cwd(),
      step: flags.stepName,
      progress: call.terminal.progress.files,
      ...(base === undefined ? {} : { base }),
      ...(warn === undefined ? {} : { warn }),
    })
    if ((link.byproducts['git'] as { dirty?: unknown } | undefined)?.dirty === true)
      call.terminal.note('[in-toto] source: the working tree differs from the commit; the link says so')
    putLink(await sign(link, [signer], signOptions(flags)), flags.metadataDirectory ?? evidenceFolder(), call.terminal)
    return 0
  },
}

function declareFolder(command: Command): void {
  command.option('-d, --metadata-directory <dir>', 'where the link goes (default: in-toto/ if it exists, else here)')
}
