/** Base64 of what is too large for a script: the platform's own where it has one. Called by the envelope's writer. */
import { base64 } from '#crypto'

/** Standard base64 with padding (RFC 4648, section 4), as ASCII. */
export function largeBase64(bytes: Uint8Array): Uint8Array {
  return base64(bytes)
}
