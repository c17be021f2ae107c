/** The Report as one JSON object, without the summary link and the chain, which are evidence and not verdict. */
import type { Report } from 'intoto'
import type { Context } from './format.ts'

/** The Report as JSON; what a terminal or the log of a CI would obey is written as escapes. */
export function json(report: Report, context: Context): string {
  return `${jsonText({ ...plain(report), loosened: context.loosened })}\n`
}

/** Indented JSON that is safe to print. Outside strings JSON has only ASCII, and no "#", so an escape can only fall into a string. */
export function jsonText(value: unknown): string {
  const exact = (_name: string, member: unknown): unknown => (typeof member === 'bigint' ? Number(member) : member)
  return JSON.stringify(value, exact, 2).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{NChar}]|(?<=#)#/gu, (c) =>
    c === '\n' ? c : escapes(c),
  )
}

function escapes(character: string): string {
  return Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')
}

/** A Report and the Reports of its sublayouts without what renderers leave out. */
function plain({ summary: _summary, chain: _chain, ...report }: Report): Omit<Report, 'summary' | 'chain'> {
  const steps = report.steps.map((step) => (step.sublayout === undefined ? step : { ...step, sublayout: plain(step.sublayout) }))
  return { ...report, steps }
}
