import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { namedModule, type Kind } from '../../../src/recorder/specifier.ts'

const place = realpathSync(mkdtempSync(join(tmpdir(), 'in-toto-specifier-')))
afterAll(() => rmSync(place, { recursive: true, force: true }))

function write(name: string, content: object): void {
  mkdirSync(dirname(join(place, name)), { recursive: true })
  writeFileSync(join(place, name), JSON.stringify(content))
}
function link(name: string, content: object): void {
  write(`packages/${name}/package.json`, content)
  mkdirSync(dirname(join(place, 'node_modules', name)), { recursive: true })
  symlinkSync(join(place, 'packages', name), join(place, 'node_modules', name))
}

const imports = {
  '#one': './one.mjs',
  '#two': { require: './two.cjs', default: [{ browser: './no.mjs' }, './two.mjs'] },
  '#pkg': 'plain',
  '#loop': '#one',
}
write('app/package.json', { imports: { ...imports, '#a/*': './a/*.mjs', '#a/b/*.js': './b/*.js', '#a/null/*': null } })
link('plain', { main: './lib/main.js' })
link('bare', {})
link('text', { exports: './text.mjs' })
link('sugar', { exports: { browser: './no.mjs', import: { types: './no.d.ts', default: './sugar.mjs' }, require: './sugar.cjs' } })
link('@scope/table', { exports: { '.': './table.mjs', './*': './src/*.mjs' } })
link('unplugin-in-toto', { exports: './index.mjs' })
write('node_modules/installed/package.json', { main: './index.js' })

const found = (specifier: string, kind: Kind = 'import'): string | undefined =>
  namedModule(specifier, join(place, 'app/deep/config.mjs'), kind)?.slice(place.length + 1)

describe('namedModule', () => {
  it.each([
    ['#one', 'app/one.mjs'],
    ['#two', 'app/two.mjs'],
    ['#pkg', 'packages/plain/lib/main.js'],
    ['#a/x/y', 'app/a/x/y.mjs'],
    ['#a/b/x.js', 'app/b/x.js'],
    ['plain', 'packages/plain/lib/main.js'],
    ['plain/other', 'packages/plain/other'],
    ['bare', 'packages/bare/index'],
    ['text', 'packages/text/text.mjs'],
    ['sugar', 'packages/sugar/sugar.mjs'],
    ['@scope/table', 'packages/@scope/table/table.mjs'],
    ['@scope/table/part/x', 'packages/@scope/table/src/part/x.mjs'],
  ])('finds %s', (specifier, path) => {
    expect(found(specifier)).toBe(path)
  })

  it('goes by how the import is written', () => {
    expect([found('#two', 'require'), found('sugar', 'require')]).toEqual(['app/two.cjs', 'packages/sugar/sugar.cjs'])
  })

  it.each([
    '#loop',
    '#none',
    '#a/null/x',
    'text/other',
    'installed',
    'absent',
    'fs',
    'node:fs',
    'https://example.com/x',
    'unplugin-in-toto',
    '@scope',
  ])('finds nothing for %s', (specifier) => {
    expect(found(specifier)).toBeUndefined()
  })
})
