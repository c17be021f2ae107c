/** Files that nobody has changed for a while are looked at once; these tests wait for theirs to become so, since nobody can set a ctime. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { hashFile, recordArtifactsSync } from 'intoto/node'
import { folder, problemOf, replaceFs } from './place.ts'

const posix = process.platform !== 'win32'
const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** Both ways to a digest: of one file, and of the files of a link. */
const ways: readonly (readonly [string, (path: string) => string | undefined])[] = [
  ['hashFile', (path) => hashFile(path).sha256],
  ['recordArtifactsSync', (path) => recordArtifactsSync([basename(path)], { base: dirname(path) })[basename(path)]?.['sha256']],
]

const contents: Record<string, string | Uint8Array> = {
  empty: '',
  small: 'small',
  'just fits': new Uint8Array(2 ** 20).fill(1),
  'does not fit': new Uint8Array(2 ** 20 + 1).fill(2),
}
const changes: Record<string, (path: string) => void> = {
  grows: (path) => appendFileSync(path, 'more'),
  shrinks: (path) => truncateSync(path, 3),
  'changes in place': (path) => writeFileSync(path, 'after!'),
  'is replaced': (path) => {
    writeFileSync(`${path}.new`, 'after!')
    renameSync(`${path}.new`, path)
  },
}
let base: string
const at = (...names: string[]): string => join(base, names.join(' '))

beforeAll(async () => {
  base = folder(contents)
  for (const [way] of ways) {
    for (const name of [...Object.keys(changes), 'restless', 'swapped', 'dated']) writeFileSync(at(way, name), 'before')
  }
  await new Promise((resolve) => setTimeout(resolve, 3_100))
})

/** How often these functions of `node:fs` are called from now on. */
function counts<Name extends 'openSync' | 'readSync' | 'fstatSync'>(...names: Name[]): Record<Name, number> {
  const count = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
  for (const name of names) {
    replaceFs(name, (real) => (...args) => {
      count[name]++
      return real(...args)
    })
  }
  return count
}

describe.each(ways)('%s', (way, hash) => {
  it('looks once at a file that has been left alone, and at a large one before and after', () => {
    for (const [name, content] of Object.entries(contents)) {
      const count = counts('openSync', 'fstatSync')
      expect(hash(at(name)), name).toBe(sha256(content))
      expect(count, name).toEqual({ openSync: 1, fstatSync: name === 'does not fit' ? 3 : 1 })
    }
  })

  it('looks before and after at files that were made just now, and reads none in vain but the first', () => {
    const fresh = folder(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`file${i}`, `${i}`])))
    hash(at('small'))
    const count = counts('readSync', 'fstatSync')
    for (let i = 0; i < 10; i++) expect(hash(join(fresh, `file${i}`))).toBe(sha256(`${i}`))
    expect(count).toEqual({ readSync: 11, fstatSync: 21 })
    expect(hash(at('small'))).toBe(sha256('small'))
    count.fstatSync = 0
    hash(at('small'))
    expect(count.fstatSync).toBe(1)
  })

  it.each(Object.keys(changes))('never gives the digest of what was read of a file that %s meanwhile', (name) => {
    const path = at(way, name)
    hash(at('small'))
    let readings = 0
    replaceFs('readSync', (real) => (...args) => {
      const length = real(...args)
      if (readings++ === 0) changes[name]?.(path)
      return length
    })
    const digest = hash(path)
    expect(readings).toBeGreaterThan(1)
    // What is put in its place is another file: the one that was opened held still.
    expect(digest).toBe(sha256(name === 'is replaced' ? 'before' : readFileSync(path)))
  })

  it('refuses one that grows whenever it is read', async () => {
    const path = at(way, 'restless')
    hash(at('small'))
    replaceFs('readSync', (real) => (...args) => {
      const length = real(...args)
      appendFileSync(path, 'more')
      return length
    })
    expect((await problemOf(() => hash(path), 'E_CHANGED_DURING_BUILD')).message).toContain(basename(path))
  })

  it('takes no date for the time of a change', () => {
    const path = at(way, 'dated')
    hash(at('small'))
    spawnSync('touch', ['-d', '2001-01-01', path])
    const count = counts('fstatSync')
    expect(hash(path)).toBe(sha256('before'))
    expect(count.fstatSync).toBeGreaterThan(1)
  })

  it.skipIf(!posix)('takes nothing out of a FIFO that stands where a file stood, and refuses it', async () => {
    const path = at(way, 'swapped')
    hash(at('small'))
    let fifo: number | undefined
    replaceFs('openSync', (real) => (...args) => {
      if (args[0] === path && fifo === undefined) {
        spawnSync('sh', ['-c', 'rm "$0" && mkfifo "$0"', path])
        fifo = real(path, 'r+') as number
        writeSync(fifo, 'for another')
      }
      return real(...args)
    })
    expect((await problemOf(() => hash(path), 'E_IO')).message).toMatch(/is a FIFO/)
    const [rest, found] = [openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), Buffer.alloc(20)]
    expect(found.toString('utf8', 0, readSync(rest, found))).toBe('for another')
    for (const descriptor of [rest, fifo ?? -1]) closeSync(descriptor)
  })

  it.skipIf(!posix)('refuses a device that looks like an empty file', async () => {
    hash(at('small'))
    replaceFs(
      'openSync',
      (real) =>
        (path, ...args) =>
          real(path === at('empty') ? '/dev/null' : path, ...args),
    )
    expect((await problemOf(() => hash(at('empty')), 'E_IO')).message).toMatch(/is a device/)
  })

  it.skipIf(!existsSync('/sys/kernel/mm/transparent_hugepage/enabled'))(
    'refuses files of the kernel, which do not have the size that they claim',
    async () => {
      for (const path of ['/proc/version', '/sys/kernel/mm/transparent_hugepage/enabled']) {
        hash(at('small'))
        await problemOf(() => hash(path), 'E_CHANGED_DURING_BUILD')
      }
    },
  )
})

describe('noFollow', () => {
  it('refuses a symbolic link at the path, and follows those before it', async () => {
    const place = folder({ 'real/file': 'x' })
    symlinkSync('file', join(place, 'real/link'))
    symlinkSync('nothing', join(place, 'dangling'))
    symlinkSync('real', join(place, 'also'))
    for (const name of ['real/link', 'dangling', 'also']) {
      const { message, file } = await problemOf(() => hashFile(join(place, name), { noFollow: true }), 'E_IO')
      expect(message).toContain(`${name}: it is a symbolic link, not a regular file`)
      expect(file).toBe(join(place, name))
    }
    expect(hashFile(join(place, 'also/file'), { noFollow: true })).toEqual(hashFile(join(place, 'real/link')))
    expect((await problemOf(() => hashFile(join(place, 'absent'), { noFollow: true }), 'E_IO')).message).toContain('does not exist')
  })
})
