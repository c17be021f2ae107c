/** The Statement beside a link: what it holds, that it goes and comes with the link, and that a verification of the folder takes both. */
import { existsSync, readFileSync } from 'node:fs'
import {
  createLink,
  decodeMetadata,
  generateKeyPair,
  hasSignature,
  importSigner,
  isStatement,
  judge,
  parseLayout,
  sign,
  toLayoutKey,
  toStatement,
  type Report,
  type Statement,
} from 'intoto'
import { linkDirectory, recordArtifacts } from 'intoto/node'
import { describe, expect, it } from 'vitest'
import { key, librarySource, linkName, smallProject, type Project } from './project.ts'

const name = linkName.replace('.link', '.intoto.jsonl')

async function statementOf(project: Project): Promise<Statement> {
  const metadata = decodeMetadata(readFileSync(project.path('dist', name)))
  expect(await hasSignature(metadata, key)).toBe(true)
  if (!isStatement(metadata.payload)) throw new Error('no Statement')
  return metadata.payload
}

/** The verdict about `dist`, by a layout with one step. */
async function verdict(project: Project, command: readonly string[]): Promise<Report> {
  const step = { _type: 'step', name: 'build', threshold: 1, pubkeys: [key.keyid], expected_command: command }
  const layout = parseLayout({
    _type: 'layout',
    expires: '2099-01-01T00:00:00Z',
    readme: '',
    keys: { [key.keyid]: toLayoutKey(key) },
    steps: [
      {
        ...step,
        expected_materials: [['ALLOW', '*']],
        expected_products: [
          ['CREATE', 'dist/*'],
          ['DISALLOW', '*'],
        ],
      },
    ],
    inspect: [],
  })
  const owner = await importSigner((await generateKeyPair()).privatePem)
  const artifacts = await recordArtifacts(['dist'], { base: project.dir, exclude: () => false })
  const product = { path: 'dist', kind: 'folder' as const, artifacts, ignore: [`dist/${linkName}`] }
  return judge(await sign(layout, [owner]), { keys: [owner.key], links: linkDirectory(project.path('dist')), product })
}

describe('statement: link', () => {
  it('says what the link says, and passes the verification of its folder, where a forged one does not', async () => {
    const project = smallProject('statement-link', 'vite')
    const ended = await project.script(librarySource('vite', { options: `statement: 'link'` }))
    expect(ended.code, ended.text).toBe(0)
    const link = await project.link()
    expect(await statementOf(project)).toEqual(toStatement(link))
    expect(Object.keys(link.products)).toEqual(['dist/main.js'])
    expect(await verdict(project, ['node', 'build.mjs'])).toMatchObject({ ok: true, product: { matched: 1, links: 2 } })

    project.write(`dist/${name}`, `${project.read(`dist/${name}`).trimEnd()} \n`)
    expect((await verdict(project, ['node', 'build.mjs'])).problems).toMatchObject([{ code: 'E_PRODUCT', file: `dist/${name}` }])
    project.write(`dist/${name}`, 'alert(1)')
    expect((await verdict(project, ['node', 'build.mjs'])).ok).toBe(false)
  })

  it('follows a late writer, and goes with the link of a build that fails or asks for none', async () => {
    const project = smallProject('statement-late', 'rollup')
    const late = { options: `statement: 'link'`, after: `fs.writeFileSync('dist/sw.js', '// late')` }
    expect((await project.script(librarySource('rollup', late))).code).toBe(0)
    expect(await statementOf(project)).toEqual(toStatement(await project.link()))
    expect((await statementOf(project)).subject.map((entry) => entry.name)).toEqual(['dist/main.js', 'dist/sw.js'])
    expect((await verdict(project, ['node', 'build.mjs'])).ok).toBe(true)

    const failing = { ...late, after: 'process.exit(3)' }
    expect((await project.script(librarySource('rollup', failing))).code).toBe(3)
    expect(project.files('dist').filter((file) => /\.(?:link|jsonl)$/.test(file))).toEqual([])

    expect((await project.script(librarySource('rollup', late))).code).toBe(0)
    project.write('dist/build.0123abcd.intoto.jsonl', 'of another key')
    expect((await project.script(librarySource('rollup'))).code).toBe(0)
    expect(project.files('dist').filter((file) => file.endsWith('.jsonl'))).toEqual([])
  })
})

describe('statement: slsa', () => {
  it('is provenance of every product, with materials and packages', async () => {
    const project = smallProject('statement-slsa', 'esbuild')
    const ended = await project.script(`import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
await build({ entryPoints: ['src/main.js'], bundle: true, outdir: 'dist', plugins: [inToto({ statement: 'slsa', format: 'metablock', hash: ['sha512'] })] })`)
    expect(ended.code, ended.text).toBe(0)
    const link = await project.link()
    const { subject, predicate, predicateType } = await statementOf(project)
    expect(predicateType).toBe('https://slsa.dev/provenance/v1')
    expect(subject).toEqual([
      { name: 'dist/main.js', digest: { ...link.products['dist/main.js'], sha512: expect.stringMatching(/^[0-9a-f]{128}$/) } },
    ])
    expect(predicate).toMatchObject({
      buildDefinition: {
        buildType: 'pkg:npm/unplugin-in-toto#docs/buildtypes/bundle-v1.md',
        externalParameters: { step: 'build', command: ['node', 'build.mjs'] },
        internalParameters: { bundler: { name: 'esbuild' }, plugin: { name: 'unplugin-in-toto' } },
        resolvedDependencies: Object.entries(link.materials).map(([file, digest]) => ({ name: file, digest })),
      },
      runDetails: { builder: { id: 'pkg:npm/unplugin-in-toto#docs/builders/unhosted-v1.md' } },
    })
    expect((await verdict(project, ['node', 'build.mjs'])).ok).toBe(true)
    // Provenance of an earlier build with other materials is no evidence for this one.
    const earlier = project.read(`dist/${name}`)
    project.write('src/part.js', 'export const part = 41 // edited\n')
    expect((await project.node(['build.mjs'])).code).toBe(0)
    expect((await verdict(project, ['node', 'build.mjs'])).ok).toBe(true)
    project.write(`dist/${name}`, earlier)
    expect((await verdict(project, ['node', 'build.mjs'])).problems).toMatchObject([{ code: 'E_PRODUCT', file: `dist/${name}` }])
  })

  it('lies with the link where linkDir says', async () => {
    const project = smallProject('statement-dir', 'vite')
    const ended = await project.script(librarySource('vite', { options: `statement: 'slsa', linkDir: 'in-toto'` }))
    expect(ended.code, ended.text).toBe(0)
    expect(existsSync(project.path('in-toto', name))).toBe(true)
    expect(project.files('dist')).toEqual(['dist/main.js'])
    expect(createLink(await project.link(`in-toto/${linkName}`)).name).toBe('build')
  })
})
