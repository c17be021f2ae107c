/**
 * The command of the link: what the person ran, as bin name and arguments, the same on every machine. Called when a link is made. Arguments are
 * recorded as given (no secrets belong there), but paths of this machine are turned into relative ones.
 */
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, extname, isAbsolute, relative, sep } from 'node:path'
import { artifactName } from 'intoto'
import { isWithin, type Root } from './place.ts'

/** `vite build --mode x` for a bin, `node build.mjs` for a script. */
export function commandOf(root: Root, argv: readonly string[] = process.argv): string[] {
  const [, script, ...rest] = argv
  if (script === undefined) return ['node', ...rest]
  const start = isBin(script) ? [basename(script, extname(script))] : ['node', portable(script, root)]
  return [...start, ...rest.map((argument) => portableArgument(argument, root))]
}

/** The script that was started, when it is the project's own and not a tool's. */
export function ownScript(argv: readonly string[] = process.argv): string | undefined {
  const script = argv[1]
  return script === undefined || isBin(script) ? undefined : script
}

/** Is this process the command of a bundler itself (`vite`, `webpack-cli`), and not a script or a host that calls it? */
export function isCommandOf(bundler: string, argv: readonly string[] = process.argv): boolean {
  const [, script = ''] = argv
  return isBin(script) && basename(script).startsWith(bundler)
}

function isBin(script: string): boolean {
  return script.split(/[\\/]/).includes('node_modules')
}

function portableArgument(argument: string, root: Root): string {
  const equals = argument.startsWith('-') ? argument.indexOf('=') : -1
  return argument.slice(0, equals + 1) + portable(argument.slice(equals + 1), root)
}

/** Only what surely is a path of this machine is touched: `--base /app/` is none. */
function portable(argument: string, root: Root): string {
  if (!isAbsolute(argument)) return argument
  const below = [root.given, root.real].find((folder) => isWithin(folder, argument) && argument.length > folder.length + 1)
  if (below !== undefined) return artifactName(relative(below, argument), sep)
  const home = homedir()
  if (home !== sep && isWithin(home, argument))
    return isNear(argument, root, home) ? way(argument, root) : `~/${artifactName(relative(home, argument), sep)}`
  return isWithin(tmpdir(), argument) || argument === process.argv[1] ? way(argument, root) : argument
}

function way(path: string, root: Root): string {
  return artifactName(relative(root.real, path), sep)
}

/** Whether the way from the root to a path stays below the home folder, whose name is the user's. */
function isNear(path: string, root: Root, home: string): boolean {
  let common = root.real
  while (!isWithin(common, path)) common = dirname(common)
  return common !== home && isWithin(home, common)
}
