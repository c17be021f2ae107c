import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generateKeyPair, parseLink, type Link } from 'intoto'
import { checkPackage, findTarball, postpack, readTarball, recordPack } from 'intoto-npm'
import { folder, problemOf } from '../node/place.ts'
import { tgz } from './archive.ts'

const built = new URL('../../packages/npm/dist/index.js', import.meta.url).href
const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const integrityOf = (bytes: Uint8Array): string => `sha512-${createHash('sha512').update(bytes).digest('base64')}`

/** A package whose postpack records to ../seen.json, or says why not, and fails. */
function packageWith(files: Record<string, string>, o: { name?: string; scripts?: Record<string, string> } = {}): string {
  const hook = `import { postpack } from ${JSON.stringify(built)}
    import { writeFileSync } from 'node:fs'
    try { writeFileSync('../seen.json', JSON.stringify(await postpack({ env: process.env, folder: process.cwd() }) ?? null)) }
    catch (error) { writeFileSync('../seen.json', JSON.stringify(error.problem ?? String(error))); process.exit(1) }`
  const scripts = { ...o.scripts, postpack: 'node ../hook.mjs' }
  const manifest = JSON.stringify({ name: o.name ?? '@scope/app', version: '1.2.3', files: ['dist'], scripts })
  const at = folder({ 'hook.mjs': hook, 'app/package.json': manifest })
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, 'app', name)), { recursive: true })
    writeFileSync(join(at, 'app', name), content)
  }
  return join(at, 'app')
}

interface Packed {
  status: number | null
  stdout: string
  stderr: string
  seen: unknown
}

function npm(at: string, ...args: string[]): Packed {
  return npmWith({}, at, ...args)
}

function npmWith(more: NodeJS.ProcessEnv, at: string, ...args: string[]): Packed {
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^INIT_CWD$/i.test(name))), ...more }
  const result = spawnSync('npm', [...args, '--offline', '--no-update-notifier', '--loglevel=error'], {
    cwd: at,
    encoding: 'utf8',
    env,
    shell: process.platform === 'win32',
    timeout: 50_000,
  })
  let seen: unknown
  try {
    seen = JSON.parse(readFileSync(join(at, '../seen.json'), 'utf8'))
  } catch {
    seen = undefined
  }
  return { status: result.status, stdout: result.stdout, stderr: result.stderr, seen }
}

describe('postpack inside npm', () => {
  it('ties the tarball of npm pack to the files on disk', () => {
    const at = packageWith({ 'dist/index.js': 'x', [`dist/${'long'.repeat(30)}/ü.js`]: 'ü', 'src/not-packed.js': '', 'README.md': '# x' })
    const { status, stderr, seen } = npm(at, 'pack')
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { link, tarball, integrity } = seen as { link: Link; tarball: string; integrity: string }
    const bytes = readFileSync(join(at, 'scope-app-1.2.3.tgz'))
    expect(tarball).toBe(join(at, 'scope-app-1.2.3.tgz'))
    expect(integrity).toBe(integrityOf(bytes))
    expect(parseLink(link)).toMatchObject({ name: 'package', command: ['npm', 'pack'], environment: {} })
    expect(link.products).toEqual({ 'scope-app-1.2.3.tgz': { sha256: sha256(bytes) } })
    const names = ['README.md', 'dist/index.js', `dist/${'long'.repeat(30)}/ü.js`, 'package.json']
    expect(Object.keys(link.materials).sort()).toEqual(names)
    for (const name of names) expect(link.materials[name]).toEqual({ sha256: sha256(readFileSync(join(at, name))) })
    expect(link.byproducts).toEqual({
      tarball: { file: 'scope-app-1.2.3.tgz', integrity, sha512: createHash('sha512').update(bytes).digest('hex') },
      client: expect.stringMatching(/^npm\/\d+/),
    })
    expect(JSON.stringify(link)).not.toContain(at)
  })

  it('finds the tarball in --pack-destination, and where npm was called', () => {
    const at = packageWith({ 'dist/index.js': 'x' }, { name: 'plain' })
    mkdirSync(join(at, '../out'))
    expect(npm(at, 'pack', '--pack-destination', '../out').seen).toMatchObject({ tarball: join(at, '../out/plain-1.2.3.tgz') })
    const called = npm(join(at, '../out'), 'pack', '../app')
    expect(called.status).toBe(0)
    expect(JSON.parse(readFileSync(join(at, '../seen.json'), 'utf8'))).toMatchObject({ tarball: join(at, '../out/plain-1.2.3.tgz') })
  })

  it('reads npm’s settings in the environment in capitals, too', () => {
    const at = packageWith({ 'dist/index.js': 'x' }, { name: 'plain' })
    mkdirSync(join(at, '../out'))
    expect(npmWith({ NPM_CONFIG_PACK_DESTINATION: '../out' }, at, 'pack').seen).toMatchObject({
      tarball: join(at, '../out/plain-1.2.3.tgz'),
    })
    expect(npmWith({ NPM_CONFIG_DRY_RUN: 'true' }, at, 'pack')).toMatchObject({ status: 0, seen: null })
  })

  it('has nothing to record when npm only says what it would publish', () => {
    const at = packageWith({ 'dist/index.js': 'x' })
    expect(npm(at, 'publish', '--dry-run')).toMatchObject({ status: 0, seen: null })
  })

  it('has nothing to record when npm only says what it would pack', () => {
    const at = packageWith({ 'dist/index.js': 'x' })
    expect(npm(at, 'pack', '--dry-run')).toMatchObject({ status: 0, seen: null })
  })

  it('refuses a tarball of other files than those on disk', () => {
    const at = packageWith({ 'dist/index.js': 'x' })
    const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
    manifest.scripts.postpack = `node -e "require('fs').appendFileSync('dist/index.js', '!')" && node ../hook.mjs`
    writeFileSync(join(at, 'package.json'), JSON.stringify(manifest))
    const { status, seen } = npm(at, 'pack')
    expect(status).not.toBe(0)
    expect(seen).toMatchObject({
      code: 'E_PRODUCT',
      file: 'dist/index.js',
      expected: { text: sha256('x!') },
      actual: { text: sha256('x') },
    })
  })

  it('refuses a private key and an environment file in the package', async () => {
    const { privatePem } = await generateKeyPair()
    const key = npm(packageWith({ 'dist/key.pem': privatePem }), 'pack')
    expect(key.status).not.toBe(0)
    expect(key.seen).toMatchObject({ code: 'E_KEY', file: 'dist/key.pem' })
    expect(key.stderr + key.stdout).not.toContain(privatePem.split('\n')[1])
    expect(npm(packageWith({ 'dist/.env': 'A=1' }), 'pack').seen).toMatchObject({ code: 'E_CONFIG', file: 'dist/.env' })
  })
})

describe('findTarball', () => {
  const bytes = tgz([{ name: 'package/package.json', content: '{}' }])
  const env = (at: string, rest: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    npm_lifecycle_event: 'postpack',
    npm_command: 'pack',
    npm_config_user_agent: 'npm/11.0.0 node/v20.19.0 linux x64',
    npm_package_name: '@scope/app',
    npm_package_version: '1.2.3',
    npm_package_integrity: integrityOf(bytes),
    INIT_CWD: at,
    ...rest,
  })

  it('goes by the digest, not by the name', async () => {
    const at = folder({ 'scope-app-1.2.3.tgz': 'an old one', 'other.tgz': bytes, 'folder.tgz/x': '' })
    symlinkSync('other.tgz', join(at, 'link.tgz'))
    expect(findTarball(env(at), '/')).toMatchObject({ path: join(at, 'other.tgz'), integrity: integrityOf(bytes), client: 'npm/11.0.0' })
    renameSync(join(at, 'other.tgz'), join(at, 'other.zip'))
    const problem = await problemOf(() => findTarball(env(at), '/'), 'E_PRODUCT')
    expect(problem.expected?.text).toBe(integrityOf(bytes))
    appendFileSync(join(at, 'scope-app-1.2.3.tgz'), '')
    await problemOf(() => findTarball(env(join(at, 'absent')), '/'), 'E_IO')
  })

  it('refuses other clients, other scripts and an npm that gives no digest', async () => {
    const at = folder({ 'scope-app-1.2.3.tgz': bytes })
    for (const agent of [
      'pnpm/10.0.0 npm/? node/v20',
      'yarn/1.22.22 npm/? node/v20',
      'yarn/4.0.0 npm/?',
      'bun/1.4.5 npm/? node/v24',
      undefined,
    ]) {
      await problemOf(() => findTarball(env(at, { npm_config_user_agent: agent }), at), 'E_UNSUPPORTED')
    }
    for (const rest of [
      { npm_lifecycle_event: 'prepack' },
      { npm_lifecycle_event: undefined },
      { npm_command: 'publish' },
      { npm_command: 'stage' },
      { npm_command: undefined },
    ]) {
      await problemOf(() => findTarball(env(at, rest), at), 'E_CONFIG')
    }
    for (const integrity of [undefined, 'null', 'sha1-xxx', 'sha512-short', '']) {
      await problemOf(() => findTarball(env(at, { npm_package_integrity: integrity }), at), 'E_CONFIG')
    }
  })
})

describe('recordPack', () => {
  it('names materials from another base, and takes step, client and bytes from its caller', async () => {
    const at = folder({
      'packages/app/package.json': '{}',
      'packages/app/a': 'a',
      'x.tgz': tgz([
        { name: 'package/package.json', content: '{}' },
        { name: 'package/a', content: 'a' },
      ]),
    })
    const link = await recordPack({
      tarball: join(at, 'x.tgz'),
      folder: join(at, 'packages/app'),
      base: at,
      step: 'pack',
      client: 'pnpm/10.1.0',
    })
    expect(Object.keys(link.materials)).toEqual(['packages/app/a', 'packages/app/package.json'])
    expect([link.name, link.command]).toEqual(['pack', ['pnpm', 'pack']])
    symlinkSync('packages/app', join(at, 'short'))
    expect(
      await recordPack({ tarball: join(at, 'x.tgz'), folder: join(at, 'short'), base: at, step: 'pack', client: 'pnpm/10.1.0' }),
    ).toEqual(link)
  })

  it('names what lies in the folder that pnpm packs in place of the package’s own', async () => {
    const inner = { name: 'app', version: '1.0.0', dependencies: { lib: 'workspace:*' } }
    const outer = { ...inner, publishConfig: { directory: 'out' } }
    const at = folder({
      'package.json': JSON.stringify(outer),
      'a.js': 'source',
      'out/package.json': JSON.stringify(inner),
      'out/a.js': 'built',
    })
    const tarball = join(at, 'x.tgz')
    const packed = JSON.stringify({ ...inner, dependencies: { lib: '1.0.0' } })
    writeFileSync(
      tarball,
      tgz([
        { name: 'package/package.json', content: packed },
        { name: 'package/a.js', content: 'built' },
      ]),
    )
    const link = await recordPack({ tarball, folder: at, client: 'pnpm/10.1.0' })
    expect(link.materials).toEqual({
      'out/a.js': { sha256: sha256('built') },
      'out/package.json': { sha256: sha256(JSON.stringify(inner)) },
    })
    expect(checkPackage(await readTarball(tarball), [link])).toEqual([])
    await problemOf(() => recordPack({ tarball, folder: at, client: 'npm/11.0.0' }), 'E_PRODUCT')
  })

  it('refuses a packed file that is absent or different on disk, and a top folder that is not "package"', async () => {
    const at = folder({ 'package.json': '{}' })
    const tarball = join(at, 'x.tgz')
    writeFileSync(tarball, tgz([{ name: 'package/package.json', content: '{ }' }]))
    await problemOf(() => recordPack({ tarball, folder: at }), 'E_PRODUCT')
    writeFileSync(tarball, tgz([{ name: 'package/package.json', content: '{}' }, { name: 'package/b' }]))
    expect((await problemOf(() => recordPack({ tarball, folder: at }), 'E_PRODUCT')).message).toContain('b in x.tgz')
    writeFileSync(tarball, tgz([{ name: 'other/package.json', content: '{}' }]))
    await problemOf(() => recordPack({ tarball, folder: at }), 'E_FORMAT')
  })
})

it('postpack records nothing outside of npm', async () => {
  await problemOf(() => postpack({ env: {}, folder: folder() }), 'E_CONFIG')
})
