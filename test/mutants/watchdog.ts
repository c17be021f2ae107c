/**
 * Ends the process when one input takes too long: a loop that never ends can't be stopped from within, and a test runner would wait with it. Called by
 * the campaigns around each input.
 */
import { Worker } from 'node:worker_threads'

/** Looks after one campaign. */
export interface Watchdog {
  /** The number of the input that is worked on now. */
  at(number: number): void
  close(): Promise<number>
}

const source = `
const { workerData: { memory, seconds, what } } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const cell = new Int32Array(memory)
let last = -1, since = Date.now()
setInterval(() => {
  const now = Atomics.load(cell, 0)
  if (now !== last) { last = now; since = Date.now() }
  else if (Date.now() - since > seconds * 1000) {
    writeSync(2, what + ': INTOTO_SEED=' + (now >>> 0) + ' has not come to an end in ' + seconds + ' s\\n')
    process.kill(process.pid, 'SIGKILL')
  }
}, 500)`

/** Starts to look; an input that takes longer than so many seconds ends the process, with its number on the error stream. */
export function watch(what: string, seconds: number): Watchdog {
  const memory = new SharedArrayBuffer(4)
  const cell = new Int32Array(memory)
  const worker = new Worker(source, { eval: true, workerData: { memory, seconds, what } })
  worker.unref()
  return {
    at: (number) => void Atomics.store(cell, 0, number | 0),
    close: () => worker.terminate(),
  }
}
