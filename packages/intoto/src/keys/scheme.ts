/**
 * Which signature schemes exist, and what each demands of a key. The only table of algorithms: a scheme comes from a trusted key, never from
 * a signature, and a pair of key type and scheme that does not stand here is refused.
 */

/** NIST curves by the names that WebCrypto uses. */
export type Curve = 'P-256' | 'P-384' | 'P-521'
/** Hashes by the names that WebCrypto uses. */
export type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'

/** What a scheme means to the cryptographic primitives; ECDSA signatures are r‖s at that level. */
export type Algorithm =
  | { readonly name: 'Ed25519' }
  | { readonly name: 'RSA-PSS'; readonly hash: Hash; readonly saltLength: number }
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: Hash }
  | { readonly name: 'ECDSA'; readonly namedCurve: Curve; readonly hash: Hash }

/** Key types as metadata names them. */
export type Keytype = 'ed25519' | 'rsa' | 'ecdsa'

/** Bytes of one coordinate, and of each half of a signature. */
export const curveSize: Readonly<Record<Curve, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }

const curveAlgorithm: Readonly<Record<Curve, Algorithm>> = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
}

const curveScheme: Readonly<Record<Curve, string>> = {
  'P-256': 'ecdsa-sha2-nistp256',
  'P-384': 'ecdsa-sha2-nistp384',
  'P-521': 'ecdsa-sha2-nistp521',
}

/** in-toto-golang writes this scheme for every curve, and hashes by the curve. */
export const goEcdsaScheme = 'ecdsa-sha2-nistp256'

const rsaSchemes: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['rsassa-pss-sha256', { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }],
  ['rsassa-pss-sha384', { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48 }],
  ['rsassa-pss-sha512', { name: 'RSA-PSS', hash: 'SHA-512', saltLength: 64 }],
  ['rsa-pkcs1v15-sha256', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }],
  ['rsa-pkcs1v15-sha384', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' }],
  ['rsa-pkcs1v15-sha512', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' }],
])

/**
 * The key type behind a `keytype` member, undefined for types that are not verified here. Old Python tools wrote an ECDSA scheme in its
 * place.
 */
export function keytypeOf(keytype: string): Keytype | undefined {
  if (keytype === 'ed25519' || keytype === 'rsa' || keytype === 'ecdsa') return keytype
  return Object.values(curveScheme).includes(keytype) ? 'ecdsa' : undefined
}

/** What a key of this type, and for ECDSA of this curve, does under this scheme; undefined when the two do not belong together. */
export function algorithmOf(keytype: Keytype, scheme: string, curve?: Curve): Algorithm | undefined {
  if (keytype === 'ed25519') return scheme === 'ed25519' ? { name: 'Ed25519' } : undefined
  if (keytype === 'rsa') return rsaSchemes.get(scheme)
  if (curve === undefined) return undefined
  return scheme === curveScheme[curve] || scheme === goEcdsaScheme ? curveAlgorithm[curve] : undefined
}

/** The scheme that a new key gets: Python's choice, and in-toto-golang's but for its label on P-384 and P-521. */
export function defaultScheme(keytype: Keytype, curve?: Curve): string {
  if (keytype === 'ed25519') return 'ed25519'
  return curve === undefined ? 'rsassa-pss-sha256' : curveScheme[curve]
}
