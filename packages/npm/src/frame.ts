/**
 * Checks the frame of a tar archive, header by header, before anything in it is believed: two readers must not be able to see two sets of files.
 * `readTarball` calls it; it reads no file content and knows nothing of packages.
 */
import { InTotoError } from 'intoto'
import { block, decode, latin, readHeader, type Header, type Refusal } from './header.ts'

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
/** npm passes over a PAX header of more than 1 MiB; those that clients write have a few hundred bytes. */
const mostPax = 64 * 1024

/** One file or folder of an archive, as its headers tell. */
export interface Member {
  readonly kind: 'file' | 'folder'
  readonly name: string
  /** Where its content begins in the archive. */
  readonly at: number
  readonly size: number
  readonly mode: number
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
    const start = at
    const refusal = (reason: string): InTotoError => refused(what, start, reason)
    const header = readHeader(archive.subarray(at, at + block), refusal)
    const { kind, size } = header
    const end = at + block + Math.ceil(size / block) * block
    if (end > archive.length) throw refusal('the archive ends in the middle of an entry')
    if (kind === 'pax') {
      if (pax !== undefined) throw refusal('two PAX headers follow each other')
      pax = readPax(archive.subarray(at + block, at + block + size), refusal)
    } else {
      if (kind === 'folder' && size !== 0) throw refusal('a folder has content')
      if (pax?.has('size') && pax.get('size') !== String(size)) throw refusal('a file has two sizes')
      members.push({ kind, name: nameOf(header, pax?.get('path'), refusal), at: at + block, size, mode: header.mode })
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

/**
 * `length key=value\n`, where the length counts the whole record in bytes; each key once. npm goes by lines, so no value may have two; and it decodes
 * every piece that comes by itself, which breaks a letter of several bytes anywhere but in the first block.
 */
function readPax(body: Uint8Array, refuse: Refusal): ReadonlyMap<string, string> {
  if (body.length > mostPax) throw refuse(`a PAX header is longer than ${mostPax} bytes`)
  if (body.subarray(block).some((byte) => byte > 0x7f))
    throw refuse('a PAX header has letters that are not ASCII where some readers break them')
  const refusal = (): InTotoError => refuse('a PAX header is malformed or says more than names, sizes and times')
  const records = new Map<string, string>()
  for (let at = 0; at < body.length;) {
    const length = /^([1-9][0-9]{0,6}) /.exec(latin(body.subarray(at, at + 8)))?.[1]
    const end = at + Number(length)
    if (length === undefined || end > body.length || body[end - 1] !== 0x0a) throw refusal()
    const record = decode(body.subarray(at + length.length + 1, end - 1), refusal)
    const split = record.indexOf('=')
    const key = record.slice(0, split)
    if (split < 1 || !paxKeys.has(key) || records.has(key) || /\p{Cc}/u.test(record)) throw refusal()
    records.set(key, record.slice(split + 1))
    at = end
  }
  return records
}

/** Yarn takes a file for a folder by the slash at the end of the name in the header, also where PAX tells another name. */
function nameOf(header: Header, path: string | undefined, refusal: Refusal): string {
  if (path !== undefined && header.kind === 'file' && header.own.at(-1) === 0x2f) throw refusal('a file has the name of a folder')
  if (path !== undefined) return path
  const notText = (): InTotoError => refusal('a name is not UTF-8')
  const [name, prefix] = [decode(header.own, notText), decode(header.prefix, notText)]
  return prefix === '' ? name : `${prefix}/${name}`
}

function refused(what: string, at: number, reason: string): InTotoError {
  return new InTotoError({
    code: 'E_FORMAT',
    message: `${what}: ${reason} (tar header at byte ${at})`,
    fix: "pack it again with the client's own pack command",
  })
}
