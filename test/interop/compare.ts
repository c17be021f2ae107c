/**
 * One chain before three judges: in-toto, in-toto-golang and ours, each on the same files and each with a working directory of its own. Called by the
 * random comparison; says what each answered and leaves the explaining to difference.ts.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeMetadata, InTotoError, judge, type Report } from 'intoto'
import { inspectIn, linkDirectory, readMetadataFile } from 'intoto/node'
import { explain } from './difference.ts'
import { generate, type Chain } from './generate.ts'
import type { TestKey } from './keys.ts'
import type { Peer, PeerName } from './peer.ts'
import { look, type Verdict, type Verdicts } from './view.ts'

/** The library's verdict on files on disk, as the command line reaches it. */
async function ours(chain: Chain, folder: string, work: string): Promise<Verdict> {
  try {
    const layout = decodeMetadata(readMetadataFile(join(folder, 'root.layout'), { what: 'layout' }), { what: 'layout' })
    const { parameters } = chain.plan
    const report: Report = await judge(layout, {
      keys: chain.plan.trusted.map((key) => key.key),
      links: linkDirectory(join(folder, 'links')),
      commandMismatch: 'warn',
      inspect: inspectIn(work),
      ...(parameters && { parameters }),
    })
    return { ok: report.ok, problems: report.problems.map((p) => `${p.severity === 'error' ? '' : 'warning '}${p.code} ${p.message}`) }
  } catch (error) {
    if (error instanceof InTotoError) return { ok: false, problems: [`${error.code} ${error.message}`] }
    throw error
  }
}

async function theirs(peer: Peer, chain: Chain, folder: string, work: string): Promise<Verdict> {
  const { trusted, parameters } = chain.plan
  const answer = await peer.ask('verify', {
    dir: work,
    layout: join(folder, 'root.layout'),
    links: join(folder, 'links'),
    keys: trusted.map((key) => key.publicFile),
    ...(parameters && { substitute: parameters }),
  })
  if (answer.kind === 'driver') throw new Error(answer.message)
  return { ok: answer.ok, problems: answer.ok ? [] : [`${answer.kind} ${answer.message}`] }
}

/** Writes the chain below `folder`. */
export function writeChain(chain: Chain, folder: string): void {
  mkdirSync(join(folder, 'links'), { recursive: true })
  for (const [name, bytes] of chain.files) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
}

function workFolder(chain: Chain, folder: string): string {
  mkdirSync(folder)
  for (const [name, content] of Object.entries(chain.plan.work)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  return folder
}

export interface Comparison {
  chain: Chain
  verdicts: Verdicts
  /** Names of the differences found, by peer; undefined when one of them has no explanation. */
  explained: Partial<Record<PeerName, string[] | undefined>>
}

/** Asks all three about the chain, writing it into `folder`, and explains what they differ about. */
export async function compare(chain: Chain, folder: string, peers: Record<PeerName, Peer>): Promise<Comparison> {
  writeChain(chain, folder)
  const work = (who: string): string => workFolder(chain, join(folder, `work-${who}`))
  const asked = [theirs(peers.python, chain, folder, work('python')), theirs(peers.go, chain, folder, work('go'))] as const
  const verdicts = { ours: await ours(chain, folder, work('ours')), python: await asked[0], go: await asked[1] }
  const differing = (['python', 'go'] as const).filter((peer) => verdicts[peer].ok !== verdicts.ours.ok)
  if (differing.length === 0) return { chain, verdicts, explained: {} }
  const view = await look(chain, folder, peers)
  return { chain, verdicts, explained: Object.fromEntries(differing.map((peer) => [peer, explain(view, verdicts, peer)])) }
}

/** Many chains, one after another from this seed on; a chain that nothing explains stays in `folder`. */
export async function compareMany(o: {
  seed: number
  count: number
  folder: string
  keys: readonly TestKey[]
  peers: Record<PeerName, Peer>
}): Promise<Comparison[]> {
  const done: Comparison[] = []
  let next = 0
  const one = async (seed: number): Promise<void> => {
    const folder = join(o.folder, `chain-${seed}`)
    const chain = await generate(seed, o.keys, { peers: o.peers, scratch: o.folder })
    const comparison = await compare(chain, folder, o.peers)
    done.push(comparison)
    if (!Object.values(comparison.explained).includes(undefined)) rmSync(folder, { recursive: true, force: true })
  }
  const worker = async (): Promise<void> => {
    while (next < o.count) {
      const seed = (o.seed + next++) >>> 0
      try {
        await one(seed)
      } catch (cause) {
        // The others end with the chain that they are at, so that nobody asks a peer that has been sent home.
        next = o.count
        throw new Error(`INTOTO_SEED=${seed}: ${String(cause)}`, { cause })
      }
    }
  }
  // While the peers work on one chain, the next is being signed.
  const ended = await Promise.allSettled(Array.from({ length: 4 }, worker))
  for (const end of ended) if (end.status === 'rejected') throw end.reason
  return done
}
