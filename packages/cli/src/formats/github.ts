/** The problems as GitHub workflow commands, which the runner turns into annotations. The job summary is markdown.ts's; output.ts writes it. */
import type { Problem, Report } from 'intoto'
import { lineOf, subjectOf, textOf } from '../failure.ts'
import { escape } from '../terminal.ts'
import type { Context } from './format.ts'
import { inOrder, particulars, pathOf, verdict } from './phrase.ts'

/** The runner shows this many annotations of a kind in one step and drops the rest in silence. */
const mostShown = 10

/** One annotation for each problem, and the verdict as a notice. */
export function github(report: Report, context: Context): string {
  const problems = inOrder(report.problems)
  const lines = [
    ...annotations(
      'error',
      problems.filter((p) => p.severity === 'error'),
      { report, context },
    ),
    ...annotations(
      'warning',
      problems.filter((p) => p.severity === 'warning'),
      { report, context },
    ),
    `::notice title=in-toto::${data(verdict(report))}`,
  ]
  return `${lines.join('\n')}\n`
}

function annotations(kind: 'error' | 'warning', problems: readonly Problem[], o: { report: Report; context: Context }): string[] {
  const shown = problems.length > mostShown ? problems.slice(0, mostShown - 1) : problems
  const lines = shown.map(
    (p) => `::${kind} ${p.file ? placeOf(p, pathOf(p, o.report, o.context)) : ''}title=${property(p.code)}::${data(bodyOf(p))}`,
  )
  return shown.length < problems.length ? [...lines, `::${kind} title=in-toto::${data(`${problems.length - shown.length} more`)}`] : lines
}

/** The file that is annotated, and the line of it that can't be read. */
function placeOf(p: Problem, path: string): string {
  const line = lineOf(p)
  return `file=${property(escape(path))},${line === undefined ? '' : `line=${line},`}`
}

function bodyOf(p: Problem): string {
  return [`${subjectOf(p)}: ${textOf(p)}`, ...particulars(p).map(([label, text]) => `${label}: ${text}`)].join('\n')
}

/** Escapes of the runner's own grammar; a name in a link can start no command of its own. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
