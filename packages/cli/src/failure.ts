/**
 * Turns whatever a command throws into one or two lines on stderr and an exit code; main.ts calls it, and the commands that print problems use
 * its lines. It prints no stack trace unless --debug asks for one, and never a key or the contents of a file.
 */
import { InTotoError, type Problem, type ProblemCode } from 'intoto'
import { type Colors, escape, OutputError } from './terminal.ts'

/** What the caller of a program learns from its end. */
export const exitCodes = { ok: 0, refused: 1, usage: 2, internal: 3, interrupted: 130 } as const

/** Problems of the call, not of the evidence: a wrong flag, an absent file, a key that can't be loaded. */
const ofTheCall: ReadonlySet<ProblemCode> = new Set<ProblemCode>(['E_CONFIG', 'E_IO', 'E_KEY', 'E_UNSUPPORTED'])

/** Exit code of an error that a command did not judge by itself; one that a signal brought about knows its own. */
export function exitCodeOf(error: unknown): number {
  const own = (error as { exitCode?: unknown } | undefined)?.exitCode
  if (typeof own === 'number') return own
  if (error instanceof InTotoError) return ofTheCall.has(error.code) ? exitCodes.usage : exitCodes.refused
  if (error instanceof OutputError || isWithoutFolder(error)) return exitCodes.usage
  return exitCodes.internal
}

/** Wrong usage: one line what, one line what to type. */
export function misuse(message: string, fix: string | readonly string[] = []): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}

/**
 * First line of a problem, in the form that editors' problem matchers know: code, subject, text. Where the text names the subject again, it is
 * left out there.
 */
export function headline(p: Problem, paint: Colors): string {
  const line = lineOf(p)
  const code = p.severity === 'error' ? paint.red(p.code) : paint.yellow(p.code)
  return `${code} ${paint.bold(`${subjectOf(p)}${line === undefined ? '' : `:${line}`}`)}  ${textOf(p)}`
}

/** What a problem is about, safe to print. */
export function subjectOf(p: Problem): string {
  return escape(p.file ?? p.step ?? 'intoto') || '""'
}

/** The line of the file that a problem is about, where its text begins with one ("FILE:2:14: …"). */
export function lineOf(p: Problem): number | undefined {
  const line = p.file === undefined ? undefined : inFile(p)?.[1]
  return line === undefined ? undefined : Number(line)
}

/** What is said of the subject, safe to print and without naming it again. */
export function textOf(p: Problem): string {
  const place = inFile(p)
  if (place !== null) return `column ${place[2]}: ${place[3]}`
  const message = escape(p.message)
  const named = `${subjectOf(p)}: `
  const at = message.indexOf(named)
  if (at < 0) return message
  const before = message.slice(0, at).trimEnd()
  return before === '' ? message.slice(named.length) : `${before}: ${message.slice(at + named.length)}`
}

/** Line, column and text of a message that begins with the file and a place in it. */
function inFile(p: Problem): RegExpExecArray | null {
  const message = escape(p.message)
  const subject = subjectOf(p)
  return message.startsWith(`${subject}:`) ? /^:(\d+):(\d+): (.*)$/.exec(message.slice(subject.length)) : null
}

/** The lines for an error that ended a command. */
export function failureLines(error: unknown, o: { paint: Colors; debug: boolean }): string[] {
  const lines: string[] = []
  if (error instanceof InTotoError) {
    lines.push(headline(error.problem, o.paint))
    const [fix] = error.problem.fix
    if (fix !== undefined) lines.push(`  try            ${escape(fix)}`)
  } else if (error instanceof OutputError) {
    lines.push(`${o.paint.red('E_IO')} stdout  the result can't be written: ${escape(error.message)}`)
  } else if (isWithoutFolder(error)) {
    lines.push(`${o.paint.red('E_IO')} .  the working directory no longer exists`, '  try            cd into a folder that does')
  } else {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    lines.push(`${o.paint.red('internal error')}  ${escape(message.split('\n')[0] ?? '')}`)
    if (!o.debug) lines.push('  try            the same command with --debug, and report what it prints')
  }
  if (o.debug && error instanceof Error) lines.push(...traces(error))
  return lines
}

/** The working directory was removed under us; every relative path is then without meaning. */
function isWithoutFolder(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'uv_cwd'
}

/** The stack of an error and of its causes. */
function traces(error: Error): string[] {
  const lines = (error.stack ?? '').split('\n').map((line) => escape(line))
  return error.cause instanceof Error ? [...lines, 'caused by', ...traces(error.cause)] : lines
}
