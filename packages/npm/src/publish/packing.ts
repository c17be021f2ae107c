/**
 * Packs a project into a folder that nobody else can look into, and says which file came out. `intoto pack` and `intoto publish` call it, and the
 * postpack hook when it packs again. It signs nothing and uploads nothing.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InTotoError } from 'intoto'
import { hashFile, printable, readMetadataFile } from 'intoto/node'
import { packBy, type Client } from './client.ts'

/** A tarball in a private folder. */
export interface PrivateTarball {
  readonly path: string
  readonly bytes: Uint8Array
  /** Name and version of the client, as links have it: `npm/11.0.0`. */
  readonly client: string
  /** Removes the folder; it goes when the process exits, too. */
  close(): void
}

const largest = 1024 ** 3

/** A new folder for the person who runs this alone. */
export function privateFolder(): { path: string; close: () => void } {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-pack-'))
  chmodSync(path, 0o700)
  const close = (): void => {
    process.off('exit', close)
    rmSync(path, { recursive: true, force: true })
  }
  process.once('exit', close)
  return { path, close }
}

/**
 * Has the client pack the project in a folder, its scripts included unless they were run already.
 * @throws InTotoError E_CONFIG: the client can't be started, or package.json has no name and version; E_PRODUCT: it failed, or wrote something else than
 * one tarball
 */
export async function packPrivately(
  client: Client,
  o: { folder: string; env: NodeJS.ProcessEnv; withoutScripts?: boolean },
): Promise<PrivateTarball> {
  const place = privateFolder()
  try {
    await packBy(client, { ...o, into: place.path, file: fileName(o.folder) })
    const names = readdirSync(place.path)
    const [name] = names
    if (name === undefined || names.length > 1 || !/\.(?:tgz|tar\.gz)$/.test(name)) {
      const message = `${client.name} packed, and left ${names.length === 0 ? 'no file' : printable(names.join(', '))} where one tarball was expected`
      throw new InTotoError({ code: 'E_PRODUCT', message, fix: 'check that the scripts around packing write no other file there' })
    }
    const path = join(place.path, name)
    const bytes = readMetadataFile(path, { limit: largest })
    chmodSync(path, 0o400)
    return { path, bytes, client: `${client.name}/${client.version}`, close: place.close }
  } catch (error) {
    place.close()
    throw error
  }
}

/** The file name that npm would choose. */
function fileName(folder: string): string {
  const file = join(folder, 'package.json')
  let manifest: { name?: unknown; version?: unknown } | undefined
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as typeof manifest
  } catch (cause) {
    throw new InTotoError(
      {
        code: 'E_CONFIG',
        message: 'there is no package.json to pack by, or it is no JSON',
        file,
        fix: 'run this in the folder of the package',
      },
      { cause },
    )
  }
  const { name, version } = manifest ?? {}
  if (typeof name === 'string' && typeof version === 'string' && /^(?:@[^/\\]+\/)?[^/\\]+$/.test(name) && /^[^/\\]+$/.test(version)) {
    return `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`
  }
  throw new InTotoError({ code: 'E_CONFIG', message: 'package.json has no name and version to publish under', file, fix: 'give it both' })
}

/**
 * Passes when the file is still the one that was read: between verification and upload nobody may have changed it.
 * @throws InTotoError E_PRODUCT, E_IO
 */
export function refuseSwapped(path: string, sha256: string): void {
  const now = hashFile(path).sha256
  if (now === sha256) return
  throw new InTotoError({
    code: 'E_PRODUCT',
    message: `${printable(path)} changed after it was verified; nothing was uploaded`,
    file: path,
    expected: { text: sha256, label: 'verified' },
    actual: { text: now, label: 'on disk' },
    fix: 'find out which process writes there, and publish again',
  })
}
