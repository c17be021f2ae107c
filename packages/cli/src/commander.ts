/**
 * Reads command lines through commander: those that flags.ts leaves to it, with everything that it finds wrong, and the help. Loaded by command.ts
 * only then.
 */
import { Argument, Command as Commander, CommanderError, InvalidArgumentError, Option as CommanderOption } from 'commander'
import { declareAll, type CommandFile, type Parsed } from './command.ts'
import { misuse } from './failure.ts'
import { UnfitValue, type Command, type Option, type Parse } from './flags.ts'

/** Commander under the face that commands declare themselves on. */
class Adapter implements Command {
  private readonly command: Commander

  constructor(command: Commander) {
    this.command = command
  }

  get options(): readonly { readonly long?: string | undefined }[] {
    return this.command.options
  }

  argument(name: string, description: string, fallback?: string): this {
    this.command.argument(name, description, fallback)
    return this
  }

  namedArgument(name: string, description: string, words: readonly string[]): this {
    const argument = new Argument(name, description)
    argument.argChoices = [...words]
    this.command.addArgument(argument)
    return this
  }

  option(flags: string, description: string, more?: string | string[] | Parse): this {
    if (typeof more === 'function') this.command.option(flags, description, explained(more))
    else this.command.option(flags, description, more)
    return this
  }

  requiredOption(flags: string, description: string): this {
    this.command.requiredOption(flags, description)
    return this
  }

  addOption({ flags, description, words, names, parse, fallback, isHidden }: Option): this {
    const option = new CommanderOption(flags, description)
    if (words !== undefined) option.choices(words)
    if (names !== undefined) option.argChoices = [...names]
    if (parse !== undefined) option.argParser(explained(parse))
    if (fallback !== undefined) option.default(fallback)
    this.command.addOption(option.hideHelp(isHidden))
    return this
  }

  setOptionValue(name: string, value: unknown): this {
    this.command.setOptionValue(name, value)
    return this
  }
}

/** A refusal of ours in commander's form. */
function explained(parse: Parse): Parse {
  return (word) => {
    try {
      return parse(word)
    } catch (error) {
      throw error instanceof UnfitValue ? new InvalidArgumentError(error.message) : error
    }
  }
}

/** A command as commander knows it, with everything that it declares. */
export function declaredFor(name: string, file: CommandFile): Commander {
  const command = new Commander(`intoto ${name}`)
  command
    .usage(file.usage)
    .description(file.summary)
    .exitOverride()
    .allowExcessArguments(false)
    .addHelpText('before', `${exampleLines(file).join('\n')}\n`)
  declareAll(new Adapter(command), file)
  return command.helpOption('-h, --help', 'show this help')
}

/**
 * Reads the words after a command's name.
 * @throws InTotoError E_CONFIG for unknown flags, missing values and superfluous arguments, with the nearest flag where there is one
 */
export function parseByCommander(name: string, file: CommandFile, words: readonly string[]): Parsed {
  let help = ''
  const command = declaredFor(name, file)
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
