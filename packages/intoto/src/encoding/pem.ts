/**
 * PEM text (RFC 7468): the blocks of a key file, and the one form that is written, since key ids are hashes over it. Called by the key
 * modules. Never says in a message what a block contains.
 */
import { InTotoError } from '../errors.ts'
import { fromBase64, toBase64 } from './bytes.ts'

/** One block: what it says it is, its bytes, and whether the old OpenSSL encryption headers stand in it. */
export interface PemBlock {
  label: string
  der: Uint8Array
  legacyEncryption: boolean
}

/** No key comes near this many characters; a larger file is not read for one. */
export const maxPemLength = 65_536

/**
 * All blocks of a text; what stands around them is ignored, as all key tools do.
 * @throws E_KEY for a block that is cut off or not base64
 */
export function readPem(text: string): PemBlock[] {
  if (text.length > maxPemLength) throw bad(`a key file has no more than ${maxPemLength} characters`)
  const blocks: PemBlock[] = []
  let at = 0
  for (;;) {
    const begin = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text.slice(at))
    if (begin === null) return blocks
    const label = begin[1]!
    const start = at + begin.index + begin[0].length
    const end = text.indexOf(`-----END ${label}-----`, start)
    if (end < 0) throw bad(`the PEM block "${label}" is cut off`)
    const inside = text.slice(start, end)
    const legacyEncryption = inside.includes('ENCRYPTED')
    try {
      blocks.push({ label, der: legacyEncryption ? new Uint8Array(0) : fromBase64(inside.replace(/\s+/g, '')), legacyEncryption })
    } catch {
      throw bad(`the PEM block "${label}" is not base64 text`)
    }
    at = end
  }
}

/** The block with 64 columns and line feeds, the last line too: as OpenSSL and Python write it. */
export function writePem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

function bad(reason: string): InTotoError {
  return new InTotoError({
    code: 'E_KEY',
    message: `the key cannot be read: ${reason}`,
    fix: 'give the whole PEM file, as the key tool wrote it',
  })
}
