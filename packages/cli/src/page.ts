/**
 * `intoto page`: writes the verifier page, one HTML file that judges in the browser what is dropped on it. For people without Node; it can be sent,
 * opened from disk, or served as it is.
 */
import { readFileSync } from 'node:fs'
import { writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes } from './failure.ts'
import { refuseTarget } from './target.ts'
import { escape } from './terminal.ts'

interface Flags {
  output: string
}

/** The build has put it beside the entry, and this file with the other chunks below. */
const page = new URL('../verifier.html', import.meta.url)

/** `intoto page`. */
export const pageCommand: CommandFile = {
  usage: '[-o FILE]',
  summary: 'Writes the verifier page: one HTML file that verifies in the browser, without server and without network.',
  examples: [
    ['intoto page', 'writes in-toto-verifier.html; open it in a browser'],
    ['intoto page --output public/verify/index.html', 'to be served beside what you publish'],
  ],
  declare(command) {
    command.option('-o, --output <file>', 'file to write', 'in-toto-verifier.html')
  },
  async run(call: Call) {
    const { output } = call.options as unknown as Flags
    refuseTarget(output, { command: 'page', content: 'a report' })
    writeFileAtomic(output, readFileSync(page))
    call.terminal.print(`${escape(output)}  open it in a browser\n`)
    return exitCodes.ok
  },
}
