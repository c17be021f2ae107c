/**
 * What is being judged: files on the disk against the products of the last step that names them, both ways round. The specification compares
 * links with links only; this check is ours and is reported as such. Called by the verification after the step rules. Opens no file: digests
 * come in as artifacts.
 */
import type { ProblemInit, RuleRef } from '../errors.ts'
import { sameDigests, type DigestMap } from '../model/artifact.ts'
import { formatRule, parseRule, type ArtifactRule } from '../model/rule.ts'
import { matchDigestSet } from '../model/statement.ts'
import { likelyScript } from './script.ts'
import { namesOf } from './names.ts'
import type { OddFile, ProductEvidence } from './options.ts'
import type { ProductReport } from './report.ts'
import { covers, sourceName, type ChainLink } from './rules.ts'
import type { Run } from './run.ts'
import { digestText, more, shown } from './text.ts'
import { baseName, isVerifiedFile, travellingLink } from './travel.ts'

/** Each kind of difference is reported one by one up to here; the rest is counted. */
const mostNamed = 20

/**
 * Adds a problem for each file that is added, missing or changed, and the figures to the Report.
 * @param attested names of files that are Statements of verified links
 */
export function checkProduct(run: Run, product: ProductEvidence, attested: ReadonlySet<string>): void {
  const report: ProductReport = { path: product.path, kind: product.kind, matched: 0, links: 0, added: 0, missing: 0, changed: 0 }
  run.report.product = report
  const makers = makersOf(run, product)
  const problems = new Findings(run)
  for (const name of Object.keys(product.artifacts).sort()) {
    const digests = product.artifacts[name]!
    const found = makers.get(name)
    if (found === undefined) {
      if (attested.has(name)) report.links++
      else judgeUnknown(run, { product, name, digests, report, problems })
      continue
    }
    const { link: maker, called } = found
    const [recorded] = called
    const theirs = maker.link.products[recorded!]!
    if (called.some((other) => !sameDigests(maker.link.products[other]!, theirs))) {
      report.added++
      problems.add('ambiguous', () => ambiguous(name, maker, called))
    } else if (matchDigestSet(digests, theirs)) report.matched++
    else {
      report.changed++
      problems.add(`changed after ${maker.link.name}`, () => changed(run, { name, digests, maker, recorded: recorded! }))
    }
  }
  for (const [name, { link: maker }] of makers) {
    if (Object.hasOwn(product.artifacts, name) || product.kind === 'file') continue
    report.missing++
    problems.add(`missing of ${maker.link.name}`, () => missing(name, maker, run))
  }
  if (makers.size === 0 && Object.keys(product.artifacts).length === 0) {
    report.missing++
    problems.add('missing', () => nothing(product))
  }
  for (const thing of product.odd ?? []) {
    if (!thing.recorded) report.added++
    problems.add(thing.what, () => oddFile(thing))
  }
  problems.flush()
}

/** Who made a file, and under which of its products' names. */
interface Maker {
  readonly link: ChainLink
  readonly called: readonly string[]
}

/** Name on the disk to the last step whose products name it. */
function makersOf(run: Run, product: ProductEvidence): Map<string, Maker> {
  const makers = new Map<string, Maker>()
  if (product.kind === 'folder') {
    for (const [name, link] of standing(run, (other) => isBelow(product.path, other))) makers.set(name, { link, called: [name] })
    return makers
  }
  for (const name of Object.keys(product.artifacts)) {
    const maker = makerOfFile(run, name)
    if (maker !== undefined) makers.set(name, maker)
  }
  return makers
}

/** A single file may lie elsewhere than where it was made (`.release/app-1.0.0.tgz`); then its last name is what it is known by. */
function makerOfFile(run: Run, name: string): Maker | undefined {
  const named = standing(run, (other) => baseName(other) === baseName(name))
  const own = named.get(name)
  if (own !== undefined) return { link: own, called: [name] }
  if (deletedBy(run, name) !== undefined) return undefined
  const links = new Set(named.values())
  const link = [...run.chain.values()].findLast((one) => links.has(one))
  return link === undefined ? undefined : { link, called: [...named.keys()].filter((other) => named.get(other) === link) }
}

/** Products that no later step deleted, each with the last step that made it. */
function standing(run: Run, isAsked: (name: string) => boolean): Map<string, ChainLink> {
  const made = new Map<string, ChainLink>()
  for (const { step } of run.steps) {
    const link = run.chain.get(step.name)!
    const rules = deletions(step)
    if (rules.length > 0) for (const name of made.keys()) if (isDeleted(link, rules, name)) made.delete(name)
    for (const name of namesOf(link.link.products)) if (isAsked(name)) made.set(name, link)
  }
  return made
}

/** The steps that made a file and deleted it again. */
function deletedBy(run: Run, name: string): { maker: string; step: string } | undefined {
  let maker: string | undefined
  let found: { maker: string; step: string } | undefined
  for (const { step } of run.steps) {
    const link = run.chain.get(step.name)!
    if (maker !== undefined && isDeleted(link, deletions(step), name)) found = { maker, step: step.name }
    if (!Object.hasOwn(link.link.products, name)) continue
    maker = step.name
    found = undefined
  }
  return found
}

function isBelow(path: string, name: string): boolean {
  return path === '' ? !name.startsWith('/') && !name.startsWith('../') : name.startsWith(`${path}/`)
}

/** What the rules of a step say about deleting, read once for all names. */
function deletions(step: { expected_materials: string[][]; expected_products: string[][] }): ArtifactRule[] {
  return [...step.expected_materials, ...step.expected_products].map((tokens) => parseRule(tokens)).filter(({ kind }) => kind === 'DELETE')
}

/** A later step that read the file, did not write it, and whose rules speak of deleting it. */
function isDeleted({ link }: ChainLink, rules: readonly ArtifactRule[], name: string): boolean {
  if (!Object.hasOwn(link.materials, name) || Object.hasOwn(link.products, name)) return false
  return rules.some((rule) => covers(rule, name))
}

interface Unknown {
  readonly product: ProductEvidence
  readonly name: string
  readonly digests: DigestMap
  readonly report: ProductReport
  readonly problems: Findings
}

/** A file that no step made: a link of this chain, or one that somebody put there. */
function judgeUnknown(run: Run, { product, name, digests, report, problems }: Unknown): void {
  const link = travellingLink(run, name)
  if (link !== undefined && isVerifiedFile(link.candidate, digests)) report.links++
  else if (link === undefined && product.ignore.includes(name) && isLaterLink(run, name)) report.links++
  else {
    report.added++
    problems.add('added', () => added(run, { name, digests, isLink: link !== undefined || product.ignore.includes(name) }))
  }
}

/** With `through`, links of steps behind it may lie about; they are not looked at in this run. */
function isLaterLink(run: Run, name: string): boolean {
  const seen = run.steps.map(({ step }) => step.name)
  return run.layout.steps.some(
    (step) => !seen.includes(step.name) && step.pubkeys.some((keyid) => baseName(name) === `${step.name}.${keyid.slice(0, 8)}.link`),
  )
}

function added(run: Run, { name, digests, isLink }: { name: string; digests: DigestMap; isLink: boolean }): ProblemInit {
  const deleted = deletedBy(run, name)
  const cause = isLink
    ? 'it is a link file, but not one that was verified here'
    : deleted === undefined
      ? twinOf(run, digests)
      : `"${shown(deleted.step)}" deleted what "${shown(deleted.maker)}" made`
  return {
    code: 'E_PRODUCT',
    file: name,
    message: `${shown(name)}: is on the disk, but no step made it`,
    actual: { label: 'on disk', text: digestText(digests), from: name },
    ...(cause === undefined ? {} : { cause }),
    fix: ['delete it, or let the step that makes it run again', 'if it was written after recording: put that before, or make it a step'],
  }
}

/** A FIFO, a dangling link, …: nobody recorded it, and what it will hold where the folder is used, nobody knows. */
function oddFile({ name, what, recorded }: OddFile): ProblemInit {
  if (!recorded) return { code: 'E_PRODUCT', file: name, message: `${shown(name)}: ${what}, and no step made it`, fix: 'remove it' }
  const fix = 'copy what it points to into the folder, so that it is delivered as it was verified'
  return { code: 'E_PRODUCT', severity: 'warning', file: name, message: `${shown(name)}: ${what}`, fix }
}

/** A file that lies elsewhere than where it was made may have the content of another one with its name, and would pass for this one. */
function ambiguous(name: string, { link, file }: ChainLink, called: readonly string[]): ProblemInit {
  const shownNames = called.slice(0, mostNamed).join(', ') + more(Math.max(0, called.length - mostNamed))
  return {
    code: 'E_PRODUCT',
    file: name,
    message: `${shown(name)}: "${shown(link.name)}" made several files of this name, and nothing says which of them this is`,
    actual: { label: `of ${link.name}`, text: shownNames, from: file },
    fix: 'name the file under the path that was recorded; --base-path says where recorded names start',
  }
}

function twinOf(run: Run, digests: DigestMap): string | undefined {
  for (const { link } of run.chain.values()) {
    const name = Object.keys(link.products).find((product) => matchDigestSet(digests, link.products[product]!))
    if (name !== undefined) return `it has the content of "${shown(name)}", a product of "${shown(link.name)}": renamed or copied`
  }
  return undefined
}

function missing(name: string, maker: ChainLink, run: Run): ProblemInit {
  const digests = maker.link.products[name]!
  return {
    code: 'E_PRODUCT',
    file: name,
    message: `${shown(name)}: made by "${shown(maker.link.name)}", but not on the disk`,
    expected: { label: `${maker.link.name} wrote`, text: digestText(digests), from: maker.file },
    actual: { label: 'on disk', text: 'not there', from: run.report.product!.path || '.' },
    fix: `carry out "${shown(maker.link.name)}" again; if a later step deletes it, let the layout say so (DELETE)`,
  }
}

/** No file on the disk, and none that should be there: a yes would be about nothing. */
function nothing({ path, kind }: ProductEvidence): ProblemInit {
  const file = path || '.'
  return kind === 'file'
    ? { code: 'E_PRODUCT', file, message: `${shown(file)}: not on the disk`, fix: 'name a file that exists' }
    : {
        code: 'E_PRODUCT',
        file,
        message: `${shown(file)}: holds no file, and no step made one below it`,
        fix: 'name the folder with the delivered files; --base-path says where recorded names start',
      }
}

interface Changed {
  readonly name: string
  readonly digests: DigestMap
  readonly maker: ChainLink
  readonly recorded: string
}

/** E_TAMPER when the layout binds this product by a MATCH, else E_PRODUCT. */
function changed(run: Run, { name, digests, maker, recorded }: Changed): ProblemInit {
  const rule = bindingRule(run, maker.link.name, recorded)
  const theirs = maker.link.products[recorded]!
  const script =
    run.session.options.scripts === undefined
      ? undefined
      : likelyScript(run.session.options.scripts, maker.link, { ...maker.link, name: '', command: [] })
  const expected = {
    label: `${maker.link.name} wrote`,
    text: digestText(theirs, digests),
    from: recorded === name ? maker.file : `${maker.file} (${recorded})`,
  }
  return {
    code: rule === undefined ? 'E_PRODUCT' : 'E_TAMPER',
    file: name,
    message: `${shown(name)}: changed after "${shown(maker.link.name)}"`,
    expected,
    actual: { label: 'on disk', text: digestText(digests, theirs), from: name },
    ...(rule === undefined ? {} : { rule }),
    ...(script === undefined
      ? {}
      : { cause: `package.json script "${shown(script)}" (${shown(run.session.options.scripts![script]!)}) ran afterwards` }),
    fix: [
      `carry out "${shown(maker.link.name)}" again, and change nothing afterwards`,
      'if the change is meant, make it a step of its own in the layout',
    ],
  }
}

/** The first MATCH of the layout that compares this product of that step. */
function bindingRule(run: Run, step: string, name: string): RuleRef | undefined {
  for (const item of [...run.layout.steps, ...run.layout.inspect]) {
    for (const list of ['expected_materials', 'expected_products'] as const) {
      for (const [index, tokens] of item[list].entries()) {
        const rule = parseRule(tokens)
        if (rule.kind !== 'MATCH' || rule.step !== step || rule.artifacts !== 'PRODUCTS' || sourceName(rule, name) === undefined) continue
        return { text: formatRule(rule), step: item.name, list, index }
      }
    }
  }
  return undefined
}

/** Problems by kind, the first few of each one by one: only those are put into words, which costs a look through all products. */
class Findings {
  private readonly run: Run
  private readonly byKind = new Map<string, { problems: ProblemInit[]; count: number }>()

  constructor(run: Run) {
    this.run = run
  }

  add(kind: string, problem: () => ProblemInit): void {
    const group = this.byKind.get(kind) ?? { problems: [], count: 0 }
    this.byKind.set(kind, group)
    group.count++
    if (group.problems.length < mostNamed) group.problems.push(problem())
  }

  flush(): void {
    for (const { problems, count } of this.byKind.values()) {
      const last = problems.at(-1)
      for (const problem of problems) {
        this.run.add(problem === last ? { ...problem, message: problem.message + more(count - problems.length) } : problem)
      }
    }
  }
}
