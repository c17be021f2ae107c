/**
 * The flags with which a command is told what to record and where to put the link; shared by run, record and mock. Defaults are the command
 * line's, meanings the library's.
 */
import { statSync } from 'node:fs'
import type { Command } from './flags.ts'
import type { Link, Metadata } from 'intoto'
import { checkStepName, type Exclude, linkDirectory, type RecordOptions, type StepRun } from 'intoto/node'
import { headline, misuse } from './failure.ts'
import { escape, type Terminal } from './terminal.ts'

/** What the flags of `declareRecording` leave behind. */
export interface RecordingFlags {
  stepName: string
  exclude?: string[]
  basePath?: string
  lstripPaths?: string[]
}

/** Flags of paths that the commands declare themselves. */
export interface PathFlags {
  materials?: string[]
  products?: string[]
  metadataDirectory?: string
}

/** Adds the step's name and the flags that shape artifact names. */
export function declareRecording(command: Command): void {
  command
    .requiredOption('-n, --step-name <step>', 'step of the layout that this is evidence of')
    .option('--exclude <pattern...>', 'gitignore patterns of what is not recorded (in place of the defaults: .git, link files)')
    .option('--base-path <dir>', 'folder that paths are relative to; no part of the recorded names')
    .option('--lstrip-paths <prefix...>', 'prefixes to take off the recorded names')
}

/** The folder that evidence lies in where nobody says otherwise: in-toto/ if there is one, else here. */
export function evidenceFolder(): string {
  return statSync('in-toto', { throwIfNoEntry: false })?.isDirectory() ? 'in-toto' : '.'
}

/**
 * The recording flags in the library's words.
 * @throws InTotoError E_CONFIG for a step of which no link file can be named, and for a path that is empty, which would be the whole folder: before
 * anything is run or recorded
 */
export async function recordingOptions(flags: RecordingFlags & PathFlags, terminal: Terminal): Promise<RecordOptions> {
  checkStepName(flags.stepName)
  refuseEmpty('-m', flags.materials)
  refuseEmpty('-p', flags.products)
  refuseEmpty('-d', flags.metadataDirectory)
  refuseEmpty('--base-path', flags.basePath)
  return {
    ...(flags.basePath === undefined ? {} : { base: flags.basePath }),
    ...(flags.exclude === undefined ? {} : { exclude: await excludeOf(flags.exclude) }),
    ...(flags.lstripPaths === undefined ? {} : { lstrip: flags.lstripPaths }),
    warn: (p) => terminal.note(headline(p, terminal.err)),
    progress: terminal.progress.files,
  }
}

/** A variable that is not set leaves an empty word. */
function refuseEmpty(flag: string, given: string | readonly string[] = []): void {
  if ([given].flat().every((path) => path !== '')) return
  throw misuse(`${flag}: the path is empty`, ['see whether the variable that it comes from is set', `${flag} . names this folder`])
}

/** gitignore patterns as a predicate over names; the reference reads its --exclude so. */
export async function excludeOf(patterns: readonly string[]): Promise<Exclude> {
  const { default: ignore } = await import('ignore')
  const ignored = ignore({ allowRelativePaths: true }).add([...patterns])
  return (name, isFolder) => {
    const path = name.replace(/^\/+/, '')
    return path !== '' && ignored.ignores(isFolder ? `${path}/` : path)
  }
}

/** Writes a signed link into a folder and says so on stderr, since stdout belongs to the command that was run. */
export function putLink(link: Metadata<Link>, folder: string, terminal: Terminal, counts?: StepRun['counts']): void {
  const path = linkDirectory(folder).put(link)
  terminal.note(`[in-toto] ${summary(link.payload, counts)} -> ${escape(path)} (signed)`)
}

/** "build: 214 materials, 12 products". */
export function summary(link: Link, counts?: StepRun['counts']): string {
  const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`
  const { materials, products } = counts ?? { materials: Object.keys(link.materials).length, products: Object.keys(link.products).length }
  return `${escape(link.name)}: ${count(materials, 'material')}, ${count(products, 'product')}`
}
