/** The program itself: help, versions, mistakes on the command line, and a world that breaks while it runs. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { nearest } from '../../packages/cli/src/nearest.ts'
import { strangers } from '../../packages/cli/src/environment.ts'
import { bareEnvironment, bin, complaints, endOf, intoto, mustRun, problemLine, start, temporaryFolder, type Ended } from './command.ts'

let folder: string

beforeAll(() => {
  folder = temporaryFolder()
  mustRun(['keygen', '-o', join(folder, 'alice')])
  const owner = ['--functionary', 'alice.pub', '--step', 'build', '--sign-with', 'alice', '-o', 'root.layout']
  mustRun(['layout', 'new', ...owner], { cwd: folder })
})

const commands =
  'doctor,verify,explain,report,page,show,run,record start,record stop,record source,postpack,layout new,layout renew,layout lint,serve,sign,keygen,key show,key rotate,match-products,mock'.split(
    ',',
  )

describe('help', () => {
  test('names every command, examples first', () => {
    const { out } = mustRun(['--help'])
    expect(out).toMatch(/^ {2}intoto verify dist -k in-toto\/owner\.pub /)
    for (const name of commands) expect(out).toMatch(new RegExp(`^ {2}${name} {2,}\\S`, 'm'))
    expect(mustRun(['record', '--help']).out.trimEnd().split('\n')).toHaveLength(3)
  })

  test.each(commands)('%s: examples, usage and every flag with a word', (name) => {
    const { out, err } = mustRun([...name.split(' '), '--help'])
    expect(err).toBe('')
    expect(out).toMatch(/^ {2}\S.* {2,}\S/)
    expect(out).toContain(`\nUsage: intoto ${name} `)
    for (const [, flag, rest] of out.matchAll(/^ {2}(-[-\w, <>[\].=…]*?)(?: {2,}(.*))?$/gm)) expect(`${flag} ${rest ?? ''}`).toMatch(/ \S/)
    expect(out).toContain('--debug')
  })

  test('"help COMMAND" is that command’s help, and of no other word', () => {
    expect(mustRun(['help', 'verify']).out).toBe(mustRun(['verify', '--help']).out)
    expect(mustRun(['help', 'record', 'start']).out).toBe(mustRun(['record', 'start', '--help']).out)
    expect(mustRun(['help', 'record']).out).toBe(mustRun(['record', '--help']).out)
    expect(mustRun(['help']).out).toBe(mustRun(['--help']).out)
    expect(intoto(['help', 'nosuch'])).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^E_CONFIG .*"nosuch"/) as string })
  })

  test('--version says ours and the specification’s', () => {
    expect(mustRun(['--version']).out).toMatch(/^intoto \d+\.\d+\.\d+\S* \(in-toto specification 1\.0\)\n$/)
    expect(mustRun(['verify', '--version']).out).toMatch(/^intoto /)
  })
})

describe('mistakes', () => {
  test.each<[string[], string]>([
    [['verfiy'], 'intoto verify'],
    [['recrod', 'start'], 'intoto record'],
    [['record', 'strat'], 'intoto record start'],
    [['verify', '--verification-kyes', 'x'], '--verification-keys'],
    [['verify', '-k'], 'intoto verify --help'],
    [['run', '--signing-key', 'x', '--', 'ls'], 'intoto run --help'],
    [['keygen', '--type', 'dsa'], 'intoto keygen --help'],
    [['keygen', 'superfluous'], 'intoto keygen --help'],
    [['xyzzy'], 'intoto --help'],
  ])('intoto %s: exit code 2 and what was probably meant', (args, meant) => {
    const ended = intoto(args)
    expect(ended.code).toBe(2)
    expect(ended.out).toBe('')
    expect(complaints(ended)).toHaveLength(2)
    expect(complaints(ended)[0]).toMatch(problemLine)
    expect(complaints(ended)[1]).toContain(meant)
  })

  test('nothing at all: the overview on stderr', () => {
    expect(intoto([])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Usage: intoto COMMAND') as string })
  })

  test('a name on the command line can’t drive the terminal', () => {
    expect(intoto(['\u001b[2Jclear']).err).toContain('\\u{1b}[2Jclear')
    expect(intoto(['show', 'a\u001b]0;x\u0007b']).err).toContain('\\u{1b}]0;x\\u{7}')
  })

  test('nearest finds slips, not strangers', () => {
    const words = ['verify', 'explain', 'show', 'run']
    expect([nearest('verfy', words), nearest('vreify', words), nearest('shwo', words), nearest('rn', words)]).toEqual([
      'verify',
      'verify',
      'show',
      'run',
    ])
    expect([nearest('publish', words), nearest('', words), nearest('v', words)]).toEqual([undefined, undefined, undefined])
  })

  test('a misspelt variable is reported by name, never by value', () => {
    expect(strangers({ INTOTO_KEY: 'x', INTOTO_REQIRED: 'secret', INTOTO_: '1', PATH: '' })).toEqual([
      'E_CONFIG INTOTO_  is no variable of intoto and has no effect',
      'E_CONFIG INTOTO_REQIRED  is no variable of intoto and has no effect; INTOTO_REQUIRED was probably meant',
    ])
    const ended = mustRun(['key', 'show', join(folder, 'alice.pub')], { env: { INTOTO_KEYFILE: 'hunter2' } })
    expect(ended.err).toContain('INTOTO_KEY_FILE was probably meant')
    expect(ended.err).not.toContain('hunter2')
  })

  test('a stack trace only under --debug', () => {
    expect(intoto(['show', 'none']).err).not.toMatch(/\n\s+at /)
    expect(intoto(['show', 'none', '--debug']).err).toMatch(/\n\s+at /)
  })
})

test('INTOTO_LOG_LEVEL says how much is said, a flag more', () => {
  const show = (level: string, ...flags: string[]): Ended =>
    intoto(['show', join(folder, 'alice.pub'), ...flags], { env: { INTOTO_LOG_LEVEL: level } })
  expect(show('quiet')).toMatchObject({ code: 0, out: '', err: '' })
  expect(show('verbose').out).not.toBe('')
  expect(intoto(['show', 'none'], { env: { INTOTO_LOG_LEVEL: 'quiet' } }).err).toMatch(/^E_IO none /)
})

describe.skipIf(process.platform === 'win32')('a world that breaks', () => {
  test('a reader that goes away changes nothing but what is read', async () => {
    const child = start(['verify', '--help'])
    child.stdout?.destroy()
    let err = ''
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    expect([code, err]).toEqual([0, ''])
  })

  test('the verdict keeps its exit code when nobody reads it', () => {
    const line = `"${process.execPath}" "${bin}" show "${join(folder, 'alice.pub')}" -k "${join(folder, 'alice.pub')}"; echo $? >&2`
    const { stderr } = spawnSync('sh', ['-c', `(${line}) | true`], { env: bareEnvironment(), encoding: 'utf8' })
    expect(stderr).toBe('0\n')
  })

  test.skipIf(process.platform !== 'linux')('a full disk under stdout: exit code 2 and why', () => {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(process.execPath, [bin, '--help'], {
      stdio: ['ignore', full, 'pipe'],
      env: bareEnvironment(),
      encoding: 'utf8',
    })
    closeSync(full)
    expect(status).toBe(2)
    expect(stderr).toMatch(/^E_IO stdout {2}the result can't be written: .*ENOSPC/)
  })

  test.skipIf(process.platform !== 'linux')('a full disk under stderr too: the exit code alone', () => {
    const full = openSync('/dev/full', 'w')
    expect(spawnSync(process.execPath, [bin, 'show', 'none'], { stdio: ['ignore', full, full], env: bareEnvironment() }).status).toBe(2)
    closeSync(full)
  })

  test('a working directory that is gone', () => {
    const gone = join(folder, 'gone')
    for (const args of [
      'show none',
      'verify -k none',
      `verify . -k ${join(folder, 'alice.pub')}`,
      `run -n x --signing-key ${join(folder, 'alice')} -m . -x`,
    ]) {
      mkdirSync(gone, { recursive: true })
      const { status, stderr, stdout } = spawnSync('sh', ['-c', `rmdir "${gone}"; exec "${process.execPath}" "${bin}" ${args}`], {
        cwd: gone,
        env: bareEnvironment(),
        encoding: 'utf8',
      })
      expect(status, args + stderr + stdout).toBe(2)
      expect(stderr).toMatch(/^E_(IO|KEY|CONFIG) /)
      expect(stderr).not.toMatch(/\n\s+at /)
    }
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s to us alone ends a step, its command and us with %i, and leaves no link', async (signal, expected) => {
    const command = [process.execPath, '-e', 'console.log(process.pid); setTimeout(() => {}, 60_000)']
    const child = start(['run', '-n', 'slow', '--signing-key', join(folder, 'alice'), '--', ...command], { cwd: folder })
    const [pid] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    child.kill(signal)
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(expected)
    expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH')
    expect(readdirSync(folder).filter((name) => name.includes('slow'))).toEqual([])
  })

  const wrote = "require('node:fs').writeFileSync('deaf', '')"
  test.skipIf(process.platform === 'win32').each<[string, string[]]>([
    ['run, before the command', ['run', '-n', 'deaf', '--signing-key', 'alice', '-m', 'big', '--', process.execPath, '-e', wrote]],
    ['run, after the command', ['run', '-n', 'deaf', '--signing-key', 'alice', '-p', 'big', '--', process.execPath, '-e', '0']],
    ['run without a command', ['run', '-n', 'deaf', '--signing-key', 'alice', '-m', 'big', '-x']],
    ['record start', ['record', 'start', '-n', 'deaf', '--signing-key', 'alice', '-m', 'big']],
    ['match-products', ['match-products', '-l', 'made.link', '-p', 'big']],
  ])('a signal while files are hashed ends %s before anything is written', (_what, line) => {
    writeFileSync(join(folder, 'big'), 'big')
    const preload = join(folder, 'deaf.cjs')
    // The signal comes when the file is opened, in the midst of what is synchronous.
    writeFileSync(
      preload,
      `const fs = require('node:fs')
const { openSync } = fs
fs.openSync = (path, ...more) => {
  if (path === 'big') process.kill(process.pid, process.env.WITH)
  return openSync(path, ...more)
}
`,
    )
    if (!existsSync(join(folder, 'made.link'))) {
      mustRun(['run', '-n', 'made', '--signing-key', 'alice', '-p', 'big', '-d', 'made', '-x'], { cwd: folder })
      const [made = ''] = readdirSync(join(folder, 'made'))
      renameSync(join(folder, 'made', made), join(folder, 'made.link'))
    }
    const before = readdirSync(folder)
    for (const [signal, expected] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const env = bareEnvironment({ WITH: signal })
      const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', preload, bin, ...line], { cwd: folder, env, encoding: 'utf8' })
      expect([status, stdout], stderr).toEqual([expected, ''])
      expect(readdirSync(folder)).toEqual(before)
    }
  })

  test('Ctrl-C while a command waits: 130', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const store = `archivista+http://127.0.0.1:${port}`
    const child = start(['evidence', 'pull', join(folder, 'alice.pub'), '--store', store], { cwd: folder })
    // A store that never answers: the command waits for as long as it is asked to.
    await once(server, 'request')
    child.kill('SIGINT')
    expect(await endOf(child)).toMatchObject({ code: 130, signal: null, out: '' })
    server.close()
  })

  test('a command that nothing will ever end is not taken for a good one', () => {
    const lost = join(folder, 'lost.cjs')
    writeFileSync(lost, 'globalThis.fetch = () => new Promise(() => {})')
    const store = ['--store', 'archivista+http://127.0.0.1:9']
    for (const words of [
      ['verify', join(folder, 'alice.pub'), '-k', join(folder, 'alice.pub'), '-l', join(folder, 'root.layout'), ...store],
      ['evidence', 'pull', join(folder, 'alice.pub'), ...store],
    ]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', lost, bin, ...words], {
        cwd: folder,
        env: bareEnvironment(),
        encoding: 'utf8',
      })
      expect([status, stdout, stderr.split('\n')[0]]).toEqual([3, '', 'internal error  Error: the command ended before it was through'])
    }
  })

  test('Ctrl-C when a command is through changes nothing about its exit code', async () => {
    writeFileSync(
      join(folder, 'through.mjs'),
      `import { createRequire } from 'node:module'\nsetTimeout(() => {}, 60_000)\nprocess.argv.splice(1, 2, 'intoto', '--help')\ncreateRequire(import.meta.url)(${JSON.stringify(bin)})\n`,
    )
    const child = spawn(process.execPath, [join(folder, 'through.mjs'), 'x'], { env: bareEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    expect(await endOf(child)).toMatchObject({ code: 0, signal: null })
  })
})
