/** Writes tar archives to the letter, the broken and hostile ones too, for the tests of the tarball reader. */
import { gzipSync } from 'node:zlib'

/** One header and its content. Whatever is not given is as npm writes it. */
export interface Entry {
  name: string | Uint8Array
  content?: string | Uint8Array
  /** One letter; `0` is a file. */
  kind?: string
  prefix?: string
  /** The size field, when it lies. */
  size?: string
  linkname?: string
  mode?: string
  magic?: string
  /** Leave the checksum wrong. */
  broken?: boolean
  /** Bytes at places of the header, over everything else but the checksum. */
  raw?: readonly (readonly [at: number, bytes: string | Uint8Array])[]
  /** How the checksum is written. */
  sum?: (sum: number) => string
}

const encoder = new TextEncoder()
const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === 'string' ? encoder.encode(text) : text)

/** A tar archive of these entries; `end` is what stands behind the last one. */
export function tar(entries: readonly Entry[], end: Uint8Array = new Uint8Array(1024)): Uint8Array {
  return Buffer.concat([...entries.flatMap((entry) => [header(entry), padded(bytesOf(entry.content ?? ''))]), end])
}

/** The same, compressed. */
export function tgz(entries: readonly Entry[], end?: Uint8Array): Uint8Array {
  return new Uint8Array(gzipSync(tar(entries, end)))
}

/** Content of a PAX header: each record with its length in front. */
export function pax(records: readonly (readonly [key: string, value: string])[]): Uint8Array {
  const lines = records.map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`)
    let length = rest + String(rest).length
    if (String(length).length !== String(rest).length) length = rest + String(length).length
    return `${length} ${key}=${value}\n`
  })
  return encoder.encode(lines.join(''))
}

function header(entry: Entry): Uint8Array {
  const block = new Uint8Array(512)
  const put = (at: number, text: string | Uint8Array): void => block.set(bytesOf(text), at)
  put(0, entry.name)
  put(100, entry.mode ?? '000644 ')
  put(108, '0000000\0')
  put(116, '0000000\0')
  put(
    124,
    entry.size ??
      `${bytesOf(entry.content ?? '')
        .length.toString(8)
        .padStart(11, '0')} `,
  )
  put(136, '03560116604 ')
  put(156, entry.kind ?? '0')
  put(157, entry.linkname ?? '')
  put(257, entry.magic ?? 'ustar\u000000')
  put(345, entry.prefix ?? '')
  for (const [at, bytes] of entry.raw ?? []) put(at, bytes)
  put(148, '        ')
  const sum = block.reduce((total, byte) => total + byte, 0) + (entry.broken ? 1 : 0)
  put(148, entry.sum?.(sum) ?? `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}

function padded(content: Uint8Array): Uint8Array {
  const block = new Uint8Array(Math.ceil(content.length / 512) * 512)
  block.set(content)
  return block
}
