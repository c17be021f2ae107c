/**
 * What a command is: its help, its flags and one function. Every command file exports one or more of these; main.ts runs them through
 * commander. Nothing here knows a particular command.
 */
import { Command, CommanderError, type Option, type OptionValues } from 'commander'
import { misuse } from './failure.ts'
import type { Terminal } from './terminal.ts'

/** A command as main.ts runs it. */
export interface CommandFile {
  /** What follows the command's name in its usage line. */
  readonly usage: string
  /** Sentence of the overview and of --help. */
  readonly summary: string
  /** Command lines that work, with a word on each; --help opens with them. */
  readonly examples: readonly (readonly [line: string, remark: string])[]
  /** Adds arguments and flags. */
  declare(command: Command): void
  /** Does the work and answers with the exit code. */
  run(call: Call): Promise<number>
}

/** One call of a command. */
export interface Call {
  readonly args: readonly string[]
  readonly options: OptionValues
  readonly terminal: Terminal
}

/** Every command by its name, of one word or two: its line in the overview and how to load it. */
export type CommandList = Readonly<Record<string, readonly [summary: string, load: () => Promise<CommandFile>]>>

/** The result of reading a command line: values, or the help that was asked for. */
export type Parsed = { help: string } | { args: readonly string[]; options: OptionValues }

/** A command with all its arguments and flags, those that every command has included. */
export function declared(name: string, file: CommandFile): Command {
  const command = new Command(`intoto ${name}`)
  command
    .usage(file.usage)
    .description(file.summary)
    .exitOverride()
    .allowExcessArguments(false)
    .addHelpText('before', `${exampleLines(file).join('\n')}\n`)
  file.declare(command)
  return command
    .option('-v, --verbose', 'say more')
    .option('-q, --quiet', 'say nothing but failures')
    .option('--debug', 'print stack traces')
    .helpOption('-h, --help', 'show this help')
}

/** An option whose values have names; what checks them is the command's own, help and completion tell them. */
export function withNames(option: Option, names: readonly string[]): Option {
  option.argChoices = [...names]
  return option
}

/**
 * Reads the words after a command's name.
 * @throws InTotoError E_CONFIG for unknown flags, missing values and superfluous arguments, with the nearest flag where there is one
 */
export function parseCall(name: string, file: CommandFile, words: readonly string[]): Parsed {
  let help = ''
  const command = declared(name, file)
  command.configureOutput({ writeOut: (text) => void (help += text), writeErr: () => {} })
  try {
    command.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return { help }
    const [message = '', hint = ''] = error.message.replace(/^error: /, '').split('\n')
    const nearest = /^\((.*)\)$/.exec(hint)?.[1]
    throw misuse(
      `${name}: ${message}`,
      nearest ? [nearest.replace(/^Did you mean (?:one of )?/, '').replace(/\?$/, '')] : [`intoto ${name} --help`],
    )
  }
  return { args: command.args, options: command.opts() }
}

/** The examples of a command, remarks aligned. */
function exampleLines(file: CommandFile): string[] {
  const width = Math.max(...file.examples.map(([line]) => line.length))
  return file.examples.map(([line, remark]) => `  ${line.padEnd(width)}   ${remark}`)
}
