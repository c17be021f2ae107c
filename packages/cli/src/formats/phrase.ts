/** Phrases that several renderings share: counts, times, digests, names of keys. Pure; every text from a file comes out safe to print. */
import { posix } from 'node:path'
import type { LayoutReport, Problem, Report, StepReport, Who } from 'intoto'
import { escape } from '../terminal.ts'
import type { Context } from './format.ts'

/** One line for each code: what it means whatever the case. */
export const meanings: Readonly<Record<Problem['code'], string>> = {
  E_ACTOR: 'signed by a key that may not perform the step',
  E_SIGNATURE: 'a signature does not fit what it stands under',
  E_TAMPER: 'bytes changed between two steps',
  E_MISSING_STEP: 'a step has no link, or not enough of them',
  E_COMMAND: 'a step ran another command than the layout expects, or it failed',
  E_RULE: 'an artifact rule of the layout does not hold',
  E_THRESHOLD: 'functionaries of one step do not agree',
  E_LAYOUT_EXPIRED: 'the layout is out of date',
  E_LAYOUT_SIGNATURE: 'the layout is not signed by every key that was given',
  E_LAYOUT_INVALID: 'the layout is malformed',
  E_INSPECTION: 'an inspection could not be run, or failed',
  E_PRODUCT: 'a delivered file is unknown, missing or different',
  E_CHANGED_DURING_BUILD: 'a file changed while it was recorded',
  E_NOT_RECORDED: 'nothing was recorded',
  E_KEY: 'a key can’t be used',
  E_CONFIG: 'wrong usage',
  E_IO: 'a file can’t be read or written',
  E_FORMAT: 'a file is not the metadata that it should be',
  E_UNSUPPORTED: 'known, and not supported',
}

/** "1 file", "2 files". */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** "alice (4f3c9a1b)", or the id alone where nobody named the key. */
export function who(key: Who): string {
  const id = escape(key.keyid.slice(0, 8))
  return key.name === undefined ? id : `${escape(key.name)} (${id})`
}

/** "signed by alice (4f3c9a1b)", or that nobody has. */
export function signers(layout: LayoutReport): string {
  return layout.signers.length === 0 ? 'not signed by the given keys' : `signed by ${layout.signers.map(who).join(', ')}`
}

/** "expires in 84 days", as of the time of the verdict. */
export function expiry(report: Report): string {
  if (report.layout.expires === undefined) return 'expiry unknown'
  const left = Date.parse(report.layout.expires) - Date.parse(report.time)
  if (Number.isNaN(left)) return `expires ${escape(report.layout.expires)}`
  const hours = Math.abs(left) / 3_600_000
  // What is past is told in whole days, as the problem beside it does.
  const days = left > 0 ? Math.round(hours / 24) : Math.floor(hours / 24)
  const span = hours < 48 ? count(Math.floor(hours), 'hour') : count(days, 'day')
  return left > 0 ? `expires in ${span}` : `expired ${span} ago`
}

/** A digest short enough to compare by eye; anything else as it is. */
export function shortened(text: string): string {
  return text.replace(/\b([0-9a-f]{6})[0-9a-f]{30,}([0-9a-f]{4})\b/g, '$1…$2')
}

/** A command line as a shell would take it. */
export function commandLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .map(escape)
    .join(' ')
}

/** Number of counted links of a step; a sublayout's summary is one of them. */
export function counted(step: StepReport): number {
  return step.links.filter((link) => link.counted).length
}

/** Where a rule stands, counted from 1 as people do. */
export function rulePlace(rule: NonNullable<Problem['rule']>): string {
  return `"${escape(rule.step)}", ${rule.list} ${rule.index + 1}`
}

/** Evidence, rule, guess and advice of a problem as lines of label and text, for formats without columns. */
export function particulars(p: Problem): (readonly [label: string, text: string])[] {
  const said = (fallback: string, evidence: Problem['expected']): (readonly [string, string])[] => {
    if (evidence === undefined) return []
    return [
      [escape(evidence.label ?? fallback), `${escape(evidence.text)}${evidence.from === undefined ? '' : ` (${escape(evidence.from)})`}`],
    ]
  }
  return [
    ...said('expected', p.expected),
    ...said('found', p.actual),
    ...(p.rule === undefined ? [] : [['rule', `${escape(p.rule.text)} (${rulePlace(p.rule)})`] as const]),
    ...(p.cause === undefined ? [] : [['likely', escape(p.cause)] as const]),
    ...p.fix.map((fix) => ['try', escape(fix)] as const),
  ]
}

/** The file that services show a problem at, as they name it; problems of no file belong to the layout. */
export function pathOf(p: Problem, report: Report, { workspace = '' }: Pick<Context, 'workspace'>): string {
  const path = p.file || report.layout.file || 'root.layout'
  return posix.isAbsolute(path) ? path : posix.join(workspace, path)
}

/** The problems that decide, then the warnings. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems.filter((p) => p.severity === 'error'), ...problems.filter((p) => p.severity === 'warning')]
}

/** "1 problem", "2 problems, 1 warning". */
export function tally(problems: readonly Problem[]): string {
  const errors = problems.filter((p) => p.severity === 'error').length
  const warnings = problems.length - errors
  const parts = [...(errors > 0 ? [count(errors, 'problem')] : []), ...(warnings > 0 ? [count(warnings, 'warning')] : [])]
  return parts.join(', ')
}

/** The verdict in one sentence. */
export function verdict(report: Report): string {
  if (!report.ok) return 'Not verified.'
  return report.partial === undefined
    ? 'Verified.'
    : `Verified up to "${escape(report.partial.through)}" (partial: later steps and inspections were not looked at).`
}
