/**
 * Private keys as files hold them: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) and SEC1 (RFC 5915), all turned into PKCS#8, the one form that
 * every platform imports. Called by the signers. Messages name the kind of file, never what is in it.
 */
import { derTag, readElement, readSequence, writeElement } from '../encoding/der.ts'
import { readPem, type PemBlock } from '../encoding/pem.ts'
import { InTotoError } from '../errors.ts'
import type { Curve, Keytype } from './scheme.ts'
import { algorithmIdentifier, badKey, publicMaterial, readAlgorithm, readCurve } from './spki.ts'

const version0 = Uint8Array.of(derTag.integer, 1, 0)

/** What a private key file holds: a key, or one that needs its password. */
export interface PrivateFile {
  der: Uint8Array
  encrypted: boolean
}

/**
 * Finds the private key in a PEM text.
 * @throws E_KEY when it is empty, something else, cut off, or in a form that needs converting
 */
export function readPrivatePem(text: string): PrivateFile {
  if (text.trim() === '') throw badKey('the file is empty', 'give a private key in PEM form')
  const block = readPem(text).find(({ label }) => label !== 'EC PARAMETERS')
  if (block === undefined) throw badKey('it is not a PEM file', 'give a private key in PEM form: -----BEGIN PRIVATE KEY-----')
  if (block.legacyEncryption) throw badKey('it is encrypted in the old OpenSSL way', 'convert it: openssl pkcs8 -topk8 -in KEY -out NEW')
  try {
    return fromBlock(block)
  } catch (error) {
    throw error instanceof InTotoError && error.code === 'E_KEY' ? error : damaged()
  }
}

function fromBlock({ label, der }: PemBlock): PrivateFile {
  if (label === 'PRIVATE KEY') return { der, encrypted: false }
  if (label === 'ENCRYPTED PRIVATE KEY') return { der, encrypted: true }
  if (label === 'RSA PRIVATE KEY') return { der: wrap('rsa', der), encrypted: false }
  if (label === 'EC PRIVATE KEY') return { der: fromSec1(der), encrypted: false }
  if (label === 'OPENSSH PRIVATE KEY') throw badKey('it is in OpenSSH form', 'convert a copy of it: ssh-keygen -p -m pkcs8 -f KEY')
  if (label.endsWith('PUBLIC KEY')) throw badKey('a private key is needed, this is a public one', 'give the file without ".pub"')
  throw badKey(`a private key is needed, this is "${label}"`, 'give a private key in PEM form')
}

/** The problem of a private key whose bytes do not hold together. */
export function damaged(): InTotoError {
  return badKey('its bytes are damaged or cut off', 'copy the key file again')
}

/**
 * Key type and curve of a PKCS#8 key, RSA strength checked.
 * @throws E_KEY for types that in-toto does not use, weak RSA keys, and damaged bytes
 */
export function readPkcs8(der: Uint8Array): { keytype: Keytype; curve?: Curve } {
  try {
    const [, identifier, key] = readSequence(der)
    const algorithm = readAlgorithm(identifier)
    if (key === undefined || key.tag !== derTag.octetString) throw damaged()
    if (algorithm.keytype === 'ed25519' && readElement(key.body, derTag.octetString).length !== 32) throw damaged()
    if (algorithm.keytype === 'rsa') {
      const [, modulus, exponent] = readSequence(key.body)
      if (modulus === undefined || exponent === undefined) throw damaged()
      publicMaterial('rsa', writeElement(derTag.sequence, modulus.whole, exponent.whole))
    }
    return algorithm
  } catch (error) {
    throw error instanceof InTotoError && error.code === 'E_KEY' ? error : damaged()
  }
}

function wrap(keytype: Keytype, key: Uint8Array, curve?: Curve): Uint8Array {
  return writeElement(derTag.sequence, version0, algorithmIdentifier(keytype, curve), writeElement(derTag.octetString, key))
}

/** SEC1 carries the curve inside; PKCS#8 beside the key. */
function fromSec1(der: Uint8Array): Uint8Array {
  const elements = readSequence(der)
  const parameters = elements.find(({ tag }) => tag === 0xa0)
  if (parameters === undefined) throw damaged()
  const [curveOid, ...more] = readSequence(writeElement(derTag.sequence, parameters.body))
  if (more.length > 0) throw damaged()
  const bare = elements.filter((element) => element !== parameters).map(({ whole }) => whole)
  return wrap('ecdsa', writeElement(derTag.sequence, ...bare), readCurve(curveOid))
}

/** An Ed25519 seed as PKCS#8 (RFC 8410, 7). */
export function edPkcs8(seed: Uint8Array): Uint8Array {
  return wrap('ed25519', writeElement(derTag.octetString, seed))
}
