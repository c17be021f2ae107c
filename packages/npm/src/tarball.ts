/**
 * Reads a package's tarball from disk or bytes without believing it, and unpacks one. Packing, and the verification of a tarball, read through here;
 * what is in it is archive.ts's to judge. It writes no file unless asked to unpack, and then only below the folder given.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { constants, crc32, inflateRawSync } from 'node:zlib'
import { InTotoError, type Artifacts, type DigestMap } from 'intoto'
import { printable, readMetadataFile, writeFileAtomic } from 'intoto/node'
import { type Archive, gigabyte, gzipHeader, readArchive, refused, type TarballOptions } from './archive.ts'

/** A tarball that holds exactly one set of files, under one top folder. */
export interface Tarball extends Archive {
  readonly sha512: string
  /** `sha512-<base64>`, as registries and lockfiles have it. */
  readonly integrity: string
}

/**
 * Reads a gzipped tarball from bytes, or from a file.
 * @throws InTotoError E_IO: the file can't be read; E_FORMAT: no gzip or tar; damaged; anything behind its end; a second top folder; two entries
 * with one name, also when letters' case is ignored; links, devices; a name that leads elsewhere; more than the limits
 */
export async function readTarball(source: Uint8Array | string, o: TarballOptions = {}): Promise<Tarball> {
  const what = o.what ?? (typeof source === 'string' ? printable(source) : 'tarball')
  const bytes = typeof source === 'string' ? readMetadataFile(source, { limit: o.unpackedBytes ?? gigabyte }) : source
  const archive = gunzip(bytes, what, o.unpackedBytes ?? gigabyte)
  const { top, files } = await readArchive(archive, what, o)
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
    const options = { info: true, maxOutputLength: limit, finishFlush: constants.Z_FINISH, chunkSize: chunkFor(bytes, limit) }
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
  return new Uint8Array(result.buffer.buffer, result.buffer.byteOffset, result.buffer.length)
}

/**
 * All in one piece, so that nothing is put together from many, which would hold it twice. The size stands at the end and may lie; deflate makes at most
 * 1,032 bytes of one.
 */
function chunkFor(bytes: Uint8Array, limit: number): number {
  const claimed = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true)
  return Math.max(Math.min(claimed, limit, gigabyte, bytes.length * 1032) + 1, 2 ** 16)
}
