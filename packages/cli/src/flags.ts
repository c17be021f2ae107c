/**
 * Reads command lines that are as usual, from the same declarations that commander gets: loading commander is half of what a short command costs.
 * Whatever is not plainly right (an unknown flag, a missing value, --help, a refused choice) is left to commander, which decides and finds the
 * words. So both must agree wherever this one answers, which `test/cli/flags.test.ts` holds against random command lines.
 */

import type { OptionValues } from 'commander'

/** Turns a flag's word into its value; may throw `UnfitValue`. */
export type Parse = (word: string) => unknown

/** A word that a flag does not take; says why, in a sentence. */
export class UnfitValue extends Error {}

/** A flag with more to it than name, meaning and default. */
export class Option {
  readonly flags: string
  readonly description: string
  words: readonly string[] | undefined
  names: readonly string[] | undefined
  parse: Parse | undefined
  fallback: unknown
  isHidden = false

  constructor(flags: string, description: string) {
    this.flags = flags
    this.description = description
  }

  choices(words: readonly string[]): this {
    this.words = words
    return this
  }

  /** Values that have names; what checks them is the command's own, help and completion tell them. */
  named(words: readonly string[]): this {
    this.names = words
    return this
  }

  argParser(parse: Parse): this {
    this.parse = parse
    return this
  }

  default(value: unknown): this {
    this.fallback = value
    return this
  }

  hideHelp(): this {
    this.isHidden = true
    return this
  }
}

/** What a command declares its arguments and flags on. */
export interface Command {
  readonly options: readonly { readonly long?: string | undefined }[]
  argument(name: string, description: string, fallback?: string): this
  /** One whose values have names, which help and completion tell. */
  namedArgument(name: string, description: string, words: readonly string[]): this
  option(flags: string, description: string, more?: string | string[] | Parse): this
  requiredOption(flags: string, description: string): this
  addOption(option: Option): this
  setOptionValue(name: string, value: unknown): this
}

/** A flag as declared. */
interface Flag {
  readonly long: string
  readonly short: string | undefined
  /** How many words follow. */
  readonly takes: 'none' | 'one' | 'perhaps' | 'many'
  readonly name: string
  /** `--no-x`. */
  readonly negates: boolean
  readonly required: boolean
  readonly parse: Parse | undefined
}

/** What was said: arguments, and values by the names of their flags. */
export interface Said {
  readonly args: readonly string[]
  readonly options: OptionValues
}

/** The declarations of one command, and the plain way of reading words by them. */
export class Declared implements Command {
  readonly options: Flag[] = []
  private readonly values: { [name: string]: unknown } = {}
  private readonly places: { readonly required: boolean; readonly many: boolean }[] = []

  argument(name: string): this {
    this.places.push({ required: name.startsWith('<'), many: name.includes('...') })
    return this
  }

  namedArgument(name: string): this {
    return this.argument(name)
  }

  option(flags: string, _description: string, more?: string | string[] | Parse): this {
    return this.add(flags, { required: false, ...(typeof more === 'function' ? { parse: more } : { fallback: more }) })
  }

  requiredOption(flags: string): this {
    return this.add(flags, { required: true })
  }

  addOption({ flags, words, parse, fallback }: Option): this {
    const choose = (word: string): string => {
      if (words?.includes(word) === false) throw new UnfitValue(word)
      return word
    }
    const check = parse ?? (words === undefined ? undefined : choose)
    return this.add(flags, { required: false, fallback, ...(check === undefined ? {} : { parse: check }) })
  }

  setOptionValue(name: string, value: unknown): this {
    this.values[name] = value
    return this
  }

  private add(flags: string, o: { required: boolean; fallback?: unknown; parse?: Parse }): this {
    const [, short, long = '', value = ''] = /^(?:(-\w), )?(--[\w-]+)(?: (.+))?$/.exec(flags) ?? []
    const negates = long.startsWith('--no-')
    const many = value.includes('...')
    const takes = value === '' ? 'none' : many ? 'many' : value.startsWith('<') ? 'one' : 'perhaps'
    const name = long.slice(negates ? 5 : 2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
    const isTwin = this.options.some((flag) => flag.name === name)
    this.options.push({ long, short, takes, name, negates, required: o.required, parse: o.parse })
    // Of two flags that say yes and no, neither is the default.
    const fallback = negates && !isTwin ? true : o.fallback
    if (fallback !== undefined) this.values[name] = fallback
    return this
  }

  /** What the words say; undefined where commander must be asked. The declarations serve once. */
  read(words: readonly string[]): Said | undefined {
    const args: string[] = []
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      if (word === '--') {
        args.push(...words.slice(i + 1))
        break
      }
      if (!isFlag(word)) {
        args.push(word)
        continue
      }
      const flag = this.options.find(({ long, short }) => word === long || word === short)
      const taken = flag === undefined ? undefined : this.take(flag, words, i + 1)
      if (taken === undefined) return undefined
      i = taken
    }
    if (!this.options.every(({ required, name }) => !required || this.values[name] !== undefined) || !this.fits(args)) return undefined
    return { args, options: this.values }
  }

  /** Takes the words of a flag; gives the place of the last one. */
  private take({ takes, name, negates, parse }: Flag, words: readonly string[], start: number): number | undefined {
    if (takes === 'none') {
      this.values[name] = !negates
      return start - 1
    }
    const most = takes === 'many' ? words.length : Math.min(start + 1, words.length)
    let end = start
    while (end < most && !isFlag(words[end]!)) end++
    const found = words.slice(start, end)
    // A value that looks like a flag, and a list in two pieces.
    if (found.length === 0 && takes !== 'perhaps') return undefined
    if (takes === 'many' && (parse !== undefined || this.values[name] !== undefined)) return undefined
    try {
      this.values[name] = takes === 'many' ? found : found.length === 0 ? true : parse === undefined ? found[0] : parse(found[0]!)
    } catch (error) {
      if (error instanceof UnfitValue) return undefined
      throw error
    }
    return end - 1
  }

  private fits(args: readonly string[]): boolean {
    const least = this.places.filter(({ required }) => required).length
    return args.length >= least && (this.places.some(({ many }) => many) || args.length <= this.places.length)
  }
}

/** Also "-" alone is a word, as commander sees it. */
function isFlag(word: string): boolean {
  return word.length > 1 && word.startsWith('-')
}
