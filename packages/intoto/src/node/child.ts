/**
 * Runs one command: no shell, an environment without our secrets, limits in time and output, and an end that leaves no process behind. Steps and
 * inspections start their commands here; it records nothing and judges nothing.
 */
import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { InTotoError } from '../errors.ts'
import { errorNumber, printable } from './fault.ts'

/** How a command is to be run. */
export interface ChildOptions {
  /** Working directory; ours unless given. */
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Where the streams go: to ours, to ours and to the result, or only to the result (with standard input closed). */
  streams: 'pass' | 'copy' | 'keep'
  /** Milliseconds until the command is ended; no limit unless given. */
  timeout?: number
  /** Bytes kept of each stream, from its beginning and again from its end. */
  keep?: number
  /** End what the command left running in the background when it exits. */
  endGroup?: boolean
}

/** How a command ended. */
export interface ChildResult {
  /** Exit code; 128 plus the signal's number when it was ended by one. */
  readonly code: number
  /** The signal that ended it, if one did. */
  readonly signal?: NodeJS.Signals
  readonly timedOut: boolean
  readonly stdout: Output
  readonly stderr: Output
}

/** What is left of a stream. */
export interface Output {
  readonly text: string
  /** Bytes in all. */
  readonly total: number
  /** Whether the middle is missing from the text. */
  readonly cut: boolean
}

/** We were told to end while a command ran: it was ended too, and nothing is recorded. */
export class InterruptedError extends InTotoError {
  override readonly name: string = 'InterruptedError'
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super({ code: 'E_NOT_RECORDED', message: `interrupted by ${signal}: no link is written`, fix: 'run the command again' })
    this.signal = signal
  }

  /** 128 plus the signal's number, as shells report it. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal]
  }
}

/** How to find keys and passwords: none of a command's business, since it may be what we are guarding against. */
const secrets: readonly string[] = ['INTOTO_KEY', 'INTOTO_KEY_FILE', 'INTOTO_PASSWORD', 'INTOTO_PASSWORD_FILE', 'INTOTO_STORE_PASSWORD']
const passedOn: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
const defaultKeep = 1024 * 1024
const longestTimer = 2 ** 31 - 1
/** Milliseconds: for a command to end after a signal, and for its pipes to run dry after its exit. */
const patience = { signal: 10_000, pipes: 1_000, group: 500 }

/** The environment for a command: ours, or the one given, without keys and passwords. */
export function withoutSecrets(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.includes(name)))
}

/**
 * Runs a command to its end. SIGINT, SIGTERM and SIGHUP that reach us are passed on; ten seconds later, or at a second signal, all that the
 * command started is killed.
 * @throws InTotoError E_CONFIG: it can't be started; InterruptedError: a signal reached us
 */
export async function runCommand(command: readonly string[], o: ChildOptions): Promise<ChildResult> {
  const [program = '', ...rest] = command
  // A group of its own can be ended as a whole. With a terminal the command stays in ours, where Ctrl-C reaches it and it can ask for passwords.
  const detached = process.platform !== 'win32' && (o.streams === 'keep' || !process.stdin.isTTY)
  // Before the command starts: a signal in between would end us and leave it behind.
  const stop = new Stopper(detached)
  let timer: NodeJS.Timeout | undefined
  try {
    const child = start(program, rest, { ...o, detached })
    stop.child = child
    const kept = [new Keeper(o.keep ?? defaultKeep), new Keeper(o.keep ?? defaultKeep)] as const
    if (child.stdout !== null) copy(child.stdout, kept[0], o.streams === 'copy' ? process.stdout : undefined)
    if (child.stderr !== null) copy(child.stderr, kept[1], o.streams === 'copy' ? process.stderr : undefined)
    if (o.timeout !== undefined) timer = setTimeout(() => stop.timeOut(), Math.min(o.timeout, longestTimer))
    const [code, signal] = await ended(child, program)
    if (o.endGroup || stop.interrupted !== undefined || stop.timedOut) await stop.endGroup()
    await drained(child)
    if (o.streams === 'copy') await Promise.all([taken(process.stdout), taken(process.stderr)])
    if (stop.interrupted !== undefined) throw new InterruptedError(stop.interrupted)
    const outputs = { stdout: kept[0].output(), stderr: kept[1].output(), timedOut: stop.timedOut }
    return signal === null ? { code: code ?? 0, ...outputs } : { code: 128 + constants.signals[signal], signal, ...outputs }
  } finally {
    clearTimeout(timer)
    stop.release()
  }
}

function start(program: string, args: readonly string[], o: ChildOptions & { detached: boolean }): ChildProcess {
  const stdio: StdioOptions = o.streams === 'pass' ? 'inherit' : [o.streams === 'copy' ? 'inherit' : 'ignore', 'pipe', 'pipe']
  const where = o.cwd === undefined ? {} : { cwd: o.cwd }
  try {
    return spawn(program, args, { ...where, env: withoutSecrets(o.env), stdio, shell: false, detached: o.detached, windowsHide: true })
  } catch (error) {
    throw cannotStart(program, error)
  }
}

/** "exit" comes when the process is gone, "close" only when nobody holds its pipes: a child in the background could hold them for ever. */
function ended(child: ChildProcess, program: string): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(cannotStart(program, error)))
    child.once('exit', (code, signal) => resolve([code, signal]))
  })
}

function cannotStart(program: string, error: unknown): InTotoError {
  const number = errorNumber(error)
  const windows = process.platform === 'win32' ? '; name the file with its ending, or run it by "cmd /c"' : ''
  const [reason, fix] =
    number === 'ENOENT'
      ? ['not found', `check its name, PATH and the working directory${windows}`]
      : number === 'EACCES'
        ? ['it may not be executed', `check its mode: chmod +x${windows}`]
        : number === 'E2BIG'
          ? ['its arguments are too long', 'pass them in a file']
          : [`the system reports ${number ?? 'an error'}`, `check the command and its arguments${windows}`]
  return new InTotoError({ code: 'E_CONFIG', message: `cannot run ${printable(program)}: ${reason}`, fix }, { cause: error })
}

/** Waits until the pipes are closed or have had their time, then lets go of them. A pipe that waits for our own reader is given all it needs. */
async function drained(child: ChildProcess): Promise<void> {
  const open = [child.stdout, child.stderr].filter((stream) => stream !== null).filter((stream) => !stream.closed)
  if (open.length === 0) return
  const closed = Promise.all(open.map((stream) => new Promise((resolve) => stream.once('close', resolve))))
  do {
    let timer: NodeJS.Timeout | undefined
    await Promise.race([closed, new Promise((resolve) => (timer = setTimeout(resolve, patience.pipes)))])
    clearTimeout(timer)
  } while (open.some((stream) => stream.isPaused()))
  for (const stream of open) stream.destroy()
}

/** Hands a stream on at the pace of its reader and remembers both ends of it. A reader that went away is no fault of the command. */
function copy(from: Readable, kept: Keeper, to: Writable | undefined): void {
  let gone = false
  const leave = (): void => {
    gone = true
    from.resume()
  }
  to?.once('error', leave)
  from.on('data', (piece: Buffer) => {
    kept.add(piece)
    if (to === undefined || gone || to.write(piece)) return
    from.pause()
    to.once('drain', () => from.resume())
  })
  from.once('error', () => from.destroy())
  from.once('close', () => to?.off('error', leave))
}

/** Waits until the system has what was handed to one of our streams, or nobody wants it: a process may end right after its command. */
async function taken(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('error', done)
      resolve()
    }
    stream.once('error', done)
    stream.write('', done)
  })
}

/** Passes signals on, and ends the command and what it started. */
class Stopper {
  interrupted: NodeJS.Signals | undefined
  timedOut = false
  child: ChildProcess | undefined
  readonly #isGroup: boolean
  readonly #timers: NodeJS.Timeout[] = []
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#interrupt(signal)

  constructor(isGroup: boolean) {
    this.#isGroup = isGroup
    for (const signal of passedOn) process.on(signal, this.#onSignal)
  }

  release(): void {
    for (const signal of passedOn) process.off(signal, this.#onSignal)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  timeOut(): void {
    this.timedOut = true
    this.#end('SIGTERM', 2_000)
  }

  /** Whatever still runs when the command itself is gone: a moment to end, then the end. */
  async endGroup(): Promise<void> {
    if (!this.#isGroup) return
    for (let waited = 0; waited < patience.group && this.#send('SIGTERM'); waited += 20)
      await new Promise((resolve) => setTimeout(resolve, 20))
    this.#send('SIGKILL')
  }

  #interrupt(signal: NodeJS.Signals): void {
    const again = this.interrupted !== undefined
    this.interrupted ??= signal
    if (again) this.#send('SIGKILL')
    // A terminal sends Ctrl-C to the command as well; twice would mean something else to it.
    else if (signal === 'SIGINT' && !this.#isGroup && process.stdin.isTTY)
      this.#timers.push(setTimeout(() => this.#send('SIGKILL'), patience.signal))
    else this.#end(signal, patience.signal)
  }

  #end(signal: NodeJS.Signals, grace: number): void {
    this.#send(signal)
    this.#timers.push(setTimeout(() => this.#send('SIGKILL'), grace))
  }

  /** False when nobody is left to receive it. */
  #send(signal: NodeJS.Signals): boolean {
    const id = this.child?.pid
    if (id === undefined) return false
    if (process.platform === 'win32')
      return spawnSync('taskkill', ['/pid', String(id), '/t', '/f'], { stdio: 'ignore', windowsHide: true }).status === 0
    try {
      return this.#isGroup ? process.kill(-id, signal) : process.kill(id, signal)
    } catch {
      return false
    }
  }
}

/** Both ends of a stream, of bounded size. */
class Keeper {
  #total = 0
  #headSize = 0
  #tailSize = 0
  readonly #head: Buffer[] = []
  readonly #tail: Buffer[] = []
  readonly #keep: number

  constructor(keep: number) {
    this.#keep = keep
  }

  add(piece: Buffer): void {
    this.#total += piece.length
    const room = Math.min(this.#keep - this.#headSize, piece.length)
    if (room > 0) {
      this.#head.push(piece.subarray(0, room))
      this.#headSize += room
    }
    if (room === piece.length) return
    this.#tail.push(piece.subarray(Math.max(room, 0)))
    this.#tailSize += piece.length - Math.max(room, 0)
    while (this.#tailSize - (this.#tail[0]?.length ?? 0) >= this.#keep) this.#tailSize -= this.#tail.shift()?.length ?? 0
  }

  output(): Output {
    const tail = Buffer.concat(this.#tail)
    const end = tail.subarray(Math.max(tail.length - this.#keep, 0))
    const missing = this.#total - this.#headSize - end.length
    const head = Buffer.concat(this.#head)
    if (missing === 0) return { text: Buffer.concat([head, end]).toString('utf8'), total: this.#total, cut: false }
    const text = `${head.toString('utf8')}\n[${missing} bytes of ${this.#total} are left out here]\n${end.toString('utf8')}`
    return { text, total: this.#total, cut: true }
  }
}
