/**
 * What a command is: its help, its flags and one function. Every command file exports one or more of these; main.ts runs them. Nothing here knows a
 * particular command.
 */
import { Declared, type Command, type Said } from './flags.ts'
import type { Terminal } from './terminal.ts'

/** A command as main.ts runs it. */
export interface CommandFile {
  /** What follows the command's name in its usage line. */
  readonly usage: string
  /** Sentence of the overview and of --help. */
  readonly summary: string
  /** Command lines that work, with a word on each; --help opens with them. */
  readonly examples: readonly (readonly [line: string, remark: string])[]
  /** Adds arguments and flags; may be called more than once, each time for a command line read anew. */
  declare(command: Command): void
  /** Does the work and answers with the exit code. */
  run(call: Call): Promise<number>
}

/** One call of a command. */
export interface Call extends Said {
  readonly terminal: Terminal
}

/** Every command by its name, of one word or two: its line in the overview and how to load it. */
export type CommandList = Readonly<Record<string, readonly [summary: string, load: () => Promise<CommandFile>]>>

/** The result of reading a command line: values, or the help that was asked for. */
export type Parsed = { help: string } | Said

/** The arguments and flags of a command, those that every command has included. */
export function declareAll(command: Command, file: CommandFile): void {
  file.declare(command)
  command.option('-v, --verbose', 'say more').option('-q, --quiet', 'say nothing but failures').option('--debug', 'print stack traces')
}

/**
 * Reads the words after a command's name.
 * @throws InTotoError E_CONFIG for unknown flags, missing values and superfluous arguments, with the nearest flag where there is one
 */
export async function parseCall(name: string, file: CommandFile, words: readonly string[]): Promise<Parsed> {
  const declared = new Declared()
  declareAll(declared, file)
  return declared.read(words) ?? (await import('./commander.ts')).parseByCommander(name, file, words)
}
