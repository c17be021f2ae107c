/**
 * Who signed a file that does not count: a key of another step, an authorised key under another of its ids, or a stranger. Called only when a
 * step has not enough links, to say why. Whatever is found here is never counted.
 */
import type { ProblemInit } from '../errors.ts'
import { InTotoError } from '../errors.ts'
import { isKnownKeytype, keyids, type Key } from '../keys/key.ts'
import { decodeMetadata, hasSignature, type Metadata } from '../metadata/metadata.ts'
import type { Step } from '../model/layout.ts'
import type { LinkSource } from './source.ts'
import type { Run } from './run.ts'
import { shown, whoText, wordText } from './text.ts'

/** A readable file that is not signed under the id it is filed under. */
export interface SignedFile {
  readonly file: string
  readonly metadata: Metadata
}

/** So many files under other ids are looked at; the rest would tell nothing new. */
const mostStrays = 10

/** The refusal of a file by who signed it. */
export async function describeSigners(run: Run, step: Step, { file, metadata }: SignedFile): Promise<ProblemInit> {
  const signer = await signerOf(run, step, metadata)
  return {
    code: 'E_ACTOR',
    step: step.name,
    file,
    message: `${shown(file)}: ${signer.message}`,
    expected: {
      label: 'allowed',
      text: step.pubkeys.map((keyid) => whoText(run.who(keyid))).join(', ') || 'nobody',
      from: 'pubkeys of the step',
    },
    actual: { label: 'signed by', text: signer.text, from: signer.from },
    ...(signer.cause === undefined ? {} : { cause: signer.cause }),
    fix: signer.fix,
  }
}

/** E_ACTOR for each readable link of the step that lies under an id which may not carry it out. */
export async function describeStrays(run: Run, step: Step, o: { links: LinkSource; known: ReadonlySet<string> }): Promise<ProblemInit[]> {
  const problems: ProblemInit[] = []
  for (const stray of await o.links.list(step.name)) {
    if (o.known.has(stray.file)) continue
    if (problems.length >= mostStrays || run.session.explaining.bytes < 0) break
    const metadata = await readable(run, stray)
    if (metadata !== undefined) problems.push(await describeSigners(run, step, { file: stray.file, metadata }))
  }
  return problems
}

async function readable(run: Run, stray: { file: string; read(): Promise<Uint8Array> }): Promise<Metadata | undefined> {
  try {
    const bytes = await stray.read()
    run.session.explaining.bytes -= bytes.length
    return decodeMetadata(bytes, { limits: run.session.limits, what: stray.file })
  } catch (error) {
    if (error instanceof InTotoError) return undefined
    throw error
  }
}

interface SignerNote {
  message: string
  text: string
  from: string
  cause?: string
  fix: string[]
}

async function signerOf(run: Run, step: Step, metadata: Metadata): Promise<SignerNote> {
  const authorised = authorisedKeys(run, step)
  for (const key of authorised) if (await isSigner(run, metadata, key)) return otherId(run, step, { key, metadata })
  for (const key of Object.values(run.layout.keys)) {
    if (authorised.includes(key) || !isKnownKeytype(key.keytype)) continue
    if (await isSigner(run, metadata, key)) return otherStep(run, step, key)
  }
  const ids = metadata.signatures.map(({ keyid }) => keyid.slice(0, 8) || 'a key without id')
  if (ids.length === 0) {
    return {
      message: 'is not signed',
      text: 'nobody',
      from: 'no signatures in the file',
      fix: [`npx intoto sign -f LINK -k KEY, by a key that may perform "${shown(step.name)}"`],
    }
  }
  if (metadata.signatures.some(({ keyid }) => step.pubkeys.includes(keyid) && !Object.hasOwn(run.layout.keys, keyid))) {
    return {
      message: `signed under an id that may perform "${shown(step.name)}", but the layout does not hold that key`,
      text: `unknown key (${shown(ids.join(', '))})`,
      from: 'not in "keys" of this layout',
      fix: ['have the owner add the public key to "keys" and sign the layout'],
    }
  }
  return {
    message: `signed by a key that may not perform "${shown(step.name)}"`,
    text: `unknown key (${shown(ids.join(', '))})`,
    from: 'not in this layout',
    fix: [
      `if this is a new key of theirs, the owner adds it: npx intoto layout renew --add-functionary ${wordText(step.name)}=KEY.pub --sign-with OWNER`,
    ],
  }
}

/** Less is not worth counting. */
const leastTry = 16 * 1024

/** Whoever puts a file here, without any key, could else have all of its content gone over for each entry in it and each key of the layout. */
async function isSigner(run: Run, metadata: Metadata, key: Key): Promise<boolean> {
  const { explaining } = run.session
  const ids = keyids(key)
  for (const entry of metadata.signatures) {
    if (entry.keyid !== '' && !ids.includes(entry.keyid)) continue
    explaining.bytes -= Math.max(metadata.signedBytes.length, leastTry)
    if (explaining.bytes < 0) return false
    if (await hasSignature({ ...metadata, signatures: [entry] }, key)) return true
  }
  return false
}

function authorisedKeys(run: Run, step: Step): Key[] {
  return step.pubkeys
    .flatMap((keyid) => (Object.hasOwn(run.layout.keys, keyid) ? [run.layout.keys[keyid]!] : []))
    .filter(({ keytype }) => isKnownKeytype(keytype))
}

/** Python and Go derive different ids from one key; both look links up by the id that the layout lists. */
function otherId(run: Run, step: Step, { key, metadata }: { key: Key; metadata: Metadata }): SignerNote {
  const ids = keyids(key)
  const used = metadata.signatures.find(({ keyid }) => keyid !== key.keyid && ids.includes(keyid))?.keyid ?? ''
  const style = ids[0] === key.keyid ? 'python' : 'go'
  const used8 = used === '' ? 'no id' : `id ${used.slice(0, 8)}`
  return {
    message: `signed by ${whoText(run.who(key.keyid))} under another id of the same key`,
    text: `${whoText(run.who(key.keyid))} under ${used8}`,
    from: `the layout lists it under ${key.keyid.slice(0, 8)}`,
    cause:
      'in-toto tools written in Python and in Go derive different ids from one key, and a link counts only under the id that the layout lists',
    fix: [`record the step again: npx intoto run -n ${wordText(step.name)} --keyid-style ${style} --signing-key KEY -- COMMAND`],
  }
}

function otherStep(run: Run, step: Step, key: Key): SignerNote {
  const steps = run.layout.steps.filter(({ pubkeys }) => pubkeys.includes(key.keyid)).map(({ name }) => `"${shown(name)}"`)
  const allowed = steps.length === 0 ? 'no step' : steps.join(', ')
  return {
    message: `signed by a key that may not perform "${shown(step.name)}"`,
    text: whoText(run.who(key.keyid)),
    from: `may perform ${allowed}`,
    cause: `the step was carried out with the key for ${allowed}`,
    fix: [`carry it out with a key that may: npx intoto run -n ${wordText(step.name)} --signing-key KEY -- COMMAND`],
  }
}
