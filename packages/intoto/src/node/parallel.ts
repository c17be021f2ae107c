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

/**
 * SHA-256 of many files, in lower-case hex, in their order.
 * @throws InTotoError as readDigests
 */
export function hashMany(paths: readonly string[], progress?: (done: number, total: number) => void): string[] {
  const hashes: string[] = []
  const hasher = createHasher(fs, crypto, settings)
  let task = isWorthwhile(paths) ? handOut(paths, 0) : undefined
  let bytes = 0
  let i = 0
  let end = 0
  const next = (): number => {
    if (task === undefined || i + 1 < end) return i + 1
    const first = Atomics.add(task.next, 0, task.share)
    end = first + task.share
    return first
  }
  const tick = (): void => progress?.(i, paths.length)
  const how = { tick }
  for (i = task === undefined ? 0 : next(); i < paths.length; i = next()) {
    const path = paths[i] ?? ''
    hashes[i] = hasher.hash(path, how) ?? slowly(path, tick)
    tick()
    bytes += hasher.size
    if (task === undefined && bytes >= worthwhile.bytes && paths.length - i > 2) task = handOut(paths, i + 1)
  }
  if (task !== undefined) collect(task, hashes)
  return hashes
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
const alive = shared(1)

/** Hands the files from a number on to threads as well: to those of the recording before this one, if they are still there. */
function handOut(paths: readonly string[], from: number): Task | undefined {
  if (!summon()) return undefined
  const digests = new Uint8Array(new SharedArrayBuffer(paths.length * hexSize))
  const share = paths.length > fewFiles ? 8 : 1
  const task: Task = { paths, share, next: shared(1).fill(from), finished: shared(1), states: shared(paths.length), digests }
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

/** Takes over what the threads have done, and does what they have not. */
function collect(task: Task, hashes: string[]): void {
  const count = task.paths.length
  let isPatient = true
  for (let i = 0; i < count; i++) {
    if (hashes[i] !== undefined) continue
    const state = stateOf(task, i, isPatient)
    if (state === 0) isPatient = false
    if (state !== 1) hashes[i] = slowly(task.paths[i] ?? '')
  }
  // At once, now that all are there.
  const digits = Buffer.from(task.digests.buffer).toString('latin1')
  for (let i = 0; i < count; i++) hashes[i] ??= digits.slice(i * hexSize, (i + 1) * hexSize)
}

/** What became of a file; 0 when no thread got on with its work while it was waited for, or when it is waited for no longer. */
function stateOf(task: Task, i: number, isPatient: boolean): number {
  for (;;) {
    const seen = Atomics.load(task.finished, 0)
    const state = Atomics.load(task.states, i)
    if (state !== 0 || !isPatient) return state
    if (Atomics.wait(task.finished, 0, seen, patience) === 'timed-out') return 0
  }
}

/** Runs in a thread, so it may use nothing but what it is handed. */
function work({ receiveMessageOnPort, workerData }: typeof threads, hasher: Hasher): void {
  const { port, signal, alive, idle } = workerData as Wait
  const carryOut = ({ paths, share, next, finished, states, digests }: Task): void => {
    const out = Buffer.from(digests.buffer)
    for (let first = Atomics.add(next, 0, share); first < paths.length; first = Atomics.add(next, 0, share)) {
      for (let i = first; i < first + share && i < paths.length; i++) {
        const digest = hasher.hash(paths[i] ?? '')
        if (digest !== undefined) out.write(digest, i * digest.length, 'latin1')
        Atomics.store(states, i, digest === undefined ? 2 : 1)
        if (i + 1 < first + share && i + 1 < paths.length && hasher.size < 65_536) continue
        Atomics.add(finished, 0, 1)
        Atomics.notify(finished, 0)
      }
    }
  }
  for (;;) {
    const seen = Atomics.load(signal, 0)
    const given = receiveMessageOnPort(port)
    if (given !== undefined) carryOut(given.message)
    else if (Atomics.wait(signal, 0, seen, idle) === 'timed-out') break
  }
  Atomics.sub(alive, 0, 1)
  port.close()
}
