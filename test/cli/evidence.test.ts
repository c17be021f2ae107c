/** `intoto evidence pull`: where what a store offers may be written, and where not. And to which stores a password goes. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { closeServer, listen } from '../npm/registry.ts'
import { endOf, intoto, mustRun, start, temporaryFolder } from './command.ts'

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

describe('the password of the environment', () => {
  const password = 'canary-5d1f'
  const env = { INTOTO_STORE_PASSWORD: password }
  const seen: (string | undefined)[] = []
  let host: string

  beforeEach(async () => {
    seen.length = 0
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(404).end()
    })
    host = new URL(await listen(server)).host
    mustRun(['keygen', '-o', 'alice'], { cwd: place })
    mustRun(['layout', 'new', '--step', 'a', '--functionary', 'alice.pub', '--sign-with', 'alice', '-o', 'root.layout'], { cwd: place })
    writeFileSync(join(place, 'a.c0ffee12.link'), '{}')
    return () => closeServer(server)
  })

  const judged = ['-k', 'alice.pub', '-l', 'root.layout']
  test.each<[string, string[]]>([
    ['evidence push', ['evidence', 'push', 'lib.tgz', '-d', '.']],
    ['evidence pull', ['evidence', 'pull', 'lib.tgz']],
    ['verify', ['verify', 'lib.tgz', ...judged]],
    ['publish', ['publish', 'lib.tgz', ...judged]],
    ['serve', ['serve', ...judged, '--port', '0']],
  ])('goes to no two places: %s', async (_, words) => {
    const pairs = [
      [`archivista+http://${host}`, `devguard+http://${host}/team/projects/web/assets/app`],
      [`archivista+http://${host}`, 'archivista+https://archivista.example'],
      [`oci://${host}/team/app`, `archivista+http://${host}`, 'dir:store'],
    ]
    const ends = pairs.map((stores) => endOf(start([...words, '--store', ...stores], { cwd: place, env })))
    for (const { code, err } of await Promise.all(ends)) {
      expect([code, err]).toEqual([2, expect.stringMatching(/^E_CONFIG .*INTOTO_STORE_PASSWORD.*\n {2}try .*one/m)])
      expect(err).not.toContain(password)
    }
    expect(seen).toEqual([])
  })

  test('goes to several repositories of one registry, and no further than to a folder beside it', async () => {
    mkdirSync(join(place, 'store'))
    const stores = ['dir:store', `archivista+http://${host}`, `archivista+http://${host}/team`]
    const { code, err } = await endOf(start(['evidence', 'pull', 'lib.tgz', '--store', ...stores], { cwd: place, env }))
    expect([code, err]).toEqual([2, expect.stringMatching(/^E_IO /m)])
    expect(new Set(seen)).toEqual(new Set([`Bearer ${password}`]))
  })
})
