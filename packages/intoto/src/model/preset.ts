/**
 * Layouts without writing JSON: `defineLayout` from names, rules as text and keys, and the presets that most projects need. Called by
 * `intoto init` and `intoto layout`, and by programs. What comes out is a plain layout, to be read, changed and signed; nothing here signs.
 */
import { emptyRecord, type JsonObject } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { toLayoutKey, type Key } from '../keys/key.ts'
import { parseLayout, type Layout } from './layout.ts'
import { linkFileName } from './link.ts'
import { parseRuleText, ruleTokens } from './rule.ts'

/** Those who may carry out steps: a name for people, and their public key. */
export interface Functionaries {
  readonly [name: string]: Key
}

/** A step in the words of its owner. */
export interface StepInit {
  name: string
  /** Names among the layout's functionaries. */
  functionaries: readonly string[]
  /** How many of them must agree; default 1. */
  threshold?: number
  /** The expected command; default any. */
  command?: readonly string[]
  /** Rules as text: `MATCH src/* WITH PRODUCTS FROM source`. */
  materials?: readonly string[]
  products?: readonly string[]
}

/** An inspection in the words of its owner. */
export interface InspectionInit {
  name: string
  run: readonly string[]
  materials?: readonly string[]
  products?: readonly string[]
}

/** Everything of a layout. */
export interface LayoutInit {
  functionaries: Functionaries
  /** A date, or text of the form `YYYY-MM-DDTHH:MM:SSZ`. */
  expires: Date | string
  steps: readonly StepInit[]
  inspect?: readonly InspectionInit[]
  /** Words for those who read the layout; the names of the functionaries are added to them. */
  readme?: string
}

/** A Date that is none is written as it shows itself, for the parser to refuse. */
function timeText(date: Date): string {
  return Number.isNaN(date.getTime()) ? String(date) : `${date.toISOString().slice(0, 19)}Z`
}

/**
 * A layout from names and rules. The readme tells which key belongs to whom, see `functionaryNames`.
 * @throws E_CONFIG for a functionary that is not listed; E_LAYOUT_INVALID as `parseLayout`
 */
export function defineLayout(init: LayoutInit): Layout {
  const keyid = (name: string): string => {
    if (!Object.hasOwn(init.functionaries, name))
      throw wrong(`no functionary is called ${JSON.stringify(name)}`, 'add the key, or correct the name')
    return init.functionaries[name]!.keyid
  }
  const used = [...new Set(init.steps.flatMap(({ functionaries }) => functionaries))]
  const keys = emptyRecord<JsonObject>()
  for (const name of used) keys[keyid(name)] = toLayoutKey(init.functionaries[name]!)
  const names = used.map((name) => `${keyid(name)} ${name.replace(/\s+/g, ' ')}`)
  return parseLayout({
    _type: 'layout',
    expires: typeof init.expires === 'string' ? init.expires : timeText(init.expires),
    readme: [init.readme ?? '', ...names].filter(Boolean).join('\n'),
    keys,
    steps: init.steps.map((step) => ({
      _type: 'step',
      name: step.name,
      threshold: step.threshold ?? 1,
      pubkeys: step.functionaries.map(keyid),
      expected_command: [...(step.command ?? [])],
      expected_materials: rules(step.materials),
      expected_products: rules(step.products),
    })),
    inspect: (init.inspect ?? []).map((inspection) => ({
      _type: 'inspection',
      name: inspection.name,
      run: [...inspection.run],
      expected_materials: rules(inspection.materials),
      expected_products: rules(inspection.products),
    })),
  })
}

function rules(texts: readonly string[] = []): string[][] {
  return texts.map((text) => ruleTokens(parseRuleText(text)))
}

/** Who the keys belong to, as the readme tells: lines of a key id and a name. */
export function functionaryNames({ readme, keys }: Layout): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const line of (readme ?? '').split('\n')) {
    const [, keyid, name] = /^([0-9a-fA-F]{8,}) (\S.{0,80})$/.exec(line) ?? []
    if (keyid !== undefined && Object.hasOwn(keys, keyid)) names.set(keyid, name!)
  }
  return names
}

/** What both presets ask for. */
export interface WebappPreset {
  functionaries: Functionaries
  expires: Date | string
  /** Functionaries by step; one that is left out may be carried out by all. */
  who?: { readonly [step: string]: readonly string[] }
  /** Expected commands by step; any where it is left out. */
  commands?: { readonly [step: string]: readonly string[] }
  /** The bundler's output folder; default `dist`. */
  dist?: string
  /** A file that every build makes; default `<dist>/index.html`, for packages `<dist>/index.js`. */
  main?: string
  /** Bind node_modules to a step `install` (`npm ci`); default: recorded and explained, not bound. */
  install?: boolean
  /** The lockfile that `install` must have read; default `package-lock.json`. */
  lockfile?: string
  /** Leave out the step `test`. */
  untested?: boolean
}

/** What an npm package asks for on top. */
export interface NpmPreset extends WebappPreset {
  /** Name of the packed file (`app-1.0.0.tgz`): adds the inspection that unpacks it and looks inside. */
  tarball?: string
  /** Who packs; `npm` unless given. pnpm, Yarn 4 and bun rewrite package.json, which is then a product of the package step. */
  client?: 'npm' | 'pnpm' | 'yarn' | 'bun'
}

/** Layout of a web application: source, build, test. */
export function webappLayout(preset: WebappPreset): Layout {
  const { dist, main } = folders(preset, 'index.html')
  return defineLayout({ ...shared(preset), steps: firstSteps(preset, dist, main) })
}

/**
 * Layout of an npm package: source, build, test, package. Each list of materials begins with a REQUIRE, since an empty list would satisfy
 * every other rule, and REQUIRE sees only what is still in the queue.
 */
export function npmLayout(preset: NpmPreset): Layout {
  const { dist, main } = folders(preset, 'index.js')
  const builds = stepOf(preset, 'build').functionaries.map((name) => linkFileName('build', preset.functionaries[name]!.keyid))
  const rewrites = preset.client !== undefined && preset.client !== 'npm'
  const pack: StepInit = {
    command: [preset.client ?? 'npm', 'pack'],
    ...stepOf(preset, 'package'),
    materials: checkedMaterials(dist, builds),
    products: ['CREATE *.tgz', ...(rewrites ? ['CREATE package/package.json'] : []), 'DISALLOW *'],
  }
  const unpack = (tarball: string): InspectionInit => ({
    name: 'unpack',
    run: ['tar', 'xzf', tarball],
    materials: ['MATCH *.tgz WITH PRODUCTS FROM package', 'DISALLOW *'],
    products: [
      'REQUIRE package/package.json',
      text('REQUIRE', `package/${main}`),
      'MATCH *.tgz WITH PRODUCTS FROM package',
      text('MATCH', `${dist}/*`, 'IN', 'package', 'WITH', 'PRODUCTS', 'FROM', 'build'),
      ...builds.map((link) => text('ALLOW', `package/${dist}/${link}`)),
      ...(rewrites ? ['MATCH package/package.json WITH PRODUCTS FROM package'] : []),
      'MATCH * IN package WITH PRODUCTS FROM source',
      'DISALLOW *',
    ],
  })
  return defineLayout({
    ...shared(preset),
    steps: [...firstSteps(preset, dist, main), pack],
    inspect: preset.tarball === undefined ? [] : [unpack(preset.tarball)],
  })
}

function shared({ functionaries, expires }: WebappPreset): Pick<LayoutInit, 'functionaries' | 'expires'> {
  return { functionaries, expires }
}

function firstSteps(preset: WebappPreset, dist: string, main: string): StepInit[] {
  const builds = stepOf(preset, 'build').functionaries.map((name) => linkFileName('build', preset.functionaries[name]!.keyid))
  const source: StepInit = { ...stepOf(preset, 'source'), products: ['REQUIRE package.json', 'ALLOW *'] }
  const install: StepInit = {
    ...stepOf(preset, 'install'),
    materials: [
      'REQUIRE package.json',
      text('REQUIRE', preset.lockfile ?? 'package-lock.json'),
      'MATCH * WITH PRODUCTS FROM source',
      'DISALLOW *',
    ],
    products: ['CREATE node_modules/*', 'DISALLOW *'],
  }
  const modules = preset.install === true ? 'MATCH node_modules/* WITH PRODUCTS FROM install' : 'ALLOW node_modules/*'
  const build: StepInit = {
    ...stepOf(preset, 'build'),
    materials: ['REQUIRE package.json', 'MATCH * WITH PRODUCTS FROM source', modules, 'DISALLOW *'],
    products: [text('REQUIRE', main), text('CREATE', `${dist}/*`), 'DISALLOW *'],
  }
  const test: StepInit = { ...stepOf(preset, 'test'), materials: checkedMaterials(dist, builds) }
  return [source, ...(preset.install === true ? [install] : []), build, ...(preset.untested === true ? [] : [test])]
}

/** What may be there when the build is tested or packed: the build as it was, its link, and the source. */
function checkedMaterials(dist: string, links: readonly string[]): string[] {
  return [
    'REQUIRE package.json',
    text('MATCH', `${dist}/*`, 'WITH', 'PRODUCTS', 'FROM', 'build'),
    ...links.map((link) => text('ALLOW', `${dist}/${link}`)),
    'MATCH * WITH PRODUCTS FROM source',
    'DISALLOW *',
  ]
}

function stepOf({ functionaries, who, commands }: WebappPreset, name: string): StepInit {
  const command = commands !== undefined && Object.hasOwn(commands, name) ? { command: commands[name]! } : {}
  const may = who !== undefined && Object.hasOwn(who, name) ? who[name]! : Object.keys(functionaries)
  const stranger = may.find((person) => !Object.hasOwn(functionaries, person))
  if (stranger !== undefined) throw wrong(`no functionary is called ${JSON.stringify(stranger)}`, 'add the key, or correct the name')
  return { name, functionaries: may, ...command }
}

function folders({ dist = 'dist', main }: WebappPreset, file: string): { dist: string; main: string } {
  const folder = dist.replace(/\/+$/, '')
  if (folder === '' || /[*?[\]\\]/.test(folder))
    throw wrong(`output folder ${JSON.stringify(dist)}: must have a name, without * ? [ ] and \\`, 'name the folder below the package')
  return { dist: folder, main: main ?? `${folder}/${file}` }
}

/** One rule as text; words with spaces are quoted. */
function text(...words: string[]): string {
  return words.map((word) => (/[\s"]/.test(word) ? JSON.stringify(word) : word)).join(' ')
}

function wrong(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}
