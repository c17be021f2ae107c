/**
 * SHA-256 of one file after the other, as fast as Node can: what `parallel.ts` runs in this thread, and as text in others. So it may use nothing but
 * what it is handed, and it finds no words: what does not go well at once is left to `readDigests` of hash.ts, which does.
 */
import type * as cryptography from 'node:crypto'
import type * as fs from 'node:fs'

/** What `createHasher` is told. */
export interface HasherSettings {
  /** Size of the buffer, and the largest piece that is held in memory. */
  readonly pieceSize: number
  /** Milliseconds, see `settledAfter`. */
  readonly settledAfter: number
}

/** Hashes files one by one. */
export interface Hasher {
  /**
   * Lower-case hex; undefined for whatever is not simple: an error, another kind of file, one that changes, one that was made just now and is empty.
   * `tick` is called for each piece of a large file.
   */
  hash(path: string, tick?: () => void): string | undefined
  /** Bytes of the last file that was read. */
  size: number
}

/**
 * Milliseconds after its last change from which on one look at a file is enough. It is read, then looked at: when its times lie so far before the
 * moment at which it was opened, nothing has written to it since, or the times would be later; and a file system keeps time in steps of two
 * seconds at most. That holds within two ticks of the clock, too, which a look before and one after do not tell apart. It rests on one clock: a
 * file server whose own is slow by seconds could change a file unseen while it is read, as it could between two looks that its client answers out
 * of the same memory.
 */
export const settledAfter = 3_000

/** Makes one; it holds a buffer. */
export function createHasher(
  { closeSync, constants, fstatSync, openSync, readSync }: typeof fs,
  crypto: typeof cryptography,
  { pieceSize, settledAfter }: HasherSettings,
): Hasher {
  const piece = new Uint8Array(pieceSize)
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const isOneShot = typeof crypto.hash === 'function'
  /** After a file that was changed just now the next one is looked at first: trees are made in one go, and a file would be read in vain. */
  let isFresh = false
  /** A view of the first bytes; of a Buffer it would cost more. */
  const first = (length: number): Uint8Array => new Uint8Array(piece.buffer, 0, length)
  const digest = (length: number): string =>
    isOneShot ? crypto.hash('sha256', first(length), 'hex') : crypto.createHash('sha256').update(first(length)).digest('hex')
  const close = (descriptor: number): void => {
    try {
      closeSync(descriptor)
    } catch {
      // nothing depends on it
    }
  }
  /** Undefined when one look is not enough. Reading at a place fails for what has none, so that nothing is taken out of a FIFO. */
  const quick = (descriptor: number, settled: number): string | undefined => {
    const length = readSync(descriptor, piece, 0, pieceSize, 0)
    const stats = fstatSync(descriptor)
    isFresh = stats.ctimeMs >= settled || stats.mtimeMs >= settled
    hasher.size = length
    if (isFresh || stats.size !== length || !stats.isFile()) return undefined
    return digest(length)
  }
  const careful = (descriptor: number, settled: number, tick: (() => void) | undefined): string | undefined => {
    const before = fstatSync(descriptor, { bigint: true })
    const size = Number(before.size)
    if (!before.isFile() || size === 0) return undefined
    let length = 0
    let hex: string
    if (size <= pieceSize) {
      length = readSync(descriptor, piece, 0, size, null)
      hex = digest(length)
    } else {
      const whole = crypto.createHash('sha256')
      for (let count = 1; count > 0 && length < size; length += count) {
        count = readSync(descriptor, piece, 0, Math.min(pieceSize, size - length), null)
        whole.update(first(count))
        tick?.()
      }
      hex = whole.digest('hex')
    }
    const after = fstatSync(descriptor, { bigint: true })
    isFresh = Number(after.ctimeMs) >= settled || Number(after.mtimeMs) >= settled
    hasher.size = length
    return before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs && BigInt(length) === after.size ? hex : undefined
  }
  const hasher: Hasher = {
    size: 0,
    hash(path, tick) {
      const settled = Date.now() - settledAfter
      let descriptor: number | undefined
      try {
        descriptor = openSync(path, flags)
        return (isFresh ? undefined : quick(descriptor, settled)) ?? careful(descriptor, settled, tick)
      } catch {
        return undefined
      } finally {
        if (descriptor !== undefined) close(descriptor)
      }
    },
  }
  return hasher
}
