/** What V8 made of the command's largest file: kept, believed, and not believed where somebody could have put it there who cannot change the code. */
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { bareEnvironment, bin, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const isRoot = process.geteuid?.() === 0

/** A copy of the command and a home folder, since neither may be another test's. */
class Installed {
  readonly root: string = mkdtempSync(join(folder, 'command-'))
  readonly place: string = join(this.root, 'home/.cache/intoto/compiled')
  readonly chunks: string = join(this.root, 'cli/dist/chunks')

  constructor() {
    const from = dirname(dirname(bin))
    mkdirSync(join(this.root, 'home'))
    for (const name of ['bin', 'dist/intoto.cjs', 'dist/chunks'])
      cpSync(join(from, name), join(this.root, 'cli', name), { recursive: true })
  }

  /** What it says of a key that is not there: a text of the large file. */
  say(more: NodeJS.ProcessEnv = {}): string {
    const args = [join(this.root, 'cli/bin/intoto.js'), 'verify', '-l', 'none', '-k', 'none']
    const env = bareEnvironment({
      HOME: join(this.root, 'home'),
      XDG_CACHE_HOME: undefined,
      NODE_DISABLE_COMPILE_CACHE: undefined,
      ...more,
    })
    return spawnSync(process.execPath, args, { cwd: this.root, env, encoding: 'utf8' }).stderr
  }

  /** Absolute path of what was kept. */
  get kept(): string {
    const names = readdirSync(this.place).filter((name) => name.startsWith('judge-'))
    expect(names).toHaveLength(1)
    return join(this.place, names[0] ?? '')
  }

  get source(): string {
    return join(this.chunks, /judge-[^.]+\.cjs/.exec(this.kept)?.[0] ?? '')
  }

  /** Puts in its place what V8 makes of other code, with marks as if it were of this one. */
  plant(): void {
    const path = this.kept
    const result = spawnSync(process.execPath, ['-e', planting, this.source, path], { encoding: 'utf8' })
    expect(result.stderr).toBe('')
  }
}

const planting = `
const { readFileSync, writeFileSync } = require('node:fs')
const hash = (bytes) => Buffer.from(require('node:crypto').hash('sha256', bytes, 'hex'))
const [, source, path] = process.argv
const good = readFileSync(source)
const evil = good.toString('latin1').replaceAll('check the path and', 'BELIEVE WHAT I say')
const start = '(function (exports, require, module, __filename, __dirname) {'
const data = new (require('node:vm').Script)(start + evil + '\\n})').createCachedData()
const rest = Buffer.concat([Buffer.alloc(8, 1), data])
writeFileSync(path, Buffer.concat([hash(good), hash(rest), rest]))
`

describe.runIf(process.platform !== 'win32')('the compiled command', () => {
  let installed: Installed
  let first: string
  beforeEach(() => {
    installed = new Installed()
    first = installed.say()
    expect(first).toContain('check the path and')
  })

  it('is kept for this user alone, and made three times', () => {
    const { kept, place } = installed
    expect([statSync(kept).mode & 0o777, statSync(place).mode & 0o777]).toEqual([0o600, 0o700])
    const made = [1, 2, 3, 4].map(() => {
      expect(installed.say()).toBe(first)
      expect(readdirSync(place)).toHaveLength(1)
      return statSync(kept).ino
    })
    expect(new Set(made).size).toBe(2)
  })

  it('is what runs', () => {
    installed.plant()
    expect(installed.say()).toBe(first.replaceAll('check the path and', 'BELIEVE WHAT I say'))
  })

  it.each<[string, (of: Installed) => NodeJS.ProcessEnv | void]>([
    ['others may write to its folder', ({ place }) => chmodSync(place, 0o777)],
    ['others may write to it', ({ kept }) => chmodSync(kept, 0o666)],
    [
      'its folder is a link',
      ({ place }) => {
        renameSync(place, `${place}.real`)
        symlinkSync(`${place}.real`, place)
      },
    ],
    [
      'it is a link',
      ({ kept, root }) => {
        renameSync(kept, join(root, 'real'))
        symlinkSync(join(root, 'real'), kept)
      },
    ],
    [
      'it is damaged',
      ({ kept }) => {
        const bytes = readFileSync(kept)
        writeFileSync(kept, bytes.fill(bytes.at(-1)! ^ 1, bytes.length - 1))
      },
    ],
    ['it is cut short', ({ kept }) => writeFileSync(kept, readFileSync(kept).subarray(0, 100))],
    ['the code has changed since', ({ source }) => appendFileSync(source, '\n')],
    [
      'the code cannot be changed by this user',
      ({ chunks, source }) => {
        if (isRoot) chownSync(source, 1, 1)
        else chmodSync(chunks, 0o555)
      },
    ],
    ['it runs in CI', () => ({ CI: 'true' })],
    ['compile caches are switched off', () => ({ NODE_DISABLE_COMPILE_CACHE: '1' })],
    ['the home folder is none', () => ({ HOME: 'home' })],
  ])('does not run where %s', (_, change) => {
    installed.plant()
    const env = change(installed) ?? {}
    expect(installed.say(env)).toBe(first)
  })

  it('is made anew when what was kept is damaged', () => {
    writeFileSync(installed.kept, 'x')
    expect(installed.say()).toBe(first)
    expect(statSync(installed.kept).size).toBeGreaterThan(10_000)
  })

  it('is kept in few versions', () => {
    for (let i = 0; i < 60; i++) writeFileSync(join(installed.place, `${i}`), '')
    writeFileSync(installed.kept, 'x')
    installed.say()
    expect(readdirSync(installed.place)).toHaveLength(48)
    expect(statSync(installed.kept).size).toBeGreaterThan(10_000)
  })
})
