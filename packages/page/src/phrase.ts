/** Phrases of the page: counts, times, names of keys, what a problem is about. Plain text; `html` escapes it where it is written. */
import type { Problem, Report, Who } from 'intoto'

/** "1 file", "2 files", "30,000 files". */
export function count(n: number, noun: string): string {
  return `${figure(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** A number with its thousands apart, the same in every locale. */
export function figure(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** "alice (4f3c9a1b)", or the id alone where nobody named the key. */
export function who(key: Who): string {
  const id = key.keyid.slice(0, 8)
  return key.name === undefined ? id : `${key.name} (${id})`
}

/** "expires in 84 days", as of the time of the verdict. */
export function expiry(report: Report): string {
  if (report.layout.expires === undefined) return 'unknown'
  const left = Date.parse(report.layout.expires) - Date.parse(report.time)
  if (Number.isNaN(left)) return report.layout.expires
  const hours = Math.abs(left) / 3_600_000
  // What is past is told in whole days, as the problem beside it does.
  const days = left > 0 ? Math.round(hours / 24) : Math.floor(hours / 24)
  const span = hours < 48 ? count(Math.floor(hours), 'hour') : count(days, 'day')
  return left > 0 ? `in ${span}` : `${span} ago`
}

/** "2026-11-23 00:04 UTC". */
export function moment(time: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(time) ? `${time.slice(0, 10)} ${time.slice(11, 16)} UTC` : time
}

/** A command line as a shell would take it. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}

/** A digest short enough to compare by eye. */
export function shortened(text: string): string {
  return text.replace(/\b([0-9a-f]{8})[0-9a-f]{30,}([0-9a-f]{6})\b/g, '$1…$2')
}

/** What a problem is about. */
export function subjectOf(p: Problem): string {
  return p.file ?? p.step ?? 'in-toto'
}

/** What is said of the subject, without naming it again. */
export function textOf(p: Problem): string {
  const named = `${subjectOf(p)}: `
  const at = p.message.indexOf(named)
  if (at < 0) return p.message
  const before = p.message.slice(0, at).trimEnd()
  return before === '' ? p.message.slice(named.length) : `${before}: ${p.message.slice(at + named.length)}`
}

/** The problems that decide, then the warnings. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems.filter((p) => p.severity === 'error'), ...problems.filter((p) => p.severity === 'warning')]
}

/** "1 problem", "2 problems and 1 warning"; empty without any. */
export function tally(problems: readonly Problem[]): string {
  const errors = problems.filter((p) => p.severity === 'error').length
  const warnings = problems.length - errors
  return [errors > 0 && count(errors, 'problem'), warnings > 0 && count(warnings, 'warning')].filter(Boolean).join(' and ')
}
