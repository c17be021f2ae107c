/**
 * The shape of `#crypto`: the primitives that differ between Node and everywhere else. crypto.node.ts and crypto.web.ts both fill it, one of
 * them is chosen by the private import condition of this package. Only the key modules use it.
 */
import type { Algorithm } from './scheme.ts'

/** A private key inside the platform; its bytes are not reachable from here. */
export interface PrivateKey {
  /** SubjectPublicKeyInfo of its public half, as the platform writes it. */
  readonly spki: Uint8Array
  /** Signature over the data; ECDSA as r‖s. */
  sign(data: Uint8Array): Promise<Uint8Array>
  /** The same at once, where the platform can. */
  signSync?(data: Uint8Array): Uint8Array
}

/** What both modules export. A SubjectPublicKeyInfo handed in is one that `readSpki` wrote, for the algorithm named beside it. */
export interface Crypto {
  /** Standard base64 with padding, as ASCII. */
  base64(bytes: Uint8Array): Uint8Array
  sha256(data: Uint8Array): Uint8Array
  /** Is this public key a real one, its point on its curve? @throws E_UNSUPPORTED where the platform lacks the algorithm */
  isUsable(algorithm: Algorithm, spki: Uint8Array): Promise<boolean>
  /** Never throws for a bad signature or key. @throws E_UNSUPPORTED where the platform lacks the algorithm. ECDSA signatures are r‖s; Ed25519 ones have passed `isPlausible`. */
  verify(algorithm: Algorithm, spki: Uint8Array, data: Uint8Array, signature: Uint8Array): Promise<boolean>
  /** From PKCS#8. Rejects with whatever the platform throws. */
  importPrivate(algorithm: Algorithm, pkcs8: Uint8Array): Promise<PrivateKey>
  /** The same at once. @throws E_UNSUPPORTED where the platform cannot */
  importPrivateSync(algorithm: Algorithm, pkcs8: Uint8Array): PrivateKey
  /** The PKCS#8 inside an EncryptedPrivateKeyInfo. @throws E_UNSUPPORTED for an encryption that the platform lacks */
  decrypt(encrypted: Uint8Array, password: string): Promise<Uint8Array>
  /** The same at once. @throws E_UNSUPPORTED where the platform cannot */
  decryptSync(encrypted: Uint8Array, password: string): Uint8Array
  /** A new private key as PKCS#8. */
  generate(algorithm: Algorithm): Promise<Uint8Array>
}
