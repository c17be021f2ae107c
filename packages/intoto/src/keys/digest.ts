/** The digest by which a whole file is known: SHA-256 as hex. Called where a file that was verified is compared with a recorded digest. */
import { sha256 } from '#crypto'
import { toHex } from '../encoding/bytes.ts'

/** Lower-case hex of the SHA-256 of some bytes. */
export function sha256Hex(data: Uint8Array): string {
  return toHex(sha256(data))
}
