import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLink, defineLayout, encodeMetadata, generateKeyPair, importSigner, sign, type Inspection, type Link } from 'intoto'
import { inspectIn, linkDirectory, type InspectOptions } from 'intoto/node'
import { built, folder, problemOf, replaceFs, runScript, script, startScript, systemError } from './place.ts'

const posix = process.platform !== 'win32'
const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')
const inspection = (run: string[]): Inspection => ({
  _type: 'inspection',
  name: 'unpack',
  run,
  expected_materials: [],
  expected_products: [],
})
const js = (code: string, ...args: string[]): Inspection => inspection([process.execPath, '-e', code, ...args])
const closers: (() => void)[] = []

/** A place for private folders that no other test uses. */
const temporary = folder()
const usual = process.env['TMPDIR']

beforeAll(() => {
  process.env['TMPDIR'] = temporary
})

afterAll(() => {
  for (const close of closers) close()
  if (usual === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = usual
})

async function inspect(at: string, what: Inspection, o: InspectOptions & { linkFiles?: string[] } = {}): Promise<Link> {
  const run = inspectIn(at, o)
  closers.push(run.close)
  return await run(what, { linkFiles: o.linkFiles ?? [] })
}

/** Private folders that are left, by whichever test. */
const privateFolders = (): string[] => readdirSync(realpathSync(tmpdir())).filter((name) => name.startsWith('intoto-inspection-'))

describe('inspectIn', () => {
  it('records everything before and after, and excludes nothing by its name', async () => {
    const names = [
      'evil.link.js',
      'x.js~',
      '.git/HEAD',
      'node_modules/a.js',
      'y.pyc',
      'other.0a1b2c3d.link',
      '.build.0a1b2c3d.link-unfinished',
    ]
    const at = folder(Object.fromEntries(names.map((name) => [name, name])))
    const link = await inspect(at, js(`require('fs').writeFileSync('made', 'm')`))
    expect(Object.keys(link.materials).sort()).toEqual(names.sort())
    expect(Object.keys(link.products).sort()).toEqual([...names, 'made'].sort())
    expect(link.products['made']).toEqual({ sha256: sha256('m') })
    expect([link.name, link.byproducts['return-value'], link.command[0]]).toEqual(['unpack', 0, process.execPath])
    expect(readdirSync(at)).not.toContain('unpack.link')
  })

  it('leaves out exactly the link files that were loaded', async () => {
    const at = folder({ 'build.0a1b2c3d.link': '1', 'sub/build.0a1b2c3d.link': '2', 'test.77aa0c31.link': '3' })
    const link = await inspect(at, js(''), { linkFiles: [join(at, 'build.0a1b2c3d.link'), join(at, 'absent')] })
    expect(Object.keys(link.materials).sort()).toEqual(['sub/build.0a1b2c3d.link', 'test.77aa0c31.link'])
  })

  it('sees a loaded link file under another name, here and in the private folder', async () => {
    const at = folder({ 'dist/build.0a1b2c3d.link': '1' })
    symlinkSync('build.0a1b2c3d.link', join(at, 'dist/page.html'))
    const linkFiles = [join(at, 'dist/build.0a1b2c3d.link')]
    expect(Object.keys((await inspect(at, js(''), { linkFiles })).materials)).toEqual(['dist/page.html'])
    const inside = await inspect(at, js(''), { linkFiles, product: { path: join(at, 'dist') } })
    expect(Object.keys(inside.materials)).toEqual(['dist/page.html'])
  })

  it('runs in a private folder that holds the product alone, and removes it', async () => {
    const at = folder({ 'dist/a.js': 'a', 'dist/build.0a1b2c3d.link': 'x', 'x.tgz': 'tgz', junk: '' })
    const before = privateFolders()
    const run = inspectIn(at, { product: [{ path: join(at, 'dist') }, { path: join(at, 'x.tgz'), name: 'x.tgz' }] })
    const first = await run(js(`require('fs').writeFileSync('made', 'm'); console.log(process.cwd())`), {
      linkFiles: [join(at, 'dist/build.0a1b2c3d.link')],
    })
    expect(Object.keys(first.materials).sort()).toEqual(['dist/a.js', 'x.tgz'])
    const second = await run(js(''), { linkFiles: [] })
    expect(Object.keys(second.materials).sort()).toEqual(['dist/a.js', 'made', 'x.tgz'])
    const [made] = privateFolders().filter((name) => !before.includes(name))
    expect(String(first.byproducts['stdout']).trim()).toBe(join(realpathSync(tmpdir()), made ?? ''))
    run.close()
    expect(privateFolders()).toEqual(before)
    expect(readdirSync(at).sort()).toEqual(['dist', 'junk', 'x.tgz'])
  })

  it('takes the root of a product without its own name, and refuses a name outside of the base', async () => {
    const at = folder({ 'dist/a.js': 'a' })
    const link = await inspect(at, js(''), { product: { path: join(at, 'dist'), name: '' } })
    expect(Object.keys(link.materials)).toEqual(['a.js'])
    for (const name of ['../dist', '/abs', 'a/../../b']) {
      await problemOf(() => inspect(at, js(''), { product: { path: join(at, 'dist'), name } }), 'E_INSPECTION')
    }
  })

  it('removes the private folder when the process ends without closing', () => {
    const at = folder({ a: '' })
    const code = `const run = n.inspectIn('.', { product: { path: process.argv[2], name: 'a' } })
      const link = await run({ name: 'i', run: [process.execPath, '-p', 'process.cwd()'] }, { linkFiles: [] })
      console.log(link.byproducts.stdout.trim(), fs.existsSync(link.byproducts.stdout.trim()))`
    const [path = '', there] = spawnSync(process.execPath, [script(code), join(at, 'a')], { encoding: 'utf8' })
      .stdout.trim()
      .split(' ')
    expect(there).toBe('true')
    expect(existsSync(path)).toBe(false)
  })

  it('hands arguments over as they are', async () => {
    const at = folder()
    const args = ['$(touch x)', '; touch x', '{NAME}', '*']
    await inspect(at, js(`require('fs').writeFileSync('args', JSON.stringify(process.argv.slice(1)))`, ...args))
    expect(JSON.parse(readFileSync(join(at, 'args'), 'utf8'))).toEqual(args)
    expect(readdirSync(at)).toEqual(['args'])
  })

  it('fails for an empty command, one that is not found, and one that fails, with its last words', async () => {
    const at = folder()
    expect((await problemOf(() => inspect(at, inspection([])), 'E_INSPECTION')).message).toContain('has no command')
    expect((await problemOf(() => inspect(at, inspection(['no-such-program'])), 'E_INSPECTION')).message).toContain('not found')
    const failed = await problemOf(
      () => inspect(at, js(`console.error('first'); console.error('the reason\\u001b[31m'); process.exit(3)`)),
      'E_INSPECTION',
    )
    expect(failed.message).toContain('exit code 3')
    expect(failed.actual?.text).toContain('the reason\\u{1b}')
    expect(failed.step).toBe('unpack')
    if (posix)
      expect((await problemOf(() => inspect(at, js(`process.kill(process.pid, 'SIGSEGV')`)), 'E_INSPECTION')).message).toContain('SIGSEGV')
  })

  it('closes standard input and keeps our secrets', async () => {
    const env = {
      ...process.env,
      INTOTO_KEY: 'canary',
      INTOTO_PASSWORD: 'canary',
      INTOTO_KEY_FILE: 'canary',
      INTOTO_PASSWORD_FILE: 'canary',
    }
    const link = await inspect(folder(), js(`console.log(require('fs').readFileSync(0).length, JSON.stringify(process.env))`), { env })
    expect(link.byproducts['stdout']).toMatch(/^0 \{/)
    expect(link.byproducts['stdout']).not.toContain('canary')
  })

  it('ends at the time limit', async () => {
    const problem = await problemOf(() => inspect(folder(), js('setInterval(() => {}, 1000)'), { timeout: 500 }), 'E_INSPECTION')
    expect(problem.message).toContain('0.5 s')
  })

  it('keeps only the ends of a flood', async () => {
    const flood = `const piece = Buffer.alloc(1 << 20, 'x'); for (let i = 0; i < 50; i++) for (let d = 0; d < piece.length; ) try { d += require('fs').writeSync(1, piece, d) } catch {}`
    const link = await inspect(folder(), js(flood), { outputLimit: 1000 })
    expect(link.byproducts['stdout-bytes']).toBe(50 * 2 ** 20)
    expect(String(link.byproducts['stdout']).length).toBeLessThan(2100)
  })

  it.skipIf(!posix)('does not wait for a child in the background, and ends it', async () => {
    const link = await inspect(folder(), inspection(['sh', '-c', 'sleep 60 & echo $!']))
    const pid = Number(link.byproducts['stdout'])
    await new Promise((resolve) => setTimeout(resolve, 50))
    const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
    expect(state === '' || state.startsWith('Z')).toBe(true)
  })

  it('refuses links to nothing, out of the folder and round in circles, before and after', async () => {
    const links: Record<string, string> = { dangling: 'nowhere', out: '../outside', loop: '.', self: 'self' }
    for (const [name, target] of Object.entries(links)) {
      const at = folder({ 'outside/x': '', 'in/a': '' })
      symlinkSync(target, join(at, 'in', name))
      expect((await problemOf(() => inspect(join(at, 'in'), js('')), 'E_INSPECTION')).message, name).toContain(name)
      await problemOf(() => inspect(at, js(''), { product: { path: join(at, 'in') } }), 'E_INSPECTION')
      const clean = folder({ 'outside/x': '', 'in/a': '' })
      const make = js(`require('fs').symlinkSync(process.argv[1], process.argv[2])`, target, name)
      expect((await problemOf(() => inspect(join(clean, 'in'), make), 'E_INSPECTION')).message, name).toContain(name)
    }
  })

  it('follows links inside of the folder', async () => {
    const at = folder({ 'real/a': 'x' })
    symlinkSync('real/a', join(at, 'file'))
    symlinkSync('real', join(at, 'also'))
    expect(Object.keys((await inspect(at, js(''))).products).sort()).toEqual(['also/a', 'file', 'real/a'])
  })

  it.skipIf(!posix)('refuses what is no file, and what cannot be read', async () => {
    const at = folder({ a: '' })
    spawnSync('mkfifo', [join(at, 'fifo')])
    expect((await problemOf(() => inspect(at, js('')), 'E_INSPECTION')).message).toContain('fifo')
    await problemOf(() => inspect(join(at, 'absent'), js('')), 'E_INSPECTION')
    await problemOf(() => inspect(at, js(''), { product: { path: join(at, 'absent') } }), 'E_INSPECTION')
    await problemOf(() => inspect(folder({ a: '', b: '' }), js(''), { limit: 1 }), 'E_INSPECTION')
  })

  it('lets a caller answer a command in the private folder of a product, and nowhere else', async () => {
    const at = folder({ 'x.tgz': 'tgz' })
    const asked: string[][] = []
    const answer = async (command: readonly string[], place: string): Promise<boolean> => {
      asked.push([...command])
      if (command[0] === 'unpack') writeFileSync(join(place, 'unpacked'), 'u')
      return command[0] === 'unpack'
    }
    const product = { path: join(at, 'x.tgz') }
    const link = await inspect(at, inspection(['unpack', 'x.tgz']), { product, answer })
    expect(Object.keys(link.materials)).toEqual(['x.tgz'])
    expect(Object.keys(link.products)).toEqual(['unpacked', 'x.tgz'])
    expect([link.command, link.byproducts['return-value']]).toEqual([['unpack', 'x.tgz'], 0])
    expect((await inspect(at, js('console.log(1)'), { product, answer })).byproducts['stdout']).toBe('1\n')
    await problemOf(() => inspect(at, inspection(['unpack', 'x.tgz']), { answer }), 'E_INSPECTION')
    expect(asked).toHaveLength(2)
    expect(readdirSync(at)).toEqual(['x.tgz'])
  })

  it('says so when its folder is gone, or the disk fails', async () => {
    const at = folder({ 'gone/x': '', kept: '' })
    const code = `fs.rmSync(process.cwd(), { recursive: true })
      for (const o of [{}, { product: { path: '.' } }]) try { await n.inspectIn('.', o)({ name: 'i', run: ['x'] }, { linkFiles: ['a'] }) } catch (error) { console.log(error.code) }
      try { await n.recordSource({ cwd: '.' }) } catch (error) { console.log(error.name) }`
    expect(runScript(code, { cwd: join(at, 'gone') })).toEqual({
      status: 0,
      stdout: 'E_INSPECTION\nE_INSPECTION\nInTotoError\n',
      stderr: '',
    })
    replaceFs('copyFileSync', () => () => {
      throw systemError('ENOSPC')
    })
    const before = privateFolders()
    expect((await problemOf(() => inspect(at, js(''), { product: { path: at } }), 'E_INSPECTION')).message).toContain('no space')
    expect(privateFolders()).toEqual(before)
  })

  it.skipIf(!posix)('keeps the mode of files that it copies, so that a product can be run', async () => {
    const at = folder({ 'bin/tool': '#!/bin/sh\necho ran\n' })
    mkdirSync(join(at, 'empty'))
    chmodSync(join(at, 'bin/tool'), 0o755)
    expect((await inspect(at, inspection(['./bin/tool']), { product: { path: join(at, 'bin') } })).byproducts['stdout']).toBe('ran\n')
  })

  it.skipIf(!posix)('ends a verification without verdict when a signal reaches us', async () => {
    const signer = await importSigner((await generateKeyPair()).privatePem)
    const layout = defineLayout({
      functionaries: { alice: signer.key },
      expires: '2999-01-01T00:00:00Z',
      steps: [{ name: 'build', functionaries: ['alice'] }],
      inspect: [{ name: 'unpack', run: ['sh', '-c', 'echo $$ > pid; sleep 60'] }],
    })
    const at = folder({ layout: encodeMetadata(await sign(layout, [signer])) })
    linkDirectory(at).put(await sign(createLink({ name: 'build' }), [signer]))
    const code = `import { decodeMetadata, judge } from ${JSON.stringify(new URL('../index.js', built).href)}
      const layout = decodeMetadata(fs.readFileSync('layout'))
      const keys = Object.values(layout.payload.keys)
      try { console.log(await judge(layout, { keys, links: n.linkDirectory('.'), inspect: n.inspectIn('.') })) }
      catch (error) { console.log(error.name, error.exitCode) }`
    const child = startScript(code, { cwd: at })
    const said: string[] = []
    child.stdout?.on('data', (piece: Buffer) => said.push(piece.toString()))
    while (said.length === 0 && !existsSync(join(at, 'pid'))) await new Promise((resolve) => setTimeout(resolve, 10))
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
    expect(said.join('')).toBe('InterruptedError 143\n')
  })
})
