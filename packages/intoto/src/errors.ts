/**
 * The one problem type, from the reader to the terminal, and the errors that carry it. Everything in this package and above throws these;
 * only the command line and the bundlers' own loggers print them. A problem never holds key bytes or file contents.
 */

/** Stable names of all that can go wrong. Codes are API, texts are not. */
export type ProblemCode =
  | 'E_ACTOR'
  | 'E_SIGNATURE'
  | 'E_TAMPER'
  | 'E_MISSING_STEP'
  | 'E_COMMAND'
  | 'E_RULE'
  | 'E_THRESHOLD'
  | 'E_LAYOUT_EXPIRED'
  | 'E_LAYOUT_SIGNATURE'
  | 'E_LAYOUT_INVALID'
  | 'E_INSPECTION'
  | 'E_PRODUCT'
  | 'E_CHANGED_DURING_BUILD'
  | 'E_NOT_RECORDED'
  | 'E_KEY'
  | 'E_CONFIG'
  | 'E_IO'
  | 'E_FORMAT'
  | 'E_UNSUPPORTED'

/** One side of a disagreement: what was said, and by which file. */
export interface Evidence {
  /** A digest, a command line, a key, a number: as text that a person can compare. */
  text: string
  /** Where it stands: a link file, a layout path, a file on disk. */
  from?: string
  /** Who said it: "build wrote", "package read". */
  label?: string
}

/** Place of an artifact rule in its layout. */
export interface RuleRef {
  /** The rule as its owner would write it. */
  text: string
  /** Step or inspection that carries it. */
  step: string
  list: 'expected_materials' | 'expected_products'
  /** Zero-based position in that list. */
  index: number
}

/** Anything that keeps a verdict from being yes, or that a person should know. */
export interface Problem {
  code: ProblemCode
  severity: 'error' | 'warning'
  /** One line: what, where, expected, found. */
  message: string
  step?: string
  /** The artifact, link or other file that the problem is about. */
  file?: string
  expected?: Evidence
  actual?: Evidence
  rule?: RuleRef
  /** A guess at the reason; always shown as "likely". */
  cause?: string
  /** What to do, most helpful first. */
  fix: readonly string[]
}

/** Everything of a problem but what has a default. */
export type ProblemInit = Omit<Problem, 'severity' | 'fix'> & { severity?: Problem['severity']; fix?: string | readonly string[] }

/** Makes a problem; an error unless said otherwise. */
export function problem(init: ProblemInit): Problem {
  const fix = init.fix === undefined ? [] : typeof init.fix === 'string' ? [init.fix] : init.fix
  return { ...init, severity: init.severity ?? 'error', fix }
}

/** Every failure that a person can cause. `cause` is kept whenever there is one. */
export class InTotoError extends Error {
  override readonly name: string = 'InTotoError'
  readonly problem: Problem

  constructor(init: ProblemInit, options?: { cause?: unknown }) {
    super(init.message, options)
    this.problem = problem(init)
  }

  /** The stable name of what went wrong. */
  get code(): ProblemCode {
    return this.problem.code
  }
}
