/** Names and commands as they come out on Windows: the recorder's path code over `path.win32`. */
import type * as Os from 'node:os'
import type * as Path from 'node:path'
import { describe, expect, it, vi } from 'vitest'

vi.mock('node:path', async (original) => {
  const { win32 } = await original<typeof Path>()
  return { ...win32, default: win32 }
})
vi.mock('node:os', async (original) => ({
  ...(await original<typeof Os>()),
  homedir: () => 'C:\\Users\\me',
  tmpdir: () => 'C:\\Users\\me\\AppData\\Local\\Temp',
}))

const { isDependency, isWithin, nameOf, usedPath } = await import('../../../src/recorder/place.ts')
const { sourceOf, virtualName } = await import('../../../src/recorder/id.ts')
const { commandOf, isCommandOf, ownScript } = await import('../../../src/recorder/command.ts')
const { commandName } = await import('../../../src/recorder/configuration.ts')
const { statementPath } = await import('../../../src/recorder/statement.ts')

const root = { given: 'C:\\code\\app', real: 'C:\\code\\app' }

describe('names, on Windows', () => {
  it.each([
    ['C:\\code\\app\\src\\a.ts', 'src/a.ts'],
    ['C:\\code\\app\\src\\..\\b.ts', 'b.ts'],
    ['C:\\code\\shared\\x.js', '../shared/x.js'],
    ['C:\\code\\app2\\x.js', '../app2/x.js'],
    ['c:\\code\\app\\src\\a.ts', 'src/a.ts'],
    ['C:\\code\\app\\node_modules\\.pnpm\\x@1.0.0\\node_modules\\x\\index.js', 'node_modules/.pnpm/x@1.0.0/node_modules/x/index.js'],
  ])('%s is %s', (path, name) => {
    expect(nameOf(root, path)).toBe(name)
  })

  it.each(['D:\\data\\x.json', '\\\\server\\share\\x.json'])('%s has none: it lies on another drive', (path) => {
    expect(() => nameOf(root, path)).toThrow('lies on another drive than the package')
  })

  it('knows what is within, and what belongs to a package', () => {
    expect(isWithin('C:\\code\\app', 'C:\\code\\app\\src')).toBe(true)
    expect(isWithin('C:\\code\\app', 'C:\\code\\app2')).toBe(false)
    expect(isWithin('C:\\', 'C:\\code')).toBe(true)
    expect(isDependency('C:\\code\\app\\node_modules\\x\\index.js')).toBe(true)
    expect(isDependency('C:\\code\\app\\src\\node_modules.js')).toBe(false)
  })

  it('turns a path through a linked root into one through the real root', () => {
    expect(usedPath({ given: 'C:\\link', real: 'C:\\code\\app' }, 'C:\\link\\src\\a.ts')).toBe('C:\\code\\app\\src\\a.ts')
    expect(usedPath({ given: 'C:\\link', real: 'C:\\code\\app' }, 'C:\\other\\a.ts')).toBe('C:\\other\\a.ts')
  })

  it('puts the Statement beside its link', () => {
    expect(statementPath('C:\\code\\app\\dist\\build.0123abcd.link')).toBe('C:\\code\\app\\dist\\build.0123abcd.intoto.jsonl')
  })
})

describe('module ids, on Windows', () => {
  /** A disk on which these files lie. */
  const disk = (...files: string[]): never =>
    ({ file: (path: string) => (files.includes(path) ? { path, real: path, ctimeMs: 0 } : undefined) }) as never
  const a = 'C:\\code\\app\\src\\a.ts'

  it.each(['C:/code/app/src/a.ts', a, 'src/a.ts', 'src\\a.ts', 'C:/code/app/src/a.ts?raw', '\0C:/code/app/src/a.ts?commonjs-es-import'])(
    '%j is a file, whatever its slashes',
    (id) => {
      expect(sourceOf(id, root.given, disk(a))).toMatchObject({ real: a })
    },
  )

  it.each(['virtual:x', 'data:text/css,x', 'https://registry.example/x.js'])('%j is none, and a drive is no scheme', (id) => {
    expect(sourceOf(id, root.given, disk(a))).toEqual({ virtual: id })
  })

  it('takes machine paths out of names of what is no file', () => {
    expect(virtualName('\0C:\\code\\app\\src\\x.vue?vue&type=style', ['C:\\code\\app'])).toBe('src/x.vue')
    expect(virtualName('C:/elsewhere/node_modules/x/y.js', ['C:\\code\\app'])).toBe('node_modules/x/y.js')
    expect(virtualName('C:/Users/me/secret/y.js', ['C:\\code\\app'])).toBe('y.js')
  })
})

describe('commands, on Windows', () => {
  const node = 'C:\\Program Files\\nodejs\\node.exe'
  const bin = 'C:\\code\\app\\node_modules\\vite\\bin\\vite.js'

  it('is the bin and its arguments, without paths of this machine', () => {
    expect(commandOf(root, [node, bin, 'build', '--mode', 'x'])).toEqual(['vite', 'build', '--mode', 'x'])
    expect(commandOf(root, [node, 'C:\\code\\app\\scripts\\build.mjs'])).toEqual(['node', 'scripts/build.mjs'])
    expect(commandOf(root, [node, bin, 'build', '--outDir=C:\\code\\app\\out'])).toEqual(['vite', 'build', '--outDir=out'])
    expect(commandOf(root, [node, bin, 'build', '--config', 'C:\\Users\\me\\vite.config.ts'])).toEqual([
      'vite',
      'build',
      '--config',
      '~/vite.config.ts',
    ])
    expect(commandOf(root, [node, bin, 'build', '--base', '/app/'])).toEqual(['vite', 'build', '--base', '/app/'])
  })

  it('tells bins from scripts', () => {
    expect(ownScript([node, bin])).toBeUndefined()
    expect(ownScript([node, 'C:\\code\\app\\build.mjs'])).toBe('C:\\code\\app\\build.mjs')
    expect(isCommandOf('vite', [node, bin])).toBe(true)
    expect(commandName([node, 'C:\\code\\app\\node_modules\\rolldown\\bin\\cli.mjs'])).toBe('cli')
  })
})
