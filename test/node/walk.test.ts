import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Problem } from 'intoto'
import { walkFiles } from 'intoto/node'
import { folder, problemOf, replaceFs, runScript, systemError, withoutRights } from './place.ts'

const posix = process.platform !== 'win32'

function warnings(): { list: string[]; warn: (problem: Problem) => void } {
  const list: string[] = []
  return { list, warn: (problem) => list.push(`${problem.severity} ${problem.code} ${problem.file ?? ''}`) }
}

describe('walkFiles', () => {
  it('lists files of all depths relative to the folder, and no empty folders', () => {
    const at = folder({ 'b/c/d': '', a: '', 'b/e': '', '.hidden': '' })
    mkdirSync(join(at, 'empty'))
    expect(walkFiles(at)).toEqual(['.hidden', 'a', 'b/c/d', 'b/e'])
    expect(walkFiles(`${at}/`)).toEqual(walkFiles(at))
  })

  it('keeps every name as it is', () => {
    const names = [
      'with space',
      "quote'",
      'dou"ble',
      '#',
      '100%',
      '__proto__',
      'constructor',
      '-rf',
      '42',
      'back`tick',
      '*',
      '[a]',
      '{b}',
      '~',
      'ü'.normalize('NFC'),
    ]
    if (posix) names.push('line\nfeed', 'back\\slash', 'tab\t', '\u{1f600}', 'x'.repeat(255), 'a:b', '\u0001')
    const at = folder(Object.fromEntries(names.map((name) => [name, name])))
    expect(walkFiles(at).sort()).toEqual(names.sort())
  })

  it.skipIf(process.platform !== 'linux')('keeps composed and decomposed accents apart', () => {
    const at = folder({ ['é'.normalize('NFC')]: '1', ['é'.normalize('NFD')]: '2' })
    expect(walkFiles(at)).toHaveLength(2)
  })

  it.skipIf(process.platform !== 'linux')('refuses names that are not UTF-8, by name', async () => {
    const at = folder({ good: '' })
    writeFileSync(Buffer.concat([Buffer.from(`${at}/a`), Buffer.from([0xff])]), '1')
    writeFileSync(Buffer.concat([Buffer.from(`${at}/a`), Buffer.from([0xfe])]), '2')
    const problem = await problemOf(() => walkFiles(at), 'E_IO')
    expect(problem.message).toMatch(/a\\xf[ef]/)
    expect(problem.message).toContain(at)
  })

  it('accepts a name that holds the replacement character itself', () => {
    expect(walkFiles(folder({ 'a\ufffd': '' }))).toEqual(['a\ufffd'])
  })

  it('does not enter an excluded folder, and asks by name and kind', () => {
    const at = folder({ 'keep/a': '', 'skip/b': '', 'keep/skip/c': '' })
    const asked: string[] = []
    const found = walkFiles(at, {
      exclude: (name, isFolder) => {
        asked.push(`${name} ${isFolder}`)
        return name === 'skip' || name === 'keep/skip'
      },
    })
    expect(found).toEqual(['keep/a'])
    expect(asked.sort()).toEqual(['keep true', 'keep/a false', 'keep/skip true', 'skip true'])
  })

  it('records links to files under their own names', () => {
    const at = folder({ 'real/a': 'x' })
    symlinkSync('real/a', join(at, 'link'))
    expect(walkFiles(at)).toEqual(['link', 'real/a'])
  })

  it('follows links to folders, or leaves them out on request', () => {
    const at = folder({ 'real/a': 'x' })
    symlinkSync('real', join(at, 'also'))
    expect(walkFiles(at)).toEqual(['also/a', 'real/a'])
    expect(walkFiles(at, { followFolders: false })).toEqual(['real/a'])
  })

  it('ends for links that go round in circles, and names them', () => {
    const at = folder({ 'a/file': '', 'b/file': '' })
    symlinkSync('self', join(at, 'self'))
    symlinkSync('.', join(at, 'loop'))
    symlinkSync('..', join(at, 'a/up'))
    symlinkSync('../b', join(at, 'a/pair'))
    symlinkSync('../a', join(at, 'b/pair'))
    const { list, warn } = warnings()
    const found = walkFiles(at, { warn })
    expect(found).toEqual(['a/file', 'a/pair/file', 'b/file', 'b/pair/file'])
    expect(list).toContain('warning E_NOT_RECORDED loop')
    expect(list).toContain('warning E_NOT_RECORDED self')
    expect(list).toContain('warning E_NOT_RECORDED a/up')
    expect(list).toContain('warning E_NOT_RECORDED a/pair/pair')
  })

  it('ends for a folder full of links to its parent from the outside', () => {
    const at = folder({ 'project/src/a': '', 'other/b': '' })
    symlinkSync('../..', join(at, 'project/src/top'))
    const { list, warn } = warnings()
    expect(walkFiles(join(at, 'project'), { warn })).toEqual(['src/a'])
    expect(list).toEqual(['warning E_NOT_RECORDED src/top'])
  })

  it('ends for folders that all link to each other, at the limit', async () => {
    const at = folder()
    const names = Array.from({ length: 12 }, (_, i) => `f${i}`)
    for (const name of names) mkdirSync(join(at, name))
    for (const from of names) for (const to of names) symlinkSync(`../${to}`, join(at, from, to))
    const problem = await problemOf(() => walkFiles(at, { limit: 5_000 }), 'E_IO')
    expect(problem.message).toContain('5000')
    expect(problem.fix.join()).toContain('artifacts')
  })

  it('warns of links to nothing and to the outside, and refuses both when strict', async () => {
    const at = folder({ 'in/a': '', 'out/b': '', 'out/c/d': '' })
    symlinkSync('nowhere', join(at, 'in/dangling'))
    symlinkSync('../out/b', join(at, 'in/file'))
    symlinkSync('../out/c', join(at, 'in/folder'))
    const { list, warn } = warnings()
    expect(walkFiles(join(at, 'in'), { warn })).toEqual(['a', 'file', 'folder/d'])
    expect(list).toEqual(['warning E_NOT_RECORDED dangling', 'warning E_NOT_RECORDED file', 'warning E_NOT_RECORDED folder'])
    for (const name of ['dangling', 'file', 'folder']) {
      const only = (found: string): boolean => found !== 'a' && found.split('/')[0] !== name
      const problem = await problemOf(() => walkFiles(join(at, 'in'), { strict: true, exclude: only }), 'E_NOT_RECORDED')
      expect(problem.message).toContain(name)
    }
  })

  it.skipIf(!posix)('leaves out FIFOs, sockets and links to devices with one warning each, or refuses them when strict', async () => {
    const at = folder({ file: '' })
    spawnSync('mkfifo', [join(at, 'fifo')])
    symlinkSync('/dev/zero', join(at, 'zero'))
    const server = createServer().listen(join(at, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const { list, warn } = warnings()
    expect(walkFiles(at, { warn })).toEqual(['file'])
    expect(list).toEqual(['fifo', 'socket', 'zero'].map((name) => `warning E_NOT_RECORDED ${name}`))
    for (const name of ['fifo', 'socket', 'zero']) {
      const exclude = (found: string): boolean => found !== name
      expect((await problemOf(() => walkFiles(at, { strict: true, exclude }), 'E_NOT_RECORDED')).message).toContain(name)
    }
    server.close()
  })

  it('fails for a folder that goes away while it is walked', async () => {
    const at = folder({ 'a/x': '', 'b/y': '' })
    await problemOf(
      () =>
        walkFiles(at, {
          exclude: (name) => {
            if (name === 'a/x') rmSync(join(at, 'b'), { recursive: true })
            return false
          },
        }),
      'E_CHANGED_DURING_BUILD',
    )
  })

  it.skipIf(!posix)('fails for a folder that may not be read, and names it', async () => {
    const at = folder({ 'open/a': '', 'locked/b': '' })
    chmodSync(at, 0o755)
    chmodSync(join(at, 'locked'), 0)
    const problem = await withoutRights(() => problemOf(() => walkFiles(at), 'E_IO'))
    expect(problem.message).toContain('locked: permission denied')
    chmodSync(join(at, 'locked'), 0o755)
  })

  it('fails when the system fails', async () => {
    replaceFs('readdirSync', () => () => {
      throw systemError('EIO')
    })
    await problemOf(() => walkFiles('.'), 'E_IO')
  })

  it('fails for a folder that is absent or a file', async () => {
    const at = folder({ file: '' })
    await problemOf(() => walkFiles(join(at, 'absent')), 'E_IO')
    await problemOf(() => walkFiles(join(at, 'file')), 'E_IO')
  })

  it.skipIf(!posix)('names a path that is too long in place of leaving it out', () => {
    const at = folder()
    const code = `const top = process.cwd()
      for (let i = 0; i < 22; i++) { fs.mkdirSync('d'.repeat(200)); process.chdir('d'.repeat(200)) }
      fs.writeFileSync('deep', 'x')
      process.chdir(top)
      try { console.log(n.walkFiles('.').length) } catch (error) { console.log(error.code, error.message.length > 3000, error.message.endsWith('the path is too long for this system')) }
      fs.rmSync('d'.repeat(200), { recursive: true, force: true })`
    expect(runScript(code, { cwd: at }).stdout).toBe('E_IO true true\n')
    spawnSync('rm', ['-rf', at])
  })
})
