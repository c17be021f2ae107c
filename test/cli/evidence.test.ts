/** `intoto evidence pull`: where what a store offers may be written, and where not. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const digest = createHash('sha256').update('tarball').digest('hex')
let place: string
let count = 0

beforeEach(() => {
  place = join(folder, `place-${++count}`)
  mkdirSync(place)
  writeFileSync(join(place, 'lib.tgz'), 'tarball')
})

const pull = ['evidence', 'pull', 'lib.tgz', '--store', 'dir:store']

/** Puts files into the store past the command, as whoever may write there can. */
function plant(...names: string[]): void {
  for (const name of names) {
    const path = join(place, 'store', `sha256-${digest}`, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `planted: ${name}`)
  }
}

test('writes into in-toto/, whether it is there or not', () => {
  plant('build.c0ffee12.link', 'sub.c0ffee12/inner.c0ffee12.link', 'root.layout')
  for (let i = 0; i < 2; i++) {
    const { out } = mustRun(pull, { cwd: place })
    expect(out.split('\n').filter((line) => line !== '')).toEqual(
      ['build.c0ffee12.link', 'root.layout', 'sub.c0ffee12/inner.c0ffee12.link'].map((name) => join('in-toto', name)),
    )
  }
  expect(readdirSync(place).toSorted()).toEqual(['in-toto', 'lib.tgz', 'store'])
})

test('a store plants no file that another program would run', () => {
  plant('vite.config.mjs', 'package.json', 'binding.gyp', 'node_modules/left-pad/index.js', 'in-toto/owner.pub')
  mustRun([...pull, '-d', '.'], { cwd: place })
  const written = readdirSync(place).filter((name) => !['lib.tgz', 'store'].includes(name))
  expect(written).toHaveLength(5)
  expect(written.every((name) => /^[0-9a-f]{16}\.json$/.test(name))).toBe(true)
})

describe('a symbolic link in the folder', () => {
  test('is not followed out of it', () => {
    plant('sub.c0ffee12/inner.c0ffee12.link')
    mkdirSync(join(place, 'elsewhere'))
    mkdirSync(join(place, 'evidence'))
    symlinkSync('../elsewhere', join(place, 'evidence/sub.c0ffee12'))
    const { code, err } = intoto([...pull, '-d', 'evidence'], { cwd: place })
    expect([code, err]).toEqual([2, expect.stringMatching(/^E_IO evidence\/sub\.c0ffee12 .*symbolic link.*\n {2}try .*-d/m)])
    expect(readdirSync(join(place, 'elsewhere'))).toEqual([])
  })

  test('in place of a file is not written through', () => {
    plant('build.c0ffee12.link')
    mkdirSync(join(place, 'evidence'))
    symlinkSync('../elsewhere', join(place, 'evidence/build.c0ffee12.link'))
    const { code, err } = intoto([...pull, '-d', 'evidence'], { cwd: place })
    expect([code, err]).toEqual([2, expect.stringMatching(/^E_IO /m)])
    expect(existsSync(join(place, 'elsewhere'))).toBe(false)
  })

  test('as the folder itself is what the caller named', () => {
    plant('build.c0ffee12.link')
    mkdirSync(join(place, 'elsewhere'))
    symlinkSync('elsewhere', join(place, 'evidence'))
    mustRun([...pull, '-d', 'evidence'], { cwd: place })
    expect(readFileSync(join(place, 'elsewhere/build.c0ffee12.link'), 'utf8')).toBe('planted: build.c0ffee12.link')
  })
})
