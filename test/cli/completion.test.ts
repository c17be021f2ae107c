/**
 * `intoto completion`: what may stand where, asked as the scripts ask it, and the scripts in the real shells, by a real tab. Shells that are not installed are skipped,
 * and that is said; under CI_PEERS=1 bash, zsh and fish must be there.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bareEnvironment, bin, complaints, intoto, mustRun, temporaryFolder } from './command.ts'

/** Candidates for the last of these words. */
function offered(...words: string[]): string[] {
  const { out, err } = mustRun(['completion', '--at', `${words.length - 1}`, '--', ...words])
  expect(err).toBe('')
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
}

const overview = mustRun(['--help']).out
const names = Array.from(overview.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?) {2,}\S/gm), ([, name = '']) => name)
const groups = new Set(names.filter((name) => name.includes(' ')).map((name) => name.split(' ')[0] ?? ''))

describe('what may stand there', () => {
  test('every command of the overview, and of a group its members', () => {
    expect(names.length).toBeGreaterThan(25)
    expect(offered('')).toEqual([...new Set(names.map((name) => name.split(' ')[0])), '--help', '--version'])
    for (const group of groups)
      expect(offered(group, '')).toEqual(names.filter((name) => name.startsWith(`${group} `)).map((name) => name.split(' ')[1]))
  })

  test.each(names)('%s: every flag of its help, and values where they have names', (name) => {
    const words = name.split(' ')
    const { out } = mustRun([...words, '--help'])
    const help = out.replaceAll(/\n {10,}/g, ' ')
    const flags = Array.from(help.matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)(.*)$/gm), ([, short, long = '', rest = '']) => ({
      short,
      long,
      rest,
    }))
    expect(offered(...words, '-').toSorted()).toEqual(
      flags.flatMap(({ short, long }) => (short === undefined ? [long] : [long, short])).toSorted(),
    )
    for (const { long, rest } of flags) {
      const list = /\(choices: ((?:"[^"]+"(?:, )?)+)/.exec(rest)?.[1]
      if (list === undefined) continue
      const choices = Array.from(list.matchAll(/"([^"]+)"/g), ([, choice = '']) => choice)
      expect(offered(...words, long, ''), long).toEqual(choices)
    }
  })

  test.each<[string[], string[]]>([
    [['ver'], ['verify']],
    [['verify', '--for'], ['--format']],
    [
      ['verify', '--format', 'j'],
      ['json', 'junit'],
    ],
    [['verify', '--format', '=', 'js'], ['--format=json']],
    [
      ['verify', '--format', '='],
      ['text', 'json', 'sarif', 'junit', 'github', 'gitlab', 'markdown', 'html'].map((one) => `--format=${one}`),
    ],
    [['verify', 'dist', '-k', 'a.pub', 'b'], [':files']],
    [['verify', ''], [':files']],
    [['verify', '--output=x'], [':files']],
    [
      ['keygen', '--type', 'ec'],
      ['ecdsa', 'ecdsa-p384', 'ecdsa-p521'],
    ],
    [['layout', 'new', '--preset', 'n'], ['npm']],
    [['run', '-n', 'test', '--', 'npm', '--for'], [':files']],
    [['completion', 'z'], ['zsh']],
    [['xyzzy', ''], ['']],
    [['layout', 'xyzzy', ''], ['']],
    [['constructor', ''], ['']],
  ])('%j: %j', (words, candidates) => {
    expect(offered(...words)).toEqual(candidates)
  })

  test('the script of a shell is what was asked for, --quiet or not', () => {
    expect(mustRun(['completion', 'bash', '-q']).out).toBe(mustRun(['completion', 'bash']).out)
    expect(mustRun(['completion', 'bash'], { env: { INTOTO_LOG_LEVEL: 'quiet' } }).out).not.toBe('')
  })

  test('another shell, and a place that is none: refused with what there is', () => {
    for (const words of [['tcsh'], [], ['bash', 'zsh'], ['--at', 'x', '--', 'verify']]) {
      const ended = intoto(['completion', ...words])
      expect([ended.code, ended.out]).toEqual([2, ''])
      expect(complaints(ended)[1]).toContain('intoto completion')
    }
  })
})

/** A folder with the command on the PATH. */
function place(): { cwd: string; env: NodeJS.ProcessEnv } {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin/intoto'), `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`)
  chmodSync(join(folder, 'bin/intoto'), 0o755)
  writeFileSync(join(folder, 'alice.pub'), '')
  const env = { PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`, HOME: folder, TERM: 'dumb' }
  return { cwd: folder, env: bareEnvironment(env) }
}

/** Is this program here? Where it has to be, its absence is a failure. */
function have(program: string): boolean {
  const is = process.platform !== 'win32' && spawnSync(program, ['--version']).status === 0
  if (is) return true
  if (process.env['CI_PEERS'] === '1' && program !== 'pwsh') throw new Error(`${program} is not installed`)
  console.warn(`skipped: ${program} is not installed`)
  return false
}

/** What the shell makes of a line when the tab key is pressed at its end; it runs on a terminal, since only there it edits lines. */
async function afterTab(shell: { command: string; setup: string }, typed: string): Promise<string> {
  const { cwd, env } = place()
  const child = spawn('script', ['-qfec', shell.command, '/dev/null'], { cwd, env, stdio: ['pipe', 'pipe', 'ignore'] })
  let screen = ''
  const shows = (pattern: RegExp): Promise<string> =>
    new Promise((done, fail) => {
      const look = (): void => {
        const found = pattern.exec(screen)
        if (found !== null) done(found[1] ?? '')
      }
      child.stdout.on('data', look)
      child.once('close', () => fail(new Error(screen)))
      look()
    })
  child.stdout.on('data', (text: Buffer) => (screen += text.toString('utf8')))
  try {
    child.stdin.write(`${shell.setup}; PS1='rea''dy> '\n`)
    await shows(/ready> /)
    // Ctrl-A and Ctrl-E: to the begin and the end of the line
    child.stdin.write(`${typed}\t\u0001echo "<<\u0005>>"\n`)
    return await shows(/[\r\n]<<(.*?)>>/)
  } finally {
    child.kill('SIGKILL')
  }
}

const lines: [string, string][] = [
  ['intoto ver', 'intoto verify '],
  ['intoto verify --for', 'intoto verify --format '],
  ['intoto verify --format js', 'intoto verify --format json '],
  ['intoto verify --format=js', 'intoto verify --format=json '],
  ['intoto layout ren', 'intoto layout renew '],
  ['intoto show ali', 'intoto show alice.pub '],
  ['intoto verify --output=ali', 'intoto verify --output=alice.pub '],
]

const onTerminal = have('script')

describe.skipIf(!onTerminal || !have('bash'))('bash', () => {
  const shell = { command: 'bash --norc --noprofile -i', setup: 'eval "$(intoto completion bash)"' }
  test.each(lines)('%s', async (typed, line) => {
    expect(await afterTab(shell, typed)).toBe(line)
  })
})

describe.skipIf(!onTerminal || !have('zsh'))('zsh', () => {
  const shell = { command: 'zsh -f -i', setup: 'bindkey -e; autoload -U compinit; compinit -u -D; eval "$(intoto completion zsh)"' }
  test.each(lines)('%s', async (typed, line) => {
    expect(await afterTab(shell, typed)).toBe(line.trimEnd()) // its blank is gone when the cursor moves
  })
})

describe.skipIf(!have('fish'))('fish', () => {
  test.each(lines)('%s', (typed, line) => {
    const { cwd, env } = place()
    const command = `intoto completion fish | source; complete -C '${typed}'`
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', command], { cwd, env, encoding: 'utf8' })
    expect(stdout.split(/[\t\n]/)[0], stdout + stderr).toBe(line.trim().split(' ').at(-1))
  })
})

// No package registry has PowerShell: where nobody has put it there are no tests of it, rather than skipped ones.
test.each(have('pwsh') ? lines : [])('PowerShell: %s', (typed, line) => {
  const { cwd, env } = place()
  const command = `intoto completion powershell | Out-String | Invoke-Expression; (TabExpansion2 '${typed}' ${typed.length}).CompletionMatches[0].CompletionText`
  const { stdout } = spawnSync('pwsh', ['-NoProfile', '-Command', command], { cwd, env, encoding: 'utf8' })
  expect(stdout.trim()).toBe(line.trim().split(' ').at(-1))
})
