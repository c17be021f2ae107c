/**
 * The postpack hook inside a client's publish, where the tarball is in the client's memory alone: packs again with the very same client and demands that
 * the digest is the one that npm gives for what it will upload. `findTarball`'s other half; the hook calls it.
 */
import { createHash } from 'node:crypto'
import { InTotoError } from 'intoto'
import { printable } from 'intoto/node'
import { findClient, isClientName, type Client } from './client.ts'
import { packPrivately, type PrivateTarball } from './packing.ts'

/** A tarball that equals what will be uploaded, or is only believed to. */
export interface Repacked extends PrivateTarball {
  /** False: the client gives no digest, so that nothing shows that it uploads these bytes. */
  readonly proven: boolean
}

const advice = 'publish with "intoto publish", which packs, verifies and uploads one and the same file'

/**
 * Packs what is being published once more.
 * @throws InTotoError E_UNSUPPORTED: the client can't be stopped by its postpack, or gives no digest and `unproven` is not said; E_PRODUCT: the digest is
 * another one; E_CONFIG
 */
export async function repack(o: { folder: string; env: NodeJS.ProcessEnv; unproven?: boolean }): Promise<Repacked> {
  const agent = (o.env['npm_config_user_agent'] ?? '').split(' ', 1)[0] || 'an unknown client'
  const [name = '', version = ''] = agent.split('/')
  if (!isClientName(name)) throw unsupported(`${printable(agent)} is no client whose publish is known`)
  if (name === 'yarn' && !version.startsWith('1.')) {
    throw unsupported(`Yarn ${printable(version)} runs its postpack script after the upload, so that nothing can be refused there`)
  }
  const integrity = o.env['npm_package_integrity'] ?? ''
  const proven = name === 'npm'
  if (proven && !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)) {
    throw new InTotoError({
      code: 'E_CONFIG',
      message: 'npm does not give the digest of its tarball (npm_package_integrity)',
      fix: 'use npm 8 or later',
    })
  }
  if (!proven && o.unproven !== true) {
    throw unsupported(
      `${printable(agent)} does not tell its postpack script which tarball it uploads`,
      '--unproven signs what a second packing gives, and says so',
    )
  }
  const client: Client = await findClient({ folder: o.folder, env: o.env, given: name })
  const packed = await packPrivately(client, { folder: o.folder, env: o.env, withoutScripts: true })
  const digest = `sha512-${createHash('sha512').update(packed.bytes).digest('base64')}`
  if (!proven || digest === integrity) return { ...packed, proven }
  packed.close()
  throw new InTotoError({
    code: 'E_PRODUCT',
    message: 'the tarball that npm is about to upload is not what is on disk: packing again gives another one',
    expected: { text: integrity, from: 'npm_package_integrity', label: 'npm uploads' },
    actual: { text: digest, label: 'packed again' },
    cause: 'a script after packing changed files, before this one',
    fix: ['make this the only command of "postpack", and let no script change files after packing', advice],
  })
}

function unsupported(message: string, more?: string): InTotoError {
  return new InTotoError({ code: 'E_UNSUPPORTED', message, fix: more === undefined ? advice : [advice, more] })
}
