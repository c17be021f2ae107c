/**
 * Signed metadata in either format: read, written, signed, and asked who signed it. Callers never see which format a file has unless they
 * want to. Trust is not decided here: a signature is good or not, whose key counts is the verification's matter.
 */
import { utf8 } from '../encoding/bytes.ts'
import { canonicalJson } from '../encoding/canonical.ts'
import { isJsonObject, parseJson, stringifyJson, withDefaults, type JsonObject, type JsonValue, type Limits } from '../encoding/json.ts'
import { maxDepth } from '../encoding/limits.ts'
import { InTotoError } from '../errors.ts'
import { keyidFor, keyids, keyMaterial, verifySignature, type Key } from '../keys/key.ts'
import { isCertain, type Signer } from '../keys/signer.ts'
import { isLayout, parseLayout, type Layout } from '../model/layout.ts'
import { isLink, parseLink, type Link } from '../model/link.ts'
import { isStatement, parseStatement, type Statement } from '../model/statement.ts'
import { textOfWritten } from '../model/written.ts'
import { decodeFast } from './fast.ts'
import { envelopeSignature, inTotoPayloadType, preAuthEncoding, readEnvelope, writeEnvelope } from './envelope.ts'
import { metablockSignature, readMetablock, writeMetablock } from './metablock.ts'
import { malformed, type Signature } from './signature.ts'

/** What metadata can say. */
export type Payload = Link | Layout | Statement

/** A signed file. */
export interface Metadata<P extends Payload = Payload> {
  format: 'dsse' | 'metablock'
  /** Of a DSSE envelope. */
  payloadType?: string
  /** Parsed from the very bytes that the signatures cover. */
  payload: P
  signatures: readonly Signature[]
  /** What each signature is over. */
  signedBytes: Uint8Array
  /** The file. */
  bytes: Uint8Array
}

/** Options of `decodeMetadata`. */
export interface DecodeOptions {
  limits?: Partial<Limits>
  /** Name of the file, for messages. */
  what?: string
}

/**
 * Reads a file with a layout, a link or a Statement. No signature is checked here.
 * @throws E_FORMAT when the file cannot be read; E_LAYOUT_INVALID for a layout that says something impossible; E_UNSUPPORTED
 */
export function decodeMetadata(bytes: Uint8Array, options: DecodeOptions = {}): Metadata {
  const what = options.what ?? 'metadata'
  const limits = withDefaults(options.limits)
  const link = decodeFast(bytes, limits, what)
  return link === undefined ? decodePlain(bytes, limits, what) : { ...link, bytes }
}

/**
 * The plain way, which decides wherever the fast one gives up.
 * @throws as `decodeMetadata`
 */
export function decodePlain(bytes: Uint8Array, limits: Limits, what: string): Metadata {
  const { value: file, floats: isInexact } = parseJson(bytes, { limits, what })
  if (!isJsonObject(file)) throw malformed(`${what}: not an object with "signatures"`)
  const dsse = Object.hasOwn(file, 'payload') || Object.hasOwn(file, 'payloadType')
  const metablock = Object.hasOwn(file, 'signed')
  if (dsse && metablock) throw malformed(`${what}: has the members of both formats, so two readers would read two contents`)
  if (!dsse && !metablock) throw malformed(`${what}: neither a DSSE envelope ("payload") nor a metablock ("signed")`)
  if (dsse) {
    const { payloadType, body, signedBytes, signatures } = readEnvelope(file, limits, what)
    checkType(payloadType, what)
    const { value, floats } = parseJson(body, { limits, what: `${what} (payload)` })
    const payload = parsePayload(value, limits, what)
    if (floats && isLayout(payload)) throw inexact(what)
    if (payloadType !== inTotoPayloadType && !isStatement(payload)) throw wrongType(payloadType, what)
    return { format: 'dsse', payloadType, payload, signatures, signedBytes, bytes }
  }
  if (isInexact) throw malformed(`${what}: holds a number that is not a plain integer, which no metablock may`)
  const { signed, signedBytes, signatures } = readMetablock(file, { limits, what, canonical: canonicalJson })
  const payload = parsePayload(signed, limits, what)
  if (isStatement(payload)) throw malformed(`${what}: a Statement in a metablock; Statements are signed in DSSE envelopes`)
  return { format: 'metablock', payload, signatures, signedBytes, bytes }
}

/** The numbers of a layout are thresholds, and 1.0 is none to either reference tool. */
function inexact(what: string): InTotoError {
  const message = `${what}: holds a number that is not a plain integer, which no layout may`
  return new InTotoError({ code: 'E_LAYOUT_INVALID', message, fix: 'have the owner make the layout again' })
}

/** Statements may say in the payload type which predicate they carry (attestation framework, envelope); the payload itself decides. */
function checkType(payloadType: string, what: string): void {
  if (payloadType !== inTotoPayloadType && !/^application\/vnd\.in-toto\.[A-Za-z0-9._-]{1,100}\+json$/.test(payloadType))
    throw wrongType(payloadType, what)
}

function wrongType(payloadType: string, what: string): InTotoError {
  return malformed(`${what}: payloadType is ${JSON.stringify(payloadType.slice(0, 100))}, expected ${JSON.stringify(inTotoPayloadType)}`)
}

function parsePayload(value: JsonValue, limits: Limits, what: string): Payload {
  const parse = isLink(value) ? parseLink : isLayout(value) ? parseLayout : isAnyStatement(value) ? parseStatement : undefined
  if (parse === undefined) throw malformed(`${what}: its "_type" is neither "layout" nor "link" nor a Statement v1`)
  try {
    return parse(value, limits)
  } catch (cause) {
    if (!(cause instanceof InTotoError)) throw cause
    throw new InTotoError({ ...cause.problem, message: `${what}: ${cause.message}` }, { cause })
  }
}

/** Other versions are handed to the parser too, which says that it does not read them. */
function isAnyStatement(value: JsonValue): boolean {
  const type = isJsonObject(value) ? value['_type'] : undefined
  return typeof type === 'string' && type.startsWith('https://in-toto.io/Statement/')
}

/** The file of some metadata, as it was read or signed. */
export function encodeMetadata(metadata: Metadata): Uint8Array {
  return metadata.bytes
}

/** How metadata is signed. */
export interface SignOptions {
  /** Default `dsse`. */
  format?: 'dsse' | 'metablock'
  /**
   * Ids under which a key's one signature is entered. Default: the key's own id for links and Statements, Python's and Go's for layouts, since
   * each of those tools looks only under the id that it derives itself.
   */
  keyids?: (key: Key) => readonly string[]
}

/** Content ready for signatures. */
interface Draft<P extends Payload> {
  format: 'dsse' | 'metablock'
  payload: P
  signedBytes: Uint8Array
  finish(signatures: readonly Signature[]): Metadata<P>
}

function draft<P extends Payload>(payload: P, format: 'dsse' | 'metablock'): Draft<P> {
  const value = payload as unknown as JsonObject
  if (format === 'metablock') {
    if (isStatement(payload))
      throw new InTotoError({ code: 'E_CONFIG', message: 'a Statement cannot be a metablock', fix: 'sign it as dsse' })
    const signedBytes = canonicalJson(value)
    const finish = (signatures: readonly Signature[]): Metadata<P> => ({
      format,
      payload,
      signatures,
      signedBytes,
      bytes: writeMetablock(value, signatures),
    })
    return { format, payload, signedBytes, finish }
  }
  const payloadType = inTotoPayloadType
  const parts = textOfWritten(value) ?? [utf8(stringifyJson(value))]
  const signedBytes = preAuthEncoding(payloadType, ...parts)
  const body = signedBytes.subarray(signedBytes.length - parts.reduce((sum, part) => sum + part.length, 0))
  const finish = (signatures: readonly Signature[]): Metadata<P> => {
    return { format, payloadType, payload, signatures, signedBytes, bytes: writeEnvelope(body, payloadType, signatures) }
  }
  return { format, payload, signedBytes, finish }
}

function entries(format: 'dsse' | 'metablock', ids: readonly string[], sig: Uint8Array): Signature[] {
  const entry = format === 'dsse' ? envelopeSignature : metablockSignature
  return [...new Set(ids)].map((keyid) => entry(keyid, sig))
}

function idsOf(payload: Payload, key: Key, options: SignOptions): readonly string[] {
  if (options.keyids !== undefined) return options.keyids(key)
  return isLayout(payload) ? [keyidFor(key, 'python'), keyidFor(key, 'go')] : [key.keyid]
}

/**
 * Signs a payload; no signers make an unsigned file.
 * @throws E_KEY when a signer's signature is not good under its own key; E_FORMAT when the payload cannot be written (floats in a metablock)
 */
export async function sign<P extends Payload>(payload: P, signers: readonly Signer[], options: SignOptions = {}): Promise<Metadata<P>> {
  const content = draft(payload, options.format ?? 'dsse')
  const signatures: Signature[] = []
  for (const signer of signers) {
    signatures.push(...entries(content.format, idsOf(payload, signer.key, options), await signatureOf(signer, content.signedBytes)))
  }
  return content.finish(signatures)
}

/** A signature that has been looked at: a token or a service may answer in another form, or with another key. */
async function signatureOf(signer: Signer, data: Uint8Array): Promise<Uint8Array> {
  const sig = await signer.sign(data)
  if (isCertain(signer) || (await verifySignature(signer.key, data, sig))) return sig
  throw new InTotoError({
    code: 'E_KEY',
    message: `the signature made for key ${signer.key.keyid} is not good under that key`,
    fix: 'check that key and signer belong together; ECDSA signatures are DER, RSA ones PSS with a salt of 32 bytes',
  })
}

/**
 * Signs a payload at once, for the last moment of a process. The signatures are not checked again.
 * @throws E_KEY when a signer has no `signSync`
 */
export function signSync<P extends Payload>(payload: P, signers: readonly Signer[], options: SignOptions = {}): Metadata<P> {
  const content = draft(payload, options.format ?? 'dsse')
  const signatures = signers.flatMap((signer) => {
    if (signer.signSync === undefined) {
      const message = `the signer of key ${signer.key.keyid} cannot sign synchronously`
      throw new InTotoError({ code: 'E_KEY', message, fix: 'use a signer from a key file, or sign before the process ends' })
    }
    return entries(content.format, idsOf(payload, signer.key, options), signer.signSync(content.signedBytes))
  })
  return content.finish(signatures)
}

/** For what was read, and so was small enough for whoever read it. */
const boundless: Partial<Limits> = { fileBytes: Infinity, depth: maxDepth, values: Infinity, artifacts: Infinity }

/**
 * The same metadata with one more signature; an entry under the same id is replaced.
 * @throws E_KEY as `sign`
 */
export async function addSignature<P extends Payload>(
  metadata: Metadata<P>,
  signer: Signer,
  options: Omit<SignOptions, 'format'> = {},
): Promise<Metadata<P>> {
  const { format, payload, signedBytes, bytes } = metadata
  const added = entries(format, idsOf(payload, signer.key, options), await signatureOf(signer, signedBytes))
  const signatures = [...metadata.signatures.filter((old) => added.every(({ keyid }) => keyid !== old.keyid)), ...added]
  const file = parseJson(bytes, { limits: boundless }).value as JsonObject
  file['signatures'] = signatures.map(({ raw }) => raw)
  const style = format === 'dsse' ? {} : { indent: 1, sorted: true, ascii: true }
  return { ...metadata, signatures, bytes: utf8(stringifyJson(file, style)) }
}

/** Which of these keys have a good signature on it, each once however many ids or entries it has. */
export async function signersOf(metadata: Metadata, keys: readonly Key[]): Promise<Key[]> {
  const found = new Map<string, Key>()
  for (const key of keys) {
    const material = keyMaterial(key)
    if (!found.has(material) && (await hasSignature(metadata, key))) found.set(material, key)
  }
  return [...found.values()]
}

/** So many entries are tried for one key; an honest file has one, and each costs a pass over the content. */
const maxAttempts = 16

/**
 * Is there a good signature by this key under one of these ids, its own and all that tools derive unless given? In an envelope an entry
 * without id is tried too (the id is a hint there).
 */
export async function hasSignature(metadata: Metadata, key: Key, ids: readonly string[] = keyids(key)): Promise<boolean> {
  const wanted = new Set(ids.filter((id) => id !== ''))
  if (metadata.format === 'dsse') wanted.add('')
  const tried: string[] = []
  for (const { keyid, sig } of metadata.signatures) {
    if (!wanted.has(keyid) || sig.length === 0 || tried.length >= maxAttempts) continue
    const text = sig.join()
    if (tried.includes(text)) continue
    tried.push(text)
    if (await verifySignature(key, metadata.signedBytes, sig)) return true
  }
  return false
}
