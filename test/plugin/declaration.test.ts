/** Declarations among the products were made from types that no bundler opens: those are materials then, and only then. */
import { describe, expect, it } from 'vitest'
import { smallProject, type Project } from './project.ts'

const declare = `writeFileSync('dist/main.d.ts', 'export declare const main: number')`

function typedProject(o: { plugins?: string; after?: string } = {}): Project {
  const project = smallProject('declarations', 'esbuild')
  project.write('src/main.ts', `import type { Size } from './size.ts'\nexport const main: Size = 1\n`)
  project.write('src/size.ts', `export type { Size } from '../types/real'\n`)
  project.write('types/real.d.ts', 'export type Size = number\n')
  project.write('src/global.d.ts', 'declare const GLOBAL: string\n')
  project.write('tsconfig.json', '{ "include": ["src"] }')
  project.write('other/no.ts', '')
  project.write(
    'build.mjs',
    `import { appendFileSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import inToto from 'unplugin-in-toto/esbuild'
await build({ entryPoints: ['src/main.ts'], bundle: true, format: 'esm', outdir: 'dist', plugins: [inToto(), ${o.plugins ?? ''}] })
${o.after ?? ''}`,
  )
  return project
}

async function materialsOf(project: Project): Promise<string[]> {
  const { code, text } = await project.node(['build.mjs'])
  expect(code, text).toBe(0)
  return Object.keys((await project.link()).materials).filter((name) => /^(?:src|types|other)\//.test(name))
}

describe('declarations', () => {
  const all = ['src/global.d.ts', 'src/main.ts', 'src/size.ts', 'types/real.d.ts']

  it.each([
    ['before the bundler ends', { plugins: `{ name: 'types', setup: ({ onEnd }) => onEnd(() => ${declare}) }` }],
    ['after it ended', { after: declare }],
  ])('make their types materials, when they are written %s', async (_, o) => {
    const project = typedProject(o)
    expect(await materialsOf(project)).toEqual(all)
    expect(Object.keys((await project.link()).products)).toEqual(['dist/main.d.ts', 'dist/main.js'])
    // The declarations of this build are no input of the next one.
    expect(await materialsOf(project)).toEqual(all)
  })

  it('are none when there are none', async () => {
    expect(await materialsOf(typedProject())).toEqual(['src/main.ts'])
  })

  it('fail no build over a type that changes while it runs, and say so', async () => {
    const plugins = `{ name: 'types', setup: ({ onEnd }) => onEnd(() => { ${declare}; appendFileSync('src/global.d.ts', '//') }) }`
    const project = typedProject({ plugins })
    expect(await materialsOf(project)).toEqual(all.slice(1))
    expect((await project.link()).byproducts['unsettled']).toEqual(['src/global.d.ts'])
  })
})
