/** Small languages of flags: NAME=VALUE, command lines, times. Pure. */
import { emptyRecord, parseExpires } from 'intoto'
import { misuse } from './failure.ts'

/** NAME=VALUE, or a value alone. */
export function namedOrBare(word: string): { name?: string; value: string } {
  const at = word.indexOf('=')
  return at <= 0 ? { value: word } : { name: word.slice(0, at), value: word.slice(at + 1) }
}

/**
 * NAME=VALUE words of a flag, a name alone having the empty value.
 * @throws InTotoError E_CONFIG for a name that is given twice
 */
export function pairs(flag: string, words: readonly string[] | undefined): Map<string, string> {
  const values = new Map<string, string>()
  for (const word of words ?? []) {
    const { name, value } = word.includes('=') ? namedOrBare(word) : { name: word, value: '' }
    const key = name ?? ''
    if (values.has(key)) throw misuse(`${flag} names "${key}" twice`, 'name it once')
    values.set(key, value)
  }
  return values
}

/**
 * The words of a command line. Single and double quotes keep blanks together; outside of single ones a backslash takes the next character as it is.
 * @throws InTotoError E_CONFIG for an open quotation
 */
export function splitCommand(line: string): string[] {
  const words: string[] = []
  for (const [word] of line.matchAll(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+|["'\\]/gs)) {
    if (word === '"' || word === "'" || word === '\\') throw misuse(`an open quotation in the command: ${line}`, 'close it')
    words.push(word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs, unquoted))
  }
  return words
}

function unquoted(_all: string, double: string | undefined, single: string | undefined, taken: string | undefined): string {
  return double?.replace(/\\(.)/gs, '$1') ?? single ?? taken ?? ''
}

/**
 * Refuses a command line that begins with an empty word, which no system can start: most often a variable that is not set.
 * @throws InTotoError E_CONFIG
 */
export function refuseEmptyProgram(command: string, words: readonly string[]): void {
  if (words[0] === '') throw misuse(`${command}: the command begins with an empty word`, 'name a program after --; is a variable not set?')
}

/**
 * The time that --expires means, to the second, in the one form that layouts have.
 * @throws InTotoError E_CONFIG for anything that is no time to come
 */
export function expiryOf(text: string, now: Date): string {
  if (/^[1-9]\d{0,4}$/.test(text)) return `${new Date(now.getTime() + Number(text) * 86_400_000).toISOString().slice(0, 19)}Z`
  const time = timeOf(text)
  if (time === undefined) throw misuse(`--expires: expected days, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, found "${text}"`, '--expires 90')
  if (time <= now.getTime()) throw misuse(`--expires: ${text} is past`, '--expires 90, or a date to come')
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}

/** Milliseconds of YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ; undefined for anything else. */
export function timeOf(text: string): number | undefined {
  try {
    return parseExpires(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
  } catch {
    return undefined
  }
}

/**
 * Reads a number of seconds, as milliseconds.
 * @throws InTotoError E_CONFIG
 */
export function millisecondsOf(flag: string, text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds < 1e9)) throw misuse(`${flag}: expected a number of seconds above 0, found "${text}"`, `${flag} 60`)
  return seconds * 1000
}

/**
 * NAME=VALUE words of --substitution-parameters.
 * @throws InTotoError E_CONFIG
 */
export function parametersOf(words: readonly string[] | undefined): { [name: string]: string } {
  const parameters = emptyRecord<string>()
  for (const word of words ?? []) {
    const [, name, value] = /^([A-Za-z0-9_-]+)=(.*)$/s.exec(word) ?? []
    if (name === undefined || value === undefined)
      throw misuse(`--substitution-parameters: expected NAME=VALUE, found "${word}"`, '--substitution-parameters NAME=VALUE')
    if (Object.hasOwn(parameters, name)) throw misuse(`--substitution-parameters: "${name}" is given twice`, 'name it once')
    parameters[name] = value
  }
  return parameters
}

/**
 * NAME=NUMBER words of --limit, for these names.
 * @throws InTotoError E_CONFIG
 */
export function limitsOf(words: readonly string[] | undefined, names: readonly string[]): { [name: string]: number } {
  const limits: { [name: string]: number } = {}
  for (const word of words ?? []) {
    const [, name = '', value = ''] = /^(\w+)=(\d+)$/.exec(word) ?? []
    if (!names.includes(name) || !Number.isSafeInteger(Number(value)))
      throw misuse(`--limit: expected NAME=NUMBER, found "${word}"`, names.join(', '))
    limits[name] = Number(value)
  }
  return limits
}
