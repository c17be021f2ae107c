/**
 * One side of a link from names and digests: as maps, and as the text that stands in an envelope. Recording calls it once all files are hashed; it
 * neither sorts nor hashes.
 */
import { emptyRecord } from '../encoding/json.ts'
import { sha256Map, type Artifacts, type DigestMap } from '../model/artifact.ts'
import type { WrittenSide } from '../model/written.ts'

/** Hex digits of a SHA-256. */
export const hexSize = 64

/** What must be spelled in JSON, and what is no half of a pair for certain. */
const odd = /["\\\0-\x1f\ud800-\udfff]/
/** Bytes around a name and its digest, and the most that one unit of a name takes. */
const frame = '"":{"sha256":""},'.length + hexSize
const mostBytes = 6

/** The digest of the file of that number in a table of them, one after the other. */
export function hexAt(digests: Buffer, i: number): string {
  return digests.toString('latin1', i * hexSize, (i + 1) * hexSize)
}

/** The text of artifacts whose names are in order; undefined for names that are not well-formed. */
export function writeSide(names: readonly string[], digests: Buffer): WrittenSide | undefined {
  let size = 2
  for (const name of names) size += name.length * mostBytes + frame
  const out = Buffer.allocUnsafeSlow(size)
  let at = out.write('{', 'latin1')
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? ''
    if (odd.test(name) && !isWellFormed(name)) return undefined
    const quoted = odd.test(name) ? JSON.stringify(name) : `"${name}"`
    at += out.write(`${i > 0 ? ',' : ''}${quoted}:{"sha256":"${hexAt(digests, i)}"}`, at)
  }
  at += out.write('}', at, 'latin1')
  return { count: names.length, json: out.subarray(0, at), toArtifacts: () => artifactsOf(names, (i) => sha256Map(hexAt(digests, i))) }
}

function isWellFormed(name: string): boolean {
  return !/\p{Surrogate}/u.test(name)
}

/** The maps of the same. */
export function artifactsOf(names: Iterable<string>, digest: (i: number) => DigestMap): Artifacts {
  const artifacts = emptyRecord<DigestMap>()
  let i = 0
  for (const name of names) artifacts[name] = digest(i++)
  return artifacts
}
