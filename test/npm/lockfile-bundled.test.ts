/** From bundled files to locked packages: layouts of node_modules as paths, with package.json files in memory. Real installs: lockfile-clients.test.ts. */
import { describe, expect, it } from 'vitest'
import { readLockfile, resolveBundled, type Bundled, type Lockfile } from 'intoto-npm'

const sri = (byte: number): string => `sha512-${Buffer.alloc(64, byte).toString('base64')}`
const hex = (byte: number): string => Buffer.alloc(64, byte).toString('hex')
const npmLock = (packages: Record<string, unknown>, name = 'package-lock.json'): Lockfile =>
  readLockfile({ name, text: JSON.stringify({ lockfileVersion: 3, packages }) })
const pnpmLock = (...keys: string[]): Lockfile => {
  const entries = keys.map((key, i) => `  '${key}': {resolution: {integrity: ${sri(i + 1)}}}`)
  return readLockfile({ name: 'pnpm-lock.yaml', text: `lockfileVersion: '9.0'\npackages:\n${entries.join('\n')}\n` })
}
/** Reads package.json files out of `{ folder: 'name@version' }` or `{ folder: manifest }`. */
const disk = (folders: Record<string, string | object>) => ({
  read: (path: string): string | undefined => {
    const found = folders[path.replace(/\/package\.json$/, '')]
    if (typeof found !== 'string') return found === undefined ? undefined : JSON.stringify(found)
    const at = found.indexOf('@', 1)
    return JSON.stringify({ name: found.slice(0, at), version: found.slice(at + 1) })
  },
})
const uris = (bundled: Bundled): string[] => bundled.dependencies.map(({ uri }) => uri)

describe('resolveBundled', () => {
  it('lists each package once, with purl and digest, sorted', () => {
    const lock = npmLock({
      'node_modules/b': { version: '2.0.0', integrity: sri(2), optional: true },
      'node_modules/@o/a': { version: '1.0.0', integrity: sri(1) },
      'node_modules/unused': { version: '1.0.0', integrity: sri(9) },
    })
    const files = ['node_modules/b/index.js', 'node_modules/@o/a/dist/x.js', 'node_modules/b/lib/y.js', 'src/main.js', 'package.json']
    expect(resolveBundled(files, lock, disk({ 'node_modules/b': 'b@2.0.0', 'node_modules/@o/a': '@o/a@1.0.0' }))).toEqual({
      dependencies: [
        { uri: 'pkg:npm/%40o/a@1.0.0', digest: { sha512: hex(1) } },
        { uri: 'pkg:npm/b@2.0.0', digest: { sha512: hex(2) }, annotations: { optional: true } },
      ],
      unknown: [],
    })
  })

  it('goes by the folder, where two versions of one package are nested', () => {
    const lock = npmLock({
      'node_modules/d': { version: '1.0.0', integrity: sri(1) },
      'node_modules/t': { version: '3.0.0', integrity: sri(3) },
      'node_modules/t/node_modules/d': { version: '2.0.0', integrity: sri(2), dev: true },
    })
    const o = disk({ 'node_modules/d': 'd@1.0.0', 'node_modules/t/node_modules/d': 'd@2.0.0', 'node_modules/t': 't@3.0.0' })
    expect(resolveBundled(['node_modules/t/node_modules/d/index.js'], lock, o).dependencies).toEqual([
      { uri: 'pkg:npm/d@2.0.0', digest: { sha512: hex(2) }, annotations: { dev: true } },
    ])
    expect(uris(resolveBundled(['node_modules/d/index.js'], lock, o))).toEqual(['pkg:npm/d@1.0.0'])
  })

  it('passes over package.json files inside a package, with a name or without', () => {
    const lock = npmLock({ 'node_modules/next': { version: '15.0.0', integrity: sri(1) } })
    const o = disk({
      'node_modules/next': 'next@15.0.0',
      'node_modules/next/dist/esm': { type: 'module' },
      'node_modules/next/dist/compiled/react': 'react@19.0.0',
    })
    const files = ['node_modules/next/dist/esm/a.js', 'node_modules/next/dist/compiled/react/index.js']
    expect(resolveBundled(files, lock, o)).toMatchObject({ dependencies: [{ uri: 'pkg:npm/next@15.0.0' }], unknown: [] })
  })

  it('names an aliased package by its own name', () => {
    const lock = npmLock({ 'node_modules/kleur': { name: 'plain', version: '1.0.0', integrity: sri(1) } })
    expect(uris(resolveBundled(['node_modules/kleur/i.js'], lock, disk({ 'node_modules/kleur': 'plain@1.0.0' })))).toEqual([
      'pkg:npm/plain@1.0.0',
    ])
    // another package under the alias is not the locked one
    expect(resolveBundled(['node_modules/kleur/i.js'], lock, disk({ 'node_modules/kleur': 'kleur@1.0.0' })).unknown).toEqual([
      'node_modules/kleur/i.js',
    ])
  })

  it('does not lend the lockfile’s digest to another version, nor to a folder without package.json', () => {
    const lock = npmLock({
      'node_modules/a': { version: '1.0.0', integrity: sri(1) },
      'node_modules/b': { version: '1.0.0', integrity: sri(2) },
    })
    const files = ['node_modules/a/x.js', 'node_modules/a/y.js', 'node_modules/b/x.js', 'node_modules/planted/x.js']
    expect(resolveBundled(files, lock, disk({ 'node_modules/a': 'a@1.0.1', 'node_modules/planted': 'planted@1.0.0' }))).toEqual({
      dependencies: [],
      unknown: files.toSorted(),
    })
  })

  it('lists as unknown what lies in node_modules but in no package', () => {
    const files = ['node_modules/.vite/deps/a.js', 'node_modules/.cache/x', 'node_modules/stray.js', 'node_modules/@o/stray.js']
    expect(resolveBundled(files, npmLock({}), disk({})).unknown).toEqual(files.toSorted())
  })

  it('takes linked workspaces for what they are: parts of the project', () => {
    const lock = npmLock({ 'node_modules/ws': { resolved: 'packages/ws', link: true }, 'packages/ws': { version: '1.0.0' } })
    expect(resolveBundled(['node_modules/ws/index.js'], lock, disk({ 'node_modules/ws': 'ws@1.0.0' }))).toEqual({
      dependencies: [],
      unknown: [],
    })
  })

  it('counts what a package brought in its own tarball to that tarball', () => {
    const lock = npmLock({
      'node_modules/outer': { version: '1.0.0', integrity: sri(1) },
      'node_modules/outer/node_modules/inner': { version: '1.0.0', inBundle: true },
    })
    const expected = [
      { uri: 'pkg:npm/inner@1.0.0', annotations: { bundledIn: 'pkg:npm/outer@1.0.0' } },
      { uri: 'pkg:npm/outer@1.0.0', digest: { sha512: hex(1) } },
    ]
    const file = 'node_modules/outer/node_modules/inner/index.js'
    const o = disk({ 'node_modules/outer': 'outer@1.0.0', 'node_modules/outer/node_modules/inner': 'inner@1.0.0' })
    expect(resolveBundled([file], lock, o).dependencies).toEqual(expected)

    // Yarn 1 pins the registry's inner as well, which is not what lies there
    const text = `# yarn lockfile v1\n\n\ninner@1.0.0:\n  version "1.0.0"\n  integrity ${sri(7)}\n\nouter@1.0.0:\n  version "1.0.0"\n  integrity ${sri(1)}\n`
    const manifests = disk({
      'node_modules/outer': { name: 'outer', version: '1.0.0', bundleDependencies: ['inner'] },
      'node_modules/outer/node_modules/inner': 'inner@1.0.0',
      'node_modules/outer/node_modules/below': 'below@3.0.0',
    })
    const yarn = readLockfile({ name: 'yarn.lock', text })
    expect(resolveBundled([file], yarn, manifests).dependencies).toEqual(expected)
    // what a bundled package needs lies beside it without being listed
    expect(uris(resolveBundled(['node_modules/outer/node_modules/below/x.js'], yarn, manifests))).toEqual([
      'pkg:npm/below@3.0.0',
      'pkg:npm/outer@1.0.0',
    ])
  })

  it('chooses no entry when two pin different bytes under one name and version', () => {
    const text = `# yarn lockfile v1\n\n\n"a@1.0.0":\n  version "1.0.0"\n  integrity ${sri(1)}\n\n"b@npm:a@1.0.0":\n  version "1.0.0"\n  integrity ${sri(2)}\n`
    expect(
      resolveBundled(['node_modules/a/i.js'], readLockfile({ name: 'yarn.lock', text }), disk({ 'node_modules/a': 'a@1.0.0' })).unknown,
    ).toHaveLength(1)
  })

  it('reads each package.json once, however many files there are', () => {
    const folders = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`node_modules/p${i}`, `p${i}@1.0.0`]))
    const lock = npmLock(Object.fromEntries(Object.keys(folders).map((folder) => [folder, { version: '1.0.0', integrity: sri(1) }])))
    const reads = new Map<string, number>()
    const { read } = disk(folders)
    const counted = (path: string): string | undefined => {
      reads.set(path, (reads.get(path) ?? 0) + 1)
      return read(path)
    }
    const files = Array.from({ length: 5_000 }, (_, i) => `node_modules/p${i % 250}/lib/${i}.js`)
    expect(resolveBundled(files, lock, { read: counted }).dependencies).toHaveLength(250)
    expect(reads.size).toBe(250)
    expect(Math.max(...reads.values())).toBe(1)
  })
})

describe('layouts', () => {
  it('pnpm: the version stands in the path, whatever the peers, and in package.json', () => {
    const lock = pnpmLock('@acme/scoped@1.2.0', 'plain@2.1.3', 'pre@1.0.0-rc.1')
    const files = [
      'node_modules/.pnpm/@acme+scoped@1.2.0_deep@1.0.1/node_modules/@acme/scoped/index.js',
      'node_modules/.pnpm/plain@2.1.3(deep@1.0.1)/node_modules/plain/index.js',
      'node_modules/.pnpm/pre@1.0.0-rc.1/node_modules/pre/index.js',
    ]
    expect(resolveBundled(files, lock, disk({}))).toMatchObject({
      dependencies: [{ digest: { sha512: hex(1) } }, { digest: { sha512: hex(2) } }, { digest: { sha512: hex(3) } }],
    })
    const stale = disk({ 'node_modules/.pnpm/plain@2.1.3(deep@1.0.1)/node_modules/plain': 'plain@2.1.4' })
    expect(resolveBundled([files[1]!], lock, stale).unknown).toEqual([files[1]])
  })

  it('bun’s isolated installs', () => {
    const lock = readLockfile({ name: 'bun.lock', text: `{"lockfileVersion":1,"packages":{"p":["p@1.0.0","",{},"${sri(1)}"]}}` })
    expect(uris(resolveBundled(['node_modules/.bun/p@1.0.0+0a1b2c/node_modules/p/i.js'], lock, disk({})))).toEqual(['pkg:npm/p@1.0.0'])
  })

  it('Yarn: archives, virtual packages, unplugged ones, its store and patched archives', () => {
    const entry = (resolution: string, version: string): string =>
      `"${resolution}":\n  version: ${version}\n  resolution: "${resolution}"\n`
    const text = `__metadata:\n  version: 8\n${entry('@o/a@npm:1.2.3-beta.1', '1.2.3-beta.1')}${entry('t@npm:5.0.2', '5.0.2')}${entry('t@patch:t@npm%3A5.0.2#x.patch', '5.0.2')}`
    const lock = readLockfile({ name: 'yarn.lock', text })
    const a = 'pkg:npm/%40o/a@1.2.3-beta.1'
    const of = (file: string): string[] =>
      uris(resolveBundled([file], lock, disk({ 'node_modules/.store/@o-a-npm-1.2.3-beta.1-0123456789/package': '@o/a@1.2.3-beta.1' })))
    expect(of('.yarn/cache/@o-a-npm-1.2.3-beta.1-0123456789-abcdef0123.zip/node_modules/@o/a/i.js')).toEqual([a])
    expect(of('/home/x/.yarn/berry/cache/@o-a-npm-1.2.3-beta.1-0123456789-10c0.zip/node_modules/@o/a/i.js')).toEqual([a])
    expect(of('.yarn/__virtual__/@o-a-virtual-abc/0/cache/@o-a-npm-1.2.3-beta.1-0123456789-abcdef0123.zip/node_modules/@o/a/i.js')).toEqual(
      [a],
    )
    expect(of('.yarn/unplugged/@o-a-npm-1.2.3-beta.1-0123456789/node_modules/@o/a/i.js')).toEqual([a])
    expect(of('node_modules/.store/@o-a-npm-1.2.3-beta.1-0123456789/package/i.js')).toEqual([a])
    const patched = resolveBundled(['.yarn/cache/t-patch-0123456789-abcdef0123.zip/node_modules/t/i.js'], lock, disk({}))
    expect(patched.dependencies).toEqual([{ uri: 'pkg:npm/t@5.0.2', annotations: { patched: true } }])
  })

  it('packages without a version in the lockfile are known by their name', () => {
    const lock = readLockfile({ name: 'bun.lock', text: `{"packages":{"g":["g@git+https://h.example/g.git#${'a'.repeat(40)}",{},"x"]}}` })
    expect(resolveBundled(['node_modules/g/i.js'], lock, disk({ 'node_modules/g': 'g@4.5.6' })).dependencies).toEqual([
      { uri: `git+https://h.example/g.git@${'a'.repeat(40)}`, name: 'g', digest: { gitCommit: 'a'.repeat(40) } },
    ])
  })
})

describe('where names start', () => {
  const packages = {
    'node_modules/a': { version: '1.0.0', integrity: sri(1) },
    'packages/app/node_modules/a': { version: '1.0.0', integrity: sri(2) },
  }

  it('absolute paths and names relative to a workspace meet the lockfile of the root', () => {
    const lock = npmLock(packages, '/repo/package-lock.json')
    const o = disk({
      '/repo/node_modules/a': 'a@1.0.0',
      '/repo/packages/app/node_modules/a': 'a@1.0.0',
      '/repo/packages/app/../../node_modules/a': 'a@1.0.0',
    })
    const of = (file: string, base?: string): unknown =>
      resolveBundled([file], lock, { ...o, ...(base === undefined ? {} : { base }) }).dependencies[0]?.digest
    expect(of('/repo/node_modules/a/i.js')).toEqual({ sha512: hex(1) })
    expect(of('/repo/packages/app/node_modules/a/i.js')).toEqual({ sha512: hex(2) })
    expect(of('node_modules/a/i.js', '/repo/packages/app')).toEqual({ sha512: hex(2) })
    expect(of('../../node_modules/a/i.js', '/repo/packages/app')).toEqual({ sha512: hex(1) })
  })

  it('Windows paths', () => {
    const lock = npmLock(packages, 'C:\\repo\\package-lock.json')
    const o = disk({ 'C:/repo/packages/app/node_modules/a': 'a@1.0.0' })
    expect(resolveBundled(['C:\\repo\\packages\\app\\node_modules\\a\\i.js'], lock, o).dependencies[0]?.digest).toEqual({ sha512: hex(2) })
  })

  it('a lockfile in the root folder of the disk', () => {
    const lock = npmLock(packages, '/package-lock.json')
    expect(
      resolveBundled(['/packages/app/node_modules/a/i.js'], lock, disk({ '/packages/app/node_modules/a': 'a@1.0.0' })).dependencies[0]
        ?.digest,
    ).toEqual({ sha512: hex(2) })
  })

  it('where the path leads nowhere known and entries differ, nothing is claimed', () => {
    const lock = npmLock(packages, '/repo/package-lock.json')
    expect(resolveBundled(['/elsewhere/node_modules/a/i.js'], lock, disk({ '/elsewhere/node_modules/a': 'a@1.0.0' })).unknown).toHaveLength(
      1,
    )
  })
})
