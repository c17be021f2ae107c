import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandOf, ownScript } from '../../../src/recorder/command.ts'
import { startFiles } from '../../../src/recorder/startup.ts'
import { sourceOf, virtualName } from '../../../src/recorder/id.ts'
import { findRoot, nameOf, RealPaths, usedPath } from '../../../src/recorder/place.ts'

const place = realpathSync(mkdtempSync(join(tmpdir(), 'in-toto-names-')))
const at = (...parts: string[]): string => join(place, ...parts)

beforeAll(() => {
  mkdirSync(at('app/src'), { recursive: true })
  mkdirSync(at('app/packages/linked'), { recursive: true })
  mkdirSync(at('app/node_modules'))
  mkdirSync(at('app/.git'))
  writeFileSync(at('package.json'), '{ "workspaces": ["app"] }')
  writeFileSync(at('app/package.json'), '{}')
  for (const name of ['a.js', 'what?.js', 'what', 'c#.js', 'c', 'x?raw']) writeFileSync(at('app/src', name), '')
  writeFileSync(at('app/packages/linked/index.js'), '')
  symlinkSync('../packages/linked', at('app/node_modules/linked'))
  symlinkSync('a.js', at('app/src/link.js'))
  symlinkSync('nowhere', at('app/src/broken.js'))
  symlinkSync('app', at('other'))
})
afterAll(() => rmSync(place, { recursive: true }))

describe.each([
  ['looked at one by one', 0],
  ['found in the listing of a folder that was asked for often', 20],
])('sourceOf, of files %s', (_, before) => {
  const real = (id: string): unknown => {
    const paths = new RealPaths()
    for (let i = 0; i < before; i++)
      for (const folder of ['app/src', 'other/src', 'app/node_modules/linked']) paths.file(at(folder, `${i}`))
    const source = sourceOf(id, at('app'), paths)
    return 'real' in source ? source.real.slice(place.length + 1) : source
  }

  it('finds the file of a module id', () => {
    expect(real(at('app/src/a.js'))).toBe('app/src/a.js')
    expect(real('src/a.js')).toBe('app/src/a.js')
    expect(real(at('app/src/../src/./a.js'))).toBe('app/src/a.js')
    expect(real(`file://${at('app/src/a.js')}`)).toBe('app/src/a.js')
  })

  it('cuts off a query or a hash only where no file has the whole name', () => {
    expect(real(at('app/src/a.js?raw&lang.ts'))).toBe('app/src/a.js')
    expect(real(at('app/src/a.js#part'))).toBe('app/src/a.js')
    expect(real(at('app/src/what?.js'))).toBe('app/src/what?.js')
    expect(real(at('app/src/what?.js?url'))).toBe('app/src/what?.js')
    expect(real(at('app/src/what?raw'))).toBe('app/src/what')
    expect(real(at('app/src/c#.js'))).toBe('app/src/c#.js')
    expect(real(at('app/src/x?raw'))).toBe('app/src/x?raw')
    expect(real(at('app/src/a.js?html-proxy&index=1.js'))).toBe('app/src/a.js')
  })

  it('follows links to what the bundler read', () => {
    expect(real(at('app/node_modules/linked/index.js'))).toBe('app/packages/linked/index.js')
    expect(real(at('app/src/link.js'))).toBe('app/src/a.js')
    expect(real(at('other/src/a.js'))).toBe('app/src/a.js')
  })

  it.each(['\0virtual:x', 'virtual:x', 'data:text/javascript,1', 'https://example.com/x.js', 'ns:src/a.js', 'bare', '/@react-refresh'])(
    'knows that %j is no file',
    (id) => {
      expect(real(id)).toEqual({ virtual: id })
    },
  )

  it('knows that folders, broken links and impossible paths are no files', () => {
    for (const id of [at('app/src'), at('app/src/broken.js'), at('app/src/a.js/b.js'), at('x'.repeat(5000))])
      expect(real(id)).toEqual({ virtual: id })
  })

  it('knows that a name that is no UTF-8 is none that a bundler can read', () => {
    const odd = Buffer.concat([Buffer.from(at('app/src/')), Buffer.from([0xff]), Buffer.from('.js')])
    writeFileSync(odd, '')
    try {
      expect(real(at('app/src/\ufffd.js'))).toEqual({ virtual: at('app/src/\ufffd.js') })
    } finally {
      rmSync(odd)
    }
  })

  it('finds the file behind a derived module', () => {
    expect(real(`\0${at('app/src/a.js')}?commonjs-module`)).toBe('app/src/a.js')
  })
})

describe('virtualName', () => {
  it.each([
    ['\0virtual:x', 'virtual:x'],
    ['\0/root/gone.js?commonjs', 'gone.js'],
    ['/home/somebody/elsewhere/x.js', 'x.js'],
    ['/home/somebody/node_modules/pkg/x.js', 'node_modules/pkg/x.js'],
    ['C:\\Users\\somebody\\x.js', 'x.js'],
    ['data:text/javascript,secret', 'data:'],
    ['/@react-refresh', '@react-refresh'],
    ['plugin:/root/src/x.js', 'plugin:src/x.js'],
  ])('writes %j as %j', (id, name) => expect(virtualName(id, ['/root'])).toBe(name))
})

describe('findRoot and nameOf', () => {
  it('names files from the nearest package, the workspace, the repository or a folder', () => {
    const name = (option: string): string => nameOf(findRoot(option, at('app/src')), at('app/src/a.js'))
    expect(name('package')).toBe('src/a.js')
    expect(name('workspace')).toBe('app/src/a.js')
    expect(name('git')).toBe('src/a.js')
    expect(name('..')).toBe('src/a.js')
    expect(name(at('app/src'))).toBe('a.js')
    expect(nameOf(findRoot('package', at('app')), at('package.json'))).toBe('../package.json')
  })

  it('uses the real path of a root that is reached by a link', () => {
    const root = findRoot('package', at('other'))
    expect(root).toEqual({ given: at('other'), real: at('app') })
    expect(usedPath(root, at('other/dist'))).toBe(at('app/dist'))
  })

  it('refuses a root that is not there', () => {
    expect(() => findRoot('nowhere', at('app'))).toThrow('option "root"')
  })
})

describe('commandOf', () => {
  const root = { given: '/home/me/app', real: '/home/me/app' }
  it.each([
    [
      ['/usr/bin/node', '/home/me/app/node_modules/.bin/vite', 'build'],
      ['vite', 'build'],
    ],
    [
      ['/usr/bin/node', '/home/me/node_modules/rollup/dist/bin/rollup', '-c', '/home/me/app/config/rollup.js'],
      ['rollup', '-c', 'config/rollup.js'],
    ],
    [
      ['/usr/bin/node', 'C:\\app\\node_modules\\vite\\bin\\vite.js'.replaceAll('\\', '/'), 'build'],
      ['vite', 'build'],
    ],
    [
      ['/usr/bin/node', '/home/me/app/scripts/build.mjs', '--outDir=/home/me/app/dist'],
      ['node', 'scripts/build.mjs', '--outDir=dist'],
    ],
    [
      ['/usr/bin/node', '/home/me/app/node_modules/.bin/vite', 'build', '--base', '/app/'],
      ['vite', 'build', '--base', '/app/'],
    ],
    [['/usr/bin/node'], ['node']],
  ])('writes %j as %j', (argv, command) => expect(commandOf(root, argv)).toEqual(command))

  it("never writes the home folder, whose name is the user's", () => {
    const bin = '/home/me/app/node_modules/.bin/vite'
    expect(commandOf(root, ['node', bin, '-c', join(homedir(), 'x.js')])).toEqual(['vite', '-c', '~/x.js'])
    const near = { given: join(homedir(), 'code', 'app'), real: join(homedir(), 'code', 'app') }
    expect(commandOf(near, ['node', bin, '-c', join(homedir(), 'code', 'x.js')])).toEqual(['vite', '-c', '../x.js'])
  })

  it("knows a script of one's own from a tool", () => {
    expect(ownScript(['node', '/home/me/app/build.mjs'])).toBe('/home/me/app/build.mjs')
    expect(ownScript(['node', '/home/me/app/node_modules/.bin/vite'])).toBeUndefined()
  })

  it('knows what belongs to the project of all that a process was started with', () => {
    const flags = [
      '-r',
      './a.cjs',
      '--import=file:///home/me/app/b.mjs',
      '--require',
      '/opt/debugger/hook.js',
      '--import',
      'tsx',
      '--env-file=/home/me/.env',
      '-r',
    ]
    expect(startFiles(root, ['node', '/home/me/app/build.mjs'], flags)).toEqual(['/home/me/app/build.mjs', '/home/me/app/b.mjs'])
    expect(startFiles(root, ['node', '/usr/local/bin/vite'], ['--env-file', '/home/me/app/node_modules/x/.env'])).toEqual([])
  })
})
