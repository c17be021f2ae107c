/**
 * The state of one verification: the layout, what was found for its steps, and the Report in the making. Shared by the phases in this folder,
 * which run one after the other; each adds problems and fills its part. Never decides anything.
 */
import type { Limits } from '../encoding/json.ts'
import { problem, type Problem, type ProblemInit } from '../errors.ts'
import type { Key } from '../keys/key.ts'
import type { Layout, Step } from '../model/layout.ts'
import type { Link } from '../model/link.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { VerifyOptions } from './options.ts'
import type { Report, StepReport, Who } from './report.ts'
import type { ChainLink } from './rules.ts'

/** What a layout and all its sublayouts have in common. */
export interface Session {
  readonly options: VerifyOptions
  readonly limits: Limits
  readonly now: Date
  /** Every file whose link, sublayout or Statement holds: inspections must not take them for artifacts. */
  readonly files: string[]
  /** How often each file was opened. */
  readonly uses: Map<string, number>
  /** What may still be spent on saying who signed a file that does not count. */
  readonly explaining: { bytes: number }
}

/** Bytes that are read and tried against keys, all in all, to explain a refusal; honest links are far smaller. */
export const mostExplained: number = 64 * 1024 * 1024

/** A file found for a step under the id of one authorised key. */
export interface Candidate {
  readonly file: string
  /** As the layout lists it. */
  readonly keyid: string
  readonly key: Key
  readonly metadata?: Metadata
  /** Under clean names; of a sublayout, its summary once it is verified. */
  link?: Link
  readonly sublayout?: Metadata<Layout>
  /** Why it does not count. A warning when the file counts as absent, an error when it holds something that is refused. */
  readonly fault?: ProblemInit
}

/** One step and the links found for it. */
export interface StepRun {
  readonly step: Step
  readonly report: StepReport
  candidates: Candidate[]
  /** Those without a fault, in the order of the layout's `pubkeys`. */
  valid: Candidate[]
}

/** One layout being verified. */
export class Run {
  readonly session: Session
  readonly metadata: Metadata
  /** From signed bytes; after the phase of parameters, with their values. */
  layout: Layout
  readonly report: Report
  steps: StepRun[] = []
  readonly chain: Map<string, ChainLink> = new Map()
  /** Sublayouts in the order of their steps. */
  readonly sublayouts: { readonly step: string; readonly run: Run }[] = []
  /** The run whose step this layout stands for. */
  readonly parent: Run | undefined
  /** Names that the layout itself gives to its keys. */
  names: ReadonlyMap<string, string> = new Map()

  constructor(session: Session, metadata: Metadata, place: { file?: string; parent?: Run } = {}) {
    this.session = session
    this.metadata = metadata
    this.layout = metadata.payload as Layout
    this.parent = place.parent
    const { through } = session.options
    this.report = {
      schemaVersion: 1,
      ok: false,
      ...(through === undefined ? {} : { partial: { through } }),
      time: session.now.toISOString(),
      layout: { ...(place.file === undefined ? {} : { file: place.file }), signers: [] },
      steps: [],
      inspections: [],
      problems: [],
    }
  }

  /** Records a problem, with its step if it has one. */
  add(init: ProblemInit): void {
    const found: Problem = problem(init)
    this.report.problems.push(found)
    const owner = [...this.report.steps, ...this.report.inspections].find(({ name }) => name === found.step)
    if (owner === undefined) return
    if (found.severity === 'warning') owner.warnings.push(found.message)
    else owner.status = 'fail'
  }

  /** Problems of a sublayout are problems of the step that it stands for. */
  absorb(step: string, problems: readonly Problem[]): void {
    for (const found of problems) this.report.problems.push({ ...found, step: found.step === undefined ? step : `${step}/${found.step}` })
    const report = this.report.steps.find(({ name }) => name === step)
    if (report !== undefined && problems.some(({ severity }) => severity === 'error')) report.status = 'fail'
  }

  get failed(): boolean {
    return this.report.problems.some(({ severity }) => severity === 'error')
  }

  /** The key as people know it. */
  who(keyid: string): Who {
    const name = this.session.options.names?.get(keyid) ?? this.names.get(keyid)
    return name === undefined ? { keyid } : { keyid, name }
  }

  /** How the layout is called in messages. */
  get title(): string {
    return this.report.layout.file ?? 'layout'
  }
}
