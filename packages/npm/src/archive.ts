/**
 * What is inside a tarball, without believing it: names that an installer could see differently or unpack to somewhere else are refused. For whoever
 * has the archive out of its gzip: tarball.ts on Node, browser.ts in a page. Portable: opens nothing, hashes nothing.
 */
import { unpackTar, type UnpackOptions } from 'modern-tar'
import { InTotoError, utf8 } from 'intoto'
import { checkFrame, type Member } from './frame.ts'

/** A file in a tarball. */
export interface PackedFile {
  /** With the top folder: `package/dist/index.js`. */
  readonly name: string
  readonly bytes: Uint8Array
  /** Whether any bit for execution is set. */
  readonly executable: boolean
}

/** The files of a tarball that has been read. */
export interface Archive {
  /** The one folder that holds everything; npm's clients write `package`. */
  readonly top: string
  readonly files: readonly PackedFile[]
  /** Of the tarball itself, in lower-case hex. */
  readonly sha256: string
}

/** Limits of reading. */
export interface TarballOptions {
  /** What the bytes are, for messages; `tarball` unless given. */
  what?: string
  /** Most bytes of all files together; 1 GiB unless given. */
  unpackedBytes?: number
  /** Most files, and most folders; 250,000 unless given. */
  files?: number
}

/** Most bytes of all files together, unless said otherwise. */
export const gigabyte: number = 1024 ** 3
/** As macOS has it for a whole path; Linux has four times as much. */
const nameBytes = 1024
const nameParts = 100
/** Of every file system in use. */
const partBytes = 255

/**
 * The files of a tar archive.
 * @throws InTotoError E_FORMAT: no tar; a second top folder; two entries with one name; links, devices; a name that leads elsewhere; too many
 */
export async function readArchive(archive: Uint8Array, what: string, o: TarballOptions): Promise<Pick<Archive, 'top' | 'files'>> {
  const members = checkFrame(archive, what)
  const limit = o.files ?? 250_000
  if (members.length > limit) throw refused(what, `more than the limit of ${limit} entries (files)`)
  const top = checkNames(members, what, limit)
  await compare(archive, members, what)
  return { top, files: filesOf(archive, members) }
}

/** Length of the header (RFC 1952, 2.3); clients write none of its optional fields but perhaps a name. */
export function gzipHeader(bytes: Uint8Array, what: string): number {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw refused(what, 'it is not gzip')
  const flags = bytes[3] ?? 0
  if ((flags & ~0x08) !== 0) throw refused(what, 'its gzip header has fields that no client writes')
  const end = flags === 0 ? 9 : bytes.indexOf(0, 10)
  if (end < 0) throw refused(what, 'it is cut off')
  return end + 1
}

/** The one top folder. */
function checkNames(members: readonly Member[], what: string, limit: number): string {
  const top = members[0]?.name.split('/', 1)[0]
  if (top === undefined || !members.some((member) => member.kind === 'file')) throw refused(what, 'it is empty')
  const places = new Places(what, limit)
  for (const { name, kind } of members) {
    const path = kind === 'folder' ? name.replace(/\/$/, '') : name
    const parts = checkSize(path, what)
    if (!isSafe(parts)) throw refused(what, `the name ${quoted(name)} leads elsewhere on some system`)
    if (parts[0] !== top) throw refused(what, `${quoted(name)} is outside of the top folder ${quoted(top)}, which installers do not notice`)
    if (parts.length < 2 && kind === 'file') throw refused(what, `${quoted(name)} is not in a folder`)
    places.take(path, kind)
  }
  return top
}

/** The parts of a name. What is longer or deeper some systems can't write, and npm then leaves it out with a warning. */
function checkSize(path: string, what: string): string[] {
  const parts = path.length > nameBytes ? [] : path.split('/')
  const reason = isLonger(path, nameBytes)
    ? `is longer than ${nameBytes} bytes`
    : parts.length > nameParts
      ? `has more than ${nameParts} parts`
      : parts.some((part) => isLonger(part, partBytes))
        ? `has more than ${partBytes} bytes in one part`
        : undefined
  if (reason !== undefined) throw refused(what, `a name ${reason}: ${quoted(`${path.slice(0, 60)}…`)}`)
  return parts
}

/** In UTF-8, where a letter takes three bytes at most: few texts need to be encoded for it. */
function isLonger(text: string, most: number): boolean {
  return text.length > most || (text.length * 3 > most && utf8(text).length > most)
}

interface Place {
  readonly number: number
  /** `above` as long as only something below it has been named. */
  kind: Member['kind'] | 'above'
}

/** What has been named so far. Each folder is looked at once, however many files are in it and however deep it is. */
class Places {
  readonly #places = new Map<string, Place>()
  /** How a part is spelled, by the number of its folder and what the part is to a disk that ignores case or composes accents. */
  readonly #spellings = new Map<string, string>()
  readonly #what: string
  readonly #limit: number
  #folders = 0

  constructor(what: string, limit: number) {
    this.#what = what
    this.#limit = limit
  }

  /** @throws InTotoError E_FORMAT: it is there already, in another spelling, or as the other kind; more folders than the limit */
  take(path: string, kind: Member['kind']): void {
    const before = this.#places.get(path)
    if (before === undefined) this.#make(path, kind)
    else if (before.kind !== 'above') throw this.#refused(`${quoted(path)} is in it twice`)
    else if (kind === 'file') throw this.#refused(`${quoted(path)} is a file and a folder`)
    else before.kind = kind
  }

  #above(path: string): number {
    const place = this.#places.get(path) ?? this.#make(path, 'above')
    if (place.kind === 'file') throw this.#refused(`${quoted(path)} is a file and a folder`)
    return place.number
  }

  #make(path: string, kind: Place['kind']): Place {
    const start = path.lastIndexOf('/') + 1
    const part = path.slice(start)
    const folder = start === 0 ? 0 : this.#above(path.slice(0, start - 1))
    const key = `${folder}/${part.normalize('NFC').toUpperCase().toLowerCase()}`
    const other = this.#spellings.get(key) ?? part
    if (other !== part) throw this.#refused(`${quoted(path.slice(0, start) + other)} and ${quoted(path)} are one file on some systems`)
    if (kind !== 'file' && ++this.#folders > this.#limit) throw this.#refused(`more than the limit of ${this.#limit} folders (files)`)
    const place = { number: this.#places.size + 1, kind }
    this.#spellings.set(key, part)
    this.#places.set(path, place)
    return place
  }

  #refused(reason: string): InTotoError {
    return refused(this.#what, reason)
  }
}

/** No empty part, `.` or `..`; nothing that Windows takes for a separator, a drive or a stream, or cuts off. */
function isSafe(parts: readonly string[]): boolean {
  return parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\p{Cc}]/u.test(part) && !/[. ]$/.test(part))
}

/** The second reader, which must find the same. It skips the contents, which else would be held twice. */
async function compare(archive: Uint8Array, members: readonly Member[], what: string): Promise<void> {
  let count = 0
  let agree = true
  const filter: NonNullable<UnpackOptions['filter']> = ({ name, type, size, mode }) => {
    const member = members[count++]
    const kind = type === 'directory' ? 'folder' : type
    agree &&= name === member?.name && kind === member.kind && size === member.size && (mode ?? 0) === member.mode
    return false
  }
  try {
    await unpackTar(archive, { strict: true, filter })
  } catch (cause) {
    throw refused(what, 'its tar archive is damaged', cause)
  }
  if (!agree || count !== members.length) throw refused(what, 'two readers see different files in it')
}

function filesOf(archive: Uint8Array, members: readonly Member[]): PackedFile[] {
  return members
    .filter(({ kind }) => kind === 'file')
    .map(({ name, at, size, mode }) => ({ name, bytes: archive.subarray(at, at + size), executable: (mode & 0o111) !== 0 }))
}

function quoted(name: string): string {
  return printable(JSON.stringify(name))
}

/** Text from outside, safe to print. `intoto/node` has the same, for those who have Node. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

/** The one way to say no to a tarball. */
export function refused(what: string, reason: string, cause?: unknown): InTotoError {
  const fix = "pack it again with the client's own pack command"
  return new InTotoError({ code: 'E_FORMAT', message: `${what}: ${reason}`, fix }, cause === undefined ? {} : { cause })
}
