import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Problem } from 'intoto'
import { gitState, gitStateLater, recordSource } from 'intoto/node'
import { folder, has, problemOf } from './place.ts'
import { loseObject, setTraps, trapsIn } from './trap.ts'

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')

function git(at: string, ...args: string[]): string {
  const settings = [
    '-c',
    'user.name=A',
    '-c',
    'user.email=a@b.example',
    '-c',
    'protocol.file.allow=always',
    '-c',
    'init.defaultBranch=main',
  ]
  const result = spawnSync('git', [...settings, ...args], {
    cwd: at,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
  })
  if (result.status !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`)
  return result.stdout.trim()
}

function repository(files: Record<string, string>): string {
  const at = folder(files)
  git(at, 'init', '-q')
  git(at, 'add', '-A')
  git(at, 'commit', '-q', '-m', 'first')
  return at
}

describe.skipIf(!has('git'))('recordSource', () => {
  it('records tracked files by the bytes on disk, with the commit', async () => {
    const at = repository({ 'src/a.js': 'a', 'odd "name"\n': 'b', 'ü.txt': 'c', '.gitignore': 'ignored\n' })
    writeFileSync(join(at, 'ignored'), '')
    writeFileSync(join(at, 'untracked'), '')
    const link = await recordSource({ cwd: at })
    expect(Object.keys(link.products).sort()).toEqual(['.gitignore', 'odd "name"\n', 'src/a.js', 'ü.txt'])
    expect(link.products['src/a.js']).toEqual({ sha256: sha256('a') })
    expect(link.byproducts).toEqual({ git: { commit: git(at, 'rev-parse', 'HEAD'), dirty: false } })
    expect([link.name, link.materials, link.command]).toEqual(['source', {}, []])
  })

  it('records changed bytes as they are and says that the tree is dirty', async () => {
    const at = repository({ a: 'a', b: 'b', c: 'c' })
    appendFileSync(join(at, 'a'), '!')
    rmSync(join(at, 'b'))
    const link = await recordSource({ cwd: at, step: 'checkout' })
    expect(link.name).toBe('checkout')
    expect(Object.keys(link.products).sort()).toEqual(['a', 'c'])
    expect(link.products['a']).toEqual({ sha256: sha256('a!') })
    expect(link.byproducts['git']).toMatchObject({ dirty: true })
  })

  it('takes a staged file for tracked, and a tree before its first commit for dirty', async () => {
    const at = folder({ a: 'a' })
    git(at, 'init', '-q')
    git(at, 'add', 'a')
    expect((await recordSource({ cwd: at })).byproducts).toEqual({ git: { dirty: true } })
  })

  it('records only what is below the folder, named from the base', async () => {
    const at = repository({ 'packages/a/x': 'x', 'packages/b/y': 'y', z: 'z' })
    const cwd = join(at, 'packages/a')
    expect(Object.keys((await recordSource({ cwd })).products)).toEqual(['x'])
    expect(Object.keys((await recordSource({ cwd, base: at })).products)).toEqual(['packages/a/x'])
    expect(Object.keys((await recordSource({ cwd, base: join(at, 'packages/b') })).products)).toEqual(['../a/x'])
  })

  it('records files that look like links and folders that are excluded elsewhere, when they are tracked', async () => {
    const names = ['build.0a1b2c3d.link', 'node_modules/a.js', 'x~']
    const at = repository(Object.fromEntries(names.map((name) => [name, name])))
    expect(Object.keys((await recordSource({ cwd: at })).products).sort()).toEqual(names)
  })

  it('follows tracked links to files, leaves links to folders to the files themselves, and warns of links to nothing', async () => {
    const at = folder({ 'real/a': 'x' })
    symlinkSync('real/a', join(at, 'file'))
    symlinkSync('real', join(at, 'folder'))
    symlinkSync('nowhere', join(at, 'dangling'))
    symlinkSync('loop', join(at, 'loop'))
    git(at, 'init', '-q')
    git(at, 'add', '-A')
    const warned: Problem[] = []
    const link = await recordSource({ cwd: at, warn: (problem) => warned.push(problem) })
    expect(Object.keys(link.products).sort()).toEqual(['file', 'real/a'])
    expect(link.products['file']).toEqual({ sha256: sha256('x') })
    expect(warned.map(({ code, file }) => [code, file])).toEqual(['dangling', 'loop'].map((name) => ['E_NOT_RECORDED', join(at, name)]))
  })

  it('records the files of a submodule that is checked out, and warns of one that is not', async () => {
    const inner = repository({ i: 'inner' })
    const at = repository({ o: 'outer' })
    git(at, 'submodule', 'add', '-q', inner, 'sub')
    git(at, 'commit', '-q', '-m', 'with submodule')
    expect(Object.keys((await recordSource({ cwd: at })).products).sort()).toEqual(['.gitmodules', 'o', 'sub/i'])
    const clone = join(folder(), 'clone')
    git(at, 'clone', '-q', at, clone)
    const warned: Problem[] = []
    expect(Object.keys((await recordSource({ cwd: clone, warn: (problem) => warned.push(problem) })).products).sort()).toEqual([
      '.gitmodules',
      'o',
    ])
    expect(warned.map(({ file }) => file)).toEqual([join(clone, 'sub')])
  })

  it('lists a file in a merge conflict once', async () => {
    const at = repository({ a: 'base\n' })
    git(at, 'checkout', '-q', '-b', 'other')
    writeFileSync(join(at, 'a'), 'theirs\n')
    git(at, 'commit', '-qam', 'theirs')
    git(at, 'checkout', '-q', 'main')
    writeFileSync(join(at, 'a'), 'ours\n')
    git(at, 'commit', '-qam', 'ours')
    expect(() => git(at, 'merge', 'other')).toThrow()
    const link = await recordSource({ cwd: at })
    expect(Object.keys(link.products)).toEqual(['a'])
    expect(link.byproducts['git']).toMatchObject({ dirty: true })
  })

  describe.skipIf(process.platform === 'win32')('runs no program that the repository configures', () => {
    it('when files have to be compared, and takes what a filter of the repository has changed for a difference', async () => {
      const at = repository({ a: 'a' })
      const traps = trapsIn(folder())
      setTraps(at, traps)
      expect((await recordSource({ cwd: at })).byproducts['git']).toEqual({ commit: git(at, 'rev-parse', 'HEAD'), dirty: false })
      expect(await gitStateLater(at)).toEqual(gitState(at))
      writeFileSync(join(at, 'a'), 'b')
      expect(gitState(at)).toMatchObject({ dirty: true })
      expect(traps.ran()).toBe('')
    })

    it('nor one of a submodule', async () => {
      const at = repository({ o: 'outer' })
      git(at, 'submodule', 'add', '-q', repository({ i: 'inner' }), 'sub')
      git(at, 'commit', '-q', '-m', 'with submodule')
      const traps = trapsIn(folder())
      git(join(at, 'sub'), 'config', 'filter.inner.clean', traps.program('clean'))
      git(join(at, 'sub'), 'config', 'core.fsmonitor', traps.program('monitor'))
      writeFileSync(join(at, '.git/modules/sub/info/attributes'), '* filter=inner\n')
      utimesSync(join(at, 'sub/i'), new Date(0), new Date(0))
      expect(gitState(at)).toMatchObject({ dirty: false })
      expect(await gitStateLater(at)).toMatchObject({ dirty: false })
      writeFileSync(join(at, 'sub/i'), 'other')
      expect(gitState(at)).toMatchObject({ dirty: true })
      expect((await recordSource({ cwd: at })).byproducts['git']).toMatchObject({ dirty: true })
      expect(traps.ran()).toBe('')
    })

    it.each(['HEAD', 'HEAD:', 'HEAD:a'])('nor the network, for what a partial clone lacks: %s', async (name) => {
      const at = repository({ a: 'a', b: 'b' })
      const traps = trapsIn(folder())
      setTraps(at, traps)
      const staged = ['--force-remove', 'a', '--add', '--cacheinfo', `100644,${git(at, 'rev-parse', 'HEAD:b')},c`]
      git(at, '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', 'update-index', ...staged)
      loseObject(at, name)
      if (name === 'HEAD:a') expect((await recordSource({ cwd: at })).byproducts['git']).toMatchObject({ dirty: true })
      else expect((await problemOf(() => recordSource({ cwd: at }), 'E_CONFIG')).message).toContain('git cannot compare')
      await gitStateLater(at)
      expect(traps.ran()).toBe('')
    })

    it('nor a filter of a name that can’t be switched off', async () => {
      const at = repository({ a: 'a', '.gitattributes': '* filter=x=y' })
      const traps = trapsIn(folder())
      git(at, 'config', 'filter.x=y.clean', traps.program('clean'))
      utimesSync(join(at, 'a'), new Date(0), new Date(0))
      await problemOf(() => recordSource({ cwd: at }), 'E_CONFIG')
      expect(traps.ran()).toBe('')
    })

    it('but asks the filters that the user has, so that files in Git LFS are not taken for changed', () => {
      const at = repository({ a: 'a', '.gitattributes': 'a filter=up' })
      const home = folder({ '.gitconfig': '[filter "up"]\n\tclean = tr b a\n' })
      writeFileSync(join(at, 'a'), 'b')
      vi.stubEnv('HOME', home)
      vi.stubEnv('XDG_CONFIG_HOME', home)
      expect(gitState(at)).toMatchObject({ dirty: false })
      git(at, 'config', 'filter.up.clean', 'tr b a')
      expect(gitState(at)).toMatchObject({ dirty: true })
      vi.unstubAllEnvs()
    })
  })

  it('refuses a folder that is no working tree, with the reason', async () => {
    const at = folder({ a: 'a' })
    expect((await problemOf(() => recordSource({ cwd: at }), 'E_CONFIG')).message).toContain('not a git repository')
    await problemOf(() => recordSource({ cwd: join(at, 'absent') }), 'E_CONFIG')
    mkdirSync(join(at, 'bare'))
    git(join(at, 'bare'), 'init', '-q', '--bare')
    await problemOf(() => recordSource({ cwd: join(at, 'bare') }), 'E_CONFIG')
    expect(gitState(at)).toBeUndefined()
  })

  it.skipIf(process.platform !== 'linux')('refuses a tracked name that is not UTF-8', async () => {
    const at = repository({ a: 'a' })
    writeFileSync(Buffer.concat([Buffer.from(`${at}/b`), Buffer.from([0xff])]), '')
    git(at, 'add', '-A')
    expect((await problemOf(() => recordSource({ cwd: at }), 'E_IO')).message).toContain('b\\xff')
  })
})
