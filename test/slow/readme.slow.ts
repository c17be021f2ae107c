/**
 * README, line by line, as somebody has it who reads it in an empty folder: its commands are typed in their order, with our packages installed from a registry
 * on loopback. Needs a package registry for all others; without one it is skipped aloud.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Block, readDocument, section } from '../docs/document.ts'
import { follow } from '../docs/shell.ts'
import { env, folder } from './project.ts'
import { atLeisure, fromVite, hasPackages, mustRun, project, run } from './template.ts'

const readme = readDocument('README.md')
const aside = join(folder, 'aside')

/** Git asks who is there, keys and clones are nobody's. */
const person: NodeJS.ProcessEnv = {
  ...env,
  ...Object.fromEntries(
    ['GIT_AUTHOR_NAME', 'GIT_COMMITTER_NAME', 'GIT_AUTHOR_EMAIL', 'GIT_COMMITTER_EMAIL'].map((name) => [name, 'a@registry.example']),
  ),
  NO_COLOR: '1',
}

/** The commands are followed, and no block of them is left out. */
async function read(root: string, blocks: readonly (Block | undefined)[]): Promise<void> {
  const all = blocks.map((block) => block ?? { language: 'sh', marks: [], text: 'echo "README has another block here"; exit 9' })
  expect(await follow(all, { root, aside, env: person })).toBeUndefined()
}

describe.skipIf(!hasPackages)('README', () => {
  const [install, config, build, byHand, ...more] = section(readme, 'Two minutes')
  const [manifest, release, consume, ...others] = section(readme, 'A package for npm')
  let root = ''

  test('two minutes', async () => {
    expect([more, others]).toEqual([[], []])
    const site = await fromVite('site', 'vue-ts')
    await read(site, [install, config, build])
    await mustRun(site, 'npx', 'intoto', 'explain', 'dist/index.html', '-k', 'in-toto/owner.pub')
  })

  test('by hand', async () => {
    root = await fromVite('my-lib', 'vue')
    await mustRun(root, 'npm', 'pkg', 'delete', 'private')
    await mustRun(root, 'npm', 'pkg', 'set', 'version=1.0.0', 'scripts.build=vite build')
    rmSync(join(root, 'vite.config.js'))
    await mustRun(root, 'npm', 'i', '-D', 'unplugin-in-toto')
    await read(root, [config, byHand])
  })

  test('a package for npm', async () => {
    await mustRun(root, 'git', 'init', '-q')
    const lib = `build: { lib: { entry: 'src/my-lib.js', formats: ['es'], fileName: 'my-lib' } }, plugins`
    writeFileSync(join(root, 'src/my-lib.js'), 'export const answer = 42\n')
    writeFileSync(join(root, 'vite.config.ts'), readFileSync(join(root, 'vite.config.ts'), 'utf8').replace('plugins', lib))
    writeFileSync(join(root, 'lib.test.js'), `import test from 'node:test'\ntest('nothing', () => {})\n`)
    person['INTOTO_KEY_FILE'] = '../me'
    await read(root, [manifest, release])
  })

  test('whoever receives the package', async () => {
    const there = await project('receiver', { 'package.json': '{ "private": true }' }, 'unplugin-in-toto')
    mkdirSync(join(there, 'evidence'))
    await mustRun(there, 'npm', 'pack', 'my-lib@1.0.0')
    for (const name of ['root.layout', 'me.pub']) copyFileSync(join(root, 'in-toto', name), join(there, name))
    for (const at of ['dist', 'in-toto'])
      for (const name of readdirSync(join(root, at)).filter((file) => file.endsWith('.link')))
        copyFileSync(join(root, at, name), join(there, 'evidence', name))
    await read(there, [consume])
  })

  test('the chain, and the library', async () => {
    const chain = section(readme, 'See the chain')
    expect(chain).toHaveLength(1)
    await read(root, chain)
    for (const name of ['in-toto-report.html', 'in-toto-verifier.html']) expect(readdirSync(root)).toContain(name)
    const [code] = section(readme, 'As a library').filter(({ language }) => language === 'js')
    writeFileSync(join(root, 'library.mjs'), `${code?.text}\nconsole.log(report.steps.map(({ name }) => name).join())\n`)
    expect(await mustRun(root, 'node', 'library.mjs')).toContain('source,build,test,package')
  })

  atLeisure('a fresh clone', async () => {
    const [first] = section(readme, 'See it')
    const lines = first?.text.trim().split('\n') ?? []
    expect(lines.slice(1)).toEqual(['npm ci', 'npm run demo', 'npm test'])
    const clone = join(folder, 'unplugin-in-toto')
    await mustRun(folder, 'git', 'clone', '-q', fileURLToPath(new URL('../..', import.meta.url)), clone)
    for (const line of lines.slice(1, 3)) {
      const { code, text } = await run(clone, ...line.split(' '))
      expect(code, text).toBe(0)
    }
  })
})
