import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, renameSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashFile } from 'intoto/node'
import { folder, problemOf, replaceFs, runScript, systemError, withoutRights } from './place.ts'

const posix = process.platform !== 'win32'

describe('hashFile', () => {
  it('gives the digest of the bytes, around the size of its buffer too', () => {
    for (const size of [0, 1, 4096, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 5]) {
      const content = randomBytes(size)
      const path = join(folder({ file: content }), 'file')
      const { sha256, sha512, size: found } = hashFile(path, { sha512: true })
      expect(found).toBe(size)
      expect(sha256).toBe(createHash('sha256').update(content).digest('hex'))
      expect(sha512).toBe(createHash('sha512').update(content).digest('hex'))
    }
  })

  it('gives the marks by which a change shows, and sha512 only when asked', () => {
    const path = join(folder({ file: 'x' }), 'file')
    const stats = statSync(path)
    const { sha256, ...marks } = hashFile(path)
    expect(marks).toEqual({ size: 1, ctimeMs: stats.ctimeMs, mtimeMs: stats.mtimeMs, ino: stats.ino, dev: stats.dev })
    expect(sha256).toHaveLength(64)
  })

  it('follows a symbolic link to a file', () => {
    const at = folder({ file: 'x' })
    symlinkSync('file', join(at, 'link'))
    expect(hashFile(join(at, 'link'))).toEqual(hashFile(join(at, 'file')))
  })

  it('works when the system hands out a file in small pieces', () => {
    const path = join(folder({ file: 'piece by piece' }), 'file')
    const whole = hashFile(path)
    replaceFs(
      'readSync',
      (real) =>
        (...args) =>
          real(...args.with(3, 1)),
    )
    expect(hashFile(path)).toEqual(whole)
  })

  it('reads again when the file grows, changes in place or is replaced while it is read', () => {
    const changes: Record<string, (path: string) => void> = {
      grows: (path) => appendFileSync(path, 'more'),
      'changes in place': (path) => writeFileSync(path, 'after!'),
      'is replaced': (path) => {
        writeFileSync(`${path}.new`, 'replaced')
        renameSync(`${path}.new`, path)
      },
    }
    for (const [name, change] of Object.entries(changes)) {
      const path = join(folder({ file: 'before' }), 'file')
      let changed = false
      replaceFs('readSync', (real) => (...args) => {
        const count = real(...args)
        if (!changed) {
          changed = true
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15) // longer than a tick of the clock that stamps files
          change(path)
        }
        return count
      })
      const during = hashFile(path)
      expect(changed, name).toBe(true)
      expect(during, name).toEqual(hashFile(path))
    }
  })

  it('refuses a file that never holds still, and names it', async () => {
    const path = join(folder({ file: 'x' }), 'file')
    let readings = 0
    replaceFs('readSync', (real) => (...args) => {
      appendFileSync(path, String(readings++))
      return real(...args)
    })
    const problem = await problemOf(() => hashFile(path), 'E_CHANGED_DURING_BUILD')
    expect(problem.message).toContain(path)
    expect(readings).toBeGreaterThanOrEqual(3)
  })

  it.skipIf(process.platform !== 'linux')('refuses a file of the kernel that claims to be empty', async () => {
    await problemOf(() => hashFile('/proc/self/status'), 'E_CHANGED_DURING_BUILD')
  })

  it('waits for a descriptor when there is none, and gives up after a while', async () => {
    const path = join(folder({ file: 'x' }), 'file')
    const expected = hashFile(path)
    let refusals = 0
    replaceFs('openSync', (real) => (...args) => {
      if (refusals++ < 4) throw systemError(refusals % 2 === 0 ? 'EMFILE' : 'ENFILE')
      return real(...args)
    })
    expect(hashFile(path)).toEqual(expected)
    replaceFs('openSync', () => () => {
      throw systemError('EMFILE')
    })
    const problem = await problemOf(() => hashFile(path), 'E_IO')
    expect(problem.message).toContain('too many files are open')
  })

  it('refuses what is absent or unreadable and names it', async () => {
    const at = folder({ secret: 'x' })
    expect((await problemOf(() => hashFile(join(at, 'absent')), 'E_IO')).message).toContain('absent')
    if (!posix) return
    spawnSync('chmod', ['755', at])
    spawnSync('chmod', ['000', join(at, 'secret')])
    const problem = await withoutRights(() => problemOf(() => hashFile(join(at, 'secret')), 'E_IO'))
    expect(problem.message).toContain('secret: permission denied')
  })

  it('closes what it opened, also when it fails', () => {
    const at = folder({ file: 'x' })
    mkdirSync(join(at, 'folder'))
    const open: number[] = []
    replaceFs('openSync', (real) => (...args) => {
      const descriptor = real(...args) as number
      open.push(descriptor)
      return descriptor
    })
    replaceFs('closeSync', (real) => (descriptor) => {
      open.splice(open.indexOf(descriptor as number), 1)
      return real(descriptor)
    })
    hashFile(join(at, 'file'))
    expect(() => hashFile(join(at, 'folder'))).toThrow(/folder/)
    replaceFs('readSync', () => () => {
      throw systemError('EIO')
    })
    expect(() => hashFile(join(at, 'file'))).toThrow(/input\/output/)
    expect(open).toEqual([])
  })

  it.skipIf(!posix)('refuses a FIFO and a device without waiting', () => {
    const at = folder()
    spawnSync('mkfifo', [join(at, 'fifo')])
    const code = `for (const name of process.argv.slice(2)) try { n.hashFile(name); console.log('hashed') } catch (error) { console.log(error.code + ' ' + error.message) }`
    const { stdout } = runScript(code, { args: [join(at, 'fifo'), '/dev/zero'] })
    expect(stdout.trim().split('\n')).toEqual([expect.stringMatching(/^E_IO .*is a FIFO/), expect.stringMatching(/^E_IO .*is a device/)])
  })

  it.skipIf(!posix)('hashes a file of 2.2 GB in little memory', () => {
    const at = folder({ giant: '' })
    truncateSync(join(at, 'giant'), 2_200_000_000)
    const { stdout } = runScript(
      `const { sha256, size } = n.hashFile('giant'); console.log(sha256, size, process.resourceUsage().maxRSS < 200 * 1024)`,
      { cwd: at },
    )
    expect(stdout.trim()).toBe('5a937555b4853ad95365d9b319cf96579dfd4264b20bffb6d3745bea02adf31d 2200000000 true')
  })
})
