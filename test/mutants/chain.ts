/**
 * Mutants of whole chains: one file of an accepted chain is changed after it was signed, or before, or the product is, or an owner's key. Both ways of
 * reading links must come to the same Report, and an acceptance must be one for the plain oracle too.
 */
import { parseJson, stringifyJson, utf8, type JsonObject, type JsonValue, type Report } from 'intoto'
import type * as library from 'intoto'
import { afterSigning } from '../interop/damage.ts'
import type { PlannedLayout, PlannedLink } from '../interop/chain.ts'
import { generate } from '../interop/generate.ts'
import type { TestKey } from '../interop/keys.ts'
import type { Random } from '../interop/random.ts'
import { envelope, fits, type Files } from '../interop/seal.ts'
import { chainCases } from '../intoto/chains.ts'
import { mutateBytes } from './bytes.ts'
import { checkProblem, type Kind, type Outcome } from './kind.ts'
import { objection, type Evidence } from './oracle.ts'
import { mutateValue } from './value.ts'

export type Library = typeof library

/** An accepted chain. */
interface Base extends Evidence {
  name: string
  /** How the files came to be, where they can be signed again. */
  plans: ReadonlyMap<string, PlannedLink | PlannedLayout>
}

interface Verdict {
  ok: boolean
  /** The whole Report, or the refusal. */
  text: string
  problems: Report['problems']
}

const keysOf = new Map<Library, Map<string, ReturnType<Library['importKey']>>>()

/** The key, read once: most mutants leave the owners alone, and OpenSSL takes its time. */
function imported(from: Library, pem: string): ReturnType<Library['importKey']> {
  const known = keysOf.get(from) ?? new Map<string, ReturnType<Library['importKey']>>()
  keysOf.set(from, known)
  const key = known.get(pem) ?? from.importKey(pem)
  if (known.size < 1000) known.set(pem, key)
  return key
}

/** Judges with one copy of the library. @throws an error that is not the library's */
async function judged(from: Library, { files, owners, parameters }: Evidence, product?: library.ProductEvidence): Promise<Verdict> {
  try {
    const layout = from.decodeMetadata(files.get('root.layout') ?? new Uint8Array(), { what: 'root.layout' })
    const links = Object.create(null) as Record<string, Uint8Array>
    for (const [path, bytes] of files) if (path.startsWith('links/')) links[path.slice('links/'.length)] = bytes
    const report = await from.judge(layout, {
      keys: await Promise.all(owners.map((pem) => imported(from, pem))),
      links: from.memoryLinks(links),
      now: new Date('2026-06-01T00:00:00Z'),
      commandMismatch: 'warn',
      trace: true,
      ...(parameters && { parameters }),
      ...(product && { product }),
    })
    return { ok: report.ok, text: stringifyJson(report as unknown as JsonObject), problems: report.problems }
  } catch (error) {
    if (!(error instanceof from.InTotoError)) throw error
    return { ok: false, text: `${error.code} ${error.message}`, problems: [error.problem] }
  }
}

/** Both copies of the library and what they must agree about. */
export interface Judges {
  fast: Library
  /** Never takes the fast way through a link. */
  plain: Library
}

async function both({ fast, plain }: Judges, evidence: Evidence, product?: library.ProductEvidence): Promise<Verdict> {
  const verdict = await judged(fast, evidence, product)
  const other = await judged(plain, evidence, product)
  if (verdict.text !== other.text) throw new Error(`the fast way and the plain one differ:\n${verdict.text}\n${other.text}`)
  for (const problem of verdict.problems) if (problem.severity === 'error') checkProblem(problem)
  if (!verdict.ok && verdict.problems.every(({ severity }) => severity !== 'error')) throw new Error('refused without a reason')
  return verdict
}

/** @throws when the acceptance is wrong */
async function outcome(judges: Judges, evidence: Evidence): Promise<Outcome> {
  const { ok, problems } = await both(judges, evidence)
  if (!ok) return 'refused'
  const why = objection(evidence)
  const said = problems.map(({ message }) => message).join('; ')
  if (why !== undefined) throw new Error(`accepted (${said || 'without a word'}), although ${why}`)
  return 'accepted'
}

function plansOf(root: PlannedLayout): Base['plans'] {
  const found = new Map<string, PlannedLink | PlannedLayout>([['root.layout', root]])
  const walk = (folder: string, { evidence }: PlannedLayout): void => {
    for (const { step, keyid, content } of evidence) {
      const name = `${step}.${keyid.slice(0, 8)}`
      if (!fits(`${name}.link`)) continue
      found.set(`${folder}/${name}.link`, content)
      if (content.kind === 'layout') walk(`${folder}/${name}`, content)
    }
  }
  walk('links', root)
  return found
}

/** Accepted chains without inspections: random ones, whose keys are at hand, and those of the vectors. */
async function bases(judges: Judges, keys: readonly TestKey[], scratch: string): Promise<Base[]> {
  const found: Base[] = []
  for (let seed = 1; found.length < 60; seed++) {
    const { plan, files, marks } = await generate(seed, keys, { scratch })
    if (marks.length > 0 || plan.root.payload.inspect.length > 0) continue
    const owners = plan.trusted.map(({ publicPem }) => publicPem)
    found.push({ name: `chain ${seed}`, files, owners, plans: plansOf(plan.root), ...(plan.parameters && { parameters: plan.parameters }) })
  }
  for (const { name, expected, inspects, layout, links, owners, parameters } of chainCases) {
    if (expected === 'fail' || inspects) continue
    const files = new Map([['root.layout', layout], ...Object.entries(links).map(([path, bytes]) => [`links/${path}`, bytes] as const)])
    found.push({ name, files, owners, plans: new Map(), ...(parameters && { parameters }) })
  }
  const accepted: Base[] = []
  for (const base of found) if ((await outcome(judges, base)) === 'accepted') accepted.push(base)
  return accepted
}

const json = (bytes: Uint8Array): JsonValue => parseJson(bytes).value

/** The file with its envelope or its content changed, and its signatures as they were. */
function mutateFile(bytes: Uint8Array, random: Random, donor: Uint8Array): Uint8Array {
  const way = random.below(5)
  if (way < 2) return mutateBytes(bytes, random, donor)
  const file = json(bytes) as JsonObject
  if (way === 2 || random.chance(0.2)) return utf8(stringifyJson(mutateValue(file, random)))
  if (typeof file['payload'] !== 'string') return utf8(stringifyJson({ ...file, signed: mutateValue(file['signed']!, random) }))
  const body = new Uint8Array(Buffer.from(file['payload'], 'base64'))
  const changed = way === 3 ? mutateBytes(body, random) : utf8(stringifyJson(mutateValue(json(body), random)))
  return utf8(stringifyJson({ ...file, payload: Buffer.from(changed).toString('base64') }))
}

function replaced(base: Base, path: string, bytes: Uint8Array): Evidence {
  const files: Files = new Map(base.files)
  files.set(path, bytes)
  return { ...base, files }
}

/** Signs a changed content as its own people would. */
async function lie(random: Random, { plan, format = plan.format }: { plan: PlannedLink | PlannedLayout; format?: 'dsse' | 'metablock' }) {
  const keys = plan.kind === 'link' ? [plan.by] : plan.by
  const signers = keys.map((key) => ({ signer: key.signer, ids: plan.kind === 'link' ? plan.ids : plan.ids(key) }))
  return envelope(mutateValue(plan.payload as unknown as JsonValue, random), format, signers)
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b)

/** Everything that can be seen of a file that was read, or the refusal. @throws an error that is not the library's */
function read(from: Library, bytes: Uint8Array): { text: string; metadata?: library.Metadata } {
  try {
    const metadata = from.decodeMetadata(bytes, { what: 'a file' })
    const { payload, signedBytes, signatures, bytes: _, ...rest } = metadata
    const entries = signatures.map(({ keyid, sig }) => [keyid, Buffer.from(sig).toString('hex')])
    const seen = [stringifyJson(payload as unknown as JsonObject), Buffer.from(signedBytes).toString('latin1'), entries, rest]
    return { text: JSON.stringify(seen), metadata }
  } catch (error) {
    if (!(error instanceof from.InTotoError)) throw error
    checkProblem(error.problem)
    return { text: `${error.code} ${error.message}` }
  }
}

/** One file by itself: read both ways, and good under its people's keys only as long as it says what they signed. */
async function envelopeOutcome(
  { fast, plain }: Judges,
  { base, path, bytes }: { base: Base; path: string; bytes: Uint8Array },
): Promise<Outcome> {
  const { text, metadata } = read(fast, bytes)
  if (text !== read(plain, bytes).text) throw new Error(`read in two ways: ${text}`)
  if (metadata === undefined) return 'refused'
  if (same(metadata.signedBytes, fast.decodeMetadata(base.files.get(path)!).signedBytes)) return 'accepted'
  const plan = base.plans.get(path)!
  for (const { key } of plan.kind === 'link' ? [plan.by] : plan.by)
    if (
      await fast.hasSignature(
        metadata,
        key,
        metadata.signatures.map(({ keyid }) => keyid),
      )
    )
      throw new Error('signed by somebody who never signed it')
  return 'refused'
}

/** The product of a chain as it would lie on disk, when its last step's links name one that can. */
function productOf(base: Base): library.ProductEvidence | undefined {
  const root = base.plans.get('root.layout')
  if (root?.kind !== 'layout') return undefined
  const last = root.payload.steps.at(-1)!.name
  const link = root.evidence.find(({ step, content }) => step === last && content.kind === 'link')?.content
  return link?.kind === 'link' ? { path: '', kind: 'folder', artifacts: link.payload.products, ignore: [] } : undefined
}

function mutateProduct(product: library.ProductEvidence, random: Random): library.ProductEvidence {
  const artifacts = Object.assign(Object.create(null) as library.Artifacts, product.artifacts)
  const names = Object.keys(artifacts)
  const [name, other] = random.sample(names, 2)
  const way = random.below(4)
  if (way === 0 || name === undefined)
    artifacts[random.pick(['planted.js', 'package.json', '__proto__', '.hidden'])] = { sha256: '0'.repeat(64) }
  else if (way === 1) delete artifacts[name]
  else if (way === 2 && other !== undefined) [artifacts[name], artifacts[other]] = [artifacts[other]!, artifacts[name]!]
  else {
    const [algorithm, hex] = Object.entries(artifacts[name]!)[0]!
    artifacts[name] = { ...artifacts[name], [algorithm]: (hex.startsWith('0') ? '1' : '0') + hex.slice(1) }
  }
  return { ...product, artifacts }
}

/** The kinds of mutants of chains. */
export async function chainKinds(judges: Judges, keys: readonly TestKey[], scratch: string): Promise<Kind[]> {
  const all = await bases(judges, keys, scratch)
  const signable = all.filter(({ plans }) => plans.size > 0)
  const others = all.filter(({ plans }) => plans.size === 0)
  // Theirs are slower, for they have keys of every kind.
  const anyBase = (random: Random): Base => random.pick(random.chance(0.8) ? signable : others)
  const withProduct: { base: Base; product: library.ProductEvidence }[] = []
  for (const base of signable) {
    const product = productOf(base)
    if (product !== undefined && (await both(judges, base, product)).ok) withProduct.push({ base, product })
  }
  return [
    {
      name: 'envelopes',
      weight: 40,
      run: (random) => {
        const base = random.pick(signable)
        const path = random.pick([...base.plans.keys()])
        const bytes = mutateFile(base.files.get(path)!, random, base.files.get(random.pick([...base.files.keys()]))!)
        return same(bytes, base.files.get(path)!) ? 'void' : envelopeOutcome(judges, { base, path, bytes })
      },
    },
    {
      name: 'files',
      weight: 15,
      run: (random) => {
        const base = anyBase(random)
        const path = random.pick([...base.files.keys()])
        const bytes = mutateFile(base.files.get(path)!, random, base.files.get(random.pick([...base.files.keys()]))!)
        return same(bytes, base.files.get(path)!) ? 'void' : outcome(judges, replaced(base, path, bytes))
      },
    },
    {
      name: 'files, by hand',
      weight: 5,
      run: (random) => {
        const base = anyBase(random)
        const files: Files = new Map(base.files)
        // Some of these changes can't be made to some files.
        const [, change] = random.pick(Object.entries(afterSigning))
        return change(files, random, undefined as never) === false ? 'void' : outcome(judges, { ...base, files })
      },
    },
    {
      name: 'signed lies',
      weight: 8,
      run: async (random) => {
        const base = random.pick(signable)
        const [path, plan] = random.pick([...base.plans])
        return outcome(judges, replaced(base, path, await lie(random, { plan, format: random.pick(['dsse', 'metablock']) })))
      },
    },
    {
      name: 'products',
      weight: 2,
      run: async (random): Promise<Outcome> => {
        const { base, product } = random.pick(withProduct)
        const changed = mutateProduct(product, random)
        if (!(await both(judges, base, changed)).ok) return 'refused'
        throw new Error(`accepted with another product: ${JSON.stringify(changed.artifacts)}`)
      },
    },
    {
      name: 'owners',
      weight: 3,
      run: (random) => {
        const base = anyBase(random)
        const at = random.below(base.owners.length)
        const pem = Buffer.from(mutateBytes(utf8(base.owners[at]!), random, utf8(random.pick(all).owners[0]!))).toString()
        return pem === base.owners[at] ? 'void' : outcome(judges, { ...base, owners: base.owners.with(at, pem) })
      },
    },
  ]
}

/** Judges random chains, honest and tampered with, both ways; how many were accepted. @throws at the first about which the two differ */
export async function bothWays(
  judges: Judges,
  o: { keys: readonly TestKey[]; scratch: string; seed: number; count: number },
): Promise<number> {
  let accepted = 0
  for (let seed = o.seed; seed < o.seed + o.count; seed++) {
    const { plan, files } = await generate(seed >>> 0, o.keys, { scratch: o.scratch })
    const owners = plan.trusted.map(({ publicPem }) => publicPem)
    try {
      if ((await both(judges, { files, owners, ...(plan.parameters && { parameters: plan.parameters }) })).ok) accepted++
    } catch (cause) {
      throw new Error(`INTOTO_SEED=${seed >>> 0}: ${String(cause)}`, { cause })
    }
  }
  return accepted
}
