/** `intoto mock`: a step tried out. Everything here is recorded before and after, streams too, and the link is unsigned: no evidence. */
import { encodeMetadata, sign } from 'intoto'
import { runStep, writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { misuse } from './failure.ts'
import { recordingOptions, summary } from './recording.ts'
import { declareFormat } from './signing.ts'
import { refuseEmptyProgram } from './words.ts'

interface Flags {
  name: string
  format?: 'dsse' | 'metablock'
  useDsse?: boolean
}

/** `intoto mock`. */
export const mock: CommandFile = {
  usage: '-n STEP -- COMMAND…',
  summary: 'Runs a command and writes an unsigned link of everything in this folder, to look at or to sign later.',
  examples: [
    ['intoto mock -n build -- npm run build', 'writes build.link'],
    ['intoto show build.link', 'read it'],
    ['intoto sign -f build.link -k alice', 'sign it after all: build.<key id>.link'],
  ],
  declare(command) {
    command.requiredOption('-n, --name <step>', 'name of the step')
    declareFormat(command)
    command.argument('[command...]', 'what to run, after --')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    if (call.args.length === 0) throw misuse('mock: no command was given', 'put it after --, as in: intoto mock -n test -- npm test')
    refuseEmptyProgram('mock', call.args)
    const options = await recordingOptions({ stepName: flags.name }, call.terminal)
    const { link, counts, code } = await runStep({
      step: flags.name,
      command: call.args,
      materials: ['.'],
      products: ['.'],
      streams: true,
      ...options,
    })
    const file = `${link.name}.link`
    const format = flags.format ?? (flags.useDsse ? 'dsse' : 'metablock')
    writeFileAtomic(file, encodeMetadata(await sign(link, [], { format })))
    call.terminal.note(`[in-toto] ${summary(link, counts)} -> ${file} (unsigned)`)
    return code
  },
}
