/** The Report as JUnit XML, as the schema of Jenkins has it: the layout, each step, each inspection and the product are test cases. */
import type { Problem, Report, StepReport } from 'intoto'
import { subjectOf, textOf } from '../failure.ts'
import { escape } from '../terminal.ts'
import type { Context } from './format.ts'
import { inOrder, particulars, verdict } from './phrase.ts'

interface Case {
  readonly name: string
  readonly problems: readonly Problem[]
  readonly skipped: boolean
}

/** One suite; problems that belong to no step belong to the layout. */
export function junit(report: Report, _context: Context): string {
  const cases = casesOf(report)
  const errors = (c: Case): readonly Problem[] => c.problems.filter((p) => p.severity === 'error')
  const failures = cases.filter((c) => errors(c).length > 0).length
  const skipped = cases.filter((c) => c.skipped && errors(c).length === 0).length
  const name = attribute(report.layout.file ?? 'layout')
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" time="0"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="in-toto" ${counts}>`,
    `  <testsuite name="${name}" ${counts} skipped="${skipped}" timestamp="${attribute(report.time)}">`,
    ...cases.flatMap((c) => caseLines(c, { className: name, report })),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function casesOf(report: Report): Case[] {
  const problems = inOrder(report.problems)
  const steps = [...report.steps, ...report.inspections]
  const names = new Set(steps.map((step) => step.name))
  const ofProduct = (p: Problem): boolean => p.code === 'E_PRODUCT'
  return [
    { name: 'layout', problems: problems.filter((p) => !ofProduct(p) && !names.has(p.step ?? '')), skipped: false },
    ...steps.map((step: StepReport) => ({
      name: step.name,
      problems: problems.filter((p) => !ofProduct(p) && p.step === step.name),
      skipped: step.status === 'unchecked',
    })),
    ...(report.product === undefined && !problems.some(ofProduct)
      ? []
      : [{ name: 'product', problems: problems.filter(ofProduct), skipped: false }]),
  ]
}

function caseLines(c: Case, o: { className: string; report: Report }): string[] {
  const open = `    <testcase classname="${o.className}" name="${attribute(c.name)}" time="0"`
  const inner = c.problems.flatMap((p) => {
    const text = [`${subjectOf(p)}: ${textOf(p)}`, ...particulars(p).map(([label, said]) => `${label}: ${said}`)].map(xml).join('\n')
    return p.severity === 'error'
      ? [`      <failure type="${p.code}" message="${attribute(`${subjectOf(p)}: ${textOf(p)}`)}">${text}</failure>`]
      : [`      <system-err>${text}</system-err>`]
  })
  const failed = c.problems.some((p) => p.severity === 'error')
  if (c.skipped && !failed) inner.unshift(`      <skipped message="${attribute(verdict(o.report))}"/>`)
  return inner.length === 0 ? [`${open}/>`] : [`${open}>`, ...inner, '    </testcase>']
}

/** Text for XML 1.0, which has no way at all to write most control characters: they are spelled out. */
function xml(text: string): string {
  return escape(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function attribute(text: string): string {
  return xml(text).replaceAll('"', '&quot;')
}
