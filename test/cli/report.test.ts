/** `intoto report`, `--format html` and `intoto page`, as processes: the file that is written, the line that is said, the exit code. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { encodeMetadata } from 'intoto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeSample } from '../page/sample.ts'
import { intoto } from './command.ts'

let folder: string
const words = ['dist', '-k', 'in-toto/owner.pub', '--at', '2026-03-01']
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'report-'))
  const sample = await makeSample()
  const files: Record<string, string | Uint8Array> = {
    'package.json': '{}',
    'in-toto/root.layout': encodeMetadata(sample.layout),
    'in-toto/owner.pub': sample.owner.publicPem,
  }
  for (const [name, bytes] of Object.entries(sample.links)) files[`in-toto/${name}`] = bytes
  for (const name of Object.keys(sample.product.artifacts)) files[name] = name
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('report', () => {
  test('writes one file and says where; the same verdict gives the same bytes', () => {
    const first = intoto(['report', ...words], { cwd: folder })
    expect([first.code, first.out, first.err]).toEqual([0, 'in-toto-report.html  Verified.\n', ''])
    intoto(['report', ...words, '-o', 'again.html'], { cwd: folder })
    expect(read('again.html')).toBe(read('in-toto-report.html'))
    expect(read('again.html')).toContain('<title>Verified: in-toto/root.layout</title>')
    expect(read('again.html')).toContain('id="links"')
  })

  test('a "no" is drawn, too, and stays exit code 1', () => {
    writeFileSync(join(folder, 'dist/late.js'), 'late')
    const { code, out } = intoto(['report', ...words, '--output', 'no.html'], { cwd: folder })
    rmSync(join(folder, 'dist/late.js'))
    expect([code, out]).toEqual([1, 'no.html  1 problem. Not verified.\n'])
    expect(read('no.html')).toMatch(/E_PRODUCT.*dist\/late\.js/s)
  })

  test('what is no layout is drawn as a "no", so that no older picture is left', () => {
    intoto(['report', ...words, '--output', 'older.html'], { cwd: folder })
    const { code, err } = intoto(['report', ...words, '-l', 'package.json', '--output', 'older.html'], { cwd: folder })
    expect(code).toBe(1)
    expect(err).toContain('E_FORMAT')
    expect(read('older.html')).toContain('<title>Not verified: package.json</title>')
  })
})

test('verify --format html: the same page beside the text, with the search', () => {
  const { code, out } = intoto(['verify', ...words, '--format', 'html', '--output', 'beside.html'], { cwd: folder })
  expect(code).toBe(0)
  expect(out).toContain('Verified.')
  intoto(['report', ...words, '--output', 'alone.html'], { cwd: folder })
  expect(read('beside.html')).toBe(read('alone.html'))
})

test('page: writes the verifier page as it was built', () => {
  const { code, out } = intoto(['page'], { cwd: folder })
  expect([code, out]).toEqual([0, 'in-toto-verifier.html  open it in a browser\n'])
  expect(read('in-toto-verifier.html')).toBe(readFileSync(new URL('../../packages/page/dist/verifier.html', import.meta.url), 'utf8'))
})
