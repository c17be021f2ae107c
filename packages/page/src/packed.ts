/**
 * A traced chain small enough to travel inside a page: every name once and without the beginning that it shares with the one before, every digest
 * once, and nothing of a link but names and digests: no byproducts, no environment. reportPage packs, the search unpacks.
 */
import { emptyRecord, fromBase64, fromHex, parseRuleText, ruleTokens, toBase64, toHex } from 'intoto'
import type { Artifacts, DigestMap, Layout, Link, Report, StepReport } from 'intoto'

/** The JSON form. */
export interface PackedChain {
  /** Ascending; the first character of each tells, in base 36, how many it shares with the one before. */
  readonly names: readonly string[]
  /** A lone SHA-256 as base64, anything else as it is. */
  readonly digests: readonly (string | DigestMap)[]
  readonly items: readonly PackedItem[]
}

interface PackedItem {
  readonly name: string
  readonly kind: StepReport['kind']
  /** Pairs: position of the name and of the digest, each as the distance from the pair before. */
  readonly materials: readonly number[]
  readonly products: readonly number[]
  readonly rules: readonly (readonly [list: 'm' | 'p', text: string])[]
}

/** What the search needs of a Report; undefined when it was not traced, or no link could be believed. */
export function packChain(report: Report): PackedChain | undefined {
  if (report.chain === undefined || report.chain.length === 0) return undefined
  const links = new Map(report.chain.map((link) => [link.name, link]))
  const sides = report.chain.flatMap((link) => [link.materials, link.products])
  const names = [...new Set(sides.flatMap((side) => Object.keys(side)))].sort()
  const position = new Map(names.map((name, i) => [name, i]))
  const digests = new Map<string, number>()
  const side = (artifacts: Artifacts): number[] => {
    let [lastName, lastDigest] = [0, 0]
    return Object.keys(artifacts)
      .sort()
      .flatMap((name) => {
        const at = position.get(name) ?? 0
        const text = packDigest(artifacts[name] ?? {})
        const digest = digests.get(text) ?? digests.size
        digests.set(text, digest)
        const pair = [at - lastName, digest - lastDigest]
        ;[lastName, lastDigest] = [at, digest]
        return pair
      })
  }
  const items = [...report.steps, ...report.inspections].flatMap((step): PackedItem[] => {
    const link = links.get(step.name)
    if (link === undefined) return []
    const rules = step.rules.map(({ list, text }) => [list === 'expected_materials' ? 'm' : 'p', text] as const)
    return [{ name: step.name, kind: step.kind, materials: side(link.materials), products: side(link.products), rules }]
  })
  return { names: packNames(names), digests: [...digests.keys()].map((text) => JSON.parse(text) as string | DigestMap), items }
}

function packNames(names: readonly string[]): string[] {
  return names.map((name, i) => {
    const before = names[i - 1] ?? ''
    let shared = 0
    while (shared < 35 && shared < before.length && name[shared] === before[shared]) shared++
    return shared.toString(36) + name.slice(shared)
  })
}

function packDigest(digests: DigestMap): string {
  const { sha256 } = digests
  const isPlain = typeof sha256 === 'string' && Object.keys(digests).length === 1 && /^[0-9a-f]{64}$/.test(sha256)
  return JSON.stringify(isPlain ? toBase64(fromHex(sha256)).slice(0, 43) : digests)
}

/** A chain as `explainArtifact` takes it, and all names in it. */
export interface UnpackedChain {
  readonly names: readonly string[]
  readonly layout: Layout
  readonly chain: readonly Link[]
}

/** The reverse of `packChain`, as far as explaining needs it. */
export function unpackChain(packed: PackedChain): UnpackedChain {
  let before = ''
  const names = packed.names.map((text) => (before = before.slice(0, Number.parseInt(text[0] ?? '0', 36)) + text.slice(1)))
  const digests = packed.digests.map(unpackDigest)
  const side = (pairs: readonly number[]): Artifacts => {
    const artifacts = emptyRecord<DigestMap>()
    let [name, digest] = [0, 0]
    for (let i = 0; i < pairs.length; i += 2) {
      name += pairs[i] ?? 0
      digest += pairs[i + 1] ?? 0
      artifacts[names[name] ?? ''] = digests[digest] ?? emptyRecord<string>()
    }
    return artifacts
  }
  const chain = packed.items.map((item): Link => ({
    _type: 'link',
    name: item.name,
    materials: side(item.materials),
    products: side(item.products),
    byproducts: emptyRecord(),
    command: [],
  }))
  const rules = (item: PackedItem, list: 'm' | 'p'): string[][] =>
    item.rules.filter(([of]) => of === list).map(([, text]) => [...ruleTokens(parseRuleText(text))])
  const items = packed.items.map((item) => ({
    name: item.name,
    kind: item.kind,
    expected_materials: rules(item, 'm'),
    expected_products: rules(item, 'p'),
  }))
  const layout: Layout = {
    _type: 'layout',
    expires: '',
    keys: emptyRecord(),
    steps: items
      .filter(({ kind }) => kind === 'step')
      .map(({ kind: _kind, ...item }) => ({ ...item, _type: 'step', threshold: 1, pubkeys: [], expected_command: [] })),
    inspect: items
      .filter(({ kind }) => kind === 'inspection')
      .map(({ kind: _kind, ...item }) => ({ ...item, _type: 'inspection', run: [] })),
  }
  return { names, layout, chain }
}

function unpackDigest(packed: string | DigestMap): DigestMap {
  const digests = emptyRecord<string>()
  if (typeof packed === 'string') digests['sha256'] = toHex(fromBase64(`${packed}=`))
  else for (const algorithm of Object.keys(packed)) digests[algorithm] = packed[algorithm] ?? ''
  return digests
}
