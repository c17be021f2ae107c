/**
 * The GitLab jobs, as far as they go without GitLab: the keywords that a job may have, and each script run by both shells that its runner may take,
 * in a real chain, with variables in the environment. https://docs.gitlab.com/ci/yaml/
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseYAML } from 'confbox'
import { beforeAll, describe, expect, test } from 'vitest'
import { copyOf, type Chain } from '../cli/chain.ts'
import type { Ended } from '../cli/command.ts'
import { argumentsOf, integration, makeProject, runScript, withNpx } from './ci.ts'

interface Job {
  variables: Record<string, string>
  script: string[]
  artifacts: { when?: string; paths: string[]; reports?: Record<string, string> }
}

const text = integration('gitlab/in-toto.gitlab-ci.yml')
const jobs = parseYAML<Record<string, Job>>(text)

test('only hidden jobs to extend, with keywords that jobs have', () => {
  expect(Object.keys(jobs)).toEqual(['.in-toto-verify', '.in-toto-step'])
  for (const job of Object.values(jobs)) {
    expect(Object.keys(job)).toEqual(['variables', 'script', 'artifacts'])
    for (const [name, value] of Object.entries(job.variables))
      expect([name, typeof value]).toEqual([expect.stringMatching(/^IN_TOTO_[A-Z_]+$/), 'string'])
    expect(job.script.every((line) => typeof line === 'string')).toBe(true)
    expect(Object.keys(job.artifacts).every((name) => ['when', 'paths', 'reports'].includes(name))).toBe(true)
  }
  expect(Object.keys(jobs['.in-toto-verify']?.artifacts.reports ?? {})).toEqual(['junit', 'codequality'])
})

test('every variable is used, nothing is used that is none, nothing is put into a script as text', () => {
  for (const { variables, script, artifacts } of Object.values(jobs)) {
    const used = new Set(Array.from(JSON.stringify([script, artifacts]).matchAll(/\$\{?(IN_TOTO_\w+)/g), ([, name = '']) => name))
    expect([...used].sort()).toEqual(Object.keys(variables).sort())
  }
  expect(text).not.toMatch(/\$\[\[|\beval\b|INTOTO_KEY|INTOTO_PASSWORD/)
})

/** GitLab's runner takes bash where an image has it, else sh, and writes all lines of a script into one. */
function run(chain: Chain, o: { shell: string; job: string; variables?: Record<string, string>; env?: NodeJS.ProcessEnv }): Ended {
  const job = jobs[o.job] as Job
  const flags = o.shell === 'bash' ? ['-eo', 'pipefail'] : ['-e']
  return runScript([o.shell, ...flags], [...job.script, 'echo went on'].join('\n'), {
    cwd: chain.root,
    env: { GITLAB_CI: 'true', ...withNpx(chain), ...o.env, ...job.variables, ...o.variables },
    keep: chain.keys,
  })
}

describe.skipIf(process.platform === 'win32').each(['bash', 'sh'])('by %s', (shell) => {
  let whole: Chain
  beforeAll(() => {
    whole = makeProject()
  })
  const verify = (chain: Chain, variables: Record<string, string>): Ended => run(chain, { shell, job: '.in-toto-verify', variables })

  test('yes: 0, and the artifacts are there', () => {
    const { code, out, err } = verify(whole, { IN_TOTO_THROUGH: 'build' })
    expect(code, out + err).toBe(0)
    expect(out).toMatch(/Verified up to "build"[^]*went on\n$/)
    const { paths, reports } = (jobs['.in-toto-verify'] as Job).artifacts
    for (const path of [...paths, ...Object.values(reports ?? {})]) expect(existsSync(join(whole.root, path)), path).toBe(true)
    expect(readFileSync(join(whole.root, 'in-toto-quality.json'), 'utf8')).toBe('[]\n')
  })

  test('tampered with: 1, and the artifacts say so', () => {
    const chain = copyOf(whole)
    appendFileSync(join(chain.root, 'dist/index.js'), 'evil')
    const { code, out } = verify(chain, { IN_TOTO_THROUGH: 'build' })
    expect(code).toBe(1)
    expect(out).not.toContain('went on')
    const [found] = JSON.parse(readFileSync(join(chain.root, 'in-toto-quality.json'), 'utf8')) as { check_name: string }[]
    expect(found?.check_name).toBe('E_TAMPER')
    expect(readFileSync(join(chain.root, 'in-toto-junit.xml'), 'utf8')).toContain('<failure type="E_TAMPER"')
  })

  test('a step is carried out and signed, its key in no argument, and its link is an artifact', () => {
    const chain = copyOf(whole)
    const env = { INTOTO_KEY_FILE: join(chain.keys, 'alice') }
    argumentsOf(chain)
    const variables = {
      IN_TOTO_STEP: 'test',
      IN_TOTO_COMMAND: 'node --check dist/index.js',
      IN_TOTO_MATERIALS: 'package.json\nsrc\ndist\n',
    }
    const { code, out, err } = run(chain, { shell, job: '.in-toto-step', variables, env })
    expect(code, out + err).toBe(0)
    const words =
      '--no -- intoto run --step-name test --metadata-directory in-toto --materials package.json src dist -- node --check dist/index.js'
    expect(argumentsOf(chain)).toEqual(words.split(' '))
    expect(verify(chain, { IN_TOTO_THROUGH: 'test' }).code).toBe(0)
    const failing = { IN_TOTO_STEP: 'test', IN_TOTO_COMMAND: 'node\n-e\nprocess.exit(process.argv.length + 5)\nwith a space' }
    expect(run(chain, { shell, job: '.in-toto-step', variables: failing, env }).code).toBe(7)
  })

  test('nothing in a variable becomes a command or a flag', () => {
    const order = `a b"; touch hacked; "$(touch hacked)\`touch hacked\`'; touch hacked; '* & ../*`
    argumentsOf(whole)
    for (const [job, { variables }] of Object.entries(jobs)) {
      const given = Object.fromEntries(Object.keys(variables).map((name) => [name, name === 'IN_TOTO_COMMAND' ? `touch\n${order}` : order]))
      expect(run(whole, { shell, job, variables: given, env: { ONLY_TOLD: '1' } }).code).toBe(0)
      const said = argumentsOf(whole)
      expect(said.filter((word) => word === order)).toHaveLength(Object.keys(variables).length)
      expect(said.slice(0, 5)).toEqual(['--yes', '--package', order, '--', 'intoto'])
    }
    expect(existsSync(join(whole.root, 'hacked'))).toBe(false)
    for (const variables of [{ IN_TOTO_PRODUCT: 'dist\n--command-mismatch\nwarn' }, { IN_TOTO_LAYOUT: '-x' }]) {
      const { code, err } = verify(whole, variables)
      expect([code, err]).toEqual([2, 'in-toto: a variable begins with "-": it would be taken for a flag\n'])
    }
    expect(argumentsOf(whole)).toEqual([])
  })
})
