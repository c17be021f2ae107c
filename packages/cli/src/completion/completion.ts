/**
 * `intoto completion`: a script for a shell, and the answers that the script asks for. main.ts hands over the list of commands; the one that is being typed is loaded
 * and asked for its declarations, so nothing is listed twice and nothing else is loaded.
 */
import type { Call, CommandFile, CommandList } from '../command.ts'
import { exitCodes, misuse } from '../failure.ts'
import { Option, UnfitValue } from '../flags.ts'
import { answer } from './answer.ts'
import { scripts } from './script.ts'

interface Flags {
  at?: number
}

/** `intoto completion`, which knows all commands. */
export function completionOf(commands: CommandList): CommandFile {
  const shells = Object.keys(scripts)
  return {
    usage: shells.join('|'),
    summary: 'Prints a script that completes commands, flags and their values in your shell, and file names elsewhere.',
    examples: [
      ['eval "$(intoto completion bash)"', 'in ~/.bashrc'],
      ['eval "$(intoto completion zsh)"', 'in ~/.zshrc, behind compinit'],
      ['intoto completion fish > ~/.config/fish/completions/intoto.fish', 'once'],
      ['intoto completion powershell | Out-String | Invoke-Expression', 'in $PROFILE'],
    ],
    declare(command) {
      // The words of a line that is being typed come through the same argument.
      command.namedArgument('[shell...]', 'your shell', shells)
      command.addOption(new Option('--at <number>', 'what may stand at this place of the words behind --').argParser(placeOf).hideHelp())
    },
    async run({ args, options, terminal }: Call) {
      const { at } = options as Flags
      if (at !== undefined) {
        terminal.give(await answer(args, at, commands))
        return exitCodes.ok
      }
      const [shell = ''] = args
      const script = Object.hasOwn(scripts, shell) && args.length === 1 ? scripts[shell] : undefined
      if (script === undefined)
        throw misuse(`completion: expected ${shells.join(', ')}, found "${args.join(' ')}"`, 'intoto completion bash')
      terminal.give(script)
      return exitCodes.ok
    },
  }
}

function placeOf(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new UnfitValue('It is no place of a word.')
  return Number(text)
}
