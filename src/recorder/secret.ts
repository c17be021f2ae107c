/**
 * Looks for the signing key in what was emitted: `define: { 'process.env': process.env }` and the like have shipped keys before. Called once for
 * each product, when it is hashed. What it finds is never printed.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { InTotoError } from 'intoto'
import type { SigningKey } from './key.ts'

const pieceSize = 1 << 20

/**
 * Reads a file and refuses when it holds a piece of the key.
 * @throws InTotoError E_KEY
 */
export function refuseSecret({ needles }: SigningKey, path: string, name: string): void {
  if (needles.length === 0 || !holdsAny(path, needles)) return
  throw new InTotoError({
    code: 'E_KEY',
    message: 'this emitted file holds the signing key',
    file: name,
    cause: 'the whole environment was put into the bundle',
    fix: ['remove what puts it there, and the file', 'make a new key: this one is no secret any more'],
  })
}

/** Pieces overlap by the longest needle, so that none is missed on a border. */
function holdsAny(path: string, needles: readonly Buffer[]): boolean {
  const overlap = Math.max(...needles.map((needle) => needle.length)) - 1
  const buffer = Buffer.allocUnsafe(pieceSize + overlap)
  const descriptor = openSync(path, 'r')
  try {
    for (let kept = 0; ;) {
      const count = readSync(descriptor, buffer, kept, pieceSize, null)
      if (count === 0) return false
      const bytes = buffer.subarray(0, kept + count)
      if (needles.some((needle) => bytes.includes(needle))) return true
      const rest = Math.min(overlap, bytes.length)
      buffer.copyWithin(0, bytes.length - rest, bytes.length)
      kept = rest
    }
  } finally {
    closeSync(descriptor)
  }
}
