import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { importedFiles, lockfileOf, packageFiles, toolFiles } from '../../../src/recorder/baseline.ts'
import { readClock } from '../../../src/recorder/clock.ts'
import { aliasResolver, composedStyles, referredAssets } from '../../../src/recorder/reference.ts'
import { programFiles, tsconfigFiles } from '../../../src/recorder/tsconfig.ts'

const place = realpathSync(mkdtempSync(join(tmpdir(), 'in-toto-baseline-')))
afterAll(() => rmSync(place, { recursive: true }))

/** Writes files, gives a folder's names for what a function finds. */
function tree(name: string, files: Record<string, string>): { at: (file: string) => string; names: (found: Iterable<string>) => string[] } {
  const folder = join(place, name)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return { at: (file) => join(folder, file), names: (found) => [...found].map((path) => path.slice(folder.length + 1)).sort() }
}

/** Files as a run keeps them. */
const inFolders = (files: string[]): [string, { folder: string }][] => files.map((file) => [file, { folder: dirname(file) }])

describe('programFiles', () => {
  it('are what the nearest configurations include, by their own word or that of a parent, and what they refer to', () => {
    const { at, names } = tree('program', {
      'tsconfig.json': '{ "extends": ["./config/base.json", "./config/later.json"], "references": [{ "path": "./tools" }] }',
      'config/base.json': '{ "include": ["../gone"], "exclude": ["../src/**/*.test.ts"] }',
      'config/later.json': '{ "include": ["../src", "../types/*"], "extends": "./base.json" }',
      'src/index.ts': '',
      'src/deep/part.mts': '',
      'src/deep/part.test.ts': '',
      'src/style.css': '',
      'types/global.d.ts': '',
      'types/deep/no.d.ts': '',
      'other/no.ts': '',
      'tools/tsconfig.json': '{ "files": ["./tool.ts"], "references": [{ "path": ".." }] }',
      'tools/tool.ts': '',
      'tools/no.ts': '',
    })
    expect(names(programFiles(inFolders([at('src/index.ts')])))).toEqual([
      'src/deep/part.mts',
      'src/index.ts',
      'tools/tool.ts',
      'types/global.d.ts',
    ])
  })

  it('are all sources below where nothing is said, but for packages', () => {
    const { at, names } = tree('whole', {
      'tsconfig.json': '{}',
      'a.ts': '',
      'deep/b.tsx': '',
      'deep/c.js': '',
      'node_modules/d/d.ts': '',
      'alone/tsconfig.json': '{ "include": ["${configDir}/e.ts"], "extends": "./tsconfig.json" }',
      'alone/e.ts': '',
      'alone/f.ts': '',
    })
    expect(names(programFiles(inFolders([at('a.ts')])))).toEqual(['a.ts', 'alone/e.ts', 'alone/f.ts', 'deep/b.tsx'])
    expect(names(programFiles(inFolders([at('alone/f.ts')])))).toEqual(['alone/e.ts'])
    expect(names(programFiles(inFolders([at('deep/c.js')])))).toEqual([])
  })
})

describe('tsconfigFiles', () => {
  it('follows what is extended and referred to, through comments, lists, packages and loops', () => {
    const { at, names } = tree('tsconfig', {
      'src/a.ts': '',
      'src/deep/b.tsx': '',
      'src/deep/tsconfig.json': '{ "extends": "../../tsconfig.json" }',
      'tsconfig.json':
        '{ // "extends": "./no"\n "extends": ["./base", "preset/strict.json", "whole"], /* , */ "references": [{ "path": "./node" }, { "path": "loop.json" },], }',
      'base.json': '{ "compilerOptions": { "paths": { "//": ["https://x"] } } }',
      'node/tsconfig.json': '{ "extends": "../missing" }',
      'loop.json': '{ "extends": "./tsconfig.json" }',
      'unused.json': '{}',
      'node_modules/preset/package.json': '{ "name": "preset" }',
      'node_modules/preset/strict.json': '{}',
      'node_modules/whole/package.json': '{ "name": "whole" }',
      'node_modules/whole/tsconfig.json': 'not json',
      'node_modules/dependency/tsconfig.json': '{}',
      'node_modules/dependency/index.ts': '',
    })
    expect(names(tsconfigFiles(inFolders([at('src/a.ts'), at('src/deep/b.tsx'), at('node_modules/dependency/index.ts')])))).toEqual([
      'base.json',
      'loop.json',
      'node/tsconfig.json',
      'node_modules/preset/strict.json',
      'node_modules/whole/tsconfig.json',
      'src/deep/tsconfig.json',
      'tsconfig.json',
    ])
    expect(names(tsconfigFiles(inFolders([at('style.css')])))).toEqual([])
  })
})

describe('composedStyles and referredAssets', () => {
  const { at, names } = tree('style', {
    'a.module.css': `.a { composes: b c from './b.module.css'; } .x { composes: y; color: from }`,
    'b.module.css': `.b { composes: d from "@/d.module.css" } .c { composes: e from 'theme/e.module.css' } .g { composes: gone from './gone.css' }`,
    'src/d.module.css': `.d { composes: a from '../a.module.css' }`,
    'v.module.css': `@value a, b from "./values/1.css"; @value (c, d) from './values/2.css';\n@value named:  "./values/3.css"; @value e from named;\n@value f: #fff; :import("./values/4.css") { f: g } :import(./values/5.css) {} a { color: from "./plain.css" }`,
    'values/1.css': `@value x from "./6.css"`,
    'values/2.css': '',
    'values/3.css': '',
    'values/4.css': '',
    'values/5.css': '',
    'values/6.css': '',
    'node_modules/theme/package.json': '{ "name": "theme" }',
    'node_modules/theme/e.module.css': '',
    'plain.css': `a { background: url(img/1.svg) } b { background: url( "img/2.svg?x" ) } c { background: url('/public.svg#y') } d { background: url(data:image/png;base64,AA) } e { background: url(https://example.com/1.svg) } f { background: url(img/none.svg) }`,
    'plain.less': `@import (inline, optional) "img/1.svg"; @import (reference) "img/5.svg"; a { b: data-uri('image/svg+xml;utf8', 'img/2.svg'); c: data-uri("img/3.svg#x"); d: image-width("img/4.svg") }`,
    'set.css': `a { b: -webkit-image-set("img/1.svg" 1x, url(img/2.svg) 2x); c: image-set('img/3.svg' type("image/svg+xml") 1x) } d { content: "img/4.svg" }`,
    'main.ts': `new URL('./img/3.svg', import.meta.url); new URL("./img/4.svg", location.href); new URL(\`./img/\${x}.svg\`, import.meta.url)`,
    'page.html': `<img srcset="img/1.svg 1x, ./img/3.svg 2x" alt="img/4.svg"><a href="img/4.svg"></a><video poster='img/5.svg'></video><use xlink:href=img/6.svg />`,
    'img/1.svg': '',
    'img/2.svg': '',
    'img/3.svg': '',
    'img/4.svg': '',
    'img/5.svg': '',
    'img/6.svg': '',
    'public/public.svg': '',
  })
  const alias = aliasResolver(
    [
      { find: '@', replacement: at('src') },
      { find: /^~\/(.*)$/, replacement: at('$1') },
    ],
    [at('public')],
  )

  it('follow classes to the end', () => {
    expect(names(composedStyles([at('a.module.css'), at('plain.css')], alias))).toEqual([
      'a.module.css',
      'b.module.css',
      'node_modules/theme/e.module.css',
      'src/d.module.css',
    ])
  })

  it('follow values and imports, too', () => {
    expect(names(composedStyles([at('v.module.css')]))).toEqual([1, 2, 3, 4, 5, 6].map((value) => `values/${value}.css`))
  })

  it('find what styles, modules and elements point to, and nothing that is not there', () => {
    expect(names(referredAssets([at('plain.css')], alias))).toEqual(['img/1.svg', 'img/2.svg', 'public/public.svg'])
    expect(names(referredAssets([at('plain.less')]))).toEqual(['img/1.svg', 'img/2.svg', 'img/3.svg', 'img/4.svg'])
    expect(names(referredAssets([at('set.css')]))).toEqual(['img/1.svg', 'img/2.svg', 'img/3.svg'])
    expect(names(referredAssets([at('main.ts')], alias))).toEqual(['img/3.svg'])
    expect(names(referredAssets([at('page.html')], alias))).toEqual(['img/1.svg', 'img/3.svg', 'img/5.svg', 'img/6.svg'])
  })
})

describe('packageFiles, lockfileOf, toolFiles and importedFiles', () => {
  const { at, names } = tree('packages', {
    'package.json': '{}',
    'pnpm-lock.yaml': '',
    'app/package.json': '{ "name": "app" }',
    'app/src/a.js': '',
    'app/src/cjs/package.json': '{ "type": "commonjs" }',
    'app/postcss.config.mjs': `import one from './config/one.js'\nexport * from "./config/two"\nconst three = require('./three.cjs')\nawait import('./four.mjs')\nimport 'package'`,
    'app/config/one.ts': `import './one.js'`,
    'app/config/two/index.js': '',
    'app/three.cjs': '',
    'app/four.mjs': '',
    'app/unused.mjs': '',
    '.browserslistrc': '',
    'node_modules/dep/package.json': '{}',
    'node_modules/dep/lib/package.json': '{ "name": "dep/lib" }',
    'node_modules/dep/lib/x.js': '',
    'node_modules/@scope/dep/package.json': '{}',
    'node_modules/@scope/dep/esm/package.json': '{}',
  })

  it('are the package.json of each file, from the nearest to that of the package', () => {
    expect(names(packageFiles([at('app/src/cjs'), at('node_modules/dep/lib'), at('node_modules/@scope/dep/esm/deep')]))).toEqual([
      'app/package.json',
      'app/src/cjs/package.json',
      'node_modules/@scope/dep/esm/package.json',
      'node_modules/@scope/dep/package.json',
      'node_modules/dep/lib/package.json',
      'node_modules/dep/package.json',
    ])
    expect(names(packageFiles([at('other')], at('.')))).toEqual(['package.json'])
  })

  it('are the lockfile of the workspace', () => {
    expect(names(lockfileOf(at('app')))).toEqual(['pnpm-lock.yaml'])
  })

  it('are configurations of tools, found as the tools find them', () => {
    expect(names(toolFiles(at('app'), ['postcss', 'browserslist', 'babel']))).toEqual(['.browserslistrc', 'app/postcss.config.mjs'])
  })

  it('are what a configuration imports', () => {
    expect(names(importedFiles(at('app/postcss.config.mjs')))).toEqual([
      'app/config/one.ts',
      'app/config/two/index.js',
      'app/four.mjs',
      'app/postcss.config.mjs',
      'app/three.cjs',
    ])
  })
})

describe('readClock', () => {
  it('lies between what was written before and what is written after, and leaves nothing behind', () => {
    const { at } = tree('clock', { before: '' })
    mkdirSync(at('node_modules'))
    for (let round = 0; round < 20; round++) {
      writeFileSync(at('before'), String(round))
      const { changedFrom, writtenFrom, processFrom } = readClock(at('.'))
      writeFileSync(at('after'), String(round))
      const ctime = (name: string): number => statSync(at(name)).ctimeMs
      expect(ctime('before')).toBeLessThan(changedFrom)
      expect(ctime('after')).toBeGreaterThanOrEqual(changedFrom)
      expect(writtenFrom).toBeLessThanOrEqual(changedFrom)
      expect(processFrom).toBeLessThan(changedFrom)
    }
    expect(readdirSync(at('node_modules'))).toEqual([])
    expect(readdirSync(at('.')).sort()).toEqual(['after', 'before', 'node_modules'])
  })

  it('is read from the folder for temporary files where nothing can be written', () => {
    expect(() => readClock(join(place, 'not', 'there'))).not.toThrow()
  })
})
