/**
 * The primitives on Node: `node:crypto`, which agrees with both peers on every Ed25519 edge case. Chosen through `#crypto`; only the key
 * modules call it.
 */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  sign,
  verify as verifyNode,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { PrivateKey } from './crypto.ts'
import { isOnCurve } from './ed25519.ts'
import { refuseSlow } from './pbes2.ts'
import type { Algorithm, Hash } from './scheme.ts'
import { publicMaterial } from './spki.ts'

/** See `Crypto.base64`: several times as fast as any script, and nothing that V8 must compile. */
export function base64(bytes: Uint8Array): Uint8Array {
  return Buffer.from(asBuffer(bytes).toString('base64'), 'latin1')
}

/** SHA-256, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return plain(createHash('sha256').update(data).digest())
}

/** See `Crypto.isUsable`. */
export async function isUsable(algorithm: Algorithm, spki: Uint8Array): Promise<boolean> {
  return publicKey(algorithm, spki) !== undefined && (algorithm.name !== 'Ed25519' || isOnCurve(spki.subarray(12)))
}

/** See `Crypto.verify`. */
export async function verify(algorithm: Algorithm, spki: Uint8Array, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = publicKey(algorithm, spki)
  if (key === undefined) return false
  try {
    return verifyNode(hashName(algorithm), data, { key, ...options(algorithm) }, signature)
  } catch {
    return false
  }
}

/** See `Crypto.importPrivate`. */
export async function importPrivate(algorithm: Algorithm, pkcs8: Uint8Array): Promise<PrivateKey> {
  return importPrivateSync(algorithm, pkcs8)
}

/** See `Crypto.importPrivateSync`. */
export function importPrivateSync(algorithm: Algorithm, pkcs8: Uint8Array): PrivateKey {
  const key = createPrivateKey({ key: asBuffer(pkcs8), format: 'der', type: 'pkcs8' })
  const signSync = (data: Uint8Array): Uint8Array => plain(sign(hashName(algorithm), data, { key, ...options(algorithm) }))
  return { spki: writeSpki(createPublicKey(key)), signSync, sign: async (data) => signSync(data) }
}

/** What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410, 4). */
const edHead = Buffer.from('302a300506032b6570032100', 'hex')

/** As a JWK (RFC 8037), an Ed25519 key spares OpenSSL its search for whoever reads or writes what stands around the bytes. */
function writeSpki(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType !== 'ed25519') return plain(key.export({ format: 'der', type: 'spki' }))
  return publicMaterial('ed25519', plain(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))).spki
}

function readSpki(bytes: Buffer): KeyObject {
  if (bytes.length !== edHead.length + 32 || !bytes.subarray(0, edHead.length).equals(edHead))
    return createPublicKey({ key: bytes, format: 'der', type: 'spki' })
  const x = bytes.toString('base64url', edHead.length)
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** See `Crypto.decrypt`. */
export async function decrypt(encrypted: Uint8Array, password: string): Promise<Uint8Array> {
  return decryptSync(encrypted, password)
}

/** See `Crypto.decryptSync`: every encryption that OpenSSL knows. */
export function decryptSync(encrypted: Uint8Array, password: string): Uint8Array {
  refuseSlow(encrypted)
  const key = createPrivateKey({ key: asBuffer(encrypted), format: 'der', type: 'pkcs8', passphrase: password })
  return plain(key.export({ format: 'der', type: 'pkcs8' }))
}

const generatePair = promisify(generateKeyPair) as unknown as (type: string, options: object) => Promise<{ privateKey: KeyObject }>

/** See `Crypto.generate`. */
export async function generate(algorithm: Algorithm): Promise<Uint8Array> {
  const { privateKey } = await (algorithm.name === 'Ed25519'
    ? generatePair('ed25519', {})
    : algorithm.name === 'ECDSA'
      ? generatePair('ec', { namedCurve: algorithm.namedCurve })
      : generatePair('rsa', { modulusLength: 3072, publicExponent: 65_537 }))
  return plain(privateKey.export({ format: 'der', type: 'pkcs8' }))
}

/** Public keys as read, since one key signs many files; the oldest goes when there are many. */
const known = new Map<string, KeyObject>()
const mostKnown = 64

function readPublicKey(spki: Uint8Array): KeyObject {
  const bytes = asBuffer(spki)
  const name = bytes.toString('base64')
  const found = known.get(name)
  if (found !== undefined) return found
  const key = readSpki(bytes)
  if (known.size === mostKnown) known.delete(known.keys().next().value ?? '')
  known.set(name, key)
  return key
}

function publicKey(algorithm: Algorithm, spki: Uint8Array): KeyObject | undefined {
  try {
    const key = readPublicKey(spki)
    const type = algorithm.name === 'Ed25519' ? 'ed25519' : algorithm.name === 'ECDSA' ? 'ec' : 'rsa'
    return key.asymmetricKeyType === type ? key : undefined
  } catch {
    return undefined
  }
}

const hashNames: Readonly<Record<Hash, string>> = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' }

function hashName(algorithm: Algorithm): string | null {
  return algorithm.name === 'Ed25519' ? null : hashNames[algorithm.hash]
}

function options(algorithm: Algorithm): { padding?: number; saltLength?: number; dsaEncoding?: 'ieee-p1363' } {
  if (algorithm.name === 'RSA-PSS') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltLength }
  if (algorithm.name === 'RSASSA-PKCS1-v1_5') return { padding: constants.RSA_PKCS1_PADDING }
  return algorithm.name === 'ECDSA' ? { dsaEncoding: 'ieee-p1363' } : {}
}

/** Node's key readers want a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A copy that is a bare Uint8Array: what leaves this module is the same type everywhere, and no view of Node's shared pool. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer)
}
