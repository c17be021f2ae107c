import { describe, expect, it } from 'vitest'
import { Project, sha256, vites } from './project.ts'

/** Every emitted file but the link, with its digest. */
function digests(project: Project): Record<string, string> {
  const files = project.files('dist').filter((name) => !name.endsWith('.link'))
  return Object.fromEntries(files.map((name) => [name, sha256(project.path(name))]))
}

describe('an emitted file', () => {
  it.each(vites)('is the same byte by byte with and without us, by %s', async (bundler) => {
    const project = new Project(`identity-${bundler}`, bundler, 'app')
    expect((await project.bin('vite', ['build'], { BARE: '1' })).code).toBe(0)
    const bare = digests(project)
    expect(project.links()).toEqual([])
    expect(
      (
        await project.bin('vite', ['build', '--sourcemap', 'false'], {
          IN_TOTO_OPTIONS: '{ "strict": true, "hash": ["sha256", "sha512"] }',
        })
      ).code,
    ).toBe(0)
    expect(project.links()).toHaveLength(1)
    expect(digests(project)).toEqual(bare)
    expect(Object.keys(bare).length).toBeGreaterThan(10)
  })

  it('is the same byte by byte with and without us, by rollup', async () => {
    const project = new Project('identity-rollup', 'rollup', 'lib')
    expect((await project.bin('rollup', ['-c', '--sourcemap'], { BARE: '1' })).code).toBe(0)
    const bare = digests(project)
    expect((await project.bin('rollup', ['-c', '--sourcemap'])).code).toBe(0)
    expect(project.links()).toHaveLength(1)
    expect(digests(project)).toEqual(bare)
    expect(Object.keys(bare)).toHaveLength(8)
  })
})
