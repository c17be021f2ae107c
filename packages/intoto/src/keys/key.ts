/**
 * Public keys: read from PEM or from a layout, identified by their material, and the check of one signature. Called by metadata, layouts and
 * whoever loads key files. Nothing here trusts a key id, and nothing from a signature chooses an algorithm.
 */
import { isUsable, verify } from '#crypto'
import { fromHex, toBase64, toHex } from '../encoding/bytes.ts'
import { ecdsaFromDer } from '../encoding/der.ts'
import { emptyRecord, isJsonObject, type JsonObject } from '../encoding/json.ts'
import { readPem, writePem } from '../encoding/pem.ts'
import { InTotoError } from '../errors.ts'
import { isPlausible } from './ed25519.ts'
import { deriveKeyid, deriveKeyids, type KeyidSource, type KeyidStyle } from './keyid.ts'
import { algorithmOf, curveSize, defaultScheme, keytypeOf, type Algorithm, type Keytype } from './scheme.ts'
import { badKey, publicMaterial, readSpki, type PublicMaterial } from './spki.ts'

/** A public key as it stands in metadata. Members unknown here are kept. */
export interface Key {
  /** The id under which it is filed; a selector, not an identity. */
  keyid: string
  keytype: string
  scheme: string
  /** Ed25519: 64 hex digits; RSA and ECDSA: SPKI as PEM. */
  keyval: { public: string }
  keyid_hash_algorithms?: string[]
}

/**
 * Reads a public key in PEM form (SPKI, or PKCS#1 for RSA); its id is Python's.
 * @throws E_KEY for private keys, certificates, weak, damaged and unsupported keys
 */
export async function importKey(pem: string): Promise<Key> {
  const material = materialFromPem(pem)
  const key = keyFromMaterial(material)
  const algorithm = algorithmOf(material.keytype, key.scheme, material.curve)
  if (algorithm === undefined || !(await isUsable(algorithm, material.spki)))
    throw badKey('it is not a point of its curve', 'copy the key file again')
  return key
}

function materialFromPem(pem: string): PublicMaterial {
  if (pem.trim() === '') throw badKey('the file is empty', 'give a public key in PEM form')
  const [block, ...more] = readPem(pem)
  if (block === undefined) throw badKey('it is not a PEM file', 'give a public key in PEM form: -----BEGIN PUBLIC KEY-----')
  if (more.length > 0) throw badKey('the file holds more than one PEM block', 'give each key in a file of its own')
  if (block.label === 'PUBLIC KEY') return readSpki(block.der)
  if (block.label === 'RSA PUBLIC KEY') return rsaMaterial(block.der)
  if (block.label.endsWith('PRIVATE KEY')) throw badKey('a public key is needed, this is a private one', 'give the ".pub" file beside it')
  const fix = block.label === 'CERTIFICATE' ? 'take its key: openssl x509 -in CERT -noout -pubkey' : 'give a public key in PEM form'
  throw badKey(`a public key is needed, this is "${block.label}"`, fix)
}

function rsaMaterial(der: Uint8Array): PublicMaterial {
  try {
    return publicMaterial('rsa', der)
  } catch (error) {
    throw error instanceof InTotoError && error.code === 'E_KEY' ? error : badKey('its bytes are damaged', 'copy the key file again')
  }
}

/** The key object of a public key, under the default scheme of its type unless another is given, with Python's id. */
export function keyFromMaterial(material: PublicMaterial, scheme: string = defaultScheme(material.keytype, material.curve)): Key {
  const source = sourceOf(material, scheme)
  return { keyid: deriveKeyid(source, 'python'), ...source }
}

function sourceOf(material: PublicMaterial, scheme: string): KeyidSource & { keytype: Keytype } {
  const text = material.keytype === 'ed25519' ? toHex(material.raw) : writePem('PUBLIC KEY', material.spki)
  return { keytype: material.keytype, scheme, keyval: { public: text } }
}

/** A key ready for use: what it is, and what its scheme makes of it. */
interface Prepared {
  material: PublicMaterial
  algorithm: Algorithm
}

const supported = 'use ed25519, rsassa-pss-sha256 or ecdsa-sha2-nistp256, nistp384, nistp521'

/** @throws E_KEY when type, scheme and material do not belong together */
function prepare(key: Pick<Key, 'keytype' | 'scheme' | 'keyval'>): Prepared {
  const keytype = keytypeOf(key.keytype)
  if (keytype === undefined) throw badKey(`key type ${JSON.stringify(key.keytype)} is not supported`, supported)
  const material = keytype === 'ed25519' ? edMaterial(key.keyval.public) : materialFromPem(key.keyval.public)
  if (material.keytype !== keytype) throw badKey(`its type says ${keytype}, its content is ${material.keytype}`, 'make the key entry again')
  const algorithm = algorithmOf(keytype, key.scheme, material.curve)
  const aliased = key.keytype !== keytype && algorithmOf(keytype, key.keytype, material.curve) === undefined
  if (algorithm === undefined || aliased) {
    throw badKey(
      `scheme ${JSON.stringify(key.scheme)} does not belong to a key of type ${key.keytype}${material.curve ? ` on ${material.curve}` : ''}`,
      supported,
    )
  }
  return { material, algorithm }
}

function edMaterial(text: string): PublicMaterial {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw badKey('an ed25519 key is written as 64 hexadecimal digits', 'make the key entry again')
  return publicMaterial('ed25519', fromHex(text))
}

/** Every id under which this key may be filed: Python's, Go's and old tools', then the one it carries itself. Python's is the first. */
export function keyids(key: Key): readonly string[] {
  try {
    const ids = deriveKeyids(sourceOf(prepare(key).material, key.scheme))
    return ids.includes(key.keyid) ? ids : [...ids, key.keyid]
  } catch {
    return [key.keyid]
  }
}

/** The id of a key in one style. @throws E_KEY for keys of unsupported types */
export function keyidFor(key: Key, style: KeyidStyle): string {
  return deriveKeyid(sourceOf(prepare(key).material, key.scheme), style)
}

/** The public material as one string: equal for equal keys, whatever their ids, schemes and spelling. Keys that cannot be used here, and so never count, are told apart by id. */
export function keyMaterial(key: Key): string {
  try {
    return `spki:${toBase64(prepare(key).material.spki)}`
  } catch {
    return `other:${key.keyid}`
  }
}

/** One key, though perhaps under two ids. */
export function sameKey(a: Key, b: Key): boolean {
  return keyMaterial(a) === keyMaterial(b)
}

/** Is this a `keytype` whose signatures can be checked here? Keys of others (OpenPGP, unknown ones) are kept in layouts, and never counted. */
export function isKnownKeytype(keytype: unknown): boolean {
  return typeof keytype === 'string' && keytypeOf(keytype) !== undefined
}

/**
 * Checks the key object of a layout: its type, scheme, curve and strength belong together, and nothing private is in it. `keyid` is the name
 * under which the layout lists it, for objects that do not repeat it. Keys of types that are not known here come back as they are.
 * @throws E_LAYOUT_INVALID
 */
export function checkKey(object: JsonObject, keyid?: string): Key {
  const key = Object.hasOwn(object, 'keyid') || keyid === undefined ? object : Object.assign(emptyRecord(), object, { keyid })
  if (typeof key['keyid'] !== 'string' || key['keyid'] === '') return refuseKey('"keyid" is not a text')
  const checked = key as unknown as Key
  if (!isKnownKeytype(key['keytype'])) return checked
  const { keyval, scheme } = key
  if (typeof scheme !== 'string') return refuseKey('"scheme" is not a text')
  if (!isJsonObject(keyval) || typeof keyval['public'] !== 'string') return refuseKey('"keyval" has no "public" text')
  const { private: secret } = keyval
  // Old tools write an empty one.
  if (secret !== undefined && secret !== '')
    return refuseKey('a private key is in it', 'take that key out of use, and put only public keys into layouts')
  try {
    prepare(checked)
  } catch (error) {
    if (error instanceof InTotoError) refuseKey(error.message, error.problem.fix[0])
    throw error
  }
  return checked
}

function refuseKey(reason: string, fix = 'have the owner make the layout again'): never {
  throw new InTotoError({ code: 'E_LAYOUT_INVALID', message: reason, fix })
}

/**
 * Is this a good signature by this key? ECDSA signatures are DER, as metadata holds them. An unusable key has no good signature.
 * @throws E_UNSUPPORTED where the platform lacks the algorithm, never for a bad signature
 */
export async function verifySignature(key: Key, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  let prepared: Prepared
  try {
    prepared = prepare(key)
  } catch {
    return false
  }
  const { material, algorithm } = prepared
  if (algorithm.name === 'Ed25519' && !isPlausible(material.raw, signature)) return false
  const plain = algorithm.name === 'ECDSA' ? ecdsaFromDer(signature, curveSize[algorithm.namedCurve]) : signature
  return plain !== undefined && (await verify(algorithm, material.spki, data, plain))
}

/** The key object to put into a layout so that every tool computes the same bytes from it: with hash algorithms, without anything private. */
export function toLayoutKey(key: Key): JsonObject {
  return Object.assign(emptyRecord(), {
    keyid: key.keyid,
    keyid_hash_algorithms: ['sha256', 'sha512'],
    keytype: key.keytype,
    keyval: Object.assign(emptyRecord(), { public: key.keyval.public }),
    scheme: key.scheme,
  })
}
