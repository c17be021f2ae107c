/**
 * The configuration that a bundler's command loads, for commands that do not tell: named on the command line, or found by its usual name. Called by
 * adapters while a run begins; what the file imports belongs to it.
 */
import { existsSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { importedFiles, textOf } from './baseline.ts'

/** How a command finds its configuration. */
export interface Finder {
  /** Names of the commands that load one; whoever started the process unless given. */
  readonly commands?: readonly string[]
  /** File names in the order of the tool; the first that is there is taken when none is named. */
  readonly usual: readonly string[]
  /** Where the tool looks; the working folder unless given. */
  readonly folder?: string
  /** Whether the tool looks for one only when it is asked to. */
  readonly asked?: boolean
  /** Whether it reads its words as commander does, `-cFILE` and several files behind one flag; in all others letters behind `-c` are flags of their own. */
  readonly joined?: boolean
}

const extensions: readonly string[] = ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts']

/** `webpack.config.js`, `webpack.config.mjs` and so on, in an order of extensions. */
export function usualNames(tool: string, order: readonly string[] = extensions): string[] {
  return order.map((extension) => `${tool}.config.${extension}`)
}

/** The configuration, what it imports and what it extends; empty for other commands, scripts and hosts. */
export function configurationFiles(
  { commands, usual, folder = process.cwd(), asked = false, joined = false }: Finder,
  argv: readonly string[] = process.argv,
): Set<string> {
  if (commands !== undefined && !commands.includes(commandName(argv))) return new Set()
  const flags = namedConfigurations(argv, joined)
  if (asked && flags.length === 0) return new Set()
  const named = flags.filter((value) => value !== '')
  const found = named.length > 0 ? named : usual.filter((name) => existsSync(resolve(folder, name))).slice(0, 1)
  return withExtended(found.map((file) => resolve(folder, file)))
}

/** The bin or script that was started, without its extension. */
export function commandName(argv: readonly string[] = process.argv): string {
  return basename(argv[1] ?? '', extname(argv[1] ?? ''))
}

/** What stands behind each `-c` and `--config`; the empty text where the file is left to the tool. */
export function namedConfigurations(argv: readonly string[], joined = false): string[] {
  return argv.flatMap((argument, i) => {
    const [, value] = (joined ? /^(?:-[mw]*c=?|--config(?:=|$))(.*)$/s : /^(?:-[A-Za-z]*c|--config)(?:=(.*))?$/s).exec(argument) ?? []
    if (value !== undefined && value !== '') return [value]
    if (!/^(?:-[A-Za-z]*c|--config)=?$/.test(argument)) return !joined && /^-[A-Za-z]*c/.test(argument) ? [''] : []
    const rest = argv.slice(i + 1)
    const end = rest.findIndex((word) => word.startsWith('-'))
    const behind = rest.slice(0, end < 0 ? undefined : end).slice(0, joined ? undefined : 1)
    return behind.length > 0 ? behind : ['']
  })
}

/** `extends: './base.mjs'` of webpack and Rspack, which their commands load: from the working folder the one, from beside the file the other. */
function withExtended(files: readonly string[]): Set<string> {
  const found = new Set<string>()
  const open = [...files]
  for (let start = open.pop(); start !== undefined; start = open.pop()) {
    for (const file of importedFiles(start)) {
      if (found.has(file)) continue
      found.add(file)
      for (const [, list = ''] of textOf(file).matchAll(/\bextends['"]?\s*:\s*(\[[^\]]*\]|(['"]).*?\2)/g))
        for (const [, , name = ''] of list.matchAll(/(['"])(.+?)\1/g)) open.push(resolve(dirname(file), name), resolve(name))
    }
  }
  return found
}
