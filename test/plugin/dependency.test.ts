/** The packages of a build in its link's byproducts, as each client's lockfile pins them. */
import { symlinkSync } from 'node:fs'
import type { JsonObject } from 'intoto'
import { describe, expect, it } from 'vitest'
import { Project } from './project.ts'

const integrity = 'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=='
const sha512 =
  'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e'
const lockfiles: Readonly<Record<string, string>> = {
  'package-lock.json': JSON.stringify({
    name: 'app',
    lockfileVersion: 3,
    packages: { '': { name: 'app' }, 'node_modules/known': { version: '1.2.3', integrity } },
  }),
  'pnpm-lock.yaml': `lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      known:
        specifier: 1.2.3
        version: 1.2.3
packages:
  known@1.2.3:
    resolution: {integrity: ${integrity}}
snapshots:
  known@1.2.3: {}
`,
  'yarn.lock': `# yarn lockfile v1


known@1.2.3:
  version "1.2.3"
  resolved "https://registry.example/known/-/known-1.2.3.tgz"
  integrity ${integrity}
`,
}

/** An app that uses a locked package and one that somebody dropped into node_modules; pnpm's layout has the first behind a link. */
async function byproducts(lockfile: string, text: string): Promise<{ byproducts: JsonObject; output: string }> {
  const project = new Project('dependency', 'esbuild')
  project.write(lockfile, text)
  const known = lockfile.startsWith('pnpm') ? 'node_modules/.pnpm/known@1.2.3/node_modules/known' : 'node_modules/known'
  for (const [folder, version] of [
    [known, '1.2.3'],
    ['node_modules/dropped', '0.0.1'],
  ] as const) {
    const name = folder.slice(folder.lastIndexOf('/') + 1)
    project.write(`${folder}/package.json`, JSON.stringify({ name, version, main: 'index.js' }))
    project.write(`${folder}/index.js`, `exports.${name} = 1`)
  }
  if (known !== 'node_modules/known') symlinkSync('.pnpm/known@1.2.3/node_modules/known', project.path('node_modules/known'))
  project.write('src/main.js', `import { known } from 'known'\nimport { dropped } from 'dropped'\nconsole.log(known, dropped)\n`)
  const { code, text: output } = await project.script(`import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
await build({ entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', plugins: [inToto()] })`)
  expect(code, output).toBe(0)
  return { byproducts: (await project.link()).byproducts, output }
}

describe('resolved dependencies', () => {
  it.each(Object.entries(lockfiles))('come from %s, and what is in no lockfile is named', async (name, text) => {
    const { byproducts: found } = await byproducts(name, text)
    expect(found['resolved-dependencies']).toMatchObject([{ uri: 'pkg:npm/known@1.2.3', digest: { sha512 } }])
    expect(found['unresolved-files']).toEqual(['node_modules/dropped/index.js', 'node_modules/dropped/package.json'])
  })

  it('are left out with a warning when the lockfile is damaged; the build goes on', async () => {
    const { byproducts: found, output } = await byproducts('package-lock.json', '{ "lockfileVersion": 3, ')
    expect(found).not.toHaveProperty('resolved-dependencies')
    expect(found).not.toHaveProperty('unresolved-files')
    expect(output).toContain('the packages of this build are not resolved: ')
    expect(output).toContain('package-lock.json')
    expect(output).toContain('(signed)')
  })
})
