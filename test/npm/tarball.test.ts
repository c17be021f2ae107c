import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readTarball, tarballArtifacts, unpackTarball } from 'intoto-npm'
import { folder, problemOf } from '../node/place.ts'
import { pax, tar, tgz, type Entry } from './archive.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const manifest: Entry = { name: 'package/package.json', content: '{"name":"x"}' }
const names = async (bytes: Uint8Array): Promise<string[]> => (await readTarball(bytes)).files.map(({ name }) => name)

async function refuses(bytes: Uint8Array | readonly Entry[], reason: RegExp): Promise<void> {
  const problem = await problemOf(() => readTarball(bytes instanceof Uint8Array ? bytes : tgz(bytes), { what: 'x.tgz' }), 'E_FORMAT')
  expect(problem.message).toMatch(/^x\.tgz: /)
  expect(problem.message).toMatch(reason)
}

describe('readTarball', () => {
  it('reads files, modes and digests', async () => {
    const bytes = tgz([manifest, { name: 'package/bin/run.js', content: '#!', mode: '000755 ' }, { name: 'package/empty' }])
    const tarball = await readTarball(bytes)
    expect(tarball.top).toBe('package')
    expect(tarball.files.map((file) => [file.name, text(file.bytes), file.executable])).toEqual([
      ['package/package.json', '{"name":"x"}', false],
      ['package/bin/run.js', '#!', true],
      ['package/empty', '', false],
    ])
    expect(tarball.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(tarball.integrity).toBe(`sha512-${createHash('sha512').update(bytes).digest('base64')}`)
    expect(Buffer.from(tarball.sha512, 'hex').toString('base64')).toBe(tarball.integrity.slice('sha512-'.length))
    const [file = ''] = Object.keys(tarballArtifacts(tarball))
    expect([file, tarballArtifacts(tarball)[file]]).toEqual([
      'package/package.json',
      { sha256: createHash('sha256').update('{"name":"x"}').digest('hex') },
    ])
  })

  it('reads what other clients write: folders, prefixes, PAX names, old kinds, a name in the gzip header', async () => {
    const long = `package/${'a'.repeat(120)}/${'b'.repeat(120)}`
    const entries: Entry[] = [
      { name: 'package/', kind: '5', mode: '000755 ' },
      manifest,
      { name: 'c.js', prefix: 'package/dist' },
      {
        name: 'PaxHeader/x',
        kind: 'x',
        content: pax([
          ['path', long],
          ['size', '1'],
          ['mtime', '1.5'],
        ]),
      },
      { name: 'x', content: '1' },
      { name: 'PaxHeader/y', kind: 'x', content: pax([['path', 'package/ü.js']]) },
      { name: 'y' },
      { name: 'package/old', kind: '\0' },
      { name: 'package/older', magic: '', prefix: '' },
    ]
    const expected = ['package/package.json', 'package/dist/c.js', long, 'package/ü.js', 'package/old', 'package/older']
    expect(await names(tgz(entries))).toEqual(expected)
    const named = gzipSync(tar(entries))
    const header = Buffer.concat([
      named.subarray(0, 3),
      Buffer.from([8]),
      named.subarray(4, 10),
      Buffer.from('x.tar\0'),
      named.subarray(10),
    ])
    expect(await names(new Uint8Array(header))).toEqual(expected)
  })

  it('reads every form of a header that npm, pnpm, Yarn, Bun, and GNU tar write', async () => {
    const rest = `package/${'r'.repeat(120)}`
    const forms: Entry[] = [
      { name: 'package/npm', raw: [[108, new Uint8Array(16)]], sum: (sum) => `${sum.toString(8).padStart(6, '0')} \0` },
      { name: 'npm', prefix: rest, raw: [[476, '15302152361\0'.repeat(2)]] },
      { name: 'yarn', prefix: `${rest}${'y'.repeat(25)}` },
      { name: 'package/pnpm', sum: (sum) => `${sum.toString(8).padStart(7, '0')}\0` },
      { name: 'package/bun', mode: '000644 \0', size: '00000000000 ' },
      { name: 'package/gnu', magic: 'ustar  \0', raw: [[265, 'root']] },
      { name: 'package/v7', kind: '\0', magic: '\0\0\0\0\0\0\0\0', raw: [[329, '0000000\u00000000000\0']] },
      { name: 'package/user', raw: [[108, new Uint8Array([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff])]] },
    ]
    expect(await names(tgz(forms))).toEqual(
      forms.map(({ name, prefix }) => (prefix === undefined ? String(name) : `${prefix}/${String(name)}`)),
    )
  })

  it('refuses a header in which two readers find two names, or one of them none', async () => {
    const entry = (more: Partial<Entry>): Entry[] => [manifest, { name: 'package/x', ...more }]
    for (const magic of ['ustar  \0', '\0\0\0\0\0\0\0\0']) await refuses(entry({ prefix: 'package/a', magic }), /prefix/)
    for (const magic of ['ustar\u000001', 'ustar\0  ', 'ustar \0\0', 'USTAR\u000000']) await refuses(entry({ magic }), /format/)
    for (const at of [400, 475, 476, 499, 500, 511]) await refuses(entry({ raw: [[at, 'x']] }), /prefix/)
    for (const at of [99, 296, 328]) await refuses(entry({ raw: [[at, 'x']] }), /behind the end of a name/)
    await refuses(entry({ name: `package/x\0\n${'z'.repeat(89)}` }), /behind the end of a name/)
    await refuses(entry({ linkname: 'package/y' }), /target of a link/)
    for (const sum of [(sum: number) => sum.toString(8).padStart(8, '0'), () => '', () => ' 01 2345'])
      await refuses(entry({ sum }), /checksum/)
    for (const at of [100, 108, 116, 136, 329, 337]) {
      for (const bytes of [[0x81], [0xff], [0x38], [0x30, 0, 0x30], [0x80, 0xff]])
        await refuses(
          entry({
            raw: [
              [at, new Uint8Array(8).fill(0x30)],
              [at, new Uint8Array(bytes)],
            ],
          }),
          /a number/,
        )
    }
    await refuses(entry({ size: '0 000000000 ' }), /octal/)
  })

  it('refuses a second top folder, which installers strip without a look', async () => {
    await refuses([manifest, { name: 'evil/dist/index.js' }], /"evil\/dist\/index\.js" is outside of the top folder "package"/)
    await refuses([manifest, { name: 'index.js' }], /outside of the top folder/)
    await refuses([{ name: 'index.js' }], /not in a folder/)
  })

  it('refuses a name that is there twice, in any spelling', async () => {
    await refuses([manifest, { name: 'package/a', content: '1' }, { name: 'package/a', content: '2' }], /twice/)
    await refuses([manifest, { name: 'package/A.js' }, { name: 'package/a.js' }], /one file on some systems/)
    await refuses([manifest, { name: 'package/Dist/a.js' }, { name: 'package/dist/b.js' }], /one file on some systems/)
    await refuses([manifest, { name: 'package/é'.normalize('NFC') }, { name: 'package/é'.normalize('NFD') }], /one file on some systems/)
    await refuses([manifest, { name: 'package/straße' }, { name: 'package/STRASSE' }], /one file on some systems/)
    await refuses([manifest, { name: 'package/a' }, { name: 'package/a/b' }], /a file and a folder/)
    await refuses([manifest, { name: 'package/a/b' }, { name: 'package/a' }], /a file and a folder/)
    await refuses([manifest, { name: 'package/a/', kind: '5' }, { name: 'package/a' }], /twice/)
    await refuses([manifest, { name: 'package/a' }, { name: 'package/a/b/', kind: '5' }], /"package\/a" is a file and a folder/)
    await refuses(
      [manifest, { name: 'package/a/b/c' }, { name: 'package/a/B/', kind: '5' }],
      /"package\/a\/b" and "package\/a\/B" are one file/,
    )
  })

  it('refuses names that lead elsewhere', async () => {
    for (const name of [
      'package/../x',
      '../x',
      '/package/x',
      'package//x',
      'package/./x',
      'package/..',
      'package/a\\b',
      'package/C:/x',
      'package/a\nb',
      'package/a.',
      'package/a ',
      'package/b/../../../x',
    ]) {
      await refuses([manifest, { name }], /leads elsewhere|outside of the top folder/)
    }
    await refuses(
      [manifest, { name: 'x', kind: 'x', content: pax([['path', '../../etc/passwd']]) }, { name: 'package/x' }],
      /leads elsewhere/,
    )
    await refuses([{ name: '../x' }], /leads elsewhere/)
  })

  it('refuses names that are too long or too deep for some system, and reads many in many folders', async () => {
    const path = (name: string): Entry[] => [manifest, { name: 'x', kind: 'x', content: pax([['path', `package/${name}`]]) }, { name: 'x' }]
    const deep = (count: number): string => `${'a/'.repeat(count)}x.js`
    await refuses(path(deep(30_000)), /longer than 1024 bytes: "package\/a\/a\/[a/]+…"/)
    await refuses(path(deep(99)), /more than 100 parts/)
    await refuses(path('ä'.repeat(128)), /more than 255 bytes in one part/)
    expect(await names(tgz(path(deep(98))))).toHaveLength(2)
    expect(await names(tgz(path(`${'ä'.repeat(127)}/${'a'.repeat(255)}`)))).toHaveLength(2)
    const many = Array.from({ length: 20_000 }, (_, i) => ({ name: `package/${'a/'.repeat(40)}${i}` }))
    expect(await names(tgz([manifest, ...many]))).toHaveLength(20_001)
    const problem = await problemOf(() => readTarball(tgz(path(deep(3))), { files: 3 }), 'E_FORMAT')
    expect(problem.message).toContain('more than the limit of 3 folders (files)')
  })

  it('refuses links, devices and kinds that readers treat in different ways', async () => {
    for (const [kind, reason] of Object.entries({
      1: /hard link/,
      2: /symbolic link/,
      3: /device/,
      4: /device/,
      6: /FIFO/,
      g: /global header/,
      L: /GNU/,
      K: /GNU/,
      7: /not all readers/,
      S: /not all readers/,
      D: /not all readers/,
    })) {
      await refuses([manifest, { name: 'package/x', kind, linkname: '../../x' }], reason)
    }
    await refuses([manifest, { name: 'package/x/', kind: '5', content: 'hidden' }], /a folder has content/)
    await refuses([manifest, { name: 'package/x/', content: 'hidden' }], /leads elsewhere/)
  })

  it('refuses PAX headers that say other things twice or otherwise', async () => {
    const withPax = (content: Uint8Array, name = 'package/x'): Entry[] => [
      manifest,
      { name: 'x', kind: 'x', content },
      { name, content: '1' },
    ]
    await refuses(withPax(pax([['size', '2']])), /two sizes/)
    await refuses(
      withPax(
        pax([
          ['path', 'package/a'],
          ['path', 'package/b'],
        ]),
      ),
      /malformed/,
    )
    await refuses(withPax(pax([['linkpath', '/etc']])), /malformed/)
    for (const control of ['\0', '\n', '\r', '\u007f', '\u0085']) {
      await refuses(withPax(pax([['path', `package/a${control}b`]])), /malformed/)
      await refuses(withPax(pax([['comment', control]])), /malformed/)
    }
    await refuses(withPax(pax([['comment', 'x'.repeat(70_000)]])), /longer than 65536 bytes/)
    await refuses(withPax(pax([['path', `package/${'ü/'.repeat(200)}x`]])), /not ASCII/)
    await refuses(
      [manifest, { name: 'x', kind: 'x', content: pax([['path', 'package/a']]) }, { name: 'b/', content: '1' }],
      /name of a folder/,
    )
    await refuses(withPax(new TextEncoder().encode('99 path=package/a\n')), /malformed/)
    await refuses(withPax(new TextEncoder().encode('path=package/a\n')), /malformed/)
    await refuses(withPax(new Uint8Array([...pax([['path', 'package/a']]).subarray(0, -2), 0xff, 0x0a])), /malformed/)
    await refuses(
      [
        manifest,
        { name: 'x', kind: 'x', content: pax([['path', 'package/a']]) },
        { name: 'x', kind: 'x', content: pax([['path', 'package/b']]) },
        { name: 'y' },
      ],
      /two PAX headers/,
    )
    await refuses([manifest, { name: 'x', kind: 'x', content: pax([['path', 'package/a']]) }], /no proper end/)
  })

  it('refuses names that are not UTF-8, or that a reader would shorten', async () => {
    await refuses([manifest, { name: new Uint8Array([...new TextEncoder().encode('package/'), 0xff]) }], /not UTF-8/)
    await refuses([{ name: '\ufeffpackage/x' }], /different files/)
    // pnpm takes a header whose first byte is zero for the end.
    const path = pax([['path', 'package/x']])
    await refuses([manifest, { name: '', kind: 'x', content: path }, { name: 'x' }], /without a name/)
    await refuses([manifest, { name: 'x', kind: 'x', content: path }, { name: '\0x' }, { name: 'package/y' }], /without a name/)
  })

  it('refuses an archive that is damaged, cut off, or goes on behind its end', async () => {
    await refuses([manifest, { name: 'package/x', broken: true }], /damaged/)
    await refuses([manifest, { name: 'package/x', size: '7777777777 ' }], /ends in the middle/)
    await refuses([manifest, { name: 'package/x', size: 'not octal  ' }], /octal/)
    await refuses([manifest, { name: 'package/x', size: new TextDecoder('latin1').decode(new Uint8Array([0x41])) }], /octal/)
    await refuses(tgz([manifest], new Uint8Array(0)), /no proper end/)
    await refuses(tgz([manifest], new Uint8Array(512)), /no proper end/)
    const hidden = Buffer.concat([new Uint8Array(1024), tar([{ name: 'package/hidden', content: 'x' }])])
    await refuses(tgz([manifest], hidden), /something follows the end/)
    await refuses(tgz([manifest], Buffer.concat([new Uint8Array(512), tar([{ name: 'package/hidden' }])])), /something follows the end/)
    await refuses(tgz([]), /empty/)
    await refuses(tgz([{ name: 'package/', kind: '5' }]), /empty/)
  })

  it('refuses gzip that is damaged, cut off, has a second member or anything behind it', async () => {
    const whole = tgz([manifest])
    await refuses(new Uint8Array(0), /not gzip/)
    await refuses(tar([manifest]), /not gzip/)
    await refuses(whole.subarray(0, -4), /cut off/)
    await refuses(whole.subarray(0, 30), /damaged/)
    await refuses(new Uint8Array([...whole, 0]), /something follows its end/)
    await refuses(new Uint8Array([...whole, ...whole]), /something follows its end/)
    await refuses(new Uint8Array([...whole.subarray(0, -5), whole.at(-5)! ^ 1, ...whole.subarray(-4)]), /checksum/)
    await refuses(new Uint8Array([...whole.subarray(0, -1), 1]), /checksum/)
    const extra = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0, 0]),
      deflateRawSync(tar([manifest])),
      whole.subarray(-8),
    ])
    await refuses(new Uint8Array(extra), /fields that no client writes/)
  })

  it('refuses more than its limits before it holds it', async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000))
    const before = process.memoryUsage().arrayBuffers
    expect((await problemOf(() => readTarball(bomb, { unpackedBytes: 1_000_000 }), 'E_FORMAT')).message).toContain('unpackedBytes')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
    expect((await problemOf(() => readTarball(tgz([manifest, { name: 'package/a' }]), { files: 1 }), 'E_FORMAT')).message).toContain(
      'files',
    )
  })

  it('holds contents once', async () => {
    const { files } = await readTarball(
      tgz([manifest, { name: 'package/a', content: 'a'.repeat(200_000) }, { name: 'package/b', content: 'b' }]),
    )
    expect(new Set(files.map(({ bytes }) => bytes.buffer)).size).toBe(1)
    expect(files[0]?.bytes.buffer.byteLength).toBeLessThan(210_000)
  })

  it('reads a path, and refuses what is no file', async () => {
    const at = folder({ 'x.tgz': tgz([manifest]), big: '' })
    mkdirSync(join(at, 'folder'))
    truncateSync(join(at, 'big'), 2_000_000)
    expect((await readTarball(join(at, 'x.tgz'))).files).toHaveLength(1)
    for (const name of ['absent', 'folder']) await problemOf(() => readTarball(join(at, name)), 'E_IO')
    await problemOf(() => readTarball(join(at, 'big'), { unpackedBytes: 1_000_000 }), 'E_IO')
  })
})

describe('unpackTarball', () => {
  it('writes the files below the folder, as tar does', async () => {
    const at = folder()
    const tarball = await readTarball(tgz([manifest, { name: 'package/a/b.js', content: 'b', mode: '000755 ' }]))
    unpackTarball(tarball, at)
    expect(readFileSync(join(at, 'package/a/b.js'), 'utf8')).toBe('b')
    expect(readFileSync(join(at, 'package/package.json'), 'utf8')).toBe('{"name":"x"}')
    if (process.platform !== 'win32') {
      expect(statSync(join(at, 'package/a/b.js')).mode & 0o777).toBe(0o755)
      expect(statSync(join(at, 'package/package.json')).mode & 0o777).toBe(0o644)
    }
  })

  it('writes nothing where something is already, and follows no link out of the folder', async () => {
    const at = folder({ 'outside/kept': '' })
    const tarball = await readTarball(tgz([manifest]))
    mkdirSync(join(at, 'in'))
    symlinkSync('../outside', join(at, 'in/package'))
    await problemOf(() => unpackTarball(tarball, join(at, 'in')), 'E_IO')
    expect(readdirSync(join(at, 'outside'))).toEqual(['kept'])
    writeFileSync(join(at, 'package'), '')
    await problemOf(() => unpackTarball(tarball, at), 'E_IO')
    await problemOf(() => unpackTarball(tarball, join(at, 'absent')), 'E_IO')
  })
})
