/**
 * One side of a link from names and digests: as maps, and as the text that stands in an envelope. Recording calls it once all files are hashed; it
 * neither sorts nor hashes.
 */
import { emptyRecord } from '../encoding/json.ts'
import { defaultLimits } from '../encoding/limits.ts'
import { sortNames } from '../encoding/order.ts'
import { sha256Map, type Artifacts, type DigestMap } from '../model/artifact.ts'
import { createLink, type Link, type LinkInit } from '../model/link.ts'
import { writtenLink, type WrittenSide } from '../model/written.ts'

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
  // All at once, since nearly always none is: a slash is not odd.
  const isAnyOdd = odd.test(names.join('/'))
  let at = 0
  let text = '{'
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? ''
    if (isAnyOdd && !isWellFormed(name)) return undefined
    text += `${i > 0 ? ',' : ''}${isAnyOdd ? JSON.stringify(name) : `"${name}"`}:{"sha256":"${digests[i] ?? ''}"}`
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

/** SHA-256 of artifacts in lower-case hex, by name. */
export type Hashed = ReadonlyMap<string, string>

/**
 * `createLink` for what was just hashed: a large link is written without a map for each artifact; the maps are made for whoever asks for them.
 * @throws as `createLink`
 */
export function createHashedLink(init: LinkInit, materials: Hashed, products: Hashed): Link {
  const [left, right] = [sideOf(materials), sideOf(products)]
  if (left !== undefined && right !== undefined) return writtenLink(init, { materials: left, products: right })
  return createLink({ ...init, materials: mapsOf(materials), products: mapsOf(products) })
}

function mapsOf(side: Hashed): Artifacts {
  const digests = [...side.values()]
  return artifactsOf(side.keys(), (i) => sha256Map(digests[i] ?? ''))
}

function sideOf(side: Hashed): WrittenSide | undefined {
  if (side.size > defaultLimits.artifacts) return undefined
  const names = sortNames([...side.keys()])
  return writeSide(
    names,
    names.map((name) => side.get(name) ?? ''),
  )
}
