/**
 * Digests of files on disk, by the one technique that is fast for many small files: synchronous open, fstat, read into a buffer that is used
 * again, one-shot hash, fstat, close. Recorder, `run`, packing and the plugin all hash through here; it never returns a digest of bytes that
 * changed while they were read.
 */
import crypto from 'node:crypto'
import { fstatSync, openSync, readSync, type BigIntStats } from 'node:fs'
import { InTotoError } from '../errors.ts'
import { close, errorNumber, fault, patiently, printable, sleep } from './fault.ts'
import { kindOf, openForReading } from './read.ts'

/** Algorithms that both reference implementations know. */
export type Algorithm = 'sha256' | 'sha384' | 'sha512'

/** What a file held at one moment, and the marks by which a later change shows. Times are nanoseconds since 1970. */
export interface FileDigest {
  /** Lower-case hex. */
  readonly sha256: string
  /** Lower-case hex, when asked for. */
  readonly sha512?: string
  /** Bytes. */
  readonly size: number
  readonly ctimeNs: bigint
  readonly mtimeNs: bigint
  readonly ino: bigint
  readonly dev: bigint
}

/** Digests of one reading of a file, in lower-case hex, by algorithm. */
export interface Reading {
  readonly digests: Readonly<Partial<Record<Algorithm, string>>>
  readonly stats: BigIntStats
}

/** One buffer for the whole process: hashing is synchronous, so nobody else can be using it. Also the largest piece that is held in memory. */
let buffer: Buffer | undefined
const pieceSize = 1 << 20
const attempts = 3

/**
 * Digest and marks of a regular file (a symbolic link is followed).
 * @throws InTotoError E_IO: absent, unreadable, not a regular file; E_CHANGED_DURING_BUILD: it changed at each of three readings
 */
export function hashFile(path: string, o: { sha512?: boolean } = {}): FileDigest {
  const { digests, stats } = readDigests(path, o.sha512 ? ['sha256', 'sha512'] : ['sha256'])
  return {
    sha256: digests.sha256 ?? '',
    ...(digests.sha512 === undefined ? {} : { sha512: digests.sha512 }),
    size: Number(stats.size),
    ctimeNs: stats.ctimeNs,
    mtimeNs: stats.mtimeNs,
    ino: stats.ino,
    dev: stats.dev,
  }
}

/** The digests of a regular file by any algorithms; errors as hashFile. `tick` is called for each mebibyte of a large one. */
export function readDigests(path: string, algorithms: readonly Algorithm[], tick?: () => void): Reading {
  for (let attempt = 1; ; attempt++) {
    const reading = readOnce(path, algorithms, tick)
    if (reading !== undefined) return reading
    if (attempt === attempts) throw changed(path)
    sleep(attempt * 10)
  }
}

/** The error for a file that does not hold still. */
export function changed(path: string, cause?: unknown): InTotoError {
  const message = `${printable(path)} changed while it was being hashed`
  return new InTotoError(
    { code: 'E_CHANGED_DURING_BUILD', message, file: path, fix: 'end what writes to it, then record again' },
    { cause },
  )
}

function readOnce(path: string, algorithms: readonly Algorithm[], tick: (() => void) | undefined): Reading | undefined {
  let descriptor: number | undefined
  try {
    descriptor = patiently(() => openSync(path, openForReading))
    const before = fstatSync(descriptor, { bigint: true })
    if (!before.isFile()) throw notRegular(path, kindOf(before))
    const [digests, length] = digestsOf(descriptor, { size: Number(before.size), algorithms, tick })
    const after = fstatSync(descriptor, { bigint: true })
    const still = before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs && BigInt(length) === after.size
    return still ? { digests, stats: after } : undefined
  } catch (error) {
    if (errorNumber(error) === 'ESTALE') return undefined
    throw fault(error, { verb: 'hash', path })
  } finally {
    if (descriptor !== undefined) close(descriptor)
  }
}

/** Reads no more than the size that the file had: one that grows as fast as it is read would have no end. */
function digestsOf(
  descriptor: number,
  { size, algorithms, tick }: { size: number; algorithms: readonly Algorithm[]; tick: (() => void) | undefined },
): [Reading['digests'], length: number] {
  buffer ??= Buffer.allocUnsafeSlow(pieceSize)
  if (size <= pieceSize) {
    // Files of the kernel claim to be empty and are not.
    const piece = buffer.subarray(0, readPiece(descriptor, buffer, Math.max(size, 1)))
    return [collect(algorithms, (algorithm) => hashBytes(algorithm, piece)), piece.length]
  }
  const hashes = algorithms.map((algorithm) => crypto.createHash(algorithm))
  let length = 0
  for (let count = 1; count > 0 && length < size; length += count) {
    count = readPiece(descriptor, buffer, Math.min(pieceSize, size - length))
    for (const hash of hashes) hash.update(buffer.subarray(0, count))
    tick?.()
  }
  return [collect(algorithms, (_, i) => hashes[i]?.digest('hex') ?? ''), length]
}

/** Reads so many bytes unless the file ends before; a read may return less than was asked for. */
function readPiece(descriptor: number, into: Buffer, most: number): number {
  let length = 0
  while (length < most) {
    const count = readSync(descriptor, into, length, most - length, null)
    if (count === 0) break
    length += count
  }
  return length
}

/** One-shot hashing skips the object that createHash makes; not every runtime that has `node:crypto` has it. */
export function hashBytes(algorithm: Algorithm, bytes: Uint8Array): string {
  return typeof crypto.hash === 'function' ? crypto.hash(algorithm, bytes, 'hex') : crypto.createHash(algorithm).update(bytes).digest('hex')
}

function collect(algorithms: readonly Algorithm[], digest: (algorithm: Algorithm, index: number) => string): Reading['digests'] {
  const digests: Partial<Record<Algorithm, string>> = {}
  algorithms.forEach((algorithm, index) => (digests[algorithm] = digest(algorithm, index)))
  return digests
}

function notRegular(path: string, kind: string): InTotoError {
  const message = `cannot hash ${printable(path)}: it is ${kind}, not a regular file`
  return new InTotoError({ code: 'E_IO', message, file: path, fix: 'exclude it, or name a regular file' })
}
