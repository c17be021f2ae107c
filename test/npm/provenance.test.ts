/** Provenance of packages and summaries of verdicts, as Statements. Signing and bundles: provenance-bundle.test.ts; keyless: provenance-keyless.test.ts. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createLink, InTotoError, parseStatement, type Report } from 'intoto'
import {
  packageProvenance,
  packageSubject,
  readLockfile,
  resolvedDependency,
  summaryPredicateType,
  unhostedBuilderId,
  verificationSummary,
  type Environment,
  type PackageProvenance,
  type Summary,
} from 'intoto-npm'

const tgz = Buffer.from('bytes of a tarball')
const sha256 = createHash('sha256').update(tgz).digest('hex')
const sha512 = createHash('sha512').update(tgz).digest('hex')
const subject = { name: '@acme/thing', version: '1.2.3', sha256, sha512 }
const link = createLink({
  name: 'package',
  command: ['npm', 'pack'],
  materials: { 'package.json': { sha256: 'ab'.repeat(32) } },
  products: { 'acme-thing-1.2.3.tgz': { sha256 } },
})
const base: PackageProvenance = { subject, link, client: 'npm/11.19.1', environment: {} }
const code = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(InTotoError)
    expect((error as Error).message).not.toContain('\n')
    return (error as InTotoError).code
  }
  return 'nothing was refused'
}

const github: Environment = {
  GITHUB_ACTIONS: 'true',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/thing',
  GITHUB_WORKFLOW_REF: 'acme/thing/.github/workflows/release.yml@refs/tags/v1.2.3',
  GITHUB_REF: 'refs/tags/v1.2.3',
  GITHUB_SHA: 'c0ffee'.padEnd(40, '0'),
  GITHUB_EVENT_NAME: 'push',
  GITHUB_REPOSITORY_ID: '1234',
  GITHUB_REPOSITORY_OWNER_ID: '99',
  GITHUB_RUN_ID: '777',
  GITHUB_RUN_ATTEMPT: '2',
  RUNNER_ENVIRONMENT: 'github-hosted',
}

describe('packageSubject', () => {
  it('is npm’s purl with sha512 for npm and sha256 for everyone else', () => {
    expect(packageSubject(subject)).toEqual({ name: 'pkg:npm/%40acme/thing@1.2.3', digest: { sha512, sha256 } })
    expect(packageSubject({ ...subject, name: 'JSONStream' }).name).toBe('pkg:npm/JSONStream@1.2.3')
  })

  it('refuses digests of another form', () => {
    expect(code(() => packageSubject({ ...subject, sha512: sha256 }))).toBe('E_CONFIG')
    expect(code(() => packageSubject({ ...subject, sha256: sha256.toUpperCase() }))).toBe('E_CONFIG')
  })
})

describe('packageProvenance outside a hosted builder', () => {
  it('says what was run, where, with what, and claims no builder but an unhosted one', () => {
    const dependencies = [{ uri: 'pkg:npm/plain@2.1.3', digest: { sha512: 'cd'.repeat(64) } }]
    const statement = packageProvenance({
      ...base,
      node: 'v20.20.2',
      workspace: 'packages/thing',
      dependencies,
      source: { repository: 'https://me:s3cret@host.example/thing.git', commit: 'c'.repeat(40), ref: 'refs/heads/main' },
      evidence: [{ name: 'build.4f3c9a1b.link', sha256: 'ef'.repeat(32) }],
      builderVersion: { 'intoto-npm': '0.1.0' },
      startedOn: '2030-01-31T12:00:00Z',
      finishedOn: '2030-01-31T12:00:01.5Z',
      invocationId: 'urn:example:1',
    })
    expect(JSON.parse(JSON.stringify(statement))).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'pkg:npm/%40acme/thing@1.2.3', digest: { sha512, sha256 } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: 'pkg:npm/unplugin-in-toto#docs/buildtypes/npm-pack-v1.md',
          externalParameters: { command: ['npm', 'pack'], workspace: 'packages/thing', client: 'npm' },
          internalParameters: { clientVersion: '11.19.1', node: 'v20.20.2' },
          resolvedDependencies: [
            { uri: 'git+https://host.example/thing.git@refs/heads/main', digest: { gitCommit: 'c'.repeat(40) } },
            ...dependencies,
          ],
        },
        runDetails: {
          builder: { id: 'pkg:npm/unplugin-in-toto#docs/builders/unhosted-v1.md', version: { 'intoto-npm': '0.1.0' } },
          metadata: { invocationId: 'urn:example:1', startedOn: '2030-01-31T12:00:00Z', finishedOn: '2030-01-31T12:00:01.5Z' },
          byproducts: [{ name: 'build.4f3c9a1b.link', digest: { sha256: 'ef'.repeat(32) } }],
        },
      },
    })
    expect(() => parseStatement(statement)).not.toThrow()
  })

  it('takes the packages of a lockfile', () => {
    const lockfile = readLockfile({
      name: 'package-lock.json',
      text: '{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}',
    })
    const { predicate } = packageProvenance({ ...base, dependencies: lockfile.packages.map(resolvedDependency) })
    expect(predicate).toMatchObject({ buildDefinition: { resolvedDependencies: [{ uri: 'pkg:npm/a@1.0.0' }] } })
  })

  it.each([
    'https://github.com/actions/runner/github-hosted',
    'https://GitHub.com/actions/runner/self-hosted',
    'http://x@www.github.com/anything',
  ])('never names %s', (builderId) => {
    expect(code(() => packageProvenance({ ...base, builderId }))).toBe('E_CONFIG')
  })

  it('names the builder that it is told to', () => {
    const of = (o: Partial<PackageProvenance>): unknown => packageProvenance({ ...base, ...o }).predicate
    expect(of({ builderId: 'https://ci.example/builder/v1' })).toMatchObject({
      runDetails: { builder: { id: 'https://ci.example/builder/v1' } },
    })
    expect(of({ builderId: 'https://github.company.example/x' })).toMatchObject({
      runDetails: { builder: { id: 'https://github.company.example/x' } },
    })
    expect(of({ environment: { GITHUB_ACTIONS: 'false', CI: 'true' } })).toMatchObject({
      runDetails: { builder: { id: unhostedBuilderId } },
    })
    expect(code(() => of({ builderId: 'me' }))).toBe('E_CONFIG')
  })

  it('refuses the link of another tarball, and times and commits of another form', () => {
    const other = createLink({ name: 'package', products: { 'acme-thing-1.2.3.tgz': { sha256: 'ab'.repeat(32) } } })
    expect(code(() => packageProvenance({ ...base, link: other }))).toBe('E_PRODUCT')
    expect(code(() => packageProvenance({ ...base, startedOn: 'yesterday' }))).toBe('E_CONFIG')
    expect(code(() => packageProvenance({ ...base, source: { repository: 'https://h.example/r', commit: 'abc1234' } }))).toBe('E_CONFIG')
  })

  it('holds nothing of the environment', () => {
    const environment = { HOME: '/home/canary-home', NPM_TOKEN: 'canary-token', USER: 'canary-user', GITHUB_TOKEN: 'canary-gh' }
    expect(JSON.stringify(packageProvenance({ ...base, environment }))).not.toContain('canary')
    expect(JSON.stringify(packageProvenance({ ...base, environment: { ...github, ...environment } }))).not.toContain('canary')
  })
})

describe('packageProvenance in GitHub Actions', () => {
  const npm = npmFolder()

  it('is what npm itself says there, with sha256 beside sha512', () => {
    const mine = JSON.parse(JSON.stringify(packageProvenance({ ...base, environment: github })))
    expect(mine.subject[0].digest.sha256).toBe(sha256)
    delete mine.subject[0].digest.sha256
    expect(JSON.stringify(mine)).toBe(npmProvenance(npm, github, { name: 'pkg:npm/%40acme/thing@1.2.3', digest: { sha512 } }))
  })

  it('puts the lockfile’s packages behind the repository', () => {
    const { predicate } = packageProvenance({ ...base, environment: github, dependencies: [{ uri: 'pkg:npm/a@1.0.0' }] })
    const expected = [{ uri: 'git+https://github.com/acme/thing@refs/tags/v1.2.3' }, { uri: 'pkg:npm/a@1.0.0' }]
    expect(predicate).toMatchObject({ buildDefinition: { resolvedDependencies: expected } })
  })

  it.each(Object.keys(github).filter((name) => name !== 'GITHUB_ACTIONS'))('is refused without %s', (name) => {
    expect(code(() => packageProvenance({ ...base, environment: { ...github, [name]: undefined } }))).toBe('E_CONFIG')
    expect(code(() => packageProvenance({ ...base, environment: { ...github, [name]: '' } }))).toBe('E_CONFIG')
  })

  it('is refused for a runner or a workflow that GitHub would not write so', () => {
    expect(code(() => packageProvenance({ ...base, environment: { ...github, RUNNER_ENVIRONMENT: 'laptop' } }))).toBe('E_CONFIG')
    expect(code(() => packageProvenance({ ...base, environment: { ...github, GITHUB_WORKFLOW_REF: 'acme/thing/x.yml' } }))).toBe('E_CONFIG')
  })
})

/** Folder of the npm that runs this test, or of the one on the path. */
function npmFolder(): string {
  const running = process.env['npm_execpath']
  const own = running === undefined ? '' : dirname(dirname(running))
  if (existsSync(join(own, 'node_modules/libnpmpublish'))) return own
  return join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim(), 'npm')
}

/** The Statement that npm would sign: its own code runs in a process of its own, with a signer that prints. */
function npmProvenance(npm: string, env: Environment, about: object): string {
  const script = `
    const load = require('node:module').createRequire(${JSON.stringify(join(npm, 'node_modules/libnpmpublish/package.json'))})
    const path = load.resolve('sigstore')
    require.cache[path] = { id: path, filename: path, loaded: true, exports: { attest: async (data) => process.stdout.write(data) } }
    load('./lib/provenance.js').generateProvenance([${JSON.stringify(about)}], {})`
  return execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } })
}

describe('verificationSummary', () => {
  const layoutDigest = '1'.repeat(64)
  const report = (o: Partial<Report> = {}): Report => ({
    schemaVersion: 1,
    ok: true,
    time: '2030-01-31T12:00:00Z',
    layout: { signers: [{ keyid: 'aa' }] },
    steps: [
      {
        name: 'build',
        kind: 'step',
        status: 'ok',
        threshold: 1,
        materials: 1,
        products: 1,
        command: [],
        rules: [],
        warnings: [],
        links: [
          { file: '/home/canary/dist/build.4f3c9a1b.link', keyid: '4f3c9a1b', counted: true, format: 'dsse' },
          { file: 'in-toto/build.00000000.link', keyid: '00000000', counted: false, format: 'dsse' },
        ],
      },
    ],
    inspections: [],
    product: { path: 'acme-thing-1.2.3.tgz', kind: 'file', matched: 1, links: 0, added: 0, missing: 0, changed: 0 },
    problems: [],
    ...o,
  })
  const input = (o: Partial<Summary> = {}): Summary => ({
    report: report(),
    subject: { name: 'pkg:npm/%40acme/thing@1.2.3', digest: { sha512, sha256 } },
    layout: { sha256: layoutDigest },
    links: { '/home/canary/dist/build.4f3c9a1b.link': '2'.repeat(64) },
    ...o,
  })

  it('says PASSED with the layout, the links and no level that nobody evaluated', () => {
    const statement = verificationSummary(input({ verifierVersion: { intoto: '0.1.0' } }))
    expect(JSON.parse(JSON.stringify(statement))).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'pkg:npm/%40acme/thing@1.2.3', digest: { sha512, sha256 } }],
      predicateType: summaryPredicateType,
      predicate: {
        verifier: { id: 'pkg:npm/unplugin-in-toto#docs/verifiers/layout-v1.md', version: { intoto: '0.1.0' } },
        timeVerified: '2030-01-31T12:00:00Z',
        resourceUri: 'pkg:npm/%40acme/thing@1.2.3',
        policy: { uri: `ni:///sha-256;${Buffer.from(layoutDigest, 'hex').toString('base64url')}`, digest: { sha256: layoutDigest } },
        inputAttestations: [
          {
            name: 'build.4f3c9a1b.link',
            uri: `ni:///sha-256;${Buffer.from('2'.repeat(64), 'hex').toString('base64url')}`,
            digest: { sha256: '2'.repeat(64) },
          },
        ],
        verificationResult: 'PASSED',
        verifiedLevels: ['SLSA_BUILD_LEVEL_UNEVALUATED'],
      },
    })
  })

  it('says when it was verified, which is not always the time that it was judged as of', () => {
    const { predicate } = verificationSummary(input({ timeVerified: '2031-02-01T00:00:00Z' }))
    expect(predicate).toMatchObject({ timeVerified: '2031-02-01T00:00:00Z' })
    expect(code(() => verificationSummary(input({ timeVerified: 'today' })))).toBe('E_CONFIG')
  })

  it('says FAILED for a report that is not ok', () => {
    const { predicate } = verificationSummary(input({ report: report({ ok: false }) }))
    expect(predicate).toMatchObject({ verificationResult: 'FAILED', verifiedLevels: ['FAILED'] })
  })

  it('lists the links of sublayouts too', () => {
    const inner = report({
      steps: [{ ...report().steps[0]!, links: [{ file: 'sub/x.11111111.link', keyid: '11111111', counted: true, format: 'dsse' }] }],
    })
    const outer = report({ steps: [{ ...report().steps[0]!, sublayout: inner }] })
    expect(code(() => verificationSummary(input({ report: outer })))).toBe('E_CONFIG')
    const links = { ...input().links, 'sub/x.11111111.link': '3'.repeat(64) }
    const { predicate } = verificationSummary(input({ report: outer, links }))
    expect(predicate).toMatchObject({ inputAttestations: [{ name: 'build.4f3c9a1b.link' }, { name: 'x.11111111.link' }] })
  })

  it('is refused for a partial verification, for one that looked at no product, and for links without digest', () => {
    expect(code(() => verificationSummary(input({ report: report({ partial: { through: 'build' } }) })))).toBe('E_CONFIG')
    const { product: _, ...blind } = report()
    expect(code(() => verificationSummary(input({ report: blind })))).toBe('E_CONFIG')
    expect(code(() => verificationSummary(input({ links: {} })))).toBe('E_CONFIG')
  })

  it('tells nothing of the verifier’s disk', () => {
    expect(JSON.stringify(verificationSummary(input()))).not.toContain('canary')
  })
})
