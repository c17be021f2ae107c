/**
 * Every shape of build, in bundlers where it can happen: at once, in lists, in memory, in a watch, and in scripts that leave as soon as they can. The
 * tests take the quick bundlers from here, the slow tests all others.
 */
import { describe, expect, it, vi } from 'vitest'
import { linkName, Project, sha256, type Bundler, type Ended, type Other } from './project.ts'

type Shape = 'parallel' | 'list' | 'memory' | 'exit' | 'watch'

function shaped(bundler: Bundler | Other, shape: Shape, options: object = {}): { project: Project; ended: Promise<Ended> } {
  const project = new Project(`${shape}-${bundler}`, bundler, 'shapes')
  const env = { BUNDLER: bundler.replace(/\d$/, ''), SHAPE: shape, OPTIONS: JSON.stringify(options), CI: '1' }
  return { project, ended: bundler === 'bun' ? project.bun(['run.mjs'], env) : project.node(['run.mjs'], env) }
}

/** The one link of both builds, in their common folder: sources of both, products of both. */
async function expectBoth(project: Project, { code, text }: Ended): Promise<void> {
  expect(code, text).toBe(0)
  expect(project.links('dist'), text).toEqual([`dist/${linkName}`])
  const { materials, products } = await project.link()
  expect(Object.keys(materials)).toEqual(expect.arrayContaining(['package.json', 'run.mjs', 'src/main.js', 'src/other.js', 'src/part.js']))
  expect(Object.keys(products)).toEqual(project.files('dist').filter((name) => !name.endsWith('.link')))
  expect(new Set(Object.keys(products).map((name) => name.split('/')[1]))).toEqual(new Set(['main', 'other']))
  for (const [name, digest] of Object.entries(products)) expect(digest, name).toEqual({ sha256: sha256(project.path(name)) })
}

/** Defines the tests; each shape with its bundlers. */
export function describeShapes(can: Readonly<Record<Shape, readonly (Bundler | Other)[]>>): void {
  vi.setConfig({ maxConcurrency: 2, testTimeout: 90_000 })

  describe.each(can.parallel)('two builds at once, by %s', { concurrent: true }, (bundler) => {
    it('make one link of both', async () => {
      const { project, ended } = shaped(bundler, 'parallel')
      await expectBoth(project, await ended)
    })
  })

  describe.each(can.list)('a list of configurations, by %s', { concurrent: true }, (bundler) => {
    it('makes one link of all', async () => {
      const { project, ended } = shaped(bundler, 'list')
      await expectBoth(project, await ended)
    })
  })

  describe.each(can.memory)('a build that writes nothing, by %s', { concurrent: true }, (bundler) => {
    it('makes no link and says so, and with required it fails', async () => {
      const { project, ended } = shaped(bundler, 'memory')
      const { code, text } = await ended
      expect(code, text).toBe(0)
      expect(text).toContain('no link: this build wrote no file')
      expect(project.links()).toEqual([])
      const must = shaped(bundler, 'memory', { required: true })
      const failed = await must.ended
      expect(failed.text).toContain('E_NOT_RECORDED')
      expect(failed.code).not.toBe(0)
    })
  })

  describe.each(can.exit)('a script that leaves at once, by %s', { concurrent: true }, (bundler) => {
    it('leaves its link behind', async () => {
      const { project, ended } = shaped(bundler, 'exit')
      const { code, text } = await ended
      expect(code, text).toBe(0)
      expect(text).not.toContain('ended, links')
      const { products } = await project.link(project.links('dist')[0])
      expect(Object.keys(products)).toEqual(project.files('dist').filter((name) => !name.endsWith('.link')))
    })
  })

  describe.each(can.watch)('a watch, by %s', { concurrent: true }, (bundler) => {
    it('makes no link by default', async () => {
      const { project, ended } = shaped(bundler, 'watch')
      const { stdout, text } = await ended
      expect(stdout.match(/built (?:true|false|never)/g), text).toEqual(['built true', 'built false', 'built true'])
      expect(project.links('dist')).toEqual([])
    })

    it('makes one for each build that ends well, by option', async () => {
      const { project, ended } = shaped(bundler, 'watch', { watch: true })
      const { stdout, text } = await ended
      expect(stdout.match(/built (?:true|false|never), links \d/g), text).toEqual([
        'built true, links 1',
        'built false, links 0',
        'built true, links 1',
      ])
      const { materials, products } = await project.link(project.links('dist')[0])
      expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
      for (const [name, digest] of Object.entries(products)) expect(digest, name).toEqual({ sha256: sha256(project.path(name)) })
    })
  })
}
