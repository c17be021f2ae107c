/** Builds in CI, for `intoto doctor`: do they get the key where they must sign, and never where a stranger's code runs. No value is ever told. */
import { bundlers } from '../init/bundler.ts'
import { type Finding, finding } from './finding.ts'
import { expanded } from './script.ts'
import type { Situation } from './situation.ts'
import { type Job, type Step, type Workflow, workflows } from './workflow.ts'

/** What is to be said of each workflow. */
export function checkWorkflows(s: Situation): Finding[] {
  if (!s.isSetUp) return []
  const all = workflows(s)
  return [...all.flatMap((workflow) => exposed(workflow)), ...all.flatMap((workflow) => required(workflow, s)), ...unsigned(all, s)]
}

const keyNames = ['INTOTO_KEY', 'INTOTO_KEY_FILE']

/** A key in the open: written into the file, or given to a workflow that runs what a pull request brings. */
function exposed({ file, jobs, events }: Workflow): Finding[] {
  const steps = jobs.flatMap(({ steps }) => steps)
  const literal = steps.some(({ env }) => ['INTOTO_KEY', 'INTOTO_PASSWORD'].some((name) => isLiteral(env[name])))
  const secret = 'INTOTO_KEY: ${{ secrets.INTOTO_KEY }}'
  if (literal) {
    const message = 'holds a key or a password in plain text, for everybody who can read the repository'
    return [finding('ci-key-in-file', file, message, [`make a new key, put it into the secrets of the repository, and write: ${secret}`])]
  }
  if (!events.includes('pull_request_target') || !steps.some(hasKey)) return []
  const message = 'gives the key to builds of pull_request_target, which may run the code of a stranger'
  return [finding('ci-key-in-forks', file, message, 'build pull requests on "pull_request", without the key')]
}

function isLiteral(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '' && !value.includes('${{')
}

/** Pull requests from forks have no secrets. */
const outsideOfPullRequests = "${{ github.event_name != 'pull_request' && '1' || '' }}"

/** Releases must not go out unsigned; pull requests from forks have no secrets and must build all the same. */
function required(workflow: Workflow, s: Situation): Finding[] {
  const { file, events, jobs } = workflow
  return jobs.flatMap((job) => {
    const builds = job.steps.filter((step) => isBuild(step, s))
    if (builds.length === 0) return []
    if (isRelease(job, workflow) && builds.some(hasKey) && !builds.some(isRequired)) {
      const message = `the job "${job.name}" releases, and without its secret it would build unsigned and say nothing`
      const value = events.includes('pull_request') ? outsideOfPullRequests : "'1'"
      return [finding('ci-not-required', file, message, `beside INTOTO_KEY: INTOTO_REQUIRED: ${value}`)]
    }
    if (!events.includes('pull_request')) return []
    const strict = builds.find(
      (step) => isLiteral(step.env['INTOTO_REQUIRED']) && isRequired(step) && !/fork|event|pull_request/.test(step.condition),
    )
    if (strict === undefined) return []
    const message = `the job "${job.name}" sets INTOTO_REQUIRED for pull requests, too: those from forks have no key, and every one of them fails`
    const fix = `INTOTO_REQUIRED: ${outsideOfPullRequests}`
    return [finding('ci-required-in-forks', file, message, [fix, 'or set it in the workflow that releases only'])]
  })
}

/** No build of CI signs, or the one that releases doesn't. */
function unsigned(all: readonly Workflow[], s: Situation): Finding[] {
  const building = all.flatMap((workflow) =>
    workflow.jobs.flatMap((job) => {
      const builds = job.steps.filter((step) => isBuild(step, s))
      return builds.length === 0 ? [] : [{ workflow, job, signs: builds.some(hasKey) }]
    }),
  )
  const releasing = building.find(({ workflow, job, signs }) => !signs && isRelease(job, workflow))
  const nowhere = building.some(({ signs }) => signs) ? undefined : building.at(0)
  const found = releasing ?? nowhere
  if (found === undefined) return []
  const message = `the job "${found.job.name}" builds without INTOTO_KEY, so CI leaves no signed link`
  return [
    finding('ci-unsigned', found.workflow.file, message, [
      "env: { INTOTO_KEY: '${{ secrets.INTOTO_KEY }}', INTOTO_PASSWORD: '${{ secrets.INTOTO_PASSWORD }}' }",
      'the key: npx intoto keygen -o ../ci, and its text into the secret INTOTO_KEY',
    ]),
  ]
}

function hasKey({ env, run }: Step): boolean {
  return keyNames.some((name) => env[name] !== undefined || new RegExp(`\\b${name}=`).test(run))
}

function isRequired({ env, run }: Step): boolean {
  const value = env['INTOTO_REQUIRED']
  return value === undefined ? /\bINTOTO_REQUIRED=/.test(run) : !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase())
}

/** Programs that build, as they are called in scripts. */
const builder = new RegExp(
  `(?:^|[\\s;&|/])(?:(?:${bundlers.map(({ name }) => name).join('|')}|svelte-kit|vitepress)\\s+build\\b|(?:rollup|rolldown|webpack|rspack|esbuild|tsup|tsdown)(?:\\s|$)|intoto\\s+(?:run|pack|publish)\\b)`,
)

function isBuild({ run }: Step, s: Situation): boolean {
  return builder.test(expanded(s.scripts, run, 3)) || /\b(?:npm|pnpm|yarn|bun)(?:\s+run)?\s+build\b/.test(run)
}

function isRelease(job: Job, { isForReleases }: Workflow): boolean {
  const publishing = /\b(?:npm|pnpm|yarn|bun|intoto)(?:\s+npm)?\s+publish\b(?![^\n&|;]*--dry-run)/
  return isForReleases || job.steps.some(({ run }) => publishing.test(run))
}
