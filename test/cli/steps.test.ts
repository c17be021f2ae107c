/** Recording through the command: run, record, mock, sign, match-products, with the flags of the reference’s programs. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, fromUtf8, type Link } from 'intoto'
import { beforeEach, describe, expect, test } from 'vitest'
import { complaints, intoto, mustRun, temporaryFolder, type Ended } from './command.ts'

const folder = temporaryFolder()
mustRunOnce()
let place: string
let count = 0
const alice = ['--signing-key', '../alice']
const node = process.execPath

function mustRunOnce(): void {
  mustRun(['keygen', '-o', join(folder, 'alice')])
  mustRun(['keygen', '--type', 'ecdsa', '-o', join(folder, 'bob')])
}

beforeEach(() => {
  place = join(folder, `place-${++count}`)
  mkdirSync(join(place, 'src/deep'), { recursive: true })
  writeFileSync(join(place, 'src/a.js'), 'a')
  writeFileSync(join(place, 'src/deep/b.js'), 'b')
})

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended => intoto(args, { cwd: place, env })
const links = (where = '.'): string[] => readdirSync(join(place, where)).filter((name) => name.includes('.link'))

function link(where = '.'): Link {
  const [name] = links(where)
  return decodeMetadata(readFileSync(join(place, where, name ?? 'none'))).payload as Link
}

const format = (): string =>
  (JSON.parse(readFileSync(join(place, links()[0] ?? 'none'), 'utf8')) as { signed?: unknown }).signed === undefined ? 'dsse' : 'metablock'

describe('run', () => {
  test('records materials before and products after, and passes the command’s output and exit code on', () => {
    const script = "require('node:fs').writeFileSync('out.js', 'x'); console.log('said'); process.exit(7)"
    const ended = run(['run', '-n', 'build', ...alice, '-m', 'src', '-p', 'src', 'out.js', '--', node, '-e', script])
    expect(ended).toMatchObject({ code: 7, out: 'said\n' })
    expect(ended.err).toMatch(/\n\[in-toto\] build: .* ended with 7; the link says so\n$/)
    expect(links()).toEqual([expect.stringMatching(/^build\.[0-9a-f]{8}\.link$/)])
    expect(Object.keys(link().materials).sort()).toEqual(['src/a.js', 'src/deep/b.js'])
    expect(Object.keys(link().products).sort()).toEqual(['out.js', 'src/a.js', 'src/deep/b.js'])
    expect(link()).toMatchObject({ command: [node, '-e', script], byproducts: { 'return-value': 7, stdout: '', stderr: '' } })
  })

  test.each<[string, string[]]>([
    ['-m', ['run', '-n', 'x', '-m', '', '-x']],
    ['-p', ['run', '-n', 'x', '-p', 'src', '', '-x']],
    ['-d', ['run', '-n', 'x', '-d', '', '-x']],
    ['--base-path', ['run', '-n', 'x', '--base-path', '', '-x']],
    ['-m', ['record', 'start', '-n', 'x', '-m', '']],
  ])('an empty path after %s, of a variable that is not set, is refused', (flag, words) => {
    const ended = run([...words, ...alice])
    expect(ended.code).toBe(2)
    expect(ended.err).toMatch(new RegExp(`^E_CONFIG intoto {2}${flag}: the path is empty\\n {2}try +\\S`))
    expect(readdirSync(place)).toEqual(['src'])
  })

  test('lists may be given in one go, in several, or both', () => {
    mustRun(['run', '-n', 'x', ...alice, '-m', 'src/a.js', '-m', 'src/deep', '-x'], { cwd: place })
    expect(Object.keys(link().materials)).toHaveLength(2)
  })

  test.each<[string, string[], string[]]>([
    ['--exclude', ['--exclude', 'deep'], ['src/a.js']],
    ['--exclude, a gitignore pattern', ['--exclude', '*.js', '!a.js'], ['src/a.js']],
    ['--lstrip-paths', ['--lstrip-paths', 'src/'], ['a.js', 'deep/b.js']],
    ['--base-path', ['--base-path', '..'], []],
  ])('%s', (_flag, flags, names) => {
    mustRun(['run', '-n', 'x', ...alice, '-m', 'src', ...flags, '-x'], { cwd: place })
    expect(Object.keys(link().materials).sort()).toEqual(names)
  })

  test('-s keeps what the command prints, and still prints it', () => {
    const ended = run(['run', '-n', 'x', ...alice, '-s', '--', node, '-e', "console.log('out'); console.error('err')"])
    expect(ended.out).toBe('out\n')
    expect(link().byproducts).toMatchObject({ stdout: 'out\n', stderr: 'err\n', 'return-value': 0 })
  })

  test('-x runs nothing and says so when a command was given all the same', () => {
    const ended = run(['run', '-n', 'x', ...alice, '-x', '--', node, '-e', "require('node:fs').writeFileSync('ran', '')"])
    expect(ended.code).toBe(0)
    expect(existsSync(join(place, 'ran'))).toBe(false)
    expect(link().command).toEqual([])
  })

  test('where the link goes: -d, else in-toto/ if it is there, else here', () => {
    mustRun(['run', '-n', 'x', ...alice, '-d', 'evidence/deep', '-x'], { cwd: place })
    expect(links('evidence/deep')).toHaveLength(1)
    mkdirSync(join(place, 'in-toto'))
    mustRun(['run', '-n', 'x', ...alice, '-x'], { cwd: place })
    expect(links('in-toto')).toHaveLength(1)
    expect(links()).toEqual([])
  })

  test('envelopes and key ids', () => {
    mustRun(['run', '-n', 'x', ...alice, '-x', '--format', 'metablock'], { cwd: place })
    expect(format()).toBe('metablock')
    mustRun(['run', '-n', 'x', ...alice, '-x', '--use-dsse'], { cwd: place })
    expect(format()).toBe('dsse')
    mustRun(['run', '-n', 'x', ...alice, '-x', '--keyid-style', 'go'], { cwd: place })
    const go = /go {6}([0-9a-f]{8})/.exec(mustRun(['key', 'show', '../alice.pub'], { cwd: place }).out)?.[1]
    expect(links()).toContain(`x.${go}.link`)
    expect(run(['run', '-n', 'x', ...alice, '-x', '--use-dsse', '--format', 'metablock']).code).toBe(2)
  })

  test('keys from a variable, which the command does not see', () => {
    const pem = readFileSync(join(folder, 'alice'), 'utf8')
    const shows = 'process.exit(process.env.INTOTO_KEY || process.env.MY_KEY ? 1 : 0)'
    expect(run(['run', '-n', 'x', '--', node, '-e', shows], { INTOTO_KEY: pem.replaceAll('\n', '\\n') }).code).toBe(0)
    expect(
      run(['run', '-n', 'y', '--signing-key', 'env:MY_KEY', '--', node, '-e', shows], { MY_KEY: Buffer.from(pem).toString('base64') }).code,
    ).toBe(0)
    expect(run(['run', '-n', 'z', '-x'], { INTOTO_KEY_FILE: join(folder, 'bob') }).code).toBe(0)
    expect(links()).toHaveLength(3)
  })

  test.each<[string, string[]]>([
    ['no key', ['run', '-n', 'x', '-x']],
    ['an absent key', ['run', '-n', 'x', '--signing-key', 'none', '-x']],
    ['a public key', ['run', '-n', 'x', '--signing-key', '../alice.pub', '-x']],
    ['a folder as key', ['run', '-n', 'x', '--signing-key', 'src', '-x']],
    ['no command', ['run', '-n', 'x', ...alice]],
    ['a command that does not exist', ['run', '-n', 'x', ...alice, '--', 'no-such-program']],
    ['a step name that leads out', ['run', '-n', '../x', ...alice, '-x']],
    ['an empty word as command', ['run', '-n', 'x', ...alice, '--', '', 'a']],
    ['an empty word as command to try out', ['mock', '-n', 'x', '--', '']],
    ['OpenPGP', ['run', '-n', 'x', '--gpg', '-x']],
    ['a link folder that is a file', ['run', '-n', 'x', ...alice, '-d', 'src/a.js', '-x']],
  ])('%s: exit code 2, two lines, no link', (_what, args) => {
    const ended = run(args)
    expect(ended.code, ended.err).toBe(2)
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
    expect(ended.err).toMatch(/^E_[A-Z]+ /)
    expect(ended.err).not.toContain('ERR_')
    expect(links()).toEqual([])
  })

  const commands: [string, string[], string[]][] = [
    ['run', ['-n'], [...alice, '--', node]],
    ['mock', ['-n'], ['--', node]],
    ['record start', ['-n'], alice],
    ['record source', ['-n'], alice],
    ['record stop', ['-n'], alice],
  ]
  test.each(commands)('%s with a step name of which no file can be named: said before anything is done', (command, flags, words) => {
    const before = readdirSync(folder)
    for (const name of ['../x', 'a/b', '..', '', 'x'.repeat(300), 'ä'.repeat(121)]) {
      const script = command === 'run' || command === 'mock' ? ['-e', "require('node:fs').writeFileSync('ran', '')"] : []
      const ended = run([...command.split(' '), ...flags, name, ...words, ...script])
      expect(ended.code, ended.err).toBe(2)
      expect(ended.err).toMatch(/^E_CONFIG .*\n {2}try .*step/)
      expect(ended.err.length).toBeLessThan(300)
      expect(readdirSync(place)).toEqual(['src'])
    }
    expect(readdirSync(folder)).toEqual(before)
  })

  test('the longest name that a file can have', () => {
    mustRun(['run', '-n', 'x'.repeat(241), ...alice, '-x'], { cwd: place })
    expect(links()).toHaveLength(1)
  })

  test('a command that runs out of time leaves no link', () => {
    const ended = run(['run', '-n', 'x', ...alice, '--run-timeout', '0.3', '--', node, '-e', 'setTimeout(() => {}, 60000)'])
    expect(ended.code).toBe(1)
    expect(ended.err).toMatch(/^E_NOT_RECORDED /m)
    expect(links()).toEqual([])
  })

  test('a path that does not exist is left out with a word', () => {
    const ended = run(['run', '-n', 'x', ...alice, '-m', 'src', 'none', '-x'])
    expect(ended.code).toBe(0)
    expect(ended.err).toMatch(/none .*does not exist/)
  })
})

describe('record', () => {
  test('start and stop make one link of both', () => {
    mustRun(['record', 'start', '-n', 'edit', ...alice, '-m', 'src'], { cwd: place })
    expect(links()).toEqual([expect.stringMatching(/^\.edit\.[0-9a-f]{8}\.link-unfinished$/)])
    writeFileSync(join(place, 'src/a.js'), 'changed')
    mustRun(['record', 'stop', '-n', 'edit', ...alice, '-p', 'src', '-d', 'done'], { cwd: place })
    expect(links()).toEqual([])
    expect(link('done').materials['src/a.js']).not.toEqual(link('done').products['src/a.js'])
    expect(link('done')).toMatchObject({ name: 'edit', command: [] })
  })

  test('stop refuses an unfinished link of another key, and one that was changed', () => {
    mustRun(['record', 'start', '-n', 'edit', ...alice, '-m', 'src', '--format', 'metablock'], { cwd: place })
    expect(run(['record', 'stop', '-n', 'edit', '--signing-key', '../bob']).code).toBe(2)
    const file = join(place, links()[0] ?? 'none')
    writeFileSync(file, readFileSync(file, 'utf8').replace('src/a.js', 'src/c.js'))
    const ended = run(['record', 'stop', '-n', 'edit', ...alice])
    expect(ended.code).toBe(1)
    expect(ended.err).toMatch(/^E_SIGNATURE /)
    expect(existsSync(file)).toBe(true)
  })

  test('source outside of a repository is a mistake', () => {
    const ended = run(['record', 'source', ...alice], { GIT_CEILING_DIRECTORIES: folder })
    expect(ended.code).toBe(2)
    expect(ended.err).toMatch(/^E_CONFIG /)
  })
})

describe('mock and sign', () => {
  test('a mocked link is unsigned, records everything, and can be signed later', () => {
    expect(run(['mock', '-n', 'try', '--', node, '-e', "console.log('hello')"]).code).toBe(0)
    expect(links()).toEqual(['try.link'])
    expect(link()).toMatchObject({ name: 'try', byproducts: { stdout: 'hello\n' } })
    expect(Object.keys(link().materials).sort()).toEqual(['src/a.js', 'src/deep/b.js'])
    expect(run(['sign', '-f', 'try.link', '-k', '../alice.pub', '--verify']).code).toBe(1)
    const quiet = run(['sign', '-f', 'try.link', '-k', '../alice.pub', '--verify', '-q'])
    expect(quiet).toMatchObject({ code: 1, out: '', err: expect.stringContaining('no valid signature of alice') as string })
    mustRun(['sign', '-f', 'try.link', '-k', '../alice'], { cwd: place })
    const signed = links().find((name) => name !== 'try.link') ?? 'none'
    expect(signed).toMatch(/^try\.[0-9a-f]{8}\.link$/)
    expect(mustRun(['sign', '-f', signed, '-k', '../alice.pub', '--verify'], { cwd: place }).out).toMatch(/ok .*signed by alice/)
    expect(run(['sign', '-f', signed, '-k', '../alice.pub', '../bob.pub', '--verify']).code).toBe(2)
    expect(run(['sign', '-f', signed, '-k', '../bob.pub', '--verify']).code).toBe(1)
  })

  test('a layout takes several signatures, replaced or appended, each under both key ids', () => {
    mustRun(['layout', 'new', '--step', 'a', '--functionary', '../alice.pub', '-o', 'root.layout', '--format', 'metablock'], { cwd: place })
    const signatures = (): { keyid: string; sig: string }[] =>
      (JSON.parse(readFileSync(join(place, 'root.layout'), 'utf8')) as { signatures: { keyid: string; sig: string }[] }).signatures
    expect(signatures()).toEqual([])
    mustRun(['sign', '-f', 'root.layout', '-k', '../alice', '../bob'], { cwd: place })
    expect(signatures()).toHaveLength(4)
    expect(new Set(signatures().map(({ sig }) => sig)).size).toBe(2)
    mustRun(['sign', '-f', 'root.layout', '-k', '../alice', '--keyid-style', 'go'], { cwd: place })
    expect(signatures()).toHaveLength(1)
    mustRun(['sign', '-f', 'root.layout', '-k', '../bob', '-a'], { cwd: place })
    mustRun(['sign', '-f', 'root.layout', '-k', '../alice.pub', '../bob.pub', '--verify'], { cwd: place })
  })

  test.each<[string, string[]]>([
    ['-a for a link', ['-f', 'try.link', '-k', '../alice', '-a']],
    ['two keys for a link', ['-f', 'try.link', '-k', '../alice', '../bob']],
    ['--verify with -o', ['-f', 'try.link', '-k', '../alice.pub', '--verify', '-o', 'x']],
    ['no key', ['-f', 'try.link']],
    ['an absent file', ['-f', 'none.link', '-k', '../alice']],
    ['a public key to sign with', ['-f', 'try.link', '-k', '../alice.pub']],
  ])('sign with %s: exit code 2', (_what, args) => {
    mustRun(['mock', '-n', 'try', '--', node, '-e', '0'], { cwd: place })
    const before = readFileSync(join(place, 'try.link'))
    expect(run(['sign', ...args]).code).toBe(2)
    expect(readFileSync(join(place, 'try.link')).equals(before)).toBe(true)
  })
})

describe('match-products', () => {
  test('says what differs, each kind in its own words', () => {
    mustRun(['run', '-n', 'x', ...alice, '-p', 'src', '-d', '..', '-x'], { cwd: place })
    const file = join(folder, readdirSync(folder).find((name) => name.startsWith('x.')) ?? 'none')
    const compare = (args: readonly string[] = []): Ended => run(['match-products', '-l', file, ...args])
    expect(compare()).toMatchObject({ code: 0, out: expect.stringContaining('2 products: all here') as string })
    expect(compare(['-p', 'src/a.js']).code).toBe(1)
    writeFileSync(join(place, 'src/a.js'), 'other')
    writeFileSync(join(place, 'src/new.js'), '')
    rmSync(join(place, 'src/deep/b.js'))
    expect(compare()).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /^Only in products: src\/deep\/b\.js\nNot in products: src\/new\.js\nHashes differ: src\/a\.js\n3 differences/,
      ) as string,
    })
    const differences = 'Only in products: src/deep/b.js\nNot in products: src/new.js\nHashes differ: src/a.js\n'
    expect(compare(['-q'])).toMatchObject({ code: 1, out: differences, err: '' })
    expect(compare(['-e', 'new.js']).out).not.toContain('new.js')
    expect(compare(['--lstrip-paths', 'src/']).out).toContain('Not in products: a.js')
    rmSync(file)
  })

  test('checks the signature only when it is given a key, and says so', () => {
    mustRun(['run', '-n', 'x', ...alice, '-p', 'src', '-d', 'out', '-x'], { cwd: place })
    const file = join('out', links('out')[0] ?? 'none')
    expect(run(['match-products', '-l', file, '-p', 'src']).out).toContain('its signature was not checked')
    expect(run(['match-products', '-l', file, '-p', 'src', '-k', '../alice.pub']).out).not.toContain('not checked')
    const ended = run(['match-products', '-l', file, '-p', 'src', '-k', '../bob.pub'])
    expect(ended.code).toBe(1)
    expect(ended.err).toMatch(/^E_SIGNATURE /)
  })

  test('a layout is no link', () => {
    mustRun(['layout', 'new', '--step', 'a', '--functionary', '../alice.pub', '-o', 'root.layout'], { cwd: place })
    expect(run(['match-products', '-l', 'root.layout'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^E_FORMAT root\.layout /) as string,
    })
  })
})

test('what is written can be read by people too: links end in JSON, not in a half of it', () => {
  mustRun(['run', '-n', 'x', ...alice, '-m', 'src', '-x'], { cwd: place })
  expect(() => JSON.parse(fromUtf8(readFileSync(join(place, links()[0] ?? 'none')))) as unknown).not.toThrow()
  expect(readdirSync(place).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

describe('a folder that cannot be made', () => {
  const layout = ['--step', 'a', '--functionary', '../alice.pub']
  test.each<[string, string[]]>([
    ['keygen, below a file', ['keygen', '-o', 'src/a.js/key']],
    ['layout new, below a file', ['layout', 'new', ...layout, '-o', 'src/a.js/root.layout']],
    ['layout new, deeper', ['layout', 'new', ...layout, '-o', 'src/a.js/b/root.layout']],
    ['evidence pull, in place of a file', ['evidence', 'pull', 'src/a.js', '--store', 'dir:store', '-d', 'src/deep/b.js']],
    ['evidence pull, below a file', ['evidence', 'pull', 'src/a.js', '--store', 'dir:store', '-d', 'src/deep/b.js/c']],
  ])('%s', (_what, words) => {
    mustRun(['run', '-n', 'x', ...alice, '-p', 'src/a.js', '-d', 'links', '-x'], { cwd: place })
    mustRun(['evidence', 'push', 'src/a.js', '--store', 'dir:store', '-d', 'links'], { cwd: place })
    const ended = run(words)
    expect(ended.code, ended.err).toBe(2)
    expect(ended.err).toMatch(/^E_IO .*cannot.*\n {2}try /m)
  })
})
