/**
 * Whoever can sign: a private key from a file, a new one, or yours (a KMS, a token: a key and one function). Called by `sign` and by those
 * who load key files. No message from here holds key content, and no function gives a private key back but generation.
 */
import { decrypt, decryptSync, generate, importPrivate, importPrivateSync } from '#crypto'
import { ecdsaToDer } from '../encoding/der.ts'
import { writePem } from '../encoding/pem.ts'
import { InTotoError } from '../errors.ts'
import type { PrivateKey } from './crypto.ts'
import { keyFromMaterial, type Key } from './key.ts'
import { encryptPbes2 } from './pbes2.ts'
import { damaged, readPkcs8, readPrivatePem } from './pkcs8.ts'
import { algorithmOf, defaultScheme, type Algorithm, type Curve, type Keytype } from './scheme.ts'
import { badKey, readSpki } from './spki.ts'

/** A key and the ability to sign with it. */
export interface Signer {
  readonly key: Key
  /** Signature over the data in the form that metadata holds: ECDSA as DER. */
  sign(data: Uint8Array): Promise<Uint8Array>
  /** The same at once, where the signer can. */
  signSync?(data: Uint8Array): Uint8Array
}

/** How a private key is read or written. */
export interface KeyOptions {
  password?: string | undefined
}

/** How a private key becomes a signer. */
export interface SignerOptions extends KeyOptions {
  /**
   * Another scheme than the key type's own. RSA keys sign by PSS, as both in-toto tools do; tools of the Sigstore family check
   * `rsa-pkcs1v15-sha256` alone.
   */
  scheme?: string | undefined
}

/**
 * A signer from a private key in PEM form: PKCS#8, also encrypted, PKCS#1, SEC1.
 * @throws E_KEY when the text is no usable private key, the password is missing or wrong, or the scheme is not one of its type; E_UNSUPPORTED for
 * encryptions the platform lacks
 */
export async function importSigner(pem: string, options: SignerOptions = {}): Promise<Signer> {
  const { der, encrypted } = readPrivatePem(pem)
  const pkcs8 = encrypted ? await decrypt(der, needed(options.password)).catch(wrongPassword) : der
  const { algorithm, scheme } = privateAlgorithm(pkcs8, options.scheme)
  return signerOf(algorithm, scheme, await importPrivate(algorithm, pkcs8).catch(unusable))
}

/**
 * The same at once; in Node for all keys, elsewhere for unencrypted Ed25519 keys.
 * @throws E_KEY as `importSigner`; E_UNSUPPORTED where the platform has no synchronous way
 */
export function importSignerSync(pem: string, options: SignerOptions = {}): Signer {
  const { der, encrypted } = readPrivatePem(pem)
  let pkcs8 = der
  if (encrypted) {
    const password = needed(options.password)
    try {
      pkcs8 = decryptSync(der, password)
    } catch (error) {
      wrongPassword(error)
    }
  }
  const { algorithm, scheme } = privateAlgorithm(pkcs8, options.scheme)
  try {
    return signerOf(algorithm, scheme, importPrivateSync(algorithm, pkcs8))
  } catch (error) {
    return unusable(error)
  }
}

function needed(password: string | undefined): string {
  if (password === undefined || password === '') throw badKey('it is encrypted and no password was given', 'give its password')
  return password
}

function wrongPassword(error: unknown): never {
  if (error instanceof InTotoError && (error.code === 'E_UNSUPPORTED' || error.code === 'E_KEY')) throw error
  throw badKey('the password is wrong, or the file is damaged', 'give the password with which the key was encrypted')
}

function unusable(error: unknown): never {
  throw error instanceof InTotoError ? error : damaged()
}

function privateAlgorithm(pkcs8: Uint8Array, wanted: string | undefined): { algorithm: Algorithm; scheme: string } {
  const { keytype, curve } = readPkcs8(pkcs8)
  const scheme = wanted ?? defaultScheme(keytype, curve)
  const algorithm = algorithmOf(keytype, scheme, curve)
  if (algorithm !== undefined) return { algorithm, scheme }
  throw badKey(`a key of type ${keytype} does not sign by ${JSON.stringify(scheme)}`, 'leave the scheme out, or use another key')
}

function signerOf(algorithm: Algorithm, scheme: string, secret: PrivateKey): Signer {
  const key = keyFromMaterial(readSpki(secret.spki), scheme)
  const outward = algorithm.name === 'ECDSA' ? ecdsaToDer : (signature: Uint8Array): Uint8Array => signature
  // Numbers of an RSA key that do not belong together show only now.
  const sign = async (data: Uint8Array): Promise<Uint8Array> => {
    try {
      return outward(await secret.sign(data))
    } catch (error) {
      return unusable(error)
    }
  }
  if (secret.signSync === undefined) return certain(algorithm, { key, sign })
  const ownSync = secret.signSync.bind(secret)
  const signSync = (data: Uint8Array): Uint8Array => {
    try {
      return outward(ownSync(data))
    } catch (error) {
      return unusable(error)
    }
  }
  return certain(algorithm, { key, sign, signSync })
}

/** Functions that sign with a private key from which the public one was computed, and that public one. */
const ownPublic = new WeakMap<object, string>()

/** Files of the other types hold the numbers of the public key beside those of the private one, and they may not belong together. */
function certain(algorithm: Algorithm, signer: Signer): Signer {
  if (algorithm.name === 'Ed25519') ownPublic.set(signingOf(signer), publicText(signer.key))
  return signer
}

/** The function itself: somebody may put another one in its place. */
function signingOf(signer: Signer): object {
  return Reflect.get(signer, 'sign') as object
}

function publicText({ keytype, scheme, keyval }: Key): string {
  return `${keytype} ${scheme} ${keyval.public}`
}

/** Whether all that this signer makes is good under its key, so that a look at it would only take time: for a large link a third of signing it. */
export function isCertain(signer: Signer): boolean {
  return ownPublic.get(signingOf(signer)) === publicText(signer.key)
}

/** The kinds of key that can be made: `ecdsa` is P-256, `rsa` has 3072 bits. */
export type KeyPairType = 'ed25519' | 'ecdsa' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa'

const pairTypes: ReadonlyMap<string, { keytype: Keytype; curve?: Curve }> = new Map<string, { keytype: Keytype; curve?: Curve }>([
  ['ed25519', { keytype: 'ed25519' }],
  ['ecdsa', { keytype: 'ecdsa', curve: 'P-256' }],
  ['ecdsa-p384', { keytype: 'ecdsa', curve: 'P-384' }],
  ['ecdsa-p521', { keytype: 'ecdsa', curve: 'P-521' }],
  ['rsa', { keytype: 'rsa' }],
])

/**
 * A new key pair in PEM form: PKCS#8, encrypted when a password is given, and SPKI.
 * @throws E_KEY for a type that does not exist or an empty password
 */
export async function generateKeyPair(
  type: KeyPairType = 'ed25519',
  options: KeyOptions = {},
): Promise<{ privatePem: string; publicPem: string }> {
  const kind = pairTypes.get(type)
  const algorithm = kind && algorithmOf(kind.keytype, defaultScheme(kind.keytype, kind.curve), kind.curve)
  if (algorithm === undefined)
    throw badKey(`there is no key type ${JSON.stringify(type)}`, `choose one of ${[...pairTypes.keys()].join(', ')}`)
  if (options.password === '') throw badKey('an empty password protects nothing', 'give a password, or none')
  const pkcs8 = await generate(algorithm)
  const { spki } = await importPrivate(algorithm, pkcs8)
  const publicPem = writePem('PUBLIC KEY', readSpki(spki).spki)
  if (options.password === undefined) return { privatePem: writePem('PRIVATE KEY', pkcs8), publicPem }
  return { privatePem: writePem('ENCRYPTED PRIVATE KEY', await encryptPbes2(pkcs8, options.password)), publicPem }
}
