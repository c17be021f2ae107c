import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readMetadataFile } from 'intoto/node'
import { folder, problemOf, replaceFs, runScript, systemError } from './place.ts'

const posix = process.platform !== 'win32'

describe('readMetadataFile', () => {
  it('returns the bytes of a file, of an empty one, and behind a symbolic link', () => {
    const at = folder({ 'a.link': '{"x": 1}', empty: '' })
    symlinkSync('a.link', join(at, 'b.link'))
    expect(new TextDecoder().decode(readMetadataFile(join(at, 'a.link')))).toBe('{"x": 1}')
    expect(readMetadataFile(join(at, 'empty'))).toHaveLength(0)
    expect(readMetadataFile(join(at, 'b.link'))).toEqual(readMetadataFile(join(at, 'a.link')))
  })

  it('refuses what is absent, not below a folder, or a loop of links, and names it', async () => {
    const at = folder({ file: 'x' })
    symlinkSync('loop', join(at, 'loop'))
    for (const name of ['absent.link', 'file/x.link', 'loop']) {
      const problem = await problemOf(() => readMetadataFile(join(at, name), { what: 'link' }), 'E_IO')
      expect(problem.message).toContain(name)
      expect(problem.message).toContain('link')
    }
  })

  it('spells out control characters of a name', async () => {
    const problem = await problemOf(() => readMetadataFile('absent\u001b[31m\nE_OK all is well'), 'E_IO')
    expect(problem.message).toContain('absent\\u{1b}[31m\\u{a}E_OK')
  })

  it('refuses a file above the limit before reading it, and says which limit', async () => {
    const at = folder({ big: 'x'.repeat(1001) })
    expect(readMetadataFile(join(at, 'big'), { limit: 1001 })).toHaveLength(1001)
    replaceFs('readSync', () => () => {
      throw systemError('EIO')
    })
    const problem = await problemOf(() => readMetadataFile(join(at, 'big'), { limit: 1000 }), 'E_IO')
    expect(problem.message).toContain('1000')
    expect(problem.fix.join()).toContain('fileBytes')
  })

  it('reads a file that grows under the reader to its end, but not beyond the limit', async () => {
    const at = folder({ growing: 'x'.repeat(100) })
    let grown = false
    const grow = (size: number) => (real: (...args: unknown[]) => unknown) => {
      return (...args: unknown[]) => {
        const result = real(...args)
        if (!grown) writeFileSync(join(at, 'growing'), 'x'.repeat(size))
        grown = true
        return result
      }
    }
    replaceFs('fstatSync', grow(5000))
    expect(readMetadataFile(join(at, 'growing'), { limit: 5000 })).toHaveLength(5000)
    grown = false
    replaceFs('fstatSync', grow(9000))
    await problemOf(() => readMetadataFile(join(at, 'growing'), { limit: 8000 }), 'E_IO')
  })

  it('reads the file that it opened and looked at, whatever stands at its path a moment later', () => {
    for (const name of ['openSync', 'fstatSync'] as const) {
      const at = folder({ good: 'good', forged: 'forged' })
      replaceFs(name, (real) => (...args) => {
        const result = real(...args)
        if (existsSync(join(at, 'forged'))) renameSync(join(at, 'forged'), join(at, 'good'))
        return result
      })
      expect(new TextDecoder().decode(readMetadataFile(join(at, 'good')))).toBe('good')
      expect(readFileSync(join(at, 'good'), 'utf8')).toBe('forged')
    }
  })

  it('passes a read error on as a problem', async () => {
    const at = folder({ file: 'x' })
    replaceFs('readSync', () => () => {
      throw systemError('EIO')
    })
    const problem = await problemOf(() => readMetadataFile(join(at, 'file')), 'E_IO')
    expect(problem.message).toContain('input/output')
  })

  it.skipIf(!posix)('refuses a folder, FIFO, socket, endless device and sparse giant at once and in little memory', async () => {
    const at = folder({ sparse: '' })
    mkdirSync(join(at, 'folder'))
    spawnSync('mkfifo', [join(at, 'fifo')])
    symlinkSync('/dev/zero', join(at, 'zero'))
    truncateSync(join(at, 'sparse'), 2.5 * 1024 ** 3)
    const server = createServer().listen(join(at, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const kinds = ['folder', 'fifo', 'socket', 'zero', 'sparse']
    const code = `for (const name of process.argv.slice(2)) {
      try { n.readMetadataFile(name, { what: 'layout' }); console.log('read') }
      catch (error) { console.log(error.code + ' ' + error.message) }
    }
    console.log(process.resourceUsage().maxRSS < 256 * 1024)`
    const { stdout } = runScript(code, { cwd: at, args: kinds })
    server.close()
    const lines = stdout.trim().split('\n')
    expect(lines).toHaveLength(kinds.length + 1)
    for (const [i, kind] of kinds.entries()) expect(lines[i]).toMatch(new RegExp(`^E_IO cannot read layout ${kind}: it is `))
    expect(lines.at(-1)).toBe('true')
  })
})
