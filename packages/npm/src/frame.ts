/**
 * Checks the frame of a tar archive, header by header, before anything in it is believed: two readers must not be able to see two sets of files.
 * `readTarball` calls it; it reads no file content and knows nothing of packages.
 */
import { InTotoError } from 'intoto'

const block = 512
/** What a client's `pack` writes: files, folders, and PAX headers for long or non-ASCII names. Other readers treat all else in different ways. */
const kinds: ReadonlyMap<number, 'file' | 'folder' | 'pax'> = new Map([
  [0x00, 'file'],
  [0x30, 'file'],
  [0x35, 'folder'],
  [0x78, 'pax'],
])
const others: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a device',
  4: 'a device',
  6: 'a FIFO',
  g: 'a global header',
  K: 'a GNU long name',
  L: 'a GNU long name',
}
const paxKeys: ReadonlySet<string> = new Set([
  'path',
  'size',
  'mtime',
  'atime',
  'ctime',
  'uid',
  'gid',
  'uname',
  'gname',
  'charset',
  'comment',
])
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One file or folder of an archive, as its headers tell. */
export interface Member {
  readonly kind: 'file' | 'folder'
  readonly name: string
  readonly size: number
}

/**
 * The members of an archive in their order.
 * @throws InTotoError E_FORMAT: anything that npm, pnpm, Yarn and Bun do not write, with its place in the archive
 */
export function checkFrame(archive: Uint8Array, what: string): Member[] {
  const members: Member[] = []
  let pax: ReadonlyMap<string, string> | undefined
  let at = 0
  for (; !isZero(archive, at);) {
    const header = archive.subarray(at, at + block)
    if (header.length < block) throw refused(what, at, 'the archive ends in the middle of an entry')
    if (header[0] === 0) throw refused(what, at, 'a header without a name, at which some readers stop')
    const kind = kinds.get(header[156] ?? 0)
    const size = octal(header, 124, 12, () => refused(what, at, 'a size is not written in octal digits'))
    if (kind === undefined)
      throw refused(what, at, `it holds ${others[String.fromCharCode(header[156] ?? 0)] ?? 'an entry of a kind that not all readers know'}`)
    const end = at + block + Math.ceil(size / block) * block
    if (end > archive.length) throw refused(what, at, 'the archive ends in the middle of an entry')
    if (kind === 'pax') {
      if (pax !== undefined) throw refused(what, at, 'two PAX headers follow each other')
      pax = readPax(archive.subarray(at + block, at + block + size), () =>
        refused(what, at, 'a PAX header is malformed or says more than names, sizes and times'),
      )
    } else {
      if (kind === 'folder' && size !== 0) throw refused(what, at, 'a folder has content')
      if (pax?.has('size') && pax.get('size') !== String(size)) throw refused(what, at, 'a file has two sizes')
      members.push({ kind, name: nameOf(header, pax, () => refused(what, at, 'a name is not UTF-8')), size })
      pax = undefined
    }
    at = end
  }
  if (pax !== undefined || at + 2 * block > archive.length) throw refused(what, at, 'the archive has no proper end')
  if (archive.subarray(at).some((byte) => byte !== 0)) throw refused(what, at, 'something follows the end of the archive')
  return members
}

/** True as well behind the last byte, so that a walk over an archive without an end stops. */
function isZero(archive: Uint8Array, at: number): boolean {
  return archive.subarray(at, at + block).every((byte) => byte === 0)
}

function octal(header: Uint8Array, start: number, length: number, refusal: () => InTotoError): number {
  const text = latin(header.subarray(start, start + length))
  const digits = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1]
  if (digits === undefined) throw refusal()
  return Number.parseInt(digits, 8)
}

/** `length key=value\n`, where the length counts the whole record in bytes; each key once. */
function readPax(body: Uint8Array, refusal: () => InTotoError): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < body.length;) {
    const length = /^([1-9][0-9]{0,6}) /.exec(latin(body.subarray(at, at + 8)))?.[1]
    const end = at + Number(length)
    if (length === undefined || end > body.length || body[end - 1] !== 0x0a) throw refusal()
    const record = decode(body.subarray(at + length.length + 1, end - 1), refusal)
    const split = record.indexOf('=')
    const key = record.slice(0, split)
    if (split < 1 || !paxKeys.has(key) || records.has(key) || record.includes('\0')) throw refusal()
    records.set(key, record.slice(split + 1))
    at = end
  }
  return records
}

function nameOf(header: Uint8Array, pax: ReadonlyMap<string, string> | undefined, refusal: () => InTotoError): string {
  const path = pax?.get('path')
  if (path !== undefined) return path
  const name = decode(field(header, 0, 100), refusal)
  const prefix = latin(header.subarray(257, 263)) === 'ustar\0' ? decode(field(header, 345, 155), refusal) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function field(header: Uint8Array, start: number, length: number): Uint8Array {
  const bytes = header.subarray(start, start + length)
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

function decode(bytes: Uint8Array, refusal: () => InTotoError): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refusal()
  }
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function refused(what: string, at: number, reason: string): InTotoError {
  return new InTotoError({
    code: 'E_FORMAT',
    message: `${what}: ${reason} (tar header at byte ${at})`,
    fix: "pack it again with the client's own pack command",
  })
}
