/**
 * The package step: a link that ties a tarball to the files that it was packed from. The postpack hook and `pack` call it; signing and writing the
 * link is theirs.
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { artifactName, createLink, InTotoError, type Artifacts, type DigestMap, type Link } from 'intoto'
import { hashFile, printable } from 'intoto/node'
import { findTarball, type FoundTarball } from './lifecycle.ts'
import { refuseSecrets, type SecretOptions } from './secret.ts'
import { readTarball, type PackedFile, type Tarball } from './tarball.ts'

/** What was packed, and from where. */
export interface PackOptions extends SecretOptions {
  /** Path of the tarball. */
  tarball: string
  /** Its bytes, when they were read and checked already. */
  bytes?: Uint8Array
  /** Folder that was packed: that of package.json. */
  folder: string
  /** Materials are named relative to this folder; the packed folder unless given. */
  base?: string
  /** Name of the step; `package` unless given. */
  step?: string
  /** Name and version of the client that packed, such as `npm/11.0.0`: the command is recorded as its name and `pack`. */
  client?: string
}

/** What the postpack hook needs; the tarball is found by what npm says. */
export interface PostpackOptions extends Omit<PackOptions, 'tarball' | 'bytes' | 'folder' | 'client'> {
  env: NodeJS.ProcessEnv
  /** Folder of package.json; npm runs its scripts there. */
  folder: string
}

/** A tarball and its link, not signed yet. */
export interface PostpackResult {
  readonly link: Link
  readonly tarball: string
  /** `sha512-<base64>` */
  readonly integrity: string
}

/**
 * Link of the package step: materials are the packed files as they lie on disk, the product is the tarball, by its file name and sha256.
 * @throws InTotoError those of readTarball; E_PRODUCT: a packed file is not the one on disk; E_KEY, E_CONFIG: a secret is in the tarball; E_IO
 */
export async function recordPack(o: PackOptions): Promise<Link> {
  return (await record(o)).link
}

/**
 * The hook inside `npm pack`: finds the tarball by its digest and records it. Undefined when npm only says what it would pack.
 * @throws InTotoError those of findTarball and recordPack
 */
export async function postpack(o: PostpackOptions): Promise<PostpackResult | undefined> {
  const found: FoundTarball | undefined = findTarball(o.env, o.folder)
  if (found === undefined) return undefined
  const { link, tarball } = await record({ ...o, tarball: found.path, bytes: found.bytes, client: found.client })
  return { link, tarball: found.path, integrity: tarball.integrity }
}

async function record(o: PackOptions): Promise<{ link: Link; tarball: Tarball }> {
  const name = basename(o.tarball)
  const tarball = await readTarball(o.bytes ?? o.tarball, { what: printable(name) })
  if (tarball.top !== 'package') throw notPacked(name, tarball.top)
  refuseSecrets(tarball.files, o)
  const materials: Artifacts = Object.create(null)
  for (const file of tarball.files) materials[materialName(file, o)] = sameOnDisk(file, o, name)
  const products: Artifacts = Object.create(null)
  products[name] = digestMap(tarball.sha256)
  const client = o.client ?? 'npm'
  const byproducts = { tarball: { file: name, integrity: tarball.integrity, sha512: tarball.sha512 }, client }
  const command = [client.split('/', 1)[0] ?? client, 'pack']
  return { link: createLink({ name: o.step ?? 'package', materials, products, command, byproducts }), tarball }
}

function packedPath(file: PackedFile): string {
  return file.name.slice(file.name.indexOf('/') + 1)
}

/** Real paths on both sides, so that a base that is reached through a link gives the same names. */
function materialName(file: PackedFile, o: PackOptions): string {
  const folder = relative(realpathSync(o.base ?? o.folder), realpathSync(o.folder))
  return artifactName(join(folder, packedPath(file)), sep)
}

/** What is on disk is what the steps before have seen; a tarball that holds anything else was made from other files. */
function sameOnDisk(file: PackedFile, o: PackOptions, tarball: string): DigestMap {
  const path = join(o.folder, packedPath(file))
  const packed = createHash('sha256').update(file.bytes).digest('hex')
  const sha256 = existsSync(path) ? hashFile(path).sha256 : 'absent'
  if (sha256 === packed) return digestMap(sha256)
  const message = `${printable(packedPath(file))} in ${printable(tarball)} is not the file on disk`
  const evidence = { expected: { text: sha256, from: path, label: 'on disk' }, actual: { text: packed, from: tarball, label: 'packed' } }
  const cause = 'it changed after it was packed, or the client rewrites it while packing'
  throw new InTotoError({ ...evidence, code: 'E_PRODUCT', message, file: packedPath(file), cause, fix: 'let no script after packing change files, and pack again' })
}

function digestMap(sha256: string): DigestMap {
  const map: DigestMap = Object.create(null)
  map['sha256'] = sha256
  return map
}

function notPacked(name: string, top: string): InTotoError {
  const message = `${printable(name)} holds the folder ${printable(top)}, not "package"`
  return new InTotoError({ code: 'E_FORMAT', message, file: name, fix: "pack it with the client's own pack command" })
}
