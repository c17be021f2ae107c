/** The problems as a GitLab Code Quality report: a list that merge requests show. https://docs.gitlab.com/ci/testing/code_quality/ */
import type { Problem, Report } from 'intoto'
import { lineOf, subjectOf, textOf } from '../failure.ts'
import { fingerprints } from './fingerprint.ts'
import type { Context } from './format.ts'
import { jsonText } from './json.ts'
import { inOrder, particulars, pathOf } from './phrase.ts'

/** A list with one finding for each problem, empty when all holds. */
export function gitlab(report: Report, context: Context): string {
  const problems = inOrder(report.problems)
  const prints = fingerprints(problems)
  return `${jsonText(problems.map((p, i) => ({ ...findingOf(p, report, context), fingerprint: prints[i] })))}\n`
}

function findingOf(p: Problem, report: Report, context: Context): object {
  return {
    description: `${p.code} ${subjectOf(p)}: ${textOf(p)}`,
    check_name: p.code,
    severity: p.severity === 'error' ? 'blocker' : 'minor',
    location: { path: pathOf(p, report, context), lines: { begin: lineOf(p) ?? 1 } },
    content: {
      body: particulars(p)
        .map(([label, text]) => `${label}: ${text}`)
        .join('\n'),
    },
  }
}
