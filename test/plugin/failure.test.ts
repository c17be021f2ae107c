import { describe, expect, it } from 'vitest'
import { engines, librarySource, linkName, Project, smallProject } from './project.ts'

/** Every hook in which another plugin may throw. */
const hooks = [
  'options',
  'buildStart',
  'resolveId',
  'load',
  'transform',
  'moduleParsed',
  'buildEnd',
  'renderStart',
  'banner',
  'renderChunk',
  'augmentChunkHash',
  'generateBundle',
  'writeBundle',
  'closeBundle',
]

/** Hooks that the engine does not call here: Vite resolves paths before plugins are asked, and nothing has a hash in its name. */
const both = ['resolveId', 'augmentChunkHash']
const uncalled = { vite: ['resolveId'], vite7: both, vite6: both, vite5: both, rollup: ['augmentChunkHash'] }

describe.each(engines)('a build that fails, by %s', (bundler) => {
  it('leaves no link and no stale one, in whichever hook it fails, even when the script swallows the error', async () => {
    const project = new Project(`failing-${bundler}`, bundler)
    for (const hook of [...hooks, 'none']) {
      project.write(`${hook}/package.json`, '{}')
      project.write(`${hook}/src/main.js`, 'export const main = 1')
      project.write(`${hook}/dist/build.0123abcd.link`, 'of an earlier build')
    }
    const script = librarySource(bundler, {
      plugins: '{ name: "failing", [globalThis.hook]() { throw new Error("thrown in " + globalThis.hook) } }',
      before: `const home = process.cwd(); const answers = {}
for (const hook of ${JSON.stringify([...hooks, 'none'])}) {
  globalThis.hook = hook
  process.chdir(home)
  answers[hook] = await build(hook).then(() => 'built', () => 'failed')
}
console.log(JSON.stringify(answers)); process.exit(0)`,
    })
    const { stdout, text, code } = await project.script(script)
    const answers = JSON.parse(stdout.split('\n').find((line) => line.startsWith('{')) ?? text) as Record<string, string>
    expect(code).toBe(0)
    const failed = hooks.filter((hook) => answers[hook] === 'failed')
    expect(failed).toEqual(hooks.filter((hook) => !uncalled[bundler].includes(hook)))
    for (const hook of failed) {
      // Vite reads other plugins' options before ours: nothing was written, and the earlier link still tells the truth.
      const untouched = hook === 'options' && bundler !== 'rollup'
      expect(project.links(hook), hook).toEqual(untouched ? ['options/dist/build.0123abcd.link'] : [])
    }
    expect(answers['none']).toBe('built')
    expect(project.links('none')).toEqual([`none/dist/${linkName}`])
  })

  it('leaves no link when the command fails', async () => {
    const project = smallProject(`command-${bundler}`, bundler)
    const { script, text } = { script: librarySource(bundler, { after: 'throw new Error("after the build")' }), text: 'after the build' }
    const ended = await project.script(script)
    expect(ended.text).toContain(text)
    expect(ended.code).toBe(1)
    expect(project.files('dist').filter((name) => name.endsWith('.js'))).toHaveLength(1)
    expect(project.links()).toEqual([])
  })

  it.each([
    ['rendered', 'renderChunk(code, chunk, output) { fail(output) }'],
    ['written', 'writeBundle(output) { fail(output) }'],
  ])('leaves no link when the second of two outputs fails while it is %s', async (_, hook) => {
    const project = smallProject(`second-${bundler}`, bundler)
    const plugins = `{ name: 'second', ${hook} }`
    const fail = `const fail = ({ format }) => { if (format === 'cjs') throw new Error('second output') }\n`
    const ended =
      bundler === 'rollup'
        ? await project.script(`${fail}import { rollup } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
const bundle = await rollup({ input: 'src/main.js', plugins: [inToto(), ${plugins}] })
await bundle.write({ dir: 'dist', format: 'es' })
await bundle.write({ dir: 'dist', format: 'cjs' }).catch((error) => console.log(error.message))
await bundle.close()`)
        : await project.script(
            fail +
              librarySource(bundler, { plugins })
                .replace("['es']", "['es', 'cjs']")
                .replace('await build()', 'await build().catch((error) => console.log(error.message))'),
          )
    expect(ended.text).toContain('second output')
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/build: no link: .*(second output|not every output was written)/)
    expect(project.links()).toEqual([])
  })

  it('fails a process that swallows the error when a link is required', async () => {
    const project = smallProject(`required-${bundler}`, bundler)
    const script = librarySource(bundler, { plugins: '{ name: "failing", renderChunk() { throw new Error("no") } }' })
    const ended = await project.script(script.replace('await build()', 'await build().catch(() => {})'), { INTOTO_REQUIRED: '1' })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('E_NOT_RECORDED')
    expect(project.links()).toEqual([])
  })
})

/** Two builds of one input in one process: `build` with what tells them apart, and a plugin of which the first one's end fails. */
const twice = {
  vite: {
    before: `import { build as vite } from 'vite'`,
    build: `(format, failing) => vite({ logLevel: 'silent', configFile: false, plugins: [inToto(), failing],
      build: { emptyOutDir: false, lib: { entry: 'src/main.js', formats: [format], fileName: 'main' } } })`,
    failing: `{ name: 'failing', writeBundle() { throw new Error('first build') } }`,
  },
  rollup: {
    before: `import { rollup } from 'rollup'`,
    build: `async (format, failing) => {
      const bundle = await rollup({ input: 'src/main.js', plugins: [inToto(), failing] })
      await bundle.write({ dir: 'dist', format, entryFileNames: '[name].' + format + '.js' }).finally(() => bundle.close())
    }`,
    failing: `{ name: 'failing', writeBundle() { throw new Error('first build') } }`,
  },
  rolldown: {
    before: `import { rolldown } from 'rolldown'`,
    build: `async (format, failing) => {
      const bundle = await rolldown({ input: 'src/main.js', plugins: [inToto(), failing] })
      await bundle.write({ dir: 'dist', format, entryFileNames: '[name].' + format + '.js' }).finally(() => bundle.close())
    }`,
    failing: `{ name: 'failing', renderChunk() { throw new Error('first build') } }`,
  },
  esbuild: {
    before: `import { build as esbuild } from 'esbuild'`,
    build: `(format, failing) => esbuild({ logLevel: 'silent', entryPoints: ['src/main.js'], bundle: true, plugins: [inToto(), failing],
      outdir: 'dist', platform: format === 'es' ? 'browser' : 'node', entryNames: '[name].' + format })`,
    failing: `{ name: 'failing', setup: ({ onEnd }) => onEnd(() => { throw new Error('first build') }) }`,
  },
} as const

describe.each(['vite', 'rollup', 'rolldown', 'esbuild'] as const)('a build that failed, by %s', (bundler) => {
  const { before, build, failing } = twice[bundler]
  const script = `${before}
import inToto from 'unplugin-in-toto/${bundler}'
const build = ${build}
await build('es', ${failing}).catch((error) => console.log('failed:', error.message))
`

  it('is made up for when it is tried again, and not by another build of the same input', async () => {
    const project = smallProject(`twice-${bundler}`, bundler)
    const other = await project.script(`${script}await build('cjs', { name: 'none', setup() {} })`)
    expect(other.stdout).toMatch(/failed: .*first build/s)
    expect(other.stderr).toMatch(/build: no link: .*(first build|not every output was written)/)
    expect(project.links()).toEqual([])
    const again = await project.script(`${script}for (const _ of 'ab') await build('es', { name: 'none', setup() {} })
const [session] = globalThis[Symbol.for('unplugin-in-toto.sessions')].sessions.values()
console.log('records', session.records.length)`)
    expect(again.stdout).toMatch(/failed: .*first build/s)
    expect(again.code, again.text).toBe(0)
    expect(Object.keys((await project.link()).products)).toHaveLength(1)
    expect(again.stdout).toContain('records 1')
  })
})

describe('a build by esbuild that is built again', () => {
  const rebuilt = (options = ''): string => `import { context } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
const { rebuild, dispose } = await context({ entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', plugins: [inToto({${options}})] })
for (const _ of 'abc') await rebuild()
await dispose()`

  it('has no link any more, says so, and fails where one is required', async () => {
    const project = smallProject('rebuilt', 'esbuild')
    const ended = await project.script(rebuilt())
    expect(ended.code, ended.text).toBe(0)
    expect(ended.stderr.match(/build: the link is withdrawn: esbuild built again/g)).toHaveLength(1)
    expect(project.links()).toEqual([])
    const required = await project.script(rebuilt(), { INTOTO_REQUIRED: '1' })
    expect(required.stderr).toContain('E_NOT_RECORDED build: no link: esbuild built again')
    expect(required.code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it('has one link of the last build with the option watch', async () => {
    const project = smallProject('rebuilds', 'esbuild')
    const ended = await project.script(rebuilt('watch: true'), { INTOTO_REQUIRED: '1' })
    expect(ended.code, ended.text).toBe(0)
    expect(ended.stderr.match(/\(signed\)/g)).toHaveLength(3)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
  })
})
