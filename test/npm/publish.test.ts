/** The parts of publishing, one by one: clients, package.json and its rewrites, what a registry may answer, what a tarball may lack. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { createLink, type Artifacts, type DigestMap, type Link } from 'intoto'
import {
  checkPackage,
  compareServed,
  fetchPublished,
  findClient,
  findRegistry,
  isPackedByUs,
  postpack,
  readTarball,
  recordPack,
  refuseSwapped,
  uploadEnvironment,
  withoutCredentials,
  type Client,
} from 'intoto-npm'
import { confusedMembers, foreignRewrites } from '../../packages/npm/src/publish/manifest.ts'
import { folder, problemOf } from '../node/place.ts'
import { tgz } from './archive.ts'

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const sri = (bytes: Uint8Array): string => `sha512-${createHash('sha512').update(bytes).digest('base64')}`

function artifacts(of: { [name: string]: string | Uint8Array }): Artifacts {
  const all: Artifacts = Object.create(null)
  for (const [name, content] of Object.entries(of)) all[name] = Object.assign(Object.create(null) as DigestMap, { sha256: sha256(content) })
  return all
}

describe('the client of a project', () => {
  it('is what package.json names, else what the lockfile tells, else who started us', async () => {
    const at = folder({
      'package.json': '{"packageManager":"bun@1.0.0+sha512.ab"}',
      'pnpm-lock.yaml': '',
      '.git/x': '',
      'bin/bun': '#!/bin/sh\necho 1.2.3\n',
    })
    for (const name of ['pnpm', 'yarn', 'npm']) writeFileSync(join(at, 'bin', name), '#!/bin/sh\necho 1.2.3\n')
    for (const name of ['bun', 'pnpm', 'yarn', 'npm']) chmodSync(join(at, 'bin', name), 0o755)
    const path = process.env['PATH']
    process.env['PATH'] = `${join(at, 'bin')}:${path}`
    try {
      const env = { PATH: process.env['PATH'], npm_config_user_agent: 'yarn/4.0.0 npm/? node/v20' }
      mkdirSync(join(at, 'inner'))
      expect(await findClient({ folder: join(at, 'inner'), env })).toEqual({ name: 'bun', version: '1.2.3', start: ['bun'] })
      expect(await findClient({ folder: at, env, given: 'npm' })).toMatchObject({ name: 'npm' })
      writeFileSync(join(at, 'package.json'), '{}')
      expect(await findClient({ folder: at, env })).toMatchObject({ name: 'pnpm' })
      const bare = folder({ '.git/x': '' })
      expect(await findClient({ folder: bare, env })).toMatchObject({ name: 'yarn' })
      expect(await findClient({ folder: bare, env: { PATH: env.PATH } })).toMatchObject({ name: 'npm' })
      writeFileSync(join(bare, 'package.json'), '{"packageManager":"vlt@1.0.0"}')
      await problemOf(() => findClient({ folder: bare, env }), 'E_UNSUPPORTED')
    } finally {
      process.env['PATH'] = path
    }
  })

  it('leaves the hook alone only while we pack, never within its own publish', () => {
    const env = { INTOTO_PACKING: '/p', npm_config_user_agent: 'npm/11.0.0', npm_command: 'pack', npm_config_pack_destination: '/p' }
    expect(isPackedByUs(env)).toBe(true)
    expect(isPackedByUs({ ...env, npm_config_pack_destination: '/other' })).toBe(false)
    expect(isPackedByUs({ ...env, npm_command: 'publish' })).toBe(false)
    expect(isPackedByUs({ ...env, npm_config_user_agent: 'pnpm/10.0.0', npm_command: 'publish' })).toBe(false)
    expect(isPackedByUs({})).toBe(false)
  })

  it('is refused by the hook where it could not be stopped, or gives no digest', async () => {
    const hook = (agent: string, command?: string) => ({
      npm_lifecycle_event: 'postpack',
      npm_config_user_agent: agent,
      npm_command: command,
    })
    const yarn = await problemOf(() => postpack({ env: hook('yarn/4.18.1 npm/?'), folder: folder(), unproven: true }), 'E_UNSUPPORTED')
    expect(yarn.message).toContain('after the upload')
    for (const agent of ['pnpm/10.0.0', 'bun/1.4.5', 'yarn/1.22.22']) {
      const refused = await problemOf(() => postpack({ env: hook(agent, 'publish'), folder: folder() }), 'E_UNSUPPORTED')
      expect(refused.fix.join()).toMatch(/intoto publish.*--unproven/)
    }
    await problemOf(
      () => postpack({ env: { ...hook('npm/11.0.0', 'publish'), npm_package_integrity: 'null' }, folder: folder() }),
      'E_CONFIG',
    )
  })
})

describe('package.json', () => {
  const source = {
    name: 'a',
    dependencies: { b: 'workspace:^', c: 'catalog:', d: '^1.0.0', e: 'workspace:f@~' },
    scripts: { prepack: 'x', test: 'y' },
    packageManager: 'pnpm@10.0.0',
    publishConfig: { main: 'dist/a.js', access: 'public' },
    main: 'src/a.ts',
  }
  const packed = {
    name: 'a',
    dependencies: { b: '^2.0.0', c: '~3.1.0', d: '^1.0.0', e: 'npm:f@~1.2.3' },
    scripts: { test: 'y' },
    publishConfig: { access: 'public' },
    main: 'dist/a.js',
  }

  it('may be rewritten as the client documents, and not otherwise', () => {
    expect(foreignRewrites(source, packed, 'pnpm/10.0.0')).toEqual([])
    expect(foreignRewrites(source, packed, 'npm/11.0.0')).toEqual(['dependencies', 'main', 'packageManager', 'publishConfig', 'scripts'])
    const yarn = { ...source, dependencies: packed.dependencies, main: 'dist/a.js' }
    expect(foreignRewrites(source, yarn, 'yarn/4.1.0')).toEqual([])
    expect(foreignRewrites(source, yarn, 'yarn/1.22.0')).toEqual(['dependencies', 'main'])
    expect(foreignRewrites(source, { ...source, dependencies: packed.dependencies }, 'bun/1.4.5')).toEqual([])
    for (const [change, members] of [
      [{ dependencies: { ...packed.dependencies, evil: '1.0.0' } }, ['dependencies']],
      [{ dependencies: { ...packed.dependencies, d: '^2.0.0' } }, ['dependencies']],
      [{ dependencies: { ...packed.dependencies, b: 'https://registry.example/evil.tgz' } }, ['dependencies']],
      [{ dependencies: { ...packed.dependencies, b: '~2.0.0' } }, ['dependencies']],
      [{ dependencies: { ...packed.dependencies, e: 'npm:evil@~1.2.3' } }, ['dependencies']],
      [{ scripts: { test: 'y', postinstall: 'evil' } }, ['scripts']],
      [{ main: 'evil.js' }, ['main']],
      [{ bin: 'evil.js' }, ['bin']],
      [{ publishConfig: { access: 'public', registry: 'x' } }, ['publishConfig']],
    ] as const) {
      expect([change, foreignRewrites(source, { ...packed, ...change }, 'pnpm/10.0.0')]).toEqual([change, members])
    }
  })

  it('has one version where a workspace protocol stood, and no other package', () => {
    const becomes = (range: string, now: string): boolean =>
      foreignRewrites({ dependencies: { b: range } }, { dependencies: { b: now } }, 'pnpm/10.0.0').length === 0
    const good = [
      ['workspace:*', '1.2.3', '1.2.3-rc.1+b'],
      ['workspace:', '1.2.3'],
      ['workspace:^', '^1.2.3'],
      ['workspace:~', '~1.2.3'],
      ['workspace:>=', '>=1.2.3'],
      ['workspace:^1.0.0', '^1.0.0'],
      ['workspace:1 || 2', '1 || 2'],
      ['workspace:^ || ^0.9.0', '^1.2.3 || ^0.9.0'],
      ['workspace:../b', '1.2.3'],
      ['workspace:packages/b', '1.2.3'],
      ['workspace:c@*', 'npm:c@1.2.3'],
      ['workspace:@s/c@^', 'npm:@s/c@^1.2.3'],
      ['workspace:c@^1.0.0', 'npm:c@^1.0.0'],
      ['catalog:', '^1.2.3', '>=1 <3', '*', '1.x'],
      ['catalog:old', '1.2.3'],
    ]
    for (const [range = '', ...all] of good) for (const now of all) expect([range, now, becomes(range, now)]).toEqual([range, now, true])
    const bad = [
      ['workspace:*', '1.0.0 || 99.0.0', '^1.0.0', '*', 'npm:evil@1.0.0', 'npm:b@1.0.0', '1', 'evil', '1.0.0 '],
      ['workspace:', '>=1.0.0'],
      ['workspace:^', '^1.0.0 || 99.0.0', '^^1.0.0', '1.0.0', '~1.0.0', '^'],
      ['workspace:^1.0.0', '^1.0.1', '1.0.0'],
      ['workspace:^ || ^0.9.0', '^1.2.3', '^1.2.3 || 9.0.0 || ^0.9.0'],
      ['workspace:../b', 'npm:evil@1.0.0', '1.0.0 || 2.0.0'],
      ['workspace:c@*', '1.2.3', 'npm:evil@1.2.3', 'npm:c@1.0.0 || 2.0.0'],
      ['catalog:', 'npm:evil@6.6.6', 'https://registry.example/evil.tgz', 'github:evil/b', 'file:../evil', 'latest'],
    ]
    for (const [range = '', ...all] of bad) for (const now of all) expect([range, now, becomes(range, now)]).toEqual([range, now, false])
  })

  it('and what a registry tells installers are compared in one spelling', () => {
    const ours = {
      name: '@s/a',
      version: 'v1.0.0',
      bin: './cli.js',
      dependencies: { x: '1', o: '2' },
      optionalDependencies: { o: '2' },
      os: 'linux',
      engines: {},
    }
    const theirs = {
      name: '@s/a',
      version: '1.0.0',
      bin: { a: 'cli.js' },
      dependencies: { x: '1' },
      optionalDependencies: { o: '2' },
      os: ['linux'],
    }
    expect(confusedMembers(ours, theirs, [])).toEqual([])
    const attacks = [
      { dependencies: { x: '1', evil: '1' } },
      { bin: { a: 'evil.js' } },
      { scripts: { preinstall: 'evil' } },
      { peerDependencies: { evil: '1' } },
      { engines: { node: '>=99' } },
      { cpu: ['x64'] },
      { bundleDependencies: ['x'] },
      { name: 'b' },
    ]
    for (const attack of attacks) expect(confusedMembers(ours, { ...theirs, ...attack }, [])).toEqual(Object.keys(attack))
    for (const [own, normal] of [
      [{ '@s/tool': 'bin/cli.js' }, { tool: 'bin/cli.js' }],
      [['bin/cli.js', './bin/two.js'], { 'cli.js': 'bin/cli.js', 'two.js': 'bin/two.js' }],
      ['./bin/../bin/cli.js', { a: 'bin/cli.js' }],
      [
        { t: '/bin/cli.js', 'a\\b:c': '..\\..\\x.js', '..': 'x', e: '', n: 1 },
        { t: 'bin/cli.js', c: 'x.js' },
      ],
      [{}, undefined],
      [[], undefined],
      [{ e: './' }, undefined],
    ]) {
      expect([own, confusedMembers({ ...ours, bin: own }, { ...theirs, bin: normal }, [])]).toEqual([own, []])
      expect([own, confusedMembers({ ...ours, bin: own }, { ...theirs, bin: { a: 'evil.js' } }, [])]).toEqual([own, ['bin']])
    }
    const compiled = { ...theirs, scripts: { install: 'node-gyp rebuild' } }
    expect(confusedMembers(ours, compiled, ['binding.gyp'])).toEqual([])
    expect(confusedMembers(ours, compiled, [])).toEqual(['scripts'])
  })

  it('is a product where the client has rewritten it, with its text before in the link', async () => {
    const text = JSON.stringify(source)
    const at = folder({ 'package.json': text })
    const tarball = join(at, 'a.tgz')
    writeFileSync(tarball, tgz([{ name: 'package/package.json', content: JSON.stringify(packed) }]))
    const link = await recordPack({ tarball, folder: at, client: 'pnpm/10.0.0' })
    expect(link.materials).toEqual(artifacts({ 'package.json': text }))
    expect(link.products['package/package.json']).toEqual({ sha256: sha256(JSON.stringify(packed)) })
    expect(checkPackage(await readTarball(tarball), [link])).toEqual([])
    await problemOf(() => recordPack({ tarball, folder: at, client: 'npm/11.0.0' }), 'E_PRODUCT')

    const forged = { ...link, byproducts: { ...link.byproducts, manifest: JSON.stringify({ ...source, main: 'evil.js' }) } } as Link
    expect(checkPackage(await readTarball(tarball), [forged])).toMatchObject([{ code: 'E_PRODUCT', file: 'package/package.json' }])
    writeFileSync(tarball, tgz([{ name: 'package/package.json', content: JSON.stringify({ ...packed, bin: 'evil.js' }) }]))
    await problemOf(() => recordPack({ tarball, folder: at, client: 'pnpm/10.0.0' }), 'E_PRODUCT')
    const unproven = await recordPack({ tarball: await rewrite(at, text), folder: at, unproven: true })
    expect(checkPackage(await readTarball(tarball), [unproven])).toMatchObject([
      { code: 'E_PRODUCT', severity: 'warning', message: expect.stringContaining('--unproven') },
    ])
  })
})

async function rewrite(at: string, text: string): Promise<string> {
  writeFileSync(join(at, 'a.tgz'), tgz([{ name: 'package/package.json', content: text }]))
  return join(at, 'a.tgz')
}

describe('a tarball', () => {
  const check = async (files: readonly string[] | undefined, products: readonly string[], packed: readonly string[]): Promise<string[]> => {
    const manifest = JSON.stringify({ name: 'a', ...(files === undefined ? {} : { files }) })
    const bytes = tgz([
      { name: 'package/package.json', content: manifest },
      ...packed.map((name) => ({ name: `package/${name}`, content: name })),
    ])
    const step = (name: string, materials: object, made: object): Link =>
      createLink({ name, materials: artifacts(materials as never), products: artifacts(made as never), command: [] })
    const build = step('build', { 'package.json': manifest }, Object.fromEntries(products.map((name) => [name, name])))
    const read = { 'package.json': manifest, ...Object.fromEntries(packed.map((name) => [name, name])) }
    const pack = step('package', read, { 'a.tgz': bytes })
    const source = step('source', {}, { 'package.json': manifest, 'dist/cleaned-by-the-build.js': 'x' })
    return checkPackage(await readTarball(bytes), [source, build, pack]).map(
      ({ file, message }) => `${file}${/ \(and \d+ more\)/.exec(message)?.[0] ?? ''}`,
    )
  }

  it('holds all that was built and that "files" selects', async () => {
    const built = ['dist/a.js', 'dist/b/c.js', 'dist/a.js.map', 'dist/build.0badc0de.link', 'coverage/x']
    expect(await check(['dist', '!**/*.map'], built, ['dist/a.js', 'dist/b/c.js'])).toEqual([])
    expect(await check(['dist'], built, ['dist/a.js', 'dist/b/c.js'])).toEqual(['package/dist/a.js.map'])
    expect(await check(['./dist/'], built, ['dist/a.js'])).toEqual(['package/dist/a.js.map (and 1 more)'])
    expect(await check(['dist/*.js'], built, [])).toEqual(['package/dist/a.js'])
    expect(await check(['dist/**/*.js'], built, ['dist/a.js'])).toEqual(['package/dist/b/c.js'])
    expect(await check(['{dist,lib}'], built, ['dist/a.js', 'dist/a.js.map'])).toEqual(['package/dist/b/c.js'])
    expect(await check(['DIST'], ['dist/a.js'], [])).toEqual(['package/dist/a.js'])
    expect(await check(['src'], built, [])).toEqual([])
    expect(await check(['dist'], ['dist/.npmignore', 'dist/x', 'dist/.DS_Store'], [])).toEqual([])
    expect(await check(undefined, built, [])).toEqual([])
  })

  it('is not held up by "files", and lacks nothing where that can not be told', async () => {
    const built = ['dist/a.js', 'dist/b/c.js']
    const stars = `${'**/'.repeat(60)}x`
    expect(await check([stars], [`${'a/'.repeat(60)}b`], [])).toEqual([])
    expect(await check([stars], [`${'a/'.repeat(60)}x`], [])).toEqual([`package/${'a/'.repeat(60)}x`])
    expect(await check([`dist${'/**'.repeat(60)}/c.js`], built, [])).toEqual(['package/dist/b/c.js'])
    expect(await check([`{,${','.repeat(4000)}`], built, [])).toEqual([])
    expect(await check([`{a,dist}${'{,}'.repeat(7)}/b`], built, [])).toEqual(['package/dist/b/c.js'])
    // What is too long or has too many alternatives to look through may select anything, and hide nothing.
    for (const many of [`x${'{a,b}'.repeat(40)}`, `{${'a,'.repeat(300)}b}`, `{,${','.repeat(100_000)}`]) {
      expect(await check([many], built, [])).toEqual(['package/dist/a.js (and 1 more)'])
      expect(await check(['dist', `!${many}`], built, [])).toEqual(['package/dist/a.js (and 1 more)'])
      expect(await check([many, '!dist'], built, [])).toEqual([])
    }
  })

  it('holds what the source lists and "files" selects, but for folders that a build writes to and what a signed ignore file may hide', async () => {
    const manifest = JSON.stringify({ name: 'a', files: ['dist', 'lib', 'bin.js', '!lib/*.test.js'] })
    const own = {
      'package.json': manifest,
      'lib/a.js': 'a',
      'lib/guard.js': 'g',
      'lib/a.test.js': 't',
      'dist/.gitkeep': 'k',
      'src/x.ts': 'x',
    }
    const link = (name: string, materials: { [name: string]: string }, products: { [name: string]: string | Uint8Array }): Link =>
      createLink({
        name,
        materials: artifacts(materials),
        products: artifacts(products),
        command: name === 'package' ? ['npm', 'pack'] : [],
      })
    const lacking = async (files: { [name: string]: string }, source: { [name: string]: string } = own): Promise<string[]> => {
      const bytes = tgz(Object.entries(files).map(([name, content]) => ({ name: `package/${name}`, content })))
      const build = link('build', { 'src/x.ts': 'x' }, { 'dist/x.js': 'x' })
      const chain = [link('source', {}, source), build, link('package', files, { 'a.tgz': bytes })]
      return checkPackage(await readTarball(bytes), chain).map(({ file = '' }) => file)
    }
    const packed = { 'package.json': manifest, 'dist/x.js': 'x', 'lib/a.js': 'a' }
    expect(await lacking({ ...packed, 'lib/guard.js': 'g' })).toEqual([])
    expect(await lacking(packed)).toEqual(['package/lib/guard.js'])
    expect(await lacking(packed, { ...own, 'lib/.npmignore': 'guard.js' })).toEqual([])
    expect(await lacking(packed, { ...own, 'lib/guard.js': 'a' })).toEqual([])
    expect(await lacking({ ...packed, 'lib/guard.js': 'g' }, { ...own, 'bin.js': 'b' })).toEqual(['package/bin.js'])
    expect(await lacking(packed, { ...own, 'package.json': '{"workspaces":[]}' })).toEqual([])
  })

  describe('holds the bytes that the links tell of', () => {
    const manifest = JSON.stringify({ name: 'a' })
    type Side = { [name: string]: string }
    const files: Side = { 'package.json': manifest, 'dist/a.js': 'built', 'README.md': 'read me' }
    const bytesOf = (of: Side): Uint8Array => tgz(Object.entries(of).map(([name, content]) => ({ name: `package/${name}`, content })))
    const step = (name: string, materials: Side, products: Side, command = ['npm', 'pack']): Link =>
      createLink({ name, materials: artifacts(materials), products: artifacts(products), command })
    const check = async (
      packed: Side,
      o: { read?: Side; made?: Side; command?: string[]; before?: Link[]; after?: Link[] },
    ): Promise<string[]> => {
      const tarball = await readTarball(bytesOf(packed))
      const pack = step('package', o.read ?? files, o.made ?? {}, o.command)
      const product = Object.assign(Object.create(null) as DigestMap, { sha256: tarball.sha256 })
      const link: Link = { ...pack, products: Object.assign(Object.create(null) as Artifacts, pack.products, { 'a.tgz': product }) }
      const after = (o.after ?? []).map((each) => ({ ...each, materials: link.products, products: link.products }))
      return checkPackage(tarball, [...(o.before ?? []), link, ...after]).map(({ message }) => message)
    }
    const source = step('source', {}, { 'package.json': manifest, 'README.md': 'read me', 'src/a.ts': 'x' }, [])
    const build = step('build', { 'src/a.ts': 'x' }, { 'dist/a.js': 'built' }, ['tsc'])
    const evil = { ...files, 'dist/a.js': 'built, and evil' }
    const { 'README.md': _readme, ...withoutReadme } = files

    it('as the package step read them, or as a step before has left them', async () => {
      expect(await check(files, {})).toEqual([])
      expect(await check(files, { before: [source, build] })).toEqual([])
      expect(await check(files, { before: [source, build], read: {} })).toEqual([])
      expect(await check(files, { before: [source, build], after: [step('publish', {}, {}, ['npm', 'publish'])] })).toEqual([])
      const link = { 'dist/build.0badc0de.link': '{}' }
      expect(await check({ ...files, ...link }, { before: [source, build] })).toEqual([])
      expect(await check(evil, { before: [source, build], made: { 'dist/a.js': evil['dist/a.js'] } })).toEqual([])
    })

    it('and no others: a script around packing that changes them, and changes them back, is found', async () => {
      const message = 'package/dist/a.js: the tarball holds other bytes than "package" read'
      expect(await check(evil, { before: [source, build] })).toEqual([message])
      expect(await check({ ...evil, 'README.md': 'evil' }, {})).toEqual([`${message} (and 1 more)`])
      expect(await check(evil, { command: ['bun', 'pm', 'pack'] })).toEqual([message])
      expect(await check(evil, { after: [step('publish', {}, {}, ['npm', 'publish'])] })).toEqual([message])
      const left = 'package/dist/a.js: the tarball holds other bytes than "build" left'
      expect(await check(evil, { before: [source, build], read: evil })).toEqual([left])
      expect(await check(evil, { before: [source, build], read: {} })).toEqual([left])
    })

    it('and nothing that no link tells of', async () => {
      const message = 'package/README.md: it is in the tarball, and no link tells of it'
      expect(await check(files, { read: withoutReadme })).toEqual([message])
      expect(await check({ ...files, 'x.0badc0de.link': '' }, { before: [source, build] })).toEqual([
        'package/x.0badc0de.link: it is in the tarball, and no link tells of it',
      ])
      const { 'package.json': _manifest, ...withoutManifest } = files
      expect(await check(files, { read: withoutManifest })).toEqual([message.replace('README.md', 'package.json')])
      expect(await check({ ...files, 'package.json': '{"name":"evil"}' }, { before: [source, build], read: withoutManifest })).toEqual([
        expect.stringContaining("package/package.json: is not the project's"),
      ])
    })

    it('in a workspace too, where names start at its root, and where they start at another folder', async () => {
      const below = (of: Side): Side => Object.fromEntries(Object.entries(of).map(([name, text]) => [`packages/a/${name}`, text]))
      const root = { 'package.json': '{"workspaces":["packages/*"]}', 'README.md': 'of all' }
      expect(await check(files, { read: { ...root, ...below(files) } })).toEqual([])
      expect(await check(evil, { read: { ...root, ...below(files) } })).toHaveLength(1)
      const all = step('source', {}, { ...root, ...below(withoutReadme) }, [])
      expect(await check(files, { before: [all], read: files })).toEqual([])
      const copies = Object.fromEntries(Object.entries(files).map(([name, text]) => [`out/${name}`, text]))
      expect(await check(files, { read: { 'package.json': manifest, ...copies } })).toEqual([])
      const other = Object.fromEntries(Object.entries(evil).map(([name, text]) => [`another/${name}`, text]))
      expect(await check(evil, { read: { ...files, ...other } })).toHaveLength(1)
    })

    it('unless no link names a file', async () => {
      expect(await check(evil, { read: {} })).toEqual([])
    })

    it('unless a program of one’s own made the package: rules are all that can be asked of it', async () => {
      expect(await check(evil, { command: ['sh', 'release.sh'], read: { 'src/a.ts': 'x' } })).toEqual([])
    })
  })

  it('is no longer the one that was verified when a byte of it changed', async () => {
    const at = folder({ 'a.tgz': 'verified' })
    refuseSwapped(join(at, 'a.tgz'), sha256('verified'))
    writeFileSync(join(at, 'a.tgz'), 'swapped!')
    await problemOf(() => refuseSwapped(join(at, 'a.tgz'), sha256('verified')), 'E_PRODUCT')
  })
})

describe('a registry', () => {
  const tarball = tgz([{ name: 'package/package.json', content: '{"name":"a","version":"1.0.0"}' }])
  const answers = new Map<string, string | Buffer>()
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization)
    const answer = answers.get(request.url ?? '')
    response.writeHead(answer === undefined ? 404 : 200).end(answer)
  })
  const ready = new Promise<string>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)),
  )
  afterAll(() => void server.close())
  const packument = (registry: string, dist: object): string =>
    JSON.stringify({
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { name: 'a', version: '1.0.0', dist: { tarball: `${registry}a.tgz`, ...dist } } },
    })

  it('answers with the manifest and the tarball of a version or a tag', async () => {
    const registry = await ready
    answers.set('/a', packument(registry, { integrity: sri(tarball) })).set('/a.tgz', Buffer.from(tarball))
    for (const version of ['1.0.0', 'latest']) {
      const served = await fetchPublished({ registry, authorization: 'Bearer t', name: 'a', version })
      expect(served).toMatchObject({ name: 'a', version: '1.0.0', integrity: sri(tarball) })
      expect(compareServed(await readTarball(tarball), served)).toEqual([])
    }
    expect(asked).toEqual(['Bearer t', 'Bearer t', 'Bearer t', 'Bearer t'])
    const other = tgz([{ name: 'package/package.json', content: '{"name":"a","version":"1.0.0","bin":"x"}' }])
    const served = await fetchPublished({ registry, name: 'a', version: '1.0.0' })
    expect(compareServed(await readTarball(other), served).map(({ message }) => message)).toEqual([
      expect.stringContaining('serves another tarball'),
      expect.stringContaining('another "bin"'),
    ])
  })

  it('is asked for a version first and for a tag only by words that are none, as installers do', async () => {
    const registry = await ready
    const two = tgz([{ name: 'package/package.json', content: '{"name":"a","version":"2.0.0"}' }])
    const dist = (name: string, bytes: Uint8Array): object => ({ tarball: registry + name, integrity: sri(bytes) })
    const packument = {
      'dist-tags': {
        latest: '1.0.0',
        '2.0.0': '1.0.0',
        '3.0.0': '1.0.0',
        'v3.0.0': '1.0.0',
        '1.x': '1.0.0',
        '*': '1.0.0',
        next: '__proto__',
      },
      versions: {
        '1.0.0': { name: 'a', version: '1.0.0', dist: dist('a.tgz', tarball) },
        '2.0.0': { name: 'a', version: '2.0.0', dist: dist('two.tgz', two) },
        '4.0.0': { name: 'a', version: '4.0.0', dist: dist('a.tgz', tarball) },
      },
    }
    answers.set('/a', JSON.stringify(packument)).set('/a.tgz', Buffer.from(tarball)).set('/two.tgz', Buffer.from(two))
    const ask = (version: string) => fetchPublished({ registry, name: 'a', version })
    expect(await ask('2.0.0')).toMatchObject({ version: '2.0.0', tarball: new Uint8Array(two) })
    for (const none of ['3.0.0', 'v3.0.0', '1.x', '*', 'next', 'toString']) await problemOf(() => ask(none), 'E_IO')
    expect(compareServed(await readTarball(tarball), await ask('4.0.0')).map(({ message }) => message)).toEqual([
      'a@4.0.0: the registry serves another package under this name and version',
      expect.stringContaining('another "version"'),
    ])
    answers.set('/b', JSON.stringify(packument))
    const other = await fetchPublished({ registry, name: 'b', version: '1.0.0' })
    expect(compareServed(await readTarball(tarball), other).map(({ message }) => message)).toEqual([
      'b@1.0.0: the registry serves another package under this name and version',
    ])
  })

  it.each(['v1.0.0', '=1.0.0', '1.0.0+build.5', ' 1.0.0 '])('is asked for "%s" as npm puts it up: 1.0.0', async (version) => {
    const registry = await ready
    const bytes = tgz([{ name: 'package/package.json', content: JSON.stringify({ name: 'a', version }) }])
    answers.set('/a', packument(registry, { integrity: sri(bytes) })).set('/a.tgz', Buffer.from(bytes))
    const served = await fetchPublished({ registry, name: 'a', version })
    expect(served.version).toBe('1.0.0')
    expect(compareServed(await readTarball(bytes), served)).toEqual([])
    answers.set('/a.tgz', Buffer.from(tarball))
  })

  it('is not believed: wrong digests, other answers, absent versions', async () => {
    const registry = await ready
    const ask = (version = '1.0.0') => fetchPublished({ registry, name: 'a', version })
    answers.set('/a', packument(registry, { integrity: sri(Buffer.from('other')) }))
    await problemOf(ask, 'E_PRODUCT')
    answers.set('/a', packument(registry, { integrity: 'md5-abc' }))
    await problemOf(ask, 'E_PRODUCT')
    await problemOf(() => ask('2.0.0'), 'E_IO')
    await problemOf(() => ask('__proto__'), 'E_IO')
    answers.set('/a', packument(registry, { tarball: 'file:///etc/passwd' }))
    await problemOf(ask, 'E_IO')
    for (const answer of [
      '<html>',
      packument(registry, { tarball: 'not a url' }),
      '{"versions":{"1.0.0":{"dist":{"tarball":"//"}}}}',
      '[1]',
    ]) {
      answers.set('/a', answer)
      await problemOf(ask, answer === '[1]' ? 'E_IO' : 'E_FORMAT')
    }
    answers.set('/a', '{"dist-tags":{"latest":"__proto__"},"versions":{"__proto__":{"dist":{"tarball":"x"}}}}')
    await problemOf(() => ask('latest'), 'E_FORMAT')
    answers.delete('/a')
    await problemOf(ask, 'E_IO')
    await problemOf(() => fetchPublished({ registry: 'http://127.0.0.1:1/', name: 'a', version: '1.0.0' }), 'E_IO')
  })

  it('is the one that flags, publishConfig and npm’s configuration name, in this order, a scope’s own first', async () => {
    const at = folder({
      '.npmrc':
        'registry=http://general.registry.example/\n@s:registry=http://scoped.registry.example/x/\n//scoped.registry.example/x/:_authToken=${TOKEN}\n',
    })
    const env = { ...process.env, TOKEN: 'secret', npm_config_userconfig: join(at, 'none'), npm_config_registry: undefined }
    const search = { folder: at, env, name: 'a' }
    expect(await findRegistry(search)).toEqual({ registry: 'http://general.registry.example/' })
    expect(await findRegistry({ ...search, name: '@s/a' })).toEqual({
      registry: 'http://scoped.registry.example/x/',
      authorization: 'Bearer secret',
    })
    const publishConfig = { registry: 'http://own.registry.example' }
    expect(await findRegistry({ ...search, publishConfig })).toEqual({ registry: 'http://own.registry.example/' })
    expect(await findRegistry({ ...search, publishConfig, args: ['--registry=http://flag.registry.example/'] })).toEqual({
      registry: 'http://flag.registry.example/',
    })
    await problemOf(() => findRegistry({ ...search, args: ['--registry', 'file:///x'] }), 'E_CONFIG')
  })

  it('lets in who is named in its address, as npm does, and the address is told without', async () => {
    const registry = await ready
    const open = registry.replace('http://', 'http://bob:pa%40ss@')
    const basic = `Basic ${btoa('bob:pa@ss')}`
    answers.set('/a', packument(registry, { integrity: sri(tarball) })).set('/a.tgz', Buffer.from(tarball))
    asked.length = 0
    await fetchPublished({ registry: open, name: 'a', version: '1.0.0' })
    expect(asked).toEqual([basic, basic])
    const at = folder({ '.npmrc': `registry=${open}\n@s:registry = "${open}x/"\n` })
    const env = { ...process.env, npm_config_userconfig: join(at, 'none'), npm_config_registry: undefined }
    const search = { folder: at, env, name: 'a' }
    expect(await findRegistry(search)).toEqual({ registry, authorization: basic })
    expect(await findRegistry({ ...search, name: '@s/a' })).toEqual({ registry: `${registry}x/`, authorization: basic })
    expect(await findRegistry({ ...search, args: ['--registry', open] })).toEqual({ registry, authorization: basic })
    writeFileSync(join(at, '.npmrc'), `registry=${open}\n${registry.slice(5)}:_authToken=t\n`)
    expect(await findRegistry(search)).toEqual({ registry, authorization: 'Bearer t' })
  }, 60_000)

  it('is let in by words that no message holds', () => {
    const words = ['npm', 'publish', 'a.tgz', '--tag', 'next', '--registry', 'https://registry.example/x@1/', '--access=public']
    expect(withoutCredentials(words)).toEqual(words)
    for (const secret of [
      ['--registry', 'http://bob:S3CRET@host/'],
      ['--registry=http://bob:S3CR@ET@host/x'],
      ['--registry=http://S3CRET@host'],
      ['--//host/:_authToken=S3CRET'],
      ['--//host/:_authToken', 'S3CRET'],
      ['--//host/x/:_password=S3CRET'],
      ['--_auth=S3CRET'],
      ['--_AUTH', 'S3CRET'],
      ['--otp=S3CRET'],
      ['--otp', 'S3CRET'],
      ['-otp', 'S3CRET'],
      ['--ot=S3CRET'],
      ['--config.//host/:_authToken=S3CRET'],
      ['--config.otp=S3CRET'],
    ])
      expect([secret, withoutCredentials([...words, ...secret, '--tag']).join(' ')]).toEqual([
        secret,
        expect.not.stringMatching(/S3CR|ET@/),
      ])
    expect(withoutCredentials(['--otp', '123456', 'x', '--registry=http://a:b@host/'])).toEqual([
      '--otp',
      '***',
      'x',
      '--registry=http://***@host/',
    ])
  })

  it('is found in a folder of a workspace too, where npm is shy of its configuration', async () => {
    const at = folder({
      '.npmrc': 'registry=http://general.registry.example/\n',
      'package.json': '{ "private": true, "workspaces": ["packages/*"] }',
      'packages/a/package.json': '{ "name": "a", "version": "1.0.0" }',
    })
    const env = { ...process.env, npm_config_userconfig: join(at, 'none'), npm_config_registry: undefined }
    expect(await findRegistry({ folder: join(at, 'packages/a'), env, name: 'a' })).toEqual({ registry: 'http://general.registry.example/' })
  })

  it('is Yarn’s own where Yarn 4 publishes, and npm, which uploads for it, is told both', async () => {
    const at = folder({
      '.npmrc': 'registry=http://wrong.registry.example/\n',
      'package.json': '{ "name": "a", "version": "1.0.0" }',
      'yarn.lock': '',
      '.yarnrc.yml': [
        'enableTelemetry: false',
        'npmRegistryServer: "https://general.registry.example"',
        'npmRegistries:',
        '  "https://general.registry.example":',
        '    npmAuthToken: "${TOKEN}"',
        'npmScopes:',
        '  s:',
        '    npmPublishRegistry: "https://scoped.registry.example/x/"',
        '    npmAuthIdent: "me:pw"',
        '',
      ].join('\n'),
    })
    const start = [process.execPath, fileURLToPath(new URL('../../node_modules/@yarnpkg/cli-dist/bin/yarn.js', import.meta.url))]
    const client: Client = { name: 'yarn', version: '4.0.0', start }
    const search = {
      folder: at,
      env: { ...process.env, TOKEN: 'secret', npm_config_userconfig: join(at, 'none'), YARN_IGNORE_PATH: '1' },
      client,
    }
    const general = await findRegistry({ ...search, name: 'a' })
    expect(general).toEqual({ registry: 'https://general.registry.example/', authorization: 'Bearer secret' })
    const env = await uploadEnvironment({ client, access: general, env: search.env, folder: at })
    expect(env).toMatchObject({ npm_config_registry: 'https://general.registry.example/', INTOTO_UPLOAD_TOKEN: 'secret' })
    const file = readFileSync(env['npm_config_userconfig'] ?? '', 'utf8')
    expect(file).toContain('//general.registry.example/:_authToken=${INTOTO_UPLOAD_TOKEN}')
    expect(file).not.toContain('secret')
    const scoped = await findRegistry({ ...search, name: '@s/a' })
    expect(scoped).toEqual({ registry: 'https://scoped.registry.example/x/', authorization: `Basic ${btoa('me:pw')}` })
    expect(await uploadEnvironment({ client: { ...client, version: '1.22.0' }, access: scoped, env: {}, folder: at })).toEqual({})
  }, 60_000)
})
