/** The Report as HTML: what it says as text, and what it is in a real browser: inert, accessible, as wide as a phone, searchable by keys alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { explainArtifact, type Problem, type Report, type StepReport } from 'intoto'
import { reportPage } from 'intoto-page'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium } from '../browser/chromium.ts'
import { Browser, type Page } from '../browser/devtools.ts'
import { context, judgeSample, makeSample, type Sample } from './sample.ts'
import { expectReached } from './keyboard.ts'
import { violations } from './axe.ts'

const chromium = findChromium()
if (!chromium) console.warn('skipped: no chromium on this machine')

/** Each would run, load or break something if it became markup. */
const attacks = [
  `<script>hit('script')</script>`,
  `<img src=x onerror="hit('img')">`,
  `"><svg onload=hit('svg')>`,
  `' autofocus onfocus='hit(1)`,
  `</script><script>hit('end')</script>`,
  `<!--<script>`,
  `</title></style><iframe srcdoc="<script>parent.hit('frame')</script>">`,
  `javascript:hit('link')`,
  `\${hit('template')}`,
  `&lt;b&gt;&#60;`,
  `\u202egnp.exe\u0000\u2028`,
]
const all = attacks.join(' ')

const who = { keyid: all, name: all }
const hostileStep = (name: string): StepReport => ({
  name,
  kind: 'step',
  status: 'fail',
  threshold: 2,
  links: [{ file: all, ...who, counted: true, format: 'dsse' }],
  materials: 3,
  products: 1,
  command: [all],
  rules: [{ list: 'expected_materials', index: 0, text: 'MATCH * WITH PRODUCTS FROM a', ok: true, consumed: 1 }],
  warnings: [all],
})
const hostileProblem: Problem = {
  code: 'E_TAMPER',
  severity: 'error',
  message: `${all}: ${all}`,
  step: all,
  file: all,
  expected: { label: all, text: all, from: all },
  actual: { label: all, text: all, from: all },
  rule: { text: all, step: all, list: 'expected_products', index: 0 },
  cause: all,
  fix: [all, `npx ${all}`],
}
const artifacts = Object.assign(
  Object.create(null),
  Object.fromEntries(attacks.map((name) => [name, { sha256: 'ab'.repeat(32), [all]: all }])),
)
const hostile: Report = {
  schemaVersion: 1,
  ok: false,
  time: '2026-03-01T12:00:00.000Z',
  partial: { through: all },
  layout: { file: all, expires: all, signers: [who] },
  steps: [
    hostileStep('a'),
    {
      ...hostileStep(all),
      sublayout: {
        schemaVersion: 1,
        ok: false,
        time: all,
        layout: { signers: [] },
        steps: [hostileStep(all)],
        inspections: [],
        problems: [],
      },
    },
  ],
  inspections: [{ ...hostileStep(all), kind: 'inspection' }],
  product: { path: all, kind: 'folder', matched: 1, links: 0, added: 1, missing: 1, changed: 1 },
  problems: [hostileProblem, { ...hostileProblem, severity: 'warning' }],
  chain: [{ _type: 'link', name: all, materials: artifacts, products: artifacts, byproducts: {}, command: [all] }],
}

describe('as text', () => {
  test('the same Report gives the same bytes', async () => {
    const report = await judgeSample(await makeSample({ broken: true }))
    expect(reportPage(structuredClone(report), context)).toBe(reportPage(report, context))
  })

  test('says what was not looked at: a product behind links that do not hold, warnings behind a yes', async () => {
    const sample = await makeSample()
    const links = Object.fromEntries(Object.entries(sample.links).filter(([name]) => !name.startsWith('test.')))
    const missing = await judgeSample(sample, links)
    expect(reportPage(missing, context)).toContain('not compared, since the links do not hold')
    expect(reportPage(missing, context)).toContain('1 problem. 1 step fails, 4 not checked to the end.')
    const report = await judgeSample(sample)
    const warned = { ...report, problems: [{ code: 'E_RULE', severity: 'warning', message: 'source: loose', fix: [] } as Problem] }
    expect(reportPage(warned, context)).toContain('1 warning, see below.')
    expect(reportPage(report, context)).not.toMatch(/not compared, since|see below/)
  })

  test('nothing is loaded from anywhere, nothing of a link but names and digests travels', async () => {
    const report = await judgeSample(await makeSample())
    for (const link of report.chain ?? []) Object.assign(link, { byproducts: { stdout: 'by-product' }, environment: { TOKEN: 'canary' } })
    const page = reportPage(report, context)
    expect(page).not.toMatch(/(?:src|href)="?(?!#|data:,)[^"' >]*[/:]/)
    expect(page).not.toMatch(/@import|by-product|canary|<link rel="stylesheet/)
    expect(page).toMatch(/default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='/)
  })

  test('ten times the files are no more than a name and a digest each', async () => {
    const sizes = await Promise.all(
      [100, 1000].map(async (files) => reportPage(await judgeSample(await makeSample({ files })), context).length),
    )
    const each = (sizes[1]! - sizes[0]!) / 900
    console.log(`report of 100 and 1,000 built files: ${sizes.map((size) => `${Math.round(size / 1024)} KiB`).join(', ')}`)
    // A built file here is three more: its source, its twin in three further links, a third of a dependency.
    expect(each).toBeLessThan(200)
  })

  test('no text of an attacker is a tag, none reorders a line', () => {
    const page = reportPage(hostile, context)
    const tags = new Set(
      Array.from(page.replace(/<(script|style)[^>]*>.*?<\/\1>/gs, '').matchAll(/<\/?([a-z][a-z0-9]*)/gi), ([, tag]) => tag),
    )
    for (const tag of ['img', 'iframe', 'script']) expect(tags).not.toContain(tag)
    expect(page.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
  })
})

describe.skipIf(!chromium)('in a browser', () => {
  let browser: Browser
  let page: Page
  let folder: string
  let broken: Sample
  let refused: Report
  const address: Record<string, string> = {}

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'report-'))
    broken = await makeSample({ broken: true })
    refused = await judgeSample(broken)
    const reports = {
      accepted: await judgeSample(await makeSample()),
      refused,
      large: await judgeSample(await makeSample({ files: 3000 })),
      hostile,
    }
    for (const [name, report] of Object.entries(reports)) {
      const file = join(folder, `${name}.html`)
      writeFileSync(file, reportPage(report, context))
      address[name] = pathToFileURL(file).href
    }
    browser = new Browser(chromium!)
    page = await browser.page()
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(['accepted', 'refused', 'hostile', 'large'])('%s: no complaint, no request, nothing wider than a phone', async (name) => {
    await page.size(360, 740)
    await page.open(address[name]!)
    expect(await page.run('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([])
  })

  test.each([
    ['light', 1200, 'screen'],
    ['dark', 1200, 'screen'],
    ['light', 390, 'screen'],
    ['dark', 390, 'screen'],
    ['light', 760, 'print'],
  ] as const)('axe finds nothing in %s, %i pixels wide, on %s', async (scheme, width, media) => {
    await page.size(width)
    await page.media(scheme, media)
    for (const name of ['accepted', 'refused', 'large']) {
      await page.open(address[name]!)
      await page.run(`for (const more of document.querySelectorAll('details')) more.open = true`)
      if (media === 'screen') await page.run(`query.value = 'chunk-1'; query.form.requestSubmit(); found.querySelector('button').click()`)
      expect(await violations(page), name).toEqual([])
      expect(await page.run('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(width)
    }
    await page.media('light')
  })

  test('every control is reached by Tab, in the order in which it is read, and shows that it is', async () => {
    await page.size(1200)
    await page.open(address['refused']!)
    await expectReached(page)
  })

  test('strings of an attacker stay strings, in the search as well', async () => {
    await page.open('about:blank')
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: 'window.attacked = []; window.hit = (how) => attacked.push(how)' })
    await page.open(address['hostile']!)
    for (const query of ['script', 'svg', 'img', 'iframe']) {
      await page.run(`query.value = ${JSON.stringify(query)}; query.form.requestSubmit(); found.querySelector('button').click()`)
      expect(await page.run('life.textContent')).toContain('The life of')
    }
    expect(await page.run('attacked')).toEqual([])
    expect(
      await page.run(`document.querySelectorAll('main :is(img, iframe, script:not(#links), [onload], [onerror], [onfocus])').length`),
    ).toBe(0)
    expect(page.complaints).toEqual([])
  })

  test('the broken edge is drawn, and says why in words', async () => {
    await page.open(address['refused']!)
    const edge = await page.run<{ text: string; lines: number; red: boolean }>(`(() => {
      const cell = [...document.querySelectorAll('.cell.broken')].find((one) => one.textContent.includes('as build wrote'))
      const line = cell.parentElement.querySelector('.rail .fail')
      const stroke = getComputedStyle(line).stroke
      const [r, g, b] = stroke.match(/\\d+/g).map(Number)
      return { text: cell.textContent, lines: document.querySelectorAll('.rail .fail').length, red: r > 2 * g && r > 2 * b }
    })()`)
    expect(edge.text).toMatch(/broken: *10 materials as build wrote them/)
    expect(edge.text).toContain('E_TAMPER dist/assets/chunk-1.js')
    expect(edge.lines).toBeGreaterThan(2)
    expect(edge.red).toBe(true)
    const first = refused.problems.find(({ severity }) => severity === 'error')!
    const problem = await page.run<string>(`document.querySelector('#problem-1').textContent`)
    for (const said of [first.code, first.file!, first.expected!.text, first.actual!.text, first.rule!.text, ...first.fix])
      expect(problem).toContain(said)
  })

  test('a file is found and followed with keys alone, and its life is the library’s', async () => {
    await page.size(1200)
    await page.open(address['refused']!)
    for (let i = 0; i < 60 && (await page.run('document.activeElement.id')) !== 'query'; i++) await page.press('Tab')
    expect(await page.run('document.activeElement.id')).toBe('query')
    await page.type('chunk-1')
    await page.until(`hits.textContent.includes('match')`)
    expect(await page.run('[...found.querySelectorAll(".name")].map((name) => name.textContent)')).toEqual([
      'dist/assets/chunk-1.js',
      'dist/assets/chunk-10.js',
      'dist/assets/chunk-11.js',
    ])
    await page.press('ArrowDown')
    await page.press('ArrowDown')
    await page.press('ArrowUp')
    await page.press('Enter')
    await page.until('!life.hidden')
    expect(await page.run('document.activeElement.id')).toBe('life')
    const { stages } = explainArtifact(broken.layout.payload, refused.chain!, 'dist/assets/chunk-1.js')
    const told = await page.run<string[]>(`[...document.querySelectorAll('.stage')].map((stage) => stage.textContent)`)
    expect(told).toHaveLength(stages.length)
    for (const [i, stage] of stages.entries()) {
      expect(told[i]).toContain(stage.step)
      expect(told[i]).toContain({ consumed: 'allowed by', refused: 'refused by', unclaimed: 'let through' }[stage.outcome])
      expect(told[i]).toContain(stage.rule?.text ?? 'no rule')
      for (const { why } of stage.passed) expect(told[i]).toContain(why)
    }
    expect(told.join('')).toContain('other content than before')
  })

  test('thousands of files: a screenful is listed, the rest is counted; a digest finds its file', async () => {
    await page.open(address['large']!)
    await page.run(`query.value = 'chunk'; query.form.requestSubmit()`)
    expect(await page.run('hits.textContent')).toBe('3,000 files match; the first 40 are listed.')
    expect(await page.run(`found.querySelectorAll('li').length`)).toBe(40)
    await page.run(`found.querySelector('button').click()`)
    const start = await page.run<string>(`document.querySelector('.stage code').title`)
    await page.run(`query.value = '${start.slice(0, 12)}'; query.form.requestSubmit()`)
    expect(await page.run('hits.textContent')).toBe('1 file matches.')
  })

  test('paper has the verdict and all problems, and no search', async () => {
    await page.size(760)
    await page.media('light', 'print')
    await page.open(address['refused']!)
    expect(await page.run(`getComputedStyle(document.querySelector('#search')).display`)).toBe('none')
    expect(await page.run(`[...document.querySelectorAll('.problem')].every((one) => one.getBoundingClientRect().height > 40)`)).toBe(true)
    await page.media('light')
  })
})
