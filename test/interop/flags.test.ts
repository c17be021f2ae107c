/**
 * The flags of in-toto 3.1.0, one by one: each is one that the reference's own help lists, and does here what it does there. What is different is
 * in docs/reference-parity.md.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeMetadata, type Link } from 'intoto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bareEnvironment, bin, mustRun } from '../cli/command.ts'
import { reference } from '../cli/reference.ts'
import { describeWithPeers, peerCommand } from './peer.ts'

/** Two folders with the same files: the reference works in one, we in the other. */
const sides = ['there', 'here'] as const
type Side = (typeof sides)[number]

interface Ended {
  code: number | null
  said: string
}

describeWithPeers('the programs of in-toto 3.1.0', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(realpathSync(tmpdir()), 'flags-'))
    mustRun(['keygen', '-o', join(root, 'key')])
    for (const side of sides) {
      for (const folder of ['src', 'sub/deep', 'links']) mkdirSync(join(root, side, folder), { recursive: true })
      for (const file of ['src/a.js', 'src/b.log', 'sub/c.txt', 'sub/deep/d.txt', '.hidden']) writeFileSync(join(root, side, file), file)
      symlinkSync('src/a.js', join(root, side, 'also'))
      symlinkSync('sub', join(root, side, 'folder'))
    }
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  function call(side: Side, program: string, args: readonly string[]): Ended {
    const [command, ...words] = program.split(' ')
    const [file, all] =
      side === 'there'
        ? [peerCommand('python', `in-toto-${command}`), [...words, ...args]]
        : [process.execPath, [bin, command!, ...words, ...args]]
    const { status, stdout, stderr } = spawnSync(file, all, { cwd: join(root, side), env: bareEnvironment(), encoding: 'utf8' })
    return { code: status, said: stdout + stderr }
  }

  /** The same call on both sides. */
  const both = (program: string, ...args: string[]): Record<Side, Ended> => ({
    there: call('there', program, args),
    here: call('here', program, args),
  })

  /** What the links of one name say, and their number; the links go away. */
  function linksOf(side: Side, folder: string): [string, unknown][] {
    const at = join(root, side, folder)
    return readdirSync(at)
      .filter((name) => name.endsWith('.link'))
      .map((name) => {
        const { name: step, materials, products, command, byproducts } = decodeMetadata(readFileSync(join(at, name))).payload as Link
        rmSync(join(at, name))
        return [name, JSON.parse(JSON.stringify({ step, materials, products, command, byproducts }))]
      })
  }

  test.each(Object.entries(reference))('%s: our list of flags is that of its help', (name, list) => {
    const { said } = call('there', name, ['--help'])
    const lines = said.split('\n').filter((line) => /^ {2}-/.test(line))
    const flags = lines.flatMap((line) =>
      [...line.slice(0, line.search(/\S {2,}|$/) + 1).matchAll(/(?<=^ *|, )--?[a-z][a-z-]*/gi)].map(([flag]) => flag),
    )
    // `in-toto-record` has its version flag in front of the word.
    const all = new Set([...flags, ...(name.startsWith('record') ? ['--version'] : [])])
    expect([...all].sort()).toEqual(list.split(' ').sort())
  })

  describe('run', () => {
    const key = (): string[] => ['-n', 'step', '--signing-key', join(root, 'key'), '-d', 'links']

    test.each<[string, string[]]>([
      ['-m, -p, and a path that is not there', ['-m', 'src', 'none', '-p', 'src', '--', 'true']],
      ['--exclude', ['-m', '.', '--exclude', '*.log', 'sub', '--', 'true']],
      ['--exclude with a path and a negation', ['-m', '.', '--exclude', '/src/*', '!a.js', 'c*', '--', 'true']],
      ['--lstrip-paths', ['-m', 'src', 'sub', '--lstrip-paths', 'src/', 'sub/', '--', 'true']],
      ['--base-path', ['-m', '.', '-p', 'deep', '--base-path', 'sub', '--', 'true']],
      ['-x', ['-m', 'src', '-p', 'src', '-x']],
      ['-s, and a command that fails', ['-s', '-p', 'src', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']],
      ['--use-dsse, -v', ['-m', 'src', '--use-dsse', '-v', '--', 'true']],
      ['names that are not plain', ['-m', './src//a.js', 'sub/../src/b.log', '--', 'true']],
    ])('%s', (_, args) => {
      const { there, here } = both('run', ...key(), ...args)
      expect([here.code, linksOf('here', 'links')]).toEqual([there.code, linksOf('there', 'links')])
      expect(there.said).not.toMatch(/Traceback/)
    })

    test.each<[string, string[], number, number]>([
      ['prefixes of each other', ['-m', 'src', '--lstrip-paths', 'src', 'src/a', '--', 'true'], 1, 2],
      ['names that become one', ['-m', 'src/a.js', 'also', '--lstrip-paths', 'src/a.js', 'also', '--', 'true'], 1, 2],
      ['a command that is not there', ['--', 'no-such-command'], 1, 2],
      ['--run-timeout', ['--run-timeout', '1', '--', 'sleep', '20'], 1, 1],
    ])('%s: no link', (_, args, there, here) => {
      const ended = both('run', ...key(), ...args)
      expect([ended.there.code, ended.here.code]).toEqual([there, here])
      for (const side of sides) expect(linksOf(side, 'links')).toEqual([])
    })

    test('a flag given twice: the last one counts there, both count here', () => {
      both('run', ...key(), '-m', 'src/a.js', '-m', 'sub/c.txt', '--', 'true')
      const names = sides.map((side) => linksOf(side, 'links').map(([, link]) => Object.keys((link as Link).materials)))
      expect(names).toEqual([[['sub/c.txt']], [['src/a.js', 'sub/c.txt']]])
    })

    test('-q says nothing', () => {
      for (const { code, said } of Object.values(both('run', ...key(), '-q', '-m', 'src', '--', 'true')))
        expect([code, said]).toEqual([0, ''])
      for (const side of sides) expect(linksOf(side, 'links')).toHaveLength(1)
    })
  })

  test('record: each ends what the other began, and says the same', () => {
    const key = ['-n', 'step', '--signing-key', join(root, 'key')]
    const start = ['-m', 'src', 'sub', '--exclude', '*.log', '--lstrip-paths', 'src/']
    const stop = ['-p', 'sub', '--base-path', '.', '-d', 'links']
    for (const format of [[], ['--use-dsse']]) {
      for (const side of sides) expect(call(side, 'record start', [...key, ...start, ...format]).code).toBe(0)
      // Each stops in the other's folder, where the unfinished link of the other lies.
      for (const side of sides) {
        const program = side === 'there' ? [process.execPath, bin, 'record'] : [peerCommand('python', 'in-toto-record')]
        const { status, stderr } = spawnSync(program[0]!, [...program.slice(1), 'stop', ...key, ...stop], {
          cwd: join(root, side),
          env: bareEnvironment(),
          encoding: 'utf8',
        })
        expect([side, status, stderr]).toEqual([side, 0, expect.anything()])
        expect(readdirSync(join(root, side)).filter((name) => name.includes('unfinished'))).toEqual([])
      }
      const [there, here] = [linksOf('there', 'links'), linksOf('here', 'links')]
      expect(there).toHaveLength(1)
      expect(here).toEqual(there)
    }
  })

  test('sign: -f, -k, -o, -a, --verify', () => {
    mustRun(['keygen', '-o', join(root, 'second')])
    const plain = { _type: 'layout', expires: '2055-01-01T00:00:00Z', readme: '', keys: {}, steps: [], inspect: [] }
    for (const side of sides) writeFileSync(join(root, side, 'plain.layout'), JSON.stringify({ signatures: [], signed: plain }))
    const verified = (...keys: string[]): (number | null)[] =>
      Object.values(both('sign', '-f', 'signed.layout', '-k', ...keys.map((name) => join(root, `${name}.pub`)), '--verify')).map(
        ({ code }) => code,
      )
    const signed = (...args: string[]): (number | null)[] => Object.values(both('sign', ...args)).map(({ code }) => code)
    expect(signed('-f', 'plain.layout', '-k', join(root, 'key'), '-o', 'signed.layout')).toEqual([0, 0])
    expect([verified('key'), verified('second'), verified('key', 'second')]).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
    ])
    expect(signed('-f', 'signed.layout', '-k', join(root, 'second'), '-a')).toEqual([0, 0])
    expect(verified('key', 'second')).toEqual([0, 0])
    expect(signed('-f', 'signed.layout', '-k', join(root, 'second'))).toEqual([0, 0])
    expect([verified('second'), verified('key')]).toEqual([
      [0, 0],
      [1, 1],
    ])
    for (const side of sides) for (const name of ['plain', 'signed']) rmSync(join(root, side, `${name}.layout`))
  })

  test('match-products: -l, -p, --lstrip-paths, -e, -v', () => {
    for (const side of sides)
      expect(
        call(side, 'run', ['-n', 'made', '--signing-key', join(root, 'key'), '-p', 'src', 'sub', '--lstrip-paths', 'src/', '--', 'true'])
          .code,
      ).toBe(0)
    const file = (side: Side): string => readdirSync(join(root, side)).find((name) => name.startsWith('made.'))!
    const codes = (...args: string[]): (number | null)[] =>
      sides.map((side) => call(side, 'match-products', ['-l', file(side), ...args]).code)
    expect(codes('-p', 'src', 'sub', '--lstrip-paths', 'src/')).toEqual([0, 0])
    expect(codes('-p', 'src', 'sub')).toEqual([1, 1])
    expect(codes('--lstrip-paths', 'src/', '-v')).toEqual([1, 1])
    expect(codes('--lstrip-paths', 'src/', '-e', '.hidden', 'also', 'folder', '*.link')).toEqual([0, 0])
    for (const side of sides) writeFileSync(join(root, side, 'src/a.js'), 'changed')
    expect(codes('-p', 'src', 'sub', '--lstrip-paths', 'src/')).toEqual([1, 1])
    for (const side of sides) writeFileSync(join(root, side, 'src/a.js'), 'src/a.js')
    for (const side of sides) rmSync(join(root, side, file(side)))
  })

  test('mock: -n, --use-dsse; there the code of the command is lost', () => {
    for (const format of [[], ['--use-dsse']]) {
      const { there, here } = both('mock', '-n', 'mocked', ...format, '--', 'sh', '-c', 'exit 3')
      expect([there.code, here.code]).toEqual([0, 3])
      const links = sides.map((side) => linksOf(side, '.'))
      expect(links[1]).toEqual(links[0])
      expect(links[0]).toHaveLength(1)
    }
  })
})
