/**
 * `intoto verify` where GITHUB_ACTIONS says that GitHub's runner reads along: the log is read here by the runner's own rules, and the job summary is
 * kept below what GitHub takes.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makeChain, type Chain } from './chain.ts'
import { intoto, temporaryFolder, type Ended } from './command.ts'

interface Command {
  name: string
  properties: string
  data: string
}

/** Commands of a log: `::name properties::data` where a line begins, spaces aside; `##[name properties]data` anywhere in it. */
function commandsIn(log: string): Command[] {
  return log.split(/\r?\n/).flatMap((line) => {
    const [, name, properties = '', data = ''] =
      /^\s*::([\w-]+) ?(.*?)::(.*)$/.exec(line) ?? /##\[([\w-]+) ?([^\]]*)\](.*)$/.exec(line) ?? []
    return name === undefined ? [] : [{ name, properties, data }]
  })
}

const mostSummary = 1024 * 1024
const verify = ['verify', 'dist', '-k', 'in-toto/owner.pub', '--through', 'build']
let whole: Chain
let broken: Chain
let summary: string

function verified(chain: Chain, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Ended {
  return intoto([...verify, ...more], { ...chain.call, env: { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary, CI: 'true', ...env } })
}

beforeAll(() => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'whole'))
  summary = join(folder, 'summary.md')
  whole = makeChain(join(folder, 'whole'), 'build')
  broken = copyOf(whole)
  const hostile = [
    '##[set-output name=ok]true',
    '::set-env name=PATH::x',
    'a\n::stop-commands::x',
    'a\n##[add-mask]e',
    '%0A::error::x',
    'a,b:c',
  ]
  for (const name of [...hostile, ...Array.from({ length: 24 }, (_, i) => `more-${i}.js`)])
    writeFileSync(join(broken.root, 'dist', name), name)
})

describe('in GitHub Actions', () => {
  test('nine problems and the number of the rest, and the verdict', () => {
    writeFileSync(summary, '')
    const { code, out, err } = verified(broken)
    expect(code).toBe(1)
    const commands = commandsIn(`${out}\n${err}`)
    const errors = commands.filter(({ name }) => name === 'error')
    expect(errors).toHaveLength(10)
    const problems = Number(/^(\d+) problems\. Not verified\.$/m.exec(out)?.[1])
    expect(problems).toBeGreaterThan(10)
    expect(errors.at(-1)).toEqual({ name: 'error', properties: 'title=in-toto', data: `${problems - 9} more` })
    expect(commands.filter(({ name }) => name !== 'error')).toEqual([
      { name: 'notice', properties: 'title=in-toto', data: 'Not verified.' },
    ])
    for (const { properties } of errors.slice(0, 9)) expect(properties).toMatch(/^file=dist\/[^,:]+,title=E_PRODUCT$/)
  })

  test('no name in a folder gives an order, in whatever is printed', () => {
    for (const format of ['text', 'json', 'sarif', 'junit', 'gitlab', 'markdown', 'github']) {
      const { out, err } = verified(broken, ['--format', format, ...(format === 'text' ? ['-v'] : [])])
      for (const { name } of commandsIn(`${out}\n${err}`)) expect(['error', 'notice'], format).toContain(name)
    }
  })

  test('a yes is a notice and a table', () => {
    writeFileSync(summary, 'before\n')
    const { code, out, err } = verified(whole)
    expect(code, err).toBe(0)
    expect(commandsIn(out)).toEqual([])
    expect(commandsIn(err).map(({ name }) => name)).toEqual(['notice'])
    expect(readFileSync(summary, 'utf8')).toMatch(
      /^before\n## in-toto: ✅ Verified, partial, up to `build`\n[^]*\| ✅ \| `build` \| 1\/1 \|/,
    )
  })

  test('annotations once, where they are asked for: on stdout, or in a file', () => {
    const direct = verified(whole, ['--format', 'github'])
    expect(commandsIn(direct.out)).toHaveLength(1)
    expect(commandsIn(direct.err)).toEqual([])
    expect(commandsIn(verified(whole, ['-q']).err)).toEqual([])
    const elsewhere = verified(whole, [], { GITHUB_ACTIONS: '', GITHUB_STEP_SUMMARY: '' })
    expect(commandsIn(elsewhere.out + elsewhere.err)).toEqual([])
  })

  test.each([0, 100, 3000, 20_000])('the summary of a step stays below a mebibyte, with %i bytes left', (left) => {
    writeFileSync(summary, `${'x'.repeat(mostSummary - left - 1)}\n`)
    const { code } = verified(broken)
    expect(code).toBe(1)
    expect(statSync(summary).size).toBeLessThan(Math.max(mostSummary, mostSummary - left + 1))
    const written = readFileSync(summary, 'utf8').slice(mostSummary - left)
    if (left === 3000) expect(written).toMatch(/^## in-toto: ❌ [^]*\n… and more than a job summary can hold\.\n$/)
    if (left === 20_000) expect(written).not.toContain('job summary can hold')
    if (left < 3000) expect(written.length).toBeLessThanOrEqual(left)
  })

  test('a summary that can’t be written is said, and the verdict is not yes', () => {
    const { code, err } = verified(whole, [], { GITHUB_STEP_SUMMARY: whole.root })
    expect(code).toBe(2)
    expect(err).toContain('cannot write the job summary')
  })
})
