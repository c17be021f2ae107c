/**
 * What time it is on the disk that holds the sources: the status change time (ctime) of a probe file, read at the start of a run. ctime cannot
 * be set by a program, so a file whose ctime is later was changed, made, renamed or linked while the build ran. Called once for each run; the
 * probe has no name by the time this returns.
 */
import { closeSync, fstatSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { InTotoError } from 'intoto'

/** Moments on the disk's own clock, in milliseconds since 1970 with fractions, as Node gives them: large integers would cost more than all else of a look. */
export interface Clock {
  /** A material whose ctime is this or later was changed during the run. */
  readonly changedFrom: number
  /** A file whose ctime is this or later was written during the run. */
  readonly writtenFrom: number
  /** When this process began, as the disk would have stamped it: for what is read before a plugin can run (the configuration). */
  readonly processFrom: number
}

/** The kernel stamps files from a clock that ticks every 1 to 10 ms; some network and memory card file systems tick every second or two. */
const patience = 25
/** Stamps that are read after the tick: one that the process was held up at says less about when it began than one that it was not. */
const extra = 2
/** More than what two numbers of this size must differ by to differ at all. */
const step = 0.0005
/** Looking again and again would cost processor time. */
const pause = new Int32Array(new SharedArrayBuffer(4))

/**
 * Reads the clock of the file system that a folder lies on, and waits for its next tick, so that what was written just before is not taken for
 * a change.
 * @throws InTotoError E_IO when no probe can be written, neither there nor in the folder for temporary files
 */
export function readClock(folder: string): Clock {
  const descriptor = openProbe(folder)
  try {
    let processFrom = -Infinity
    const stamp = (): number => {
      writeSync(descriptor, '.', 0)
      const time = fstatSync(descriptor).ctimeMs
      // A stamp is never ahead of the clock, so each of these is too early, if anything: by the lag of the stamp, and by a pause of this process.
      processFrom = Math.max(processFrom, time - performance.now())
      return time
    }
    const first = stamp()
    let last = first
    for (const end = performance.now() + patience; last === first && performance.now() < end; last = stamp()) Atomics.wait(pause, 0, 0, 0.5)
    for (let left = extra; left > 0; left--) stamp()
    const ticked = last > first
    return { changedFrom: ticked ? last : first + step, writtenFrom: ticked ? last : first, processFrom }
  } finally {
    closeSync(descriptor)
  }
}

/** Watchers ignore node_modules, so the probe goes there when it can. */
function openProbe(folder: string): number {
  const device = deviceOf(folder)
  const modules = join(folder, 'node_modules')
  let reason: unknown
  for (const place of [join(modules, '.cache'), modules, folder, tmpdir()]) {
    if (place !== tmpdir() && deviceOf(place) !== device) continue
    const path = join(place, `.in-toto-clock-${process.pid}-${randomBytes(6).toString('hex')}`)
    try {
      const descriptor = openSync(path, 'wx', 0o600)
      unlinkSync(path)
      return descriptor
    } catch (error) {
      reason = error
    }
  }
  const fix = 'make the package folder or the folder for temporary files writable'
  throw new InTotoError(
    { code: 'E_IO', message: `cannot read the clock of the file system of ${folder}`, file: folder, fix },
    { cause: reason },
  )
}

function deviceOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.dev
}
