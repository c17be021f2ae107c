/**
 * What goes wrong with a supply chain, one function each: before signing (somebody lies, errs, or the layout's owner does) and after it
 * (somebody changes the files). Not every change has to end in a refusal; the comparison with the peers says which do.
 */
import type { Artifacts, JsonObject, JsonValue, Link, Step } from 'intoto'
import { digestOf, dictionary, type Evidence, type Plan, type PlannedLayout, type PlannedLink } from './chain.ts'
import type { TestKey } from './keys.ts'
import { artifactNames, patternFor, strayPattern } from './names.ts'
import { lotteryRules } from './rules.ts'
import type { Random } from './random.ts'

/** Changes a plan; false when this plan gives no chance to. */
export type Tamper = (plan: Plan, random: Random, keys: readonly TestKey[]) => boolean | void

interface Place {
  evidence: Evidence
  link: PlannedLink
  layout: PlannedLayout
}

/** Every link of the chain, those of sublayouts too. */
function places(layout: PlannedLayout): Place[] {
  return layout.evidence.flatMap((evidence): Place[] => {
    const { content } = evidence
    return content.kind === 'link' ? [{ evidence, link: content, layout }] : places(content)
  })
}

/** The root and every sublayout. */
function layouts(layout: PlannedLayout): PlannedLayout[] {
  return [layout, ...layout.evidence.flatMap(({ content }) => (content.kind === 'layout' ? layouts(content) : []))]
}

const anyLayout = (plan: Plan, random: Random): PlannedLayout => (random.chance(0.7) ? plan.root : random.pick(layouts(plan.root)))
const anyStep = (plan: Plan, random: Random): Step => random.pick(anyLayout(plan, random).payload.steps)
const loose = (value: object): JsonObject => value as JsonObject

/** Applies a change to one link, or (then it is no lie but a different world) to all links of its step. */
function onLink(change: (link: Link, random: Random, plan: Plan) => boolean | void): Tamper {
  return (plan, random) => {
    const all = places(plan.root)
    if (all.length === 0) return false
    const { evidence, link, layout } = random.pick(all)
    const copies = random.chance(0.5)
      ? [link]
      : layout.evidence.filter((e) => e.step === evidence.step && e.content.kind === 'link').map((e) => e.content as PlannedLink)
    const before = { ...link.payload }
    const side = { materials: dictionary(Object.entries(before.materials)), products: dictionary(Object.entries(before.products)) }
    const changed: Link = { ...before, ...side }
    const done = change(changed, random, plan)
    for (const copy of copies)
      copy.payload = { ...copy.payload, name: changed.name, materials: changed.materials, products: changed.products }
    link.payload = changed
    return done
  }
}

const side = (link: Link, random: Random): Artifacts => (random.chance(0.5) ? link.materials : link.products)
const other = (random: Random): string => `other ${random.below(1e9)}`

function onDigest(change: (artifacts: Artifacts, name: string, random: Random) => void): Tamper {
  return onLink((link, random) => {
    const artifacts = side(link, random)
    const names = Object.keys(artifacts)
    if (names.length === 0) return false
    change(artifacts, random.pick(names), random)
    return true
  })
}

function onRules(change: (rules: string[][], random: Random, step: Step) => boolean | void): Tamper {
  return (plan, random) => {
    const step = anyStep(plan, random)
    return change(random.chance(0.5) ? step.expected_materials : step.expected_products, random, step)
  }
}

const brokenRules: string[][] = [
  [],
  ['ALLOW'],
  ['ALLOW', 'a', 'b'],
  ['PERMIT', '*'],
  ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM'],
  ['MATCH', '*', 'WITH', 'BYPRODUCTS', 'FROM', 'build'],
  ['MATCH', '*', 'IN', 'a', 'WITH', 'PRODUCTS', 'IN', 'FROM', 'build'],
  ['MATCH', '*', 'WITH', 'PRODUCTS', 'OF', 'build'],
  ['REQUIRE'],
  ['disallow', ''],
]
const badThresholds: JsonValue[] = [0, -1, '1', true, null, 100]
const badExpiries = [
  '2001-01-01T00:00:00Z',
  '2020-02-29T23:59:59Z',
  '2045-02-30T00:00:00Z',
  '2045-01-01T24:00:00Z',
  '2045-13-01T00:00:00Z',
  '2045-01-01T00:00:00+00:00',
  '2045-01-01',
  '',
  '2045-01-01T00:00:00Z\n',
  '2045-01-01T00:00:00.5Z',
  '2045-01-01 00:00:00Z',
  'never',
]
const unclean: ((name: string) => string)[] = [
  (n) => `./${n}`,
  (n) => `x/../${n}`,
  (n) => n.replace('/', '//'),
  (n) => `${n}/`,
  (n) => `a/./${n}`,
]

/** Changes to what is signed. */
export const beforeSigning: Record<string, Tamper> = {
  'digest changed': onDigest((artifacts, name, random) => (artifacts[name] = digestOf(other(random), ['sha256']))),
  'artifact added': onLink((link, random) => void (side(link, random)[artifactNames(random, 1)[0]!] = digestOf(other(random), ['sha256']))),
  'artifact removed': onDigest((artifacts, name) => delete artifacts[name]),
  'artifact renamed': onDigest((artifacts, name, random) => {
    artifacts[random.pick([`${name}x`, name.toUpperCase(), `src/${name}`, artifactNames(random, 1)[0]!])] = artifacts[name]!
    delete artifacts[name]
  }),
  'artifacts swapped': onDigest((artifacts, name, random) => {
    const second = random.pick(Object.keys(artifacts))
    ;[artifacts[name], artifacts[second]] = [artifacts[second]!, artifacts[name]!]
  }),
  'name not normalised': onDigest((artifacts, name, random) => {
    artifacts[random.pick(unclean)(name)] = random.chance(0.5) ? artifacts[name]! : digestOf(other(random), ['sha256'])
    if (random.chance(0.5)) delete artifacts[name]
  }),
  'digest without strength': onDigest((artifacts, name, random) => {
    const weak = random.pick([dictionary<string>(), digestOf('x', ['md5']), digestOf('x', ['sha1'])])
    for (const key of Object.keys(artifacts)) if (key === name || random.chance(0.2)) artifacts[key] = weak
  }),
  'digest of two algorithms': onDigest((artifacts, name) => (artifacts[name] = { ...artifacts[name]!, ...digestOf('two', ['sha512']) })),
  'digest in capitals': onDigest(
    (artifacts, name) => (artifacts[name] = dictionary(Object.entries(artifacts[name]!).map(([k, v]) => [k, v.toUpperCase()]))),
  ),
  'digest malformed': onDigest((artifacts, name, random) => {
    artifacts[name] = random.pick<JsonValue>(['abc', dictionary([['sha256', 'xyz']]), dictionary([['sha256', 7]]), null, []]) as never
  }),
  'link renamed': onLink(
    (link, random, plan) => void (link.name = random.pick(['other', '', ...plan.root.payload.steps.map((step) => step.name)])),
  ),
  'integer beyond 2^53': onLink(
    (link) =>
      void (link.byproducts = dictionary<JsonValue>([
        ['return-value', 0],
        ['size', 9007199254740993n],
      ])),
  ),
  'windows status': onLink((link) => void (link.byproducts = dictionary<JsonValue>([['return-value', 4294967295]]))),
  'member of a link missing': onLink(
    (link, random) => void delete loose(link)[random.pick(['environment', 'byproducts', 'command', 'materials', 'products', 'name'])],
  ),
  'list of a link null': onLink(
    (link, random) => void (loose(link)[random.pick(['command', 'materials', 'products', 'environment'])] = null),
  ),
  'unknown member in a link': onLink((link) => void (loose(link)['extra'] = 1)),
  'unknown member in a layout': (plan, random) => void (loose(anyLayout(plan, random).payload)['extra'] = 'x'),
  'unknown member in a step': (plan, random) => void (loose(anyStep(plan, random))['extra'] = 'x'),
  'list of a layout null': (plan, random) =>
    void (loose(anyLayout(plan, random).payload)[random.pick(['inspect', 'steps', 'keys'])] = null),
  'list of a step null': (plan, random) =>
    void (loose(anyStep(plan, random))[random.pick(['expected_command', 'expected_materials', 'expected_products', 'pubkeys'])] = null),
  'member of a layout missing': (plan, random) =>
    void delete loose(anyLayout(plan, random).payload)[random.pick(['readme', 'inspect', 'expires', 'keys', 'steps'])],
  'member of a step missing': (plan, random) =>
    void delete loose(anyStep(plan, random))[
      random.pick(['threshold', 'pubkeys', 'expected_command', 'expected_products', '_type', 'name'])
    ],
  'command differs': onLink((link, random) => void (link.command = random.pick([['rm', '-rf'], [], ['make', 'x']]))),
  'by somebody else': (plan, random, keys) => {
    const all = places(plan.root)
    if (all.length === 0) return false
    const { link } = random.pick(all)
    link.by = random.pick(keys)
    if (random.chance(0.5)) link.ids = [link.by.ids[random.pick(['python', 'go'] as const)]]
    link.maker = 'us'
    return true
  },
  'key id of the other kind': (plan, random) => {
    const all = places(plan.root)
    if (all.length === 0) return false
    const { evidence, link } = random.pick(all)
    const id = link.by.ids[evidence.keyid === link.by.ids.python ? 'go' : 'python']
    link.ids = [id]
    link.maker = 'us'
    if (random.chance(0.7)) evidence.keyid = id
    return true
  },
  'rule dropped': onRules((rules, random) => (rules.length > 0 ? void rules.splice(random.below(rules.length), 1) : false)),
  'rules shuffled': onRules((rules, random) => void rules.splice(0, rules.length, ...random.shuffle(rules))),
  'rule added': onRules((rules, random) => {
    const kind = random.pick(['ALLOW', 'DISALLOW', 'REQUIRE', 'CREATE', 'DELETE', 'MODIFY'])
    rules.splice(random.below(rules.length + 1), 0, [kind, strayPattern(random)])
  }),
  'pattern changed': onRules((rules, random) => {
    const rule = rules.length > 0 ? random.pick(rules) : []
    if (rule.length < 2) return false
    rule[1] = random.chance(0.5) ? strayPattern(random) : patternFor(random, artifactNames(random, 1)[0]!)
    return true
  }),
  'rule of another kind': onRules((rules, random) => {
    const plain = rules.filter((rule) => rule.length === 2)
    if (plain.length === 0) return false
    random.pick(plain)[0] = random.pick(['ALLOW', 'CREATE', 'DELETE', 'MODIFY', 'DISALLOW', 'REQUIRE'])
    return true
  }),
  'prefix changed': onRules((rules, random) => {
    const prefixed = rules.filter((rule) => rule.length > 6)
    if (prefixed.length === 0) return false
    const rule = random.pick(prefixed)
    rule[3] = random.pick(['src', 'dist/assets', 'lib/', 'pkg'])
    return true
  }),
  'rule malformed': onRules((rules, random) => void rules.splice(random.below(rules.length + 1), 0, [...random.pick(brokenRules)])),
  'threshold raised': (plan, random) => {
    const step = anyStep(plan, random)
    if (!Number.isInteger(step.threshold)) return false
    step.threshold++
    return true
  },
  'threshold odd': (plan, random) => void (loose(anyStep(plan, random))['threshold'] = random.pick(badThresholds)),
  'functionary struck off': (plan, random) => {
    const step = anyStep(plan, random)
    step.pubkeys.splice(random.below(step.pubkeys.length), 1)
  },
  'functionary listed twice': (plan, random) => {
    const [first] = anyStep(plan, random).pubkeys
    if (first === undefined) return false
    anyStep(plan, random).pubkeys.push(first)
    return true
  },
  'key taken out of the layout': (plan, random) => {
    const { keys } = anyLayout(plan, random).payload
    delete keys[random.pick(Object.keys(keys))]
  },
  'key under another id': (plan, random) => {
    const { keys } = anyLayout(plan, random).payload
    const [first, second] = random.sample(Object.keys(keys), 2)
    if (!second) return false
    keys[first!] = random.chance(0.5) ? keys[second]! : { ...keys[second]!, keyid: first! }
    return true
  },
  'key listed under two ids': (plan, random, all) => {
    const layout = anyLayout(plan, random)
    const step = random.pick(layout.payload.steps)
    const evidence = layout.evidence.find((e) => e.step === step.name && e.content.kind === 'link')
    const key = evidence && all.find((k) => k === (evidence.content as PlannedLink).by)
    if (!evidence || !key) return false
    const id = evidence.keyid === key.ids.python ? key.ids.go : key.ids.python
    if (id === evidence.keyid || !layout.payload.keys[evidence.keyid]) return false
    layout.payload.keys[id] = { ...layout.payload.keys[evidence.keyid]!, keyid: id }
    step.pubkeys.push(id)
    step.threshold = Math.min(step.threshold + 1, step.pubkeys.length)
    layout.evidence.push({ step: step.name, keyid: id, content: { ...(evidence.content as PlannedLink), ids: [id], maker: 'us' } })
    return true
  },
  'key object altered': (plan, random) => {
    const { keys } = anyLayout(plan, random).payload
    const key = loose(random.pick(Object.values(keys)))
    const change = random.below(6)
    if (change === 0) key['keytype'] = random.pick(['rsa', 'ed25519', 'ecdsa', 'ecdsa-sha2-nistp256', 'dsa', '__proto__'])
    else if (change === 1)
      key['scheme'] = random.pick(['rsassa-pss-sha256', 'ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'none'])
    else if (change === 2) delete key['keyid_hash_algorithms']
    else if (change === 3) delete key['keyid']
    else if (change === 4)
      key['keyval'] = dictionary<JsonValue>([
        ['public', (key['keyval'] as JsonObject)['public']!],
        ['private', ''],
      ])
    else key['keyval'] = dictionary<JsonValue>([['public', 'no key']])
  },
  'two steps of one name': (plan, random) => {
    const { steps } = anyLayout(plan, random).payload
    steps.push({ ...random.pick(steps) })
  },
  'step with an odd name': (plan, random) =>
    void (anyStep(plan, random).name = random.pick(['', '..', '../up', 'a/b', '.', 'x\0y', 'b\\c'])),
  'type odd': (plan, random) => {
    const layout = anyLayout(plan, random).payload
    loose(random.chance(0.5) ? layout : random.pick(layout.steps))['_type'] = random.pick(['Step', 'link', 'layout', 'stepp', ''])
  },
  'expiry odd or past': (plan, random) => void (anyLayout(plan, random).payload.expires = random.pick(badExpiries)),
  'owner is somebody else': (plan, random, keys) =>
    void (random.chance(0.5) ? (plan.trusted = [random.pick(keys)]) : (plan.root.by = [random.pick(keys)])),
  'one owner missing': (plan, random, keys) => void (plan.trusted = [...plan.trusted, random.pick(keys)]),
  'nobody trusted': (plan) => void (plan.trusted = []),
  'link missing': (plan, random) => {
    const { evidence } = anyLayout(plan, random)
    if (evidence.length === 0) return false
    evidence.splice(random.below(evidence.length), 1)
    return true
  },
  'no steps': (plan, random) => void (anyLayout(plan, random).payload.steps = []),
}

/** Puts one or two lists of random rules into the layout: see `lotteryRules`. */
export const lottery: Tamper = (plan, random) => {
  const links = places(plan.root)
  if (links.length === 0) return false
  for (let lists = random.chance(0.7) ? 1 : 2; lists > 0; lists--) {
    const { evidence, link, layout } = random.pick(links)
    const step = layout.payload.steps.find(({ name }) => name === evidence.step)!
    const list = random.chance(0.5) ? 'expected_materials' : 'expected_products'
    const sides = { expected_materials: Object.keys(link.payload.materials), expected_products: Object.keys(link.payload.products) }
    const all = [...sides.expected_materials, ...sides.expected_products]
    if (all.length === 0) continue
    step[list] = lotteryRules(random, { mine: sides[list], all, steps: layout.payload.steps.map(({ name }) => name) })
  }
  return true
}

/** An inspection of a sublayout ends badly; none where no sublayout has one. */
export function failBelow(plan: Plan, random: Random): boolean {
  const [, ...below] = layouts(plan.root)
  const inspections = below.flatMap(({ payload }) => payload.inspect)
  if (inspections.length === 0) return false
  random.pick(inspections).run = random.pick([['false'], ['no such command']])
  return true
}

/** Changes to what inspections see and do; for chains that have some. */
export const atInspection: Record<string, Tamper> = {
  'inspection fails': (plan, random) => {
    random.pick(plan.root.payload.inspect).run = random.pick([['false'], ['no such command'], ['sh', '-c', 'kill $$'], []])
    return true
  },
  'product changed on disk': (plan, random) => {
    const names = Object.keys(plan.work)
    if (names.length === 0) return false
    const name = random.pick(names)
    if (random.chance(0.4)) plan.work[name] += 'x'
    else if (random.chance(0.5)) delete plan.work[name]
    else plan.work[random.pick(['evil.js', '.hidden/evil', 'evil.link.js', 'x.js~', '.git/config', 'evil.pyc'])] = 'evil'
    return true
  },
}
