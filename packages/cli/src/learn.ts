/**
 * `intoto layout learn`: the links of one or several rounds become a layout with tight rules. What the rules are is the library's business; here
 * links are found, their signatures checked, and the result is held against what it was learned from.
 */
import {
  compareObserved,
  InTotoError,
  type Key,
  type Layout,
  learnLayout,
  type LearnOptions,
  type ObservedRun,
  parseLayout,
  sameKey,
  type Step,
  functionaryNames,
} from 'intoto'
import type { Call, CommandFile } from './command.ts'
import { type DraftFlags, declareDraft, refuseReplacing, usualLayout, writeDraft } from './draft.ts'
import { exitCodes, misuse } from './failure.ts'
import { type FoundLink, foldersOfRun, readRun, usualFolders } from './observe.ts'
import { escape } from './terminal.ts'
import { nameOfFile, type NamedKey, readKeys, readLayout } from './trust.ts'
import { expiryOf, namedOrBare, pairs } from './words.ts'

interface Flags extends DraftFlags {
  linkDir?: string[]
  run?: string[]
  functionary?: string[]
  threshold?: string[]
  order?: string[]
  addStep?: string
  layout?: string
  expires?: string
  readme?: string
}

/** `intoto layout learn`. */
export const learn: CommandFile = {
  usage: '--functionary [STEP=]PUB… [-d DIR…] [--run DIR]… [--sign-with REF…] [-o FILE]',
  summary: 'Makes a layout from links: what flowed between steps is matched, what was made is named, everything else is disallowed.',
  examples: [
    ['intoto layout learn --functionary in-toto/ci.pub --sign-with owner', 'from the links in in-toto/ and dist/'],
    ['intoto layout learn --functionary ci.pub --run ../monday --run ../tuesday', 'from two more rounds: what differs may differ'],
    ['intoto layout learn --add-step banner --functionary in-toto/ci.pub --sign-with owner', 'one more step for in-toto/root.layout'],
  ],
  declare(command) {
    command
      .option('-d, --link-dir <dir...>', 'folders with the links of one round (default: in-toto/, dist/ and here)')
      .option('--run <dir...>', 'a folder with the links of a further round, there or in in-toto/ and dist/ below it')
      .option('--functionary <step=pub...>', 'public keys that the links are signed with; STEP=PUB lets a key carry out a further step')
      .option('--threshold <step=number...>', 'how many must carry out a step and agree (default: as many as did)')
      .option('--order <step...>', 'order of the steps, where their artifacts do not tell')
      .option('--add-step <name>', 'learn one more step for the layout of -l, and with it those behind it; the others stay as they are')
      .option('-l, --layout <path>', `layout that --add-step is for (default: ${usualLayout})`)
      .option('--expires <when>', 'days from now, or YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ (default: 90, with --add-step as before)')
      .option('--readme <text>', 'a word to whoever reads the layout')
    declareDraft(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const old = flags.addStep === undefined ? undefined : readLayout(flags.layout ?? usualLayout)
    const people = await functionaries(flags, old?.payload)
    const further = flags.run?.map(foldersOfRun) ?? []
    const first = flags.linkDir === undefined && further.length > 0 ? [] : [usualFolders(flags.linkDir)]
    const runs: FoundLink[][] = []
    for (const folders of [...first, ...further]) runs.push(await readRun(folders, people, refuseUnread))
    refuseStrangers(runs.flat())
    refuseUnknownSteps(flags.order, runs.flat())
    const learned = learnLayout(runs.map(observedRun), learnOptions(flags, people, old?.payload))
    for (const note of learned.notes) call.terminal.note(`[in-toto] ${escape(note)}`)
    const layout = old === undefined ? learned.layout : withStep(old.payload, learned.layout, flags.addStep as string)
    refuseSelfContradiction(layout, runs)
    const target =
      old === undefined ? flags : { ...flags, format: old.format, output: flags.output ?? flags.layout ?? usualLayout, force: true }
    refuseReplacing(layout, target, { command: 'layout learn', terminal: call.terminal })
    await writeDraft(layout, target, call.terminal)
    return exitCodes.ok
  },
}

/** Keys by file, and those of the layout that is extended. */
async function functionaries(flags: Flags, old: Layout | undefined): Promise<NamedKey[]> {
  const given = await readKeys((flags.functionary ?? []).map((word) => namedOrBare(word).value))
  const named = old === undefined ? new Map<string, string>() : functionaryNames(old)
  const listed = Object.keys(old?.keys ?? {}).map((id): NamedKey => ({ key: old!.keys[id] as Key, name: named.get(id) ?? id.slice(0, 8) }))
  const people: NamedKey[] = []
  for (const { key, name } of [...listed, ...given]) {
    if (people.some((known) => sameKey(known.key, key))) continue
    people.push({ key, name: people.some((known) => known.name === name) ? `${name}-${key.keyid.slice(0, 8)}` : name })
  }
  if (people.length === 0)
    throw misuse('layout learn: no functionary was given, so no link could be believed', '--functionary in-toto/ci.pub')
  return people
}

function learnOptions(flags: Flags, people: readonly NamedKey[], old: Layout | undefined): LearnOptions {
  const who: { [step: string]: string[] } = Object.create(null)
  for (const word of flags.functionary ?? []) {
    const { name: step, value } = namedOrBare(word)
    const name = people.find((one) => one.name === nameOfFile(value) || one.name.startsWith(`${nameOfFile(value)}-`))?.name
    if (step !== undefined && name !== undefined) who[step] = [...(who[step] ?? []), name]
  }
  const thresholds: { [step: string]: number } = Object.create(null)
  for (const [step, text] of pairs('--threshold', flags.threshold)) {
    if (!/^[1-9]\d{0,3}$/.test(text)) throw misuse(`layout learn: --threshold ${step}= expects a number from 1, found "${text}"`)
    thresholds[step] = Number(text)
  }
  const expires = flags.expires === undefined && old !== undefined ? old.expires : expiryOf(flags.expires ?? '90', new Date())
  const order = flags.order ?? old?.steps.map(({ name }) => name)
  return {
    functionaries: Object.assign(Object.create(null), Object.fromEntries(people.map(({ name, key }) => [name, key]))),
    expires,
    who,
    thresholds,
    ...(order === undefined ? {} : { order }),
    ...(flags.readme === undefined ? {} : { readme: flags.readme }),
  }
}

/** A step whose file can't be read would silently fall out. */
function refuseUnread({ problem }: InTotoError): never {
  throw new InTotoError({
    ...problem,
    fix: [
      'carry out that step again, so that its link is whole',
      'or take the file away, or name with -d folders that hold only links of this chain',
    ],
  })
}

/** A name that is mistyped would leave the order to chance. */
function refuseUnknownSteps(order: readonly string[] = [], links: readonly FoundLink[]): void {
  const known = [...new Set(links.map(({ link }) => link.name))].sort()
  const unknown = order.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw misuse(`layout learn: --order: no link is about a step "${unknown}"`, `--order with names among: ${known.join(', ')}`)
}

/** A link that nobody of the given people signed teaches nothing, and a step that silently fell out would be a looser layout. */
function refuseStrangers(links: readonly FoundLink[]): void {
  const stranger = links.find(({ signer }) => signer === undefined)
  if (stranger === undefined) return
  throw new InTotoError({
    code: 'E_ACTOR',
    step: stranger.link.name,
    file: stranger.file,
    message: `${stranger.file}: signed by none of the given functionaries`,
    fix: '--functionary FILE.pub for whoever signed it, or -d with folders that hold only links of this chain',
  })
}

function observedRun(links: readonly FoundLink[]): ObservedRun {
  return links.map(({ link, signer }) => ({ link, functionary: signer!.name }))
}

/**
 * The old layout with one more step. What stands before it stays; the step itself and what comes after are as they were learned, since they may
 * have to be compared with the new step now; who, how many and what command stay for all that were there.
 */
function withStep(old: Layout, learned: Layout, name: string): Layout {
  if (old.steps.some((step) => step.name === name))
    throw misuse(`layout learn: the layout has a step "${name}" already`, 'intoto layout learn --force learns all of it again')
  const at = learned.steps.findIndex((step) => step.name === name)
  if (at < 0) throw misuse(`layout learn: no link of a step "${name}" was found`, `intoto run -n ${name} --signing-key KEY -- COMMAND`)
  const missing = old.steps.find((step) => !learned.steps.some((other) => other.name === step.name))
  if (missing !== undefined)
    throw misuse(`layout learn: no link of the step "${missing.name}" was found`, 'carry out all steps once, the new one among them')
  const steps = learned.steps.map((step, i): Step => {
    const before = old.steps.find((other) => other.name === step.name)
    if (before === undefined) return step
    if (i < at) return before
    const { expected_materials, expected_products } = step
    return Object.assign(Object.create(null), before, { expected_materials, expected_products }) as Step
  })
  const keys = Object.assign(Object.create(null), old.keys, learned.keys) as Layout['keys']
  return parseLayout(Object.assign(Object.create(null), old, { steps, keys, expires: learned.expires, readme: learned.readme }))
}

/** What was learned must let pass what it was learned from. */
function refuseSelfContradiction(layout: Layout, runs: readonly (readonly FoundLink[])[]): void {
  for (const run of runs) {
    const refused = compareObserved(layout, run).find((p) => p.severity === 'error' && p.code !== 'E_MISSING_STEP')
    if (refused !== undefined)
      throw new InTotoError({ ...refused, message: `the layout would refuse a link that it is to be learned from: ${refused.message}` })
  }
}
