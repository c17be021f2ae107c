/** Links held in memory: exact names, folders of sublayouts, and no path that looks like one. */
import { describe, expect, it } from 'vitest'
import { memoryLinks } from 'intoto'

const bytes = (n: number): Uint8Array => Uint8Array.of(n)
const source = memoryLinks({
  'a.c0ffee12.link': bytes(1),
  'a.b.c0ffee12.link': bytes(2),
  'a.77aa0c31.link': bytes(3),
  'a.link': bytes(4),
  'a.c0ffee12/a.c0ffee12.link': bytes(5),
  'a.c0ffee12.intoto.jsonl': bytes(6),
  'x/a.c0ffee12.link': bytes(7),
})
const names = (files: readonly { file: string }[]): string[] => files.map(({ file }) => file)

describe('memoryLinks', () => {
  it('gets the file of exactly this step and key', async () => {
    const [file, ...more] = await source.get('a', 'c0ffee1234567890')
    expect([file!.file, await file!.read(), more]).toEqual(['a.c0ffee12.link', bytes(1), []])
    expect(names(await source.get('a.b', 'c0ffee12'))).toEqual(['a.b.c0ffee12.link'])
    expect(names(await source.get('constructor', 'c0ffee12'))).toEqual([])
  })

  it('lists the files of a step, whoever signed them, and of no other', async () => {
    expect(names(await source.list('a'))).toEqual(['a.c0ffee12.link', 'a.77aa0c31.link'])
    expect(names(await source.list('a.b'))).toEqual(['a.b.c0ffee12.link'])
  })

  it('looks for the links of a sublayout in its folder only', async () => {
    const inner = source.within('a', 'c0ffee1234567890')
    expect(names(await inner.get('a', 'c0ffee12'))).toEqual(['a.c0ffee12/a.c0ffee12.link'])
    expect(names(await inner.list('a'))).toEqual(['a.c0ffee12/a.c0ffee12.link'])
    expect(names(await inner.within('a', 'c0ffee12').list('a'))).toEqual([])
  })

  it('knows bundles and envelopes that lie beside links', async () => {
    expect(names(await source.statements!('a', 'c0ffee12'))).toEqual(['a.c0ffee12.intoto.jsonl'])
    expect(names(await source.statements!('a', '77aa0c31'))).toEqual([])
  })
})
