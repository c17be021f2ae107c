/**
 * A step that no single command carries out: its materials are recorded and signed at the start, its products at the end. In between a signed,
 * unfinished link lies in a folder; it is believed only when the same key signed it.
 */
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonValue } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import type { Signer } from '../keys/signer.ts'
import { decodeMetadata, encodeMetadata, hasSignature, sign, type Metadata, type SignOptions } from '../metadata/metadata.ts'
import { createLink, isLink, isLinkFileName, linkFileName, type Link } from '../model/link.ts'
import { recordArtifacts, type RecordOptions } from './artifacts.ts'
import { fault, printable } from './fault.ts'
import { readMetadataFile } from './read.ts'
import { checkStepName } from './step.ts'
import { linkDirectory } from './store.ts'
import { writeFileAtomic } from './write.ts'

/** The step that begins. */
export interface StartOptions extends RecordOptions, SignOptions {
  step: string
  signer: Signer
  materials?: readonly string[]
  /** Folder of the unfinished link; the working directory unless given, as in the reference. */
  folder?: string
}

/** The step that ends. */
export interface StopOptions extends RecordOptions, SignOptions {
  step: string
  signer: Signer
  products?: readonly string[]
  /** Folder of the unfinished link; the working directory unless given. */
  folder?: string
  /** Folder to write the link to; that of the unfinished link unless given. */
  linkFolder?: string
  /** What was done in between, if it is to be said. */
  command?: readonly string[]
  byproducts?: { readonly [name: string]: JsonValue }
}

/**
 * Records materials and writes the signed, unfinished link `.<step>.<first 8 of the key id>.link-unfinished`. Returns its path.
 * @throws InTotoError those of recordArtifacts; E_IO; E_CONFIG: a step name that makes no file name
 */
export async function recordStart(o: StartOptions): Promise<string> {
  const path = unfinishedPath(o)
  const materials = await recordArtifacts(o.materials ?? [], o)
  const metadata = await sign(createLink({ name: o.step, materials }), [o.signer], o)
  writeFileAtomic(path, encodeMetadata(metadata))
  return path
}

/**
 * Checks the unfinished link, adds the products, signs, writes the link and deletes the unfinished one; that one staying is a warning, since the
 * step has its link by then. Returns the link and its path.
 * @throws InTotoError E_IO: there is no unfinished link; E_SIGNATURE: this key did not sign it; E_FORMAT; those of recordArtifacts
 */
export async function recordStop(o: StopOptions): Promise<{ metadata: Metadata<Link>; path: string }> {
  const unfinished = unfinishedPath(o)
  const { payload, format } = await readUnfinished(unfinished, o)
  const products = await recordArtifacts(o.products ?? [], o)
  const link = createLink({
    name: o.step,
    materials: payload.materials,
    products,
    command: o.command ?? payload.command,
    byproducts: o.byproducts ?? payload.byproducts,
    ...(payload.environment === undefined ? {} : { environment: payload.environment }),
  })
  const metadata = await sign(link, [o.signer], { format, ...o })
  const path = linkDirectory(o.linkFolder ?? o.folder ?? '.').put(metadata)
  try {
    unlinkSync(unfinished)
  } catch (error) {
    const { problem } = fault(error, { verb: 'remove', path: unfinished })
    o.warn?.({ ...problem, severity: 'warning' })
  }
  return { metadata, path }
}

async function readUnfinished(path: string, o: StopOptions): Promise<{ payload: Link; format: Metadata['format'] }> {
  const metadata = decodeUnfinished(readMetadataFile(path, { what: 'link' }), path)
  const { payload } = metadata
  if (!isLink(payload) || payload.name !== o.step) {
    const message = `${printable(path)} is not the unfinished link of ${printable(o.step)}`
    throw new InTotoError({ code: 'E_FORMAT', message, step: o.step, file: path, fix: 'start the step again' })
  }
  if (!(await hasSignature(metadata, o.signer.key, o.keyids?.(o.signer.key)))) {
    const message = `${printable(path)} is not signed by this key, or was changed since`
    throw new InTotoError({
      code: 'E_SIGNATURE',
      message,
      step: o.step,
      file: path,
      fix: 'use the key that started the step, or start it again',
    })
  }
  return { payload, format: metadata.format }
}

/** Whatever is wrong with the bytes, it is this file that they are in. */
function decodeUnfinished(bytes: Uint8Array, path: string): Metadata {
  try {
    return decodeMetadata(bytes, { what: path })
  } catch (error) {
    if (!(error instanceof InTotoError) || error.problem.file !== undefined) throw error
    throw new InTotoError({ ...error.problem, file: path, fix: 'start the step again' }, { cause: error })
  }
}

function unfinishedPath(o: StartOptions | StopOptions): string {
  const name = linkFileName(o.step, o.keyids?.(o.signer.key)[0] ?? o.signer.key.keyid)
  const file = `.${name}-unfinished`
  checkStepName(o.step, file)
  if (!isLinkFileName(name)) {
    const message = `the key id ${printable(name.slice(o.step.length + 1))} makes no file name`
    throw new InTotoError({ code: 'E_CONFIG', message, step: o.step, fix: 'key ids are hexadecimal' })
  }
  return join(o.folder ?? '.', file)
}
