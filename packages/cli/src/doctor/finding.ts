/**
 * What `intoto doctor` can find: the closed list of findings with how much each matters, and one finding with its repair. The checks beside this
 * file make them. The names are stable and stand in docs/doctor.md; a finding never holds key bytes, nor what stands in a file of settings.
 */
import { InTotoError, type ProblemCode } from 'intoto'

/** An error breaks or bypasses the evidence, a warning is about to, a note is worth knowing. */
export type Severity = 'error' | 'warning' | 'note'

/** Every finding: how much it matters, and the code that a command would give the problem. */
export const catalog = {
  'manifest-absent': ['error', 'E_CONFIG'],
  'manifest-broken': ['error', 'E_CONFIG'],
  'not-checked': ['warning', 'E_IO'],
  'key-unusable': ['error', 'E_KEY'],
  'key-locked': ['note', 'E_KEY'],
  'key-readable': ['warning', 'E_KEY'],
  'key-tracked': ['error', 'E_KEY'],
  'key-packed': ['error', 'E_KEY'],
  'key-in-project': ['warning', 'E_KEY'],
  'key-not-in-layout': ['warning', 'E_ACTOR'],
  'layout-absent': ['warning', 'E_CONFIG'],
  'layout-broken': ['error', 'E_LAYOUT_INVALID'],
  'layout-unsigned': ['error', 'E_LAYOUT_SIGNATURE'],
  'layout-expired': ['error', 'E_LAYOUT_EXPIRED'],
  'layout-expires-soon': ['warning', 'E_LAYOUT_EXPIRED'],
  'layout-lint': ['warning', 'E_LAYOUT_INVALID'],
  'evidence-ignored': ['warning', 'E_CONFIG'],
  'link-broken': ['warning', 'E_FORMAT'],
  'link-key-id': ['error', 'E_MISSING_STEP'],
  'link-actor': ['warning', 'E_ACTOR'],
  'link-stale': ['warning', 'E_PRODUCT'],
  'link-deployed': ['note', 'E_CONFIG'],
  'time-ahead': ['warning', 'E_CONFIG'],
  'eol-differs': ['warning', 'E_CONFIG'],
  'eol-converted': ['warning', 'E_CONFIG'],
  'eol-unpinned': ['note', 'E_CONFIG'],
  'gate-absent': ['warning', 'E_CONFIG'],
  'gate-too-late': ['error', 'E_CONFIG'],
  'gate-on-install': ['error', 'E_CONFIG'],
  'gate-too-early': ['warning', 'E_CONFIG'],
  'gate-skipped': ['error', 'E_CONFIG'],
  'gate-yarn': ['error', 'E_CONFIG'],
  'postpack-absent': ['warning', 'E_CONFIG'],
  'postpack-unverified': ['warning', 'E_CONFIG'],
  'postpack-misplaced': ['error', 'E_CONFIG'],
  'plugin-unused': ['warning', 'E_NOT_RECORDED'],
  'plugin-twice': ['warning', 'E_CONFIG'],
  'plugin-not-last': ['warning', 'E_CONFIG'],
  'plugin-disabled': ['warning', 'E_NOT_RECORDED'],
  'versions-differ': ['warning', 'E_CONFIG'],
  'repository-absent': ['note', 'E_CONFIG'],
  'repository-differs': ['warning', 'E_CONFIG'],
  'ci-unsigned': ['warning', 'E_NOT_RECORDED'],
  'ci-not-required': ['warning', 'E_CONFIG'],
  'ci-required-in-forks': ['warning', 'E_CONFIG'],
  'ci-key-in-forks': ['error', 'E_KEY'],
  'ci-key-in-file': ['error', 'E_KEY'],
  'variable-unknown': ['warning', 'E_CONFIG'],
} as const

/** Stable name of a finding. */
export type FindingId = keyof typeof catalog

/** One thing that is wrong, or about to be, and what to do. */
export interface Finding {
  readonly id: FindingId
  readonly severity: Severity
  readonly code: ProblemCode
  /** The file, script, variable or key that it is about. */
  readonly file: string
  readonly message: string
  /** Commands to type or lines to write, most helpful first. */
  readonly fix: readonly string[]
}

/** Makes a finding. */
export function finding(id: FindingId, file: string, message: string, fix: string | readonly string[]): Finding {
  const [severity, code] = catalog[id]
  return { id, severity, code, file, message, fix: typeof fix === 'string' ? [fix] : fix }
}

/** What an error says, without the stack. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}

/** A finding that a caught error is the reason of; what it says to do comes first. */
export function faulty(id: FindingId, file: string, error: unknown, fix: string): Finding {
  const own = error instanceof InTotoError ? error.problem.fix : []
  return finding(id, file, reasonOf(error), own.length > 0 ? own : [fix])
}
