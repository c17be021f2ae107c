/** `intoto reproduce` in real processes: builds that give the same twice, builds that do not, and why; links of other builders; the strict form. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Chain, copyOf, makeChain } from './chain.ts'
import { intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
let chain: Chain
let link: string

beforeAll(() => {
  mkdirSync(join(folder, 'first'))
  chain = makeChain(join(folder, 'first'), 'source')
  build(chain)
  link = linkIn(chain, 'dist')
})

function linkIn({ root }: Chain, place: string, step = 'build'): string {
  const [file = ''] = readdirSync(join(root, place)).filter((name) => name.startsWith(`${step}.`) && name.endsWith('.link'))
  return join(place, file)
}

/** Another way to build, committed and carried out. */
function withBuild(name: string, script: string): { chain: Chain; link: string } {
  const at = join(folder, name)
  for (const part of ['lib', 'keys']) cpSync(join(folder, 'first', part), join(at, part), { recursive: true })
  const root = join(at, 'lib')
  const copy = { root, keys: join(at, 'keys'), call: { cwd: root } }
  writeFileSync(join(root, 'build.cjs'), `const fs = require('node:fs')\nfs.mkdirSync('dist', { recursive: true })\n${script}\n`)
  rmSync(join(root, 'dist'), { recursive: true })
  const words = ['-c', 'user.name=alice', '-c', 'user.email=alice@registry.example', '-c', 'commit.gpgsign=false']
  expect(spawnSync('git', [...words, 'commit', '-q', '-a', '-m', name], { cwd: root }).status).toBe(0)
  build(copy)
  return { chain: copy, link: linkIn(copy, 'dist') }
}

/** Without npm around it, whose start is most of the time. */
function build({ call }: Chain): void {
  const recorded = ['-m', 'package.json', 'build.cjs', 'src', '-p', 'dist', '-d', 'dist']
  mustRun(['run', '-n', 'build', '--signing-key', '../keys/ci', ...recorded, '--', 'node', 'build.cjs'], call)
}

describe('intoto reproduce', () => {
  test('carries out the step in a clean copy, and says that it gave the same', () => {
    const before = readdirSync(chain.root)
    const env = { GIT_DIR: join(chain.root, '.git'), GIT_WORK_TREE: chain.root } // as in a hook of git
    const ended = intoto(['reproduce', '-l', link, '-k', 'in-toto/ci.pub'], { ...chain.call, env })
    expect(ended.code, ended.out + ended.err).toBe(0)
    expect(ended.out).toMatch(/the same\n[^]*Reproduced\.\n$/)
    expect(ended.err).toMatch(/carried out again at [0-9a-f]{12}: node build\.cjs/)
    expect(readdirSync(chain.root)).toEqual(before)
  })

  test.each([
    ['the time of the build is in it', `'made at ' + new Date().toISOString()`],
    ['absolute paths of the machine are in it', `'in ' + process.cwd() + '/src'`],
  ])('names the file that differs: %s', (reason, content) => {
    const { chain: other, link: own } = withBuild(reason.split(' ')[1] ?? '', `fs.writeFileSync('dist/index.js', ${content})`)
    const ended = intoto(['reproduce', '-l', own, '--', 'node', 'build.cjs'], other.call)
    expect(ended.code, ended.out + ended.err).toBe(1)
    expect(ended.out).toMatch(/^E_THRESHOLD dist\/index\.js {2}the same step made other bytes$/m)
    expect(ended.out).toContain(`likely         ${reason}`)
    expect(ended.out).toMatch(/Not reproduced\. \(no key was given: signatures were not checked\)\n$/)
  })

  test.each<[string, string[]]>([
    ['an empty --prepare', ['--prepare', '']],
    ['a --prepare of blanks', ['--prepare', '   ']],
    ['a --prepare of an empty word', ['--prepare', "''"]],
    ['an empty word as command', ['--', '']],
  ])('%s is a mistake, and nothing is copied for it', (_what, words) => {
    const ended = intoto(['reproduce', '-l', link, '-k', 'in-toto/ci.pub', ...words], chain.call)
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^E_CONFIG .*\n {2}try .*\n$/) as string })
  })

  test('says when a file is missing or new, and when the two did not begin with the same', () => {
    const { chain: other, link: own } = withBuild(
      'names',
      `const again = __dirname.includes('intoto-reproduce-')\nfs.writeFileSync('dist/index.js', '1')\nfs.writeFileSync(again ? 'dist/part-Bb8kX2qa.js' : 'dist/part-Aa7jW1pz.js', String(again))`,
    )
    const ended = intoto(['reproduce', '-l', own, '-k', 'in-toto/ci.pub', '--format', 'json'], other.call)
    expect(ended.code).toBe(1)
    const { ok, comparisons } = JSON.parse(ended.out) as {
      ok: boolean
      comparisons: { problems: { file: string; message: string; cause?: string }[] }[]
    }
    expect(ok).toBe(false)
    expect(comparisons[0]?.problems.map(({ file }) => file)).toEqual(['dist/part-Aa7jW1pz.js', 'dist/part-Bb8kX2qa.js'])
    expect(comparisons[0]?.problems[0]).toMatchObject({
      message: expect.stringContaining('only the first link has this product') as string,
      cause: expect.stringContaining('its name holds a hash of its content') as string,
    })
  })

  test('compares links of other builders without running anything', () => {
    const changed = withBuild('other', `fs.writeFileSync('dist/index.js', 'other')`)
    const same = intoto(['reproduce', '-l', link, '--against', link, '-k', 'in-toto/ci.pub'], chain.call)
    expect([same.code, same.err]).toEqual([0, ''])
    const differs = intoto(['reproduce', '-l', link, '--against', join(changed.chain.root, changed.link)], chain.call)
    expect(differs.code).toBe(1)
    expect(differs.out).toMatch(/^E_THRESHOLD build\.cjs {2}the step began with other bytes$/m)
    expect(differs.out).toContain('likely         they did not begin with the same materials: build.cjs')
    const stranger = intoto(['reproduce', '-l', link, '--against', link, '-k', 'in-toto/alice.pub'], chain.call)
    expect([stranger.code, stranger.err]).toEqual([
      1,
      expect.stringMatching(/^E_SIGNATURE dist\/build\.[0-9a-f]{8}\.link {2}has no valid signature of alice/),
    ])
  })

  test('refuses what it cannot do: no repository, a command that fails, the first key again, an absent link', () => {
    const bare = join(folder, 'bare')
    mkdirSync(bare)
    cpSync(join(chain.root, link), join(bare, 'build.link'))
    const outside = intoto(['reproduce', '-l', 'build.link', '--', 'true'], { cwd: bare, env: { GIT_CEILING_DIRECTORIES: folder } })
    expect([outside.code, outside.err]).toEqual([2, expect.stringMatching(/^E_CONFIG .*a clean copy of the repository can't be made/)])
    const failing = intoto(['reproduce', '-l', link, '--', 'node', '-e', 'process.exit(3)'], chain.call)
    expect([failing.code, failing.err]).toEqual([1, expect.stringMatching(/^E_NOT_RECORDED .*node ended with exit code 3/m)])
    const same = intoto(['reproduce', '-l', link, '-k', 'in-toto/ci.pub', '--signing-key', '../keys/ci'], chain.call)
    expect([same.code, same.err]).toEqual([2, expect.stringContaining('this key has signed the first link')])
    const anybody = intoto(['reproduce', '-l', link], chain.call)
    expect([anybody.code, anybody.err]).toEqual([2, expect.stringContaining('nobody is trusted to name the command')])
    const absent = intoto(['reproduce', '-l', 'none.link'], chain.call)
    expect(absent.code).toBe(2)
  })

  test('removes and reads nothing outside its copy, whatever a link calls a product or a material', () => {
    const victim = join(folder, 'victim.txt')
    writeFileSync(victim, 'mine')
    const digest = { sha256: 'a'.repeat(64) }
    const up = `${'../'.repeat(24)}${relative('/', victim)}`
    const at = copyOf(chain)
    symlinkSync(folder, join(at.root, 'shared'))
    const words = ['-c', 'user.name=alice', '-c', 'user.email=alice@registry.example', '-c', 'commit.gpgsign=false']
    for (const args of [
      ['add', 'shared'],
      [...words, 'commit', '-q', '-m', 'shared'],
    ])
      expect(spawnSync('git', args, { cwd: at.root }).status).toBe(0)
    const forged = (sides: object): string => {
      const payload = { _type: 'link', name: 'build', command: [], materials: {}, products: {}, byproducts: {}, environment: {}, ...sides }
      writeFileSync(join(at.root, 'forged.link'), JSON.stringify({ signed: payload, signatures: [] }))
      return 'forged.link'
    }
    const names = [
      `dist/${up}`,
      up,
      `x/../${up}`,
      victim,
      'shared/victim.txt',
      '..',
      '.',
      'dist/..',
      `file:${victim}`,
      'C:\\victim',
      '..\\victim',
    ]
    for (const side of ['products', 'materials']) {
      for (const name of side === 'products' ? names : names.slice(0, 3)) {
        const { code, err } = intoto(['reproduce', '-l', forged({ [side]: { [name]: digest } }), '--', 'node', '-e', '0'], at.call)
        expect([side, name, code, err]).toEqual([side, name, 2, expect.stringMatching(/^E_CONFIG .*leads out of the clean copy$/m)])
      }
    }
    const own = intoto(['reproduce', '-l', forged({}), '-p', relative(at.root, victim), '--', 'node', '-e', '0'], at.call)
    expect([own.code, own.err]).toEqual([2, expect.stringMatching(/^E_CONFIG .*the path .* leads out of the clean copy$/m)])
    expect(readFileSync(victim, 'utf8')).toBe('mine')
  })
})

describe('two builders under a layout', () => {
  test('the preset asks for both, and verify refuses where they differ', () => {
    const words = [
      '--preset',
      'reproducible',
      '--functionary',
      'in-toto/alice.pub',
      'build=in-toto/ci.pub',
      'build=in-toto/alice.pub',
      '--main',
      'dist/index.js',
      '--no-test',
    ]
    mustRun(['layout', 'new', ...words, '--sign-with', '../keys/owner', '-o', 'twice.layout'], chain.call)
    mustRun(['record', 'source', '--signing-key', '../keys/alice'], chain.call)
    const verify = ['verify', '-l', 'twice.layout', '-k', 'in-toto/owner.pub', '-d', 'in-toto', 'dist']
    const one = intoto(verify, chain.call)
    expect([one.code, one.out]).toEqual([1, expect.stringContaining('E_MISSING_STEP build')])

    mustRun(['reproduce', '-l', link, '-k', 'in-toto/ci.pub', '--signing-key', '../keys/alice'], chain.call)
    const both = intoto(verify, chain.call)
    expect(both.code, both.out + both.err).toBe(0)
    expect(both.out).toContain('2/2 signatures')

    const other = withBuild('unstable', `fs.writeFileSync('dist/index.js', String(process.hrtime.bigint()))`)
    const again = intoto(
      ['reproduce', '-l', other.link, '-k', 'in-toto/ci.pub', '--signing-key', '../keys/alice', '-d', 'in-toto'],
      other.chain.call,
    )
    expect(again.code).toBe(1)
    expect(existsSync(join(other.chain.root, linkIn(other.chain, 'in-toto')))).toBe(true)
    mustRun(['record', 'source', '--signing-key', '../keys/alice'], other.chain.call)
    const refused = intoto(verify, other.chain.call)
    expect([refused.code, refused.out]).toEqual([1, expect.stringMatching(/^E_THRESHOLD dist\/index\.js/m)])
  })
})
