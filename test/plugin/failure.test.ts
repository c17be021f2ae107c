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
