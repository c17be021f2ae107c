/**
 * The signature entries that both file formats carry beside their content. Called by envelope.ts and metablock.ts. An entry is data until a
 * trusted key has been found for it; nothing in it chooses an algorithm.
 */
import { beyondLimit, isJsonObject, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'

/** One entry of `signatures`. */
export interface Signature {
  /** Says whose it claims to be; empty when absent. */
  keyid: string
  /** The signature's bytes; empty for an entry that cannot be a signature of a kind known here, so that it never counts. */
  sig: Uint8Array
  /** The entry as it stands in the file. */
  raw: JsonObject
}

/**
 * Reads the `signatures` list.
 * @throws E_FORMAT when it is no list of objects, a member has the wrong type, `decode` throws, or there are more than the limit allows
 */
export function readSignatures(
  list: JsonValue | undefined,
  decode: (sig: string) => Uint8Array,
  limits: Limits,
  what: string,
): Signature[] {
  if (!Array.isArray(list)) throw malformed(`${what}: "signatures" is not a list`)
  if (list.length > limits.signatures) throw beyondLimit('signatures', limits.signatures, `${what}: ${list.length} signatures`)
  return list.map((raw, i) => {
    if (!isJsonObject(raw)) throw malformed(`${what}: signatures[${i}] is not an object`)
    const { keyid = '', sig = '' } = raw
    if (typeof keyid !== 'string' || typeof sig !== 'string')
      throw malformed(`${what}: signatures[${i}] has a "keyid" or "sig" that is not a text`)
    try {
      return { keyid, sig: decode(sig), raw }
    } catch (cause) {
      throw malformed(`${what}: signatures[${i}].sig: ${cause instanceof Error ? cause.message : 'not readable'}`)
    }
  })
}

/** A refusal of a file that is not what it should be. */
export function malformed(message: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message, fix: 'fetch the file again, or have its author make it again' })
}
