/**
 * Reads metadata from disk: layouts, links, keys. A file is opened once and read once, so that the bytes that are checked are the bytes that
 * are used; anything that is not a regular file, or is too large, is refused before a byte is read. It never waits for a FIFO or a device.
 */
import { constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { defaultLimits } from '../encoding/limits.ts'
import { maxPemLength } from '../encoding/pem.ts'
import { InTotoError } from '../errors.ts'
import { close, fault, patiently, printable } from './fault.ts'

/** What may be asked of a read. */
export interface ReadOptions {
  /** Largest size in bytes; unless given that of a key, or that of all metadata. */
  limit?: number
  /** What the caller takes the file for; it stands in messages. */
  what?: 'layout' | 'link' | 'key'
}

/** O_NONBLOCK keeps the opening of a FIFO without a writer from waiting for ever; Windows has neither. */
export const openForReading: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** "a folder", "a FIFO", …: what stands at a path in place of a regular file. */
export function kindOf(stats: {
  [K in 'isDirectory' | 'isFIFO' | 'isSocket' | 'isCharacterDevice' | 'isBlockDevice']: () => boolean
}): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device'
  return 'something else'
}

/**
 * The bytes of a metadata file.
 * @throws InTotoError E_IO: absent, unreadable, not a regular file, larger than the limit
 */
export function readMetadataFile(path: string, o: ReadOptions = {}): Uint8Array {
  const what = o.what ?? 'file'
  const limit = o.limit ?? (what === 'key' ? maxPemLength : defaultLimits.fileBytes)
  let descriptor: number
  try {
    descriptor = patiently(() => openSync(path, openForReading))
  } catch (error) {
    throw fault(error, { verb: 'read', path, what })
  }
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile())
      throw refusal(path, what, `it is ${kindOf(stats)}, not a regular file`, `name a ${what === 'file' ? '' : `${what} `}file`)
    if (stats.size > limit) throw tooLarge(path, what, limit)
    return readWhole(descriptor, stats, limit) ?? tooLargeNever(path, what, limit)
  } catch (error) {
    throw fault(error, { verb: 'read', path, what })
  } finally {
    close(descriptor)
  }
}

/** Everything up to the end of the file, wherever that is by then; undefined when it lies behind the limit. */
function readWhole(descriptor: number, stats: Stats, limit: number): Uint8Array | undefined {
  let bytes = new Uint8Array(stats.size + 1)
  let length = 0
  for (;;) {
    if (length === bytes.length) {
      const larger = new Uint8Array(Math.min(bytes.length * 2, limit + 1))
      larger.set(bytes)
      bytes = larger
    }
    const count = readSync(descriptor, bytes, length, bytes.length - length, null)
    length += count
    if (length > limit) return undefined
    if (count === 0) return bytes.subarray(0, length)
  }
}

function refusal(path: string, what: string, reason: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_IO', message: `cannot read ${what} ${printable(path)}: ${reason}`, file: path, fix })
}

function tooLarge(path: string, what: string, limit: number): InTotoError {
  const fix = what === 'key' ? 'name the file of the key: none is so large' : 'raise the limit "fileBytes" if this file is really meant'
  return refusal(path, what, `it is larger than the limit of ${limit} bytes`, fix)
}

function tooLargeNever(path: string, what: string, limit: number): never {
  throw tooLarge(path, what, limit)
}
