/**
 * Reads a package's tarball without believing it: what an installer could see differently, or unpack to somewhere else, is refused. Packing, and
 * the verification of a tarball, read through here. It writes no file unless asked to unpack, and then only below the folder given.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { constants, crc32, inflateRawSync } from 'node:zlib'
import { unpackTar } from 'modern-tar'
import { InTotoError, type Artifacts, type DigestMap } from 'intoto'
import { printable, readMetadataFile, writeFileAtomic } from 'intoto/node'
import { checkFrame, type Member } from './frame.ts'

/** A file in a tarball. */
export interface PackedFile {
  /** With the top folder: `package/dist/index.js`. */
  readonly name: string
  readonly bytes: Uint8Array
  /** Whether any bit for execution is set. */
  readonly executable: boolean
}

/** A tarball that holds exactly one set of files, under one top folder. */
export interface Tarball {
  /** The one folder that holds everything; npm's clients write `package`. */
  readonly top: string
  readonly files: readonly PackedFile[]
  /** Of the tarball itself, in lower-case hex. */
  readonly sha256: string
  readonly sha512: string
  /** `sha512-<base64>`, as registries and lockfiles have it. */
  readonly integrity: string
}

/** Limits of reading. */
export interface TarballOptions {
  /** What the bytes are, for messages; `tarball` unless given. */
  what?: string
  /** Most bytes of all files together; 1 GiB unless given. */
  unpackedBytes?: number
  /** Most files; 250,000 unless given. */
  files?: number
}

const gigabyte = 1024 ** 3

/**
 * Reads a gzipped tarball from bytes, or from a file.
 * @throws InTotoError E_IO: the file can't be read; E_FORMAT: no gzip or tar; damaged; anything behind its end; a second top folder; two entries
 * with one name, also when letters' case is ignored; links, devices; a name that leads elsewhere; more than the limits
 */
export async function readTarball(source: Uint8Array | string, o: TarballOptions = {}): Promise<Tarball> {
  const what = o.what ?? (typeof source === 'string' ? printable(source) : 'tarball')
  const bytes = typeof source === 'string' ? readMetadataFile(source, { limit: o.unpackedBytes ?? gigabyte }) : source
  const archive = gunzip(bytes, what, o.unpackedBytes ?? gigabyte)
  const members = checkFrame(archive, what)
  if (members.length > (o.files ?? 250_000)) throw refused(what, `more than the limit of ${o.files ?? 250_000} entries (files)`)
  const top = checkNames(members, what)
  const files = await extract(archive, members, what)
  const sha512 = createHash('sha512').update(bytes).digest()
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { top, files, sha256, sha512: sha512.toString('hex'), integrity: `sha512-${sha512.toString('base64')}` }
}

/** The artifacts that an inspection would record after `tar xzf`, beside the tarball itself: names with the top folder, sha256. */
export function tarballArtifacts(tarball: Tarball): Artifacts {
  const artifacts: Artifacts = Object.create(null)
  for (const file of tarball.files) {
    const digests: DigestMap = Object.create(null)
    digests['sha256'] = createHash('sha256').update(file.bytes).digest('hex')
    artifacts[file.name] = digests
  }
  return artifacts
}

/**
 * Writes the files below a folder, as `tar xzf` names them; the folder must not hold the top folder yet.
 * @throws InTotoError E_IO
 */
export function unpackTarball(tarball: Tarball, folder: string): void {
  try {
    mkdirSync(join(folder, tarball.top))
  } catch (cause) {
    const message = `cannot unpack to ${printable(folder)}: it can't be written, or holds ${printable(tarball.top)} already`
    throw new InTotoError({ code: 'E_IO', message, file: folder, fix: 'unpack into a new folder' }, { cause })
  }
  for (const file of tarball.files) {
    const path = join(folder, file.name)
    makeFolder(dirname(path))
    writeFileAtomic(path, file.bytes, { exclusive: true, mode: file.executable ? 0o755 : 0o644 })
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (cause) {
    throw new InTotoError(
      { code: 'E_IO', message: `cannot make the folder ${printable(path)}`, file: path, fix: 'unpack into a folder that can be written' },
      { cause },
    )
  }
}

/** Exactly one gzip member and not a byte behind it: readers disagree about what follows, and about a second member. */
function gunzip(bytes: Uint8Array, what: string, limit: number): Uint8Array {
  const start = gzipHeader(bytes, what)
  let result: { buffer: Buffer; engine: { bytesWritten: number } }
  try {
    const options = { info: true, maxOutputLength: limit, finishFlush: constants.Z_FINISH }
    result = inflateRawSync(bytes.subarray(start), options) as unknown as typeof result
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    throw refused(what, tooLarge ? `more than the limit of ${limit} bytes (unpackedBytes)` : 'its compressed data is damaged', cause)
  }
  const end = start + result.engine.bytesWritten
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end, bytes.length - end)
  if (trailer.byteLength < 8) throw refused(what, 'it is cut off')
  if (trailer.byteLength > 8) throw refused(what, 'something follows its end')
  if (trailer.getUint32(0, true) !== crc32(result.buffer) || trailer.getUint32(4, true) !== result.buffer.length % 2 ** 32) {
    throw refused(what, 'its checksum is wrong')
  }
  return result.buffer
}

/** Length of the header (RFC 1952, 2.3); clients write none of its optional fields but perhaps a name. */
function gzipHeader(bytes: Uint8Array, what: string): number {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw refused(what, 'it is not gzip')
  const flags = bytes[3] ?? 0
  if ((flags & ~0x08) !== 0) throw refused(what, 'its gzip header has fields that no client writes')
  const end = flags === 0 ? 9 : bytes.indexOf(0, 10)
  if (end < 0) throw refused(what, 'it is cut off')
  return end + 1
}

/** The one top folder. */
function checkNames(members: readonly Member[], what: string): string {
  const top = members[0]?.name.split('/', 1)[0]
  if (top === undefined || !members.some((member) => member.kind === 'file')) throw refused(what, 'it is empty')
  const spellings = new Map<string, string>()
  const taken = new Map<string, Member['kind']>()
  for (const { name, kind } of members) {
    const path = kind === 'folder' ? name.replace(/\/$/, '') : name
    const parts = path.split('/')
    if (!isSafe(parts)) throw refused(what, `the name ${quoted(name)} leads elsewhere on some system`)
    if (parts[0] !== top) throw refused(what, `${quoted(name)} is outside of the top folder ${quoted(top)}, which installers do not notice`)
    if (parts.length < 2 && kind === 'file') throw refused(what, `${quoted(name)} is not in a folder`)
    if (taken.has(path)) throw refused(what, `${quoted(name)} is in it twice`)
    taken.set(path, kind)
    refuseSpelling(parts, spellings, what)
  }
  for (const { name, kind } of members) {
    const above = parents(name).find((parent) => taken.get(parent) === 'file')
    if (above !== undefined && kind === 'file') throw refused(what, `${quoted(above)} is a file and a folder`)
  }
  return top
}

/** Two spellings of one path are two files here and one file on a disk that ignores case or composes accents. */
function refuseSpelling(parts: readonly string[], spellings: Map<string, string>, what: string): void {
  for (let i = 1; i <= parts.length; i++) {
    const path = parts.slice(0, i).join('/')
    const folded = path.normalize('NFC').toUpperCase().toLowerCase()
    const other = spellings.get(folded)
    if (other !== undefined && other !== path) throw refused(what, `${quoted(other)} and ${quoted(path)} are one file on some systems`)
    spellings.set(folded, path)
  }
}

function parents(name: string): string[] {
  const parts = name.split('/')
  return parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'))
}

/** No empty part, `.` or `..`; nothing that Windows takes for a separator, a drive or a stream, or cuts off. */
function isSafe(parts: readonly string[]): boolean {
  return parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\p{Cc}]/u.test(part) && !/[. ]$/.test(part))
}

async function extract(archive: Uint8Array, members: readonly Member[], what: string): Promise<PackedFile[]> {
  let entries: Awaited<ReturnType<typeof unpackTar>>
  try {
    entries = await unpackTar(archive, { strict: true })
  } catch (cause) {
    throw refused(what, 'its tar archive is damaged', cause)
  }
  const agree =
    entries.length === members.length &&
    entries.every((entry, i) => entry.header.name === members[i]?.name && (entry.data?.length ?? 0) === members[i].size)
  if (!agree) throw refused(what, 'two readers see different files in it')
  return entries.flatMap(({ header, data }, i) => {
    return members[i]?.kind === 'file'
      ? [{ name: header.name, bytes: data ?? new Uint8Array(), executable: ((header.mode ?? 0) & 0o111) !== 0 }]
      : []
  })
}

function quoted(name: string): string {
  return printable(JSON.stringify(name))
}

function refused(what: string, reason: string, cause?: unknown): InTotoError {
  const fix = "pack it again with the client's own pack command"
  return new InTotoError({ code: 'E_FORMAT', message: `${what}: ${reason}`, fix }, cause === undefined ? {} : { cause })
}
