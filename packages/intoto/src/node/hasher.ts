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

/** How a file is hashed. */
export interface HashedHow {
  /** Called for each piece of a large file. */
  readonly tick?: (() => void) | undefined
  /** Refuse a symbolic link at the path itself. */
  readonly noFollow?: boolean
  /** Takes the place of the two looks, for a file that one look is not enough for: what it gives is the digest. */
  readonly otherwise?: (descriptor: number) => string | undefined
}

/** Hashes files one by one. */
export interface Hasher {
  /** Lower-case hex; undefined for whatever is not simple: an error, another kind of file, one that changes, one that was made just now and is empty. */
  hash(path: string, how?: HashedHow): string | undefined
  /** Bytes of the last file that was read. */
  size: number
  /** Of the last file for which one look was enough. */
  stats: fs.Stats | undefined
  /** After a file that was changed just now the next one is looked at first: trees are made in one go, and a file would be read in vain. */
  isFresh: boolean
}

/**
 * Milliseconds after its last change from which on one look at a file is enough. It is read, then looked at: when its times lie so far before the
 * moment at which it was opened, nothing has written to it since, or the times would be later; and a file system keeps time in steps of two
 * seconds at most. That holds within two ticks of the clock, too, which a look before and one after do not tell apart. It rests on one clock: a
 * file server whose own is slow by seconds could change a file unseen while it is read, as it could between two looks that its client answers out
 * of the same memory.
 */
export const settledAfter = 3_000

/**
 * Makes one; it holds a buffer. What is done for each file stands in one function: V8 optimises each function that runs for thousands of files, with
 * all that it calls in it, which takes longer than it saves. Such a function is also too long to be optimised once more within each that calls it.
 */
export function createHasher(disk: typeof fs, crypto: typeof cryptography, { pieceSize, settledAfter }: HasherSettings): Hasher {
  // Windows has no first two, which here is as good as 0.
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFMT, S_IFREG } = disk.constants
  const piece = new Uint8Array(pieceSize)
  const isOneShot = typeof crypto.hash === 'function'
  const careful = (descriptor: number, settled: number, tick: (() => void) | undefined): string | undefined => {
    const before = disk.fstatSync(descriptor, { bigint: true })
    const size = Number(before.size)
    if (!before.isFile() || size === 0) return undefined
    let length = 0
    let hex: string
    if (size <= pieceSize) {
      length = disk.readSync(descriptor, piece, 0, size, null)
      hex = crypto
        .createHash('sha256')
        .update(new Uint8Array(piece.buffer, 0, length))
        .digest('hex')
    } else {
      const whole = crypto.createHash('sha256')
      for (let count = 1; count > 0 && length < size; length += count) {
        count = disk.readSync(descriptor, piece, 0, Math.min(pieceSize, size - length), null)
        whole.update(new Uint8Array(piece.buffer, 0, count))
        tick?.()
      }
      hex = whole.digest('hex')
    }
    const after = disk.fstatSync(descriptor, { bigint: true })
    hasher.isFresh = Number(after.ctimeMs) >= settled || Number(after.mtimeMs) >= settled
    hasher.size = length
    return before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs && BigInt(length) === after.size ? hex : undefined
  }
  const hasher: Hasher = {
    size: 0,
    stats: undefined,
    isFresh: false,
    hash(path, how) {
      const settled = Date.now() - settledAfter
      let descriptor = -1
      try {
        descriptor = disk.openSync(path, O_RDONLY | O_NONBLOCK | (how?.noFollow === true ? O_NOFOLLOW : 0))
        if (!hasher.isFresh) {
          // Reading at a place fails for what has none, so that nothing is taken out of a FIFO.
          const length = disk.readSync(descriptor, piece, 0, pieceSize, 0)
          const stats = disk.fstatSync(descriptor)
          hasher.isFresh = stats.ctimeMs >= settled || stats.mtimeMs >= settled
          if (!hasher.isFresh && stats.size === length && (stats.mode & S_IFMT) === S_IFREG) {
            hasher.size = length
            hasher.stats = stats
            const view = new Uint8Array(piece.buffer, 0, length)
            return isOneShot ? crypto.hash('sha256', view, 'hex') : crypto.createHash('sha256').update(view).digest('hex')
          }
        }
        return how?.otherwise === undefined ? careful(descriptor, settled, how?.tick) : how.otherwise(descriptor)
      } catch {
        return undefined
      } finally {
        try {
          if (descriptor >= 0) disk.closeSync(descriptor)
        } catch {
          // nothing depends on it
        }
      }
    },
  }
  return hasher
}
