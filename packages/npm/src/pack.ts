/**
 * The package step: a link that ties a tarball to the files that it was packed from. The postpack hook and `pack` call it; signing and writing the
 * link is theirs.
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { artifactName, createLink, InTotoError, type Artifacts, type DigestMap, type Link } from 'intoto'
import { hashFile, printable, readMetadataFile } from 'intoto/node'
import { findTarball, isDryRun } from './lifecycle.ts'
import { foreignRewrites, parseManifest } from './publish/manifest.ts'
import { repack } from './publish/repack.ts'
import { refuseSecrets, type SecretOptions } from './secret.ts'
import type { PackedFile } from './archive.ts'
import { readTarball, type Tarball } from './tarball.ts'

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
  /** Nothing shows that the client uploads these bytes: the byproducts say so, and verification does. */
  unproven?: boolean
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
  /** Where the tarball lies: npm's own, or one that was packed again and lies there until `close`. */
  readonly tarball: string
  /** `sha512-<base64>` */
  readonly integrity: string
  close(): void
}

/**
 * Link of the package step: materials are the packed files as they lie on disk, the product is the tarball, by its file name and sha256. A package.json
 * that the client rewrites while packing (pnpm, Yarn 4, bun) is a product as well, `package/package.json`, and its text before is in the byproducts.
 * @throws InTotoError those of readTarball; E_PRODUCT: a packed file is not the one on disk; E_KEY, E_CONFIG: a secret is in the tarball; E_IO
 */
export async function recordPack(o: PackOptions): Promise<Link> {
  return (await record(o)).link
}

/**
 * The hook inside `npm pack`, where it finds the tarball by its digest, and inside `npm publish`, where it packs again and demands that very digest.
 * Undefined when npm only says what it would do (`--dry-run`). Other clients give no digest: `unproven` records what they pack a second time.
 * @throws InTotoError those of findTarball, repack and recordPack
 */
export async function postpack(o: PostpackOptions): Promise<PostpackResult | undefined> {
  if (!needsRepack(o.env)) {
    const found = findTarball(o.env, o.folder)
    if (found === undefined) return undefined
    const { link, tarball } = await record({ ...o, unproven: false, tarball: found.path, bytes: found.bytes, client: found.client })
    return { link, tarball: found.path, integrity: tarball.integrity, close: () => {} }
  }
  if (isDryRun(o.env)) return undefined
  const packed = await repack(o)
  try {
    const { link, tarball } = await record({
      ...o,
      unproven: !packed.proven,
      tarball: packed.path,
      bytes: packed.bytes,
      client: packed.client,
    })
    return { link, tarball: packed.path, integrity: tarball.integrity, close: () => packed.close() }
  } catch (error) {
    packed.close()
    throw error
  }
}

/** Whether this is the postpack of a client that leaves no tarball which it names. */
function needsRepack(env: NodeJS.ProcessEnv): boolean {
  const agent = env['npm_config_user_agent'] ?? ''
  if (env['npm_lifecycle_event'] !== 'postpack') return false
  return agent.startsWith('npm/') ? env['npm_command'] === 'publish' || env['npm_command'] === 'stage' : /^(?:pnpm|yarn|bun)\//.test(agent)
}

async function record(given: PackOptions): Promise<{ link: Link; tarball: Tarball }> {
  const o = packedFrom(given)
  const name = basename(o.tarball)
  const tarball = await readTarball(o.bytes ?? o.tarball, { what: printable(name) })
  if (tarball.top !== 'package') throw notPacked(name, tarball.top)
  refuseSecrets(tarball.files, o)
  const client = o.client ?? 'npm'
  const materials: Artifacts = Object.create(null)
  const products: Artifacts = Object.create(null)
  products[name] = digestMap(tarball.sha256)
  const rewritten = rewrittenManifest(tarball, o, client)
  for (const file of tarball.files)
    materials[materialName(file, o)] = file === rewritten?.file ? digestMap(rewritten.source) : sameOnDisk(file, o, name)
  if (rewritten !== undefined) products['package/package.json'] = digestMap(sha256Of(rewritten.file.bytes))
  const byproducts = {
    tarball: { file: name, integrity: tarball.integrity, sha512: tarball.sha512 },
    client,
    ...(rewritten === undefined ? {} : { manifest: rewritten.text }),
    ...(o.unproven === true ? { unproven: true } : {}),
  }
  const command = [client.split('/', 1)[0] ?? client, 'pack']
  return { link: createLink({ name: o.step ?? 'package', materials, products, command, byproducts }), tarball }
}

/** pnpm packs another folder where package.json says so; names start from the package all the same. */
function packedFrom(o: PackOptions): PackOptions {
  const path = join(o.folder, 'package.json')
  if (!(o.client ?? 'npm').startsWith('pnpm') || !existsSync(path)) return o
  const { publishConfig } = parseManifest(readMetadataFile(path), 'package.json')
  const directory = (publishConfig as { directory?: unknown } | null | undefined)?.directory
  return typeof directory === 'string' ? { ...o, folder: join(o.folder, directory), base: o.base ?? o.folder } : o
}

/**
 * package.json where the client has rewritten it as it documents; undefined where it is as on disk.
 * @throws InTotoError E_PRODUCT: more than that was changed
 */
function rewrittenManifest(
  tarball: Tarball,
  o: PackOptions,
  client: string,
): { file: PackedFile; text: string; source: string } | undefined {
  const file = tarball.files.find((one) => packedPath(one) === 'package.json')
  const path = join(o.folder, 'package.json')
  if (file === undefined || client.startsWith('npm') || !existsSync(path)) return undefined
  const bytes = readMetadataFile(path)
  const source = sha256Of(bytes)
  if (source === sha256Of(file.bytes)) return undefined
  const members = foreignRewrites(parseManifest(bytes, 'package.json'), parseManifest(file.bytes, 'package.json in the tarball'), client)
  if (members.length === 0) return { file, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), source }
  const message = `package.json in ${printable(basename(o.tarball))} is not the one on disk: ${printable(members.join(', '))}`
  const evidence = {
    expected: { text: source, from: path, label: 'on disk' },
    actual: { text: sha256Of(file.bytes), from: basename(o.tarball), label: 'packed' },
  }
  const cause = `it changed while it was packed, in more than ${client.split('/', 1)[0]} rewrites`
  throw new InTotoError({
    ...evidence,
    code: 'E_PRODUCT',
    message,
    file: 'package.json',
    cause,
    fix: 'let no script change package.json, and pack again',
  })
}

function packedPath(file: PackedFile): string {
  return file.name.slice(file.name.indexOf('/') + 1)
}

/** Real paths on both sides, so that a base that is reached through a link gives the same names. */
function materialName(file: PackedFile, o: PackOptions): string {
  const folder = relative(realPath(o.base ?? o.folder), realPath(o.folder))
  return artifactName(join(folder, packedPath(file)), sep)
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (cause) {
    const fix = 'name the folder of package.json, and a folder above it as the base'
    throw new InTotoError({ code: 'E_IO', message: `cannot find the folder ${printable(path)}`, file: path, fix }, { cause })
  }
}

/** What is on disk is what the steps before have seen; a tarball that holds anything else was made from other files. */
function sameOnDisk(file: PackedFile, o: PackOptions, tarball: string): DigestMap {
  const path = join(o.folder, packedPath(file))
  const packed = sha256Of(file.bytes)
  const sha256 = existsSync(path) ? hashFile(path).sha256 : 'absent'
  if (sha256 === packed) return digestMap(sha256)
  const message = `${printable(packedPath(file))} in ${printable(tarball)} is not the file on disk`
  const evidence = { expected: { text: sha256, from: path, label: 'on disk' }, actual: { text: packed, from: tarball, label: 'packed' } }
  const cause = 'it changed after it was packed, or the client rewrites it while packing'
  throw new InTotoError({
    ...evidence,
    code: 'E_PRODUCT',
    message,
    file: packedPath(file),
    cause,
    fix: 'let no script after packing change files, and pack again',
  })
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
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
