/**
 * WebCrypto, or a clear word that this platform has none. Called by crypto.web.ts and by the encryption of private keys. A platform that cannot
 * check a signature must not pass for a signature that is bad.
 */
import { InTotoError } from '../errors.ts'

/** @throws E_UNSUPPORTED where there is no WebCrypto, as on pages that were not loaded over https */
export function subtleCrypto(): SubtleCrypto {
  const { crypto } = globalThis as { crypto?: Partial<Crypto> }
  if (crypto?.subtle !== undefined) return crypto.subtle
  throw unsupported('there is no WebCrypto here', 'load the page over https, or use a current browser or runtime')
}

/** An E_UNSUPPORTED problem of the platform. */
export function unsupported(what: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_UNSUPPORTED', message: `this platform cannot do it: ${what}`, fix })
}

/** Rethrows what is the platform's fault, not that of key or signature. */
export function rethrowUnsupported(error: unknown): void {
  if (error instanceof InTotoError && error.code === 'E_UNSUPPORTED') throw error
  if (error instanceof Error && error.name === 'NotSupportedError') {
    throw unsupported('its WebCrypto lacks this algorithm', 'use another runtime, or an Ed25519, RSA or P-256 key')
  }
}
