/**
 * Sigstore bundles (v0.3) around Statements, signed with a plain key: what cosign and npm's tools take. Made from a signed envelope, read back and
 * checked against keys here; bundles with a certificate are read here and judged by keyless.ts. A bundle adds no trust to its envelope.
 */
import { createHash } from 'node:crypto'
import { decodeMetadata, hasSignature, InTotoError, isStatement, parseJson, stringifyJson, utf8, verifySignature } from 'intoto'
import type { JsonObject, Key, Metadata, Statement } from 'intoto'

/** Media type of the bundles that are written. */
export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** All spellings that readers meet: v0.3 has two, earlier versions one. */
const readable = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])$/

/** A bundle as read; nothing in it is verified yet. */
export interface Bundle {
  /** Its envelope, with a Statement in it. */
  metadata: Metadata<Statement>
  /** Whether a certificate stands for the signer, so that only `verifyKeyless` can tell who that was. */
  keyless: boolean
  /** The parsed file. */
  json: JsonObject
}

/**
 * The hint by which cosign names a key: base64 of the SHA-256 of its SPKI.
 * @throws InTotoError E_KEY for key types without SPKI form
 */
export function keyHint(key: Key): string {
  return createHash('sha256').update(spki(key)).digest('base64')
}

/** Ed25519 keys stand as 32 raw bytes in metadata; this is what precedes them in SPKI (RFC 8410). */
const ed25519Prefix = '302a300506032b6570032100'

function spki(key: Key): Buffer {
  const { public: text } = key.keyval
  if (key.keytype === 'ed25519') return Buffer.from(ed25519Prefix + text, 'hex')
  const [, base64] = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(text) ?? []
  if (base64 === undefined)
    throw new InTotoError({ code: 'E_KEY', message: `key ${key.keyid} has no SPKI form`, fix: 'use an Ed25519, ECDSA or RSA key' })
  return Buffer.from(base64, 'base64')
}

/** How Sigstore's tools check RSA keys; a bundle names no scheme. */
const rsaScheme = 'rsa-pkcs1v15-sha256'

/**
 * The bundle of one signer. Its one signature has an empty key id: cosign refuses any other, and the id is no part of what is signed.
 * @throws InTotoError E_UNSUPPORTED: not a Statement in an envelope, or an RSA signature by PSS, which Sigstore's tools do not check; E_SIGNATURE: this
 * key has not signed it
 */
export async function toBundle(metadata: Metadata, key: Key): Promise<Uint8Array> {
  if (key.keytype === 'rsa' && key.scheme !== rsaScheme) {
    const message = `Sigstore's tools check RSA signatures as ${rsaScheme} alone, and key ${key.keyid.slice(0, 8)} signs by ${key.scheme}`
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message,
      fix: `load the signing key with the scheme "${rsaScheme}", or use an Ed25519 or ECDSA key`,
    })
  }
  if (metadata.format !== 'dsse' || !isStatement(metadata.payload)) {
    const message = 'a Sigstore bundle holds a Statement in a DSSE envelope, and this is a classic link or layout'
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'make a Statement of it first: intoto provenance --predicate link' })
  }
  for (const { sig } of metadata.signatures) {
    if (!(await verifySignature(key, metadata.signedBytes, sig))) continue
    const { payload, payloadType } = parseJson(metadata.bytes).value as { payload: string; payloadType: string }
    const signatures = [{ sig: Buffer.from(sig).toString('base64'), keyid: '' }]
    const dsseEnvelope = { payload: Buffer.from(payload, 'base64').toString('base64'), payloadType, signatures }
    return utf8(stringifyJson({ mediaType: bundleMediaType, verificationMaterial: { publicKey: { hint: keyHint(key) } }, dsseEnvelope }))
  }
  throw new InTotoError({
    code: 'E_SIGNATURE',
    message: `no good signature by key ${key.keyid.slice(0, 8)} on this Statement`,
    fix: 'sign it with this key first',
  })
}

/**
 * Reads a bundle. Nothing is verified.
 * @throws InTotoError E_FORMAT: no bundle, or a damaged one; E_UNSUPPORTED: a bundle of something else than a Statement
 */
export function readBundle(bytes: Uint8Array, what = 'bundle'): Bundle {
  const json = parseJson(bytes, { what }).value
  const file: JsonObject = isObject(json) ? json : {}
  const { mediaType, verificationMaterial: material, dsseEnvelope } = file
  if (typeof mediaType !== 'string' || !readable.test(mediaType)) throw malformed(`${what}: it is no Sigstore bundle of version 0.1 to 0.3`)
  if (!isObject(dsseEnvelope)) {
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message: `${what}: the bundle holds no DSSE envelope`,
      fix: 'give a bundle of an attestation, not of a bare signature',
    })
  }
  const metadata = decodeMetadata(utf8(stringifyJson(dsseEnvelope)), { what })
  if (!isStatement(metadata.payload))
    throw new InTotoError({ code: 'E_UNSUPPORTED', message: `${what}: the bundle's payload is not a Statement` })
  if (metadata.signatures.length !== 1) throw malformed(`${what}: a bundle has exactly one signature, found ${metadata.signatures.length}`)
  const members = isObject(material) ? material : {}
  const keyless = members['certificate'] !== undefined || members['x509CertificateChain'] !== undefined
  if (keyless === (members['publicKey'] !== undefined)) throw malformed(`${what}: a bundle names either a key or a certificate`)
  return { metadata: metadata as Metadata<Statement>, keyless, json: file }
}

/**
 * The Statement of a bundle that one of these keys signed. The bundle's own hint is not asked; RSA keys are tried under Sigstore's scheme as well as
 * under their own.
 * @throws InTotoError those of readBundle; E_SIGNATURE when none of the keys signed it
 */
export async function verifyBundle(bytes: Uint8Array, keys: readonly Key[]): Promise<{ statement: Statement; key: Key }> {
  const { metadata, keyless } = readBundle(bytes)
  for (const key of keys) {
    const schemes = key.keytype === 'rsa' ? [key, { ...key, scheme: rsaScheme }] : [key]
    for (const each of schemes) if (await hasSignature(metadata, each)) return { statement: metadata.payload, key }
  }
  const message = keyless ? 'the bundle is signed by a certificate, not by a key' : 'the bundle is signed by none of the given keys'
  const fix = keyless ? 'give a trusted root and the identity to expect' : 'give the public key of whoever made it, or do not trust it'
  throw new InTotoError({ code: 'E_SIGNATURE', message, fix })
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(message: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message, fix: 'fetch it again, or make it again' })
}
