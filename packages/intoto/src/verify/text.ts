/**
 * The words of the verification: names, keys, digests and commands as a person compares them. Called by whatever makes problems. Names come
 * from outside: whatever could move a cursor or turn a line around is written as an escape.
 */
import type { DigestMap } from '../model/artifact.ts'
import type { Step } from '../model/layout.ts'
import type { Who } from './report.ts'

/** Most names, told without the tables of Unicode, which take a while to set up. */
const plain = /^[\x20-\x7e]*$/

/** A name from outside, safe to print. */
export function shown(name: string): string {
  if (plain.test(name)) return name
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** `alice (4f3c9a1b)`, or the beginning of the id alone. */
export function whoText({ keyid, name }: Who): string {
  const short = shown(keyid.slice(0, 8))
  return name === undefined ? short : `${shown(name)} (${short})`
}

/** One digest in full: the first algorithm of which the two maps tell different things, else the first there is. */
export function digestText(digests: DigestMap, other?: DigestMap): string {
  const algorithms = Object.keys(digests)
  const differs = (algorithm: string): boolean => other !== undefined && other[algorithm] !== digests[algorithm]
  const algorithm = algorithms.find((name) => differs(name) && Object.hasOwn(other!, name)) ?? algorithms.find(differs) ?? algorithms[0]
  return algorithm === undefined ? 'no digest' : `${shown(algorithm)} ${digests[algorithm]}`
}

/** A command as one line; arguments that would be read otherwise are quoted. */
export function commandText(command: readonly string[]): string {
  return command.length === 0 ? 'nothing' : command.map(wordText).join(' ')
}

/** One word of a command line, so that a shell to which it is copied takes it for that word: nothing in it is carried out. */
export function wordText(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  const text = shown(word)
  return /[$`!"'\\]/.test(text) ? `'${text.replaceAll("'", `'\\''`)}'` : `"${text}"`
}

/** What to type so that a step gets its link. Whoever packs has a command of our own for it: only that one knows the file that the client wrote. */
export function carryOutText({ name, expected_command: command }: Step): string {
  if (command.includes('pack') && /^(?:npm|pnpm|yarn|bun)$/.test(command[0] ?? '')) {
    const step = name === 'package' ? '' : ` -n ${wordText(name)}`
    return `npx intoto pack${step} --signing-key KEY, or the script "postpack": "intoto postpack${step}"`
  }
  return `npx intoto run -n ${wordText(name)} --signing-key KEY -- ${command.length === 0 ? 'COMMAND' : commandText(command)}`
}

/** `1 link`, `2 links`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** ` (and 12 more)`, or nothing. */
export function more(number: number): string {
  return number > 0 ? ` (and ${number} more like it)` : ''
}
