/**
 * Inspections (specification 5.2, steps 11 and 12): commands that the verifier's caller runs, and the rules over what they found. Called only
 * when everything before has held, for a layout and all its sublayouts. Never starts a process itself.
 */
import { InTotoError } from '../errors.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'
import { sideOf } from '../model/side.ts'
import { explainFailure } from './cause.ts'
import { applyRules } from './rules.ts'
import type { Run } from './run.ts'
import { commandText, shown } from './text.ts'
import { checkTravellingLinks } from './travel.ts'

/** Runs them in order, those of sublayouts first; stops at the first that cannot be run, since later ones work in the same folder. */
export async function runInspections(run: Run): Promise<void> {
  for (const { step, run: inner } of run.sublayouts) {
    const before = inner.report.problems.length
    await runInspections(inner)
    run.absorb(step, inner.report.problems.slice(before))
    if (run.failed) return
  }
  for (const [i, inspection] of run.layout.inspect.entries()) {
    const report = run.report.inspections[i]!
    try {
      const link = ownCopy(await run.session.options.inspect!(inspection, { linkFiles: [...run.session.files] }))
      run.chain.set(inspection.name, { link, file: `inspection: ${commandText(inspection.run)}`, kind: 'inspection' })
      report.materials = sideOf(link, 'materials').size
      report.products = sideOf(link, 'products').size
      report.command = [...link.command]
    } catch (error) {
      // Whoever interrupts an inspection gets no verdict, not a "no".
      if (!(error instanceof InTotoError) || error.code === 'E_NOT_RECORDED') throw error
      run.add({ ...error.problem, step: inspection.name })
      return
    }
  }
  for (const inspection of run.layout.inspect) checkRules(run, inspection.name)
}

/** Whoever made the link may change it and hand it out again. */
function ownCopy(link: Link): Link {
  const copy = (artifacts: Artifacts): Artifacts => Object.assign(Object.create(null), artifacts) as Artifacts
  return Object.assign(Object.create(null), link, { materials: copy(link.materials), products: copy(link.products) }) as Link
}

/** Applies both lists of a step or an inspection, materials first, and fills its part of the Report. */
export function checkRules(run: Run, name: string): void {
  const item = [...run.layout.steps, ...run.layout.inspect].find((one) => one.name === name)!
  const report = [...run.report.steps, ...run.report.inspections].find((one) => one.name === name)!
  const { options } = run.session
  for (const list of ['expected_materials', 'expected_products'] as const) {
    const { reports, failures } = applyRules(item, list, run.chain, options.trace === true)
    report.rules.push(...reports)
    // Scripts may be read from disk when they are asked for.
    const { scripts } = failures.length === 0 ? {} : options
    for (const failure of failures) run.add(explainFailure(failure, { chain: run.chain, ...(scripts === undefined ? {} : { scripts }) }))
    checkTravellingLinks(run, item, list)
  }
  if (report.status === 'unchecked') report.status = 'ok'
}

/** Refuses, before anything is looked at, what nobody could run: a layout's inspections are part of its promise. */
export function refuseWithoutInspect(run: Run): void {
  const { inspect, through } = run.session.options
  if (run.layout.inspect.length === 0 || inspect !== undefined || through !== undefined) return
  const names = run.layout.inspect.map(({ name }) => `"${shown(name)}"`).join(', ')
  run.add({
    code: 'E_UNSUPPORTED',
    message: `${run.title}: the inspections ${names} cannot be run here, and without them nothing is verified`,
    fix: 'verify where commands may run (npx intoto verify), or only a part of the layout (--through STEP)',
  })
}
