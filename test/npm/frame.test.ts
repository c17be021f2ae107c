import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { InTotoError } from 'intoto'
import { readTarball } from 'intoto-npm'
import { chosenSeed, Random } from '../interop/random.ts'
import { pax, tar, type Entry } from './archive.ts'
import { haveNodeTar, installed } from './node-tar.ts'

const manifest: Entry = { name: 'package/package.json', content: '{"name":"x"}' }
const record = (key: string, value: string): string => Buffer.from(pax([[key, value]])).toString()
const named = (content: Uint8Array | string, entry: Entry): Entry[] => [{ name: 'PaxHeader/x', kind: 'x', content }, entry]
const other = 'package/package.json'

/** What npm installs otherwise than the names say at first sight, each by its place in node-tar. */
const crafted: Readonly<Record<string, Entry[]>> = {
  'a record within a value of PAX': named(
    pax([
      ['path', 'package/dist/package.json'],
      ['comment', `x\n${record('path', other).trimEnd()}`],
    ]),
    { name: 'x', content: 'evil' },
  ),
  'a line feed in the name of PAX': named(pax([['path', 'package/a\nb']]), { name: other, content: 'evil' }),
  'a prefix under another version': [{ name: 'package.json', prefix: 'package/dist', magic: 'ustar\0  ', content: 'evil' }],
  'a prefix under no version': [{ name: 'package.json', prefix: 'package/dist', magic: 'ustar\0\0\0', content: 'evil' }],
  'a PAX header of more than 1 MiB': named(
    pax([
      ['path', 'package/dist/package.json'],
      ['comment', 'x'.repeat(1_100_000)],
    ]),
    { name: other, content: 'evil' },
  ),
  'a letter of PAX that comes in two pieces': named(pax([['path', `package/${'ü/'.repeat(90)}${'€'.repeat(80)}/${'€'.repeat(80)}`]]), {
    name: other,
    content: 'evil',
  }),
  'a checksum without an end': [{ name: 'package/a.js', sum: (sum) => sum.toString(8).padStart(8, '0') }],
  'a checksum with a space in it': [{ name: 'package/a.js', sum: (sum) => ` 0 ${sum.toString(8)}\0` }],
  'a line feed behind the end of a name': [{ name: `package/a.js\0\n${'z'.repeat(86)}` }],
  'a line feed behind the end of a prefix': [{ name: 'a.js', prefix: 'package\0\nzz' }],
  'the target of a link': [{ name: 'package/a.js', linkname: 'package/b.js', content: Buffer.from(tar([{ name: 'package/c.js' }])) }],
  'a device number that is none': [{ name: 'package/a.js', raw: [[329, new Uint8Array([0x81])]] }],
  'a mode that is none': [{ name: 'package/a.js', raw: [[100, new Uint8Array([0x81])]] }],
  'a mode with a digit more': [{ name: 'package/a.js', mode: '0 00755\0' }],
  'a user that is too large': [{ name: 'package/a.js', raw: [[108, new Uint8Array([0x80, 0xff, 0, 0, 0, 0, 0, 0])]] }],
  'a user that is negative': [{ name: 'package/a.js', raw: [[108, new Uint8Array(8).fill(0xff)]] }],
  'a time behind the prefix that is none': [{ name: 'package/a.js', raw: [[476, new Uint8Array([0x81])]] }],
  'a prefix that ends before its end': [{ name: 'a.js', prefix: 'package', raw: [[475, 'x']] }],
  'a size with a space in it': [{ name: 'package/a.js', content: '0123456789', size: '0 000000012\0' }],
  'a name of 256 bytes': named(pax([['path', `package/${'a'.repeat(256)}`]]), { name: 'x' }),
  'a name of 3,000 bytes': named(pax([['path', `package/${`${'a'.repeat(99)}/`.repeat(30)}x`]]), { name: 'x' }),
  'a path of 1,100 folders': named(pax([['path', `package/${'a/'.repeat(1100)}x`]]), { name: 'x' }),
  'a file below a file': [
    { name: 'package/a', content: 'a' },
    { name: 'package/a/b/', kind: '5' },
  ],
  'a checksum in the block that ends': [{ name: 'package/a.js' }, { name: '', sum: () => '0000400\0', mode: '' }],
}

/** The files as we see them, without the first folder; nothing for an archive that we refuse. */
async function seen(archive: Uint8Array): Promise<Record<string, string> | undefined> {
  try {
    const { files } = await readTarball(gzipSync(archive, { level: 1 }))
    const entries = files.map(({ name, bytes }) => [name.slice(name.indexOf('/') + 1), Buffer.from(bytes).toString('latin1')] as const)
    return Object.assign(Object.create(null), Object.fromEntries(entries)) as Record<string, string>
  } catch (error) {
    if (error instanceof InTotoError) return undefined
    throw error
  }
}

/** Whether we accept it; then npm must install what we see. */
async function agrees(archive: Uint8Array, piece: number): Promise<boolean> {
  const ours = await seen(archive)
  if (ours !== undefined) expect(installed(archive, piece)).toEqual(ours)
  return ours !== undefined
}

const fields = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 6],
  [263, 2],
  [265, 32],
  [297, 32],
  [329, 8],
  [337, 8],
  [345, 155],
  [475, 1],
  [476, 12],
  [488, 12],
  [500, 12],
] as const
const pieces = [' ', '\0', '\n', '0', '7', '8', 'x', '/', 'a', '5', '\x80', '\xff', '\r', 'ustar', 'package', 'ü', '00', '  ', '0000012\0']
const sums = [
  (sum: string) => `${sum.padStart(6, '0')}\0 `,
  (sum: string) => `${sum.padStart(6, '0')} \0`,
  (sum: string) => `${sum.padStart(7, '0')}\0`,
  (sum: string) => `${sum.padStart(7, ' ')} `,
  (sum: string) => sum.padStart(8, '0'),
  (sum: string) => `${sum}\0\n0`.padStart(8, ' '),
]
const keys = ['path', 'comment', 'size', 'mtime', 'uid', 'gname', 'linkpath', 'mode', 'charset']
const values = ['package/p.js', 'x\n', '0', '1', '', 'ü', '=', 'a=b', ' ', '\r', '\u0085', 'package/x/', '-1', '1e3']

function randomRaw(random: Random): [number, Uint8Array] {
  const [start, length] = random.pick(fields)
  const text = Array.from({ length: random.between(1, 4) }, () => random.pick(pieces)).join('')
  const at = random.chance(0.6) ? 0 : random.below(length)
  return [start + at, Buffer.from(text, 'latin1').subarray(0, length - at)]
}

function randomEntry(random: Random, name: string): Entry[] {
  const entry: Entry = {
    name,
    content: 'c'.repeat(random.pick([0, 1, 511, 512, 513])),
    kind: random.pick(['0', '0', '0', '\0', '5']),
    raw: Array.from({ length: random.pick([0, 0, 0, 1, 1, 2]) }, () => randomRaw(random)),
    ...(random.chance(0.2) && {
      prefix: random.pick(['package', 'package/lib', `package/${'l'.repeat(125)}`, `package/${'l'.repeat(140)}`]),
    }),
    ...(random.chance(0.2) && { magic: random.pick(['ustar  \0', 'ustar\0  ', '\0\0\0\0\0\0\0\0', 'ustar\u000001']) }),
    sum: (sum) => random.pick(random.chance(0.7) ? sums.slice(0, 4) : sums)(sum.toString(8)),
  }
  if (entry.kind === '5') entry.content = ''
  if (!random.chance(0.3)) return [entry]
  const records = random.sample(keys.slice(0, random.pick([3, 6, 9])), random.between(0, 3)).map((key) => {
    const value = random.chance(0.5) ? (key === 'path' ? `package/${name}` : String(entry.content?.length)) : random.pick(values)
    return [key, value + (random.chance(0.2) ? random.pick(values) : '')] as const
  })
  return [{ name: 'PaxHeader', kind: 'x', content: pax(records) }, entry]
}

describe.skipIf(!haveNodeTar)('npm installs the files that readTarball sees', () => {
  it.each(Object.entries(crafted))('or it is refused: %s', async (_, entries) => {
    for (const piece of [512, 513, 514, 517, 518, 16_384, 1 << 22]) await agrees(tar([manifest, ...entries]), piece)
  })

  it('in random archives', async () => {
    const seed = chosenSeed()
    console.log(`INTOTO_SEED=${seed}`)
    const count = Number(process.env['INTOTO_COUNT'] ?? 1000)
    let accepted = 0
    for (let i = 0; i < count; i++) {
      const random = new Random(seed + i)
      const names = random.sample(
        ['package/a.js', 'package/dist/b.js', 'c.js', 'package/d', 'package/dist/package.json'],
        random.between(1, 3),
      )
      const archive = tar([manifest, ...names.flatMap((name) => randomEntry(random, name))])
      const piece = random.pick([512, 700, 1024, 100_000])
      if (
        await agrees(archive, piece).catch((cause: unknown) =>
          Promise.reject(new Error(`INTOTO_SEED=${seed + i} INTOTO_COUNT=1`, { cause })),
        )
      )
        accepted++
    }
    if (count >= 1000) expect(accepted).toBeGreaterThan(count / 20)
  })
})
