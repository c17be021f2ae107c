/**
 * The face `intoto-npm/tarball`: a package's tarball where there is no Node, read as strictly as tarball.ts reads it. Nothing here imports `node:`;
 * gzip is the platform's (Compression Streams), the hash is the caller's.
 */
import { emptyRecord, type Artifacts, type DigestMap } from 'intoto'
import { type Archive, gigabyte, gzipHeader, readArchive, refused, type TarballOptions } from './archive.ts'
import type { Sha256 } from './publish/completeness.ts'

export type { Archive, PackedFile, TarballOptions } from './archive.ts'
export { isPacking, makingOf } from './publish/content.ts'
export { checkCompleteness, type Sha256 } from './publish/completeness.ts'
export { isUnpack, unpackInMemory, type UnpackedFile } from './unpacking.ts'

/**
 * Reads a gzipped tarball from bytes.
 * @throws InTotoError E_FORMAT as `readTarball` of `intoto-npm`
 */
export async function readTarball(bytes: Uint8Array, sha256: Sha256, o: TarballOptions = {}): Promise<Archive> {
  const what = o.what ?? 'tarball'
  const archive = await gunzip(bytes, what, o.unpackedBytes ?? gigabyte)
  return { ...(await readArchive(archive, what, o)), sha256: sha256(bytes) }
}

/** The artifacts that an inspection would record after `tar xzf`, beside the tarball itself: names with the top folder, sha256. */
export function tarballArtifacts(archive: Archive, sha256: Sha256): Artifacts {
  const artifacts = emptyRecord<DigestMap>()
  for (const file of archive.files) {
    const digests = emptyRecord<string>()
    digests['sha256'] = sha256(file.bytes)
    artifacts[file.name] = digests
  }
  return artifacts
}

/**
 * Exactly one gzip member: the platform refuses damage, a wrong checksum, and whatever follows the end (Compression Streams, "decompress and enqueue
 * a chunk"). The size at the end must be that of what came out.
 */
async function gunzip(bytes: Uint8Array, what: string, limit: number): Promise<Uint8Array> {
  gzipHeader(bytes, what)
  const parts: Uint8Array[] = []
  let size = 0
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'))
    const reader = stream.getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      parts.push(next.value as Uint8Array)
      size += (next.value as Uint8Array).length
      if (size <= limit) continue
      await reader.cancel()
      break
    }
  } catch (cause) {
    throw refused(what, 'its compressed data is damaged, cut off, or something follows its end', cause)
  }
  if (size > limit) throw refused(what, `more than the limit of ${limit} bytes (unpackedBytes)`)
  const end = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true)
  if (end !== size % 2 ** 32) throw refused(what, 'its size is another than it says')
  const archive = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    archive.set(part, at)
    at += part.length
  }
  return archive
}
