/**
 * The procedure of verification (specification 5.2), phase by phase: signatures of the layout, type, expiry, parameters, links and thresholds,
 * sublayouts, commands, agreement, rules of steps, the product at hand, inspections and their rules. In a phase everything is checked and
 * reported; a phase with an error is the last one, so no command runs for what has been refused. Time, files and processes come in as options.
 */
import { equalBytes } from '../encoding/bytes.ts'
import { withDefaults } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { hasSignature, type Metadata } from '../metadata/metadata.ts'
import { keyids } from '../keys/key.ts'
import { isLayout, parseExpires, parseLayout } from '../model/layout.ts'
import { createLink, type Link } from '../model/link.ts'
import { substituteParameters } from '../model/parameter.ts'
import { setSide, sideOf } from '../model/side.ts'
import { layoutNotes } from '../model/lint.ts'
import { functionaryNames } from '../model/preset.ts'
import { attestedFiles } from './attested.ts'
import { findCandidates } from './candidate.ts'
import { checkCommands } from './command.ts'
import { checkRules, refuseWithoutInspect, runInspections } from './inspection.ts'
import type { VerifyOptions } from './options.ts'
import { checkProduct } from './product.ts'
import { VerificationError, type Report, type StepReport } from './report.ts'
import { mostExplained, Run, type Candidate, type Session, type StepRun } from './run.ts'
import type { LinkSource } from './source.ts'
import { count, shown, whoText } from './text.ts'
import { checkAgreement, checkThreshold } from './threshold.ts'

/**
 * Verifies a chain: returns only when all holds, so that nobody can forget to look at the answer.
 * @throws VerificationError with the Report, under the code of its first problem
 */
export async function verify(layout: Metadata, options: VerifyOptions): Promise<Report> {
  const report = await judge(layout, options)
  if (!report.ok) throw new VerificationError(report)
  return report
}

/**
 * The same, with the verdict as data: look at `ok`.
 * @throws E_CONFIG for a `now` that is no time
 */
export async function judge(layout: Metadata, options: VerifyOptions): Promise<Report> {
  const session: Session = {
    options,
    limits: withDefaults(options.limits),
    now: timeOf(options),
    files: [],
    uses: new Map(),
    explaining: { bytes: mostExplained },
  }
  const run = new Run(session, layout, options.layoutFile === undefined ? {} : { file: options.layoutFile })
  const { product, through } = options
  await guarded(run, async () => {
    if (!(await checkOwners(run))) return
    await verifySteps(run, options.links)
    await noteIntactLinks(run, layout)
    if (!run.failed && product !== undefined) checkProduct(run, product, await attestedFiles(run, product))
    if (!run.failed && through === undefined) await runInspections(run)
  })
  return finish(run)
}

function timeOf({ now = new Date() }: VerifyOptions): Date {
  if (!Number.isNaN(now.getTime())) return now
  throw new InTotoError({ code: 'E_CONFIG', message: 'now: not a time', fix: 'give a Date that exists' })
}

/** What a source or a reader refuses is part of the verdict; what nobody foresaw, and an interrupted inspection, are not caught. */
async function guarded(run: Run, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof InTotoError) || error.code === 'E_NOT_RECORDED') throw error
    run.add(error.problem)
  }
}

/** Phase 1: every given key must have signed the layout, and there must be one. */
async function checkOwners(run: Run): Promise<boolean> {
  const { keys } = run.session.options
  if (keys.length === 0) {
    run.add({
      code: 'E_CONFIG',
      message: 'no key of a project owner was given, so nothing can be trusted',
      fix: 'name the owner: -k in-toto/owner.pub',
    })
  }
  for (const key of keys) {
    if (await hasSignature(run.metadata, key)) {
      run.report.layout.signers.push(run.who(key.keyid))
      continue
    }
    const ids = keyids(key)
    const named = run.metadata.signatures.some(({ keyid }) => ids.includes(keyid))
    const others = run.metadata.signatures.map(({ keyid }) => whoText(run.who(keyid))).join(', ') || 'nobody'
    run.add({
      code: 'E_LAYOUT_SIGNATURE',
      ...(run.report.layout.file === undefined ? {} : { file: run.report.layout.file }),
      message: `${shown(run.title)}: ${named ? 'the signature of' : 'not signed by'} ${whoText(run.who(key.keyid))}${named ? ' does not hold' : ''}`,
      expected: { label: 'needed', text: whoText(run.who(key.keyid)), from: 'the keys given' },
      actual: { label: 'signatures', text: others, from: run.title },
      ...(named ? { cause: 'the layout was changed after signing' } : {}),
      fix: named
        ? 'get the layout from its owner again, or have the owner sign this one'
        : 'give the key of the owner who signed it, or have this owner sign it, too: npx intoto sign -f LAYOUT -k KEY -a',
    })
  }
  return !run.failed
}

/** Phases 2 to 10, for a layout or a sublayout. */
async function verifySteps(run: Run, links: LinkSource): Promise<void> {
  const each = (check: (step: StepRun) => void) => (): void => run.steps.forEach(check)
  const phases: (() => void | Promise<void>)[] = [
    () => checkLayout(run),
    () => checkExpiry(run),
    () => prepareSteps(run),
    async () => {
      for (const step of run.steps) {
        step.candidates = await findCandidates(run, step.step, links)
        await checkThreshold(run, step, links)
      }
    },
    () => verifySublayouts(run, links),
    each((step) => checkCommands(run, step)),
    each((step) => checkAgreement(run, step)),
    () => run.steps.forEach((step) => reduce(run, step)),
    each(({ step }) => checkRules(run, step.name)),
  ]
  for (const phase of phases) {
    await phase()
    if (run.failed) return
  }
  run.report.summary = summarize(run, '')
}

/** Phase 2, with the warnings about what a layout says without effect. */
function checkLayout(run: Run): void {
  const payload: unknown = run.metadata.payload
  if (!isLayout(payload)) {
    run.add({
      code: 'E_LAYOUT_INVALID',
      message: `${shown(run.title)}: is no layout`,
      fix: 'name the layout: --layout in-toto/root.layout',
    })
    return
  }
  run.layout = parseLayout(payload, run.session.limits)
  run.report.layout.expires = run.layout.expires
  run.names = functionaryNames(run.layout)
  for (const note of layoutNotes(run.layout, run.metadata.format)) run.add({ ...note, message: `${shown(run.title)}: ${note.message}` })
  if (run.layout.steps.length > 0) return
  const empty = { code: 'E_LAYOUT_INVALID', message: `${shown(run.title)}: has no steps, so it promises nothing` } as const
  run.add(run.parent === undefined ? { ...empty, severity: 'warning' } : empty)
}

/** Phase 3. */
function checkExpiry(run: Run): void {
  const { expires } = run.layout
  const late = run.session.now.getTime() - parseExpires(expires)
  if (late < 0) return
  const days = Math.floor(late / 86_400_000)
  run.add({
    code: 'E_LAYOUT_EXPIRED',
    ...(run.report.layout.file === undefined ? {} : { file: run.report.layout.file }),
    message: `${shown(run.title)}: expired ${days === 0 ? 'less than a day' : count(days, 'day')} ago (${expires.slice(0, 10)})`,
    expected: { label: 'expires', text: expires, from: run.title },
    actual: { label: 'now', text: run.report.time },
    fix: 'npx intoto layout renew --days 90 --sign-with OWNER',
  })
}

/** Phase 4, and the steps that are to be looked at. */
function prepareSteps(run: Run): void {
  const { parameters, through } = run.session.options
  if (run.parent === undefined) run.layout = parseLayout(substituteParameters(run.layout, parameters), run.session.limits)
  const last =
    through === undefined || run.parent !== undefined
      ? run.layout.steps.length - 1
      : run.layout.steps.findIndex(({ name }) => name === through)
  run.report.steps = run.layout.steps.map(({ name, threshold }) => blankReport(name, 'step', threshold))
  run.report.inspections = run.layout.inspect.map(({ name }) => blankReport(name, 'inspection', 0))
  run.steps = run.layout.steps.slice(0, last + 1).map((step, i) => ({ step, report: run.report.steps[i]!, candidates: [], valid: [] }))
  if (through !== undefined && run.parent === undefined && last < 0) {
    const names = run.layout.steps.map(({ name }) => name).join(', ')
    run.add({
      code: 'E_CONFIG',
      message: `there is no step "${shown(through)}" in ${shown(run.title)}`,
      fix: `--through takes one of: ${names}`,
    })
  }
  refuseWithoutInspect(run)
}

function blankReport(name: string, kind: 'step' | 'inspection', threshold: number): StepReport {
  return { name, kind, status: 'unchecked', threshold, links: [], materials: 0, products: 0, command: [], rules: [], warnings: [] }
}

/** Phase 7: a layout in place of a link is verified with the key that signed it, and stands for its summary. */
async function verifySublayouts(run: Run, links: LinkSource): Promise<void> {
  for (const step of run.steps) {
    for (const candidate of step.valid) {
      if (candidate.sublayout === undefined) continue
      if (!checkDepth(run, step, candidate)) continue
      const inner = new Run(run.session, candidate.sublayout, { file: candidate.file, parent: run })
      inner.report.layout.signers.push(run.who(candidate.keyid))
      await guarded(inner, () => verifySteps(inner, links.within(step.step.name, candidate.keyid)))
      // Several functionaries may each deliver a layout; the one that fails is the one to look at.
      if (step.report.sublayout === undefined || inner.failed) step.report.sublayout = inner.report
      run.sublayouts.push({ step: step.step.name, run: inner })
      run.absorb(step.step.name, inner.report.problems)
      if (!inner.failed) candidate.link = summarize(inner, step.step.name)
    }
  }
}

/** A layout that contains itself, or a tower of them, would have no end. */
function checkDepth(run: Run, { step }: StepRun, { sublayout, file }: Candidate): boolean {
  let depth = 1
  for (let outer: Run | undefined = run; outer !== undefined; outer = outer.parent, depth++) {
    if (!equalBytes(outer.metadata.signedBytes, sublayout!.signedBytes)) continue
    run.add({
      code: 'E_LAYOUT_INVALID',
      step: step.name,
      file,
      message: `${shown(file)}: the layout contains itself`,
      fix: 'deliver a link, or a layout of its own',
    })
    return false
  }
  const most = run.session.limits.sublayoutDepth
  if (depth - 1 <= most) return true
  run.add({
    code: 'E_LAYOUT_INVALID',
    step: step.name,
    file,
    message: `${shown(file)}: more than ${most} layouts within each other (sublayoutDepth)`,
    fix: 'if this is meant, raise the limit "sublayoutDepth"',
  })
  return false
}

/** The one link of a step that rules look at: all valid ones agree by now. */
function reduce(run: Run, { step, report, valid }: StepRun): void {
  const [first] = valid
  const link = first!.link!
  run.chain.set(step.name, { link, file: first!.file, kind: 'step' })
  report.materials = sideOf(link, 'materials').size
  report.products = sideOf(link, 'products').size
  report.command = [...link.command]
}

/** The chain as one link: materials of the first step, products, byproducts and command of the last (specification 5.2, step 13). */
function summarize(run: Run, name: string): Link {
  const first = run.steps[0] && run.chain.get(run.steps[0].step.name)?.link
  const last = run.steps.length > 0 ? run.chain.get(run.steps.at(-1)!.step.name)?.link : undefined
  if (first === undefined || last === undefined) return createLink({ name })
  const summary = Object.assign(createLink({ name }), { byproducts: last.byproducts, command: [...last.command] })
  setSide(summary, 'materials', sideOf(first, 'materials'))
  setSide(summary, 'products', sideOf(last, 'products'))
  return summary
}

/** An expired layout says nothing about its links; whoever reads the refusal wants to know whether only the date is to blame. */
async function noteIntactLinks(run: Run, layout: Metadata): Promise<void> {
  const errors = run.report.problems.filter(({ severity }) => severity === 'error')
  if (errors.length !== 1 || errors[0]!.code !== 'E_LAYOUT_EXPIRED' || errors[0]!.step !== undefined) return
  const last = run.layout.steps.at(-1)
  if (last === undefined) return
  const options: VerifyOptions = { ...run.session.options }
  delete options.product
  const then = await judge(layout, {
    ...options,
    through: options.through ?? last.name,
    now: new Date(parseExpires(run.layout.expires) - 1000),
  })
  if (then.ok) errors[0]!.message += '; its links are intact, only the promise is out of date'
}

function finish(run: Run): Report {
  const { report } = run
  const below = run.sublayouts.map(({ run: inner }) => finish(inner).ok)
  const inspected = run.session.options.through !== undefined || report.inspections.every(({ status }) => status === 'ok')
  // Whatever fails below has failed here by now; a yes must not hang on that alone.
  report.ok = !run.failed && inspected && below.every(Boolean)
  if (!report.ok) delete report.summary
  if (run.session.options.trace === true && run.chain.size > 0) report.chain = [...run.chain.values()].map(({ link }) => link)
  return report
}
