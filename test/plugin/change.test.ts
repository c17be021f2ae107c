import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildAll, engines, librarySource, linkName, sha256, smallProject, type Ended, type Outcomes, type Project } from './project.ts'

const changes = {
  after: { hooks: `renderStart() { fs.writeFileSync('src/part.js', 'export const part = 666\\n') }` },
  swap: {
    hooks: `buildStart() {
      globalThis.times = fs.statSync('src/part.js')
      fs.writeFileSync('src/part.js', 'export const part = "EVIL"\\n')
    },
    buildEnd() {
      fs.writeFileSync('src/part.js', 'export const part = 41\\n'); fs.utimesSync('src/part.js', globalThis.times.atime, globalThis.times.mtime)
    }`,
  },
  move: {
    hooks: `buildStart() { fs.renameSync('src/part.js', 'src/part.good'); fs.writeFileSync('src/part.js', 'export const part = "EVIL"\\n') },
    buildEnd() { fs.renameSync('src/part.good', 'src/part.js') }`,
  },
  folder: {
    files: {
      'src/main.js': `export { part } from './deep/part.js'`,
      'src/deep/part.js': 'export const part = 1',
      'evil/part.js': 'export const part = "EVIL"',
    },
    hooks: `buildStart() { fs.renameSync('src/deep', 'src/good'); fs.renameSync('evil', 'src/deep') },
    buildEnd() { fs.renameSync('src/deep', 'evil'); fs.renameSync('src/good', 'src/deep') }`,
  },
  place: {
    files: { 'src/main.js': `export { old } from '../dist/main.js'`, 'dist/main.js': 'export const old = 1' },
  },
  link: {
    files: { 'src/other.js': 'export const part = 2' },
    hooks: `renderStart() { fs.rmSync('src/part.js'); fs.symlinkSync('other.js', 'src/part.js') }`,
  },
  gone: { hooks: `writeBundle() { fs.rmSync('src/part.js') }` },
  strict: { options: 'strict: true', hooks: `load(id) { return id.endsWith('part.js') ? 'export const part = "EVIL"' : null }` },
}

describe.each(engines)('a source that changes during the build, by %s', (bundler) => {
  let project: Project
  let ended: Outcomes
  beforeAll(async () => {
    ;({ project, ended } = await buildAll(bundler, 'changes', changes))
  })

  it.each([
    ['after its bytes were read', 'after', 'src/part.js'],
    ['by being swapped and restored around the reading, dates and all', 'swap', 'src/part.js'],
    ['by being moved away and back', 'move', 'src/part.js'],
    ['by its folder being moved away and back', 'folder', 'src/deep'],
    ['by being replaced by a link to an older file', 'link', 'src/part.js'],
    ['by being removed', 'gone', 'src/part.js'],
    ['by being overwritten with the output', 'place', 'dist/main.js'],
    ['in a way that no clock shows, with strict', 'strict', 'src/part.js'],
  ])('fails the build: %s', (_, name, file) => {
    expect(ended.outcome(name)).toMatch(new RegExp(`^(\\[in-toto\\] |\\[plugin in-toto\\] )?E_CHANGED_DURING_BUILD ${file} `))
    expect(project.links(name)).toEqual([])
  })

  it('was read in its evil form, and has its good one now', () => {
    for (const name of ['swap', 'move', 'folder']) {
      expect(
        project
          .files(`${name}/dist`)
          .map((file) => project.read(file))
          .join(),
      ).toContain('EVIL')
      expect(project.read(name === 'folder' ? 'folder/src/deep/part.js' : `${name}/src/part.js`)).not.toContain('EVIL')
    }
  })

  it('says what to do', () => {
    expect(ended.outcome('after')).toContain("if this build makes the file itself: inToto({ generated: ['src/part.js'] })")
    expect(ended.outcome('folder')).toContain('this folder was renamed')
    expect(ended.outcome('gone')).toContain('removed while the build ran')
    expect(ended.outcome('strict')).toContain('the bundler read other content than the file holds')
  })

  it('fails the process too, whatever the script swallowed', () => {
    expect(ended.code).toBe(1)
  })
})

const honest = {
  generated: {
    options: `generated: 'src/part.js'`,
    hooks: `buildStart() { fs.writeFileSync('src/part.js', 'export const part = 43\\n') }`,
  },
  decided: {
    options: `onError: (error) => console.log('told of', error.code)`,
    hooks: `renderStart() { fs.appendFileSync('src/part.js', '//') }`,
  },
  before: { before: `fs.writeFileSync('src/part.js', 'export const part = 44\\n')` },
  strict: { options: 'strict: true', files: { 'src/part.js': '\ufeffexport const part = 45\n' } },
  scanned: {
    files: { 'dist/main.js': 'export const old = 1', 'dist/deep/gone.js': '' },
    hooks: `load(id) { for (const name of ['main.js', 'deep/gone.js']) if (id.endsWith('part.js')) this.addWatchFile(process.cwd() + '/dist/' + name); return null },
    renderStart() { fs.rmSync('dist/deep', { recursive: true, force: true }) }`,
  },
  other: { hooks: `renderStart() { fs.writeFileSync('notes.md', 'two') }`, files: { 'notes.md': 'one' } },
}

describe.each(engines)('a build that may go on, by %s', (bundler) => {
  let project: Project
  let ended: Outcomes
  beforeAll(async () => {
    ;({ project, ended } = await buildAll(bundler, 'honest', honest))
  })

  it('ends well', () => {
    for (const name of Object.keys(honest)) expect(ended.outcome(name), name).toBe('built')
    expect(ended.code, ended.text).toBe(0)
  })

  it('has an intermediate, when it makes a file and says so', async () => {
    const { materials, byproducts } = await project.link(`generated/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual(['package.json', 'src/main.js'])
    expect(byproducts['generated']).toEqual({ 'src/part.js': { sha256: sha256(project.path('generated/src/part.js')) } })
  })

  it('gets no link but no refusal either, when onError decides so', () => {
    expect(ended.stdout).toContain('told of E_CHANGED_DURING_BUILD')
    expect(project.links('decided')).toEqual([])
  })

  it('says which files of an earlier build plugins looked at, before they were overwritten', async () => {
    const { materials, byproducts } = await project.link(`scanned/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual(['package.json', 'src/main.js', 'src/part.js'])
    expect(byproducts['overwritten']).toEqual(['dist/deep/gone.js', 'dist/main.js'])
    expect(ended.text).toContain('plugins looked at 2 files of an earlier build (dist/')
  })

  it('records what was written just before, what has a byte order mark, and not what is no input', async () => {
    for (const name of ['before', 'strict', 'other']) {
      const { materials } = await project.link(`${name}/dist/${linkName}`)
      expect(Object.keys(materials)).toEqual(['package.json', 'src/main.js', 'src/part.js'])
      expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path(name, 'src/part.js')) })
    }
  })
})

describe('a configuration', () => {
  it('fails the build when it changed after the command began', async () => {
    const project = smallProject('config', 'vite')
    project.write('title.mjs', 'export const title = 1\n')
    project.write(
      'vite.config.mjs',
      `import fs from 'node:fs'
import inToto from 'unplugin-in-toto/vite'
import { title } from './title.mjs'
fs.writeFileSync('title.mjs', 'export const title = 2\\n')
export default { plugins: [inToto()], define: { title }, build: { lib: { entry: 'src/main.js', formats: ['es'] } } }`,
    )
    const ended = await project.bin('vite', ['build'])
    expect(ended.text).toContain('E_CHANGED_DURING_BUILD title.mjs')
    expect(ended.text).not.toMatch(/^\s+at /m)
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it('was not changed by being written just before the command, though a busy machine holds the process up while it reads the clock', async () => {
    const project = smallProject('held', 'vite')
    project.write(
      'held.cjs',
      `const fs = require('node:fs')
const look = fs.fstatSync
let left = 2
fs.fstatSync = (...args) => {
  const stats = look(...args)
  if (stats.nlink === 0 && left-- > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
  return stats
}
require('node:module').syncBuiltinESMExports()
process.on('exit', () => left > 0 || console.log('held up twice'))`,
    )
    project.write(
      'vite.config.mjs',
      `import inToto from 'unplugin-in-toto/vite'
export default { plugins: [inToto()], build: { lib: { entry: 'src/main.js', formats: ['es'] } } }`,
    )
    const ended = await project.node(['--require', './held.cjs', project.path('node_modules/.bin/vite'), 'build'])
    expect(ended.text).toContain('held up twice')
    expect(ended.code, ended.text).toBe(0)
    expect(Object.keys((await project.link()).materials)).toContain('vite.config.mjs')
  })
})

/** Lays an overlay over a project, as a container lays it over its image. False where that is not permitted. */
function mountOver({ dir }: Project, options = ''): boolean {
  for (const layer of ['upper', 'work']) mkdirSync(`${dir}-${layer}`)
  try {
    const layers = `lowerdir=${dir},upperdir=${dir}-upper,workdir=${dir}-work${options}`
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a folder that overlayfs copies up at the first change below it', () => {
  /** A folder with the marks of a copy, and a script that takes every disk for an overlay. */
  const marks = `{ name: 'copier', renderStart() {
    const { atime, mtime } = fs.statSync('src')
    fs.writeFileSync('src/list.txt', 'new'); fs.utimesSync('src', atime, mtime); fs.appendFileSync('src/list.txt', '!')
  } }`
  const everywhere = `const { default: system } = await import('node:fs')
system.statfsSync = () => ({ type: 0x794c7630 })
;(await import('node:module')).syncBuiltinESMExports()`

  it('is not taken for one that was moved, but on other file systems it is', async () => {
    for (const [before, code] of [
      [everywhere, 0],
      ['', 1],
    ] as const) {
      const project = smallProject('copied', 'rollup')
      const ended = await project.script(librarySource('rollup', { plugins: marks, before }))
      expect(ended.code, ended.text).toBe(code)
      expect(ended.text.includes('E_CHANGED_DURING_BUILD src this folder was renamed')).toBe(code === 1)
    }
  })

  it('is none on a real overlay, where such can be mounted, and one that was moved still is', async () => {
    const project = smallProject('overlay', 'vite')
    for (const name of ['dist/main.js', 'src/list.txt', 'src/deep/more.js', 'evil/more.js']) project.write(name, 'export const more = 1')
    project.write('src/main.js', `export { part } from './part.js'\nexport { more } from './deep/more.js'`)
    const build = (hooks: string): Promise<Ended> => project.script(librarySource('vite', { plugins: `{ name: 'meddler', ${hooks} }` }))
    const attack = `buildStart() { fs.renameSync('src/deep', 'src/good'); fs.renameSync('evil', 'src/deep') },
      buildEnd() { fs.renameSync('src/deep', 'evil'); fs.renameSync('src/good', 'src/deep') }`
    if (!mountOver(project, ',redirect_dir=on')) return void process.stdout.write('not tested on overlayfs: it cannot be mounted here\n')
    try {
      const honest = await build(`renderStart() { fs.writeFileSync('src/list.txt', 'new') }`)
      expect(honest.code, honest.text).toBe(0)
      expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
      expect((await build(attack)).text).toContain('E_CHANGED_DURING_BUILD src/deep this folder was renamed')
      expect(project.links()).toEqual([])
    } finally {
      execFileSync('umount', [project.dir])
    }
  })
})
