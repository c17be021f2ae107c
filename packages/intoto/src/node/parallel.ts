/**
 * Hashes many files with the help of worker threads. Recording calls it for large trees only: a thread costs as much as hashing some thousand
 * small files. What a thread does not manage (an error, a file that changes) is left to the caller, whose errors are the better ones.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type * as crypto from 'node:crypto'
import type * as fs from 'node:fs'
import { readDigests } from './hash.ts'

/** Files from which on threads pay, and bytes that were hashed before when it shows that files are large. */
const worthwhile = { files: 10_000, bytes: 96 * 1024 * 1024 }
const most = 3
/** Milliseconds without any file being finished after which threads are taken for dead; the caller then does their work. */
const patience = 2_000
const digestSize = 32

/** What the threads share. Whoever adds one to `next` owns the file of that number; `finished` counts what threads have done, for waiting. */
interface Task {
  readonly paths: readonly string[]
  readonly next: Int32Array
  readonly finished: Int32Array
  /** By number of the file: 0 open, 1 digest is there, 2 left to the caller. */
  readonly states: Int32Array
  readonly digests: Uint8Array
}

/**
 * SHA-256 of many files, in lower-case hex, in their order.
 * @throws InTotoError as readDigests
 */
export function hashMany(paths: readonly string[], progress?: (done: number, total: number) => void): string[] {
  const hashes: string[] = []
  let task: Task | undefined
  let bytes = 0
  for (let i = 0; i < paths.length; i = task === undefined ? i + 1 : Atomics.add(task.next, 0, 1)) {
    const { digests, stats } = readDigests(paths[i] ?? '', ['sha256'], () => progress?.(i, paths.length))
    progress?.(i, paths.length)
    hashes[i] = digests.sha256 ?? ''
    bytes += Number(stats.size)
    const left = paths.length - i - 1
    if (task === undefined && (left >= worthwhile.files || (bytes >= worthwhile.bytes && left > 1))) task = share(paths, i + 1)
  }
  if (task !== undefined) collect(task, hashes)
  return hashes
}

/** Hands the files from a number on to threads as well. */
function share(paths: readonly string[], from: number): Task | undefined {
  const threads = Math.min(availableParallelism() - 1, most)
  if (threads < 1) return undefined
  const shared = (ints: number): Int32Array => new Int32Array(new SharedArrayBuffer(ints * 4))
  const digests = new Uint8Array(new SharedArrayBuffer(paths.length * digestSize))
  const task: Task = { paths, next: shared(1).fill(from), finished: shared(1), states: shared(paths.length), digests }
  for (let i = 0; i < threads; i++) start(task)
  return task
}

/** A thread that can't be started claims no file, so nothing depends on it. Its code is a function of its own, since a bundle has no second file. */
function start(task: Task): void {
  const code = `(${work.toString()})(require('node:worker_threads').workerData, require('node:fs'), require('node:crypto'))`
  try {
    const worker = new Worker(code, { eval: true, workerData: task, execArgv: [], env: {} })
    worker.on('error', () => {})
    worker.unref()
  } catch {
    // fewer threads
  }
}

/** Takes over what the threads have done, and does what they have not. */
function collect(task: Task, hashes: string[]): void {
  for (const [i, path] of task.paths.entries()) {
    if (hashes[i] !== undefined) continue
    if (isDone(task, i)) hashes[i] = Buffer.from(task.digests.subarray(i * digestSize, (i + 1) * digestSize)).toString('hex')
    else hashes[i] = readDigests(path, ['sha256']).digests.sha256 ?? ''
  }
}

function isDone(task: Task, i: number): boolean {
  for (;;) {
    const seen = Atomics.load(task.finished, 0)
    const state = Atomics.load(task.states, i)
    if (state !== 0) return state === 1
    if (Atomics.wait(task.finished, 0, seen, patience) === 'timed-out') return false
  }
}

/** Runs in a thread, so it may use nothing but what it is handed. Only what goes well at once is a digest. */
function work(task: Task, { closeSync, constants, fstatSync, openSync, readSync }: typeof fs, { createHash }: typeof crypto): void {
  const piece = new Uint8Array(1 << 20)
  const hash = (path: string): Buffer | undefined => {
    const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const before = fstatSync(descriptor, { bigint: true })
      if (!before.isFile() || before.size === 0n) return undefined
      const digest = createHash('sha256')
      let length = 0
      for (let count = 1; count > 0 && length < before.size; length += count) {
        count = readSync(descriptor, piece, 0, piece.length, null)
        digest.update(piece.subarray(0, count))
      }
      const after = fstatSync(descriptor, { bigint: true })
      const still = before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs && BigInt(length) === after.size
      return still ? digest.digest() : undefined
    } finally {
      closeSync(descriptor)
    }
  }
  for (let i = Atomics.add(task.next, 0, 1); i < task.paths.length; i = Atomics.add(task.next, 0, 1)) {
    let digest: Buffer | undefined
    try {
      digest = hash(task.paths[i] ?? '')
    } catch {
      digest = undefined
    }
    if (digest !== undefined) task.digests.set(digest, i * 32)
    Atomics.store(task.states, i, digest === undefined ? 2 : 1)
    Atomics.add(task.finished, 0, 1)
    Atomics.notify(task.finished, 0)
  }
}
