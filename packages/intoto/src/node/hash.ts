/**
 * Digests of files on disk: the plugin, packing and the commands hash through here. The usual file is hashed by hasher.ts; what that leaves, and what
 * `run` is left with, is done here, where errors have words. It never returns a digest of bytes that changed while they were read.
 */
import crypto from 'node:crypto'
import fs, { constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { InTotoError } from '../errors.ts'
import { close, errorNumber, fault, patiently, printable, sleep } from './fault.ts'
import { createHasher, settledAfter, type HashedHow, type Hasher } from './hasher.ts'
import { kindOf, openForReading } from './read.ts'

/** Algorithms that both reference implementations know. */
export type Algorithm = 'sha256' | 'sha384' | 'sha512'

/** What a file held at one moment, and the marks by which a later change shows. Times are milliseconds since 1970, with fractions. */
export interface FileDigest {
  /** Lower-case hex. */
  readonly sha256: string
  /** Lower-case hex, when asked for. */
  readonly sha512?: string
  /** Bytes. */
  readonly size: number
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly ino: number
  readonly dev: number
}

/** Digests of one reading of a file, in lower-case hex, by algorithm. */
export interface Reading {
  readonly digests: Readonly<Partial<Record<Algorithm, string>>>
  readonly stats: Stats
}

/** One buffer for the whole process: hashing is synchronous, so nobody else can be using it. Also the largest piece that is held in memory. */
let buffer: Buffer | undefined
const pieceSize = 1 << 20
const attempts = 3
/** For the files that one look is enough for. */
let quick: Hasher | undefined

const usual: readonly Algorithm[] = ['sha256']
const both: readonly Algorithm[] = ['sha256', 'sha512']

/** What was read of the last file for which one look was not enough. */
const last: { reading?: Reading | undefined } = {}
/** Goes on with the file that hasher.ts has opened. */
const how: HashedHow = {
  noFollow: true,
  otherwise(descriptor) {
    last.reading = readCarefully(descriptor, '', { algorithms: usual })
    return last.reading?.digests.sha256
  },
}

/** How a file is read. */
export interface HashOptions {
  /** Refuse a symbolic link at the path itself; links in front of the last part are followed. Windows follows it all the same. */
  readonly noFollow?: boolean
  /** Called for each mebibyte of a large file. */
  readonly tick?: () => void
}

/**
 * Digest and marks of a regular file (a symbolic link is followed unless `noFollow` is set; Windows follows it all the same).
 * @throws InTotoError E_IO: absent, unreadable, not a regular file; E_CHANGED_DURING_BUILD: it changed at each of three readings
 */
export function hashFile(path: string, o: { sha512?: boolean; noFollow?: boolean } = {}): FileDigest {
  quick ??= createHasher(fs, crypto, { pieceSize, settledAfter })
  const settled = Date.now() - settledAfter
  const { digests, stats } = (o.sha512 === true ? undefined : readAtOnce(path, quick)) ?? readDigests(path, o.sha512 ? both : usual, o)
  quick.isFresh = isSince(stats, settled)
  const { size, ctimeMs, mtimeMs, ino, dev } = stats
  const { sha256 = '', sha512 } = digests
  return sha512 === undefined ? { sha256, size, ctimeMs, mtimeMs, ino, dev } : { sha256, sha512, size, ctimeMs, mtimeMs, ino, dev }
}

/** Through one descriptor; undefined when anything goes wrong, which then does so once more where it is told of. */
function readAtOnce(path: string, hasher: Hasher): Reading | undefined {
  last.reading = undefined
  const sha256 = hasher.hash(path, how)
  const { stats } = hasher
  return readLast() ?? (sha256 === undefined || stats === undefined ? undefined : { digests: { sha256 }, stats })
}

function readLast(): Reading | undefined {
  return last.reading
}

/** The digests of a regular file by any algorithms; errors as hashFile. */
export function readDigests(path: string, algorithms: readonly Algorithm[], o: HashOptions = {}): Reading {
  for (let attempt = 1; ; attempt++) {
    const reading = readOnce(path, algorithms, o)
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

function readOnce(path: string, algorithms: readonly Algorithm[], o: HashOptions): Reading | undefined {
  let descriptor: number | undefined
  try {
    descriptor = open(path, o)
    return readCarefully(descriptor, path, { ...o, algorithms })
  } catch (error) {
    if (errorNumber(error) === 'ESTALE') return undefined
    throw fault(error, { verb: 'hash', path })
  } finally {
    if (descriptor !== undefined) close(descriptor)
  }
}

function open(path: string, { noFollow = false }: HashOptions): number {
  const flags = noFollow ? openForReading | (constants.O_NOFOLLOW ?? 0) : openForReading
  try {
    return patiently(() => openSync(path, flags))
  } catch (error) {
    throw noFollow && isLink(path) ? notRegular(path, 'a symbolic link') : error
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

function isSince(stats: Stats, moment: number): boolean {
  return stats.ctimeMs >= moment || stats.mtimeMs >= moment
}

/** With a look before and one behind, which must have seen the same. */
function readCarefully(descriptor: number, path: string, o: HashOptions & { algorithms: readonly Algorithm[] }): Reading | undefined {
  const before = fstatSync(descriptor)
  if (!before.isFile()) throw notRegular(path, kindOf(before))
  const [digests, length] = digestsOf(descriptor, before.size, o)
  const after = fstatSync(descriptor)
  const still = before.ctimeMs === after.ctimeMs && before.mtimeMs === after.mtimeMs && length === after.size
  return still ? { digests, stats: after } : undefined
}

/** Reads no more than the size that the file had: one that grows as fast as it is read would have no end. */
function digestsOf(
  descriptor: number,
  size: number,
  { algorithms, tick }: HashOptions & { algorithms: readonly Algorithm[] },
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
