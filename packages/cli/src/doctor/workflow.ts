/**
 * Workflows of GitHub Actions, for `intoto doctor`, as far as they matter to evidence: what runs, on which events, with which variables. It evaluates no
 * expression, and what is no workflow is passed over.
 */
import { join } from 'node:path'
import { parseYAML } from 'confbox/yaml'
import { namesIn, type Situation, textOf } from './situation.ts'

/** A workflow file. */
export interface Workflow {
  readonly file: string
  readonly text: string
  /** Names of the events that start it. */
  readonly events: readonly string[]
  /** Is it started for tags or releases alone? */
  readonly isForReleases: boolean
  readonly jobs: readonly Job[]
}

/** A job of it. */
export interface Job {
  readonly name: string
  readonly steps: readonly Step[]
}

/** A step that runs a command line, with all variables that it sees. */
export interface Step {
  readonly run: string
  readonly env: Readonly<Record<string, string>>
  /** Conditions of the step and of its job. */
  readonly condition: string
}

/** All workflows of the repository, or of this folder where there is none. */
export function workflows({ repository }: Pick<Situation, 'repository'>): Workflow[] {
  const folder = join(repository ?? '.', '.github/workflows')
  return namesIn(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .flatMap((name) => {
      const text = textOf(join(folder, name))
      const root = text === undefined ? undefined : parsed(text)
      return text === undefined || root === undefined ? [] : [workflowOf(`.github/workflows/${name}`, text, root)]
    })
}

type Node = Readonly<Record<string, unknown>>

function parsed(text: string): Node | undefined {
  try {
    return nodeOf(parseYAML(text, { maxAliases: 100 }))
  } catch {
    return undefined
  }
}

function nodeOf(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : undefined
}

function workflowOf(file: string, text: string, root: Node): Workflow {
  const on = root['on']
  const events =
    typeof on === 'string' ? [on] : Array.isArray(on) ? on.filter((one) => typeof one === 'string') : Object.keys(nodeOf(on) ?? {})
  const push = nodeOf(nodeOf(on)?.['push'])
  const isForReleases =
    events.length > 0 &&
    events.every((event) => event === 'release' || event === 'workflow_dispatch' || (event === 'push' && onlyTags(push)))
  const env = textsOf(root['env'])
  const jobs = Object.entries(nodeOf(root['jobs']) ?? {}).map(([name, job]) => ({ name, steps: stepsOf(nodeOf(job) ?? {}, env) }))
  return { file, text, events, isForReleases, jobs }
}

function onlyTags(push: Node | undefined): boolean {
  return push?.['tags'] !== undefined && push['branches'] === undefined
}

function stepsOf(job: Node, outer: Readonly<Record<string, string>>): Step[] {
  const steps = job['steps']
  if (!Array.isArray(steps)) return []
  const env = { ...outer, ...textsOf(job['env']) }
  return steps.flatMap((value: unknown) => {
    const step = nodeOf(value)
    if (step === undefined || typeof step['run'] !== 'string') return []
    const condition = [job['if'], step['if']].filter((one) => typeof one === 'string').join(' ')
    return [{ run: step['run'], env: { ...env, ...textsOf(step['env']) }, condition }]
  })
}

function textsOf(value: unknown): Record<string, string> {
  const scalars = Object.entries(nodeOf(value) ?? {}).filter(([, one]) => ['string', 'number', 'boolean'].includes(typeof one))
  return Object.fromEntries(scalars.map(([name, one]) => [name, String(one)]))
}
