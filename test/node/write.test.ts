import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeFileAtomic } from 'intoto/node'
import { folder, problemOf, replaceFs, script, startScript, systemError, withoutRights } from './place.ts'

const posix = process.platform !== 'win32'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('writeFileAtomic', () => {
  it('writes a new file and replaces an earlier one, and leaves nothing else behind', () => {
    const at = folder()
    writeFileAtomic(join(at, 'a.link'), bytes('one'))
    writeFileAtomic(join(at, 'a.link'), bytes('two'))
    expect(readFileSync(join(at, 'a.link'), 'utf8')).toBe('two')
    expect(readdirSync(at)).toEqual(['a.link'])
  })

  it.skipIf(!posix)('gives the mode that was asked for whatever the umask, and leaves it to the umask otherwise', () => {
    const at = folder()
    const before = process.umask(0)
    try {
      writeFileAtomic(join(at, 'key'), bytes('x'), { mode: 0o600 })
      process.umask(0o077)
      writeFileAtomic(join(at, 'open'), bytes('x'), { mode: 0o644 })
      writeFileAtomic(join(at, 'plain'), bytes('x'))
    } finally {
      process.umask(before)
    }
    expect(statSync(join(at, 'key')).mode & 0o777).toBe(0o600)
    expect(statSync(join(at, 'open')).mode & 0o777).toBe(0o644)
    expect(statSync(join(at, 'plain')).mode & 0o777).toBe(0o600)
  })

  it('never overwrites with "exclusive", not even where there are no hard links', async () => {
    const at = folder()
    writeFileAtomic(join(at, 'key'), bytes('first'), { exclusive: true })
    await problemOf(() => writeFileAtomic(join(at, 'key'), bytes('second'), { exclusive: true }), 'E_IO')
    replaceFs('linkSync', () => () => {
      throw systemError('EPERM')
    })
    await problemOf(() => writeFileAtomic(join(at, 'key'), bytes('third'), { exclusive: true }), 'E_IO')
    writeFileAtomic(join(at, 'other'), bytes('other'), { exclusive: true })
    expect(readFileSync(join(at, 'key'), 'utf8')).toBe('first')
    expect(readFileSync(join(at, 'other'), 'utf8')).toBe('other')
    expect(readdirSync(at).sort()).toEqual(['key', 'other'])
  })

  it('keeps the earlier file and removes its own when any call fails', async () => {
    const steps = ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync'] as const
    for (const step of steps) {
      for (const number of ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT']) {
        const at = folder({ 'a.link': 'earlier' })
        let failed = false
        replaceFs(step, (real) => (...args) => {
          if (failed) return real(...args)
          failed = true
          if (step === 'closeSync') real(...args)
          throw systemError(number)
        })
        const problem = await problemOf(() => writeFileAtomic(join(at, 'a.link'), bytes('new')), 'E_IO')
        expect(problem.message).toContain('a.link')
        expect(readFileSync(join(at, 'a.link'), 'utf8'), `${step} ${number}`).toBe('earlier')
        expect(readdirSync(at), `${step} ${number}`).toEqual(['a.link'])
      }
    }
  })

  it('notices a write that did less than it said', async () => {
    const at = folder({ 'a.link': 'earlier' })
    replaceFs('writeSync', (real) => (file, data, offset, length) => {
      real(file, data, offset, 1)
      return length
    })
    await problemOf(() => writeFileAtomic(join(at, 'a.link'), bytes('new content')), 'E_IO')
    expect(readFileSync(join(at, 'a.link'), 'utf8')).toBe('earlier')
  })

  it('writes all of it when the system takes it in small pieces', () => {
    const at = folder()
    replaceFs('writeSync', (real) => (file, data, offset) => real(file, data, offset, 1))
    writeFileAtomic(join(at, 'a.link'), bytes('piece by piece'))
    expect(readFileSync(join(at, 'a.link'), 'utf8')).toBe('piece by piece')
  })

  it('undoes what it did when the folder cannot be synced because the disk is broken', async () => {
    for (const exclusive of [false, true]) {
      for (const earlier of exclusive ? [{}] : [{}, { a: 'earlier' }]) {
        const at = folder({ other: '', ...earlier })
        let calls = 0
        replaceFs('fsyncSync', () => () => {
          if (++calls === 2) throw systemError('EIO')
        })
        await problemOf(() => writeFileAtomic(join(at, 'a'), bytes('x'), { exclusive }), 'E_IO')
        expect(readdirSync(at)).toEqual([...Object.keys(earlier), 'other'])
        if ('a' in earlier) expect(readFileSync(join(at, 'a'), 'utf8')).toBe('earlier')
      }
    }
  })

  it('leaves the whole new file when that cannot be undone for want of hard links, and says so', async () => {
    const at = folder({ a: 'earlier' })
    let calls = 0
    replaceFs('linkSync', () => () => {
      throw systemError('EPERM')
    })
    replaceFs('fsyncSync', () => () => {
      if (++calls === 2) throw systemError('EIO')
    })
    await problemOf(() => writeFileAtomic(join(at, 'a'), bytes('new')), 'E_IO')
    expect([readdirSync(at), readFileSync(join(at, 'a'), 'utf8')]).toEqual([['a'], 'new'])
  })

  it('leaves no empty file where there are no hard links and the rename fails', async () => {
    const at = folder()
    for (const name of ['linkSync', 'renameSync'] as const) {
      replaceFs(name, () => () => {
        throw systemError(name === 'linkSync' ? 'EPERM' : 'EIO')
      })
    }
    await problemOf(() => writeFileAtomic(join(at, 'key'), bytes('x'), { exclusive: true }), 'E_IO')
    expect(readdirSync(at)).toEqual([])
  })

  it('accepts a file system that knows no sync, and a folder that does not close well', () => {
    const at = folder()
    let closed = 0
    replaceFs('closeSync', (real) => (descriptor) => {
      real(descriptor)
      if (++closed === 2) throw systemError('EIO')
    })
    replaceFs('fsyncSync', () => () => {
      throw systemError('EINVAL')
    })
    writeFileAtomic(join(at, 'b'), bytes('x'))
    expect(existsSync(join(at, 'b'))).toBe(true)
  })

  it('syncs the file before the rename and the folder after it', () => {
    const at = folder()
    const calls: string[] = []
    for (const name of ['fsyncSync', 'renameSync'] as const) {
      replaceFs(name, (real) => (...args) => {
        calls.push(name)
        return real(...args)
      })
    }
    writeFileAtomic(join(at, 'a'), bytes('x'))
    expect(calls).toEqual(posix ? ['fsyncSync', 'renameSync', 'fsyncSync'] : ['fsyncSync', 'renameSync'])
  })

  it('replaces a symbolic link and leaves what it points to alone', () => {
    const at = folder({ 'outside/target': 'kept', 'in/x': '' })
    symlinkSync('../outside/target', join(at, 'in/a.link'))
    writeFileAtomic(join(at, 'in/a.link'), bytes('new'))
    expect(readFileSync(join(at, 'outside/target'), 'utf8')).toBe('kept')
    expect(lstatSync(join(at, 'in/a.link')).isFile()).toBe(true)
  })

  it.skipIf(!posix)('refuses a folder, a device, and places that are not there', async () => {
    const at = folder({ file: 'x' })
    mkdirSync(join(at, 'folder'))
    symlinkSync('/dev/full', join(at, 'full'))
    for (const path of [join(at, 'folder'), join(at, 'full'), join(at, 'absent/a'), join(at, 'file/a')]) {
      const problem = await problemOf(() => writeFileAtomic(path, bytes('x')), 'E_IO')
      expect(problem.message).toContain(path)
    }
    expect(readdirSync(at).sort()).toEqual(['file', 'folder', 'full'])
    expect(statSync(join(at, 'full')).isCharacterDevice()).toBe(true)
  })

  it.skipIf(!posix)('names the folder that it may not write to', async () => {
    const at = folder({ 'locked/a.link': 'earlier' })
    spawnSync('chmod', ['755', at, join(at, 'locked')])
    if (process.getuid?.() !== 0) spawnSync('chmod', ['555', join(at, 'locked')])
    const problem = await withoutRights(() => problemOf(() => writeFileAtomic(join(at, 'locked/a.link'), bytes('x')), 'E_IO'))
    expect(problem.message).toContain('permission denied')
    expect(readFileSync(join(at, 'locked/a.link'), 'utf8')).toBe('earlier')
  })

  it('writes names of 255 bytes', () => {
    const at = folder()
    const name = `${'ü'.repeat(125)}.link`
    writeFileAtomic(join(at, name), bytes('x'))
    expect(readdirSync(at).map((found) => found.normalize('NFC'))).toEqual([name])
  })

  it.skipIf(process.platform !== 'linux')('keeps the earlier link on a full disk', (context) => {
    const at = folder()
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at]).status === 0
    if (!mounted) return context.skip('a tmpfs cannot be mounted here')
    try {
      writeFileAtomic(join(at, 'a.link'), bytes('earlier'))
      return problemOf(() => writeFileAtomic(join(at, 'a.link'), new Uint8Array(200_000)), 'E_IO')
        .then((problem) => {
          expect(problem.message).toContain('no space')
          expect(readFileSync(join(at, 'a.link'), 'utf8')).toBe('earlier')
          expect(readdirSync(at)).toEqual(['a.link'])
          return problemOf(() => writeFileAtomic(join(at, 'b.link'), new Uint8Array(200_000)), 'E_IO')
        })
        .then(() => expect(readdirSync(at)).toEqual(['a.link']))
        .finally(() => spawnSync('umount', [at]))
    } catch (error) {
      spawnSync('umount', [at])
      throw error
    }
  })

  it('leaves one whole file and nothing else when eight processes write at once', async () => {
    const at = folder()
    const path = script(`for (let i = 0; i < 8; i++) n.writeFileAtomic(process.argv[2], Buffer.alloc(300_000, process.argv[3]))`)
    const ends = Array.from({ length: 8 }, (_, i) => {
      const child = spawn(process.execPath, [path, join(at, 'same.link'), String(i)], { stdio: 'inherit' })
      return new Promise<number | null>((resolve) => child.once('exit', resolve))
    })
    expect(await Promise.all(ends)).toEqual(Array(8).fill(0))
    const content = readFileSync(join(at, 'same.link'), 'utf8')
    expect(content).toHaveLength(300_000)
    expect(new Set(content).size).toBe(1)
    expect(readdirSync(at)).toEqual(['same.link'])
  })

  it('never leaves a part of a file when it is killed', async () => {
    const code = `const content = (c) => Buffer.alloc(2_000_000, c)
      for (let i = 0; ; i++) { n.writeFileAtomic(process.argv[2], content('ab'[i % 2])); fs.writeSync(1, '.') }`
    for (let round = 0, seed = 42; round < 8; round++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      const at = folder()
      const path = join(at, 'a.link')
      writeFileSync(path, Buffer.alloc(2_000_000, 'x'))
      const child = startScript(code, { args: [path] })
      await new Promise((resolve) => child.stdout?.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, seed % 40))
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      const content = readFileSync(path, 'latin1')
      expect(content.length, `seed ${seed}`).toBe(2_000_000)
      expect(new Set(content).size, `seed ${seed}`).toBe(1)
      const rest = readdirSync(at).filter((name) => name !== 'a.link')
      expect(rest.length).toBeLessThanOrEqual(2) // its own, and the second name of the earlier one
      for (const name of rest) expect(name).toMatch(/^\.a\.link\.\d+\.[0-9a-f]+\.tmp$/)
      rmSync(at, { recursive: true })
    }
  })
})
