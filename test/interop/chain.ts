/**
 * Honest supply chains at random: steps that read, change, drop and make files, a layout whose rules allow just that, functionaries, thresholds,
 * sublayouts, inspections. What comes out is a plan, signed later, so that it can be tampered with on either side of the signature.
 * Called by the random comparison; every chain made here must be accepted by every implementation, but for its documented oddities.
 */
import { createHash } from 'node:crypto'
import { toLayoutKey, type Artifacts, type DigestMap, type JsonValue, type Layout, type Link, type Step } from 'intoto'
import type { Style, TestKey } from './keys.ts'
import { artifactNames, stepNames } from './names.ts'
import type { Random } from './random.ts'
import { inspectionRules, materialRules, productRules, type Deed, type Mapping } from './rules.ts'

export type Format = 'dsse' | 'metablock'
/** Who puts the payload into its envelope and signs it. */
export type Maker = 'us' | 'python' | 'go'

export interface PlannedLink {
  kind: 'link'
  payload: Link
  by: TestKey
  /** Key ids to sign under. */
  ids: string[]
  format: Format
  maker: Maker
}

export interface PlannedLayout {
  kind: 'layout'
  payload: Layout
  by: TestKey[]
  ids: (key: TestKey) => string[]
  format: Format
  maker: Maker
  evidence: Evidence[]
}

/** One file of a link folder: `<step>.<first 8 of keyid>.link`. */
export interface Evidence {
  step: string
  keyid: string
  content: PlannedLink | PlannedLayout
}

export interface Plan {
  root: PlannedLayout
  /** The owners that the verifier is told to trust. */
  trusted: TestKey[]
  parameters?: Record<string, string>
  /** Content of the files in the working directory, by name; only chains with inspections have some. */
  work: Record<string, string>
}

/** The content behind a digest, so that inspections find it on disk. */
export function digestOf(content: string, algorithms: readonly string[]): DigestMap {
  const digest = Object.create(null) as DigestMap
  for (const algorithm of algorithms) digest[algorithm] = createHash(algorithm).update(content).digest('hex')
  return digest
}

/** A map without prototype, as the library reads and writes them. */
export function dictionary<T>(entries: Iterable<readonly [string, T]> = []): Record<string, T> {
  const out = Object.create(null) as Record<string, T>
  for (const [name, value] of entries) out[name] = value
  return out
}

interface World {
  random: Random
  keys: readonly TestKey[]
  algorithms: readonly string[]
  /** Only names that a disk takes and nobody finds odd. */
  simple: boolean
  /** Many steps are delegated, to layouts that delegate theirs. */
  nested: boolean
  contents: Map<string, string>
  versions: number
}

function fresh(world: World): DigestMap {
  const content = `content ${world.versions++} ${world.random.below(1e9)}`
  const digest = digestOf(content, world.algorithms)
  world.contents.set(JSON.stringify(digest), content)
  return digest
}

function files(world: World, count: number): Artifacts {
  return dictionary(artifactNames(world.random, count, world.simple).map((name) => [name, fresh(world)]))
}

function chooseMapping(random: Random, from: Deed): Mapping {
  const names = Object.keys(from.products).filter((name) => !name.startsWith('/') && !name.startsWith('..') && name.includes('/'))
  const strip = names.length > 0 && random.chance(0.3) ? random.pick(names).replace(/\/[^/]*$/u, '') : ''
  return { from: from.name, strip, add: random.chance(0.25) ? random.pick(['pkg', 'package', 'a b', 'deep/er', 'dist', '[x]', '*']) : '' }
}

/** Materials taken over from an earlier step under this mapping. */
function takeOver(random: Random, from: Deed, { strip, add }: Mapping): Artifacts {
  const taken = dictionary<DigestMap>()
  for (const [name, digest] of Object.entries(from.products)) {
    if (strip !== '' && !name.startsWith(`${strip}/`)) continue
    const rest = strip === '' ? name : name.slice(strip.length + 1)
    if (add !== '' && /^(\/|\.\.|http:)/.test(rest)) continue
    if (random.chance(0.85)) taken[add === '' ? rest : `${add}/${rest}`] = digest
  }
  return taken
}

/** What a step makes of its materials: some stay, some change, some go, some are new. */
function workOn(world: World, materials: Artifacts): Artifacts {
  const products = dictionary<DigestMap>()
  for (const [name, digest] of Object.entries(materials)) {
    const fate = world.random.below(10)
    if (fate < 4) products[name] = digest
    else if (fate < 6) products[name] = fresh(world)
  }
  for (const [name, digest] of Object.entries(files(world, world.random.between(1, 4))))
    if (!Object.hasOwn(materials, name)) products[name] = digest
  return products
}

function deeds(world: World, names: string[], ends?: { materials: Artifacts; products: Artifacts }): Deed[] {
  const { random } = world
  const done: Deed[] = []
  for (const [i, name] of names.entries()) {
    const earlier = i === 0 ? undefined : random.chance(0.8) ? done[i - 1]! : random.pick(done)
    const mapping = earlier && chooseMapping(random, earlier)
    const materials = earlier
      ? takeOver(random, earlier, mapping!)
      : (ends?.materials ?? (random.chance(0.4) ? files(world, 2) : dictionary<DigestMap>()))
    const extra = new Set<string>(earlier ? [] : Object.keys(materials))
    if (random.chance(0.3) && !(ends && i === 0)) {
      for (const [file, digest] of Object.entries(files(world, random.between(1, 2)))) {
        if (Object.hasOwn(materials, file)) continue
        materials[file] = digest
        extra.add(file)
      }
    }
    const products =
      ends && i === names.length - 1 ? ends.products : i === 0 && !ends ? files(world, random.between(1, 6)) : workOn(world, materials)
    done.push({ name, materials, products, extra, ...(mapping && { mapping }) })
  }
  return done
}

const outputs = ['', '', 'done\n', 'naïve 😀', '\u0007bell', 'a\tb\r\n']

function linkOf(random: Random, deed: Deed, command: string[]): Link {
  const byproducts = random.chance(0.2)
    ? dictionary<JsonValue>()
    : dictionary<JsonValue>([
        ['return-value', 0],
        ['stdout', random.pick(outputs)],
        ['stderr', random.pick(outputs)],
      ])
  if (random.chance(0.05))
    byproducts['nested'] = dictionary<JsonValue>([
      ['list', [1, -2, true, null, 'x']],
      ['\uff5e', 1],
      ['😀', 2],
      ['10', 3],
      ['9', 4],
    ])
  const environment = random.chance(0.8) ? dictionary<JsonValue>() : dictionary<JsonValue>([['workdir', '/somewhere']])
  return { _type: 'link', name: deed.name, materials: deed.materials, products: deed.products, byproducts, command, environment }
}

function sealing(random: Random, format: Format, style: Style, payload: string): Maker {
  if (random.chance(0.85)) return 'us'
  // Go writes payloads of envelopes as canonical JSON, which is no JSON as soon as a string holds a control character.
  // oxlint-disable-next-line no-control-regex
  if (style === 'go' && format === 'dsse' && /\\[^"\\]/u.test(payload)) return 'us'
  return style
}

/** A layout and all of its evidence. `ends` are the materials and products that a sublayout has to arrive at. */
function plan(world: World, by: TestKey[], depth: number, ends?: { materials: Artifacts; products: Artifacts }): PlannedLayout {
  const { random } = world
  const style: Style = random.chance(0.75) ? 'python' : 'go'
  const names = stepNames(random, depth === 0 ? random.between(1, 4) : random.between(1, 2))
  const done = deeds(world, names, ends)
  const evidence: Evidence[] = []
  const steps: Step[] = []
  const keys = dictionary<ReturnType<typeof toLayoutKey>>()
  for (const deed of done) {
    const functionaries = random.sample(world.keys, random.pick([1, 1, 1, 1, 2, 2, 3]))
    const threshold = random.between(1, functionaries.length)
    const command = random.pick([[], ['make'], ['npm', 'run', 'build'], ['sh', '-c', 'a  b'], ['😀', '']])
    for (const key of functionaries) {
      const id = key.ids[style]
      const listed = toLayoutKey(key.key)
      listed['keyid'] = id
      keys[id] = listed
    }
    for (const key of random.sample(functionaries, random.between(threshold, functionaries.length))) {
      const id = key.ids[style]
      const format: Format = random.chance(0.5) ? 'dsse' : 'metablock'
      const delegated = depth < 2 && random.chance(world.nested ? 0.5 : 0.06) && Object.keys(deed.materials).length > 0
      const payload = linkOf(random, deed, random.chance(0.9) ? command : ['other'])
      const content: PlannedLink | PlannedLayout = delegated
        ? { ...plan(world, [key], depth + 1, deed), ids: () => [id] }
        : { kind: 'link', payload, by: key, ids: [id], format, maker: sealing(random, format, style, JSON.stringify(payload)) }
      evidence.push({ step: deed.name, keyid: id, content })
    }
    steps.push({
      _type: 'step',
      name: deed.name,
      threshold,
      pubkeys: functionaries.map((key) => key.ids[style]),
      expected_command: command,
      expected_materials: materialRules(random, deed, done),
      expected_products: productRules(random, deed, done),
    })
  }
  const expires = `${random.between(2035, 2090)}-0${random.between(1, 9)}-1${random.below(10)}T00:00:00Z`
  const payload: Layout = {
    _type: 'layout',
    expires,
    readme: random.chance(0.8) ? '' : 'Über\n"layout"',
    keys: keys as unknown as Layout['keys'],
    steps,
    inspect: [],
  }
  const signing = random.below(100)
  const ids = (key: TestKey): string[] => (signing < 97 ? [key.ids.python, key.ids.go] : signing < 98 ? [key.ids.python] : [key.ids.go])
  return { kind: 'layout', payload, by, ids, format: random.chance(0.5) ? 'dsse' : 'metablock', maker: 'us', evidence }
}

/** Adds inspections of the last step's products, and puts these into the working directory. */
function addInspections(world: World, made: Plan): void {
  const { random } = world
  const last = made.root.payload.steps.at(-1)!.name
  const products = (made.root.evidence.find((e) => e.step === last)!.content as PlannedLink).payload.products
  for (const [name, digest] of Object.entries(products)) made.work[name] = world.contents.get(JSON.stringify(digest))!
  const count = random.chance(0.8) ? 1 : 2
  for (let i = 0; i < count; i++) {
    const run = random.pick([['true'], ['true'], ['sh', '-c', 'test -d .'], ['touch', 'made.txt']])
    made.root.payload.inspect.push({
      _type: 'inspection',
      name: `inspect-${i}`,
      run,
      ...inspectionRules(random, last, run[0] === 'touch' || i > 0),
    })
  }
}

/** Adds inspections to sublayouts, which run before those above them in the same folder. */
function addInspectionsBelow(random: Random, layout: PlannedLayout): void {
  for (const { content } of layout.evidence) {
    if (content.kind === 'link') continue
    addInspectionsBelow(random, content)
    if (random.chance(0.5)) continue
    const run = random.pick([['true'], ['sh', '-c', 'test -d .']])
    content.payload.inspect.push({ _type: 'inspection', name: 'inspect-below', run, expected_materials: [], expected_products: [] })
  }
}

/** A chain in which everybody did what the layout says. */
export function honestChain(random: Random, keys: readonly TestKey[]): Plan {
  const simple = random.chance(0.06)
  // An inspection records SHA-256.
  const algorithms = simple || random.chance(0.94) ? ['sha256'] : random.pick([['sha256', 'sha512'], ['sha512'], ['sha384']])
  const nested = !simple && random.chance(0.05)
  const world: World = { random, keys, algorithms, simple, nested, contents: new Map(), versions: 0 }
  const owners = random.sample(keys, random.chance(0.85) ? 1 : 2)
  const root = plan(world, owners, simple ? 2 : 0)
  const made: Plan = { root, trusted: owners, work: {} }
  if (simple) addInspections(world, made)
  else addInspectionsBelow(random, root)
  return made
}
