import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createLink } from 'intoto'
import { matchProducts, recordArtifactsSync } from 'intoto/node'
import { folder, problemOf } from './place.ts'

describe('matchProducts', () => {
  const files = { 'dist/a': 'a', 'dist/b': 'b', 'dist/c': 'c' }

  it('finds nothing when the folder holds exactly the products', async () => {
    const base = folder(files)
    const link = createLink({ name: 's', products: recordArtifactsSync(['.'], { base }) })
    expect(await matchProducts(link, ['.'], { base })).toEqual({ onlyInProducts: [], notInProducts: [], differ: [] })
  })

  it('tells what is missing, added and changed', async () => {
    const link = createLink({ name: 's', products: recordArtifactsSync(['.'], { base: folder(files) }) })
    const base = folder({ 'dist/b': 'changed', 'dist/c': 'c', 'dist/d': 'd', ['__proto__']: '' })
    expect(await matchProducts(link, ['.'], { base })).toEqual({
      onlyInProducts: ['dist/a'],
      notInProducts: ['__proto__', 'dist/d'],
      differ: ['dist/b'],
    })
    expect(await matchProducts(link, ['dist/c'], { base })).toEqual({ onlyInProducts: ['dist/a', 'dist/b'], notInProducts: [], differ: [] })
  })

  it('compares digest maps as a whole', async () => {
    const base = folder({ a: 'a' })
    const link = createLink({ name: 's', products: recordArtifactsSync(['.'], { base, algorithms: ['sha256', 'sha512'] }) })
    expect((await matchProducts(link, ['.'], { base })).differ).toEqual(['a'])
    expect((await matchProducts(link, ['.'], { base, algorithms: ['sha256', 'sha512'] })).differ).toEqual([])
  })

  it('takes exclusions and prefixes, and leaves out folders behind links unless told otherwise', async () => {
    const base = folder({ 'dist/a': 'a', junk: '' })
    symlinkSync('dist', join(base, 'also'))
    const link = createLink({ name: 's', products: recordArtifactsSync(['dist'], { base, lstrip: ['dist/'] }) })
    const o = { base, lstrip: ['dist/'], exclude: (name: string) => name === 'junk' }
    expect(await matchProducts(link, ['.'], o)).toEqual({ onlyInProducts: [], notInProducts: [], differ: [] })
    expect((await matchProducts(link, ['.'], { ...o, followFolders: true })).notInProducts).toEqual(['also/a'])
  })

  it('fails for what cannot be recorded', async () => {
    const base = folder({ a: '' })
    await problemOf(() => matchProducts(createLink({ name: 's' }), ['.'], { base, limit: 0 }), 'E_IO')
  })
})
