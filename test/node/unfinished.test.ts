import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  decodeMetadata,
  generateKeyPair,
  hasSignature,
  importSigner,
  keyidFor,
  type Key,
  type Link,
  type Problem,
  type Signer,
} from 'intoto'
import { recordStart, recordStop } from 'intoto/node'
import { folder, problemOf, replaceFs, systemError } from './place.ts'

let signer: Signer
let other: Signer
let keyid8: string

beforeAll(async () => {
  signer = await importSigner((await generateKeyPair()).privatePem)
  other = await importSigner((await generateKeyPair()).privatePem)
  keyid8 = signer.key.keyid.slice(0, 8)
})

describe('recordStart and recordStop', () => {
  it('make a link in two halves, and leave nothing of the first', async () => {
    const at = folder({ a: '1' })
    const start = { step: 'edit', signer, base: at, folder: at }
    const unfinished = await recordStart({ ...start, materials: ['.'] })
    expect(unfinished).toBe(join(at, `.edit.${keyid8}.link-unfinished`))
    writeFileSync(join(at, 'b'), '2')
    const { metadata, path } = await recordStop({ ...start, products: ['.'], command: ['vi', 'b'], byproducts: { note: 'by hand' } })
    expect(path).toBe(join(at, `edit.${keyid8}.link`))
    expect(readdirSync(at).sort()).toEqual(['a', 'b', `edit.${keyid8}.link`])
    const read = decodeMetadata(readFileSync(path)).payload as Link
    expect(read).toEqual(metadata.payload)
    expect(Object.keys(read.materials)).toEqual(['a'])
    expect(Object.keys(read.products)).toEqual(['a', 'b'])
    expect([read.command, read.byproducts]).toEqual([['vi', 'b'], { note: 'by hand' }])
    expect(await hasSignature(metadata, signer.key)).toBe(true)
  })

  it('keep the format of the first half, and write the link where it is wanted', async () => {
    const at = folder({ a: '1' })
    const start = { step: 'edit', signer, base: at, folder: at }
    for (const format of ['dsse', 'metablock'] as const) {
      await recordStart({ ...start, format })
      const { metadata, path } = await recordStop({ ...start, linkFolder: join(at, 'links') })
      expect(decodeMetadata(readFileSync(path)).format).toBe(format)
      expect(metadata.format).toBe(format)
      expect(path).toBe(join(at, 'links', `edit.${keyid8}.link`))
    }
  })

  it('use another key id in names and signatures on request', async () => {
    const at = folder({ a: '1' })
    const keyids = (key: Key): string[] => [keyidFor(key, 'go')]
    const start = { step: 'edit', signer, base: at, folder: at, keyids }
    const [go = ''] = keyids(signer.key)
    expect(await recordStart(start)).toContain(`.edit.${go.slice(0, 8)}.link-unfinished`)
    expect((await recordStop(start)).path).toBe(join(at, `edit.${go.slice(0, 8)}.link`))
  })

  it('refuse an unfinished link that is absent, changed, of another key, of another step or no link', async () => {
    const at = folder({ a: '1' })
    const start = { step: 'edit', signer, base: at, folder: at }
    const unfinished = join(at, `.edit.${keyid8}.link-unfinished`)
    await problemOf(() => recordStop(start), 'E_IO')

    await recordStart({ ...start, materials: ['a'], format: 'metablock' })
    const whole = readFileSync(unfinished, 'utf8')
    writeFileSync(
      unfinished,
      whole.replace(/"sha256": ?"[0-9a-f]/, (text) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0')),
    )
    await problemOf(() => recordStop(start), 'E_SIGNATURE')
    writeFileSync(unfinished, whole.slice(0, -20))
    await problemOf(() => recordStop(start), 'E_FORMAT')

    const theirs = await recordStart({ ...start, signer: other })
    writeFileSync(unfinished, readFileSync(theirs))
    await problemOf(() => recordStop(start), 'E_SIGNATURE')

    const test = await recordStart({ ...start, step: 'test' })
    writeFileSync(unfinished, readFileSync(test))
    await problemOf(() => recordStop(start), 'E_FORMAT')

    rmSync(unfinished)
    mkdirSync(unfinished)
    await problemOf(() => recordStop(start), 'E_IO')
    expect(existsSync(join(at, `edit.${keyid8}.link`))).toBe(false)
  })

  it('keep the unfinished link when products cannot be recorded', async () => {
    const at = folder({ a: '1' })
    const start = { step: 'edit', signer, base: at, folder: at }
    const unfinished = await recordStart(start)
    await problemOf(() => recordStop({ ...start, products: ['absent'], strict: true }), 'E_NOT_RECORDED')
    expect(existsSync(unfinished)).toBe(true)
    expect((await recordStop({ ...start, products: ['a'] })).path).toContain('edit')
  })

  it('warn of an unfinished link that cannot be removed: the step has its link', async () => {
    const at = folder({ a: '1' })
    const start = { step: 'edit', signer, base: at, folder: at }
    const unfinished = await recordStart(start)
    replaceFs('unlinkSync', (real) => (path) => {
      if (path === unfinished) throw systemError('EIO')
      return real(path)
    })
    const warnings: Problem[] = []
    const { path } = await recordStop({ ...start, products: ['a'], warn: (problem) => warnings.push(problem) })
    expect(existsSync(path)).toBe(true)
    expect(warnings).toMatchObject([{ severity: 'warning', code: 'E_IO', file: unfinished }])
  })

  it('refuse a step name that would leave the folder', async () => {
    const at = folder()
    for (const step of ['../edit', 'a/b', '..', 'a\\b', '']) await problemOf(() => recordStart({ step, signer, folder: at }), 'E_CONFIG')
    expect(readdirSync(at)).toEqual([])
  })
})
