/**
 * `--format sarif`, `junit` and `gitlab` by the schemas of those who read them: for every code, in every shape that a problem can have, for what
 * attackers write, for every chain of the vectors, and for what the command itself says of real chains. Needs xmllint for the XML.
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { decodeMetadata, importKey, InTotoError, judge, memoryLinks, type Problem, type ProblemCode, type Report } from 'intoto'
import { describe, expect, test } from 'vitest'
import { formats } from '../../packages/cli/src/formats/format.ts'
import { meanings } from '../../packages/cli/src/formats/phrase.ts'
import { chainCases, type ChainCase } from '../intoto/chains.ts'
import { copyOf, makeChain, type Chain } from './chain.ts'
import { intoto, temporaryFolder } from './command.ts'
import { attack, hostile, problem, refused, render, report, step } from './reports.ts'

const folder = temporaryFolder()
const schemas = fileURLToPath(new URL('../vectors/formats/', import.meta.url))
const haveXmllint = spawnSync('xmllint', ['--version']).status === 0
if (!haveXmllint) {
  if (process.env['CI_PEERS'] === '1') throw new Error('xmllint is not installed')
  console.warn('skipped: no xmllint on this machine')
}

/** What the schema says of a SARIF log; nothing where it is one. */
const faultsOfSarif = sarifValidator()
function sarifValidator(): (text: string) => unknown {
  // Draft 4 says "id" where later ones say "$id"; all other words that this schema uses mean the same.
  const {
    $schema: _draft,
    id: _id,
    ...schema
  } = JSON.parse(readFileSync(join(schemas, 'sarif-2.1.0-rtm.5.json'), 'utf8')) as object & {
    $schema: string
    id: string
  }
  const validate = new Ajv({
    strict: false,
    allErrors: true,
    // One of its patterns is none under the u flag.
    unicodeRegExp: false,
    formats: {
      uri: (text: string) => URL.canParse(text),
      'uri-reference': (text: string) =>
        /^(?:[\w.~!$&'()*+,;=:@/?#-]|%[0-9A-F]{2})*$/.test(text) && URL.canParse(text, 'https://a.example/b/'),
      'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
    },
  }).compile(schema)
  return (text) => (validate(JSON.parse(text)) ? undefined : validate.errors)
}

/** GitLab's documentation has no schema; this is its table of what must be there. https://docs.gitlab.com/ci/testing/code_quality/ */
const finding = {
  type: 'object',
  required: ['description', 'check_name', 'fingerprint', 'severity', 'location'],
  properties: {
    description: { type: 'string', minLength: 1 },
    check_name: { type: 'string', minLength: 1 },
    fingerprint: { type: 'string', minLength: 1 },
    severity: { enum: ['info', 'minor', 'major', 'critical', 'blocker'] },
    location: {
      type: 'object',
      required: ['path', 'lines'],
      properties: {
        path: { type: 'string', minLength: 1, not: { pattern: '^\\./' } },
        lines: { type: 'object', required: ['begin'], properties: { begin: { type: 'integer', minimum: 1 } } },
      },
    },
  },
}
const validateFindings = new Ajv({ strict: false }).compile({ type: 'array', items: finding })

function faultsOfGitlab(text: string): unknown {
  if (text.startsWith('\ufeff')) return 'a byte order mark'
  const findings = JSON.parse(text) as { fingerprint: string }[]
  if (!validateFindings(findings)) return validateFindings.errors
  return new Set(findings.map(({ fingerprint }) => fingerprint)).size === findings.length ? undefined : 'a fingerprint twice'
}

/** What xmllint says of all these documents at once. */
function faultsOfJunit(texts: readonly string[]): string[] {
  const files = texts.map((text, i) => {
    const file = join(folder, `junit-${i}.xml`)
    writeFileSync(file, text)
    return file
  })
  const { status, stderr } = spawnSync('xmllint', ['--nonet', '--noout', '--schema', join(schemas, 'junit-10.xsd'), ...files], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const faults = stderr.split('\n').filter((line) => line !== '' && !line.endsWith(' validates'))
  return status === 0 || faults.length > 0 ? faults : [`xmllint ended with ${status}`]
}

/** Holds what the three renderings make of these Reports to the schemas. */
async function holdToSchemas(reports: readonly (readonly [name: string, report: Report])[]): Promise<void> {
  for (const [name, one] of reports) {
    expect(faultsOfSarif(await render('sarif', one)), name).toBeUndefined()
    expect(faultsOfGitlab(await render('gitlab', one)), name).toBeUndefined()
  }
  if (haveXmllint) expect(faultsOfJunit(await Promise.all(reports.map(([, one]) => render('junit', one))))).toEqual([])
}

/** Every part of a problem that may be absent, absent once; each text an attacker's once. */
function shapesOf(code: ProblemCode): Problem[] {
  const whole: Problem = { ...problem, code }
  const without = (['step', 'file', 'expected', 'actual', 'rule', 'cause'] as const).map((member) => {
    const { [member]: _gone, ...rest } = whole
    return rest
  })
  const unread = { ...whole, file: 'root.layout', message: 'root.layout:12:7: expected a comma' }
  const bare: Problem = { code, severity: 'error', message: 'no more is known', fix: [] }
  const odd = ['', '.', './dist/a', '/abs/a', '../a', 'C:\\a', 'a:b/c', 'é 漢 %41?#', attack].map((file) => ({ ...whole, file }))
  return [whole, ...without, unread, bare, ...odd].flatMap((p) => [p, { ...p, severity: 'warning' as const }])
}

describe('SARIF, JUnit and GitLab’s reports are valid', () => {
  const codes = Object.keys(meanings) as ProblemCode[]

  test.each(codes)('%s in every shape', async (code) => {
    const shapes = shapesOf(code)
    const steps = [step('build'), step('package', { status: 'fail' }), step('ship', { status: 'unchecked' })]
    const each = shapes.map((p) => [JSON.stringify(p), report({ ok: p.severity === 'warning', steps, problems: [p] })] as const)
    await holdToSchemas([...each, ['all of them', report({ ok: false, steps, problems: shapes })]])
  })

  test('a yes, a part, a milder verdict, a refusal, nothing but an attacker’s texts', async () => {
    const product = { path: 'dist', kind: 'folder', matched: 9, links: 1, added: 0, missing: 0, changed: 0 } as const
    await holdToSchemas([
      ['yes', report({ product })],
      ['part', report({ partial: { through: 'build' } })],
      ['no step', report({ steps: [], layout: { signers: [] } })],
      ['refused', { ...refused, product: { ...product, changed: 1 } }],
      ['hostile', hostile],
    ])
    const log = JSON.parse(await render('sarif', report(), { loosened: ['--at 2026-01-01'] })) as { runs: { properties: object }[] }
    expect(log.runs[0]?.properties).toEqual({ ok: true, loosened: ['--at 2026-01-01'] })
  })

  test('what each chain of the vectors comes to', async () => {
    const reports = await Promise.all(chainCases.map(async (chain) => [chain.name, await judged(chain)] as const))
    await holdToSchemas(reports)
    expect(reports.filter(([, one]) => one.ok).length).toBeGreaterThan(20)
    expect(reports.filter(([, one]) => !one.ok).length).toBeGreaterThan(20)
  })

  test('what the command says of real chains', () => {
    mkdirSync(join(folder, 'real'))
    const whole = makeChain(join(folder, 'real'))
    const documents: string[] = []
    for (const [code, words, change] of cases) {
      const chain = copyOf(whole)
      change(chain)
      const files = ['sarif', 'junit', 'gitlab'].map((name) => join(chain.keys, name))
      const asked = files.flatMap((file, i) => ['--format', ['sarif', 'junit', 'gitlab'][i] as string, '--output', file])
      const { out, err } = intoto(['verify', ...words, ...asked], chain.call)
      const [sarif = '', junit = '', gitlab = ''] = files.map((file) => readFileSync(file, 'utf8'))
      expect([faultsOfSarif(sarif), faultsOfGitlab(gitlab)], code).toEqual([undefined, undefined])
      const found = (JSON.parse(sarif) as { runs: { results: { ruleId: string }[] }[] }).runs[0]?.results.map(({ ruleId }) => ruleId)
      expect(found?.[0] ?? 'yes', out + err).toBe(code)
      documents.push(junit)
    }
    if (haveXmllint) expect(faultsOfJunit(documents)).toEqual([])
  })

  test('a wrong document is found', async () => {
    const log = JSON.parse(await render('sarif', refused)) as { runs: { results: { level: string }[] }[] }
    for (const result of log.runs[0]?.results ?? []) result.level = 'fatal'
    expect(faultsOfSarif(JSON.stringify(log))).toBeDefined()
    expect(faultsOfGitlab('[{"description":"x"}]')).toBeDefined()
    if (haveXmllint) expect(faultsOfJunit(['<testsuites skipped="1"/>', '<testsuites name="\uffff"/>']).length).toBeGreaterThan(1)
    expect(Object.keys(formats)).toEqual(expect.arrayContaining(['sarif', 'junit', 'gitlab']))
  })
})

const key = ['-k', 'in-toto/owner.pub']
/** What is done to a whole chain, and the first code that the verdict then has. */
const cases: readonly (readonly [code: string, words: readonly string[], change: (chain: Chain) => void])[] = [
  ['yes', ['dist', ...key], () => {}],
  ['yes', ['dist', ...key, '--through', 'build', '--command-mismatch', 'warn'], () => {}],
  ['E_TAMPER', ['dist', ...key], ({ root }) => appendFileSync(join(root, 'dist/index.js'), 'x')],
  ['E_PRODUCT', ['dist', ...key], ({ root }) => appendFileSync(join(root, 'dist/new.js'), 'x')],
  ['E_TAMPER', ['dist', 'src', ...key], ({ root }) => appendFileSync(join(root, 'dist/more.js'), 'x')],
  ['E_MISSING_STEP', ['dist', ...key], ({ root }) => removeLinks(root, 'test.')],
  ['E_LAYOUT_EXPIRED', ['dist', ...key, '--at', '2099-01-01'], () => {}],
  ['E_LAYOUT_SIGNATURE', ['dist', '-k', 'in-toto/alice.pub'], () => {}],
  ['E_FORMAT', ['dist', ...key], ({ root }) => appendFileSync(join(root, 'in-toto/root.layout'), '\n}')],
  ['E_KEY', ['dist', '-k', 'package.json'], () => {}],
]

function removeLinks(root: string, start: string): void {
  const listed = spawnSync('git', ['ls-files', '--others', '--', 'in-toto', '*.link'], { cwd: root, encoding: 'utf8' }).stdout.split('\n')
  for (const name of listed) if (name.includes(start)) rmSync(join(root, name))
}

async function judged(chain: ChainCase): Promise<Report> {
  try {
    const keys = await Promise.all(chain.owners.map(importKey))
    const parameters = chain.parameters === undefined ? {} : { parameters: chain.parameters }
    return await judge(decodeMetadata(chain.layout, { what: 'root.layout' }), { keys, links: memoryLinks(chain.links), ...parameters })
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    return report({ ok: false, steps: [], layout: { file: 'root.layout', signers: [] }, problems: [error.problem] })
  }
}
