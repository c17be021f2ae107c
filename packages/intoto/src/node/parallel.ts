/**
 * Hashes many files with the help of worker threads. Recording calls it for large trees only: a thread costs as much as hashing some thousand
 * small files. What a thread does not manage (an error, a file that changes) is left to the caller, whose errors are the better ones.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import type * as threads from 'node:worker_threads'
import { readDigests } from './hash.ts'
import { createHasher, settledAfter, type Hasher, type HasherSettings } from './hasher.ts'

/** From so many files or bytes on threads pay. Sizes are asked for ahead only where that is nothing beside the hashing. */
const worthwhile = { files: 6_000, bytes: 96 * 1024 * 1024 }
const fewFiles = 256
const most = 3
/** Milliseconds without any file being finished after which threads are taken for dead; the caller then does their work. */
const patience = 2_000
const hexSize = 64
const settings: HasherSettings = { pieceSize: 1 << 20, settledAfter }

/** What a thread is started with. */
interface Wait {
  readonly port: MessagePort
  readonly signal: Int32Array
  readonly alive: Int32Array
  readonly idle: number
}

/** What the threads share. Whoever adds to `next` owns the files from there on; `finished` counts what threads have done, for waiting. */
interface Task {
  readonly paths: readonly string[]
  /** How many files are taken at once: large ones one by one, of small ones several, since each look at what is shared costs a tenth of a file. */
  readonly share: number
  readonly next: Int32Array
  readonly finished: Int32Array
  /** By number of the file: 0 open, 1 digest is there, 2 left to the caller. */
  readonly states: Int32Array
  /** Hex digits, by number of the file. */
  readonly digests: Uint8Array
}

/** Hashing that threads have begun, of files that are expected to be there. */
export type Begun = Task

/** Told of each file, and for each piece of a large one. */
type Progress = (done: number, total: number) => void

/** For all files of this thread; it holds a buffer. */
let own: Hasher | undefined

/**
 * SHA-256 of many files, in lower-case hex, in their order.
 * @param begun what was begun for the same files, or for most of them
 * @throws InTotoError as readDigests
 */
export function hashMany(
  paths: readonly string[],
  { progress, begun }: { progress?: Progress | undefined; begun?: Begun | undefined } = {},
): string[] {
  if (begun !== undefined) return isSame(paths, begun.paths) ? together(begun, progress) : known(paths, begun, progress)
  const task = isWorthwhile(paths) ? handOut(paths) : undefined
  return task === undefined ? alone(paths, progress) : together(task, progress)
}

/** Lets threads begin with files of which only some may still be there when they are asked for; undefined where that does not pay. */
export function beginHashing(paths: readonly string[]): Begun | undefined {
  return paths.length < worthwhile.files ? undefined : handOut(paths)
}

/** Compares texts without NUL as one, since a function that is called for each of thousands is compiled, which takes longer than it runs. */
export function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.join('\0') === b.join('\0')
}

/** The digests of files that another list holds as well; of the others they are made. */
function known(paths: readonly string[], begun: Begun, progress: Progress | undefined): string[] {
  const states = carryOut(begun, progress)
  const digests = digestsOf(begun)
  const numbers = new Map(begun.paths.map((path, i) => [path, i]))
  const hashes = paths.map((path) => {
    const i = numbers.get(path)
    return i === undefined || (states !== undefined && states[i] !== 1) ? undefined : digests[i]
  })
  const others = hashMany(
    paths.filter((_, i) => hashes[i] === undefined),
    { progress },
  )
  let next = 0
  return hashes.map((hash) => hash ?? others[next++] ?? '')
}

/** In this thread, until it shows that there is enough for others. */
function alone(paths: readonly string[], progress: Progress | undefined): string[] {
  const hasher = (own ??= createHasher(fs, crypto, settings))
  const hashes: string[] = []
  const tick = (): void => progress?.(hashes.length, paths.length)
  const how = { tick }
  let bytes = 0
  for (const path of paths) {
    hashes.push(hasher.hash(path, how) ?? slowly(path, tick))
    tick()
    bytes += hasher.size
    if (bytes < worthwhile.bytes || paths.length - hashes.length < 2) continue
    bytes = 0
    const task = handOut(paths.slice(hashes.length))
    if (task !== undefined) return [...hashes, ...together(task, progress && ((done) => progress(hashes.length + done, paths.length)))]
  }
  return hashes
}

/** With the threads that have the task. What nobody managed is done once more, where it is told of. */
function together(task: Task, progress: Progress | undefined): string[] {
  const states = carryOut(task, progress)
  const digests = digestsOf(task)
  return states === undefined ? digests : task.paths.map((path, i) => (states[i] === 1 ? (digests[i] ?? '') : slowly(path)))
}

/**
 * This thread's part of a task, and the wait for the others. When something is left to do, the states, from before the digests are looked at: a
 * thread that was given up may go on.
 */
function carryOut({ paths, share, next, finished, states, digests }: Task, progress: Progress | undefined): Int32Array | undefined {
  const hasher = (own ??= createHasher(fs, crypto, settings))
  const out = Buffer.from(digests.buffer)
  const how = { tick: (): void => progress?.(i, paths.length) }
  let i = 0
  let mine = 0
  for (let first = Atomics.add(next, 0, share); first < paths.length; first = Atomics.add(next, 0, share)) {
    for (i = first; i < first + share && i < paths.length; i++) {
      const digest = hasher.hash(paths[i] ?? '', how)
      if (digest !== undefined) out.write(digest, i * hexSize, 'latin1')
      states[i] = digest === undefined ? 2 : 1
      mine++
      progress?.(i, paths.length)
    }
  }
  let isComplete = true
  for (let done = Atomics.load(finished, 0); isComplete && mine + done < paths.length; done = Atomics.load(finished, 0))
    isComplete = Atomics.wait(finished, 0, done, patience) !== 'timed-out'
  return isComplete && !states.includes(2) ? undefined : Int32Array.from(states, (_, number) => Atomics.load(states, number))
}

/** All at once, by the engine's own search. */
function digestsOf({ paths, digests }: Task): string[] {
  const text = Buffer.from(digests.buffer, 0, paths.length * hexSize).toString('latin1')
  return text.match(/[^]{64}/g) ?? []
}

function slowly(path: string, tick?: () => void): string {
  return readDigests(path, ['sha256'], tick === undefined ? {} : { tick }).digests.sha256 ?? ''
}

/** Told while a tree is walked how many files there are by then: threads that will be needed start meanwhile. */
export function expectFiles(count: number): void {
  if (count >= worthwhile.files) summon()
}

/** Whether threads pay from the first file on; where it is not known yet, that shows while hashing. */
function isWorthwhile(paths: readonly string[]): boolean {
  if (paths.length >= worthwhile.files) return true
  if (paths.length < 2 || paths.length > fewFiles) return false
  let bytes = 0
  for (const path of paths) bytes += sizeOf(path)
  return bytes >= worthwhile.bytes
}

/** Nothing for what cannot be looked at: whoever hashes it finds the words. */
function sizeOf(path: string): number {
  try {
    return fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
  } catch {
    return 0
  }
}

/** Where the threads that wait for work are given some. */
let ports: readonly MessagePort[] = []
/** Milliseconds after which an idle thread ends by itself. */
const idle = 30_000

const shared = (ints: number): Int32Array => new Int32Array(new SharedArrayBuffer(ints * 4))
/** Counts what was handed out, so that threads notice. */
const signal = shared(1)
/** How many threads have not ended. One that ends while it is counted on leaves its work to us. */
let alive = shared(1)

/** Hands files to threads as well: to those of the recording before this one, if they are still there. */
function handOut(paths: readonly string[]): Task | undefined {
  if (!summon()) return undefined
  const digests = new Uint8Array(new SharedArrayBuffer(paths.length * hexSize))
  const share = paths.length > fewFiles ? 8 : 1
  const task: Task = { paths, share, next: shared(1), finished: shared(1), states: shared(paths.length), digests }
  for (const port of ports) port.postMessage(task)
  Atomics.add(signal, 0, 1)
  Atomics.notify(signal, 0)
  return task
}

/** Starts threads unless they are there; false where there is no processor for one. */
function summon(): boolean {
  const threads = Math.min(availableParallelism() - 1, most)
  if (threads < 1) return false
  if (Atomics.load(alive, 0) <= 0) ports = startAll(threads)
  return true
}

/** Lets the threads end while there is something else to do: the end of a process waits for them. */
export function dismissThreads(): void {
  for (const port of ports) port.postMessage(undefined)
  Atomics.add(signal, 0, 1)
  Atomics.notify(signal, 0)
  ports = []
  alive = shared(1)
}

/** Nothing of ours goes into a thread, and it says nothing: with streams of its own, none of ours is set up for it. */
const bare = { execArgv: [], env: {}, stdout: true, stderr: true, trackUnmanagedFds: false }

/** A thread that can't be started claims no file, so nothing depends on it. Its code is functions of their own, since a bundle has no second file. */
function startAll(threads: number): MessagePort[] {
  const hasher = `(${createHasher.toString()})(require('node:fs'), require('node:crypto'), ${JSON.stringify(settings)})`
  const code = `(${work.toString()})(require('node:worker_threads'), ${hasher})`
  const ports: MessagePort[] = []
  try {
    while (ports.length < threads) {
      const { port1, port2 } = new MessageChannel()
      const workerData: Wait = { port: port2, signal, alive, idle }
      const worker = new Worker(code, { eval: true, workerData, transferList: [port2], ...bare })
      worker.on('error', () => {})
      worker.unref()
      port1.unref()
      ports.push(port1)
      Atomics.add(alive, 0, 1)
    }
  } catch {
    // fewer threads
  }
  return ports
}

/** Runs in a thread, so it may use nothing but what it is handed. */
function work({ receiveMessageOnPort, workerData }: typeof threads, hasher: Hasher): void {
  const { port, signal, alive, idle } = workerData as Wait
  const carryOut = ({ paths, share, next, finished, states, digests }: Task): void => {
    const out = Buffer.from(digests.buffer)
    for (let first = Atomics.add(next, 0, share); first < paths.length; first = Atomics.add(next, 0, share)) {
      const end = Math.min(first + share, paths.length)
      let told = first
      for (let i = first; i < end; i++) {
        const digest = hasher.hash(paths[i] ?? '')
        if (digest !== undefined) out.write(digest, i * digest.length, 'latin1')
        Atomics.store(states, i, digest === undefined ? 2 : 1)
        if (i + 1 < end && hasher.size < 65_536) continue
        Atomics.add(finished, 0, i + 1 - told)
        told = i + 1
        Atomics.notify(finished, 0)
      }
    }
  }
  for (;;) {
    const seen = Atomics.load(signal, 0)
    const given = receiveMessageOnPort(port)
    if (given !== undefined && given.message === undefined) break
    if (given !== undefined) carryOut(given.message)
    else if (Atomics.wait(signal, 0, seen, idle) === 'timed-out') break
  }
  Atomics.sub(alive, 0, 1)
  port.close()
}
