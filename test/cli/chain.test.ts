/** A whole chain through the command, and everything that verification promises to find in it. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, encodeMetadata, importSigner, sign, toStatement, type Link } from 'intoto'
import { beforeAll, describe, expect, test } from 'vitest'
import { carryOut, copyOf, makeChain, pack, type Chain } from './chain.ts'
import { intoto, mustRun, problemLine, temporaryFolder } from './command.ts'

let chain: Chain
const key = ['-k', 'in-toto/owner.pub']

beforeAll(() => {
  const folder = join(temporaryFolder(), 'whole')
  mkdirSync(folder)
  chain = makeChain(folder)
})

/** First lines of the problems in a text. */
function problems(out: string): string[] {
  return out.split('\n').filter((line) => problemLine.test(line))
}

function refusal(broken: Chain, args: readonly string[] = ['dist']): string {
  const ended = intoto(['verify', ...args, ...key], broken.call)
  expect(ended.code, ended.out + ended.err).toBe(1)
  expect(ended.out).toContain('Not verified.')
  return ended.out
}

describe('an honest chain', () => {
  test('is verified with the product, and says layout, key and folders first', () => {
    const { out } = mustRun(['verify', 'dist', ...key], chain.call)
    expect(out.split('\n')[0]).toMatch(
      /^layout {2}in-toto\/root\.layout {2}signed by owner \([0-9a-f]{8}\), expires in 90 days, links from in-toto, dist$/,
    )
    for (const step of ['source', 'build', 'test', 'package']) expect(out).toMatch(new RegExp(`^ ok {6}${step} `, 'm'))
    expect(out).toMatch(/dist {2}2 files as a link says, 1 link of this chain/)
    expect(out.trimEnd()).toMatch(/\nVerified\.$/)
  })

  test('is verified with its tarball, and without a product, which is said', () => {
    expect(mustRun(['verify', 'lib-1.0.0.tgz', ...key], chain.call).out).toContain('1 file as a link says')
    expect(mustRun(['verify', ...key], chain.call).out).toContain('no file on disk was looked at')
  })

  test('is verified with several products at once', () => {
    const { out } = mustRun(['verify', 'dist', 'lib-1.0.0.tgz', ...key], chain.call)
    expect(out).toContain('dist, lib-1.0.0.tgz  3 files as a link says')
  })

  test('is verified from another folder, names being relative to the package', () => {
    const where = { cwd: join(chain.root, '..') }
    mustRun(['verify', 'lib/dist', '-k', 'lib/in-toto/owner.pub', '-l', 'lib/in-toto/root.layout', '-d', 'lib/in-toto', 'lib/dist'], where)
    mustRun(
      [
        'verify',
        'lib/dist',
        '-k',
        'lib/in-toto/owner.pub',
        '-l',
        'lib/in-toto/root.layout',
        '-d',
        'lib/in-toto',
        'lib/dist',
        '--base-path',
        'lib',
      ],
      where,
    )
  })

  test('is verified up to a step, and the answer says that this is a part', () => {
    const early = copyOf(chain)
    for (const name of readdirSync(join(early.root, 'in-toto')))
      if (/^(test|package)\./.test(name)) rmSync(join(early.root, 'in-toto', name))
    const { out } = mustRun(['verify', 'dist', ...key, '--through', 'build'], early.call)
    expect(out).toContain('Verified up to "build" (partial')
    const without = intoto(['verify', 'dist', ...key], early.call)
    expect(without.code).toBe(1)
    expect(problems(without.out).map((line) => line.split(' ')[0])).toEqual(['E_MISSING_STEP', 'E_MISSING_STEP'])
  })
})

describe('the four refusals', () => {
  test('a functionary who is not in the layout: E_ACTOR names the link and who may', () => {
    const broken = copyOf(chain)
    mustRun(['keygen', '-o', join(broken.keys, 'mallory')], broken.call)
    rmSync(join(broken.root, 'in-toto', nameOf(broken, 'test')))
    mustRun(
      [
        'run',
        '-n',
        'test',
        '--signing-key',
        '../keys/mallory',
        '-m',
        'package.json',
        'src',
        'dist',
        '--',
        'node',
        '--check',
        'dist/index.js',
      ],
      broken.call,
    )
    const out = refusal(broken)
    expect(problems(out)[0]).toMatch(/^E_ACTOR in-toto\/test\.[0-9a-f]{8}\.link {2}/)
    expect(out).toMatch(/alice \([0-9a-f]{8}\)/)
  })

  test('a byte changed between two steps: E_TAMPER names the file, both links and the rule', () => {
    const broken = copyOf(chain)
    appendFileSync(join(broken.root, 'dist/index.js'), '// changed\n')
    carryOut(broken, 'test')
    expect(pack(broken.root).code).not.toBe(0)
    const out = refusal(broken)
    expect(problems(out)[0]).toMatch(/^E_TAMPER dist\/index\.js {2}/)
    expect(out).toMatch(/rule +MATCH dist\/\* WITH PRODUCTS FROM build/)
    expect(out).toMatch(/build wrote +sha256 [0-9a-f]{6}…[0-9a-f]{4}/)
    expect(out).toContain('dist/build.')
  })

  test('a step without link: E_MISSING_STEP says who has to sign', () => {
    const broken = copyOf(chain)
    rmSync(join(broken.root, 'in-toto', nameOf(broken, 'test')))
    const out = refusal(broken)
    expect(problems(out)[0]).toMatch(/^E_MISSING_STEP test {2}/)
    expect(out).toMatch(/alice \([0-9a-f]{8}\)/)
  })

  test('another command: E_COMMAND shows both, and can be made a warning', () => {
    const broken = copyOf(chain)
    mustRun(
      ['run', '-n', 'test', '--signing-key', '../keys/alice', '-m', 'package.json', 'src', 'dist', '--', 'node', '--check', 'dist/more.js'],
      broken.call,
    )
    const out = refusal(broken)
    expect(problems(out)[0]).toMatch(/^E_COMMAND in-toto\/test\.[0-9a-f]{8}\.link {2}/)
    expect(out).toContain('node --check dist/index.js')
    expect(out).toContain('node --check dist/more.js')
    const milder = mustRun(['verify', 'dist', ...key, '--command-mismatch', 'warn'], broken.call).out
    expect(milder).toContain('--command-mismatch warn')
    expect(milder).toContain('1 warning. Verified.')
  })
})

function nameOf({ root }: Chain, step: string): string {
  return readdirSync(join(root, 'in-toto')).find((name) => name.startsWith(`${step}.`) && name.endsWith('.link')) ?? ''
}

describe('what lies on disk', () => {
  test.each<[string, RegExp, (dist: string) => void]>([
    ['a changed byte', /^E_TAMPER dist\/index\.js /, (dist) => appendFileSync(join(dist, 'index.js'), ' ')],
    ['an added file', /^E_PRODUCT dist\/evil\.js /, (dist) => writeFileSync(join(dist, 'evil.js'), '')],
    ['a removed file', /^E_PRODUCT dist\/more\.js /, (dist) => rmSync(join(dist, 'more.js'))],
    ['a planted link', /^E_PRODUCT dist\/build\.00000000\.link /, (dist) => writeFileSync(join(dist, 'build.00000000.link'), '{}')],
  ])('%s', (_what, line, damage) => {
    const broken = copyOf(chain)
    damage(join(broken.root, 'dist'))
    expect(problems(refusal(broken))[0]).toMatch(line)
    expect(problems(refusal(broken, ['dist', '--through', 'build']))[0]).toMatch(line)
  })

  test('another tarball under the same name', () => {
    const broken = copyOf(chain)
    appendFileSync(join(broken.root, 'lib-1.0.0.tgz'), 'x')
    expect(problems(refusal(broken, ['lib-1.0.0.tgz']))[0]).toMatch(/^E_(PRODUCT|TAMPER) lib-1\.0\.0\.tgz /)
    mustRun(['verify', 'dist', ...key], broken.call)
  })
})

describe('evidence that is not what it seems', () => {
  test('a truncated link counts as absent, with a warning that names it', () => {
    const broken = copyOf(chain)
    const file = join(broken.root, 'in-toto', nameOf(broken, 'test'))
    writeFileSync(file, readFileSync(file).subarray(0, 200))
    const found = problems(refusal(broken))
    expect(found.some((line) => line.startsWith('E_MISSING_STEP test '))).toBe(true)
    expect(found.some((line) => line.includes(nameOf(broken, 'test')))).toBe(true)
  })

  test('a link whose content was changed: E_SIGNATURE', () => {
    const broken = copyOf(chain)
    const file = join(broken.root, 'in-toto', nameOf(broken, 'source'))
    const envelope = JSON.parse(readFileSync(file, 'utf8')) as { payload: string }
    const payload = Buffer.from(envelope.payload, 'base64').toString('utf8').replace('src/index.js', 'src/indix.js')
    writeFileSync(file, JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }))
    expect(problems(refusal(broken)).some((line) => line.startsWith('E_SIGNATURE in-toto/source.'))).toBe(true)
  })

  test('a folder in place of a link, with advice instead of a crash', () => {
    const broken = copyOf(chain)
    const file = join(broken.root, 'in-toto', nameOf(broken, 'test'))
    rmSync(file)
    mkdirSync(file)
    expect(problems(refusal(broken)).some((line) => line.startsWith('E_MISSING_STEP test '))).toBe(true)
  })

  test('a Statement stands for a link only when it is asked for, and the answer says so', async () => {
    const attested = copyOf(chain)
    const name = readdirSync(join(attested.root, 'dist')).find((entry) => entry.endsWith('.link')) ?? ''
    const signer = await importSigner(readFileSync(join(attested.keys, 'ci'), 'utf8'))
    const statement = toStatement(decodeMetadata(readFileSync(join(attested.root, 'dist', name))).payload as Link)
    writeFileSync(join(attested.root, 'in-toto', name.replace(/\.link$/, '.intoto.jsonl')), encodeMetadata(await sign(statement, [signer])))
    rmSync(join(attested.root, 'dist', name))
    const partial = [...key, '--through', 'build']
    refusal(attested, ['--through', 'build'])
    expect(mustRun(['verify', ...partial, '--statements'], attested.call).out).toContain('note    --statements')
  })

  test('a link of one step under the name of another is none', () => {
    const broken = copyOf(chain)
    const [source, other] = [nameOf(broken, 'source'), nameOf(broken, 'test')]
    renameSync(join(broken.root, 'in-toto', source), join(broken.root, 'in-toto', other))
    refusal(broken)
  })
})

describe('an inspection', () => {
  test('looks into the tarball, in a private folder; without the tarball it fails', () => {
    const inspected = copyOf(chain)
    const functionaries = ['--functionary', 'in-toto/alice.pub', 'build=in-toto/ci.pub', 'package=in-toto/ci.pub']
    mustRun(
      [
        'layout',
        'new',
        '--preset',
        'npm',
        ...functionaries,
        '--tarball',
        'lib-1.0.0.tgz',
        '-o',
        '../inspected.layout',
        '--sign-with',
        '../keys/owner',
      ],
      inspected.call,
    )
    const layout = ['-l', '../inspected.layout', '-d', 'in-toto', 'dist']
    const { out } = mustRun(['verify', 'lib-1.0.0.tgz', ...key, ...layout], inspected.call)
    expect(out).toMatch(/^ ok {6}unpack {3}inspection +1 material +-> 5 products +tar xzf lib-1\.0\.0\.tgz$/m)
    expect(readdirSync(inspected.root)).not.toContain('package')
    const other = intoto(['verify', 'dist', ...key, ...layout], inspected.call)
    expect(other.code).toBe(1)
    expect(problems(other.out)[0]).toMatch(/^E_INSPECTION .*unpack/)
  })
})

describe('explain', () => {
  test('follows a file through the steps and names the rules', () => {
    const { out } = mustRun(['explain', 'dist/index.js', ...key], chain.call)
    expect(out).toMatch(/build +product +sha256 [0-9a-f]{6}…[0-9a-f]{4}\n +allowed by 2 CREATE dist\/\*/)
    expect(out).toMatch(/package +material/)
    const data = JSON.parse(mustRun(['explain', 'dist/index.js', '--format', 'json', ...key], chain.call).out) as {
      ok: boolean
      artifacts: { stages: unknown[] }[]
    }
    expect(data.ok).toBe(true)
    expect(data.artifacts[0]?.stages.length).toBeGreaterThan(2)
  })

  test('finds a file by any path that leads to it', () => {
    const paths = ['dist/index.js', './dist/index.js', 'src/../dist/index.js', join(chain.root, 'dist/index.js')]
    const said = paths.map((path) => mustRun(['explain', path, ...key], chain.call).out)
    expect(new Set(said).size).toBe(1)
  })

  test('an unknown name is a mistake, a chain that does not hold is said', () => {
    for (const words of [['no/such'], ['no/such', '--format', 'json'], ['dist/index.js', '../index.js'], [chain.keys]])
      expect(intoto(['explain', ...words, ...key], chain.call)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringMatching(/^E_CONFIG .*no link knows.*\n {2}try /) as string,
      })
    const broken = copyOf(chain)
    appendFileSync(join(broken.root, 'dist/index.js'), '// changed\n')
    carryOut(broken, 'test')
    const ended = intoto(['explain', 'dist/index.js', ...key], broken.call)
    expect(ended.code).toBe(1)
    expect(ended.out).toContain('refused by')
    expect(ended.err).toContain('Not verified.')
    const quiet = intoto(['explain', 'dist/index.js', '-q', ...key], broken.call)
    expect(quiet).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^E_\w+ .*dist\/index\.js/) as string })
    const data = JSON.parse(intoto(['explain', 'dist/index.js', '-q', '--format', 'json', ...key], broken.call).out) as { ok: boolean }
    expect(data.ok).toBe(false)
  })
})

describe('postpack', () => {
  test('verifies inside npm pack with -k, prints to stderr only, and stops npm when the chain does not hold', () => {
    const broken = copyOf(chain)
    rmSync(join(broken.root, 'lib-1.0.0.tgz'))
    const good = pack(broken.root)
    expect(good.code, good.err).toBe(0)
    expect(good.err).toContain('Verified.')
    expect(good.out).not.toContain('Verified.')
    appendFileSync(join(broken.root, 'dist/index.js'), '// changed\n')
    const bad = pack(broken.root)
    expect(bad.code).not.toBe(0)
    expect(bad.err).toMatch(/^E_TAMPER dist\/index\.js /m)
  })

  test('outside of npm it is a mistake', () => {
    const outside = intoto(['postpack', '--signing-key', '../keys/ci'], chain.call)
    expect(outside.code).toBe(2)
    expect(outside.err).toMatch(/^E_CONFIG /)
  })

  test('inside a publish that gives no digest of what it uploads it refuses', () => {
    const env = { npm_lifecycle_event: 'postpack', npm_command: 'publish', npm_config_user_agent: 'npm/11.0.0 node/v20.19.0' }
    const ended = intoto(['postpack', '--signing-key', '../keys/ci'], { ...chain.call, env })
    expect(ended.code).not.toBe(0)
    expect(ended.err).toMatch(/^E_CONFIG /)
  })
})
