/** What goes wrong around a build, in every bundler that is neither Vite nor Rollup: a refusal, no link, or the truth; never a wrong digest. */
import { mkdirSync, rmSync, utimesSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { others, Project, sha256, type Ended, type Other } from './project.ts'

vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

type Case = 'good' | 'change' | 'swap' | 'broken' | 'second' | 'development'

function run(bundler: Other, project: Project, name: Case, env: Record<string, string | undefined> = {}): Promise<Ended> {
  const all = { BUNDLER: bundler.replace(/\d$/, ''), CASE: name, CI: '1', ...env }
  return bundler === 'bun' ? project.bun(['run.mjs'], all) : project.node(['run.mjs'], all)
}

async function expectTrue(project: Project): Promise<string[]> {
  const { materials, products } = await project.link()
  for (const [name, digest] of Object.entries({ ...materials, ...products }))
    expect(digest, name).toEqual({ sha256: sha256(project.path(name)) })
  expect(Object.keys(materials)).toEqual(expect.arrayContaining(['package.json', 'run.mjs', 'src/main.js', 'src/part.js']))
  return Object.keys(products)
}

describe.each(others)('%s', { concurrent: true }, (bundler) => {
  const trouble = (): Project => new Project(`trouble-${bundler}`, bundler, 'trouble')

  it('tells the truth of late writers and planted files, and takes its link away when things go wrong', async () => {
    const project = trouble()
    project.write('dist/planted.js', 'evil')
    const { code, text } = await run(bundler, project, 'good')
    expect(code, text).toBe(0)
    const made = project.files('dist').filter((name) => !name.endsWith('.link') && name !== 'dist/planted.js')
    expect(made).toEqual(expect.arrayContaining(['dist/after.txt', 'dist/exit.txt', 'dist/late.txt']))
    expect(await expectTrue(project)).toEqual(made)
    expect(text).toContain('signed again at process exit')

    const broken = await run(bundler, project, 'broken')
    expect(project.links('dist'), broken.text).toEqual([])
    expect(broken.text).not.toContain('(signed)')
  })

  it.each(['change', 'swap'] as const)('refuses an input that did not hold still: %s', async (name) => {
    const project = trouble()
    const { code, text } = await run(bundler, project, name)
    expect(text).toContain('E_CHANGED_DURING_BUILD')
    expect(text).toContain('src/part.js')
    expect(code).not.toBe(0)
    expect(project.links('dist')).toEqual([])
  })

  it('leaves no link when a second output fails after the first was written', async () => {
    const project = trouble()
    const { text } = await run(bundler, project, 'second')
    expect(project.files('dist').length, text).toBeGreaterThan(0)
    expect(project.links('dist')).toEqual([])
  })

  it('fails without a key where a link is required, and builds without a link where none is', async () => {
    const project = trouble()
    const keyless = await run(bundler, project, 'good', { INTOTO_KEY_FILE: undefined })
    expect(keyless.code, keyless.text).toBe(0)
    expect(keyless.text).toContain('not signed: no key')
    const required = await run(bundler, project, 'good', { INTOTO_KEY_FILE: undefined, INTOTO_REQUIRED: '1' })
    expect(required.text).toContain('E_KEY')
    expect(required.code).not.toBe(0)
    expect(project.links('dist')).toEqual([])
  })
})

describe.each(['webpack', 'rspack', 'rspack1', 'rsbuild'] as const)('%s', { concurrent: true }, (bundler) => {
  it('leaves no link for output with errors, which development mode writes all the same', async () => {
    const project = new Project(`development-${bundler}`, bundler, 'trouble')
    const { text } = await run(bundler, project, 'development')
    const made = project.files('dist').filter((name) => !name.endsWith('.map'))
    expect(made, text).toEqual([bundler === 'rsbuild' ? 'dist/static/js/index.js' : 'dist/main.js'])
  })
})

describe.each(['webpack', 'rspack', 'rspack1', 'rsbuild', 'farm'] as const)('%s', { concurrent: true }, (bundler) => {
  it('does not take old bytes from a persistent cache for a file of equal size and date, whether we were there when it was filled or not', async () => {
    const project = new Project(`cache-${bundler}`, bundler, 'trouble')
    mkdirSync(project.path('node_modules/dep'))
    project.write('node_modules/dep/package.json', '{ "name": "dep", "version": "1.0.0", "type": "module", "main": "index.js" }')
    project.write('node_modules/dep/index.js', `export default 'dep 0'`)
    project.write('src/part.js', `export const part = 'part 0'\n`)
    project.write('src/main.js', `import dep from 'dep'\nimport { part } from './part.js'\nconsole.log(dep, part)\n`)
    const storage = { type: 'filesystem', directory: project.path('cache') }
    const caches = {
      webpack: { cache: { type: 'filesystem', cacheDirectory: storage.directory } },
      rspack: { cache: { type: 'persistent', storage } },
      rspack1: { cache: true, experiments: { cache: { type: 'persistent', storage } } },
      rsbuild: { performance: { buildCache: { cacheDirectory: storage.directory } } },
      farm: { persistentCache: { cacheDir: storage.directory } },
    }
    const env = { CACHE: JSON.stringify(caches[bundler]) }
    // A date at which no cache can think that the file was still being written.
    const date = new Date('2020-01-01')
    const names = ['node_modules/dep/index.js', 'src/part.js'] as const
    for (const name of names) utimesSync(project.path(name), date, date)
    const foreign = await run(bundler, project, 'good', { ...env, INTOTO_DISABLE: '1' })
    expect(foreign.code, foreign.text).toBe(0)
    const filled = project.files('cache')
    expect(filled.length, foreign.text).toBeGreaterThan(0)
    for (const number of [1, 2]) {
      rmSync(project.path('dist'), { recursive: true })
      for (const name of names) {
        project.write(name, project.read(name).replace(/\d/, String(number)))
        utimesSync(project.path(name), date, date)
      }
      const { code, text } = await run(bundler, project, 'good', env)
      expect(code, text).toBe(0)
      // Farm's cannot be mended, so it is not touched.
      if (bundler === 'farm') expect(project.files('cache')).toEqual(filled)
      const output = project
        .files('dist')
        .filter((name) => name.endsWith('.js'))
        .map((name) => project.read(name))
        .join('')
      expect(output).toContain(`dep ${number}`)
      expect(output).toContain(`part ${number}`)
      await expectTrue(project)
    }
  })
})
