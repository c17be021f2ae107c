/**
 * Private keys under a password (RFC 8018, PBES2): PBKDF2 and AES-CBC by WebCrypto, which Node and browsers share. Every key that is made
 * with a password is written here; reading is used where there is no node:crypto, which knows older encryptions too.
 */
import { fromHex, toHex, utf8 } from '../encoding/bytes.ts'
import { derTag, readElement, readOid, readSequence, writeElement, writeOid, writePositive, type DerElement } from '../encoding/der.ts'
import type { InTotoError } from '../errors.ts'
import type { Hash } from './scheme.ts'
import { badKey } from './spki.ts'
import { rethrowUnsupported, subtleCrypto, unsupported } from './subtle.ts'

const oids = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  sha256: '1.2.840.113549.2.9',
  aes256: '2.16.840.1.101.3.4.1.42',
}

const prfs: ReadonlyMap<string, Hash | 'SHA-1'> = new Map<string, Hash | 'SHA-1'>([
  ['1.2.840.113549.2.7', 'SHA-1'],
  [oids.sha256, 'SHA-256'],
  ['1.2.840.113549.2.10', 'SHA-384'],
  ['1.2.840.113549.2.11', 'SHA-512'],
])

const ciphers: ReadonlyMap<string, number> = new Map([
  ['2.16.840.1.101.3.4.1.2', 128],
  ['2.16.840.1.101.3.4.1.22', 192],
  [oids.aes256, 256],
])

/** OWASP's figure for PBKDF2 with HMAC-SHA-256; a third of a second on a small machine. */
const iterations = 600_000
/** What a file may ask for before it is taken for an attack on the reader's time. */
const maxIterations = 10_000_000
/** The same for scrypt (RFC 7914): N times r times p, a hundred times what OpenSSL writes. */
const maxScryptCost = 16_777_216

interface Parameters {
  salt: Uint8Array
  iterations: number
  hash: Hash | 'SHA-1'
  bits: number
  iv: Uint8Array
}

async function aesKey(password: string, { salt, iterations, hash, bits }: Parameters): Promise<CryptoKey> {
  const subtle = subtleCrypto()
  const base = await subtle.importKey('raw', new Uint8Array(utf8(password)), 'PBKDF2', false, ['deriveKey'])
  const derivation = { name: 'PBKDF2', salt: new Uint8Array(salt), iterations, hash }
  return subtle.deriveKey(derivation, base, { name: 'AES-CBC', length: bits }, false, ['encrypt', 'decrypt'])
}

/** PKCS#8 bytes as an EncryptedPrivateKeyInfo: PBKDF2-HMAC-SHA-256, AES-256-CBC, as OpenSSL and Python read it. */
export async function encryptPbes2(pkcs8: Uint8Array, password: string): Promise<Uint8Array> {
  const salt = globalThis.crypto.getRandomValues(new Uint8Array(16))
  const iv = globalThis.crypto.getRandomValues(new Uint8Array(16))
  const key = await aesKey(password, { salt, iterations, hash: 'SHA-256', bits: 256, iv })
  const sealed = await subtleCrypto().encrypt({ name: 'AES-CBC', iv }, key, new Uint8Array(pkcs8))
  const sequence = (...parts: Uint8Array[]): Uint8Array => writeElement(derTag.sequence, ...parts)
  const kdf = sequence(
    writeElement(derTag.octetString, salt),
    writePositive(fromHex(iterations.toString(16).padStart(8, '0'))),
    sequence(writeOid(oids.sha256), writeElement(derTag.null)),
  )
  const cipher = sequence(writeOid(oids.aes256), writeElement(derTag.octetString, iv))
  const scheme = sequence(writeOid(oids.pbes2), sequence(sequence(writeOid(oids.pbkdf2), kdf), cipher))
  return sequence(scheme, writeElement(derTag.octetString, new Uint8Array(sealed)))
}

/**
 * The PKCS#8 bytes inside an EncryptedPrivateKeyInfo; rejects with the platform's error for a wrong password.
 * @throws E_UNSUPPORTED for another encryption than PBKDF2 with AES-CBC
 */
export async function decryptPbes2(encrypted: Uint8Array, password: string): Promise<Uint8Array> {
  const [scheme, sealed] = readSequence(encrypted)
  const parameters = readParameters(scheme)
  // Some browsers lack AES with 192 bits, and say so only here.
  const key = await aesKey(password, parameters).catch((error: unknown) => {
    rethrowUnsupported(error)
    throw foreign()
  })
  const body = sealed === undefined ? new Uint8Array(0) : readElement(sealed.whole, derTag.octetString)
  const { iv } = parameters
  return new Uint8Array(await subtleCrypto().decrypt({ name: 'AES-CBC', iv: new Uint8Array(iv) }, key, new Uint8Array(body)))
}

/**
 * Refuses a key whose password would be tried for minutes or years, for platforms that carry out whatever a file asks for.
 * @throws E_KEY; E_FORMAT when that can't be told
 */
export function refuseSlow(encrypted: Uint8Array): void {
  const cost = costOf(encrypted)
  if (cost <= 1) return
  throw badKey(
    'its password is protected by more rounds than an honest file asks for',
    'encrypt it anew: openssl pkcs8 -topk8 -v2 aes256 -in KEY -out NEW',
  )
}

/** The work that a file asks for, as a share of what is allowed. */
function costOf(encrypted: Uint8Array): number {
  const [name, parameters] = inside(readSequence(encrypted)[0])
  if (readOid(name) !== oids.pbes2) return countOf(inside(parameters)[1]) / maxIterations
  const [kdfName, kdf] = inside(inside(parameters)[0])
  const [, first, ...others] = inside(kdf)
  if (readOid(kdfName) !== oids.scrypt) return countOf(first) / maxIterations
  return (countOf(first) * countOf(others[0]) * countOf(others[1])) / maxScryptCost
}

function countOf(element: DerElement | undefined): number {
  return element?.tag === derTag.integer ? Number.parseInt(toHex(element.body), 16) : 0
}

function readParameters(scheme: DerElement | undefined): Parameters {
  const [name, both] = inside(scheme)
  if (readOid(name) !== oids.pbes2) throw foreign()
  const [kdf, cipher] = inside(both)
  const [kdfName, kdfParameters] = inside(kdf)
  const [cipherName, iv] = inside(cipher)
  const bits = ciphers.get(readOid(cipherName))
  if (readOid(kdfName) !== oids.pbkdf2 || bits === undefined) throw foreign()
  const [salt, count, ...rest] = inside(kdfParameters)
  const prf = rest.find(({ tag }) => tag === derTag.sequence)
  const hash = prf === undefined ? 'SHA-1' : prfs.get(readOid(inside(prf)[0]))
  const iterations = countOf(count)
  if (hash === undefined || salt === undefined || iv === undefined || !(iterations >= 1 && iterations <= maxIterations)) throw foreign()
  return { salt: readElement(salt.whole, derTag.octetString), iterations, hash, bits, iv: readElement(iv.whole, derTag.octetString) }
}

function inside(element: DerElement | undefined): DerElement[] {
  return readSequence(element?.whole ?? new Uint8Array(0))
}

function foreign(): InTotoError {
  return unsupported(
    'the key is encrypted in a way that it cannot read',
    'encrypt it anew: openssl pkcs8 -topk8 -v2 aes256 -in KEY -out NEW',
  )
}
