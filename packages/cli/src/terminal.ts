/**
 * Where the commands speak: results to stdout, all else to stderr, colours only where somebody looks, and no character of foreign data that a
 * terminal would obey. Made once by main.ts, handed to every command. Nothing else in this package writes to a stream.
 */
import { fstatSync, statSync, writeSync } from 'node:fs'
import { createProgress, noProgress, type Progress } from './progress.ts'

type Paint = (text: string) => string

/** The paints of one stream; all of them the identity where colours are off. */
export interface Colors {
  readonly isColorSupported: boolean
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
  readonly bold: Paint
  readonly dim: Paint
}

/** How much is said. */
export interface Loudness {
  quiet?: boolean
  verbose?: boolean
  debug?: boolean
}

/** What a command may say, and where. */
export interface Terminal {
  /** Paints for stdout and for stderr; each knows whether its stream is a terminal. */
  readonly out: Colors
  readonly err: Colors
  readonly verbose: boolean
  readonly quiet: boolean
  /** For work that takes long; shows nothing but where a person sits before stderr. */
  readonly progress: Progress
  /**
   * The result, to stdout; nothing under --quiet. Lines end with a line feed of the caller's.
   * @throws OutputError when the text can't be written (a full disk); a closed pipe is not an error
   */
  print(text: string): void
  /** Data that were asked for by name (a --format, a script), to stdout, --quiet or not. @throws OutputError as print does */
  give(text: string): void
  /** Progress and remarks, to stderr; nothing under --quiet. */
  note(line: string): void
  /** Only under --verbose. */
  detail(line: string): void
  /** A failure, to stderr, --quiet or not. */
  complain(line: string): void
}

/** What went wrong while writing a result to stdout; EPIPE is no failure, since a reader that closes has read enough. */
export class OutputError extends Error {
  override readonly name: string = 'OutputError'
}

/** Most text, told without the tables of Unicode, which take a while to set up. */
const harmless = /^(?!.*(?:##|::))[\x20-\x7e]*$/

/**
 * Spells out control, format and stray characters of text that came from a file, so that no name or message can drive a terminal, and the marks by
 * which logs of CI become commands: `##[` anywhere in a line and `::` at its beginning (GitHub), `##vso[` (Azure), `##teamcity[`.
 */
export function escape(text: string): string {
  if (harmless.test(text)) return text
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{NChar}]|(?<=#)#|(?<=^\s*):(?=:)/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** Paints that paint, or that do nothing (ECMA-48, select graphic rendition). */
export function createColors(enabled: boolean): Colors {
  const paint =
    (on: number, off: number): Paint =>
    (text) =>
      enabled ? `\u001b[${on}m${text}\u001b[${off}m` : text
  return {
    isColorSupported: enabled,
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    bold: paint(1, 22),
    dim: paint(2, 22),
  }
}

/** Whether to paint: NO_COLOR forbids, FORCE_COLOR demands, else only on a terminal that is not dumb. */
function hasColors(descriptor: 1 | 2, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0' && env['FORCE_COLOR'] !== 'false'
  return env['TERM'] !== 'dumb' && isTerminal(descriptor)
}

/** A terminal is a character device, but not the one that swallows all; only then it pays to ask Node, whose streams take a tenth of its start to load. */
function isTerminal(descriptor: 1 | 2): boolean {
  try {
    if (process.platform !== 'win32') {
      const stats = fstatSync(descriptor)
      if (!stats.isCharacterDevice() || stats.rdev === statSync('/dev/null', { throwIfNoEntry: false })?.rdev) return false
    }
  } catch {
    return false
  }
  return (descriptor === 1 ? process.stdout : process.stderr).isTTY
}

/** Whether somebody sits there who wants to see a line move: NO_COLOR forbids only colours, and FORCE_COLOR demands nothing else. */
function isWatched(env: NodeJS.ProcessEnv): boolean {
  const inCi = env['CI'] !== undefined && env['CI'] !== '' && env['CI'] !== 'false'
  return !inCi && env['TERM'] !== 'dumb' && isTerminal(2)
}

/** The line of progress that stands on the terminal: whatever else is written takes it away. */
let progress: Progress = noProgress

/** The process's own streams. */
export function createTerminal(loudness: Loudness): Terminal {
  const quiet = loudness.quiet === true
  const verbose = loudness.verbose === true && !quiet
  const colors = new Map<1 | 2, Colors>()
  const paintsOf = (descriptor: 1 | 2): Colors => {
    const known = colors.get(descriptor) ?? createColors(hasColors(descriptor, process.env))
    colors.set(descriptor, known)
    return known
  }
  return {
    get out() {
      return paintsOf(1)
    },
    get err() {
      return paintsOf(2)
    },
    verbose,
    quiet,
    get progress() {
      if (progress === noProgress && !quiet && isWatched(process.env)) {
        progress = createProgress((text) => writeAll(2, text))
        process.once('exit', () => progress.erase())
      }
      return quiet ? noProgress : progress
    },
    print: (text) => {
      if (!quiet) write(text)
    },
    give: write,
    note: (line) => {
      if (!quiet) complain(line)
    },
    detail: (line) => {
      if (verbose) complain(line)
    },
    complain,
  }
}

/**
 * Writes to stdout; when it returns, the system has the text.
 * @throws OutputError when it can't be written; a closed pipe is not an error
 */
export function write(text: string): void {
  progress.erase()
  try {
    writeAll(1, text)
  } catch (error) {
    if (!isClosed(error)) throw new OutputError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Writes a line to stderr; where that is closed or full, there is nobody left to tell. */
export function complain(line: string): void {
  progress.erase()
  try {
    writeAll(2, `${withoutHome(line)}\n`)
  } catch {
    // The exit code still says what happened.
  }
}

/** The name of a person is often that of their home, and logs are read by others: paths below it begin with "~", as shells write them. */
function withoutHome(line: string): string {
  const home = (process.env['HOME'] ?? process.env['USERPROFILE'] ?? '').replace(/[/\\]+$/, '')
  if (home === '' || !line.includes(home)) return line
  return line.split(home).reduce((left, right) => left + (/^(?:[/\\\s"',:;)]|$)/.test(right) ? '~' : home) + right)
}

/** Writes all of a text at once. On Windows a console takes no bytes but text, which its stream knows how to give it. */
function writeAll(descriptor: 1 | 2, text: string): void {
  if (process.platform === 'win32' && isTerminal(descriptor)) {
    ;(descriptor === 1 ? process.stdout : process.stderr).write(text)
    return
  }
  const bytes = new TextEncoder().encode(text)
  for (let done = 0; done < bytes.length;) done += writeSome(descriptor, bytes.subarray(done))
}

/** A pipe that another process made non-blocking says "not now" while its reader is slow. */
function writeSome(descriptor: 1 | 2, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    return 0
  }
}

/** The reader went away (EPIPE), or there never was one (a closed descriptor). */
function isClosed(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EPIPE' || code === 'EBADF' || code === 'EOF'
}
