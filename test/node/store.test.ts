import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  generateKeyPair,
  importSigner,
  sign,
  type Link,
  type Metadata,
  type Signer,
} from 'intoto'
import { linkDirectory } from 'intoto/node'
import { folder, problemOf } from './place.ts'

let signer: Signer
let keyid8: string
let metadata: Metadata<Link>

beforeAll(async () => {
  signer = await importSigner((await generateKeyPair()).privatePem)
  keyid8 = signer.key.keyid.slice(0, 8)
  metadata = await sign(createLink({ name: 'build' }), [signer])
})

const files = async (found: Promise<readonly { file: string }[]>): Promise<string[]> => (await found).map(({ file }) => file)

describe('linkDirectory', () => {
  it('puts a link under its name and gets it back byte for byte', async () => {
    const at = join(folder(), 'made', 'on demand')
    const links = linkDirectory(at)
    const path = links.put(metadata)
    expect(path).toBe(join(at, `build.${keyid8}.link`))
    const [file] = await links.get('build', signer.key.keyid)
    expect(file?.file).toBe(path)
    expect(await file?.read()).toEqual(new Uint8Array(readFileSync(path)))
    expect(decodeMetadata((await file?.read()) ?? new Uint8Array()).payload).toEqual(metadata.payload)
    expect(readdirSync(at)).toEqual([`build.${keyid8}.link`])
  })

  it('puts a link under another id on request, and refuses what makes no file name', async () => {
    const at = folder()
    expect(linkDirectory(at).put(metadata, { keyid: 'ABCDEF0123456789' })).toBe(join(at, 'build.ABCDEF01.link'))
    for (const name of ['../escape', 'a/b', '/abs', '..', 'a\0b', 'back\\slash']) {
      await problemOf(() => linkDirectory(at).put({ ...metadata, payload: { ...metadata.payload, name } }), 'E_CONFIG')
    }
    await problemOf(() => linkDirectory(at).put({ ...metadata, signatures: [] }), 'E_CONFIG')
    await problemOf(() => linkDirectory(at).put(metadata, { keyid: 'not hexadecimal' }), 'E_CONFIG')
    expect(readdirSync(at)).toEqual(['build.ABCDEF01.link'])
  })

  it('finds exact names only: a step is no pattern and no path', async () => {
    const at = folder({ [`build.${keyid8}.link`]: 'x', [`sub/build.${keyid8}.link`]: 'x' })
    const links = linkDirectory(join(at, 'sub'))
    for (const step of ['b*', 'buil?', '[b]uild', 'Build', 'build.', '', '../build', `${at}/build`, 'sub/../build']) {
      expect(await files(links.get(step, signer.key.keyid)), step).toEqual([])
    }
    expect(await files(links.get('build', signer.key.keyid))).toEqual([join(at, 'sub', `build.${keyid8}.link`)])
    expect(await files(links.get('build', '00000000'))).toEqual([])
    expect(await files(links.get('x'.repeat(5_000), signer.key.keyid))).toEqual([])
  })

  it('searches several folders, absent ones too, and counts a file that is reached twice once', async () => {
    const at = folder({ [`a/build.${keyid8}.link`]: '1', [`b/build.${keyid8}.link`]: '2' })
    symlinkSync('a', join(at, 'c'))
    const links = linkDirectory([join(at, 'absent'), join(at, 'a'), join(at, 'b'), join(at, 'c'), `${at}/a/`])
    expect(await files(links.get('build', signer.key.keyid))).toEqual([
      join(at, 'a', `build.${keyid8}.link`),
      join(at, 'b', `build.${keyid8}.link`),
    ])
  })

  it('lists the links of a step under every id, and nothing else', async () => {
    const names = [
      'build.0a1b2c3d.link',
      'build.FFFFFFFF.link',
      'build.link',
      'build.0a1b2c3.link',
      'rebuild.0a1b2c3d.link',
      'build.0a1b2c3d.link~',
      'build.x.0a1b2c3d.link',
    ]
    const at = folder(Object.fromEntries(names.map((name) => [name, 'x'])))
    expect(await files(linkDirectory(at).list('build'))).toEqual(names.slice(0, 2).map((name) => join(at, name)))
    expect(await files(linkDirectory(at).list('build.x'))).toEqual([join(at, 'build.x.0a1b2c3d.link')])
    expect(await files(linkDirectory(join(at, 'absent')).list('build'))).toEqual([])
    await problemOf(() => linkDirectory(join(at, 'build.link')).list('build'), 'E_IO')
  })

  it('hands out what is no file, so that reading it fails and nobody takes it for absent', async () => {
    const at = folder()
    mkdirSync(join(at, 'build.0a1b2c3d.link'))
    symlinkSync('test.0a1b2c3d.link', join(at, 'test.0a1b2c3d.link'))
    if (process.platform !== 'win32') spawnSync('mkfifo', [join(at, 'pack.0a1b2c3d.link')])
    for (const step of process.platform === 'win32' ? ['build'] : ['build', 'test', 'pack']) {
      const [file] = await linkDirectory(at).get(step, '0a1b2c3d')
      await problemOf(() => file?.read(), 'E_IO')
    }
  })

  it('reads no link above the limit', async () => {
    const at = folder({ 'build.0a1b2c3d.link': 'x'.repeat(101) })
    const [file] = await linkDirectory(at, { limit: 100 }).get('build', '0a1b2c3d')
    await problemOf(() => file?.read(), 'E_IO')
  })

  it('finds the links of a sublayout in their folder, and below that those of the next', async () => {
    const at = folder({ 'build.0a1b2c3d/compile.77aa0c31.link': '1', 'build.0a1b2c3d/compile.77aa0c31/strip.12345678.link': '2' })
    const inner = linkDirectory(at).within('build', '0a1b2c3d4e5f')
    expect(await files(inner.get('compile', '77aa0c31'))).toEqual([join(at, 'build.0a1b2c3d', 'compile.77aa0c31.link')])
    expect(await files(inner.within('compile', '77aa0c31ff').list('strip'))).toHaveLength(1)
    expect(await files(linkDirectory(at).within('build', 'ffffffff').list('compile'))).toEqual([])
    expect(await files(linkDirectory(at).within('../x', '0a1b2c3d').list('compile'))).toEqual([])
  })

  it('does not follow a link of a sublayout folder out of the folder that was given', async () => {
    const at = folder({ 'outside/compile.77aa0c31.link': 'x', 'in/here/compile.77aa0c31.link': 'x', 'in/build.00000000/x': '' })
    symlinkSync('../outside', join(at, 'in/build.0a1b2c3d'))
    symlinkSync('here', join(at, 'in/test.0a1b2c3d'))
    symlinkSync('../../outside', join(at, 'in/here/compile.77aa0c31'))
    const links = linkDirectory(join(at, 'in'))
    expect(await files(links.within('build', '0a1b2c3d').list('compile'))).toEqual([])
    expect(await files(links.within('test', '0a1b2c3d').list('compile'))).toHaveLength(1)
    expect(await files(links.within('test', '0a1b2c3d').within('compile', '77aa0c31').list('compile'))).toEqual([])
  })

  it('keeps the earlier link when the new one cannot be written', async () => {
    const at = folder({ file: 'x' })
    await problemOf(() => linkDirectory(join(at, 'file')).put(metadata), 'E_IO')
    linkDirectory(at).put(metadata)
    mkdirSync(join(at, `test.${keyid8}.link`))
    writeFileSync(join(at, `test.${keyid8}.link`, 'x'), '')
    const test = await sign(createLink({ name: 'test' }), [signer])
    await problemOf(() => linkDirectory(at).put(test), 'E_IO')
    expect(new Uint8Array(readFileSync(join(at, `build.${keyid8}.link`)))).toEqual(encodeMetadata(metadata))
    expect(readdirSync(at).sort()).toEqual([`build.${keyid8}.link`, 'file', `test.${keyid8}.link`].sort())
  })
})
