/**
 * What Node or Bun was started with: the script, and files that flags name, which are read before it. Called when a run ends. Tools and what lies outside
 * of the project (a debugger's hook, a global command) are none of its inputs.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownScript } from './command.ts'
import { isDependency, isWithin, projectOf, type Root } from './place.ts'

/** Flags of both, `--flag FILE` or `--flag=FILE`: Node's documentation of its command line, Bun's of `bun run`. */
const reading = /^(?:--(?:env-file(?:-if-exists)?|import|require|(?:experimental-)?loader|preload)|-r)(?:=(.*))?$/s

/** Flags are relative to the folder in which the process began. */
const start = process.cwd()

/** Absolute paths of the script and of what flags name, as far as they belong to the project around a root. */
export function startFiles(root: Root, argv: readonly string[] = process.argv, flags: readonly string[] = allFlags()): string[] {
  const script = ownScript(argv)
  const named = flags.flatMap((flag, i) => {
    const [isReading, value = flags[i + 1]] = reading.exec(flag) ?? []
    if (isReading === undefined || value === undefined) return []
    return value.startsWith('file:') ? fileURLToPath(value) : resolve(start, value)
  })
  const own = [root.given, root.real, projectOf(root.real)]
  return [...(script === undefined ? [] : [script]), ...named].filter(
    (path) => !isDependency(path) && own.some((folder) => isWithin(folder, path)),
  )
}

function allFlags(): string[] {
  return [...(process.env['NODE_OPTIONS'] ?? '').split(' '), ...process.execArgv]
}
