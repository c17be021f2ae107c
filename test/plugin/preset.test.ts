/** Option `preset`: `devguard` makes the link that DevGuard's chain of `post-commit`, `build` and `deploy` wants. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { decodeMetadata, keyidFor } from 'intoto'
import { recordSource } from 'intoto/node'
import { describe, expect, it } from 'vitest'
import { key, librarySource, smallProject } from './project.ts'

const linkName = `build.${keyidFor(key, 'devguard').slice(0, 8)}.link`

describe('preset: devguard', () => {
  it('takes only what git tracks, by names from the repository, under the key id of DevGuard', async () => {
    const project = smallProject('devguard', 'vite')
    project.write('app/package.json', '{ "type": "module" }')
    project.write(
      'app/src/main.js',
      `import { part } from './part.js'\nimport { untold } from './untold.js'\nexport const main = part + untold\n`,
    )
    project.write('app/src/part.js', 'export const part = 41\n')
    project.write('app/src/untold.js', 'export const untold = 1\n')
    project.write('.gitignore', 'node_modules\ndist\nuntold.js\n')
    const script = librarySource('vite', { options: `preset: 'devguard'` }).replace("root = '.'", "root = 'app'")
    project.write('build.mjs', script)
    const git = (...args: string[]): Buffer =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@registry.example', ...args], { cwd: project.dir })
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'one')
    const ended = await project.node(['build.mjs'])
    expect(ended.code, ended.text).toBe(0)
    const metadata = decodeMetadata(readFileSync(project.path('app/dist', linkName)))
    expect(metadata).toMatchObject({ format: 'dsse', signatures: [{ keyid: keyidFor(key, 'devguard') }] })
    const { materials, products, byproducts } = await project.link(`app/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual(['app/package.json', 'app/src/main.js', 'app/src/part.js', 'build.mjs', 'package.json'])
    expect(Object.keys(products)).toEqual(['app/dist/main.js'])
    expect(Object.keys(byproducts['untracked'] ?? {})).toEqual(['app/src/untold.js'])
    // Every material is a product of the step before, with the same name and digest.
    expect((await recordSource({ cwd: project.dir, step: 'post-commit' })).products).toMatchObject(materials)
  })

  it('yields to what is given, and refuses to guess where git cannot say', async () => {
    const project = smallProject('devguard-bare', 'rollup')
    const without = await project.script(librarySource('rollup', { options: `preset: 'devguard'` }))
    expect(without.text).toContain('option "root": there is no folder for "git"')
    expect(without.code).toBe(1)
    const given = await project.script(librarySource('rollup', { options: `preset: 'devguard', root: 'package'` }))
    expect(given.text).toContain('E_CONFIG git cannot say which files it tracks')
    expect(given.code).toBe(1)
    expect(project.links()).toEqual([])
  })
})
