/**
 * Attestation bundles: JSON Lines with one envelope each (`<name>.intoto.jsonl`; attestation framework, "Bundle"). Written beside a tarball, read from
 * anywhere. The file as a whole is authenticated by nothing: lines can be added, taken and mixed, each stands for itself.
 */
import { decodeMetadata, fromUtf8, InTotoError, parseJson, stringifyJson, utf8, type Metadata } from 'intoto'
import { readBundle } from './bundle.ts'

/** One line that could be read. */
export interface Line {
  /** Position in the file, from 1. */
  number: number
  metadata: Metadata
  /** The line itself: an envelope, or a Sigstore bundle, which GitHub's tools write. */
  bytes: Uint8Array
  /** A Sigstore bundle whose signer is named by a certificate. */
  keyless: boolean
}

/** A file of lines. */
export interface Lines {
  lines: Line[]
  /** Lines that are neither, which readers have to pass over; each with the reason. */
  skipped: { number: number; reason: string }[]
}

/** More lines than this are no evidence but an attack. */
const maxLines = 10_000

/**
 * Reads a bundle of envelopes. Order means nothing; no signature is checked.
 * @throws InTotoError E_FORMAT: not UTF-8, or too many lines
 */
export function readLines(bytes: Uint8Array, what = 'bundle'): Lines {
  const found: Lines = { lines: [], skipped: [] }
  const texts = fromUtf8(bytes).split('\n')
  if (texts.length > maxLines)
    throw new InTotoError({ code: 'E_FORMAT', message: `${what}: more than ${maxLines} lines`, fix: 'split the file' })
  for (const [i, text] of texts.entries()) {
    if (text.trim() === '') continue
    const number = i + 1
    try {
      found.lines.push({ number, ...readLine(utf8(text.trim()), `${what}:${number}`) })
    } catch (error) {
      if (!(error instanceof InTotoError)) throw error
      found.skipped.push({ number, reason: error.message })
    }
  }
  return found
}

function readLine(bytes: Uint8Array, what: string): Omit<Line, 'number'> {
  const { value } = parseJson(bytes, { what })
  const isBundle = typeof value === 'object' && value !== null && !Array.isArray(value) && value['dsseEnvelope'] !== undefined
  if (!isBundle) return { metadata: decodeMetadata(bytes, { what }), bytes, keyless: false }
  const { metadata, keyless } = readBundle(bytes, what)
  return { metadata, bytes, keyless }
}

/** A file of these envelopes, each on one line, none twice. */
export function writeLines(metadata: readonly Metadata[]): Uint8Array {
  return utf8([...new Set(metadata.map(lineOf))].map((line) => `${line}\n`).join(''))
}

/** The file with one more envelope, unless that stands in it already; what is in it stays as it is. */
export function addLine(file: Uint8Array, metadata: Metadata): Uint8Array {
  const text = fromUtf8(file)
  const line = lineOf(metadata)
  if (text.split('\n').some((known) => known.trim() === line)) return file
  return utf8(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`)
}

/** Envelopes may be printed over many lines; their payload is one text and stays to the letter. */
function lineOf(metadata: Metadata): string {
  return stringifyJson(parseJson(metadata.bytes).value)
}
