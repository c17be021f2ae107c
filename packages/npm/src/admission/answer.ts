/**
 * Answers as HTTP has them: JSON, one line for each reason, nothing kept by caches. The handler, and what reads requests for it, speak through here. No
 * answer holds a stack trace, and every text from outside is spelled so that it can't drive a terminal.
 */
import { InTotoError, type Problem, type ProblemInit, type Report } from 'intoto'
import { printable } from 'intoto/node'

/** A request that can't be answered with a verdict, and the status that says so. */
export class RequestError extends InTotoError {
  readonly status: number

  constructor(status: number, init: ProblemInit) {
    super(init)
    this.status = status
  }
}

/** The verdict about one image or package. */
export interface Verdict {
  /** As it was asked for. */
  readonly subject: string
  readonly allowed: boolean
  /** Errors and warnings; those of the Report, if there is one. */
  readonly problems: readonly Problem[]
  /** Absent when there was nothing to judge, or nothing to judge it by. */
  readonly report?: Report
}

/** Longest reason, and most of them in one answer: they are read on a terminal. */
const reasonLength = 600
const mostReasons = 20

/** An answer with a JSON body. */
export function jsonResponse(status: number, value: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${printableJson(JSON.stringify(value, withoutEvidence))}\n`, {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}

/** The summary link and the chain are evidence and no verdict; renderers leave them out. */
function withoutEvidence(name: string, value: unknown): unknown {
  return name === 'summary' || name === 'chain' ? undefined : value
}

/** Outside of strings JSON has only ASCII, so that what would drive a terminal can stand as an escape. */
function printableJson(text: string): string {
  const unit = (character: string, i: number): string => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => Array.from({ length: c.length }, (_, i) => unit(c, i)).join(''))
}

/** Code, text and the first advice of a problem, as one line. */
export function reasonOf({ code, message, fix: [fix] }: Problem): string {
  return shorten(printable(`${code} ${message}${fix === undefined ? '' : `; try: ${fix}`}`), reasonLength)
}

/** What stands in the way, one line each, and how many more there are. */
export function reasonsOf(problems: readonly Problem[]): string[] {
  const lines = [...new Set(problems.filter(({ severity }) => severity === 'error').map(reasonOf))]
  const left = lines.length - mostReasons
  return left > 0 ? [...lines.slice(0, mostReasons), `and ${left} more`] : lines
}

/** What does not stand in the way and is worth knowing. */
export function warningsOf(problems: readonly Problem[]): string[] {
  const lines = new Set(problems.filter(({ severity }) => severity === 'warning').map(({ code, message }) => `${code} ${message}`))
  // Kubernetes cuts each after 256 characters
  return [...lines].slice(0, mostReasons).map((line) => shorten(printable(line), 250))
}

/** At most so many UTF-16 units, and no half of a pair. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** Problem of an error: its own, or only that something went wrong. */
export function problemOf(error: unknown): Problem {
  if (error instanceof InTotoError) return { ...error.problem, severity: 'error' }
  // no code of the list fits a fault of ours; what cannot be used is the nearest
  return {
    code: 'E_UNSUPPORTED',
    severity: 'error',
    message: 'internal error: nothing was verified',
    fix: ['look into the log of the admission'],
  }
}
