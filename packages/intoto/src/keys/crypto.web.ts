/**
 * The primitives wherever there is no `node:crypto` (browsers, workers, edge): WebCrypto, and noble for Ed25519 and hashes, since not every
 * WebCrypto has the one and none hashes at once. Chosen through `#crypto`; only the key modules call it.
 */
import { getPublicKey, hashes, Point, sign as signEd25519, verify as verifyEd25519 } from '@noble/ed25519'
import { sha256 as hash256, sha512 as hash512 } from '@noble/hashes/sha2.js'
import { concat, encodeBase64, equalBytes } from '../encoding/bytes.ts'
import { derTag, readElement, readSequence } from '../encoding/der.ts'
import type { InTotoError } from '../errors.ts'
import type { PrivateKey } from './crypto.ts'
import { littleEndian } from './ed25519.ts'
import { decryptPbes2 } from './pbes2.ts'
import { edPkcs8 } from './pkcs8.ts'
import type { Algorithm } from './scheme.ts'
import { publicMaterial } from './spki.ts'
import { rethrowUnsupported, subtleCrypto, unsupported } from './subtle.ts'

// noble carries no hash of its own; this is how it takes one.
hashes.sha512 = hash512

/** See `Crypto.base64`. */
export function base64(bytes: Uint8Array): Uint8Array {
  return encodeBase64(bytes)
}

/** SHA-256, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return hash256(data)
}

/** See `Crypto.isUsable`. */
export async function isUsable(algorithm: Algorithm, spki: Uint8Array): Promise<boolean> {
  try {
    if (algorithm.name === 'Ed25519') Point.fromBytes(rawKey(spki))
    else await subtleCrypto().importKey('spki', owned(spki), algorithm, false, ['verify'])
    return true
  } catch (error) {
    rethrowUnsupported(error)
    return false
  }
}

/** See `Crypto.verify`. */
export async function verify(algorithm: Algorithm, spki: Uint8Array, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    if (algorithm.name === 'Ed25519') {
      const publicKey = rawKey(spki)
      return verifyEd25519(signature, data, publicKey, { zip215: false }) && isCofactorless(publicKey, data, signature)
    }
    const subtle = subtleCrypto()
    const key = await subtle.importKey('spki', owned(spki), algorithm, false, ['verify'])
    return await subtle.verify(algorithm, key, owned(signature), owned(data))
  } catch (error) {
    rethrowUnsupported(error)
    return false
  }
}

/** The 32 bytes behind the fixed head of an Ed25519 SubjectPublicKeyInfo. */
function rawKey(spki: Uint8Array): Uint8Array {
  return spki.slice(12)
}

const groupOrder = Point.CURVE().n

/**
 * The equation without the cofactor, R = [S]B - [k]A, compared as bytes. noble checks it multiplied by 8, OpenSSL and Go as it stands; the
 * two differ for keys with a component of small order.
 */
function isCofactorless(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const encodedR = signature.subarray(0, 32)
  const k = littleEndian(hash512(concat(encodedR, publicKey, data))) % groupOrder
  const s = littleEndian(signature.subarray(32))
  const r = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k))
  return equalBytes(r.toBytes(), encodedR)
}

/** See `Crypto.importPrivate`. */
export async function importPrivate(algorithm: Algorithm, pkcs8: Uint8Array): Promise<PrivateKey> {
  if (algorithm.name === 'Ed25519') return importPrivateSync(algorithm, pkcs8)
  const subtle = subtleCrypto()
  const key = await subtle.importKey('pkcs8', owned(pkcs8), algorithm, false, ['sign'])
  // WebCrypto gives no public half of a private key: it is taken from the JWK form, without the private members.
  const { kty, crv, x, y, n, e } = await subtle.exportKey('jwk', await subtle.importKey('pkcs8', owned(pkcs8), algorithm, true, ['sign']))
  const half = algorithm.name === 'ECDSA' ? { kty, crv, x, y } : { kty, n, e }
  const publicKey = await subtle.importKey('jwk', half as JsonWebKey, algorithm, true, ['verify'])
  const spki = new Uint8Array(await subtle.exportKey('spki', publicKey))
  return { spki, sign: async (data) => new Uint8Array(await subtle.sign(algorithm, key, owned(data))) }
}

/** See `Crypto.importPrivateSync`: only Ed25519 signs at once here. */
export function importPrivateSync(algorithm: Algorithm, pkcs8: Uint8Array): PrivateKey {
  if (algorithm.name !== 'Ed25519') throw notAtOnce('RSA and ECDSA keys')
  const seed = readElement(readSequence(pkcs8)[2]?.body ?? new Uint8Array(0), derTag.octetString).slice()
  const { spki } = publicMaterial('ed25519', getPublicKey(seed))
  const signSync = (data: Uint8Array): Uint8Array => signEd25519(data, seed)
  return { spki, signSync, sign: async (data) => signSync(data) }
}

/** See `Crypto.decrypt`. */
export async function decrypt(encrypted: Uint8Array, password: string): Promise<Uint8Array> {
  return decryptPbes2(encrypted, password)
}

/** See `Crypto.decryptSync`: WebCrypto has no such thing. */
export function decryptSync(): Uint8Array {
  throw notAtOnce('encrypted keys')
}

/** See `Crypto.generate`. */
export async function generate(algorithm: Algorithm): Promise<Uint8Array> {
  if (algorithm.name === 'Ed25519') return edPkcs8(globalThis.crypto.getRandomValues(new Uint8Array(32)))
  const parameters = algorithm.name === 'ECDSA' ? algorithm : { ...algorithm, modulusLength: 3072, publicExponent: Uint8Array.of(1, 0, 1) }
  const subtle = subtleCrypto()
  const { privateKey } = await subtle.generateKey(parameters, true, ['sign', 'verify'])
  return new Uint8Array(await subtle.exportKey('pkcs8', privateKey))
}

/** WebCrypto's types want bytes over a buffer that is not shared. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

function notAtOnce(what: string): InTotoError {
  return unsupported(`${what} cannot be used synchronously`, 'use importSigner, which is asynchronous, or an unencrypted Ed25519 key')
}
