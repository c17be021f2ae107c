import { rmSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  buildAll,
  engines,
  librarySource,
  linkName,
  sha256,
  smallProject,
  vites,
  type Project,
  type Bundler,
  type Ended,
  type Outcomes,
} from './project.ts'

/** What a link says of its products is on disk, and nothing else is there. */
async function expectTruth(project: Project, folder: string, stale: readonly string[] = []): Promise<string[]> {
  const { products } = await project.link(`${folder}/dist/${linkName}`)
  const files = project.files(`${folder}/dist`).filter((name) => !name.endsWith('.link') && !stale.includes(name))
  expect(Object.keys(products)).toEqual(files.map((name) => name.slice(folder.length + 1)))
  for (const name of files) expect(products[name.slice(folder.length + 1)], name).toEqual({ sha256: sha256(project.path(name)) })
  return files
}

const late = {
  close: { hooks: `closeBundle() { fs.appendFileSync('dist/main.js', '// banner') }` },
  closeLast: {
    hooks: `enforce: 'post', closeBundle: { order: 'post', sequential: true, handler() { fs.appendFileSync('dist/main.js', '// banner') } }`,
  },
  remove: { hooks: `closeBundle() { fs.rmSync('dist/main.js'); fs.writeFileSync('dist/other.js', '') }` },
  exit: {
    hooks: `closeBundle() { const root = process.cwd(); process.once('exit', () => fs.writeFileSync(root + '/dist/sw.js', '// late')) }`,
  },
  afterwards: {
    hooks: `closeBundle() { const root = process.cwd(); setTimeout(() => fs.appendFileSync(root + '/dist/main.js', '// much later'), 50) }`,
  },
  same: {
    hooks: `closeBundle() { const root = process.cwd(); setTimeout(() => fs.writeFileSync(root + '/dist/main.js', fs.readFileSync(root + '/dist/main.js')), 50) }`,
  },
  emptied: {
    options: `products: { exclude: '**/*.map' }`,
    hooks: `generateBundle() { this.emitFile({ type: 'asset', fileName: 'x.map', source: '{}' }) }`,
  },
}

describe.each(engines)('what is in the output folder when the process ends, by %s', (bundler) => {
  let project: Project
  let ended: Outcomes
  beforeAll(async () => {
    ;({ project, ended } = await buildAll(bundler, 'late', late))
    for (const name of Object.keys(late)) expect(ended.outcome(name), name).toBe('built')
    expect(ended.code, ended.text).toBe(0)
  })

  it.each(['close', 'closeLast', 'exit', 'afterwards', 'same'])('is what the link says, with a late writer (%s)', async (name) => {
    await expectTruth(project, name)
  })

  it('is said to have changed late only where it did', () => {
    const again = ended.stderr.split('\n').filter((line) => line.includes('signed again at process exit'))
    expect(again).toHaveLength(2)
    expect(again[0]).toContain('dist/sw.js')
    expect(again[1]).toContain('dist/main.js')
  })

  it('may have gone and come', async () => {
    expect(await expectTruth(project, 'remove')).toEqual(['remove/dist/other.js'])
  })

  it('leaves out what somebody selected away', async () => {
    const files = await expectTruth(project, 'emptied', ['emptied/dist/x.map'])
    expect(files).toHaveLength(1)
    expect(project.files('emptied/dist')).toContain('emptied/dist/x.map')
  })
})

describe('a file that somebody put into the output folder', () => {
  const planted = (project: Project): void => project.write('dist/deep/planted.js', 'EVIL')

  it.each(engines)('is no product of %s, where it does not empty the folder', async (bundler) => {
    const project = smallProject(`planted-${bundler}`, bundler)
    planted(project)
    const ended = await project.script(librarySource(bundler).replace('build: { lib', 'build: { emptyOutDir: false, lib'))
    expect(ended.code, ended.text).toBe(0)
    expect(ended.text).toContain('dist/deep/planted.js: in the output folder, but not made by this build')
    const { products } = await project.link()
    expect(Object.keys(products).map((name) => name.replace('.mjs', '.js'))).toEqual(['dist/main.js'])
    expect(project.read('dist/deep/planted.js')).toBe('EVIL')
  })

  it.each(vites)('is gone after %s emptied the folder, and in no link', async (bundler) => {
    const project = smallProject(`emptied-${bundler}`, bundler)
    planted(project)
    const ended = await project.script(librarySource(bundler))
    expect(ended.code, ended.text).toBe(0)
    expect(project.files('dist')).toEqual(expect.not.arrayContaining(['dist/deep/planted.js']))
    expect(Object.keys((await project.link()).products)).toHaveLength(1)
  })

  it('fails the build on request', async () => {
    const project = smallProject('stale', 'rollup')
    planted(project)
    const ended = await project.script(librarySource('rollup', { options: `stale: 'error'` }))
    expect(ended.text).toContain('E_NOT_RECORDED dist/deep/planted.js')
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it('fails the build when another command of the same step made it', async () => {
    const project = smallProject('foreign', 'vite')
    const build = (name: string): string =>
      librarySource('vite').replace('build: { lib', 'build: { emptyOutDir: false, lib').replace(`fileName: 'main'`, `fileName: '${name}'`)
    project.write('first.mjs', build('first'))
    project.write('second.mjs', build('second'))
    expect((await project.node(['first.mjs'])).code).toBe(0)
    expect(project.links()).toEqual([`dist/${linkName}`])
    const ended = await project.node(['second.mjs'])
    expect(ended.text).toContain('E_CONFIG dist/first.js was made by another command of the step "build": node first.mjs')
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })
})

describe('a file with the name of a link', () => {
  it('is no product of the step that it belongs to, and one of any other if the bundler emits it', async () => {
    const project = smallProject('named', 'rollup')
    const emit = (name: string): string => `this.emitFile({ type: 'asset', fileName: '${name}', source: 'x' })`
    const plugins = `{ name: 'emitter', generateBundle() { ${emit('build.0123abcd.link')}; ${emit('other.0123abcd.link')} }, writeBundle() { fs.writeFileSync('dist/beside.0123abcd.link', 'x') } }`
    const ended = await project.script(librarySource('rollup', { plugins }))
    expect(ended.code, ended.text).toBe(0)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js', 'dist/other.0123abcd.link'])
  })
})

describe('late: error', () => {
  it('refuses what is written after the bundler ended, and says what', async () => {
    const project = smallProject('late-error', 'vite')
    const ended = await project.script(librarySource('vite', { options: `late: 'error'`, after: `fs.writeFileSync('dist/sw.js', '')` }))
    expect(ended.stderr).toContain('E_CHANGED_DURING_BUILD written after the bundler ended: dist/sw.js')
    expect(ended.code).toBe(1)
    expect(project.links()).toEqual([])
  })
})

describe('when the link is there', () => {
  const look = `console.log('links', fs.readdirSync('dist').filter((name) => name.endsWith('.link')).length)`

  it.each(engines)('is when the promise of %s ends, and it survives process.exit(0)', async (bundler) => {
    const project = smallProject(`promise-${bundler}`, bundler)
    const ended = await project.script(
      librarySource(bundler, { after: `${look}; fs.writeFileSync('dist/extra.txt', 'x'); process.exit(0)` }),
    )
    expect(ended.stdout).toContain('links 1')
    expect(ended.code).toBe(0)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/extra.txt', 'dist/main.js'])
  })

  it('is the end of the process for a bundle that nobody closes', async () => {
    const project = smallProject('unclosed', 'rollup')
    const ended = await project.script(librarySource('rollup', { after: look }).replace('finally { await bundle.close() }', 'finally {}'))
    expect(ended.stdout).toContain('links 0')
    expect(ended.code, ended.text).toBe(0)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
  })

  it('is never when the process leaves before the build did', async () => {
    const project = smallProject('left', 'rollup')
    project.write(`dist/build.0123abcd.link`, 'of an earlier build')
    const ended = await project.script(librarySource('rollup', { plugins: `{ name: 'leaver', renderChunk() { process.exit(0) } }` }))
    expect(ended.code).toBe(0)
    expect(ended.stderr).toContain('build: no link: the process ended before the build did')
    expect(project.links()).toEqual([])
  })

  it('is never for a build that writes nothing', async () => {
    for (const bundler of ['vite', 'vite5'] as const) {
      const project = smallProject(`nowhere-${bundler}`, bundler)
      const ended = await project.script(librarySource(bundler).replace('build: {', 'build: { write: false,'))
      expect(ended.text).toContain('no link: this build wrote no file')
      expect(ended.code).toBe(0)
      expect(project.files('dist')).toEqual([])
    }
  })

  it('is when finish() is called, by option', async () => {
    const project = smallProject('manual', 'vite')
    const script = librarySource('vite', {
      options: `finish: 'manual'`,
      after: `${look}; const { finish } = await import('unplugin-in-toto'); await finish(); ${look}`,
    })
    const ended = await project.script(script)
    expect(ended.stdout.match(/links \d/g)).toEqual(['links 0', 'links 1'])
    expect(ended.code).toBe(0)
    const forgotten = smallProject('forgotten', 'vite')
    expect((await forgotten.script(librarySource('vite', { options: `finish: 'manual'` }))).stderr).toContain('finish() was not called')
  })

  it('is the end of the build, and nothing later counts, by option', async () => {
    const project = smallProject('host', 'vite')
    const ended = await project.script(
      librarySource('vite', { options: `finish: 'build'`, after: `fs.writeFileSync('dist/later.js', ''); process.exit(3)` }),
    )
    expect(ended.code).toBe(3)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
  })
})

describe('several builds of one process', () => {
  it.each(vites)('make one link of a library in two formats, by %s', async (bundler) => {
    const project = smallProject(`formats-${bundler}`, bundler)
    // Scans what lies in the package, as some plugins for styles do: for the second format that is what was written for the first.
    const plugins = `{ name: 'scanner', load() { if (fs.existsSync('dist/main.js')) this.addWatchFile(process.cwd() + '/dist/main.js'); return null } }`
    const ended = await project.script(librarySource(bundler, { plugins }).replace(`['es']`, `['es', 'cjs']`))
    expect(ended.code, ended.text).toBe(0)
    expect(Object.keys((await project.link()).materials)).toEqual(['build.mjs', 'package.json', 'src/main.js', 'src/part.js'])
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.cjs', 'dist/main.js'])
  })

  it.each(['vite', 'vite7', 'vite6'] as const)('make one link of all environments, in their common folder, by %s', async (bundler) => {
    const project = smallProject(`environments-${bundler}`, bundler)
    project.write('src/server.js', `export { part } from './part.js'`)
    project.write('public/robots.txt', 'User-agent: *')
    project.write('dist/build.0123abcd.link', 'of an earlier build')
    const ended = await project.script(`import { createBuilder } from 'vite'
import inToto from 'unplugin-in-toto/vite'
const builder = await createBuilder({ configFile: false, logLevel: 'silent', builder: {}, plugins: [inToto()], environments: {
  client: { build: { outDir: 'dist/client', rollupOptions: { input: 'src/main.js' } } },
  ssr: { build: { outDir: 'dist/server', ssr: 'src/server.js' } },
} })
${bundler === 'vite7' ? 'await Promise.all(Object.values(builder.environments).map((environment) => builder.build(environment)))' : 'await builder.buildApp()'}`)
    expect(ended.code, ended.text).toBe(0)
    expect(project.links()).toEqual([`dist/${linkName}`])
    const { products, materials } = await project.link()
    expect(Object.keys(products)).toEqual(project.files('dist').filter((name) => !name.endsWith('.link')))
    expect(Object.keys(products).map((name) => name.split('/')[1])).toEqual(['client', 'client', 'server', 'server'])
    expect(Object.keys(materials)).toEqual([
      'build.mjs',
      'package.json',
      'public/robots.txt',
      'src/main.js',
      'src/part.js',
      'src/server.js',
    ])
  })

  it('make one link of an array of configurations', async () => {
    const project = smallProject('array', 'rollup')
    project.write('src/second.js', `export { part } from './part.js'`)
    project.write(
      'rollup.config.mjs',
      `import inToto from 'unplugin-in-toto/rollup'
const plugins = [inToto()]
export default ['main', 'second'].map((name) => ({ input: 'src/' + name + '.js', plugins, output: { file: 'dist/' + name + '/index.js' } }))`,
    )
    const ended = await project.bin('rollup', ['--config', 'rollup.config.mjs'])
    expect(ended.code, ended.text).toBe(0)
    expect(project.links()).toEqual([`dist/${linkName}`])
    const { products, materials, command } = await project.link()
    expect(Object.keys(products)).toEqual(['dist/main/index.js', 'dist/second/index.js'])
    expect(Object.keys(materials)).toEqual(['package.json', 'rollup.config.mjs', 'src/main.js', 'src/part.js', 'src/second.js'])
    expect(command).toEqual(['rollup', '--config', 'rollup.config.mjs'])
  })

  it.each(['vite', 'vite5'] as const)(
    'make one link when they run at once, and none when one of them fails, by %s',
    async (bundler: Bundler) => {
      const parallel = (failing: boolean): string => `import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
const one = (name, plugins) => build({ logLevel: 'silent', configFile: false, plugins: [inToto(), ...plugins],
  build: { outDir: 'dist/' + name, lib: { entry: 'src/' + name + '.js', formats: ['es'], fileName: name } } })
const answers = await Promise.allSettled([one('main', []), one('part', [${failing ? '{ name: "no", renderChunk() { throw new Error("no") } }' : ''}])])
console.log(answers.map(({ status }) => status).join())`
      const project = smallProject(`parallel-${bundler}`, bundler)
      const ended = await project.script(parallel(false))
      expect(ended.stdout, ended.text).toContain('fulfilled,fulfilled')
      expect(Object.keys((await project.link()).products)).toEqual(['dist/main/main.js', 'dist/part/part.js'])
      const failed = await project.script(parallel(true))
      expect(failed.stdout).toContain('fulfilled,rejected')
      expect(project.links()).toEqual([])
    },
  )

  it('make two links of two packages or two steps, and never list each other', async () => {
    const project = smallProject('two', 'vite')
    project.write('other/package.json', '{ "type": "module" }')
    project.write('other/src/main.js', 'export const other = 1')
    const ended = await project.script(`import { build } from 'vite'
import inToto from 'unplugin-in-toto/vite'
const lib = (fileName) => ({ emptyOutDir: false, lib: { entry: 'src/main.js', formats: ['es'], fileName } })
await Promise.all([
  build({ logLevel: 'silent', configFile: false, plugins: [inToto()], build: lib('main') }),
  build({ root: 'other', logLevel: 'silent', configFile: false, plugins: [inToto()], build: lib('other') }),
])
await build({ logLevel: 'silent', configFile: false, plugins: [inToto({ step: 'again' })], build: lib('again') })`)
    expect(ended.code, ended.text).toBe(0)
    const again = linkName.replace('build', 'again')
    expect(project.links()).toEqual([`dist/${again}`, `dist/${linkName}`, `other/dist/${linkName}`])
    expect(Object.keys((await project.link(`other/dist/${linkName}`)).products)).toEqual(['dist/other.js'])
    expect(Object.keys((await project.link(`dist/${again}`)).products)).toEqual(['dist/again.js'])
  })

  it('start anew when a host builds edited sources again', async () => {
    const project = smallProject('host', 'vite')
    const again = `fs.writeFileSync('src/part.js', 'export const part = 99\\n'); await build(); console.log('second')`
    const ended = await project.script(librarySource('vite', { after: again }))
    expect(ended.stdout).toContain('second')
    expect(ended.code, ended.text).toBe(0)
    expect((await project.link()).materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
  })

  it('start anew when what they write has other names than before', async () => {
    const project = smallProject('hashed', 'rollup')
    const again = `fs.writeFileSync('src/part.js', 'export const part = 99\\n'); await build(); console.log('second')`
    const ended = await project.script(
      librarySource('rollup', { after: again }).replace(`format: 'es' })`, `format: 'es', entryFileNames: '[name]-[hash].js' })`),
    )
    expect(ended.stdout).toContain('second')
    expect(ended.code, ended.text).toBe(0)
    const files = project.files('dist').filter((name) => name.endsWith('.js'))
    expect(files).toHaveLength(2)
    const { products, materials } = await project.link()
    expect(Object.keys(products)).toHaveLength(1)
    expect(materials['src/part.js']).toEqual({ sha256: sha256(project.path('src/part.js')) })
    expect(ended.text).toContain('not made by this build')
  })

  it('end well when a failed one is tried again', async () => {
    const project = smallProject('retry', 'rollup')
    project.write('src/part.js', 'syntax error')
    const script = librarySource('rollup', { after: `fs.writeFileSync('src/part.js', 'export const part = 1\\n'); await build()` })
    const ended = await project.script(script.replace('await build()', 'await build().catch(() => console.log("failed once"))'))
    expect(ended.stdout).toContain('failed once')
    expect(ended.code, ended.text).toBe(0)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.js'])
  })
})

describe('the link of another build of the package', () => {
  /** A build of `src/main.js` to a folder, one command for each. */
  const build = (project: Project, folder: string, options = ''): Promise<Ended> => {
    const name = `${folder.replace('/', '-')}.mjs`
    project.write(name, librarySource('rollup', { options }).replaceAll(`dir: 'dist'`, `dir: '${folder}'`))
    return project.node([name])
  }

  it('stays in a folder above when it says nothing of what is written, and goes when it does', async () => {
    const project = smallProject('above', 'rollup')
    for (const folder of ['dist', 'dist/server', 'dist/server/deep']) {
      const ended = await build(project, folder, `statement: 'link'`)
      expect(ended.code, ended.text).toBe(0)
    }
    const beside = linkName.replace('.link', '.intoto.jsonl')
    for (const folder of ['dist', 'dist/server', 'dist/server/deep']) {
      expect(project.files(folder)).toEqual(expect.arrayContaining([`${folder}/${beside}`, `${folder}/${linkName}`]))
      expect(Object.keys((await project.link(`${folder}/${linkName}`)).products)).toEqual([`${folder}/main.js`])
    }
    const plugins = `{ name: 'emitter', generateBundle() { this.emitFile({ type: 'asset', fileName: 'server/page.html', source: 'x' }) } }`
    const common = await project.script(librarySource('rollup', { plugins }))
    expect(common.code, common.text).toBe(0)
    project.write('src/main.js', 'syntax error')
    expect((await build(project, 'dist/server')).code).toBe(1)
    expect(project.links()).toEqual([`dist/server/deep/${linkName}`])
  })

  it('stays in the folder of the option linkDir, and the build is refused, unless what it speaks of is gone', async () => {
    const project = smallProject('shared', 'rollup')
    const options = `linkDir: 'in-toto'`
    expect((await build(project, 'dist/client', options)).code).toBe(0)
    const refused = await build(project, 'dist/server', options)
    expect(refused.text).toContain(`E_CONFIG in-toto/${linkName} is of another command of the step "build": node dist-client.mjs`)
    expect(refused.code).toBe(1)
    const products = async (): Promise<string[]> => Object.keys((await project.link(`in-toto/${linkName}`)).products)
    expect(await products()).toEqual(['dist/client/main.js'])
    expect((await build(project, 'dist/client', options)).code).toBe(0)
    rmSync(project.path('dist/client'), { recursive: true })
    expect((await build(project, 'dist/server', options)).code).toBe(0)
    expect(await products()).toEqual(['dist/server/main.js'])
  })
})

describe('where the link goes', () => {
  it('is the folder of the option linkDir, where links of other keys are left alone', async () => {
    const project = smallProject('linkdir', 'vite')
    project.write('in-toto/build.0123abcd.link', 'of another functionary')
    project.write(`in-toto/${linkName}`, 'ours, of an earlier build')
    const ended = await project.script(librarySource('vite', { options: `linkDir: 'in-toto'` }))
    expect(ended.code, ended.text).toBe(0)
    expect(project.links()).toEqual(['in-toto/build.0123abcd.link', `in-toto/${linkName}`].sort())
    expect(Object.keys((await project.link(`in-toto/${linkName}`)).products)).toEqual(['dist/main.js'])
  })

  it('is in front of names with ".." when the package is not the root', async () => {
    const project = smallProject('nested', 'vite')
    project.write('app/package.json', '{}')
    project.write('app/src/main.js', `export { part } from '../../src/part.js'`)
    const script = librarySource('vite').replace("root = '.'", "root = 'app'")
    expect((await project.script(script)).code).toBe(0)
    const { materials } = await project.link(`app/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual(['../package.json', '../src/part.js', 'package.json', 'src/main.js'])
  })

  it('has names from the folder of the option root', async () => {
    const project = smallProject('rooted', 'vite')
    project.write('package.json', JSON.stringify({ workspaces: ['app'] }))
    project.write('app/package.json', '{ "type": "module" }')
    project.write('app/src/main.js', `export { part } from '../../src/part.js'`)
    const script = librarySource('vite', { options: `root: 'workspace'` }).replace("root = '.'", "root = 'app'")
    expect((await project.script(script)).code).toBe(0)
    const { materials, products } = await project.link(`app/dist/${linkName}`)
    expect(Object.keys(materials)).toEqual(['app/package.json', 'app/src/main.js', 'build.mjs', 'package.json', 'src/part.js'])
    expect(Object.keys(products)).toEqual(['app/dist/main.js'])
  })
})
