/**
 * The composite action, as far as it goes without GitHub: its metadata as the reference demands it, and each of its steps run by bash in a real
 * chain, with inputs handed over as the runner does.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseYAML } from 'confbox'
import { beforeAll, describe, expect, test } from 'vitest'
import { copyOf, type Chain } from '../cli/chain.ts'
import type { Ended } from '../cli/command.ts'
import { argumentsOf, integration, makeProject, runScript, withNpx } from './ci.ts'

interface Step {
  name: string
  id?: string
  if?: string
  shell?: string
  run?: string
  uses?: string
  env?: Record<string, string>
  'working-directory'?: string
}

interface Action {
  name: string
  description: string
  inputs: Record<string, { description: string; default?: string; required?: boolean }>
  outputs: Record<string, { description: string; value: string }>
  runs: { using: string; steps: Step[] }
}

const text = integration('github-action/action.yml')
const action = parseYAML<Action>(text)
const { steps } = action.runs
const expressions = (part: unknown): string[] =>
  Array.from(JSON.stringify(part).matchAll(/\$\{\{\s*(.*?)\s*\}\}/g), ([, inner = '']) => inner)

describe('action.yml', () => {
  test('has the members that an action has, and no other', () => {
    expect(Object.keys(action).sort()).toEqual(['description', 'inputs', 'name', 'outputs', 'runs'])
    expect(Object.keys(action.runs)).toEqual(['using', 'steps'])
    expect(action.runs.using).toBe('composite')
    for (const input of Object.values(action.inputs)) {
      expect(Object.keys(input)).toEqual(['description', 'default'])
      expect([typeof input.description, typeof input.default]).toEqual(['string', 'string'])
    }
    for (const output of Object.values(action.outputs)) expect(Object.keys(output)).toEqual(['description', 'value'])
    for (const step of steps) {
      expect(step.shell).toBe('bash')
      expect(Object.keys(step).every((name) => ['name', 'id', 'if', 'shell', 'run', 'env', 'working-directory'].includes(name))).toBe(true)
    }
  })

  test('every input is used, and nothing is used that is none', () => {
    const used = new Set(expressions(steps).flatMap((inner) => Array.from(inner.matchAll(/inputs\.([\w-]+)/g), ([, name = '']) => name)))
    expect([...used].sort()).toEqual(Object.keys(action.inputs).sort())
    for (const { value } of Object.values(action.outputs)) {
      const [, id, name] = /^\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}$/.exec(value) ?? []
      expect(steps.find((step) => step.id === id)?.run, value).toMatch(new RegExp(`(?:echo "${name}=|place ${name} )`))
    }
  })

  test('no expression in a script, no action of others, no secret', () => {
    for (const step of steps) expect(step.run).not.toContain('${{')
    expect(steps.filter((step) => step.uses !== undefined)).toEqual([])
    expect(text).not.toMatch(/secrets\.|password|INTOTO_KEY/i)
    for (const { run = '', env = {} } of steps)
      for (const [, name = ''] of run.matchAll(/\$\{?(GIVEN_\w+)/g)) expect(Object.keys(env)).toContain(name)
  })
})

/** The value of an expression of this action. */
function valueOf(inner: string, inputs: Record<string, string>): string {
  const [, name = '', sign, literal = ''] = /^inputs\.([\w-]+)(?: (==|!=) '([^']*)')?$/.exec(inner) ?? []
  const value = inputs[name] ?? ''
  return sign === undefined ? value : String((value === literal) === (sign === '=='))
}

const evaluated = (part: string, inputs: Record<string, string>): string =>
  part.replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, inner: string) => valueOf(inner, inputs))

interface Run extends Ended {
  outputs: Record<string, string>
  summary: string
}

/** Uses the action in a workspace, with these inputs and this environment of the step that uses it. */
function use(chain: Chain, given: Record<string, string>, env: NodeJS.ProcessEnv = {}): Run {
  const defaults = Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? '']))
  const inputs = { ...defaults, 'working-directory': 'lib', ...given }
  const due = steps.filter((step) => evaluated(step.if ?? 'true', inputs) === 'true')
  expect(due).toHaveLength(1)
  const [step] = due as [Step]
  const workspace = join(chain.root, '..')
  const [output, summary] = [join(chain.keys, 'output'), join(chain.keys, 'summary.md')]
  for (const file of [output, summary]) writeFileSync(file, '')
  const handed = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, part]) => [name, evaluated(part, inputs)]))
  const ended = runScript(['bash', '--noprofile', '--norc', '-eo', 'pipefail'], step.run ?? '', {
    cwd: join(workspace, evaluated(step['working-directory'] ?? '.', inputs)),
    env: {
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: workspace,
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      ...withNpx(chain),
      ...env,
      ...handed,
    },
    keep: chain.keys,
  })
  const lines = readFileSync(output, 'utf8').split('\n').slice(0, -1)
  const outputs = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  return { ...ended, outputs, summary: readFileSync(summary, 'utf8') }
}

describe.skipIf(process.platform === 'win32')('its steps in a real chain', () => {
  let whole: Chain
  beforeAll(() => {
    whole = makeProject()
  })

  test('yes, by npx itself: 0, a summary, the report', () => {
    const { code, outputs, summary, out, err } = use(whole, { through: 'build', sarif: 'in-toto.sarif' }, { PATH: process.env['PATH'] })
    expect(code, out + err).toBe(0)
    expect(outputs).toEqual({ verdict: 'yes', report: 'lib/in-toto-report.html', sarif: 'lib/in-toto.sarif' })
    expect(summary).toContain('## in-toto: ✅')
    for (const path of [outputs['report'], outputs['sarif']]) expect(existsSync(join(whole.root, '..', path ?? ''))).toBe(true)
  })

  test('tampered with: 1, annotations, a summary, the report', () => {
    const chain = copyOf(whole)
    appendFileSync(join(chain.root, 'dist/index.js'), 'evil')
    const { code, outputs, summary, out, err } = use(chain, { through: 'build', report: 'a report.html' })
    expect(code).toBe(1)
    expect(outputs).toEqual({ verdict: 'no', report: 'lib/a report.html' })
    expect(out + err).toMatch(/^::error file=lib\/dist\/index\.js,title=E_TAMPER::/m)
    expect(summary).toContain('## in-toto: ❌ Not verified')
  })

  test('what can’t be judged is neither, and no older report is taken for its own', () => {
    const { code, outputs, out, err } = use(whole, { layout: 'none.layout' })
    expect([code, outputs]).toEqual([2, { verdict: 'none' }])
    expect(out + err).toContain('none.layout')
    expect(existsSync(join(whole.root, 'in-toto-report.html'))).toBe(false)
  })

  test('several products, keys and folders, names with spaces, no report', () => {
    const chain = copyOf(whole)
    mkdirSync(join(chain.root, 'more links'))
    argumentsOf(chain)
    const given = {
      product: 'dist\nsrc\n',
      'verification-keys': 'in-toto/owner.pub\n../keys/owner.pub\n',
      'link-dir': 'in-toto\ndist\nmore links\n',
      report: '',
      through: 'build',
    }
    const { outputs } = use(chain, given)
    expect(outputs).toEqual({ verdict: 'yes' })
    const words =
      '--no -- intoto verify dist src --layout in-toto/root.layout --verification-keys in-toto/owner.pub ../keys/owner.pub --link-dir in-toto dist'
    expect(argumentsOf(chain)).toEqual([...words.split(' '), 'more links', '--through', 'build'])
  })

  test('a step is carried out and signed, its key in no argument, its exit code passed on', () => {
    const chain = copyOf(whole)
    const key = readFileSync(join(chain.keys, 'alice'), 'utf8')
    argumentsOf(chain)
    const given = { step: 'test', command: 'node --check dist/index.js', materials: 'package.json\nsrc\ndist\n' }
    const { code, out, err, outputs } = use(chain, given, { INTOTO_KEY: key })
    expect(code, out + err).toBe(0)
    expect(outputs).toEqual({})
    const words = '--no -- intoto run --step-name test --materials package.json src dist -- node --check dist/index.js'
    expect(argumentsOf(chain)).toEqual(words.split(' '))
    expect(use(chain, { through: 'test' }).outputs['verdict']).toBe('yes')
    const failing = { step: 'test', command: 'node\n-e\nprocess.exit(process.argv.length + 5)\nwith a space\n', materials: 'dist' }
    expect(use(chain, failing, { INTOTO_KEY: key }).code).toBe(7)
    expect(use(chain, given).code).toBe(2)
  })

  test('nothing that is given becomes a command or a flag', () => {
    const order = `a b"; touch hacked; "$(touch hacked)\`touch hacked\`'; touch hacked; '* & ../*`
    const recorded = { ONLY_TOLD: '1' }
    argumentsOf(whole)
    const all = Object.keys(action.inputs).filter((name) => !['working-directory', 'step'].includes(name))
    const given = Object.fromEntries(all.map((name) => [name, order]))
    expect(use(whole, given, recorded).code).toBe(0)
    const front = ['--yes', '--package', order, '--', 'intoto']
    const flags = ['--layout', order, '--verification-keys', order, '--link-dir', order, '--through', order]
    const files = ['--format', 'html', '--output', order, '--format', 'sarif', '--output', order]
    expect(argumentsOf(whole)).toEqual([...front, 'verify', order, ...flags, ...files])
    expect(use(whole, { ...given, step: order, command: `touch\n${order}` }, recorded).code).toBe(0)
    const lists = ['--materials', order, '--products', order, '--metadata-directory', order]
    expect(argumentsOf(whole)).toEqual([...front, 'run', '--step-name', order, ...lists, '--', 'touch', order])
    expect(existsSync(join(whole.root, 'hacked'))).toBe(false)
    for (const given of [{ product: 'dist\n--command-mismatch\nwarn' }, { layout: '-x' }, { step: 'test', products: '--signing-key' }]) {
      const { code, out } = use(whole, given)
      expect([code, out]).toEqual([2, '::error title=in-toto::an input begins with "-": it would be taken for a flag\n'])
    }
    expect(use(whole, { report: 'a\nverdict=yes' })).toMatchObject({ code: 2, outputs: {} })
    expect(argumentsOf(whole)).toEqual([])
  })
})
