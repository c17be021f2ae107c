/** `intoto layout new|lint` and the small languages of its flags. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, type Layout } from 'intoto'
import { beforeAll, describe, expect, test } from 'vitest'
import { expiryOf, millisecondsOf, namedOrBare, pairs, splitCommand, timeOf } from '../../packages/cli/src/words.ts'
import { intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const call = { cwd: folder }
let made = 0

beforeAll(() => {
  for (const name of ['owner', 'alice', 'bob']) mustRun(['keygen', '-o', join(folder, name)])
})

function layout(args: readonly string[]): Layout {
  const file = `${++made}.layout`
  mustRun(['layout', 'new', '-o', file, ...args], call)
  return layoutIn(file)
}

const layoutIn = (file: string): Layout => decodeMetadata(readFileSync(join(folder, file))).payload as Layout

const everyone = ['--functionary', 'alice.pub']
const names = (l: Layout): string[] => l.steps.map((step) => step.name)

describe('layout new', () => {
  test('presets, each with its options', () => {
    expect(names(layout(['--preset', 'npm', ...everyone]))).toEqual(['source', 'build', 'test', 'package'])
    expect(names(layout(['--preset', 'webapp', ...everyone]))).toEqual(['source', 'build', 'test'])
    const full = layout([
      '--preset',
      'npm',
      ...everyone,
      '--install',
      '--no-test',
      '--tarball',
      'lib-1.0.0.tgz',
      '--dist',
      'out',
      '--main',
      'out/lib.js',
      '--readme',
      'Hello',
    ])
    expect(names(full)).toEqual(['source', 'install', 'build', 'package'])
    expect(full.inspect.map((inspection) => inspection.run)).toEqual([['tar', 'xzf', 'lib-1.0.0.tgz']])
    expect(JSON.stringify(full)).toContain('"REQUIRE","out/lib.js"')
    expect(full.readme).toMatch(/^Hello\n/)
  })

  test('the main file comes from package.json', () => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ main: './dist/lib.mjs' }))
    expect(JSON.stringify(layout(['--preset', 'npm', ...everyone]))).toContain('"REQUIRE","dist/lib.mjs"')
  })

  test('steps of one’s own: commands, functionaries, thresholds, rules', () => {
    const own = layout([
      '--step',
      'source',
      "build=vite build --mode 'my mode'",
      '--functionary',
      'alice.pub',
      'build=bob.pub',
      '--functionary',
      'build=alice.pub',
      '--threshold',
      'build=2',
      '--expires',
      '30',
      '--rule',
      'build materials REQUIRE package.json',
      'build materials MATCH * WITH PRODUCTS FROM source',
      'build materials DISALLOW *',
    ])
    expect(own.steps.map((step) => [step.name, step.pubkeys.length, step.threshold])).toEqual([
      ['source', 1, 1],
      ['build', 2, 2],
    ])
    expect(own.steps[1]?.expected_command).toEqual(['vite', 'build', '--mode', 'my mode'])
    expect(own.steps[1]?.expected_materials).toEqual([
      ['REQUIRE', 'package.json'],
      ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'source'],
      ['DISALLOW', '*'],
    ])
    expect(own.steps[1]?.expected_products).toEqual([['ALLOW', '*']])
    expect(Date.parse(own.expires) - Date.now()).toBeGreaterThan(29.9 * 86_400_000)
    expect(Date.parse(own.expires) - Date.now()).toBeLessThanOrEqual(30 * 86_400_000)
  })

  test('keys of one name stay two functionaries', () => {
    mustRun(['keygen', '-o', join(folder, 'other-alice')])
    writeFileSync(join(folder, 'alice.pem'), readFileSync(join(folder, 'other-alice.pub')))
    expect(Object.keys(layout(['--step', 'a', '--functionary', 'alice.pub', 'alice.pem']).keys)).toHaveLength(2)
  })

  test('signed, then verified by the owner; unsigned says what to do next', () => {
    mustRun(['layout', 'new', '--step', 'a', ...everyone, '--sign-with', 'owner', '-o', 'signed.layout'], call)
    mustRun(['sign', '-f', 'signed.layout', '-k', 'owner.pub', '--verify'], call)
    expect(mustRun(['layout', 'new', '--step', 'a', ...everyone, '-o', 'unsigned.layout'], call).out).toContain(
      'intoto sign -f unsigned.layout',
    )
  })

  test.each<[string, string[]]>([
    ['nobody', ['--step', 'a']],
    ['no steps', [...everyone]],
    ['a step that nobody may perform', ['--step', 'a', 'b', '--functionary', 'a=alice.pub']],
    ['a functionary of no step', ['--step', 'a', ...everyone, '--functionary', 'z=bob.pub']],
    ['a rule of no step', ['--step', 'a', ...everyone, '--rule', 'z products ALLOW *']],
    ['a line that is no rule', ['--step', 'a', ...everyone, '--rule', 'a products ALLOW']],
    ['a threshold of nobody', ['--step', 'a', ...everyone, '--threshold', 'a=0']],
    ['an expiry that is past', ['--step', 'a', ...everyone, '--expires', '2001-01-01']],
    ['an open quotation', ['--step', "a='x", ...everyone]],
    ['a step twice', ['--step', 'a', 'a', ...everyone]],
    ['an absent key', ['--step', 'a', '--functionary', 'none.pub']],
    ['a file that exists', ['--step', 'a', ...everyone, '-o', 'package.json']],
  ])('%s: refused, nothing written', (_what, args) => {
    const ended = intoto(['layout', 'new', '-o', 'refused.layout', ...args], call)
    expect(ended.code, ended.out + ended.err).toBeGreaterThan(0)
    expect(ended.code).toBeLessThanOrEqual(2)
    expect(existsSync(join(folder, 'refused.layout'))).toBe(false)
    expect(readFileSync(join(folder, 'package.json'), 'utf8')).toContain('lib.mjs')
  })

  test('--force replaces', () => {
    mustRun(['layout', 'new', '--step', 'a', ...everyone, '-o', 'twice.layout'], call)
    mustRun(['layout', 'new', '--step', 'b', ...everyone, '-o', 'twice.layout', '--force'], call)
    expect(names(layoutIn('twice.layout'))).toEqual(['b'])
  })
})

describe('layout renew', () => {
  test('a later expiry, one more functionary, signed again', () => {
    mustRun(['layout', 'new', '--step', 'a', 'b', ...everyone, '--expires', '2', '--sign-with', 'owner', '-o', 'old.layout'], call)
    mustRun(
      [
        'layout',
        'renew',
        'old.layout',
        '--days',
        '90',
        '--add-functionary',
        'b=bob.pub',
        'b=alice.pub',
        '--sign-with',
        'owner',
        '-o',
        'new.layout',
      ],
      call,
    )
    const renewed = layoutIn('new.layout')
    expect(renewed.steps.map((step) => step.pubkeys.length)).toEqual([1, 2])
    expect(Object.keys(renewed.keys)).toHaveLength(2)
    expect(Date.parse(renewed.expires)).toBeGreaterThan(Date.now() + 89 * 86_400_000)
    mustRun(['sign', '-f', 'new.layout', '-k', 'owner.pub', '--verify'], call)
    const other = mustRun(['layout', 'renew', 'new.layout', '--expires', '2099-01-01', '--sign-with', 'bob'], call)
    expect(other.err).toContain('2 earlier signatures are gone')
  })

  test('rules that name the link of a step by who signed it name that of the new functionary too, once', () => {
    const idOf = (file: string): string => /\.([0-9a-f]{8})\.link/.exec(mustRun(['key', 'show', file], call).out)?.[1] ?? ''
    const preset = ['layout', 'new', '--preset', 'npm', '--tarball', 'lib-*.tgz', ...everyone, '--sign-with', 'owner']
    mustRun([...preset, '-o', 'one.layout'], call)
    const links = (file: string): string[] =>
      [...layoutIn(file).steps, ...layoutIn(file).inspect].map(({ name, expected_materials, expected_products }) => {
        const rules = [...expected_materials, ...expected_products].filter(([kind]) => kind === 'ALLOW')
        return `${name}: ${rules.map(([, pattern = '']) => /[^/]+\.link$/.exec(pattern)?.[0]).filter((link) => link !== undefined).length}`
      })
    const before = links('one.layout')
    expect(before.filter((line) => line.endsWith(': 1')).length).toBeGreaterThan(2)
    const words = ['build=bob.pub', 'build=bob.pub', 'test=bob.pub']
    mustRun(['layout', 'renew', 'one.layout', '--add-functionary', ...words, '--sign-with', 'owner', '-o', 'two.layout'], call)
    expect(links('two.layout')).toEqual(before.map((line) => line.replace(/1$/, '2')))
    const diff = mustRun(['layout', 'diff', 'one.layout', '--add-functionary', 'build=bob.pub'], call)
    expect(diff.out).toMatch(/\+.*ALLOW dist\/build\.[0-9a-f]{8}\.link/)

    mustRun(['key', 'rotate', 'bob.pub', '-o', 'bob2', '-l', 'two.layout', '--sign-with', 'owner'], call)
    expect(links('two.layout')).toEqual(before.map((line) => line.replace(/1$/, '2')))
    expect(JSON.stringify(layoutIn('two.layout'))).not.toContain(idOf('bob.pub'))
    expect(JSON.stringify(layoutIn('two.layout').steps)).toContain(`.${idOf('bob2.pub')}.link`)
  })

  test.each([
    [['--days', '90']],
    [['--sign-with', 'owner']],
    [['--days', '0', '--sign-with', 'owner']],
    [['--add-functionary', 'z=bob.pub', '--sign-with', 'owner']],
  ])('%j: refused', (args) => {
    const before = readFileSync(join(folder, 'old.layout'))
    expect(intoto(['layout', 'renew', 'old.layout', ...args], call).code).toBe(2)
    expect(readFileSync(join(folder, 'old.layout')).equals(before)).toBe(true)
  })
})

test('layout new --from: a module that ends the process well leaves no layout, which is a failure', () => {
  const root = temporaryFolder()
  writeFileSync(join(root, 'early.mjs'), 'process.exit(0)\n')
  writeFileSync(join(root, 'late.mjs'), 'export default () => process.exit(0)\n')
  for (const name of ['early.mjs', 'late.mjs']) {
    const ended = intoto(['layout', 'new', '--from', name, '-o', 'root.layout'], { cwd: root })
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^E_CONFIG .*ended the process/) as string })
    expect(readdirSync(root)).toEqual(['early.mjs', 'late.mjs'])
  }
})

describe('layout lint', () => {
  test('a preset has no finding, a careless layout has some; --strict makes them count', () => {
    mustRun(['layout', 'new', '--preset', 'npm', ...everyone, '-o', 'preset.layout'], call)
    expect(mustRun(['layout', 'lint', 'preset.layout', '--strict'], call).out).toBe('nothing to remark\n')
    mustRun(
      [
        'layout',
        'new',
        '--step',
        'a',
        'b',
        ...everyone,
        '--rule',
        'b materials MATCH src/[a] WITH PRODUCTS FROM nowhere',
        '--expires',
        '4000',
        '-o',
        'careless.layout',
      ],
      call,
    )
    const { out } = mustRun(['layout', 'lint', 'careless.layout'], call)
    expect(out).toMatch(/^E_LAYOUT_INVALID careless\.layout /m)
    expect(out).toMatch(/\d+ warnings/)
    expect(intoto(['layout', 'lint', 'careless.layout', '--strict'], call).code).toBe(1)
    expect(intoto(['layout', 'lint', 'careless.layout', '-q'], call)).toMatchObject({ code: 0, out: '', err: '' })
    const quiet = intoto(['layout', 'lint', 'careless.layout', '--strict', '-q'], call)
    expect([quiet.code, quiet.out, quiet.err.split('\n')[0]]).toEqual([1, '', out.split('\n')[0]])
    expect(intoto(['layout', 'lint', 'none.layout'], call).code).toBe(2)
  })

  test('without a file it looks at in-toto/root.layout', () => {
    expect(intoto(['layout', 'lint'], call).err).toMatch(/^E_IO in-toto\/root\.layout /)
    const root = join(folder, 'usual')
    mkdirSync(join(root, 'in-toto'), { recursive: true })
    copyFileSync(join(folder, 'preset.layout'), join(root, 'in-toto/root.layout'))
    expect(mustRun(['layout', 'lint', '--strict'], { cwd: root }).out).toBe('nothing to remark\n')
  })
})

describe('words', () => {
  test('command lines', () => {
    expect(splitCommand('vite build')).toEqual(['vite', 'build'])
    expect(splitCommand(`  a 'b c'  "d \\" e"f \\g '' `)).toEqual(['a', 'b c', 'd " ef', 'g', ''])
    expect(splitCommand('')).toEqual([])
    for (const open of [`a "b`, `a 'b`, 'a\\']) expect(() => splitCommand(open)).toThrow('open quotation')
  })

  test('pairs', () => {
    expect(namedOrBare('a=b=c')).toEqual({ name: 'a', value: 'b=c' })
    expect(namedOrBare('=x')).toEqual({ value: '=x' })
    expect([...pairs('--x', ['a=1', 'b'])]).toEqual([
      ['a', '1'],
      ['b', ''],
    ])
    expect(() => pairs('--x', ['a=1', 'a=2'])).toThrow('twice')
  })

  test('times', () => {
    const now = new Date('2026-03-01T12:00:00Z')
    expect(expiryOf('1', now)).toBe('2026-03-02T12:00:00Z')
    expect(expiryOf('2026-12-31', now)).toBe('2026-12-31T00:00:00Z')
    expect(expiryOf('2026-12-31T23:59:59Z', now)).toBe('2026-12-31T23:59:59Z')
    for (const wrong of ['0', '-1', 'soon', '2026-02-30', '2026-03-01', '2026-03-01T12:00:00+01:00'])
      expect(() => expiryOf(wrong, now)).toThrow('--expires')
    expect(timeOf('2026-02-29')).toBeUndefined()
    expect(millisecondsOf('--x', '0.5')).toBe(500)
    for (const wrong of ['0', '-1', 'x', '', 'Infinity']) expect(() => millisecondsOf('--x', wrong)).toThrow('--x')
  })
})
