/**
 * Links of which both sides have been written: a recorder that has names and digests writes the text that goes into an envelope, and spares making
 * a map for each artifact, looking each over, and writing them. Called by recorders and by metadata.ts. The maps are made for whoever asks for them,
 * and then they count, since maps can be changed.
 */
import { utf8 } from '../encoding/bytes.ts'
import { stringifyJson, type JsonValue } from '../encoding/json.ts'
import type { Artifacts } from './artifact.ts'
import { createLink, type Link, type LinkInit } from './link.ts'
import type { Side } from './side.ts'

/** Artifacts as they stand in a file on one line, in the order of their names. */
export interface WrittenSide {
  readonly count: number
  readonly json: Uint8Array
  toArtifacts(): Artifacts
}

/** What is written of a link, and the accessor that shows that nobody put something else there. */
type Written = { [side in Side]?: { readonly json: Uint8Array; readonly get: () => Artifacts } }

const written = new WeakMap<object, Written>()

/** The link that `createLink` makes of the same artifacts. */
export function writtenLink(init: Omit<LinkInit, Side>, sides: { readonly [side in Side]: WrittenSide }): Link {
  const link = createLink(init)
  const texts: Written = {}
  for (const side of ['materials', 'products'] as const) {
    const put = (value: Artifacts): Artifacts => {
      Object.defineProperty(link, side, { configurable: true, enumerable: true, writable: true, value })
      return value
    }
    const get = (): Artifacts => put(sides[side].toArtifacts())
    texts[side] = { json: sides[side].json, get }
    Object.defineProperty(link, side, { configurable: true, enumerable: true, get, set: put })
  }
  written.set(link, texts)
  return link
}

/** The text of such a link on one line, as `stringifyJson` writes it, in pieces; undefined for any other value. */
export function textOfWritten(link: object): Uint8Array[] | undefined {
  const texts = written.get(link)
  if (texts === undefined) return undefined
  const parts: Uint8Array[] = []
  for (const name of Object.keys(link)) {
    const text = name === 'materials' || name === 'products' ? texts[name] : undefined
    const isOurs = text !== undefined && Object.getOwnPropertyDescriptor(link, name)?.get === text.get
    const value = isOurs ? undefined : (link as { [name: string]: JsonValue | undefined })[name]
    if (!isOurs && value === undefined) continue
    parts.push(utf8(`${parts.length === 0 ? '{' : ','}${stringifyJson(name)}:`), isOurs ? text.json : utf8(stringifyJson(value ?? null)))
  }
  return [...parts, utf8('}')]
}
