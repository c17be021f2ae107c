/**
 * What provenance says of a build in GitHub Actions: to the letter what npm says there, so that whoever reads npm's provenance reads ours. `package.ts`
 * calls it with the environment. It never guesses a variable that is missing.
 */
import { InTotoError } from 'intoto'

/** Environment variables, handed in by whoever may read the process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Prefix of the builder ids that only GitHub's own runners may bear. */
const githubBuilder = 'https://github.com/actions/runner'

/** The build type of GitHub's workflows (slsa-framework/github-actions-buildtypes). */
export const githubBuildType = 'https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1'

/** The two halves of SLSA provenance v1. */
export interface Build {
  buildDefinition: { buildType: string; externalParameters: object; internalParameters: object; resolvedDependencies: object[] }
  runDetails: { builder: { id: string; version?: object }; metadata?: object; byproducts?: object[] }
}

/** Do these variables come from a GitHub Actions job? (npm asks the same.) */
export function isGitHubActions(environment: Environment): boolean {
  const value = environment['GITHUB_ACTIONS']
  return value !== undefined && value !== '' && value !== 'false'
}

/** Does this builder id claim to be a runner of GitHub's? */
export function namesGitHub(builderId: string): boolean {
  return /^https?:\/\/([^/?#@]*@)?(www\.)?github\.com(?:[:/?#]|$)/i.test(builderId)
}

/**
 * Build definition and run details as npm 11 writes them in a GitHub Actions job (libnpmpublish, provenance.js).
 * @throws InTotoError E_CONFIG when the runner did not set what they consist of
 */
export function githubBuild(environment: Environment): Build {
  const read = (name: string): string => {
    const value = environment[name]
    if (value === undefined || value === '') throw incomplete(name)
    return value
  }
  const repository = `${read('GITHUB_SERVER_URL')}/${read('GITHUB_REPOSITORY')}`
  const workflow = read('GITHUB_WORKFLOW_REF').replace(`${read('GITHUB_REPOSITORY')}/`, '')
  const at = workflow.indexOf('@')
  if (at < 0) throw incomplete('GITHUB_WORKFLOW_REF')
  const runner = read('RUNNER_ENVIRONMENT')
  if (runner !== 'github-hosted' && runner !== 'self-hosted') throw incomplete('RUNNER_ENVIRONMENT')
  return {
    buildDefinition: {
      buildType: githubBuildType,
      externalParameters: { workflow: { ref: workflow.slice(at + 1), repository, path: workflow.slice(0, at) } },
      internalParameters: {
        github: {
          event_name: read('GITHUB_EVENT_NAME'),
          repository_id: read('GITHUB_REPOSITORY_ID'),
          repository_owner_id: read('GITHUB_REPOSITORY_OWNER_ID'),
        },
      },
      resolvedDependencies: [{ uri: `git+${repository}@${read('GITHUB_REF')}`, digest: { gitCommit: read('GITHUB_SHA') } }],
    },
    runDetails: {
      builder: { id: `${githubBuilder}/${runner}` },
      metadata: { invocationId: `${repository}/actions/runs/${read('GITHUB_RUN_ID')}/attempts/${read('GITHUB_RUN_ATTEMPT')}` },
    },
  }
}

function incomplete(name: string): InTotoError {
  const message = `GITHUB_ACTIONS is set, but ${name} is not what a runner sets it to: provenance would name a build that did not happen`
  return new InTotoError({
    code: 'E_CONFIG',
    message,
    fix: 'unset GITHUB_ACTIONS outside of GitHub Actions, or pass all GITHUB_ and RUNNER_ variables on',
  })
}
