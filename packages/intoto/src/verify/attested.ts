/**
 * Statements that travel with the product: `<step>.<keyid8>.intoto.jsonl` beside a link says in the attestation framework's words what the link
 * says. Such a file is no product, and no step made it, so it passes only when nothing in it is anybody else's word: one envelope, as its writer
 * wrote it, with one signature by the functionary whose link was verified, about that link's products and materials. Called before the product is
 * judged; it only finds out which files these are. No check of the reference tools.
 */
import { concat, equalBytes, utf8 } from '../encoding/bytes.ts'
import { stringifyJson, type JsonValue } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { sha256Hex } from '../keys/digest.ts'
import { envelopeSignature, inTotoPayloadType, writeEnvelope } from '../metadata/envelope.ts'
import { decodeMetadata, hasSignature, type Metadata } from '../metadata/metadata.ts'
import type { Artifacts } from '../model/artifact.ts'
import { isLink, statementFileNames, type Link } from '../model/link.ts'
import { fromStatement, linkPredicateType, provenancePredicateType } from '../model/predicate.ts'
import { isStatement, type ResourceDescriptor, type Statement } from '../model/statement.ts'
import type { ProductEvidence } from './options.ts'
import type { Candidate, Run } from './run.ts'
import { baseName } from './travel.ts'

/** Names of files on disk that are Statements of links that were verified in this run. */
export async function attestedFiles(run: Run, product: ProductEvidence): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const name of Object.keys(product.artifacts)) {
    if (!name.endsWith('.intoto.jsonl')) continue
    for (const { step, valid } of run.steps) {
      for (const candidate of valid) {
        if (!statementFileNames(step.name, candidate.keyid).includes(baseName(name))) continue
        if (await isThere(run, { step: step.name, candidate, sha256: product.artifacts[name]!['sha256'] })) found.add(name)
      }
    }
  }
  return found
}

/** The file's content comes from where links come from; its digest says that it is the one that is judged. */
async function isThere(run: Run, o: { step: string; candidate: Candidate; sha256: string | undefined }): Promise<boolean> {
  const { links } = run.session.options
  for (const file of (await links.statements?.(o.step, o.candidate.keyid)) ?? []) {
    try {
      const bytes = await file.read()
      if (sha256Hex(bytes) !== o.sha256 || !(await isStatementOf(run, o.candidate, bytes))) continue
      run.session.files.push(file.file)
      return true
    } catch (error) {
      if (!(error instanceof InTotoError)) throw error // what cannot be read is no Statement
    }
  }
  return false
}

/** Is this file, from its first byte to its last, the functionary's Statement about this very link? */
async function isStatementOf(run: Run, { key, keyid, metadata: evidence, link }: Candidate, bytes: Uint8Array): Promise<boolean> {
  if (evidence === undefined || link === undefined || !bytes.includes(0x0a)) return false
  const metadata = decodeMetadata(bytes.subarray(0, bytes.indexOf(0x0a)), { limits: run.session.limits })
  const { payload } = metadata
  if (!isStatement(payload) || !isWhole(metadata, keyid, bytes) || !(await hasSignature(metadata, key, [keyid]))) return false
  // The link's own names, not the cleaned ones that rules look at: a Statement repeats what was signed.
  const own = isLink(evidence.payload) ? evidence.payload : link
  if (payload.predicateType === linkPredicateType) return saysTheSame(payload, own)
  return payload.predicateType === provenancePredicateType && isProvenanceOf(payload, own)
}

/** Nothing beside the payload and one signature: members that no signature covers could hold anything. */
function isWhole({ payloadType, signatures, signedBytes }: Metadata, keyid: string, bytes: Uint8Array): boolean {
  const [signature] = signatures
  if (signature === undefined || signatures.length !== 1 || signature.keyid !== keyid || payloadType !== inTotoPayloadType) return false
  const head = utf8(`DSSEv1 ${inTotoPayloadType.length} ${inTotoPayloadType} `).length
  const body = signedBytes.subarray(signedBytes.indexOf(0x20, head) + 1)
  const line = writeEnvelope(body, payloadType, [envelopeSignature(keyid, signature.sig)])
  return equalBytes(bytes, concat(line, utf8('\n')))
}

function saysTheSame(statement: Statement, link: Link): boolean {
  const { name, command, materials, products, byproducts, environment } = fromStatement(statement)
  return (
    name === link.name &&
    sameJson(command, link.command) &&
    covers(products, link.products) &&
    covers(materials, link.materials) &&
    sameJson(byproducts, link.byproducts) &&
    sameJson(environment ?? {}, link.environment ?? {})
  )
}

/** Provenance says more than a link does; of files it must say the same, and packages are named by uri. */
function isProvenanceOf(statement: Statement, link: Link): boolean {
  const definition = statement.predicate?.['buildDefinition'] as { resolvedDependencies?: unknown } | null | undefined
  const dependencies = definition?.resolvedDependencies
  if (!Array.isArray(dependencies)) return false
  const files = (dependencies as (ResourceDescriptor | null)[]).filter(
    (entry) => typeof entry?.name === 'string' && entry.uri === undefined,
  )
  return covers(byName(statement.subject), link.products) && covers(byName(files as ResourceDescriptor[]), link.materials)
}

function byName(list: readonly ResourceDescriptor[]): Artifacts {
  const artifacts = Object.create(null) as Artifacts
  for (const { name = '', digest } of list) artifacts[name] = digest ?? {}
  return artifacts
}

/** The same names, and every digest that the link has; a Statement may add stronger ones. */
function covers(said: Artifacts, recorded: Artifacts): boolean {
  const names = Object.keys(recorded)
  if (Object.keys(said).length !== names.length) return false
  return names.every((name) => {
    const digest = said[name]
    const own = recorded[name]!
    return digest !== undefined && Object.keys(own).every((algorithm) => digest[algorithm] === own[algorithm]!.toLowerCase())
  })
}

function sameJson(a: unknown, b: unknown): boolean {
  const text = (value: unknown): string => stringifyJson(value as JsonValue, { sorted: true })
  return text(a) === text(b)
}
