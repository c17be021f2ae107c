/**
 * DSSE envelopes (Dead Simple Signing Envelope, protocol 1.0): the bytes that are signed, and the file around them. Called by metadata.ts.
 * Never re-serialises a payload: what is verified is what was decoded, and what is parsed is what was verified.
 */
import { concat, fromBase64, toBase64, utf8 } from '../encoding/bytes.ts'
import { emptyRecord, stringifyJson, type JsonObject, type Limits } from '../encoding/json.ts'
import { largeBase64 } from '../keys/base64.ts'
import { malformed, readSignatures, type Signature } from './signature.ts'

/** The payload type of layouts, links and Statements. */
export const inTotoPayloadType = 'application/vnd.in-toto+json'

/** Pre-authentication encoding: what a DSSE signature covers. The body may come in pieces. */
export function preAuthEncoding(payloadType: string, ...body: readonly Uint8Array[]): Uint8Array {
  const length = body.reduce((sum, part) => sum + part.length, 0)
  return concat(preAuthStart(payloadType, length), ...body)
}

/** What stands before the payload in the pre-authentication encoding. */
export function preAuthStart(payloadType: string, length: number): Uint8Array {
  const type = utf8(payloadType)
  return concat(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${length} `))
}

/** An envelope as read: its payload is still bytes. */
export interface Envelope {
  payloadType: string
  body: Uint8Array
  signedBytes: Uint8Array
  signatures: Signature[]
}

/**
 * Reads an envelope from its parsed file.
 * @throws E_FORMAT for members that are absent or of the wrong type, and for anything but strict base64
 */
export function readEnvelope(file: JsonObject, limits: Limits, what: string): Envelope {
  const { payload, payloadType, signatures } = file
  if (typeof payload !== 'string') throw malformed(`${what}: the envelope's "payload" is not a text`)
  if (typeof payloadType !== 'string') throw malformed(`${what}: the envelope's "payloadType" is not a text`)
  let body: Uint8Array
  try {
    body = fromBase64(payload)
  } catch {
    throw malformed(`${what}: the envelope's "payload" is not strict base64`)
  }
  const entries = readSignatures(signatures, fromBase64, limits, what)
  return { payloadType, body, signedBytes: preAuthEncoding(payloadType, body), signatures: entries }
}

/** One signature entry of an envelope. */
export function envelopeSignature(keyid: string, sig: Uint8Array): Signature {
  return { keyid, sig, raw: Object.assign(emptyRecord(), { keyid, sig: toBase64(sig) }) }
}

/** The file around a payload: JSON on one line. */
export function writeEnvelope(body: Uint8Array, payloadType: string, signatures: readonly Signature[]): Uint8Array {
  const rest = stringifyJson({ payloadType, signatures: signatures.map(({ raw }) => raw) })
  return concat(utf8('{"payload":"'), largeBase64(body), utf8(`",${rest.slice(1)}`))
}
