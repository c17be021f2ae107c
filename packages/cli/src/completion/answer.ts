/**
 * What may stand at a place of a line that is being typed: commands, flags, values that have names; or file names, which the shell knows better. One candidate a
 * line, its meaning behind a tab. It runs nothing and never fails: of a line that makes no sense there is nothing to say.
 */
import type { Argument, Command, Option } from 'commander'
import type { CommandFile, CommandList } from '../command.ts'
import { declaredFor } from '../commander.ts'
import { escape } from '../terminal.ts'

/** The answer that lets the shell complete file names. */
export const files = ':files\n'

type Candidate = readonly [word: string, meaning: string]

/**
 * Candidates for one place.
 * @param words those behind `intoto`
 * @param at which of them is being typed; one behind the last where none is begun
 */
export async function answer(words: readonly string[], at: number, commands: CommandList): Promise<string> {
  const typed = whole([...words.slice(0, at), words[at] ?? ''])
  const [before, current] = [typed.slice(0, -1), typed.at(-1) ?? '']
  const [first = '', second = ''] = before
  if (before.length === 0)
    return lines(current, [...firstWords(commands), ['--help', 'list the commands'], ['--version', 'say which version this is']])
  const group = Object.keys(commands).filter((name) => name.startsWith(`${first} `))
  if (group.length > 0 && before.length === 1)
    return lines(
      current,
      group.map((name) => [name.slice(first.length + 1), commands[name]?.[0] ?? '']),
    )
  const name = group.length > 0 ? `${first} ${second}` : first
  const load = Object.hasOwn(commands, name) ? commands[name]?.[1] : undefined
  return load === undefined ? '' : inCommand(name, await load(), { before: before.slice(group.length > 0 ? 2 : 1), current })
}

/** bash cuts words at "=", so that "--flag=value" comes as three. */
function whole(words: readonly string[]): string[] {
  const typed: string[] = []
  for (const [place, word] of words.entries()) {
    const [last = '', isSplit] = [typed.at(-1), words[place - 1] === '=' && typed.at(-1)?.startsWith('--') === true]
    if (last.startsWith('--') && (word === '=' || isSplit)) typed[typed.length - 1] = last + word
    else typed.push(word)
  }
  return typed
}

/** First words of all commands; of a group, with what is in it. */
function firstWords(commands: CommandList): Candidate[] {
  const found = new Map<string, string>()
  for (const [name, [summary]] of Object.entries(commands)) {
    const [first = '', second] = name.split(' ')
    const known = found.get(first)
    found.set(first, second === undefined ? summary : known === undefined ? second : `${known}, ${second}`)
  }
  return [...found]
}

function inCommand(name: string, file: CommandFile, o: { before: readonly string[]; current: string }): string {
  const command = declaredFor(name, file)
  const options = command.createHelp().visibleOptions(command)
  const { before, current } = o
  if (before.includes('--')) return files
  const inline = /^(--[\w-]+)=/.exec(current)
  if (inline !== null) {
    const values = options.find(({ long }) => long === inline[1])?.argChoices
    return values === undefined
      ? files
      : lines(
          current,
          values.map((value) => [`${inline[0]}${value}`, '']),
        )
  }
  if (current.startsWith('-')) return lines(current, options.flatMap(flags))
  const open = openOption(options, before)
  if (open !== undefined) return valuesOf(open.argChoices, current)
  const argument = argumentAt(command, options, before)
  // Where nothing else may stand, flags are all there is to say.
  return argument === undefined ? lines(current, options.flatMap(flags)) : valuesOf(argument.argChoices, current)
}

function flags({ long, short, description }: Option): Candidate[] {
  return [long, short].flatMap((word): Candidate[] => (word === null || word === undefined ? [] : [[word, description]]))
}

function valuesOf(names: readonly string[] | undefined, current: string): string {
  return names === undefined
    ? files
    : lines(
        current,
        names.map((name) => [name, '']),
      )
}

/** The option that takes the next word: the one before it, or an earlier one that takes several. */
function openOption(options: readonly Option[], before: readonly string[]): Option | undefined {
  const place = before.findLastIndex((word) => word.startsWith('-'))
  const option = options.find(({ long, short }) => [long, short].includes(before[place] ?? ''))
  const isNext = place === before.length - 1
  return option !== undefined && (option.variadic || ((option.required || option.optional) && isNext)) ? option : undefined
}

/** The argument that the next word would be. */
function argumentAt(command: Command, options: readonly Option[], before: readonly string[]): Argument | undefined {
  const taken = before.filter((word, place) => !word.startsWith('-') && openOption(options, before.slice(0, place)) === undefined).length
  const { registeredArguments } = command
  return registeredArguments[taken] ?? (registeredArguments.at(-1)?.variadic === true ? registeredArguments.at(-1) : undefined)
}

/** Those that begin as what is typed does. */
function lines(current: string, candidates: readonly Candidate[]): string {
  return candidates
    .filter(([word]) => word.startsWith(current))
    .map(([word, meaning]) => `${word}\t${escape(meaning)}\n`)
    .join('')
}
