/**
 * From a plan to files: every link and layout signed by the implementation that the plan names, laid out as a verifier expects them. Called by the
 * random comparison between the two rounds of tampering.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  canonicalJson,
  encodeMetadata,
  sign,
  stringifyJson,
  type JsonObject,
  type JsonValue,
  type Layout,
  type Link,
  type Signer,
} from 'intoto'
import type { Evidence, Maker, Plan, PlannedLayout, PlannedLink } from './chain.ts'
import type { TestKey } from './keys.ts'
import type { Peer } from './peer.ts'

/** A chain as it lies on disk: `root.layout`, and everything else below `links/`. */
export type Files = Map<string, Uint8Array>

export interface Sealer {
  /** Without them, everything is signed here. */
  peers?: Record<Exclude<Maker, 'us'>, Peer>
  /** A folder for files that a peer writes. */
  scratch: string
}

let made = 0

async function byPeer(
  sealer: Sealer,
  o: { maker: Exclude<Maker, 'us'>; payload: Link | Layout; keys: TestKey[]; format: string },
): Promise<Uint8Array> {
  const path = join(sealer.scratch, `made-${made++}`)
  const answer = await sealer.peers![o.maker].askText('sign', {
    payload: stringifyJson(o.payload as unknown as JsonValue),
    keys: JSON.stringify(o.keys.map((key) => key.privateFile)),
    format: JSON.stringify(o.format),
    path: JSON.stringify(path),
  })
  if (!answer.ok) throw new Error(`${o.maker} does not sign: ${answer.message}`)
  return readFileSync(path)
}

const pae = (body: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${body.length} `), body])

/** An envelope around anything at all: the library's own `sign` is for what is well formed. */
export async function envelope(payload: JsonValue, format: string, signers: { signer: Signer; ids: string[] }[]): Promise<Uint8Array> {
  const body = format === 'dsse' ? Buffer.from(stringifyJson(payload)) : canonicalJson(payload)
  const signatures: JsonObject[] = []
  for (const { signer, ids } of signers) {
    const sig = Buffer.from(await signer.sign(format === 'dsse' ? pae(body) : body))
    for (const keyid of ids) signatures.push({ keyid, sig: sig.toString(format === 'dsse' ? 'base64' : 'hex') })
  }
  const wrapped: JsonObject =
    format === 'dsse'
      ? { payload: Buffer.from(body).toString('base64'), payloadType: 'application/vnd.in-toto+json', signatures }
      : { signatures, signed: payload }
  return Buffer.from(stringifyJson(wrapped))
}

async function sealOne(sealer: Sealer, content: PlannedLink | PlannedLayout, tampered: boolean): Promise<Uint8Array> {
  const keys = content.kind === 'link' ? [content.by] : content.by
  const idsOf = (key: TestKey): string[] => (content.kind === 'link' ? content.ids : content.ids(key))
  const { payload, format, maker } = content
  if (tampered)
    return envelope(
      payload as unknown as JsonValue,
      format,
      keys.map((key) => ({ signer: key.signer, ids: idsOf(key) })),
    )
  if (maker !== 'us' && sealer.peers) return byPeer(sealer, { maker, payload, keys, format })
  const ids = new Map(keys.map((key) => [key.key.keyid, idsOf(key)]))
  return encodeMetadata(
    await sign(
      payload,
      keys.map((key) => key.signer),
      { format, keyids: (key) => ids.get(key.keyid)! },
    ),
  )
}

/** Whether a file of this name can lie in a folder without leaving it. */
export const fits = (name: string): boolean => !/[/\0]/.test(name) && Buffer.byteLength(name) < 256

async function sealEvidence(
  sealer: Sealer,
  into: Files,
  o: { folder: string; evidence: readonly Evidence[]; tampered: boolean },
): Promise<void> {
  for (const { step, keyid, content } of o.evidence) {
    const name = `${step}.${keyid.slice(0, 8)}`
    if (!fits(`${name}.link`)) continue
    into.set(`${o.folder}/${name}.link`, await sealOne(sealer, content, o.tampered))
    if (content.kind === 'layout') await sealEvidence(sealer, into, { ...o, folder: `${o.folder}/${name}`, evidence: content.evidence })
  }
}

/** Signs everything of a plan. A plan that was tampered with is signed here, by nobody's library, since it may hold anything. */
export async function seal(sealer: Sealer, plan: Plan, tampered: boolean): Promise<Files> {
  const files: Files = new Map([['root.layout', await sealOne(sealer, plan.root, tampered)]])
  await sealEvidence(sealer, files, { folder: 'links', evidence: plan.root.evidence, tampered })
  return files
}
