/**
 * Every rendering over the same Reports: one that holds, one that does not, and one whose every text was chosen by an attacker. Renderings are
 * pure, so they are called here without a process.
 */
import type { Problem, Report } from 'intoto'
import { describe, expect, test } from 'vitest'
import { formats } from '../../packages/cli/src/formats/format.ts'
import { commandLine, expiry, meanings, shortened, tally } from '../../packages/cli/src/formats/phrase.ts'
import { problemLine } from './command.ts'
import { matches } from './matcher.ts'
import { attack, hostile, problem, refused, render, report, step, warning } from './reports.ts'

test.each(Object.keys(formats))('%s: no character that a terminal obeys, whatever a link says', async (name) => {
  const text = await render(name, hostile)
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
  expect(text.endsWith('\n')).toBe(true)
})

// GitHub's runner takes "::" where a line begins, spaces aside, and "##[" anywhere in it; so do those of others with "##vso[" and "##teamcity[".
test.each(['text', 'json', 'sarif', 'junit', 'github', 'gitlab', 'markdown'])('%s: no command of a CI’s log', async (name) => {
  for (const more of [{}, { verbose: true }]) {
    const lines = (await render(name, hostile, more)).split('\n')
    const ours = name === 'github' ? /^::(?:error|notice) (?!.*##)/ : /^(?!\s*::)(?!.*##\S)/
    for (const line of lines.filter((one) => one !== '' && !/^#{2,3} /.test(one))) expect(line).toMatch(ours)
  }
})

describe('text', () => {
  test('a refusal, line by line', async () => {
    expect((await render('text', refused)).split('\n')).toEqual([
      'layout  in-toto/root.layout  signed by alice (c0ffee12), expires in 30 days, links from in-toto, dist',
      ' ok      build    0/1 signature   3 materials -> 1 product   vite build',
      ' FAIL    package  0/1 signature   3 materials -> 1 product   vite build',
      ' --      ship     0/1 signature',
      'note    dist: not compared, since the links do not hold',
      '',
      'E_TAMPER dist/a b.js  changed after "build" and before "package"',
      '  build wrote    sha256 6b1f2c…c20a  dist/build.c0ffee12.link',
      '  package read   sha256 91d7aa…03ee  in-toto/package.c0ffee12.link',
      '  rule           MATCH dist/* WITH PRODUCTS FROM build    ("package", expected_materials 2)',
      '  likely         package.json script "postbuild" ran in between',
      '  try            move the banner into the bundler',
      '                 or make it a step',
      '',
      'E_COMMAND build  ran another command',
      '',
      '1 problem, 1 warning. Not verified.',
      '',
    ])
  })

  test('problem lines are those that editors look for', async () => {
    const lines = (await render('text', refused)).split('\n').filter((line) => line.startsWith('E_'))
    expect(lines.map((line) => problemLine.exec(line)?.slice(1, 3))).toEqual([
      ['E_TAMPER', 'dist/a'],
      ['E_COMMAND', 'build'],
    ])
  })

  test('the problem matchers of docs/ci.md find each problem once, with its file and line', async () => {
    const unread: Problem = {
      ...problem,
      code: 'E_FORMAT',
      file: 'in-toto/root.layout',
      message: 'in-toto/root.layout:7:3: expected a comma',
    }
    const found = matches(await render('text', report({ ok: false, problems: [problem, unread, warning] })))
    expect(found.map(({ file, line, message }) => [file, line, message])).toEqual([
      ['dist/a b.js', undefined, 'changed after "build" and before "package"'],
      ['in-toto/root.layout', '7', 'column 3: expected a comma'],
      ['build', undefined, 'ran another command'],
    ])
  })

  test('many problems: the first thirty, and -v for all', async () => {
    const many = report({ ok: false, problems: Array.from({ length: 40 }, (_, i) => ({ ...problem, file: `f${i}` })) })
    const short = await render('text', many)
    expect(short.match(/^E_TAMPER/gm)).toHaveLength(30)
    expect(short).toContain('… and 10 more (-v shows all)')
    expect((await render('text', many, { verbose: true })).match(/^E_TAMPER/gm)).toHaveLength(40)
    expect(await render('text', refused, { verbose: true })).toContain(problem.expected?.text)
  })

  test('a part is called a part, a milder verdict is said to be one, sublayouts stand inside', async () => {
    const partial = report({ partial: { through: 'build' }, steps: [step('build', { sublayout: report({ steps: [step('inner')] }) })] })
    const text = await render('text', partial, { loosened: ['--at 2026-01-01'] })
    expect(text).toContain('Verified up to "build" (partial')
    expect(text).toContain('note    --at 2026-01-01')
    expect(text).toMatch(/^ {5}ok {6}inner /m)
  })
})

describe('json', () => {
  test('is the Report without what is evidence', async () => {
    const data = JSON.parse(await render('json', { ...refused, summary: {} as never, chain: [] })) as Record<string, unknown>
    expect(data).toEqual({ ...(JSON.parse(JSON.stringify(refused)) as object), loosened: [] })
  })

  test('keeps every character, escaped', async () => {
    const data = JSON.parse(await render('json', hostile)) as Report
    expect(data.layout.file).toBe(attack)
    expect(data.problems[0]?.file).toBe(attack)
  })
})

describe('sarif', () => {
  test('has the shape of 2.1.0', async () => {
    const log = JSON.parse(await render('sarif', refused)) as {
      version: string
      runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[]; invocations: unknown[] }[]
    }
    const [run] = log.runs
    expect(log.version).toBe('2.1.0')
    expect(run?.tool.driver.rules.map((rule) => rule.id)).toEqual(['E_COMMAND', 'E_TAMPER'])
    expect(run?.invocations).toEqual([{ executionSuccessful: true, endTimeUtc: refused.time, exitCode: 1 }])
    expect(run?.results.map((result) => [result['ruleId'], result['ruleIndex'], result['level']])).toEqual([
      ['E_TAMPER', 1, 'error'],
      ['E_COMMAND', 0, 'warning'],
    ])
    expect(run?.results[0]?.['locations']).toEqual([{ physicalLocation: { artifactLocation: { uri: 'dist/a%20b.js' } } }])
  })

  test('fingerprints are those of the problem, not of the run', async () => {
    const prints = async (r: Report): Promise<unknown[]> =>
      (JSON.parse(await render('sarif', r)) as { runs: { results: { partialFingerprints: unknown }[] }[] }).runs[0]?.results.map(
        (result) => result.partialFingerprints,
      ) ?? []
    const later = { ...refused, time: '2027-01-01T00:00:00.000Z', problems: [warning, { ...problem, actual: { text: 'sha256 00' } }] }
    expect(await prints(later)).toEqual(await prints(refused))
    const alike = { ...refused, problems: [problem, warning, { ...problem, actual: { text: 'sha256 01' } }] }
    expect(new Set((await prints(alike)).map((print) => JSON.stringify(print))).size).toBe(3)
    expect((await prints(alike)).slice(0, 1)).toEqual((await prints(refused)).slice(0, 1))
  })
})

describe('junit', () => {
  test('a case for the layout, each step and the product; failures and skipped counted', async () => {
    const xml = await render('junit', {
      ...refused,
      product: { path: 'dist', kind: 'folder', matched: 1, links: 0, added: 0, missing: 0, changed: 0 },
    })
    expect(xml.match(/<testcase [^>]*name="([^"]*)"/g)?.map((c) => /name="([^"]*)"$/.exec(c)?.[1])).toEqual([
      'layout',
      'build',
      'package',
      'ship',
      'product',
    ])
    expect(xml).toMatch(/<testsuite name="[^"]*" tests="5" failures="1" errors="0" time="0" skipped="1" /)
    expect(xml).toMatch(/name="package"[^>]*>\n *<failure type="E_TAMPER" message="dist\/a b\.js: changed/)
    expect(xml).toMatch(/name="ship"[^>]*>\n *<skipped /)
  })

  test.each([refused, hostile])('is well-formed', async (r) => {
    const open: string[] = []
    for (const [tag, slash, name, attributes, selfClosing] of (await render('junit', r)).matchAll(
      /<(\/?)([a-z-]+)((?: [A-Za-z]+="[^"<>]*")*)(\/?)>|<\?[^>]*\?>/g,
    )) {
      if (name === undefined || selfClosing) continue
      if (slash) expect(open.pop(), tag).toBe(name)
      else open.push(name)
      expect(attributes).toBeDefined()
    }
    expect(open).toEqual([])
    expect((await render('junit', r)).replace(/<(\/?)([a-z-]+)((?: [A-Za-z]+="[^"<>]*")*)(\/?)>|<\?[^>]*\?>/g, '')).not.toMatch(
      /[<>]|&(?!(amp|lt|gt|quot);)/,
    )
  })
})

describe('github', () => {
  test('one command for each problem, ten of a kind at most', async () => {
    expect(await render('github', refused)).toMatch(
      /^::error file=dist\/a b\.js,title=E_TAMPER::dist\/a b\.js: changed after "build" and before "package"%0Abuild wrote: /,
    )
    const many = report({ ok: false, problems: Array.from({ length: 25 }, () => problem) })
    const lines = (await render('github', many)).trimEnd().split('\n')
    expect(lines).toHaveLength(11)
    expect(lines[9]).toBe('::error title=in-toto::16 more')
    const ten = report({ ok: false, problems: Array.from({ length: 20 }, (_, i) => (i % 2 ? problem : warning)) })
    expect((await render('github', ten)).match(/^::(?:error|warning) (?!.*more)/gm)).toHaveLength(20)
  })

  test('names the line of a file that can’t be read, and no file where there is none', async () => {
    const unread: Problem = { ...problem, file: 'in-toto/root.layout', message: 'in-toto/root.layout:7:3: expected a comma' }
    const lines = (await render('github', report({ ok: false, problems: [unread, { ...warning, severity: 'error' }] }))).split('\n')
    expect(lines[0]).toMatch(
      /^::error file=in-toto\/root\.layout,line=7,title=E_TAMPER::in-toto\/root\.layout: column 3: expected a comma%0A/,
    )
    expect(lines[1]).toBe('::error title=E_COMMAND::build: ran another command')
  })

  test('names files from where the service shows them', async () => {
    const more = { workspace: 'packages/lib' }
    const one = report({ ok: false, problems: [problem, { ...problem, file: '../keys/a b' }, { ...problem, file: '/tmp/a' }] })
    const shown = ['packages/lib/dist/a b.js', 'packages/keys/a b', '/tmp/a']
    expect(Array.from((await render('github', one, more)).matchAll(/file=([^,]*)/g), ([, file]) => file)).toEqual(shown)
    const findings = JSON.parse(await render('gitlab', one, more)) as { location: { path: string } }[]
    expect(findings.map(({ location }) => location.path)).toEqual(shown)
    expect(await render('sarif', one, more)).toContain('"uri": "packages/lib/dist/a%20b.js"')
  })

  test('no name starts a command of its own', async () => {
    const lines = (await render('github', hostile)).trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/^::(error|notice) /)
    expect(lines[0]?.slice(2).split('::')[0]).toMatch(/^error file=[^,:]*,title=E_TAMPER$/)
  })
})

describe('gitlab', () => {
  test('a list of findings, empty when all holds', async () => {
    expect(JSON.parse(await render('gitlab', report()))).toEqual([])
    const findings = JSON.parse(await render('gitlab', refused)) as Record<string, unknown>[]
    expect(findings.map((f) => [f['check_name'], f['severity'], f['location']])).toEqual([
      ['E_TAMPER', 'blocker', { path: 'dist/a b.js', lines: { begin: 1 } }],
      ['E_COMMAND', 'minor', { path: 'in-toto/root.layout', lines: { begin: 1 } }],
    ])
    for (const finding of findings) expect(finding['fingerprint']).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('markdown', () => {
  test('a table of steps, problems below, text from files only in code spans', async () => {
    const text = await render('markdown', refused)
    expect(text).toContain('## in-toto: ❌ Not verified.')
    expect(text).toContain('| ❌ | `package` | 0/1 | 3 | 1 | `vite build` |')
    expect(text).toContain('### ❌ E_TAMPER `dist/a b.js`')
    const bare = (await render('markdown', hostile)).replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, '')
    expect(bare).not.toMatch(/@all|<b>|<\/failure>/)
    for (const line of bare.split('\n').filter((row) => row.startsWith('| ❌'))) expect(line.match(/(?<!\\)\|/g)).toHaveLength(7)
  })
})

describe('phrases', () => {
  test('times, digests, commands, counts', () => {
    expect(expiry(report())).toBe('expires in 30 days')
    expect(expiry(report({ time: '2026-03-31T09:00:00.000Z' }))).toBe('expires in 3 hours')
    expect(expiry(report({ time: '2026-04-03T12:00:00.000Z' }))).toBe('expired 3 days ago')
    expect(expiry(report({ time: '2026-04-04T07:00:00.000Z' }))).toBe('expired 3 days ago')
    expect(shortened(`sha256 ${'ab'.repeat(32)} and deadbeef`)).toBe('sha256 ababab…abab and deadbeef')
    expect(commandLine(['a', "it's", 'b c', ''])).toBe(`a 'it'\\''s' 'b c' ''`)
    expect([tally([]), tally([problem]), tally([problem, problem, warning])]).toEqual(['', '1 problem', '2 problems, 1 warning'])
  })

  test('every code has a meaning', () => {
    for (const [code, meaning] of Object.entries(meanings)) expect(`${code} ${meaning}`).toMatch(/^E_[A-Z_]+ \S.{10,70}$/)
  })
})
