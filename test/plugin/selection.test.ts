import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { loseObject, setTraps, trapsIn } from '../node/trap.ts'
import { buildAll, digestBy, librarySource, linkName, Project, sha256, smallProject, type Outcomes } from './project.ts'

const files = {
  'letters/a.txt': 'a',
  'letters/b.txt': 'b',
  '.hidden/c.txt': 'c',
  'node_modules/dep/package.json': '{ "name": "dep" }',
  'node_modules/dep/index.js': 'export const dep = 1',
}
const uses = {
  ...files,
  'src/main.js': `import { dep } from 'dep'\nimport { part } from './part.js'\nexport const main = part + dep`,
  'package-lock.json': '{}',
}
const resolver = `resolveId(id) { return id === 'dep' ? process.cwd() + '/node_modules/dep/index.js' : null }`
const selections = {
  none: { files: uses, hooks: resolver },
  include: { files: uses, hooks: resolver, options: `materials: { include: ['letters/*.txt', '.hidden/**'], exclude: '**/b.txt' }` },
  linked: {
    files: { ...uses, 'shared/d.txt': 'd' },
    hooks: resolver,
    options: `materials: { include: 'letters/*.txt', exclude: '**/b.txt' }`,
    before: `fs.symlinkSync('../shared/d.txt', 'letters/d.txt'); fs.symlinkSync('a.txt', 'letters/e.txt')`,
  },
  nothing: { options: `products: { include: 'nothing/**' }` },
  sources: { files: uses, hooks: resolver, options: `dependencies: 'none'` },
  locked: { files: uses, hooks: resolver, options: `dependencies: 'lockfile'` },
  both: { files: uses, hooks: resolver, options: `hash: ['sha256', 'sha512']` },
  silent: { options: 'silent: true' },
  disabled: { options: 'disable: true', files: { 'dist/build.0123abcd.link': 'of an earlier build' } },
  command: { options: `command: ['npm', 'run', 'build']` },
}

describe('options', () => {
  let project: Project
  let ended: Outcomes
  const materials = async (name: string): Promise<string[]> => Object.keys((await project.link(`${name}/dist/${linkName}`)).materials)
  beforeAll(async () => {
    ;({ project, ended } = await buildAll('rollup', 'selections', selections))
    for (const name of Object.keys(selections)) expect(ended.outcome(name), name).toBe('built')
    expect(ended.code, ended.text).toBe(0)
  })

  it('add files to the materials and leave others out', async () => {
    const all = [
      'node_modules/dep/index.js',
      'node_modules/dep/package.json',
      'package-lock.json',
      'package.json',
      'src/main.js',
      'src/part.js',
    ]
    expect(await materials('none')).toEqual(all)
    expect(await materials('include')).toEqual([...all, '.hidden/c.txt', 'letters/a.txt'].sort())
    // What a link leads to is the file that it leads to.
    expect(await materials('linked')).toEqual([...all, 'letters/a.txt', 'shared/d.txt'].sort())
  })

  it('leave out dependencies, with or without the lockfile', async () => {
    expect(await materials('sources')).toEqual(['package.json', 'src/main.js', 'src/part.js'])
    expect(await materials('locked')).toEqual(['package-lock.json', 'package.json', 'src/main.js', 'src/part.js'])
  })

  it('add sha512 in byproducts, and nowhere that others compare', async () => {
    const link = await project.link(`both/dist/${linkName}`)
    const sha512 = link.byproducts['sha512'] as Record<'materials' | 'products', Record<string, string>>
    expect(Object.keys(sha512.materials).sort()).toEqual(Object.keys(link.materials))
    expect(Object.keys(sha512.products)).toEqual(['dist/main.js'])
    expect(sha512.products['dist/main.js']).toBe(digestBy('sha512', project.path('both/dist/main.js')))
    expect(Object.values(link.materials).every((digests) => Object.keys(digests).join() === 'sha256')).toBe(true)
  })

  it('name the command', async () => {
    expect((await project.link(`command/dist/${linkName}`)).command).toEqual(['npm', 'run', 'build'])
    expect((await project.link(`silent/dist/${linkName}`)).command).toEqual(['node', '../build.mjs'])
  })

  it('that leave nothing of what was written are said to', () => {
    expect(ended.text).toContain('build: no link: the option products leaves none of the files that were written')
    expect(ended.text).not.toContain('this build wrote no file')
    expect(project.links('nothing')).toEqual([])
  })

  it('print nothing, or do nothing', () => {
    expect(ended.text.split('(signed)')).toHaveLength(Object.keys(selections).length - 3 + 1)
    expect(project.read('disabled/dist/build.0123abcd.link')).toBe('of an earlier build')
    expect(project.files('disabled/dist')).toEqual(['disabled/dist/build.0123abcd.link', 'disabled/dist/main.js'])
  })

  it('that contradict each other are refused', async () => {
    const two = smallProject('contradiction', 'rollup')
    const script = librarySource('rollup', { plugins: `inToto({ format: 'metablock' })` })
    const { text, code } = await two.script(script)
    expect(text).toContain('E_CONFIG two plugins of the step "build" disagree on the option "format"')
    expect(code).toBe(1)
    expect(two.links()).toEqual([])
  })
})

describe('byproducts', () => {
  it('say which commit was built, and whether the tree was clean', async () => {
    const project = smallProject('git', 'rollup')
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@registry.example', ...args], { cwd: project.dir, encoding: 'utf8' })
    project.write('.gitignore', 'node_modules\ndist\n')
    project.write('build.mjs', librarySource('rollup'))
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'one')
    expect((await project.node(['build.mjs'])).code).toBe(0)
    const commit = git('rev-parse', 'HEAD').trim()
    expect((await project.link()).byproducts['source']).toEqual({ commit, dirty: false })
    project.write('src/part.js', 'export const part = 2')
    expect((await project.node(['build.mjs'])).code).toBe(0)
    const { byproducts } = await project.link()
    expect(byproducts['source']).toEqual({ commit, dirty: true })
    expect(Number.isSafeInteger(byproducts['duration-ms'])).toBe(true)
    expect(byproducts['return-value']).toBe(0)
  })

  it.skipIf(process.platform === 'win32')('say so without a program that the repository names, and without the network', async () => {
    const project = smallProject('git-traps', 'rollup')
    project.write('.gitignore', 'node_modules\ndist\n')
    project.write('build.mjs', librarySource('rollup'))
    project.write('preset.mjs', librarySource('rollup', { options: `preset: 'devguard'` }))
    const traps = trapsIn(mkdtempSync(`${project.dir}-traps-`))
    setTraps(project.dir, traps)
    expect((await project.node(['build.mjs'])).code).toBe(0)
    expect((await project.link()).byproducts['source']).toMatchObject({ dirty: false })
    loseObject(project.dir, 'HEAD')
    expect((await project.node(['build.mjs'])).code).toBe(0)
    expect((await project.link()).byproducts).not.toHaveProperty('source')
    expect((await project.node(['preset.mjs'])).code).toBe(0)
    expect(traps.ran()).toBe('')
  })
})

describe('a watch', () => {
  const watcher = (options: string): string => `import fs from 'node:fs'
import { watch } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
const watcher = watch({ input: 'src/main.js', plugins: [inToto({ ${options} })], output: { dir: 'dist' }, watch: { skipWrite: false } })
let builds = 0
watcher.on('event', async (event) => {
  if (event.code === 'ERROR') console.log('failed', event.error.message)
  if (event.code === 'ERROR') setTimeout(() => fs.writeFileSync('src/part.js', 'export const part = 3'), 100)
  if (event.code !== 'BUNDLE_END') return
  await event.result.close()
  console.log('links', fs.readdirSync('dist').filter((name) => name.endsWith('.link')).length)
  if (++builds === 1) setTimeout(() => fs.writeFileSync('src/part.js', 'export const part = ='), 100)
  else { await watcher.close(); process.exit(130) }
})`

  it('records nothing, and takes away what would look like evidence', async () => {
    const project = smallProject('watch', 'rollup')
    project.write('dist/build.0123abcd.link', 'of an earlier build')
    const ended = await project.script(watcher(''))
    expect(ended.stdout.match(/links \d|failed/g)).toEqual(['links 0', 'failed', 'links 0'])
  })

  it('records each finished build on request, edits in between are no changes', async () => {
    const project = smallProject('watch-true', 'rollup')
    const ended = await project.script(watcher('watch: true'))
    expect(ended.stdout.match(/links \d|failed/g), ended.text).toEqual(['links 1', 'failed', 'links 1'])
    const { materials, products } = await project.link()
    expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
    expect(products['dist/main.js']).toEqual({ sha256: sha256(project.path('dist/main.js')) })
  })
})

describe('a watch in which a file is saved while it is built', () => {
  it('has no link of that build, and one of the next', async () => {
    const project = smallProject('watch-saved', 'rollup')
    const ended = await project.script(`import fs from 'node:fs'
import { watch } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
let isEdited = false
const saving = {
  name: 'saving',
  buildStart() {
    if (isEdited) fs.writeFileSync('src/part.js', 'export const part = 3')
    isEdited = false
  },
}
const watcher = watch({ input: 'src/main.js', plugins: [inToto({ watch: true }), saving], output: { dir: 'dist' } })
watcher.on('event', async (event) => {
  if (event.code !== 'BUNDLE_END') return
  await event.result.close()
  const part = /part = (\\d)/.exec(fs.readFileSync('dist/main.js', 'utf8'))[1]
  const links = fs.readdirSync('dist').filter((name) => name.endsWith('.link')).length
  console.log('part', part, 'links', links)
  if (part === '4') fs.writeFileSync('src/part.js', 'export const part = 2'), (isEdited = true)
  // Rollup's watcher drops a change within 50 ms of another one: without this save it may not build again.
  if (part === '3' && links === 0) setTimeout(() => fs.writeFileSync('src/part.js', 'export const part = 3'), 200)
  if (part !== '3' || links !== 1) return
  await watcher.close()
  process.exit(0)
})
setTimeout(process.exit, 30_000, 1)`)
    const builds = ended.stdout.match(/part \d links \d/g)
    expect([...new Set(builds)], ended.text).toEqual(['part 4 links 1', 'part 3 links 0', 'part 3 links 1'])
    expect(ended.text).toContain('E_CHANGED_DURING_BUILD src/part.js')
    const { materials } = await project.link()
    expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
  })
})

describe('a watch of files that are saved again and again', () => {
  it('ends with one link, which speaks of what lies there, and has none that does not on the way', async () => {
    const project = smallProject('watch-saves', 'rollup')
    const ended = await project.script(`import fs from 'node:fs'
import { createHash } from 'node:crypto'
import { watch } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
const watcher = watch({ input: 'src/main.js', plugins: [inToto({ watch: true })], output: { dir: 'dist' } })
const digest = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex')
let saves = 0, wrong = 0, next
function save() {
  saves = Math.min(saves + 1, 50)
  fs.writeFileSync('src/part.js', 'export const part = ' + saves)
  // The last one again, as a person would: Rollup's watcher drops a change within 50 ms of another one.
  next = setTimeout(save, saves < 50 ? 40 : 1000)
}
watcher.on('event', async (event) => {
  if (event.code !== 'BUNDLE_END') return
  await event.result.close()
  const links = fs.readdirSync('dist').filter((name) => name.endsWith('.link'))
  const products = (name) => JSON.parse(Buffer.from(JSON.parse(fs.readFileSync('dist/' + name)).payload, 'base64')).products
  if (links.length > 1 || links.some((name) => products(name)['dist/main.js'].sha256 !== digest('dist/main.js'))) wrong++
  if (saves === 0) save()
  if (links.length === 1 && fs.readFileSync('dist/main.js', 'utf8').includes('part = 50')) await end(1)
})
async function end(links) {
  clearTimeout(next)
  console.log('saved', saves, 'wrong', wrong, 'links', links)
  await watcher.close()
  process.exit(0)
}
setTimeout(end, 30_000, 0)`)
    expect(ended.stdout, ended.text).toContain('saved 50 wrong 0 links 1')
    const { materials, products } = await project.link()
    expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
    expect(products['dist/main.js']).toEqual({ sha256: sha256(project.path('dist/main.js')) })
  })
})

describe('the one face for all bundlers', () => {
  it("is as good as a bundler's own", async () => {
    for (const bundler of ['vite', 'rollup'] as const) {
      const project = new Project(`face-${bundler}`, bundler)
      project.write('src/main.js', 'export const main = 1')
      const script = librarySource(bundler)
        .replace(`unplugin-in-toto/${bundler}`, 'unplugin-in-toto')
        .replace('inToto({', `inToto.${bundler}({`)
      const ended = await project.script(script)
      expect(ended.code, ended.text).toBe(0)
      expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
    }
  })
})
