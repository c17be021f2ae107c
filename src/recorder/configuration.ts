/**
 * The configuration that a bundler's command loads, for commands that do not tell: named on the command line, or found by its usual name. Called by
 * adapters while a run begins; what the file imports belongs to it.
 */
import { existsSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { importedFiles } from './baseline.ts'

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
}

const extensions: readonly string[] = ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts']

/** `webpack.config.js`, `webpack.config.mjs` and so on, in an order of extensions. */
export function usualNames(tool: string, order: readonly string[] = extensions): string[] {
  return order.map((extension) => `${tool}.config.${extension}`)
}

/** The configuration and what it imports; empty for other commands, scripts and hosts. */
export function configurationFiles(
  { commands, usual, folder = process.cwd(), asked = false }: Finder,
  argv: readonly string[] = process.argv,
): Set<string> {
  if (commands !== undefined && !commands.includes(commandName(argv))) return new Set()
  const flags = argv.flatMap((argument, i) => valueOf(argument, argv[i + 1]) ?? [])
  if (asked && flags.length === 0) return new Set()
  const named = flags.filter((value) => value !== '')
  const found = named.length > 0 ? named : usual.filter((name) => existsSync(resolve(folder, name))).slice(0, 1)
  return new Set(found.flatMap((file) => [...importedFiles(resolve(folder, file))]))
}

/** The bin or script that was started, without its extension. */
export function commandName(argv: readonly string[] = process.argv): string {
  return basename(argv[1] ?? '', extname(argv[1] ?? ''))
}

/** `-c FILE`, `--config FILE`, `--config=FILE`; the empty text when the file is left to the tool. */
function valueOf(argument: string, next: string | undefined): string | undefined {
  if (argument.startsWith('--config=')) return argument.slice('--config='.length)
  if (argument !== '-c' && argument !== '--config') return undefined
  return next === undefined || next.startsWith('-') ? '' : next
}
