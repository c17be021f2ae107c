/**
 * Writes a file so that a reader sees the earlier file or the whole new one, never a part: everything that this project writes to a place that
 * somebody else reads goes through here. It never truncates the final name and leaves nothing behind when it fails.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fstatSync, fsyncSync, linkSync, openSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InTotoError } from '../errors.ts'
import { close, errorNumber, fault, patiently, printable } from './fault.ts'
import { kindOf } from './read.ts'

/** How a file is to be written. */
export interface WriteOptions {
  /** Mode to the bit, whatever the umask says; without it the umask decides. */
  mode?: number
  /** Refuse when something stands at the path already. */
  exclusive?: boolean
}

/**
 * Writes bytes to a temporary file in the same folder, syncs it, renames it and syncs the folder. A symbolic link at the path is replaced, not
 * followed; a folder, FIFO or device is refused.
 * @throws InTotoError E_IO with path and reason; the temporary file is gone and the earlier file stands where it stood
 */
export function writeFileAtomic(path: string, bytes: Uint8Array, o: WriteOptions = {}): void {
  const temporary = temporaryPath(path)
  try {
    refuseOddTarget(path)
    const descriptor = patiently(() => openSync(temporary, 'wx', o.mode ?? 0o666))
    try {
      fill(descriptor, bytes, o.mode)
    } finally {
      closeSync(descriptor)
    }
    if (o.exclusive) publishOnce(temporary, path)
    else replace(temporary, path)
  } catch (error) {
    throw fault(error, { verb: 'write', path })
  } finally {
    remove(temporary)
  }
}

/** Short enough for file systems that end names at 255 bytes; the process id tells whose it was after a crash. */
function temporaryPath(path: string): string {
  const name = Array.from(basename(path)).slice(0, 40).join('')
  return join(dirname(path), `.${name}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`)
}

/** A rename over /dev/full or /dev/stdout would replace the device itself. */
function refuseOddTarget(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.isFile()) return
  const message = `cannot write ${printable(path)}: it is ${kindOf(stats)}, not a regular file`
  throw new InTotoError({ code: 'E_IO', message, file: path, fix: 'name a file' })
}

function fill(descriptor: number, bytes: Uint8Array, mode: number | undefined): void {
  if (mode !== undefined) fchmodSync(descriptor, mode)
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done)
  if (fstatSync(descriptor).size !== bytes.length) throw Object.assign(new Error('short write'), { code: 'EIO' })
  sync(descriptor)
}

/** Some network and virtual file systems cannot sync; that is theirs to answer for, a real error is not swallowed. */
function sync(descriptor: number): void {
  try {
    fsyncSync(descriptor)
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(errorNumber(error) ?? '')) throw error
  }
}

/** Until the folder is synced the earlier file keeps a second name: an error must not leave the new one behind, which a power cut may undo. */
function replace(temporary: string, path: string): void {
  const earlier = keepEarlier(path)
  try {
    renameSync(temporary, path)
    syncFolder(dirname(path), () => {
      if (earlier.kept) renameSync(earlier.name, path)
      else if (earlier.absent) unlinkSync(path)
    })
  } finally {
    if (earlier.kept) remove(earlier.name)
  }
}

/** Neither kept nor absent on file systems without hard links: there the whole new file stays. */
function keepEarlier(path: string): { name: string; kept: boolean; absent: boolean } {
  const name = temporaryPath(path)
  try {
    linkSync(path, name)
    return { name, kept: true, absent: false }
  } catch (error) {
    return { name, kept: false, absent: errorNumber(error) === 'ENOENT' }
  }
}

/** A hard link fails when the name is taken, a rename does not; where there are no hard links the check and the rename are two calls. */
function publishOnce(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'].includes(errorNumber(error) ?? '')) throw error
    close(openSync(path, 'wx'))
    try {
      renameSync(temporary, path)
    } catch (reason) {
      remove(path)
      throw reason
    }
  }
  syncFolder(dirname(path), () => unlinkSync(path))
}

/** Best effort: whatever made the writing fail is the message that matters. */
function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // already renamed, or the disk is gone
  }
}

/** Without this a power cut may undo the rename; when it fails, we undo it ourselves. Windows has no such call. */
function syncFolder(folder: string, undo: () => void): void {
  if (process.platform === 'win32') return
  let descriptor: number
  try {
    descriptor = patiently(() => openSync(folder, 'r'))
  } catch {
    return // a folder that may be written but not read; the file itself is synced
  }
  try {
    sync(descriptor)
  } catch (error) {
    undo()
    throw error
  } finally {
    close(descriptor)
  }
}
