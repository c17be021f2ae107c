import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Artifacts, Problem } from 'intoto'
import { excludedByDefault, recordArtifacts, recordArtifactsSync, type RecordOptions } from 'intoto/node'
import { folder, problemOf, replaceFs, runScript } from './place.ts'

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

/** Both ways of recording, which must agree. */
async function record(paths: readonly string[], o: RecordOptions): Promise<Artifacts> {
  const artifacts = recordArtifactsSync(paths, o)
  expect(await recordArtifacts(paths, o)).toEqual(artifacts)
  return artifacts
}

describe('recordArtifacts', () => {
  it('records files and folders by their names below the base, with sha256 alone', async () => {
    const base = folder({ 'src/a.js': 'a', 'src/b/c.js': 'c', 'package.json': '{}' })
    const artifacts = await record(['src', 'package.json'], { base })
    expect(Object.keys(artifacts).sort()).toEqual(['package.json', 'src/a.js', 'src/b/c.js'])
    expect(artifacts['src/b/c.js']).toEqual({ sha256: sha256('c') })
  })

  it('starts from the working directory without a base', async () => {
    const base = folder({ a: 'a' })
    const code = `console.log(JSON.stringify([n.recordArtifactsSync(['.']), await n.recordArtifacts(['./a'])]))`
    expect(JSON.parse(runScript(code, { cwd: base }).stdout)).toEqual([{ a: { sha256: sha256('a') } }, { a: { sha256: sha256('a') } }])
  })

  it('cleans names as the reference does', async () => {
    const base = folder({ 'in/a': 'a', 'in/d/x': 'x', b: 'b' })
    const o = { base: join(base, 'in') }
    expect(Object.keys(await record(['./a', 'd/../d//x', '../b', './'], o)).sort()).toEqual(['../b', 'a', 'd/x'])
    expect(Object.keys(await record([join(base, 'b')], o))).toEqual([join(base, 'b').replaceAll('\\', '/')])
  })

  it('returns a record without a prototype, so that every name is a name', async () => {
    const base = folder({ ['__proto__']: 'p', constructor: 'c', toString: 't' })
    const artifacts = await record(['.'], { base })
    expect(Object.getPrototypeOf(artifacts)).toBeNull()
    expect(Object.keys(artifacts).sort()).toEqual(['__proto__', 'constructor', 'toString'])
    expect(Object.entries(artifacts).find(([name]) => name === '__proto__')?.[1]).toEqual({ sha256: sha256('p') })
  })

  it('records other digests on request', async () => {
    const base = folder({ a: 'a' })
    const { a } = await record(['a'], { base, algorithms: ['sha256', 'sha512'] })
    expect(a).toEqual({ sha256: sha256('a'), sha512: createHash('sha512').update('a').digest('hex') })
  })

  it('leaves out by default what is no artifact, and nothing that only looks like it', async () => {
    const out = [
      '.git/HEAD',
      'sub/.git/HEAD',
      'build.0a1b2c3d.link',
      'sub/test.ABCDEF01.link',
      '.build.0a1b2c3d.link-unfinished',
      'node_modules/x/index.js',
      'sub/node_modules/y.js',
    ]
    const kept = [
      'evil.link.js',
      'a.link',
      'x.js~',
      'y.pyc',
      '.gitignore',
      'build.0a1b2c3.link',
      'build.0a1b2c3g.link',
      '.build.0a1b2c3d.link',
      'build.0a1b2c3d.link-unfinished',
    ]
    // A name of exactly the form of a link is left out even with a dot in front: a step may be called ".build".
    const hidden = kept.splice(kept.indexOf('.build.0a1b2c3d.link'), 1)
    const base = folder(Object.fromEntries([...out, ...kept, ...hidden].map((name) => [name, 'x'])))
    expect(Object.keys(await record(['.'], { base })).sort()).toEqual(kept.sort())
    expect(Object.keys(await record(['./'], { base })).sort()).toEqual(kept.sort())
    expect(Object.keys(await record(['node_modules', 'sub'], { base })).sort()).toEqual([
      'node_modules/x/index.js',
      'sub/node_modules/y.js',
    ])
    expect(Object.keys(await record(['.git/HEAD', 'build.0a1b2c3d.link'], { base }))).toEqual([])
    expect(excludedByDefault('.')('.git', true)).toBe(true)
  })

  it('puts a predicate in the place of the default exclusions, also for what is named', async () => {
    const base = folder({ '.git/HEAD': 'x', 'dist/a': 'a', 'dist/b': 'b', 'src/c': 'c' })
    const exclude = (name: string): boolean => name === 'dist/a' || name === 'src'
    expect(Object.keys(await record(['.'], { base, exclude })).sort()).toEqual(['.git/HEAD', 'dist/b'])
    expect(Object.keys(await record(['dist/a', 'src/c', 'dist/b'], { base, exclude }))).toEqual(['dist/b'])
  })

  it('warns of a path that does not exist, and refuses it when strict', async () => {
    const base = folder({ a: 'a' })
    const warned: Problem[] = []
    expect(Object.keys(recordArtifactsSync(['a', 'absent'], { base, warn: (problem) => warned.push(problem) }))).toEqual(['a'])
    expect(warned).toHaveLength(1)
    expect(warned[0]).toMatchObject({ code: 'E_NOT_RECORDED', severity: 'warning', file: 'absent' })
    expect((await problemOf(() => record(['absent'], { base, strict: true }), 'E_NOT_RECORDED')).message).toContain('absent')
  })

  it('takes a name that is given twice once, and hashes it once', () => {
    const base = folder({ 'a/x': 'x' })
    let opened = 0
    replaceFs('openSync', (real) => (...args) => {
      opened++
      return real(...args)
    })
    expect(Object.keys(recordArtifactsSync(['a', 'a/x', './a/../a/x'], { base }))).toEqual(['a/x'])
    expect(opened).toBe(1)
  })

  it('hashes the target of a named link, and follows a named link to a folder', async () => {
    const base = folder({ 'real/x': 'x' })
    symlinkSync('real', join(base, 'also'))
    symlinkSync('real/x', join(base, 'link'))
    expect(await record(['also', 'link'], { base })).toEqual({ 'also/x': { sha256: sha256('x') }, link: { sha256: sha256('x') } })
  })

  it('strips the first prefix that fits, to the letter', async () => {
    const base = folder({ 'dist/a': 'a', 'dister/b': 'b', 'src/c': 'c' })
    expect(Object.keys(await record(['.'], { base, lstrip: ['dist/', 'src'] })).sort()).toEqual(['/c', 'a', 'dister/b'])
  })

  it('refuses two files under one name, a name that is stripped away, and prefixes that overlap', async () => {
    const base = folder({ 'a/x': 'same', 'b/x': 'same', y: 'y' })
    const problem = await problemOf(() => record(['a', 'b'], { base, lstrip: ['a/', 'b/'] }), 'E_CONFIG')
    expect(problem.message).toContain('a/x')
    expect(problem.message).toContain('b/x')
    await problemOf(() => record(['y'], { base, lstrip: ['y'] }), 'E_CONFIG')
    await problemOf(() => record(['y'], { base, lstrip: ['a/', 'a/b/'] }), 'E_CONFIG')
    await problemOf(() => record(['y'], { base, lstrip: ['a/b/', 'a/'] }), 'E_CONFIG')
  })

  it('knows the file: and dir: resolvers of ITE-4, with the digests of the reference', async () => {
    const base = folder({ 'd/b/y': 'y\n', 'd/a-x': 'x\n', 'd/a/z': 'z\n' })
    mkdirSync(join(base, 'empty'))
    const artifacts = await record(['file:d', 'dir:d', 'dir:empty'], { base })
    const lines = `${sha256('x\n')}  a-x\n${sha256('z\n')}  a/z\n${sha256('y\n')}  b/y\n`
    expect(Object.keys(artifacts).sort()).toEqual(['dir:d', 'dir:empty', 'file:d/a-x', 'file:d/a/z', 'file:d/b/y'])
    expect(artifacts['dir:d']).toEqual({ sha256: sha256(lines) })
    expect(artifacts['dir:empty']).toEqual({ sha256: sha256('') })
    await problemOf(() => record(['dir:absent'], { base }), 'E_IO')
    await problemOf(() => record(['dir:d/a-x'], { base }), 'E_IO')
    await problemOf(() => record(['ostree:main'], { base }), 'E_UNSUPPORTED')
  })

  it('fails for a file that goes away, and never leaves it out', async () => {
    const base = folder({ a: 'a', b: 'b', c: 'c' })
    replaceFs('openSync', (real) => (path, ...rest) => {
      if (String(path).endsWith('a')) unlinkSync(join(base, 'b'))
      return real(path, ...rest)
    })
    const problem = await problemOf(() => recordArtifactsSync(['.'], { base }), 'E_CHANGED_DURING_BUILD')
    expect(problem.message).toContain('b')
  })

  it('gives whole digests or a failure while files come and go', async () => {
    const base = folder(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, `content ${i}`])))
    const known = new Set(Array.from({ length: 40 }, (_, i) => sha256(`content ${i}`)))
    for (let round = 0; round < 8; round++) {
      let count = 0
      replaceFs('openSync', (real) => (...args) => {
        const i = count++ % 40
        if (i % 5 === 0) {
          writeFileSync(join(base, `new${i}`), `content ${i}`)
          renameSync(join(base, `new${i}`), join(base, `f${39 - i}`))
        }
        return real(...args)
      })
      const artifacts = recordArtifactsSync(['.'], { base })
      expect(Object.keys(artifacts)).toHaveLength(40)
      for (const digests of Object.values(artifacts)) expect(known.has(digests['sha256'] ?? '')).toBe(true)
    }
  })

  it.skipIf(process.platform === 'win32')('records 3,000 files with 64 descriptors', () => {
    const base = folder()
    for (let i = 0; i < 3_000; i++) writeFileSync(join(base, String(i)), `${i}`)
    const code = `console.log(Object.keys(await n.recordArtifacts(['.'])).length, Object.keys(n.recordArtifactsSync(['.'])).length)`
    expect(runScript(code, { cwd: base, shell: 'ulimit -n 64' })).toMatchObject({ status: 0, stdout: '3000 3000\n' })
  })

  it.skipIf(process.platform === 'win32')('says so when the working directory is gone', () => {
    const base = folder({ 'gone/a': 'a' })
    const code = `fs.rmSync(process.cwd(), { recursive: true })
      try { n.recordArtifactsSync(['.'], { strict: true }); console.log('recorded') } catch (error) { console.log(error.code) }`
    const { stdout, stderr } = runScript(code, { cwd: join(base, 'gone') })
    expect(stdout).toMatch(/^E_(IO|NOT_RECORDED|CHANGED_DURING_BUILD)\n$/)
    expect(stderr).toBe('')
  })

  it('ends in a failure beyond the limit of artifacts', async () => {
    const base = folder({ a: '', b: '', c: '' })
    expect(Object.keys(await record(['.'], { base, limit: 3 }))).toHaveLength(3)
    await problemOf(() => record(['.'], { base, limit: 2 }), 'E_IO')
    rmSync(base, { recursive: true })
  })

  it.skipIf(process.platform === 'win32')('is not held up by a FIFO that is named', async () => {
    const base = folder({ a: '' })
    spawnSync('mkfifo', [join(base, 'fifo')])
    expect(Object.keys(await record(['fifo', 'a'], { base }))).toEqual(['a'])
    await problemOf(() => record(['fifo'], { base, strict: true }), 'E_NOT_RECORDED')
  })
})
