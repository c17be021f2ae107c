/**
 * The plan of a supply chain from flags: which steps, who, what rules, until when; out comes the layout. For `intoto layout new`. Presets and the
 * model are the library's; here words become them.
 */
import { readFileSync } from 'node:fs'
import { type Command, Option } from './flags.ts'
import {
  artifactName,
  defineLayout,
  devguardLayout,
  devguardSteps,
  InTotoError,
  type Key,
  type Layout,
  npmLayout,
  parseLayout,
  parseRuleText,
  reproducibleLayout,
  ruleTokens,
  sameKey,
  type StepInit,
  webappLayout,
  type WebappPreset,
} from 'intoto'
import { checkStepName, loadKey } from 'intoto/node'
import { misuse } from './failure.ts'
import { escape, type Terminal } from './terminal.ts'
import { expiryOf, namedOrBare, pairs, splitCommand } from './words.ts'
import { nameOfFile } from './trust.ts'

/** What the flags of `declarePlan` leave behind. */
export interface PlanFlags {
  from?: string
  preset?: 'npm' | 'webapp' | 'reproducible' | 'devguard'
  dist?: string
  main?: string
  tarball?: string
  client?: 'npm' | 'pnpm' | 'yarn' | 'bun'
  install?: boolean
  /** False under --no-test. */
  test: boolean
  step?: string[]
  functionary?: string[]
  threshold?: string[]
  rule?: string[]
  expires: string
  readme?: string
}

/** Adds the flags of a plan. */
export function declarePlan(command: Command): void {
  command
    .option('--from <module>', 'layout as code: a module whose default export is a layout, or a function that makes one')
    .addOption(
      new Option(
        '--preset <name>',
        'steps and rules of a usual chain: npm is source, build, test, package; webapp lacks package; reproducible asks two builders; devguard is DevGuard’s',
      ).choices(['npm', 'webapp', 'reproducible', 'devguard']),
    )
    .option('--step <name=command...>', 'a step and the command that it must run, in order; with a preset, the command of one of its steps')
    .option(
      '--functionary <step=pub...>',
      'public key that may perform a step; without STEP= it may perform every step that names no key of its own',
    )
    .option('--threshold <step=number...>', 'how many functionaries must perform a step and agree (default: 1)')
    .option('--rule <rule...>', '"STEP materials RULE" or "STEP products RULE": in place of the default rules of that list')
    .option('--expires <when>', 'days from now, or YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ', '90')
    .option('--readme <text>', 'a word to whoever reads the layout')
    .option('--dist <dir>', 'preset: output folder of the bundler (default: dist)')
    .option(
      '--main <file>',
      'preset: a file that every build makes (default: "main" of package.json, else dist/index.js or dist/index.html)',
    )
    .option('--tarball <file>', 'preset npm: name of the tarball; adds an inspection that unpacks it')
    .addOption(new Option('--client <name>', 'preset npm: who packs (default: npm)').choices(['npm', 'pnpm', 'yarn', 'bun']))
    .option('--install', 'preset: bind node_modules to a step "install"')
    .option('--no-test', 'preset: leave out the step "test"')
}

/**
 * The layout that the flags describe.
 * @throws InTotoError E_CONFIG where they contradict each other or leave a step without functionary, E_KEY, E_LAYOUT_INVALID
 */
export async function planLayout(flags: PlanFlags, terminal: Terminal): Promise<Layout> {
  if (flags.from !== undefined) return codeLayout(flags)
  if (flags.functionary === undefined)
    throw misuse(
      'layout new: no functionary was given, so nobody could perform a step',
      '--functionary alice.pub, or --functionary build=ci.pub',
    )
  if (flags.preset === undefined && flags.step === undefined)
    throw misuse('layout new: neither a preset nor a step was given', '--preset npm, or --step build="vite build"')
  const people = await functionariesOf(flags.functionary)
  const expires = expiryOf(flags.expires, new Date())
  const layout = flags.preset === undefined ? ownLayout(flags, people, expires) : presetLayout(flags, people, expires)
  refuseStrangers('--functionary', [...people.byStep.keys()], layout)
  const planned = withRules(withThresholds(layout, flags), flags)
  for (const line of openLists(planned)) terminal.note(line)
  return planned
}

/** The layout that a module of the person's own makes; it says everything that flags would. */
async function codeLayout(flags: PlanFlags): Promise<Layout> {
  const others = ['preset', 'step', 'functionary', 'threshold', 'rule', 'readme', 'dist', 'main', 'tarball', 'client', 'install'] as const
  const other = others.find((name) => flags[name] !== undefined)
  if (other !== undefined) throw misuse(`layout new: --from and --${other} exclude each other`, 'say it in the module')
  return (await import('./code.ts')).layoutOf(flags.from as string)
}

/** What is said of steps whose products nobody named: people take a layout for tight. */
function openLists(layout: Layout): string[] {
  return layout.steps
    .filter(({ name, expected_products: [only, ...more] }) => name !== 'source' && more.length === 0 && only?.join(' ') === 'ALLOW *')
    .map(
      ({ name }) =>
        `[in-toto] ${escape(name)}: any product is allowed, since no --rule names them; "intoto layout learn" makes rules from links`,
    )
}

/** Who may perform what, by the names of the key files. */
interface Functionaries {
  readonly keys: { readonly [name: string]: Key }
  readonly everywhere: readonly string[]
  readonly byStep: ReadonlyMap<string, readonly string[]>
}

async function functionariesOf(words: readonly string[]): Promise<Functionaries> {
  const keys: { [name: string]: Key } = Object.create(null)
  const everywhere: string[] = []
  const byStep = new Map<string, string[]>()
  for (const word of words) {
    const { name: step, value } = namedOrBare(word)
    const key = await loadKey(value)
    const plain = nameOfFile(value)
    const other = keys[plain]
    const name = other === undefined || sameKey(other, key) ? plain : `${plain}-${key.keyid.slice(0, 8)}`
    keys[name] = key
    if (step === undefined) everywhere.push(name)
    else byStep.set(step, [...(byStep.get(step) ?? []), name])
  }
  return { keys, everywhere, byStep }
}

/** Names of those who may perform a step. */
function performers(people: Functionaries, step: string): readonly string[] {
  const names = people.byStep.get(step) ?? people.everywhere
  if (names.length === 0)
    throw misuse(
      `layout new: nobody may perform the step "${step}"`,
      `--functionary ${step}=FILE.pub, or a key for every step without "${step}="`,
    )
  return names
}

function presetLayout(flags: PlanFlags, people: Functionaries, expires: string): Layout {
  const commands = new Map([...pairs('--step', flags.step)].map(([name, line]) => [name, splitCommand(line)]))
  const steps = stepsOf(flags)
  const main = flags.main ?? (flags.preset === 'npm' || flags.preset === 'reproducible' ? mainFile(flags.dist ?? 'dist') : undefined)
  const preset = {
    functionaries: people.keys,
    expires,
    who: Object.fromEntries(steps.map((step) => [step, performers(people, step)])),
    commands: Object.fromEntries(commands),
    ...(flags.dist === undefined ? {} : { dist: flags.dist }),
    ...(main === undefined ? {} : { main }),
    install: flags.install === true,
    untested: !flags.test,
  }
  const layout = layoutOf(flags, preset)
  refuseStrangers('--step', [...commands.keys()], layout)
  return flags.readme === undefined ? layout : changed(layout, { readme: [flags.readme, layout.readme].join('\n') })
}

function stepsOf(flags: PlanFlags): readonly string[] {
  if (flags.preset === 'devguard') return devguardSteps
  return [
    'source',
    ...(flags.install ? ['install'] : []),
    'build',
    ...(flags.test ? ['test'] : []),
    ...(flags.preset === 'npm' ? ['package'] : []),
  ]
}

function layoutOf(flags: PlanFlags, preset: WebappPreset): Layout {
  if (flags.preset === 'webapp') return webappLayout(preset)
  if (flags.preset === 'reproducible') return reproducibleLayout(preset)
  if (flags.preset === 'devguard') return devguardLayout(preset)
  return npmLayout({
    ...preset,
    ...(flags.tarball === undefined ? {} : { tarball: flags.tarball }),
    ...(flags.client === undefined ? {} : { client: flags.client }),
  })
}

/** The "main" of package.json, if it lies in the output folder. */
function mainFile(dist: string): string | undefined {
  try {
    const { main } = JSON.parse(readFileSync('package.json', 'utf8')) as { main?: unknown }
    const name = typeof main === 'string' ? artifactName(main) : ''
    return name.startsWith(`${artifactName(dist)}/`) ? name : undefined
  } catch {
    return undefined
  }
}

/**
 * Steps of one's own. Where no rule is given, a step may use what earlier steps made and what npm installed, and may make anything; the first may
 * start from anything.
 */
function ownLayout(flags: PlanFlags, people: Functionaries, expires: string): Layout {
  const lines = pairs('--step', flags.step)
  const names = [...lines.keys()]
  const steps = names.map((name, i): StepInit => {
    checkStepName(name)
    const command = splitCommand(lines.get(name) ?? '')
    const sources = names
      .slice(0, i)
      .reverse()
      .map((earlier) => `MATCH * WITH PRODUCTS FROM ${JSON.stringify(earlier)}`)
    const materials = i === 0 ? [] : [...sources, 'ALLOW node_modules/*', 'DISALLOW *']
    return { name, functionaries: performers(people, name), ...(command.length === 0 ? {} : { command }), materials, products: ['ALLOW *'] }
  })
  return defineLayout({ functionaries: people.keys, expires, steps, ...(flags.readme === undefined ? {} : { readme: flags.readme }) })
}

function withThresholds(layout: Layout, flags: PlanFlags): Layout {
  const thresholds = pairs('--threshold', flags.threshold)
  refuseStrangers('--threshold', [...thresholds.keys()], layout)
  for (const [name, text] of thresholds)
    if (!/^[1-9]\d{0,3}$/.test(text))
      throw misuse(`layout new: --threshold ${name}= expects a number from 1, found "${text}"`, `--threshold ${name}=2`)
  const steps = layout.steps.map((step) => changed(step, { threshold: Number(thresholds.get(step.name) ?? step.threshold) }))
  return changed(layout, { steps })
}

/** Lists that --rule speaks of hold these rules and no others, in the order given. */
function withRules(layout: Layout, flags: PlanFlags): Layout {
  const lists = new Map<string, string[][]>()
  const named: string[] = []
  for (const word of flags.rule ?? []) {
    const [, step = '', list = '', rule = ''] = /^(.+?)\s+(materials|products)\s+(.+)$/s.exec(word) ?? []
    if (rule === '')
      throw misuse(
        `layout new: --rule expects "STEP materials RULE" or "STEP products RULE", found "${word}"`,
        `--rule "${layout.steps[0]?.name ?? 'STEP'} products ALLOW dist/*"`,
      )
    const key = JSON.stringify([step, `expected_${list}`])
    lists.set(key, [...(lists.get(key) ?? []), tokensOf(rule, word)])
    named.push(step)
  }
  refuseStrangers('--rule', named, layout)
  const steps = layout.steps.map((step) => {
    const rules = (list: 'expected_materials' | 'expected_products'): string[][] =>
      lists.get(JSON.stringify([step.name, list])) ?? step[list]
    return changed(step, { expected_materials: rules('expected_materials'), expected_products: rules('expected_products') })
  })
  return parseLayout(changed(layout, { steps }))
}

/** @throws InTotoError E_CONFIG: it is the call that is wrong, no layout is there yet */
function tokensOf(rule: string, word: string): string[] {
  try {
    return ruleTokens(parseRuleText(rule))
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    throw misuse(`layout new: --rule "${word}": ${error.message}`, '"STEP products ALLOW dist/*", or another of these kinds')
  }
}

function refuseStrangers(flag: string, names: readonly string[], layout: Layout): void {
  const stranger = names.find((name) => !layout.steps.some((step) => step.name === name))
  if (stranger !== undefined)
    throw misuse(
      `layout new: ${flag} speaks of a step "${stranger}", which is not in the layout`,
      `its steps: ${layout.steps.map((step) => step.name).join(', ')}`,
    )
}

/** A copy with other members. Objects of metadata have no prototype, and keep having none. */
function changed<T extends object>(object: T, members: Partial<T>): T {
  return Object.assign(Object.create(null), object, members) as T
}
