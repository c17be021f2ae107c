/**
 * Link files that may count for a step: opened, read once, and checked for the one key under whose id they are filed. Called by the phase of
 * links. A file that cannot be read counts as absent; one that can but does not hold is refused with its reason. Never counts anything.
 */
import { equalBytes } from '../encoding/bytes.ts'
import { beyondLimit } from '../encoding/limits.ts'
import { InTotoError, type ProblemInit } from '../errors.ts'
import { isKnownKeytype, type Key } from '../keys/key.ts'
import { decodeMetadata, hasSignature, type Metadata } from '../metadata/metadata.ts'
import { cleanArtifacts, collisions } from '../model/artifact.ts'
import { isLayout, type Layout, type Step } from '../model/layout.ts'
import { isLink, linkFileName, unknownMembers, type Link } from '../model/link.ts'
import { layoutNotes } from '../model/lint.ts'
import { fromStatement } from '../model/predicate.ts'
import { sideOf } from '../model/side.ts'
import { describeSigners } from './actor.ts'
import type { LinkReport } from './report.ts'
import type { Candidate, Run } from './run.ts'
import type { LinkFile, LinkSource } from './source.ts'
import { shown, whoText, wordText } from './text.ts'

/** How a candidate looks in the Report. */
export function linkReport(run: Run, candidate: Candidate, counted: boolean): LinkReport {
  return { file: candidate.file, ...run.who(candidate.keyid), counted, format: candidate.metadata?.format ?? 'unknown' }
}

/** All files for one step, key by key in the order of the layout; what concerns no file is added to the run at once. */
export async function findCandidates(run: Run, step: Step, links: LinkSource): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (const keyid of new Set(step.pubkeys)) {
    const key = Object.hasOwn(run.layout.keys, keyid) ? run.layout.keys[keyid]! : undefined
    if (key === undefined) {
      const message = `${shown(step.name)}: key ${keyid.slice(0, 8)} may carry it out, but the layout does not hold that key`
      run.add({
        code: 'E_LAYOUT_INVALID',
        severity: 'warning',
        step: step.name,
        message,
        fix: 'add the key to the layout, or take its id out',
      })
    } else {
      const files = await links.get(step.name, keyid)
      const found = await openAll(run, step, { files, keyid, key })
      const attested = found.some(({ fault }) => fault === undefined) ? [] : await findStatements(run, step, { links, keyid, key })
      candidates.push(...found, ...attested)
    }
  }
  return candidates
}

/**
 * Envelopes with Statements of the link predicate, where no link counts. A link and a Statement by one key say the same with other digests, so
 * they are never both taken.
 */
async function findStatements(
  run: Run,
  step: Step,
  { links, keyid, key }: { links: LinkSource; keyid: string; key: Key },
): Promise<Candidate[]> {
  if (run.session.options.statements !== true || links.statements === undefined) return []
  const candidates: Candidate[] = []
  for (const file of await links.statements(step.name, keyid)) {
    countUse(run, file.file)
    for (const line of await envelopesOf(file)) {
      const candidate = await open(run, { file: file.file, read: async () => line }, { keyid, key })
      // Bundles hold whatever somebody said about the product; what is no link of this step is not meant for it.
      if (candidate.metadata === undefined || linkOf(run, candidate.metadata)?.name !== step.name) continue
      candidates.push(await check(run, step, candidate))
    }
  }
  return candidates
}

/** The lines of a bundle, or the one envelope of another file; nothing when it cannot be read. */
async function envelopesOf(file: LinkFile): Promise<Uint8Array[]> {
  let bytes: Uint8Array
  try {
    bytes = await file.read()
  } catch (error) {
    if (error instanceof InTotoError) return []
    throw error
  }
  if (!file.file.endsWith('.jsonl')) return [bytes]
  const lines: Uint8Array[] = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start)
    const line = bytes.subarray(start, end < 0 ? bytes.length : end)
    if (line.length > 0) lines.push(line)
    start = end < 0 ? bytes.length : end + 1
  }
  return lines
}

interface Filed {
  readonly files: readonly LinkFile[]
  readonly keyid: string
  readonly key: Key
}

/** Files in several folders must be the same: nothing says which of two the functionary means. */
async function openAll(run: Run, step: Step, { files, keyid, key }: Filed): Promise<Candidate[]> {
  const opened: Candidate[] = []
  for (const file of files) {
    countUse(run, file.file)
    const candidate = await open(run, file, { keyid, key })
    const bytes = candidate.metadata?.bytes
    const other = opened.find(({ metadata }) => metadata !== undefined && bytes !== undefined)
    if (other !== undefined && equalBytes(other.metadata!.bytes, bytes!)) continue
    if (other !== undefined) {
      run.add({
        code: 'E_THRESHOLD',
        step: step.name,
        file: file.file,
        message: `${shown(step.name)}: two different links of ${whoText(run.who(keyid))}: ${shown(other.file)} and ${shown(file.file)}`,
        expected: { label: 'one link', text: linkFileName(step.name, keyid), from: other.file },
        actual: { label: 'another', text: linkFileName(step.name, keyid), from: file.file },
        fix: 'delete the one that is out of date, or look into one folder only (--link-dir)',
      })
    }
    opened.push(candidate)
  }
  return Promise.all(opened.map((candidate) => check(run, step, candidate)))
}

/** Ids that begin alike share a file, and layouts within layouts share it again: a few layers of them would never end. */
function countUse(run: Run, file: string): void {
  const { limits, uses } = run.session
  const count = (uses.get(file) ?? 0) + 1
  uses.set(file, count)
  if (count > limits.fileUses) throw beyondLimit('fileUses', limits.fileUses, `${shown(file)}: key ids that share this file`)
}

async function open(run: Run, file: LinkFile, filed: { keyid: string; key: Key }): Promise<Candidate> {
  try {
    const metadata = decodeMetadata(await file.read(), { limits: run.session.limits, what: shown(file.file) })
    return { file: file.file, ...filed, metadata }
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    const message = `${error.message} (${shown(file.file)} counts as absent)`
    return { file: file.file, ...filed, fault: { ...error.problem, file: file.file, severity: 'warning', message } }
  }
}

async function check(run: Run, step: Step, opened: Candidate): Promise<Candidate> {
  const candidate = await judged(run, step, opened)
  if (candidate.fault === undefined) run.session.files.push(candidate.file)
  return candidate
}

async function judged(run: Run, step: Step, candidate: Candidate): Promise<Candidate> {
  const { metadata, key } = candidate
  if (metadata === undefined) return candidate
  const fault = keyFault(candidate) ?? (await signatureFault(run, step, candidate, metadata))
  if (fault !== undefined) return { ...candidate, fault: { ...fault, step: step.name, file: candidate.file } }
  if (isLayout(metadata.payload)) {
    const wrong = layoutFault(step, candidate, metadata.payload)
    return wrong === undefined ? { ...candidate, key, sublayout: metadata as Metadata<Layout> } : { ...candidate, fault: wrong }
  }
  const link = linkOf(run, metadata)
  if (link === undefined) return { ...candidate, fault: notLink(step, candidate) }
  const wrong = memberFault(step, candidate, link) ?? nameFault(step, candidate, link) ?? collisionFault(step, candidate, link)
  if (wrong !== undefined) return { ...candidate, fault: wrong }
  return { ...candidate, link: isClean(link) ? link : cleaned(link) }
}

function isClean(link: Link): boolean {
  return sideOf(link, 'materials').isClean && sideOf(link, 'products').isClean
}

/** The link under the names that its artifacts' names stand for. */
function cleaned(link: Link): Link {
  return Object.assign(Object.create(null), link, {
    materials: cleanArtifacts(link.materials, Object.keys(link.materials)),
    products: cleanArtifacts(link.products, Object.keys(link.products)),
  }) as Link
}

function keyFault({ key, file, keyid }: Candidate): ProblemInit | undefined {
  if (isKnownKeytype(key.keytype)) return undefined
  const kind = typeof key.keytype === 'string' ? JSON.stringify(key.keytype) : 'OpenPGP or unknown'
  const message = `${shown(file)}: key ${keyid.slice(0, 8)} is of a kind (${kind}) that is not verified here, so its link does not count`
  return { code: 'E_UNSUPPORTED', severity: 'warning', message, fix: 'let a functionary with an ed25519, RSA or ECDSA key sign, too' }
}

/** Only entries under the very id of the layout count, as in both reference verifiers. */
async function signatureFault(run: Run, step: Step, candidate: Candidate, metadata: Metadata): Promise<ProblemInit | undefined> {
  const { file, key, keyid } = candidate
  const signatures = metadata.signatures.filter((entry) => entry.keyid === keyid)
  if (signatures.length === 0) return describeSigners(run, step, { file, metadata })
  if (await hasSignature({ ...metadata, signatures }, key, [keyid])) return undefined
  return {
    code: 'E_SIGNATURE',
    message: `${shown(file)}: the signature of ${whoText(run.who(keyid))} does not hold for what the file says`,
    cause: 'the file was changed after signing, or signed with another key under this id',
    fix: `carry out the step again: npx intoto run -n ${wordText(step.name)} --signing-key KEY -- COMMAND`,
  }
}

function linkOf(run: Run, { payload }: Metadata): Link | undefined {
  if (isLink(payload)) return payload
  if (run.session.options.statements !== true || isLayout(payload)) return undefined
  try {
    return fromStatement(payload)
  } catch (error) {
    if (error instanceof InTotoError) return undefined
    throw error
  }
}

function notLink(step: Step, { file }: Candidate): ProblemInit {
  const message = `${shown(file)}: holds a Statement, not a link`
  return {
    code: 'E_UNSUPPORTED',
    severity: 'warning',
    step: step.name,
    file,
    message,
    fix: 'record a link, or verify with Statements allowed (link predicate only)',
  }
}

/** In a Metablock, both reference tools sign only the members that they know: one more, and they find other signed bytes, or no link at all. */
function memberFault(step: Step, { file, metadata }: Candidate, link: Link): ProblemInit | undefined {
  const [name] = metadata?.format === 'metablock' ? unknownMembers(link) : []
  if (name === undefined) return undefined
  const message = `${shown(file)}: "${shown(name)}" is no member of a link, and a Metablock has no others`
  return { code: 'E_FORMAT', step: step.name, file, message, fix: 'sign it as DSSE, or put what it says into the byproducts' }
}

/** The same of a sublayout in a Metablock: it counts no more than such a link. */
function layoutFault(step: Step, { file, metadata }: Candidate, layout: Layout): ProblemInit | undefined {
  const note = layoutNotes(layout, metadata!.format).find(({ severity }) => severity === 'error')
  return note === undefined ? undefined : { ...note, step: step.name, file, message: `${shown(file)}: ${note.message}` }
}

/** A link speaks of the step that it names (specification 4.3): one of another step, renamed, is no evidence for this one. */
function nameFault(step: Step, { file, keyid }: Candidate, link: Link): ProblemInit | undefined {
  if (link.name === step.name) return undefined
  return {
    code: 'E_MISSING_STEP',
    step: step.name,
    file,
    message: `${shown(file)}: is a link of the step "${shown(link.name)}", not of "${shown(step.name)}"`,
    expected: { label: 'needed', text: step.name, from: linkFileName(step.name, keyid) },
    actual: { label: 'found', text: link.name, from: file },
    cause: 'the file was renamed or copied',
    fix: `carry out the step: npx intoto run -n ${wordText(step.name)} --signing-key KEY -- COMMAND`,
  }
}

function collisionFault(step: Step, { file }: Candidate, link: Link): ProblemInit | undefined {
  if (isClean(link)) return undefined
  const [pair] = [...collisions(link.materials), ...collisions(link.products)]
  if (pair === undefined) return undefined
  const message = `${shown(file)}: "${shown(pair[0])}" and "${shown(pair[1])}" are one file under two names, so one could hide the other`
  return { code: 'E_FORMAT', step: step.name, file, message, fix: 'record the step again with plain relative names' }
}
