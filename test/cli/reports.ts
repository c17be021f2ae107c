/** Reports for the tests of renderings: one that holds, one that does not, one whose every text an attacker chose; and how they are rendered. */
import type { Problem, Report, StepReport } from 'intoto'
import { formats, type Context } from '../../packages/cli/src/formats/format.ts'
import { createColors } from '../../packages/cli/src/terminal.ts'

export const context: Context = {
  version: '1.2.3',
  folders: ['in-toto', 'dist'],
  products: ['dist'],
  loosened: [],
  paint: createColors(false),
  verbose: false,
}
/** Starts and ends whatever a log, a terminal, a page or a document may obey. */
export const attack = '::error::x\u001b[31m\r\n::error::y##[set-output name=ok]z\uffff\u202e\u009b|`</failure>&"\'<b>\u2028@all\ud800'

export function step(name: string, more: Partial<StepReport> = {}): StepReport {
  return {
    name,
    kind: 'step',
    status: 'ok',
    threshold: 1,
    links: [],
    materials: 3,
    products: 1,
    command: ['vite', 'build'],
    rules: [],
    warnings: [],
    ...more,
  }
}

export function report(more: Partial<Report> = {}): Report {
  return {
    schemaVersion: 1,
    ok: true,
    time: '2026-03-01T12:00:00.000Z',
    layout: { file: 'in-toto/root.layout', expires: '2026-03-31T12:00:00Z', signers: [{ keyid: 'c0ffee12'.repeat(8), name: 'alice' }] },
    steps: [
      step('build', {
        links: [{ file: 'dist/build.c0ffee12.link', keyid: 'c0ffee12'.repeat(8), name: 'ci', counted: true, format: 'dsse' }],
      }),
    ],
    inspections: [],
    problems: [],
    ...more,
  }
}

export const problem: Problem = {
  code: 'E_TAMPER',
  severity: 'error',
  message: 'dist/a b.js: changed after "build" and before "package"',
  step: 'package',
  file: 'dist/a b.js',
  expected: { label: 'build wrote', text: `sha256 6b1f2c${'0'.repeat(54)}c20a`, from: 'dist/build.c0ffee12.link' },
  actual: { label: 'package read', text: `sha256 91d7aa${'0'.repeat(54)}03ee`, from: 'in-toto/package.c0ffee12.link' },
  rule: { text: 'MATCH dist/* WITH PRODUCTS FROM build', step: 'package', list: 'expected_materials', index: 1 },
  cause: 'package.json script "postbuild" ran in between',
  fix: ['move the banner into the bundler', 'or make it a step'],
}
export const warning: Problem = { code: 'E_COMMAND', severity: 'warning', message: 'build: ran another command', step: 'build', fix: [] }
export const refused = report({
  ok: false,
  steps: [
    step('build'),
    step('package', { status: 'fail' }),
    step('ship', { status: 'unchecked', materials: 0, products: 0, command: [] }),
  ],
  problems: [warning, problem],
})
export const hostile = report({
  ok: false,
  layout: { file: attack, expires: attack, signers: [{ keyid: attack, name: attack }] },
  steps: [step(attack, { command: [attack], status: 'fail' })],
  inspections: [step(attack, { kind: 'inspection' })],
  problems: [
    {
      ...problem,
      message: `${attack}: ${attack}`,
      file: attack,
      step: attack,
      cause: attack,
      fix: [attack, attack],
      expected: { text: attack, from: attack, label: attack },
      rule: { text: attack, step: attack, list: 'expected_products', index: 0 },
    },
  ],
})

/** One rendering of a Report. */
export async function render(name: string, r: Report, more: Partial<Context> = {}): Promise<string> {
  const format = await formats[name]?.()
  if (format === undefined) throw new Error(name)
  return format(r, { ...context, ...more })
}
