/**
 * Links about a subject, from wherever the caller says they are: sources are asked as they are, stores for what they have about that digest. The
 * verification asks; nothing is judged here, and nothing kept for the next verdict.
 */
import { emptyRecord, memoryLinks, type LinkFile, type LinkSource } from 'intoto'
import type { EvidenceStore, Subject } from '../store/index.ts'

/**
 * One source over all of them. Neither a store nor a verification asks on when the signal is given.
 * @throws InTotoError of a store that can't be asked: half of the evidence is none
 */
export async function linksAbout(
  subject: Subject,
  evidence: readonly (LinkSource | EvidenceStore)[],
  signal: AbortSignal,
): Promise<LinkSource> {
  const sources = await Promise.all(evidence.map(async (each) => (isStore(each) ? pulled(each, subject, signal) : each)))
  return joined(sources, signal)
}

function isStore(evidence: LinkSource | EvidenceStore): evidence is EvidenceStore {
  return typeof (evidence as EvidenceStore).pull === 'function'
}

async function pulled(store: EvidenceStore, subject: Subject, signal: AbortSignal): Promise<LinkSource> {
  const files = emptyRecord<Uint8Array>()
  for (const { name, bytes } of await store.pull(subject, { signal })) files[name] = bytes
  return memoryLinks(files)
}

function joined(sources: readonly LinkSource[], signal: AbortSignal): LinkSource {
  const all = async (ask: (source: LinkSource) => Promise<readonly LinkFile[]> | undefined): Promise<LinkFile[]> => {
    signal.throwIfAborted()
    return (await Promise.all(sources.map(async (source) => ask(source)))).flatMap((files) => files ?? [])
  }
  return {
    get: (step, keyid) => all((source) => source.get(step, keyid)),
    list: (step) => all((source) => source.list(step)),
    statements: (step, keyid) => all((source) => source.statements?.(step, keyid)),
    within: (step, keyid) =>
      joined(
        sources.map((source) => source.within(step, keyid)),
        signal,
      ),
  }
}
