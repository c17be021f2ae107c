/**
 * Lockfiles of every client: what each reader takes from files that the clients wrote (fixtures; `{registry}` in them is put back), the traps of
 * each format, and refusals. What real clients write on this machine is in lockfile-clients.test.ts.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { PackageURL } from 'packageurl-js'
import { afterAll, describe, expect, it } from 'vitest'
import { InTotoError } from 'intoto'
import { findLockfile, packagePurl, readLockfile, type LockedPackage } from 'intoto-npm'
import { lockfileText } from './fixture.ts'

const written = mkdtempSync(join(tmpdir(), 'intoto-lockfiles-'))
afterAll(() => rmSync(written, { recursive: true, force: true }))
const fixture = (path: string): string => join(written, path)
const hex = (sri: string): string => Buffer.from(sri.replace('sha512-', ''), 'base64').toString('hex')
const scoped = 'sha512-O9UI2LrKm6i9tvjU5Pln2zC5pmjqUUp5YpIWJVpBgbkdSqgVPymopi+8yzEefp7RQcMxyh7VEAmg+OpJ5n7Fjg=='
const packed = 'sha512-2F6S5Gc6Sadty6OMl2ZXMTu31g/d4d0/om0NMXrN23DoVHg8HzcRDMyf30nTHToZxjH+RGVei4mwWhkbFvlg/A=='
const commit = 'd2c8e30c4a37db91e7934f12cbf978549733ac85'

const find = (packages: readonly LockedPackage[], purl: string): LockedPackage => {
  const all = packages.filter((each) => each.purl === purl)
  expect(
    all.map((each) => each.purl),
    `of ${packages.map((each) => each.purl).join(' ')}`,
  ).toContain(purl)
  return all[0]!
}
const refusal = (run: () => unknown): InTotoError => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(InTotoError)
    return error as InTotoError
  }
  throw new Error('nothing was refused')
}

const formats = [
  { file: 'npm-v3/package-lock.json', format: 'npm', version: '3', tarball: true },
  { file: 'npm-v2/package-lock.json', format: 'npm', version: '2', tarball: true },
  { file: 'pnpm-v9/pnpm-lock.yaml', format: 'pnpm', version: '9.0', tarball: true },
  { file: 'pnpm-v6/pnpm-lock.yaml', format: 'pnpm', version: '6.0', tarball: true, git: false, remote: false },
  { file: 'yarn-v1/yarn.lock', format: 'yarn', version: '1', tarball: true, projects: false },
  { file: 'berry/yarn.lock', format: 'berry', version: '10', tarball: false },
  { file: 'bun/bun.lock', format: 'bun', version: '2', tarball: true },
] as const

for (const { file } of formats) {
  mkdirSync(dirname(fixture(file)), { recursive: true })
  writeFileSync(fixture(file), lockfileText(file))
}

describe.each(formats)('readLockfile of $file', (expected) => {
  const lockfile = readLockfile(fixture(expected.file))
  const { packages } = lockfile

  it('knows the format and its version', () => {
    expect(lockfile).toMatchObject({ format: expected.format, formatVersion: expected.version, file: fixture(expected.file) })
  })

  it('gives a scoped package its purl and, where the lockfile has one, the digest of its tarball', () => {
    const each = find(packages, 'pkg:npm/%40acme/scoped@1.2.0')
    expect(each).toMatchObject({ name: '@acme/scoped', version: '1.2.0', origin: 'registry', uri: each.purl })
    expect(each.digests).toEqual(expected.tarball ? { sha512: hex(scoped) } : {})
    expect(each.integrity).toBe(expected.tarball ? scoped : undefined)
  })

  it('names an aliased package by its own name', () => {
    const each = find(packages, 'pkg:npm/plain@1.0.0')
    expect(each.name).toBe('plain')
    if (expected.format !== 'pnpm') expect(each.alias).toBe('kleur')
    expect(packages.filter(({ name }) => name === 'kleur')).toEqual([])
  })

  it('keeps two versions of one package apart, and repeats none', () => {
    expect(
      packages
        .filter(({ name }) => name === 'deep')
        .map(({ version }) => version)
        .toSorted(),
    ).toEqual(['1.0.1', '2.0.0'])
    expect(new Set(packages.map((each) => each.uri)).size).toBe(packages.length)
  })

  it('leaves the project and its workspaces out', () => {
    expect(packages.map(({ name }) => name)).not.toContain('app')
    expect(packages.map(({ name }) => name)).not.toContain('shelf')
    expect(lockfile.projects.includes('shelf')).toBe(!('projects' in expected))
  })

  it('names a tarball on disk by its path, with its digest', () => {
    const version = expected.format === 'bun' ? '' : '@1.0.0'
    const each = find(packages, `pkg:npm/packed${version}?download_url=file%3Avendor%2Fpacked-1.0.0.tgz`)
    expect(each.origin).toBe('file')
    if (expected.format === 'yarn') expect(each.digests).toEqual({ sha1: '727399e0143f49adc38c34d697c3fc40af4c9388' })
    else expect(each.digests).toEqual(expected.tarball ? { sha512: hex(packed) } : {})
  })

  it('names a git dependency by repository and commit', () => {
    const each = packages.find(({ name }) => name === 'gitdep')
    if ('git' in expected) expect(each).toBeUndefined()
    else
      expect(each).toMatchObject({
        origin: 'git',
        uri: expect.stringMatching(/^git\+https:\/\/git\.example\/gitdep\.git@d2c8e30/),
        digests: { gitCommit: commit },
      })
  })

  it('names a tarball at an address by that address', () => {
    const each = packages.find(({ name }) => name === 'remote')
    if ('remote' in expected) return expect(each).toBeUndefined()
    expect(each).toMatchObject({ origin: 'url', resolved: 'https://registry.example/tarballs/remote-1.0.0.tgz' })
    expect(each?.purl).toContain('?download_url=https%3A%2F%2Fregistry.example%2Ftarballs%2Fremote-1.0.0.tgz')
  })
})

describe('npm lockfiles', () => {
  it('say where a package lies and what it is for', () => {
    const { packages } = readLockfile(fixture('npm-v3/package-lock.json'))
    expect(find(packages, 'pkg:npm/deep@2.0.0')).toMatchObject({ folder: 'node_modules/tool/node_modules/deep', dev: true })
    expect(find(packages, 'pkg:npm/native@1.0.0')).toMatchObject({ folder: 'node_modules/native', optional: true })
    expect(find(packages, 'pkg:npm/plain@1.0.0').folder).toBe('node_modules/kleur')
    expect(find(packages, 'pkg:npm/plain@2.1.3').resolved).toBe('https://registry.example/plain/-/plain-2.1.3.tgz')
  })

  it('give no digest to what came inside another tarball', () => {
    expect(find(readLockfile(fixture('npm-v3/package-lock.json')).packages, 'pkg:npm/inner@1.0.0')).toMatchObject({
      bundled: true,
      digests: {},
    })
  })

  it('of version 1 are refused with advice', () => {
    const error = refusal(() => readLockfile({ name: 'package-lock.json', text: '{"lockfileVersion":1,"dependencies":{}}' }))
    expect(error).toMatchObject({
      code: 'E_UNSUPPORTED',
      problem: { file: 'package-lock.json', fix: [expect.stringContaining('--lockfile-version 3')] },
    })
  })

  it('are read under the name npm-shrinkwrap.json too, with a byte order mark or without', () => {
    const text = '\ufeff{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}'
    expect(readLockfile({ name: 'sub/npm-shrinkwrap.json', text }).packages).toMatchObject([{ purl: 'pkg:npm/a@1.0.0', digests: {} }])
  })

  it('keep no password of a resolved address', () => {
    const packages = {
      '': { dependencies: { t: 'https://me:s3cret@host.example/t.tgz?key=s3cret' } },
      'node_modules/g': { version: '1.0.0', resolved: `git+https://me:s3cret@host.example/g.git#${commit}` },
      'node_modules/s': { version: '1.0.0', resolved: `git+ssh://git@host.example/s.git#${commit}` },
      'node_modules/t': { version: '1.0.0', resolved: 'https://me:s3cret@host.example/t.tgz?key=s3cret' },
      'node_modules/r': { version: '1.0.0', resolved: 'https://me:s3cret@registry.example/r/-/r-1.0.0.tgz?key=s3cret' },
      'node_modules/f': { version: '1.0.0', resolved: 'file:/home/somebody/secret-project/f.tgz' },
    }
    const lockfile = readLockfile({ name: 'package-lock.json', text: JSON.stringify({ lockfileVersion: 3, packages }) })
    expect(JSON.stringify(lockfile)).not.toMatch(/s3cret|somebody/)
    expect(lockfile.packages.map(({ uri }) => uri)).toEqual([
      `git+https://host.example/g.git@${commit}`,
      `git+ssh://git@host.example/s.git@${commit}`,
      'pkg:npm/t@1.0.0?download_url=https%3A%2F%2Fhost.example%2Ft.tgz',
      'pkg:npm/r@1.0.0',
      'pkg:npm/f@1.0.0?download_url=file%3Af.tgz',
    ])
  })
})

describe('packagePurl', () => {
  it('is what packageurl-js makes, for any name in lower case', () => {
    const part = fc.stringMatching(/^[a-z0-9][a-z0-9._~-]{0,20}$/)
    const version = fc.stringMatching(/^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}(-[a-zA-Z0-9.-]{1,8})?(\+[a-zA-Z0-9.-]{1,8})?$/)
    const address = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .map((text) => text.trim())
      .filter((text) => text !== '')
    fc.assert(
      fc.property(fc.option(part), part, version, fc.option(address), (scope, name, version, address) => {
        const qualifiers = address === null ? {} : { vcs_url: address, download_url: address }
        const oracle = new PackageURL('npm', scope === null ? undefined : `@${scope}`, name, version, qualifiers, undefined).toString()
        expect(packagePurl(scope === null ? name : `@${scope}/${name}`, version, qualifiers)).toBe(oracle)
      }),
    )
  })

  it('keeps upper case, since JSONStream and jsonstream are two packages', () => {
    expect(packagePurl('JSONStream', '1.3.5')).toBe('pkg:npm/JSONStream@1.3.5')
  })
})

describe('integrity', () => {
  const one = (integrity: string): LockedPackage['digests'] =>
    readLockfile({
      name: 'package-lock.json',
      text: JSON.stringify({ lockfileVersion: 3, packages: { 'node_modules/a': { version: '1.0.0', integrity } } }),
    }).packages[0]!.digests
  const sha1 = `sha1-${Buffer.alloc(20, 1).toString('base64')}`
  const sha512 = `sha512-${Buffer.alloc(64, 2).toString('base64')}`

  it('of several algorithms gives the strongest', () => {
    expect(one(`${sha1} ${sha512}`)).toEqual({ sha512: '02'.repeat(64) })
    expect(one(sha1)).toEqual({ sha1: '01'.repeat(20) })
  })

  it('that allows any of two digests gives none, for no digest set can say that', () => {
    expect(one(`${sha512} sha512-${Buffer.alloc(64, 3).toString('base64')} ${sha1}`)).toEqual({})
    expect(one(`${sha512} ${sha512}?opt`)).toEqual({ sha512: '02'.repeat(64) })
  })

  it('of a wrong length or alphabet counts as none', () => {
    expect(one('sha512-AAAA')).toEqual({})
    expect(one(`sha512-${'_'.repeat(86)}==`)).toEqual({})
    expect(one('md5-1B2M2Y8AsgTpgAmY7PhCfg==')).toEqual({})
  })
})

describe('pnpm lockfiles', () => {
  const pnpm = (text: string): readonly LockedPackage[] => readLockfile({ name: 'pnpm-lock.yaml', text }).packages

  it('tell patched and optional packages by their snapshots', () => {
    const packages = pnpm(`
lockfileVersion: '9.0'
patchedDependencies: {a@1.0.0: {hash: abc, path: a.patch}}
packages:
  a@1.0.0: {resolution: {integrity: ${scoped}}}
  b@1.0.0: {resolution: {integrity: ${scoped}}}
  c@1.0.0: {resolution: {integrity: ${scoped}}}
snapshots:
  a@1.0.0(patch_hash=abc): {}
  b@1.0.0: {optional: true}
  c@1.0.0(a@1.0.0(patch_hash=abc)): {}
  c@1.0.0: {optional: true}
`)
    expect(packages).toMatchObject([{ name: 'a', patched: true }, { name: 'b', optional: true }, { name: 'c' }])
    expect(packages[2]).not.toHaveProperty('optional')
  })

  it('of version 6 count a package once, whatever its peers', () => {
    const packages = pnpm(`
lockfileVersion: '6.0'
packages:
  /p@1.0.0(q@1.0.0): {resolution: {integrity: ${scoped}}}
  /p@1.0.0(q@2.0.0): {resolution: {integrity: ${scoped}}}
`)
    expect(packages.map(({ purl }) => purl)).toEqual(['pkg:npm/p@1.0.0'])
  })

  it('name what GitHub packs by repository and commit', () => {
    const packages = pnpm(`
lockfileVersion: '9.0'
packages:
  g@https://codeload.github.com/owner/g/tar.gz/${commit}:
    resolution: {tarball: https://codeload.github.com/owner/g/tar.gz/${commit}}
    version: 1.0.0
`)
    expect(packages).toMatchObject([{ uri: `git+https://github.com/owner/g@${commit}`, version: '1.0.0', digests: { gitCommit: commit } }])
  })

  it('pin tools to run with, which are no packages', () => {
    expect(pnpm(`lockfileVersion: '9.0'\npackages:\n  node@runtime:24.1.0: {resolution: {type: variations, variants: []}}\n`)).toEqual([])
  })

  it('of a registry that spells its tarballs out stay registry packages', () => {
    const text = `lockfileVersion: '9.0'\npackages:\n  '@o/p@1.0.0': {resolution: {integrity: ${scoped}, tarball: https://registry.example/download/@o/p/1.0.0/abc}}\n`
    expect(pnpm(text)).toMatchObject([{ uri: 'pkg:npm/%40o/p@1.0.0', origin: 'registry', digests: { sha512: hex(scoped) } }])
  })

  it('of unknown versions, with aliases or bombs in their YAML, are refused', () => {
    expect(refusal(() => pnpm(`lockfileVersion: 5.4\npackages: {}\n`))).toMatchObject({ code: 'E_UNSUPPORTED' })
    expect(refusal(() => pnpm(`lockfileVersion: '9.0'\na: &a [1]\nb: *a\n`))).toMatchObject({ code: 'E_FORMAT' })
    expect(refusal(() => pnpm('['.repeat(100_000)))).toMatchObject({ code: 'E_FORMAT' })
  })
})

describe('Yarn lockfiles', () => {
  it('of version 1 tell a scoped alias from its package', () => {
    const text = `# yarn lockfile v1\n\n\n"@my/alias@npm:@acme/scoped@^1.0.0", "@acme/scoped@^1.0.0":\n  version "1.2.0"\n  integrity ${scoped}\n`
    expect(readLockfile({ name: 'yarn.lock', text }).packages).toMatchObject([
      { name: '@acme/scoped', alias: '@my/alias', digests: { sha512: hex(scoped) } },
    ])
  })

  it('of version 1 without integrity give the sha1 of the address', () => {
    const text = `# yarn lockfile v1\n\n\na@^1.0.0:\n  version "1.0.0"\n  resolved "https://registry.example/a/-/a-1.0.0.tgz#${'ab'.repeat(20)}"\n`
    expect(readLockfile({ name: 'yarn.lock', text }).packages).toMatchObject([
      { purl: 'pkg:npm/a@1.0.0', digests: { sha1: 'ab'.repeat(20) } },
    ])
  })

  it('of later versions mark patched packages, and publish no checksum of Yarn’s own archives', () => {
    const text = `__metadata:
  version: 8
  cacheKey: 10c0

"t@npm:^5.0.0":
  version: 5.0.2
  resolution: "t@npm:5.0.2"
  checksum: 10c0/${'ab'.repeat(64)}
  languageName: node
  linkType: hard

"t@patch:t@npm%3A^5.0.0#optional!builtin<compat/t>":
  version: 5.0.2
  resolution: "t@patch:t@npm%3A5.0.2#optional!builtin<compat/t>::version=5.0.2&hash=abcdef"
  checksum: 10c0/${'cd'.repeat(64)}
  languageName: node
  linkType: hard
`
    const { packages } = readLockfile({ name: 'yarn.lock', text })
    expect(packages).toMatchObject([{ purl: 'pkg:npm/t@5.0.2' }, { purl: 'pkg:npm/t@5.0.2', patched: true }])
    expect(JSON.stringify(packages)).not.toMatch(/abab|cdcd/)
  })
})

describe('ends of Yarn 1 lockfiles', () => {
  const text = '# yarn lockfile v1\n\n\na@^1.0.0:\n  version "1.0.0"\n'

  it('a comment as the last line, without a line feed, is a comment', () => {
    const { packages } = readLockfile({ name: 'yarn.lock', text: `${text}# the end` })
    expect(packages.map(({ purl }) => purl)).toEqual(['pkg:npm/a@1.0.0'])
  })

  it('a text without its quotation mark is refused, at once', () => {
    for (const open of ['b@^1:\n  version "1', '"b@^1:\n  version "1.0.0"\n', 'b@^1:\n  version "1\\']) {
      const error = refusal(() => readLockfile({ name: 'yarn.lock', text: text + open }))
      expect(`${error.code} ${error.message}`).toMatch(/^E_FORMAT .*damaged or cut off/)
    }
  }, 5_000)
})

describe('bun lockfiles', () => {
  it('mark what came inside another tarball, and never give it the registry’s digest', () => {
    const { packages } = readLockfile(fixture('bun/bun.lock'))
    const inner = find(packages, 'pkg:npm/inner@1.0.0')
    expect(inner).toMatchObject({ bundled: true, digests: {} })
    expect(inner).not.toHaveProperty('integrity')
  })

  it('name a short commit without claiming its digest', () => {
    const text = '{"lockfileVersion":1,"packages":{"g":["g@github:owner/g#abc1234",{},"owner-g-abc1234"],},}'
    expect(readLockfile({ name: 'bun.lock', text }).packages).toMatchObject([
      { uri: 'git+https://github.com/owner/g@abc1234', digests: {} },
    ])
  })

  it('in binary form are refused with advice', () => {
    expect(refusal(() => readLockfile('bun.lockb'))).toMatchObject({
      code: 'E_UNSUPPORTED',
      problem: { fix: [expect.stringContaining('--save-text-lockfile')] },
    })
  })
})

describe('refusals', () => {
  const cases: [name: string, text: string, code: string][] = [
    ['package-lock.json', '{"lockfileVersion":3,"packages":{', 'E_FORMAT'],
    ['package-lock.json', '{\n<<<<<<< HEAD\n"a":1\n=======\n"a":2\n>>>>>>> x\n}', 'E_FORMAT'],
    ['pnpm-lock.yaml', "lockfileVersion: '9.0'\n  packages: {}", 'E_FORMAT'],
    ['yarn.lock', '# yarn lockfile v1\n\na@1\n    version', 'E_FORMAT'],
    ['yarn.lock', '__metadata:\n  version: 8\n"a', 'E_FORMAT'],
    ['bun.lock', '{"packages":{"a":[}}', 'E_FORMAT'],
    ['bun.lock', '{"packages":{"a":["a@github:o/n#\\ud800"]}}', 'E_FORMAT'],
    ['bun.lock', '{"packages":{"a":["\\ud800@1.0.0"]}}', 'E_FORMAT'],
    ['package-lock.json', '{"lockfileVersion":3,"packages":{"node_modules/\\ud800":{"version":"1.0.0"}}}', 'E_FORMAT'],
    [
      'yarn.lock',
      '__metadata:\n  version: 8\n"a@patch:a@npm%ZZ1.0.0#./a.patch":\n  version: 1.0.0\n  resolution: "a@patch:a@npm%ZZ1.0.0#./a.patch"\n',
      'E_FORMAT',
    ],
    ['Cargo.lock', '', 'E_UNSUPPORTED'],
  ]
  it.each(cases)('%s: %j is %s, with its path and without its contents', (name, text, code) => {
    const error = refusal(() => readLockfile({ name: `some/${name}`, text }))
    expect(error.code).toBe(code)
    expect(error.problem.file).toBe(`some/${name}`)
    expect(error.message).toContain(`some/${name}`)
    expect(error.message).not.toContain('\n')
    expect(error.problem.fix).not.toEqual([])
  })

  it('an absent lockfile is E_IO', () => {
    expect(refusal(() => readLockfile(fixture('nowhere/yarn.lock')))).toMatchObject({ code: 'E_IO' })
  })

  it('names that are members of every object are names like others', () => {
    const text =
      '{"lockfileVersion":3,"packages":{"node_modules/__proto__":{"version":"1.0.0"},"node_modules/constructor":{"version":"2.0.0"}}}'
    expect(readLockfile({ name: 'package-lock.json', text }).packages.map(({ purl }) => purl)).toEqual([
      'pkg:npm/__proto__@1.0.0',
      'pkg:npm/constructor@2.0.0',
    ])
  })
})

describe('findLockfile', () => {
  const root = mkdtempSync(join(tmpdir(), 'intoto-lockfile-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  const project = (name: string, files: readonly string[]): string => {
    for (const file of files) {
      mkdirSync(join(root, name, file, '..'), { recursive: true })
      writeFileSync(join(root, name, file), '')
    }
    return join(root, name)
  }

  it('looks upwards from a workspace to the root of the repository, and no further', () => {
    const at = project('mono', ['.git/HEAD', 'pnpm-lock.yaml', 'packages/a/package.json'])
    expect(findLockfile(join(at, 'packages/a'))).toBe(join(at, 'pnpm-lock.yaml'))
    project('outside', ['yarn.lock', 'repo/.git/HEAD'])
    expect(findLockfile(join(root, 'outside/repo'))).toBeUndefined()
  })

  it('prefers npm-shrinkwrap.json as npm does, and the lockfile of the client that installed', () => {
    expect(findLockfile(project('npm', ['package-lock.json', 'npm-shrinkwrap.json']))).toMatch(/npm-shrinkwrap\.json$/)
    expect(findLockfile(project('two', ['package-lock.json', 'yarn.lock', 'node_modules/.yarn-integrity']))).toMatch(/yarn\.lock$/)
    expect(findLockfile(project('binary', ['bun.lockb']))).toMatch(/bun\.lockb$/)
  })
})
