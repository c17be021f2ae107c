/** The Report for people at a terminal: one line a step, then each problem with its evidence in aligned lines. */
import type { Evidence, Problem, Report, StepReport } from 'intoto'
import { headline } from '../failure.ts'
import { type Colors, escape } from '../terminal.ts'
import type { Context } from './format.ts'
import { commandLine, count, counted, expiry, inOrder, rulePlace, shortened, signers, tally, verdict } from './phrase.ts'

/** Width of the labels of evidence. */
const labels = 14

/** Most problems that are printed in full; more would hide the first, which is often the reason for the rest. */
export const mostProblems = 30

/** The Report as text. */
export function text(report: Report, context: Context): string {
  const problems = inOrder(report.problems)
  const shown = context.verbose ? problems : problems.slice(0, mostProblems)
  const blocks = [
    opening(report, context),
    ...shown.map((p) => problemLines(p, context).join('\n')),
    ...(shown.length < problems.length ? [`… and ${problems.length - shown.length} more (-v shows all)`] : []),
    closing(report, context),
  ]
  return `${blocks.join('\n\n')}\n`
}

/** Layout, keys and folders; a line for each step; what was looked at on disk. */
function opening(report: Report, context: Context): string {
  const { layout } = report
  const folders = context.folders.length === 0 ? '' : `, links from ${context.folders.map(escape).join(', ')}`
  return [
    `layout  ${escape(layout.file ?? '')}  ${signers(layout)}, ${expiry(report)}${folders}`,
    ...context.loosened.map((flag) => context.paint.yellow(`note    ${escape(flag)}`)),
    ...stepLines([...report.steps, ...report.inspections], { ...context, indent: '' }),
    ...productLines(report, context),
  ].join('\n')
}

interface Indented extends Context {
  readonly indent: string
}

function stepLines(steps: readonly StepReport[], context: Indented): string[] {
  const widths = {
    name: Math.max(0, ...steps.map((step) => escape(step.name).length)),
    materials: Math.max(0, ...steps.map((step) => String(step.materials).length)),
    products: Math.max(0, ...steps.map((step) => String(step.products).length)),
  }
  return steps.flatMap((step) => {
    const isKnown = step.materials > 0 || step.products > 0 || step.command.length > 0
    const flow = !isKnown
      ? ''
      : `${String(step.materials).padStart(widths.materials)} ${nouns(step.materials, 'material')} -> ${String(step.products).padStart(widths.products)} ${nouns(step.products, 'product')}`
    const name = escape(step.name).padEnd(widths.name)
    const signed =
      step.kind === 'inspection' ? 'inspection    ' : `${counted(step)}/${step.threshold} ${nouns(step.threshold, 'signature')}`
    const line = `${context.indent} ${badge(step, context.paint)}  ${name}  ${signed}  ${flow}  ${commandLine(step.command)}`.trimEnd()
    const inner =
      step.sublayout === undefined
        ? []
        : stepLines([...step.sublayout.steps, ...step.sublayout.inspections], { ...context, indent: `${context.indent}    ` })
    return [line, ...inner, ...(context.verbose ? detailLines(step, context) : [])]
  })
}

/** The noun for a number, as wide for one as for many, so that columns stay. */
function nouns(n: number, noun: string): string {
  return n === 1 ? `${noun} ` : `${noun}s`
}

function badge(step: StepReport, paint: Colors): string {
  if (step.status === 'ok') return paint.green('ok    ')
  return step.status === 'fail' ? paint.red('FAIL  ') : paint.dim('--    ')
}

/** Under --verbose: the links of a step and what each rule took. */
function detailLines(step: StepReport, context: Indented): string[] {
  const indent = `${context.indent}          `
  return [
    ...step.links.map(
      (link) =>
        `${indent}${link.counted ? 'link   ' : 'ignored'}  ${escape(link.file)}  ${escape(link.name ?? link.keyid.slice(0, 8))}  ${link.format}`,
    ),
    ...step.rules.map(
      (rule) =>
        `${indent}${rule.ok ? 'rule   ' : context.paint.red('FAILED ')}  ${rule.list} ${rule.index + 1}: ${escape(rule.text)}  (${count(rule.consumed, 'artifact')})`,
    ),
  ].map((line) => (context.paint.isColorSupported ? context.paint.dim(line) : line))
}

function productLines(report: Report, context: Context): string[] {
  const { product, partial } = report
  if (product === undefined) {
    if (context.products.length > 0)
      return [context.paint.dim(`note    ${context.products.map(escape).join(', ')}: not compared, since the links do not hold`)]
    const ran = report.inspections.some((inspection) => inspection.status !== 'unchecked')
    return ran
      ? []
      : [context.paint.dim('note    no file on disk was looked at: only links were compared with links (name a PRODUCT to judge one)')]
  }
  const status = product.added + product.missing + product.changed === 0 ? 'ok' : 'fail'
  const name = escape(product.path === '' ? '.' : product.path)
  const differing = (['added', 'missing', 'changed'] as const).filter((kind) => product[kind] > 0).map((kind) => `${product[kind]} ${kind}`)
  const through = partial === undefined ? '' : ` (as of step "${escape(partial.through)}")`
  const found = `${count(product.matched, 'file')} as a link says${product.links > 0 ? `, ${count(product.links, 'link')} of this chain` : ''}`
  return [` ${badge({ status } as StepReport, context.paint)}  ${name}  ${[found, ...differing].join(', ')}${through}`]
}

/** One problem: its line for problem matchers, then evidence, rule, guess and advice. */
export function problemLines(p: Problem, context: Pick<Context, 'paint' | 'verbose'>): string[] {
  const { paint } = context
  const pair = [
    p.expected === undefined ? [] : evidence('expected', p.expected),
    p.actual === undefined ? [] : evidence('found', p.actual),
  ].filter((row) => row.length > 0)
  const rows = pair.map(([label = '', said = '', from = '']) => [label, context.verbose ? said : shortened(said), from] as const)
  const width = Math.max(0, ...rows.map(([, said]) => said.length))
  const line = (label: string, said: string): string => row(label, said, Math.max(labels, ...rows.map(([name]) => name.length + 1)))
  return [
    headline(p, paint),
    ...rows.map(([label, said, from]) => line(label, `${said.padEnd(from === '' ? 0 : width + 2)}${paint.dim(from)}`)),
    ...(p.rule === undefined ? [] : [line('rule', `${escape(p.rule.text)}    (${rulePlace(p.rule)})`)]),
    ...(p.cause === undefined ? [] : [line('likely', escape(p.cause))]),
    ...p.fix.map((fix, i) => line(i === 0 ? 'try' : '', escape(fix))),
  ]
}

function evidence(fallback: string, said: Evidence): string[] {
  return [escape(said.label ?? fallback), escape(said.text), escape(said.from ?? '')]
}

/** One row of evidence; labels are as wide as the widest of the problem, at least as all usual ones. */
function row(label: string, said: string, width: number): string {
  return `  ${label.padEnd(width)} ${said}`.trimEnd()
}

/** "1 problem. Not verified.", and what the shell gets. */
function closing(report: Report, context: Context): string {
  const paint = report.ok ? context.paint.green : context.paint.red
  const counts = tally(report.problems)
  return `${counts === '' ? '' : `${counts}. `}${paint(verdict(report))}`
}
