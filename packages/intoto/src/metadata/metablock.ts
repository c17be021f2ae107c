/**
 * Metablocks (in-toto specification, 4.2): the traditional file, signatures over the canonical JSON of `signed`. Called by metadata.ts. The
 * value is canonicalised exactly as it stands in the file, so that a member put in after signing is a bad signature.
 */
import { fromHex, toHex, utf8 } from '../encoding/bytes.ts'
import { emptyRecord, stringifyJson, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { malformed, readSignatures, type Signature } from './signature.ts'

/** A metablock as read: its content is a value still. */
export interface Metablock {
  signed: JsonValue
  signedBytes: Uint8Array
  signatures: Signature[]
}

/** How a metablock is read. */
export interface MetablockOptions {
  limits: Limits
  what: string
  /** Canonical JSON of the content. */
  canonical: (signed: JsonValue) => Uint8Array
}

/**
 * Reads a metablock from its parsed file, in which there are no floats.
 * @throws E_FORMAT for members that are absent or of the wrong type, and for content that has no canonical form
 */
export function readMetablock(file: JsonObject, { limits, what, canonical }: MetablockOptions): Metablock {
  const { signed, signatures } = file
  if (signed === undefined) throw malformed(`${what}: "signed" is missing`)
  const entries = readSignatures(signatures, hexOrNothing, limits, what)
  return { signed, signedBytes: canonical(signed), signatures: entries }
}

/** Both peers look at a signature's text only once they have a key for it, so an entry of another kind harms nobody: it never counts. */
function hexOrNothing(sig: string): Uint8Array {
  try {
    return fromHex(sig)
  } catch {
    return new Uint8Array(0)
  }
}

/** One signature entry of a metablock. */
export function metablockSignature(keyid: string, sig: Uint8Array): Signature {
  return { keyid, sig, raw: Object.assign(emptyRecord(), { keyid, sig: toHex(sig) }) }
}

/** The file around a payload, as in-toto-python lays it out: sorted, ASCII, one space for each level. */
export function writeMetablock(signed: JsonValue, signatures: readonly Signature[]): Uint8Array {
  return utf8(stringifyJson({ signatures: signatures.map(({ raw }) => raw), signed }, { indent: 1, sorted: true, ascii: true }))
}
