/**
 * What `pack`, `publish` and `postpack` share: a tarball by the project's own client in a private folder, its signed link, and the keys that must be in
 * neither. Commands decide what becomes of both.
 */
import { realpathSync } from 'node:fs'
import { basename, relative, resolve, sep } from 'node:path'
import { type Command, UnfitValue } from './flags.ts'
import { encodeMetadata, InTotoError, type Link, linkFileName, type LinkSource, type Metadata, sign } from 'intoto'
import { checkStepName, readMetadataFile } from 'intoto/node'
import { type Client, type ClientName, findClient, isClientName, packPrivately, type PrivateTarball, recordPack } from 'intoto-npm'
import { requireSigner, signOptions, type SigningFlags } from './signing.ts'
import type { Terminal } from './terminal.ts'

/** What the flags of `declareRelease` leave behind. */
export interface ReleaseFlags extends SigningFlags {
  stepName: string
  basePath?: string
  allowFile?: string[]
  client?: ClientName
}

/** Adds the flags of packing. */
export function declareRelease(command: Command): void {
  command
    .option('-n, --step-name <step>', 'step of the layout that this is evidence of', 'package')
    .option('--client <name>', 'npm, pnpm, yarn or bun (default: as packageManager or the lockfile says)', (word) => {
      if (!isClientName(word)) throw new UnfitValue('It is none of npm, pnpm, yarn, bun.')
      return word
    })
    .option('--allow-file <name...>', 'packed files that look like secrets and are none')
}

/** A tarball that was packed here, and its link. */
export interface Release {
  readonly client: Client
  readonly tarball: PrivateTarball
  readonly link: Metadata<Link>
}

/**
 * Has the client pack, reads what it wrote, and signs the link of that very file. Nothing is written but the private folder.
 * @throws InTotoError E_KEY: the signing key lies in the package, or the tarball holds a private key; those of packing and recording
 */
export async function packRelease(flags: ReleaseFlags, terminal: Terminal): Promise<Release> {
  const folder = process.cwd()
  refuseKeyInside(folder, flags.signingKey)
  checkStepName(flags.stepName)
  const options = signOptions(flags)
  const secrets = keyBytes(flags.signingKey)
  const signer = await requireSigner(flags, terminal)
  const client = await findClient({ folder, env: process.env, ...(flags.client === undefined ? {} : { given: flags.client }) })
  terminal.note(`[in-toto] packing with ${client.name} ${client.version}`)
  const tarball = await packPrivately(client, { folder, env: process.env })
  try {
    const link = await recordPack({
      tarball: tarball.path,
      bytes: tarball.bytes,
      folder,
      step: flags.stepName,
      client: tarball.client,
      secrets,
      ...(flags.basePath === undefined ? {} : { base: flags.basePath }),
      ...(flags.allowFile === undefined ? {} : { allow: flags.allowFile }),
    })
    return { client, tarball, link: await sign(link, [signer], options) }
  } catch (error) {
    tarball.close()
    throw error
  }
}

/** The signing key's own file, which must not be in the tarball; a key from a variable is found by its form alone. */
export function keyBytes(ref: string | undefined): Uint8Array[] {
  const path = keyPath(ref)
  return path === undefined ? [] : [readMetadataFile(path, { what: 'key' })]
}

function keyPath(ref: string | undefined): string | undefined {
  const path = ref ?? process.env['INTOTO_KEY_FILE']
  return path === undefined || path === '' || path.startsWith('env:') ? undefined : path.replace(/^file:(\/\/)?/, '')
}

/** A private key below the package root is one `git add` or one wrong `files` away from the public. */
function refuseKeyInside(root: string, ref: string | undefined): void {
  const path = keyPath(ref)
  if (path === undefined) return
  const below = relative(realpathSync(root), realPath(path))
  if (below.startsWith(`..${sep}`) || resolve(below) === below) return
  const message = `the signing key ${basename(path)} lies below the package root`
  throw new InTotoError({ code: 'E_KEY', message, file: path, fix: 'move it to a folder outside of the package; it is for you alone' })
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** Links as found, and one that is signed but not written: it stands for all others of its step and key. */
export function withLink(found: LinkSource, link: Metadata<Link>): LinkSource {
  const { name } = link.payload
  const keyid = link.signatures[0]?.keyid ?? ''
  const own = { file: linkFileName(name, keyid), read: async () => encodeMetadata(link) }
  return {
    get: async (step, id) => (step === name && id.slice(0, 8) === keyid.slice(0, 8) ? [own] : found.get(step, id)),
    list: async (step) => [
      ...(step === name ? [own] : []),
      ...(await found.list(step)).filter(({ file }) => step !== name || basename(file) !== own.file),
    ],
    within: (step, id) => found.within(step, id),
  }
}
