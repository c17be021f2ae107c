/**
 * Public keys as SubjectPublicKeyInfo (RFC 5280, RFC 8410, RFC 5480): which key it is, whether it is strong enough, and its one written
 * form. Called by keys and signers. Never computes with a key; the point of an ECDSA key is checked by the platform that imports it.
 */
import { toHex } from '../encoding/bytes.ts'
import { derTag, readOid, readPositive, readSequence, writeElement, writeOid, writePositive, type DerElement } from '../encoding/der.ts'
import { InTotoError } from '../errors.ts'
import { isWeakPoint } from './ed25519.ts'
import { curveSize, type Curve, type Keytype } from './scheme.ts'

/** Object identifiers of the key types that in-toto uses. */
export const oid = {
  rsa: '1.2.840.113549.1.1.1',
  ec: '1.2.840.10045.2.1',
  ed25519: '1.3.101.112',
} as const

const curveOids: Readonly<Record<Curve, string>> = { 'P-256': '1.2.840.10045.3.1.7', 'P-384': '1.3.132.0.34', 'P-521': '1.3.132.0.35' }

const foreignOids: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.10', 'RSA restricted to PSS'],
  ['1.2.840.10040.4.1', 'DSA'],
  ['1.2.840.113549.1.3.1', 'Diffie-Hellman'],
  ['1.3.101.110', 'X25519, which cannot sign'],
  ['1.3.101.111', 'X448, which cannot sign'],
  ['1.3.101.113', 'Ed448'],
])

const rsaBits = { least: 2048, most: 8192 }

/** A public key: what identifies it, and its bytes. */
export interface PublicMaterial {
  keytype: Keytype
  curve?: Curve
  /** Re-serialised SubjectPublicKeyInfo: the same bytes for every file that holds the same key. */
  spki: Uint8Array
  /** The 32 bytes of an Ed25519 key; empty for other types. */
  raw: Uint8Array
}

/** An E_KEY problem about the kind of key, never about its content. */
export function badKey(reason: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_KEY', message: `the key cannot be used: ${reason}`, fix })
}

const advice = 'use an Ed25519, an ECDSA (P-256, P-384, P-521) or an RSA key of 2048 bits and more; "intoto keygen" makes one'

/** The curve of an EC AlgorithmIdentifier's parameters. @throws E_KEY */
export function readCurve(parameters: DerElement | undefined): Curve {
  const id = parameters?.tag === derTag.oid ? readOid(parameters) : undefined
  for (const curve of Object.keys(curveOids) as Curve[]) if (curveOids[curve] === id) return curve
  throw badKey('its elliptic curve is not P-256, P-384 or P-521', advice)
}

/** The AlgorithmIdentifier of a key type. */
export function algorithmIdentifier(keytype: Keytype, curve?: Curve): Uint8Array {
  if (keytype === 'ed25519') return writeElement(derTag.sequence, writeOid(oid.ed25519))
  if (keytype === 'rsa' || curve === undefined) return writeElement(derTag.sequence, writeOid(oid.rsa), writeElement(derTag.null))
  return writeElement(derTag.sequence, writeOid(oid.ec), writeOid(curveOids[curve]))
}

/** Key type and curve of an AlgorithmIdentifier. @throws E_KEY for types that in-toto does not use, by their name where it is known */
export function readAlgorithm(identifier: DerElement | undefined): { keytype: Keytype; curve?: Curve } {
  if (identifier === undefined) throw badKey('it is not a key', advice)
  const [name, parameters] = readSequence(identifier.whole)
  const id = readOid(name)
  if (id === oid.rsa) return { keytype: 'rsa' }
  if (id === oid.ec) return { keytype: 'ecdsa', curve: readCurve(parameters) }
  if (id === oid.ed25519) return { keytype: 'ed25519' }
  throw badKey(`its type is ${foreignOids.get(id) ?? `unknown (${id})`}`, advice)
}

/** The public key from the raw form of its type: 32 bytes, an uncompressed point, or an RSAPublicKey. @throws E_KEY */
export function publicMaterial(keytype: Keytype, key: Uint8Array, curve?: Curve): PublicMaterial {
  if (keytype === 'ed25519') {
    if (key.length !== 32) throw badKey('an Ed25519 public key has 32 bytes', advice)
    if (isWeakPoint(key)) throw badKey('it is one of the weak Ed25519 keys under which any signature can be made', advice)
  } else if (keytype === 'rsa') {
    key = checkRsa(key)
  } else if (curve === undefined || key[0] !== 4 || key.length !== 1 + 2 * curveSize[curve]) {
    throw badKey(
      'its point is not in the uncompressed form',
      'write it again with "openssl pkey -pubin -in KEY -ec_conv_form uncompressed"',
    )
  }
  const spki = writeElement(derTag.sequence, algorithmIdentifier(keytype, curve), writeElement(derTag.bitString, Uint8Array.of(0), key))
  const raw = keytype === 'ed25519' ? key : new Uint8Array(0)
  return curve === undefined ? { keytype, spki, raw } : { keytype, curve, spki, raw }
}

/** An RSAPublicKey that is strong enough, written anew. The upper bounds are those that all platforms share. */
function checkRsa(key: Uint8Array): Uint8Array {
  const [modulus, exponent, ...more] = readSequence(key)
  const n = readPositive(modulus)
  const e = readPositive(exponent)
  if (more.length > 0) throw badKey('it is not an RSA key', advice)
  const bits = n.length * 8 - Math.clz32(n[0]!) + 24
  if (bits < rsaBits.least) throw badKey(`an RSA key of ${bits} bits is too weak, ${rsaBits.least} is the least`, advice)
  if (bits > rsaBits.most) throw badKey(`an RSA key of ${bits} bits is too large, ${rsaBits.most} is the most`, advice)
  const value = e.length <= 4 ? Number.parseInt(toHex(e), 16) : Infinity
  if (value < 65_537 || value === Infinity || value % 2 === 0)
    throw badKey('its RSA exponent is not an odd number from 65537 to 2^32', advice)
  return writeElement(derTag.sequence, writePositive(n), writePositive(e))
}

/**
 * Reads a SubjectPublicKeyInfo.
 * @throws E_KEY for types that in-toto does not use, weak keys, and bytes that are no key
 */
export function readSpki(der: Uint8Array): PublicMaterial {
  try {
    const [identifier, bits, ...more] = readSequence(der)
    const { keytype, curve } = readAlgorithm(identifier)
    if (bits === undefined || bits.tag !== derTag.bitString || bits.body[0] !== 0 || more.length > 0)
      throw badKey('it is not a public key', advice)
    return publicMaterial(keytype, bits.body.subarray(1), curve)
  } catch (error) {
    throw error instanceof InTotoError && error.code === 'E_KEY' ? error : badKey('its bytes are damaged', 'copy the key file again')
  }
}
