/** `intoto verify` on odd input: what is absent, what is malformed, what is asked for wrongly; and where the verdict goes. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { linkFileName } from 'intoto'
import { alice, files, inspection, layout as layoutOf, linkFile, owner, signed, step } from '../intoto/world.ts'
import { makeChain, type Chain } from './chain.ts'
import { complaints, intoto, mustRun, problemLine, temporaryFolder, type Ended } from './command.ts'

let chain: Chain
let odd: string
const key = ['-k', 'in-toto/owner.pub']
const verify = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended => intoto(['verify', ...args], { ...chain.call, env })

beforeAll(() => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'whole'))
  chain = makeChain(join(folder, 'whole'), 'build')
  odd = join(folder, 'odd')
  mkdirSync(odd)
})

/** A file of this content among the odd ones. */
function file(name: string, content: string | Uint8Array): string {
  const path = join(odd, name)
  writeFileSync(path, content)
  return path
}

describe('a layout or key that is not there or not a file: exit code 2, two lines', () => {
  test.each<[string, () => string[]]>([
    ['absent layout', () => ['-l', join(odd, 'none.layout'), ...key]],
    ['folder as layout', () => ['-l', odd, ...key]],
    ['absent key', () => ['-k', join(odd, 'none.pub')]],
    ['folder as key', () => ['-k', odd]],
    ['absent product', () => ['no-such-folder', ...key]],
    ['product of a registry', () => ['npm:lib@1.0.0', ...key]],
    ['unknown step for --through', () => [...key, '--through', 'nowhere']],
    ['no key at all', () => ['dist']],
    ['a time that is none', () => [...key, '--at', '2026-02-30']],
    ['a parameter without value', () => [...key, '--substitution-parameters', 'A']],
    ['a parameter given twice', () => [...key, '--substitution-parameters', 'A=1', 'A=2']],
    ['an unknown limit', () => [...key, '--limit', 'height=3']],
    ['an unknown format', () => [...key, '--format', 'yaml']],
    ['two outputs for one format', () => [...key, '--output', 'a', '--output', 'b']],
    ['two formats on stdout', () => ['dist', ...key, '--through', 'build', '--format', 'json', '--format', 'sarif']],
    [
      'an output in a folder that does not exist',
      () => ['dist', ...key, '--through', 'build', '--format', 'json', '--output', join(odd, 'none/x.json')],
    ],
    ['OpenPGP', () => ['-g', '8465A1E2']],
    ['a product behind -k', () => [...key, 'dist']],
    ['a time limit that is none', () => [...key, '--inspection-timeout', '-1']],
  ])('%s', (_what, args) => {
    const ended = verify(args())
    expect(ended.code, ended.err).toBe(2)
    expect(ended.out).toBe('')
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
    expect(complaints(ended)[0]).toMatch(problemLine)
  })

  test.skipIf(process.platform === 'win32')('a FIFO and a device, without waiting for a writer', () => {
    execFileSync('mkfifo', [join(odd, 'fifo')])
    for (const path of [join(odd, 'fifo'), '/dev/zero']) {
      for (const args of [
        ['-l', path, ...key],
        ['-k', path],
      ])
        expect(verify(args).code, path).toBe(2)
    }
  })
})

describe.skipIf(process.platform === 'win32')('things in a delivered folder that are no plain files of it', () => {
  const outside = (): string => file('outside', 'elsewhere')
  test.each<[string, RegExp, (path: string) => unknown]>([
    ['a FIFO', /is a FIFO/, (path) => execFileSync('mkfifo', [path])],
    ['a link to nothing', /is a link to nothing/, (path) => symlinkSync(join(odd, 'not-there-yet'), path)],
    ['a link to a device', /leads to a device/, (path) => symlinkSync('/dev/zero', path)],
    ['a link to the folder above', /leads back/, (path) => symlinkSync('..', path)],
    ['a link to an added file', /is on the disk, but no step made it/, (path) => symlinkSync(outside(), path)],
  ])('%s is refused by name', (_what, said, make) => {
    const path = join(chain.root, 'dist/thing')
    make(path)
    try {
      const ended = verify(['dist', ...key, '--through', 'build'])
      expect(ended.code, ended.out).toBe(1)
      expect(ended.out).toMatch(/E_PRODUCT dist\/thing /)
      expect(ended.out).toMatch(said)
    } finally {
      rmSync(path)
    }
  })

  test('a product behind a link that leads out of the package is warned of', () => {
    const path = join(chain.root, 'dist/index.js')
    const content = readFileSync(path)
    rmSync(path)
    symlinkSync(file('index.js', content), path)
    try {
      const ended = verify(['dist', ...key, '--through', 'build'])
      expect(ended.code, ended.out).toBe(0)
      expect(ended.out).toMatch(/E_PRODUCT dist\/index\.js .*leads out of/)
      expect(ended.out).toMatch(/1 warning\. Verified up to/)
    } finally {
      rmSync(path)
      writeFileSync(path, content)
    }
  })
})

describe('bytes that are no layout: exit code 1, two lines', () => {
  test.each<[string, string, () => string | Uint8Array]>([
    ['100,000 nested arrays', 'E_FORMAT', () => '['.repeat(100_000) + ']'.repeat(100_000)],
    ['an open bracket and nothing else', 'E_FORMAT', () => '['.repeat(100_000)],
    ['nothing', 'E_FORMAT', () => ''],
    ['no JSON', 'E_FORMAT', () => 'layout'],
    ['half a layout', 'E_FORMAT', () => readFileSync(join(chain.root, 'in-toto/root.layout')).subarray(0, 500)],
    ['bytes that are no UTF-8', 'E_FORMAT', () => Uint8Array.of(0x7b, 0xff, 0x7d)],
    ['a member twice', 'E_FORMAT', () => '{"payload":"","payload":""}'],
    [
      'a layout without expiry',
      'E_LAYOUT_INVALID',
      () => JSON.stringify({ signatures: [], signed: { _type: 'layout', keys: {}, steps: [], inspect: [], readme: '' } }),
    ],
    [
      'a link',
      'E_LAYOUT_INVALID',
      () =>
        JSON.stringify({
          signatures: [],
          signed: { _type: 'link', name: 'x', materials: {}, products: {}, byproducts: {}, command: [], environment: {} },
        }),
    ],
  ])('%s as layout', (_what, code, content) => {
    const ended = verify(['-l', file('odd.layout', content()), ...key])
    expect(ended.code, ended.err).toBe(1)
    expect(complaints(ended).length).toBeLessThanOrEqual(2)
    expect(complaints(ended)[0]).toMatch(new RegExp(`^${code} \\S*odd\\.layout(:\\d+)? `))
  })

  test('a key file that holds none, or the private half, is nothing to trust: exit code 2, and a Report for who waits for one', () => {
    for (const path of [file('odd.pub', 'hello'), file('empty.pub', ''), join(chain.keys, 'owner')]) {
      const waiting = verify(['-k', path, '--format', 'json'])
      expect([waiting.code, JSON.parse(waiting.out)]).toMatchObject([2, { ok: false, problems: [{ code: 'E_KEY' }] }])
      const ended = verify(['-k', path])
      expect(ended.code, ended.err).toBe(2)
      expect(ended.err).toMatch(/^E_KEY /)
      expect(complaints(ended).length).toBeLessThanOrEqual(2)
    }
  })

  test('a program that waits for a Report gets one', () => {
    const ended = verify(['-l', file('odd.layout', '[]'), ...key, '--format', 'json'])
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.out)).toMatchObject({ schemaVersion: 1, ok: false, problems: [{ code: 'E_FORMAT' }] })
  })
})

describe('trust', () => {
  test('an unknown key: the layout is not signed by it', () => {
    mustRun(['keygen', '-o', join(odd, 'other')])
    const ended = verify(['dist', '-k', join(odd, 'other.pub'), '--through', 'build'])
    expect(ended.code).toBe(1)
    expect(ended.out).toMatch(/^E_LAYOUT_SIGNATURE in-toto\/root\.layout {2}/m)
    expect(ended.out).toMatch(/owner \([0-9a-f]{8}\)/)
  })

  test('every key that is given must have signed', () => {
    mustRun(['keygen', '-o', join(odd, 'second')])
    const both = ['-k', 'in-toto/owner.pub', join(odd, 'second.pub')]
    expect(verify(['dist', ...both, '--through', 'build']).code).toBe(1)
    const layout = join(odd, 'both.layout')
    mustRun(['sign', '-f', 'in-toto/root.layout', '-k', join(odd, 'second'), '-a', '-o', layout], chain.call)
    for (const args of [
      both,
      ['-k', 'in-toto/owner.pub', '-k', join(odd, 'second.pub')],
      ['--verification-keys', join(odd, 'second.pub')],
    ]) {
      expect(verify(['dist', ...args, '-l', layout, '--through', 'build']).code).toBe(0)
    }
  })

  test('a file in a folder can’t borrow the name of a key that is trusted', () => {
    mkdirSync(join(odd, 'in-toto'))
    const [, impostor = '?'] = /key id ([0-9a-f]{8})/.exec(mustRun(['keygen', '-o', join(odd, 'in-toto/owner')]).out) ?? []
    writeFileSync(join(odd, 'in-toto/root.layout'), readFileSync(join(chain.root, 'in-toto/root.layout')))
    mustRun(['sign', '-f', join(odd, 'in-toto/root.layout'), '-k', join(odd, 'in-toto/owner'), '-a'])
    const ended = verify(['-k', 'in-toto/alice.pub', '-l', join(odd, 'in-toto/root.layout')])
    expect(ended.out).toContain(impostor)
    expect(ended.out).not.toContain(`owner (${impostor})`)
  })

  test('an expired layout, and one judged as of a day when it was not', () => {
    const day = 86_400_000
    const at = (days: number): string => new Date(Date.now() + days * day).toISOString().slice(0, 10)
    const late = verify(['dist', ...key, '--through', 'build', '--at', at(100)])
    expect(late.code).toBe(1)
    expect(late.out).toMatch(/^E_LAYOUT_EXPIRED in-toto\/root\.layout {2}/m)
    const early = verify(['dist', ...key, '--through', 'build', '--at', `${at(80)}T00:00:00Z`])
    expect(early.code).toBe(0)
    expect(early.out).toContain(`--at ${at(80)}`)
  })
})

test('what is named twice counts once', () => {
  const partial = ['--through', 'build']
  const once = verify(['dist', ...key, ...partial])
  const owner = key[1] ?? ''
  expect(verify(['dist', 'dist/', ...key, owner, ...partial])).toEqual(once)
})

describe('where the verdict goes', () => {
  const partial = ['dist', ...key, '--through', 'build']

  test('JSON follows the published schema, for yes and for no', () => {
    const schema = JSON.parse(readFileSync(new URL('../../packages/intoto/schema/report.schema.json', import.meta.url), 'utf8')) as object
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema)
    for (const [args, ok] of [
      [partial, true],
      [[...partial, '--command-mismatch', 'warn', '-v'], true],
      [['dist', ...key], false],
    ] as const) {
      const ended = verify([...args, '--format', 'json'])
      const report = JSON.parse(ended.out) as { ok: boolean; loosened: string[]; summary?: unknown; chain?: unknown }
      expect(validate(report), JSON.stringify(validate.errors)).toBe(true)
      expect(report.ok).toBe(ok)
      expect([report.summary, report.chain]).toEqual([undefined, undefined])
      expect(report.loosened.length).toBe(args.includes('warn') ? 1 : 0)
    }
  })

  test('several formats at once, each in its file, text on screen', () => {
    const [sarif, junit] = [join(odd, 'out.sarif'), join(odd, 'out.xml')]
    const ended = verify(['dist', ...key, '--format', 'sarif', '--output', sarif, '--format', 'junit', '--output', junit], {
      FORCE_COLOR: '0',
    })
    expect(ended.code).toBe(1)
    expect(ended.out).toContain('Not verified.')
    const log = JSON.parse(readFileSync(sarif, 'utf8')) as { runs: { results: { ruleId: string }[] }[] }
    expect(log.runs[0]?.results.map((result) => result.ruleId)).toEqual(['E_MISSING_STEP', 'E_MISSING_STEP'])
    expect(readFileSync(junit, 'utf8').match(/<failure /g)).toHaveLength(2)
  })

  test('in GitHub Actions text comes with annotations and a job summary', () => {
    const summary = file('summary.md', '')
    const ended = verify(['dist', ...key], { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary })
    expect(ended.out).toContain('Not verified.')
    expect(ended.err).toMatch(/^::error title=E_MISSING_STEP::test: /m)
    expect(readFileSync(summary, 'utf8')).toContain('## in-toto: ❌ Not verified.')
  })

  test('quiet: nothing but the failures, and what a --format was asked to say', () => {
    expect(verify([...partial, '--quiet'])).toMatchObject({ code: 0, out: '', err: '' })
    const no = verify(['dist', ...key, '-q'])
    expect(no).toMatchObject({ code: 1, out: '' })
    expect(no.err).toMatch(/^E_MISSING_STEP test {2}/)
    expect(no.err.match(/^E_/gm)).toHaveLength(2)
    expect(no.err).toMatch(/^ {2}try {12}/m)

    const json = verify(['dist', ...key, '-q', '--format', 'json'])
    expect(json).toMatchObject({ code: 1, err: '' })
    expect((JSON.parse(json.out) as { ok: boolean }).ok).toBe(false)
    expect(verify([...partial, '-q', '--format', 'text']).out).toContain('Verified up to "build"')

    const sarif = join(odd, 'quiet.sarif')
    const filed = verify(['dist', ...key, '-q', '--format', 'sarif', '--output', sarif])
    expect(filed).toMatchObject({ code: 1, out: '', err: no.err })
    expect(existsSync(sarif)).toBe(true)
    const drawn = intoto(['report', 'dist', ...key, '-q', '-o', join(odd, 'quiet.html')], chain.call)
    expect(drawn).toMatchObject({ code: 1, out: '', err: no.err })
  })

  test('colours only when they are asked for here, since no terminal looks', () => {
    expect(verify(partial).out).not.toContain('\u001b')
    const painted = execFileSync(
      process.execPath,
      [new URL('../../packages/cli/bin/intoto.js', import.meta.url).pathname, 'verify', ...partial],
      {
        cwd: chain.root,
        env: { ...process.env, FORCE_COLOR: '1', NO_COLOR: '' },
        encoding: 'utf8',
      },
    )
    expect(painted).toContain('\u001b[32m')
  })
})

describe('inspections', () => {
  const layout = (): string => join(odd, 'inspected.layout')
  beforeAll(() => {
    mustRun(
      [
        'layout',
        'new',
        '--preset',
        'npm',
        '--no-test',
        '--functionary',
        'in-toto/alice.pub',
        'build=in-toto/ci.pub',
        '--tarball',
        'lib-1.0.0.tgz',
        '-o',
        layout(),
        '--sign-with',
        '../keys/owner',
      ],
      chain.call,
    )
  })

  test('--no-inspections refuses a layout that has some', () => {
    const ended = verify(['dist', ...key, '-l', layout(), '--no-inspections'])
    expect(ended.code).toBe(1)
    expect(ended.out).toMatch(/^E_UNSUPPORTED /m)
  })

  test('none is run while the steps do not hold', () => {
    const ended = verify(['dist', ...key, '-l', layout(), '--format', 'json'])
    expect(JSON.parse(ended.out)).toMatchObject({ ok: false, inspections: [{ name: 'unpack', status: 'unchecked' }] })
    expect(existsSync(join(chain.root, 'package'))).toBe(false)
  })
})

test('two products see the same inspections, each in its place, those of a sublayout too', async () => {
  const at = join(odd, 'two')
  for (const name of ['a', 'b']) {
    mkdirSync(join(at, name), { recursive: true })
    writeFileSync(join(at, name, 'x'), name)
  }
  const look = inspection('look', { products: ['DISALLOW made'] })
  const make = inspection('make', { run: [process.execPath, '-e', `require('fs').writeFileSync('made', '')`] })
  const products = files({ 'a/x': 'a', 'b/x': 'b' })
  const outer = (inspect: object[]) => signed(layoutOf([step('build')], { inspect }), [owner])
  const inner = await signed(layoutOf([step('compile')], { inspect: [look] }), [alice])
  const sublayout = linkFileName('build', alice.key.keyid)
  mkdirSync(join(at, sublayout.replace(/\.link$/, '')))
  writeFileSync(join(at, sublayout), inner)
  for (const [name, bytes] of Object.entries(await linkFile(alice, { name: 'compile', products })))
    writeFileSync(join(at, sublayout.replace(/\.link$/, ''), name), bytes)
  writeFileSync(join(at, 'owner.pub'), owner.publicPem)
  const judge = async (inspect: object[]) => {
    writeFileSync(join(at, 'root.layout'), await outer(inspect))
    return intoto(['verify', 'a', 'b', '-k', 'owner.pub', '-l', 'root.layout', '-d', '.', '--base-path', '.'], { cwd: at })
  }
  expect(await judge([look])).toMatchObject({ code: 0 })
  // What the sublayout's inspection of this name saw is not what the layout's would see.
  expect(await judge([make, look])).toMatchObject({ code: 1, out: expect.stringMatching(/^E_RULE made/m) as string })
  expect(existsSync(join(at, 'made'))).toBe(false)
})

test('a file cannot be followed while links are missing, which is not to be in none of them', () => {
  const ended = intoto(['explain', 'dist/index.js', ...key], chain.call)
  expect([ended.code, ended.out]).toEqual([1, 'dist/index.js  cannot be followed before the links of all steps hold\n'])
  const known = intoto(['explain', 'no/such/file', ...key, '-d', 'none'], chain.call)
  expect(known.out).not.toContain('in no link')
})

test('the layout is not touched by being read', () => {
  const path = join(chain.root, 'in-toto/root.layout')
  const before = statSync(path).mtimeMs
  verify(['dist', ...key])
  expect(statSync(path).mtimeMs).toBe(before)
})
