/**
 * Verifies chains handed over as JSON, with nothing but the portable face of the library. Runs in Node, in a page and in a worker, and must do
 * exactly the same in each.
 */
import { createLink, decodeMetadata, fromBase64, importKey, InTotoError, judge, memoryLinks, type VerifyOptions } from 'intoto'

/** A chain as JSON: bytes in base64. */
export interface PackedChain {
  name: string
  layout: string
  /** Owners' public keys in PEM form. */
  keys: string[]
  links: Record<string, string>
  parameters?: Record<string, string>
}

/** What came out: a Report for each of the ways to ask, or the error that kept them from being made. */
export interface Outcome {
  name: string
  reports?: unknown[]
  error?: unknown
}

/** Each chain is judged in these ways, so that every phase has its part in some Report: inspections that find nothing, a product that is not all there. */
const ways: Partial<VerifyOptions>[] = [
  {},
  {
    commandMismatch: 'warn',
    statements: true,
    inspect: async ({ name, run }) =>
      createLink({ name, command: run, products: { 'made/by an inspection': { sha256: 'ab'.repeat(32) } } }),
  },
  {
    commandMismatch: 'warn',
    product: { path: '', kind: 'folder', artifacts: { 'dist/a.js': { sha256: '0'.repeat(64) } }, ignore: [] },
    scripts: { postbuild: 'banner' },
  },
]

/** Integers beyond 2^53 are part of a summary, and no part of JSON as JavaScript writes it. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)))

async function judgeOne(chain: PackedChain): Promise<Outcome> {
  const { name, parameters } = chain
  try {
    const layout = decodeMetadata(fromBase64(chain.layout), { what: 'layout' })
    const keys = await Promise.all(chain.keys.map((pem) => importKey(pem)))
    const links = memoryLinks(Object.fromEntries(Object.entries(chain.links).map(([path, bytes]) => [path, fromBase64(bytes)])))
    const reports: unknown[] = []
    for (const way of ways) {
      const report = await judge(layout, {
        keys,
        links,
        now: new Date('2026-01-01T00:00:00Z'),
        trace: true,
        ...(parameters && { parameters }),
        ...way,
      })
      reports.push(asJson(report))
    }
    return { name, reports }
  } catch (error) {
    if (error instanceof InTotoError) return { name, error: asJson(error.problem) }
    return { name, error: String(error) }
  }
}

/** The outcomes in the order of the chains. */
export async function judgeAll(chains: readonly PackedChain[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const chain of chains) outcomes.push(await judgeOne(chain))
  return outcomes
}
