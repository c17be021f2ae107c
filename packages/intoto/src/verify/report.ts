/**
 * The Report: everything a verification found, as data that can be written as JSON, and the error that carries it. Made by the verification,
 * rendered by the command line, drawn by pages. Never holds bytes of files or keys.
 */
import { InTotoError, type Problem } from '../errors.ts'
import type { Link } from '../model/link.ts'

/** The verdict and what led to it. `schema/report.schema.json` describes its JSON form; it changes only with `schemaVersion`. */
export interface Report {
  schemaVersion: 1
  /** True only when every check passed on the bytes that were read. */
  ok: boolean
  /** Only the steps up to this one were looked at, and no inspection. */
  partial?: { through: string }
  /** The time of the verification, ISO 8601 in UTC. */
  time: string
  layout: LayoutReport
  /** In layout order. */
  steps: StepReport[]
  inspections: StepReport[]
  product?: ProductReport
  /** Errors and warnings of all phases that ran; `ok` means that there is no error among them. */
  problems: Problem[]
  /** The whole chain as one link (specification 5.2); only when all steps hold. Renderers leave it out. */
  summary?: Link
  /** One link for each step, then each inspection, as compared by the rules; for `explainArtifact`. Renderers leave it out. */
  chain?: Link[]
}

/** Who promised what until when. */
export interface LayoutReport {
  file?: string
  expires?: string
  /** The given keys whose signature holds. */
  signers: Who[]
}

/** A key, and the name under which the caller knows it. */
export interface Who {
  keyid: string
  name?: string
}

/** One step or inspection. */
export interface StepReport {
  name: string
  kind: 'step' | 'inspection'
  /** `unchecked`: an earlier phase failed, or the step lies behind `through`. */
  status: 'ok' | 'fail' | 'unchecked'
  /** Functionaries needed; 0 for an inspection. */
  threshold: number
  /** Links that were found under ids that may carry out this step. */
  links: LinkReport[]
  /** Number of materials and products in the link that the rules saw. */
  materials: number
  products: number
  /** What was run, as the link says. */
  command: string[]
  rules: RuleReport[]
  /** The verification of a layout delivered in place of a link. */
  sublayout?: Report
  /** Texts of the warnings that concern this step; each is a problem of the Report, too. */
  warnings: string[]
}

/** One link file of a step. */
export interface LinkReport {
  file: string
  keyid: string
  name?: string
  /** Its signature holds and it was counted toward the threshold. */
  counted: boolean
  /** `dsse` or `metablock`; `unknown` when the file could not be read. */
  format: 'dsse' | 'metablock' | 'unknown'
}

/** What one artifact rule did. */
export interface RuleReport {
  list: 'expected_materials' | 'expected_products'
  /** Zero-based position in the list. */
  index: number
  text: string
  ok: boolean
  /** Artifacts that this rule took off the queue. */
  consumed: number
  /** Their names, when tracing was asked for. */
  names?: string[]
}

/** The comparison of what lies on the disk with what the links say. */
export interface ProductReport {
  path: string
  kind: 'folder' | 'file'
  /** Files that are as a link says. */
  matched: number
  /** Files of evidence among them: links, byte-equal to those that were verified, and Statements of theirs. */
  links: number
  added: number
  missing: number
  changed: number
}

/** The verdict "no", with every problem found; `problem` is the first of them. */
export class VerificationError extends InTotoError {
  override readonly name: string = 'VerificationError'
  readonly report: Report

  constructor(report: Report) {
    const first = report.problems.find((found) => found.severity === 'error')
    super(first ?? { code: 'E_FORMAT', message: 'not verified' })
    this.report = report
  }
}
