/** The Report as Markdown: for job summaries and comments. Text from files stands in code spans, where it can neither link, mention nor format. */
import type { Problem, Report, StepReport } from 'intoto'
import { subjectOf, textOf } from '../failure.ts'
import { escape } from '../terminal.ts'
import type { Context } from './format.ts'
import { commandLine, counted, expiry, inOrder, particulars, verdict, who } from './phrase.ts'

/** Most problems that are written; a job summary must stay below a mebibyte. */
const mostProblems = 100

/** A heading with the verdict, a table of steps, and the problems. */
export function markdown(report: Report, context: Context): string {
  const problems = inOrder(report.problems)
  const left = problems.length - mostProblems
  const signers = report.layout.signers.map(who).map(code).join(', ') || 'nobody that was given'
  return [
    `## in-toto: ${report.ok ? '✅' : '❌'} ${report.partial === undefined ? verdict(report) : `${report.ok ? 'Verified' : 'Not verified'}, partial, up to ${code(report.partial.through)}`}`,
    '',
    `Layout ${code(report.layout.file ?? '')}, signed by ${signers}, ${expiry(report)}.${context.products.length > 0 ? ` Judged: ${context.products.map(code).join(', ')}.` : ''}`,
    ...context.loosened.map((flag) => `\n> [!WARNING]\n> ${code(flag)}`),
    '',
    '| | step | signatures | materials | products | command |',
    '|---|---|---:|---:|---:|---|',
    ...[...report.steps, ...report.inspections].map(rowOf),
    '',
    ...problems.slice(0, mostProblems).flatMap(problemLines),
    ...(left > 0 ? [`… and ${left} more.`, ''] : []),
  ].join('\n')
}

function rowOf(step: StepReport): string {
  const mark = { ok: '✅', fail: '❌', unchecked: '–' }[step.status]
  const signatures = step.kind === 'inspection' ? 'inspection' : `${counted(step)}/${step.threshold}`
  return `| ${mark} | ${cell(step.name)} | ${signatures} | ${step.materials} | ${step.products} | ${cell(commandLine(step.command))} |`
}

/** One problem: a heading, and its evidence as a list. */
export function problemLines(p: Problem): string[] {
  const mark = p.severity === 'error' ? '❌' : '⚠️'
  const rows = [['what', textOf(p)] as const, ...particulars(p)]
  return [
    `### ${mark} ${p.code} ${code(subjectOf(p))}`,
    '',
    ...rows.map(([label, text]) => `- ${escape(label).replace(/[^\w" -]/g, '')}: ${code(text)}`),
    '',
  ]
}

/** A code span in a table, where a bar would end the cell even inside the span. */
function cell(text: string): string {
  return text === '' ? '' : code(text).replaceAll('|', '\\|')
}

/** A code span that no run of backticks in the text can end. */
function code(text: string): string {
  const safe = escape(text)
  const longest = Math.max(0, ...(safe.match(/`+/g) ?? []).map((run) => run.length))
  const fence = '`'.repeat(longest + 1)
  return longest > 0 || safe.startsWith(' ') || safe === '' ? `${fence} ${safe} ${fence}` : `${fence}${safe}${fence}`
}
