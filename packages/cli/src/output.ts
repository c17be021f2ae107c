/**
 * Where renderings go: `--format NAME` and `--output FILE`, several of each, an --output belonging to the --format before it. Files are written
 * whole or not at all, before the verdict is printed. In GitHub Actions text comes with annotations and a job summary.
 */
import { appendFileSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative, sep } from 'node:path'
import { InTotoError, type Problem, type Report, utf8 } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { misuse } from './failure.ts'
import { type Command, Option, UnfitValue } from './flags.ts'
import { type Context, formats } from './formats/format.ts'
import { refuseTarget } from './target.ts'
import { createColors, type Terminal } from './terminal.ts'

/** One rendering and the file it goes to; stdout without one. */
export interface Output {
  readonly format: string
  readonly file?: string
}

/** What the flags of `declareOutput` leave behind. */
export interface OutputFlags {
  outputs?: Output[]
}

/** A job summary must stay below this, with all that a step writes to it; GitHub shows nothing of a larger one. */
const mostSummary = 1024 * 1024

/** Adds --format and --output; their order on the command line matters, so both feed one list. */
export function declareOutput(command: Command): void {
  const outputs: Output[] = []
  const names = Object.keys(formats)
  const format = new Option('--format <format>', 'how it is told; may be given several times (default: text)').argParser((name: string) => {
    if (!Object.hasOwn(formats, name)) throw new UnfitValue(`It is none of ${names.join(', ')}.`)
    outputs.push({ format: name })
    command.setOptionValue('outputs', outputs)
    return name
  })
  command
    .addOption(format.named(names))
    .option('--output <file>', 'file for the --format before it, in place of stdout', (file: string) => {
      const last = outputs.pop() ?? { format: 'text' }
      if (last.file !== undefined) throw new UnfitValue('Give a --format before each --output.')
      outputs.push({ ...last, file })
      command.setOptionValue('outputs', outputs)
      return file
    })
}

/**
 * Refuses files for renderings that hold something else; before anything is judged.
 * @throws InTotoError E_CONFIG
 */
export function refuseOutputs(outputs: readonly Output[], o: { command: string; inputs: readonly string[] }): void {
  for (const { file } of outputs) if (file !== undefined) refuseTarget(file, { ...o, content: 'a report' })
}

/** What there is to write, and how. */
export interface Writing {
  readonly outputs: readonly Output[] | undefined
  readonly context: Omit<Context, 'paint'>
  readonly terminal: Terminal
  /** Print text when nothing else goes to stdout; true unless said otherwise. */
  readonly withText?: boolean
}

/**
 * Renders a Report to all the places that were asked for.
 * @throws InTotoError E_CONFIG for two renderings on stdout, E_IO when a file can't be written; OutputError for stdout
 */
export async function writeReport(report: Report, o: Writing): Promise<void> {
  const asked: readonly Output[] = o.outputs ?? []
  const outputs = o.withText === false || asked.some((output) => output.file === undefined) ? asked : [...asked, { format: 'text' }]
  if (outputs.filter((output) => output.file === undefined).length > 1)
    throw misuse('two formats for stdout', 'give each but one an --output FILE')
  const context = { ...o.context, ...workspaceOf(process.env) }
  const plain = { ...context, paint: createColors(false) }
  for (const { format, file } of outputs) {
    if (file !== undefined) writeFileAtomic(file, utf8(await rendering(format, report, plain)))
  }
  if (process.env['GITHUB_ACTIONS'] === 'true') await annotate(report, { outputs, context: plain, terminal: o.terminal })
  for (const { format, file } of outputs) {
    if (file !== undefined) continue
    const text = await rendering(format, report, { ...context, paint: o.terminal.out })
    if (asked.some((output) => output.file === undefined)) o.terminal.give(text)
    else o.terminal.print(text)
  }
  if (o.withText !== false && outputs !== asked) await complainQuietly(errorsOf(report.problems), o.terminal)
}

/** Under --quiet, where no verdict is printed, the problems that made it a no: to stderr, as a failure of the call is. */
export async function complainQuietly(deciding: readonly Problem[], terminal: Terminal): Promise<void> {
  if (!terminal.quiet || deciding.length === 0) return
  const { mostProblems, problemLines } = await import('./formats/text.ts')
  const shown = deciding.slice(0, mostProblems)
  for (const line of shown.flatMap((p) => problemLines(p, { paint: terminal.err, verbose: false }))) terminal.complain(line)
  if (shown.length < deciding.length) terminal.complain(`… and ${deciding.length - shown.length} more`)
}

/** The problems that make a verdict a no. */
export function errorsOf(problems: readonly Problem[]): Problem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/** One rendering of a Report. */
async function rendering(format: string, report: Report, context: Context): Promise<string> {
  const render = await formats[format]?.()
  return render === undefined ? '' : render(report, context)
}

/** Annotations beside text (on stderr, which the runner reads too) and the job summary, where the runner offers a file for it. */
async function annotate(report: Report, o: { outputs: readonly Output[]; context: Context; terminal: Terminal }): Promise<void> {
  if (!o.outputs.some((output) => output.format === 'github')) o.terminal.note((await rendering('github', report, o.context)).trimEnd())
  const file = process.env['GITHUB_STEP_SUMMARY']
  if (file === undefined || file === '') return
  const summary = await rendering('markdown', report, o.context)
  try {
    const written = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    appendFileSync(file, fitting(summary, mostSummary - 1 - written))
  } catch (cause) {
    throw new InTotoError({ code: 'E_IO', message: 'cannot write the job summary', file, fix: 'unset GITHUB_STEP_SUMMARY' }, { cause })
  }
}

/** As many whole lines of a summary as there is room for. */
function fitting(summary: string, room: number): string {
  if (utf8(summary).length <= room) return summary
  const rest = '\n… and more than a job summary can hold.\n'
  const kept = new TextDecoder().decode(utf8(summary).subarray(0, Math.max(0, room - utf8(rest).length)))
  return kept === '' ? '' : kept.slice(0, kept.lastIndexOf('\n') + 1) + rest
}

/** Where the working directory is in the folder whose files GitHub or GitLab shows: they name files from there. */
function workspaceOf(env: NodeJS.ProcessEnv): { workspace?: string } {
  const root = env['GITHUB_WORKSPACE'] || env['CI_PROJECT_DIR']
  if (root === undefined || root === '') return {}
  try {
    const below = relative(realpathSync(root), realpathSync('.'))
    return below.startsWith('..') || isAbsolute(below) ? {} : { workspace: below.split(sep).join('/') }
  } catch {
    return {} // It only says where things are shown.
  }
}
