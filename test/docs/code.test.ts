/** Every piece of code that the documents show parses, imports what exists, and, where it only needs our packages, type-checks. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { documents, root, type Block } from './document.ts'

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const folders = { 'unplugin-in-toto': '', intoto: 'packages/intoto/', 'intoto-npm': 'packages/npm/', 'intoto-cli': 'packages/cli/' }
const own: ReadonlyMap<string, Manifest> = new Map(
  Object.entries(folders).map(([name, folder]) => [name, JSON.parse(readFileSync(`${root}${folder}package.json`, 'utf8')) as Manifest]),
)
const code = new Set(['js', 'ts', 'mjs', 'mts'])
const all = documents.flatMap(({ name, blocks }) => blocks.map((block, place) => ({ title: `${name}, block ${place + 1}`, block })))

/** Specifiers that a block imports. */
function imports({ text }: Block): string[] {
  return Array.from(text.matchAll(/(?:from|import\() ?'([^']+)'/g), ([, specifier = '']) => specifier)
}

/** Whether a specifier of ours is exported. */
function isExported(specifier: string): boolean {
  const [name = '', ...rest] = specifier.split('/')
  return own.get(name)?.exports?.[rest.length === 0 ? '.' : `./${rest.join('/')}`] !== undefined
}

describe('code blocks', () => {
  test.each(all.filter(({ block }) => code.has(block.language)).map(({ title, block }) => [title, block] as const))(
    '%s parses',
    (_, block) => {
      const loader = block.language.endsWith('ts') ? 'ts' : 'js'
      expect(() => transformSync(block.text, { loader, format: 'esm', logLevel: 'silent' })).not.toThrow()
      for (const specifier of imports(block))
        if (own.has(specifier.split('/')[0] ?? '')) expect(isExported(specifier), specifier).toBe(true)
    },
  )

  test.each(all.filter(({ block }) => block.language === 'json').map(({ title, block }) => [title, block] as const))(
    '%s is JSON',
    (_, block) => {
      expect(() => JSON.parse(block.text)).not.toThrow()
    },
  )

  test('each has a language that says what it is', () => {
    const languages = new Set([...code, 'json', 'sh', 'text', 'yaml'])
    expect(all.filter(({ block }) => !languages.has(block.language)).map(({ title }) => title)).toEqual([])
  })
})

test('every entry of a package that a document names is exported', () => {
  const named = documents.flatMap(({ name, text }) =>
    Array.from(text.matchAll(/(?<![\w@/.-])(?:unplugin-in-toto|intoto-npm|intoto-cli)\/[a-z.]+(?![\w/])/g), ([specifier]) => [
      name,
      specifier,
    ]),
  )
  expect(named.length).toBeGreaterThan(8)
  expect(named.filter(([, specifier = '']) => !isExported(specifier.replace(/\.$/, '')))).toEqual([])
})

describe('types', () => {
  // Below the root, where our packages and Node's types are found.
  const folder = join(root, '.cache', `docs-${process.pid}`)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('blocks that import nothing but our packages type-check', () => {
    mkdirSync(folder, { recursive: true })
    const alone = all.filter(({ block }) => {
      const names = imports(block).map((specifier) => specifier.replace(/^node:/, ''))
      return (
        code.has(block.language) &&
        names.length > 0 &&
        names.every((name) => own.has(name.split('/')[0] ?? '') || builtinModules.includes(name))
      )
    })
    expect(alone.length).toBeGreaterThan(2)
    for (const [place, { title, block }] of alone.entries())
      writeFileSync(join(folder, `block${place}.ts`), `// ${title}\n${block.text}\nexport {}\n`)
    const settings = { module: 'nodenext', target: 'es2023', strict: true, noEmit: true, skipLibCheck: true, types: ['node'] }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: settings, include: ['*.ts'] }))
    const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    })
    expect(status, stdout).toBe(0)
  })
})
