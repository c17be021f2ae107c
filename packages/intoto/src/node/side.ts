/**
 * One side of a link from names and digests: as maps, and as the text that stands in an envelope. Recording calls it once all files are hashed; it
 * neither sorts nor hashes.
 */
import { emptyRecord } from '../encoding/json.ts'
import { sha256Map, type Artifacts, type DigestMap } from '../model/artifact.ts'
import type { WrittenSide } from '../model/written.ts'

/** What must be spelled in JSON, and what is no half of a pair for certain. */
const odd = /["\\\0-\x1f\ud800-\udfff]/
/** Bytes around a name, its digest among them, and the most that one unit of a name takes. */
const frame = '"":{"sha256":""},'.length + 64
const mostBytes = 6
/** Characters that are encoded at once: a call for each line costs more than the line. */
const piece = 1 << 14

/** The text of artifacts whose names are in order; undefined for names that are not well-formed. */
export function writeSide(names: readonly string[], digests: readonly string[]): WrittenSide | undefined {
  let size = 2
  for (const name of names) size += name.length * mostBytes + frame
  const out = Buffer.allocUnsafeSlow(size)
  let at = 0
  let text = '{'
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? ''
    if (odd.test(name) && !isWellFormed(name)) return undefined
    text += `${i > 0 ? ',' : ''}${odd.test(name) ? JSON.stringify(name) : `"${name}"`}:{"sha256":"${digests[i] ?? ''}"}`
    if (text.length < piece) continue
    at += out.write(text, at)
    text = ''
  }
  at += out.write(`${text}}`, at)
  return { count: names.length, json: out.subarray(0, at), toArtifacts: () => artifactsOf(names, (i) => sha256Map(digests[i] ?? '')) }
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
