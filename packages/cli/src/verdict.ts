/**
 * The way to a verdict, for verify, explain and postpack: flags, keys, layout, links and products into one Report. It decides nothing itself;
 * the library judges.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from './flags.ts'
import {
  defaultLimits,
  type Inspect,
  judge,
  type Layout,
  type Limits,
  type Link,
  type LinkSource,
  type Metadata,
  type Report,
  sameKey,
} from 'intoto'
import { inspectIn, type Inspections, linkDirectory } from 'intoto/node'
import { misuse } from './failure.ts'
import type { Context } from './formats/format.ts'
import { type Product, readProduct, scriptsOf } from './product.ts'
import type { LocalProduct } from './tarball.ts'
import { declareGpg, type GpgFlags, refuseGpg } from './signing.ts'
import type { Terminal } from './terminal.ts'
import { keyNames, type NamedKey, readKeys, readLayout, requireKeys } from './trust.ts'
import { version } from './version.ts'
import { limitsOf, millisecondsOf, parametersOf, timeOf } from './words.ts'

/** What the flags of `declareVerdict` leave behind. */
export interface VerdictFlags extends GpgFlags {
  verificationKeys?: string[]
  layout: string
  linkDir?: string[]
  substitutionParameters?: string[]
  commandMismatch: 'error' | 'warn'
  commandFailure: 'error' | 'warn'
  through?: string
  /** False under --no-inspections. */
  inspections: boolean
  inspectionTimeout?: string
  at?: string
  basePath?: string
  limit?: string[]
  registry?: string
  store?: string[]
  statements?: boolean
}

/** A Report, and what its renderings may say beside it. */
export interface Verdict {
  readonly report: Report
  readonly layout: Metadata<Layout>
  readonly context: Omit<Context, 'paint'>
}

/** Adds the products that are judged and where more is known of them, with everything that decides over the verdict. */
export function declareJudged(command: Command): void {
  command.argument('[product...]', 'what is judged: folders and files; stands before -k, which takes all words up to the next flag')
  declareVerdict(command)
  command
    .option('--registry <url>', 'registry of npm: products (default: as npm is configured)')
    .option('--store <address...>', 'where more evidence about the file is: dir:PATH, oci://HOST/REPOSITORY, archivista+https://HOST')
}

/** How a command's flags differ from those of `verify`. */
export interface VerdictDeclaration {
  /** The flags for folders with links, where -d means something else. */
  readonly folders?: string
  /** What a step whose command failed means; the reference tools let it pass, and an upload can't be taken back. */
  readonly commandFailure?: 'error' | 'warn'
}

/** What is asked before an upload. */
export const beforeUpload = { commandFailure: 'error' } as const

/** Adds everything that decides over a verdict. */
export function declareVerdict(command: Command, o: VerdictDeclaration = {}): void {
  command
    .option('-k, --verification-keys <path...>', 'public keys of the layout’s owners; each must have signed it')
    .option('-l, --layout <path>', 'layout to verify against', 'in-toto/root.layout')
    .option(
      o.folders ?? '-d, --link-dir <dir...>',
      'folders with links (default: in-toto/, dist/ and the product where in-toto/ exists, else here)',
    )
    .option('--substitution-parameters <name=value...>', 'values for {NAME} in the layout’s rules and commands')
    .addOption(
      new Option('--command-mismatch <effect>', 'what a command other than the expected one means')
        .choices(['error', 'warn'])
        .default('error'),
    )
    .addOption(
      new Option('--command-failure <effect>', 'what a step whose command failed means')
        .choices(['error', 'warn'])
        .default(o.commandFailure ?? 'warn'),
    )
    .option('--through <step>', 'verify only the steps up to this one; no inspections')
    .option('--no-inspections', 'refuse a layout with inspections in place of running them')
    .option('--statements', 'let a signed Statement with the link predicate stand for a link, which the reference does not')
    .option('--inspection-timeout <seconds>', 'time limit for each inspection (default: 600)')
    .option('--at <time>', 'judge as of this time (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ), not now')
    .option('--base-path <dir>', 'folder that recorded names start from (default: that of the nearest package.json above the product)')
    .option('--limit <name=number...>', `raise a limit: ${Object.keys(defaultLimits).join(', ')}`)
  declareGpg(command)
}

/** Who asks, and for what. */
export interface VerdictCall {
  readonly command: string
  readonly products: readonly string[]
  readonly terminal: Terminal
  readonly trace?: boolean
  /** What a failed command means to this caller unless a flag says otherwise. */
  readonly commandFailure?: 'error'
  /** Puts links before those of the folders: one that is signed, and not written yet. */
  readonly links?: (found: LinkSource) => LinkSource
}

/**
 * Reads what the flags name and judges it.
 * @throws InTotoError: E_CONFIG, E_IO, E_KEY, E_FORMAT, E_LAYOUT_INVALID where there is nothing to judge, or nothing to judge it by
 */
export async function reachVerdict(flags: VerdictFlags, o: VerdictCall): Promise<Verdict> {
  refuseGpg(flags)
  const keys = distinct(await readOwners(requireKeys(flags.verificationKeys, o.command), o))
  const limits = limitsOf(flags.limit, Object.keys(defaultLimits)) as Partial<Limits>
  const layout = readLayout(flags.layout, limits)
  const { steps } = layout.payload
  if (flags.through !== undefined && !steps.some((step) => step.name === flags.through)) {
    throw misuse(`${o.command}: the layout has no step "${flags.through}"`, `--through ${steps.map((step) => step.name).join(', or ')}`)
  }
  const { progress } = o.terminal
  const asked = o.products.filter((path, i) => o.products.findIndex((other) => samePlace(other, path)) === i)
  const local = await progress.during('fetching what is judged', localProducts(asked, flags.registry))
  const pulled = await progress.during('looking for evidence', pulledFolders(flags, local, o.terminal))
  const folders = [...(flags.linkDir ?? linkFolders(asked)), ...pulled]
  const found = linkDirectory(folders, limits.fileBytes === undefined ? {} : { limit: limits.fileBytes })
  const links = o.links?.(found) ?? found
  const products: Product[] = []
  const reading = { layout: layout.payload, links, basePath: flags.basePath, progress: progress.files }
  for (const { path } of local) products.push(await readProduct(path, reading))
  const inspect = flags.inspections ? inspectionsOf(products, flags) : undefined
  const now = givenTime(flags.at)
  const trace = o.trace === true || o.terminal.verbose || local.some(({ path }) => isPackage(path))
  const options = {
    keys: keys.map(({ key }) => key),
    links,
    parameters: parametersOf(flags.substitutionParameters),
    commandMismatch: flags.commandMismatch,
    commandFailure: flags.commandFailure,
    statements: flags.statements === true,
    limits,
    names: await keyNames(keys, { file: flags.layout, layout: layout.payload }),
    layoutFile: flags.layout,
    get scripts() {
      return scriptsOf(products[0]?.base ?? '.')
    },
    trace,
    ...(flags.through === undefined ? {} : { through: flags.through }),
    ...(now === undefined ? {} : { now }),
  }
  try {
    const reports: Report[] = []
    const one = () => ({ ...options, ...(inspect === undefined ? {} : { inspect: inspect.runs() }) })
    if (products.length === 0) reports.push(await judge(layout, one()))
    for (const [i, { evidence }] of products.entries()) {
      const report = await judge(layout, { ...one(), product: evidence })
      const product = local[i] as LocalProduct
      if (!isPackage(product.path)) reports.push(report)
      else reports.push(await (await packages()).withTarball(report, { layout: layout.payload, product, artifacts: evidence.artifacts }))
    }
    const loosened = [...loosenedBy(flags), ...loosenedFor(flags, o)]
    const context = { version, folders, products: asked, loosened, verbose: o.terminal.verbose }
    return { report: together(reports), layout, context }
  } finally {
    inspect?.close()
  }
}

/** Files that a verdict reads, where they are named one by one. */
export function inputsOf(flags: VerdictFlags, products: readonly string[]): string[] {
  return [...products, ...(flags.verificationKeys ?? []), flags.layout]
}

/**
 * Whether there are keys and a layout to judge by, for callers with much to do before they judge.
 * @throws InTotoError as reachVerdict does where there is nothing to judge by
 */
export async function checkTrust(flags: VerdictFlags, command: string): Promise<void> {
  refuseGpg(flags)
  await readKeys(requireKeys(flags.verificationKeys, command))
  readLayout(flags.layout, limitsOf(flags.limit, Object.keys(defaultLimits)))
}

/** Keys of the owners; a product that -k has swallowed is told apart from a bad key. */
async function readOwners(paths: readonly string[], o: { command: string; products: readonly string[] }): Promise<NamedKey[]> {
  const swallowed = o.products.length > 0 ? undefined : paths.slice(1).find((path) => path.endsWith('.tgz') || isFolder(path))
  if (swallowed === undefined) return readKeys(paths)
  const keys = paths.filter((path) => path !== swallowed).join(' ')
  throw misuse(
    `${o.command}: -k takes all words up to the next flag, and "${swallowed}" is no key`,
    `intoto ${o.command} ${swallowed} -k ${keys}`,
  )
}

/** A key that is given twice has signed once. */
function distinct(keys: readonly NamedKey[]): NamedKey[] {
  return keys.filter(({ key }, i) => keys.findIndex((other) => sameKey(other.key, key)) === i)
}

/** `dist` and `dist/` are one product. */
function samePlace(one: string, other: string): boolean {
  return one === other || (!isPackage(one) && !isPackage(other) && resolve(one) === resolve(other))
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Folders that are searched when none is named: evidence travels with what it proves. */
export function linkFolders(products: readonly string[]): string[] {
  const own = products.filter(isFolder)
  const usual = isFolder('in-toto') ? ['in-toto', ...(isFolder('dist') ? ['dist'] : [])] : ['.']
  return [...new Set([...usual, ...own].map((path) => path.replace(/(?<=.)\/+$/, '')))]
}

/** What is done for tarballs, registries and stores alone; most verdicts need none of it. */
const packages = () => import('./tarball.ts')

/** Whether this is a tarball, or a package of a registry. */
function isPackage(product: string): boolean {
  return product.startsWith('npm:') || /\.(?:tgz|tar\.gz)$/.test(product)
}

/** The products on disk. */
async function localProducts(given: readonly string[], registry: string | undefined): Promise<LocalProduct[]> {
  return given.some(isPackage) ? (await packages()).localProducts(given, registry) : given.map((path) => ({ path }))
}

/** Unpacks a tarball in place of `tar`, where an inspection asks for that. */
async function unpack(command: readonly string[], folder: string): Promise<boolean> {
  return command[0] === 'tar' && (await packages()).unpackAsTar(command, folder)
}

/** Folders with what stores have about the files that are judged. */
async function pulledFolders(flags: VerdictFlags, products: readonly LocalProduct[], terminal: Terminal): Promise<string[]> {
  const folders: string[] = []
  if (flags.store !== undefined) (await import('./evidence.ts')).checkStores(flags.store)
  for (const store of flags.store ?? []) {
    const files = products.filter(({ path }) => !isFolder(path))
    if (files.length === 0)
      throw misuse('--store: evidence is found by the digest of a file, and no file is judged', 'name the file: x.tgz, npm:NAME@VERSION')
    for (const { path } of files) folders.push(await (await packages()).pullEvidence(store, path, terminal))
  }
  return folders
}

/** One run of the inspections for all products, since all of them lie in the folder that the commands see. */
function inspectionsOf(products: readonly Product[], flags: VerdictFlags): { runs: () => Inspect; close: () => void } {
  const timeout = flags.inspectionTimeout === undefined ? {} : { timeout: millisecondsOf('--inspection-timeout', flags.inspectionTimeout) }
  const inspected = products.map(({ given, evidence }) => ({ path: given, name: evidence.path }))
  let inspect: Inspections | undefined
  // Known again by their place: sublayouts may have inspections of the same name and command, which found another folder.
  const done: Promise<Link>[] = []
  const runs = (): Inspect => {
    let place = 0
    return (inspection, context) => {
      inspect ??= inspectIn('.', { ...timeout, ...(products.length === 0 ? {} : { product: inspected, answer: unpack }) })
      return (done[place++] ??= inspect(inspection, context))
    }
  }
  return { runs, close: () => inspect?.close() }
}

/** The Reports for several products as one: each problem once, the worst status of each inspection, all files counted. */
function together([first, ...more]: readonly Report[]): Report {
  if (first === undefined) throw new Error('no report')
  return more.reduce((all, one) => {
    const known = new Set(all.problems.map((p) => JSON.stringify(p)))
    const problems = [...all.problems, ...one.problems.filter((p) => !known.has(JSON.stringify(p)))]
    const merged: Report = { ...all, ok: all.ok && one.ok, problems }
    if (all.product !== undefined && one.product !== undefined) {
      const [a, b] = [all.product, one.product]
      const path = [a.path, b.path].map((part) => part || '.').join(', ')
      merged.product = {
        path,
        kind: a.kind,
        matched: a.matched + b.matched,
        links: a.links + b.links,
        added: a.added + b.added,
        missing: a.missing + b.missing,
        changed: a.changed + b.changed,
      }
    }
    return merged
  }, first)
}

/** What a verdict must say of itself: that it is milder than the default, or not of now. */
export function loosenedBy(flags: Pick<VerdictFlags, 'commandMismatch' | 'at' | 'statements' | 'limit'>): string[] {
  return [
    ...(flags.commandMismatch === 'warn' ? ['--command-mismatch warn: a step that ran another command is only warned about'] : []),
    ...(flags.at === undefined ? [] : [`--at ${flags.at}: judged as of that time, not of now`]),
    ...(flags.statements ? ['--statements: a Statement with the link predicate may stand for a link'] : []),
    ...(flags.limit === undefined ? [] : [`--limit ${flags.limit.join(' ')}`]),
  ]
}

/** The same, where the default is stricter than that of `verify`. */
function loosenedFor(flags: VerdictFlags, o: VerdictCall): string[] {
  const isLoosened = o.commandFailure === 'error' && flags.commandFailure === 'warn'
  return isLoosened ? ['--command-failure warn: a step whose command failed is only warned about'] : []
}

/** The time of --at. */
function givenTime(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = timeOf(text)
  if (time === undefined) throw misuse(`--at: expected YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, found "${text}"`, '--at 2027-01-31')
  return new Date(time)
}
