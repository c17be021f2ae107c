/**
 * Where a person sits: a real pseudo-terminal, made by script(1). Colours and the line of progress are there and nowhere else, and the environment
 * is obeyed. The line itself is tried with a clock that is turned by hand.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createProgress } from '../../packages/cli/src/progress.ts'
import { bareEnvironment, bin, intoto, mustRun, temporaryFolder } from './command.ts'

const haveScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0
if (!haveScript) {
  if (process.env['CI_PEERS'] === '1') throw new Error('script (util-linux) is not installed')
  console.warn('skipped: no script(1) that can make a terminal')
}

const folder = temporaryFolder()
const escapes = /\u001b\[[\d;]*m/
const line = /\r[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] hashing, 0 of 1 file\u001b\[K/

/** What `intoto` puts on a terminal, stdout and stderr together. */
function onTerminal(words: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const command = [process.execPath, bin, ...words].map((word) => `'${word}'`).join(' ')
  const { stdout } = spawnSync('script', ['-qefc', command, '/dev/null'], {
    cwd: folder,
    env: bareEnvironment({ TERM: 'xterm', ...env }),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return stdout
}

describe.skipIf(!haveScript)('on a terminal', () => {
  const refused = ['verify', '-k', 'owner.pub', '-l', 'odd.layout']
  const slow = ['run', '-n', 'look', '--signing-key', 'owner', '-d', 'links', '-m', 'large', '-x']

  beforeAll(() => {
    mustRun(['keygen', '-o', 'owner'], { cwd: folder })
    mkdirSync(join(folder, 'links'))
    writeFileSync(join(folder, 'odd.layout'), '{')
    // Takes no room on the disk, and most of a second to hash.
    writeFileSync(join(folder, 'large'), '')
    truncateSync(join(folder, 'large'), 1.5 * 2 ** 30)
  })

  test.each<[string, NodeJS.ProcessEnv, boolean]>([
    ['as it is', {}, true],
    ['NO_COLOR', { NO_COLOR: '1' }, false],
    ['NO_COLOR, empty', { NO_COLOR: '' }, true],
    ['NO_COLOR and FORCE_COLOR', { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, false],
    ['TERM=dumb', { TERM: 'dumb' }, false],
    ['TERM=dumb and FORCE_COLOR', { TERM: 'dumb', FORCE_COLOR: '1' }, true],
  ])('colours: %s', (_what, env, painted) => {
    const said = onTerminal(refused, env)
    expect(said).toContain('E_FORMAT')
    expect(escapes.test(said)).toBe(painted)
  })

  test('a line of progress for what takes long, without colour, and gone before the result', () => {
    const said = onTerminal(slow, { NO_COLOR: '1' })
    expect(said.match(new RegExp(line, 'g'))?.length).toBeGreaterThan(0)
    expect(said).not.toMatch(escapes)
    const [, last] = said.split(/\r\u001b\[K(?!.*\r\u001b\[K)/s)
    expect(last?.replaceAll('\r', '')).toMatch(/^\[in-toto\] look: 1 material, 0 products -> links\/\S+ \(signed\)\n$/)
  })

  test.each<[string, string[], NodeJS.ProcessEnv]>([
    ['in CI', [], { CI: 'true', FORCE_COLOR: '1' }],
    ['on a dumb terminal', [], { TERM: 'dumb' }],
    ['under --quiet', ['-q'], {}],
  ])('no line of progress %s', (_what, more, env) => {
    expect(onTerminal([...slow.slice(0, 3), ...more, ...slow.slice(3)], env)).not.toContain('hashing')
  })

  test('nothing of it in a pipe, whatever is forced', () => {
    const { out, err } = intoto(slow, { cwd: folder, env: { TERM: 'xterm', FORCE_COLOR: '1' } })
    expect(out).toBe('')
    expect(err).toMatch(/^\[in-toto\] look: [^\r\u001b]*\n$/)
  })
})

describe('the line of progress', () => {
  /** A line, what was put, and the clock. */
  function watched(): { progress: ReturnType<typeof createProgress>; put: string[]; clock: { time: number } } {
    const put: string[] = []
    const clock = { time: 1000 }
    const progress = createProgress(
      (text) => put.push(text),
      () => clock.time,
    )
    return { progress, put, clock }
  }

  test('waits 400 ms, then comes at most every 80 ms, and goes when all is done', () => {
    const { progress, put, clock } = watched()
    for (; clock.time < 1400; clock.time += 10) progress.files(clock.time, 99_999)
    expect(put).toEqual([])
    for (; clock.time < 1600; clock.time += 10) progress.files(clock.time, 99_999)
    expect(put.map((text) => text.replace(/^\r\S/, ''))).toEqual([
      ' hashing, 1,400 of 99,999 files\u001b[K',
      ' hashing, 1,480 of 99,999 files\u001b[K',
      ' hashing, 1,560 of 99,999 files\u001b[K',
    ])
    progress.files(99_999, 99_999)
    expect(put.splice(0).at(-1)).toBe('\r\u001b[K')
    // The next work is other work: it has its own 400 ms.
    for (const end = clock.time + 300; clock.time < end; clock.time += 10) progress.files(1, 2)
    progress.files(2, 2)
    expect(put).toEqual([])
  })

  test('says what is waited for, and goes when it came or failed', async () => {
    const { progress, put, clock } = watched()
    const slowly = async (): Promise<string> => {
      await Promise.resolve()
      clock.time += 500
      while (put.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      return 'there'
    }
    expect(await progress.during('fetching', slowly())).toBe('there')
    expect(put.splice(0)).toEqual([expect.stringMatching(/^\r\S fetching\u001b\[K$/), '\r\u001b[K'])
    await expect(progress.during('fetching', Promise.reject(new Error('gone')))).rejects.toThrow('gone')
    expect(put).toEqual([])
  })

  test('a terminal that is gone stops nothing', () => {
    const clock = { time: 0 }
    const progress = createProgress(
      () => {
        throw new Error('EIO')
      },
      () => (clock.time += 1000),
    )
    for (let i = 0; i < 5; i++) progress.files(i, 5)
    progress.files(5, 5)
  })
})
