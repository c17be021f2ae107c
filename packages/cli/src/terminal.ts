/**
 * Where the commands speak: results to stdout, all else to stderr, colours only where somebody looks, and no character of foreign data that a
 * terminal would obey. Made once by main.ts, handed to every command. Nothing else in this package writes to a stream.
 */
import pc from 'picocolors'

/** The paints of one stream; all of them the identity where colours are off. */
export type Colors = ReturnType<typeof pc.createColors>

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
  /** The result, to stdout; nothing under --quiet. Resolves when it is written. Lines end with a line feed of the caller's. */
  print(text: string): Promise<void>
  /** Progress and remarks, to stderr; nothing under --quiet. */
  note(line: string): void
  /** Only under --verbose. */
  detail(line: string): void
  /** A failure, to stderr, --quiet or not. */
  complain(line: string): void
}

/** Paints that paint, or that do nothing. */
export function createColors(enabled: boolean): Colors {
  return pc.createColors(enabled)
}

/** What went wrong while writing a result to stdout; EPIPE is no failure, since a reader that closes has read enough. */
export class OutputError extends Error {
  override readonly name: string = 'OutputError'
}

/** Spells out control, format and stray characters of text that came from a file, so that no name or message can drive a terminal. */
export function escape(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Whether to paint: NO_COLOR forbids, FORCE_COLOR demands, else only on a terminal that is not dumb. */
export function hasColors(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0' && env['FORCE_COLOR'] !== 'false'
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}

/** The process's own streams. */
export function createTerminal(loudness: Loudness): Terminal {
  const quiet = loudness.quiet === true
  const verbose = loudness.verbose === true && !quiet
  const complain = (line: string): void => void process.stderr.write(`${line}\n`)
  return {
    out: pc.createColors(hasColors(process.stdout, process.env)),
    err: pc.createColors(hasColors(process.stderr, process.env)),
    verbose,
    quiet,
    print: (text) => (quiet || text === '' ? Promise.resolve() : write(text)),
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
 * Writes to stdout and waits until the system has it.
 * @throws OutputError when the text can't be written (a full disk); a closed pipe is not an error
 */
export function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve()
      else reject(new OutputError(`stdout: ${error.message}`, { cause: error }))
    })
  })
}

/** Keeps a closed or full stream from ending the process with a stack trace; `write` sees the error of stdout by itself. */
export function guardStreams(): void {
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
}
