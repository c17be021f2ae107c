/** The problems as a GitLab Code Quality report: a list that merge requests show. */
import type { Problem, Report } from 'intoto'
import { lineOf, subjectOf, textOf } from '../failure.ts'
import type { Context } from './format.ts'
import { jsonText } from './json.ts'
import { inOrder, particulars } from './phrase.ts'
import { fingerprint } from './sarif.ts'

/** A list with one finding for each problem, empty when all holds. */
export function gitlab(report: Report, _context: Context): string {
  return `${jsonText(inOrder(report.problems).map((p) => findingOf(p, report)))}\n`
}

function findingOf(p: Problem, report: Report): object {
  return {
    description: `${p.code} ${subjectOf(p)}: ${textOf(p)}`,
    check_name: p.code,
    fingerprint: fingerprint(p),
    severity: p.severity === 'error' ? 'blocker' : 'minor',
    location: { path: p.file ?? report.layout.file ?? 'root.layout', lines: { begin: lineOf(p) ?? 1 } },
    content: {
      body: particulars(p)
        .map(([label, text]) => `${label}: ${text}`)
        .join('\n'),
    },
  }
}
