/**
 * The owner's key for `intoto init`: one that the person names or the environment holds, the one that an earlier init made, or a new one in the
 * user's configuration folder. Never below the package, and never in a message.
 */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fromHex, generateKeyPair, importKey, type Key, keyidFor, toBase64 } from 'intoto'
import { findPassword, findSigner, loadSigner, userKeyFile } from 'intoto/node'
import { misuse } from '../failure.ts'
import { makeFolder } from '../folder.ts'
import type { Journal } from './change.ts'

/** A private key by reference, with its public half. */
export interface OwnerKey {
  readonly ref: string
  readonly publicPem: string
  readonly keyid: string
  /** The PEM of a key that does not exist yet. */
  readonly made?: { readonly path: string; readonly privatePem: string; readonly encrypted: boolean }
}

/**
 * The key that is to be used; a new one is made but not written.
 * @throws InTotoError E_KEY for a key that can't be used, E_CONFIG where none can be kept
 */
export async function ownerKey(given: string | undefined, name: string): Promise<OwnerKey> {
  // What is read is taken out of an environment, and the build that follows needs it once more.
  const env = { ...process.env }
  const found = findSigner({ given, env, ci: false, packageName: name })
  if (found !== undefined) {
    const { key } = await loadSigner(found.ref, { env })
    return { ref: found.ref, publicPem: pemOf(key), keyid: keyidFor(key, 'python') }
  }
  const path = userKeyFile(name, env)
  if (path === undefined)
    throw misuse(`init: no key can be kept for a package called "${name}"`, '--signing-key PATH; "intoto keygen" makes a key')
  const password = findPassword(env)
  const pair = await generateKeyPair('ed25519', password === undefined ? {} : { password })
  const keyid = keyidFor(await importKey(pair.publicPem), 'python')
  return { ref: path, publicPem: pair.publicPem, keyid, made: { path, privatePem: pair.privatePem, encrypted: password !== undefined } }
}

/** Puts a new key into its place, for its owner's eyes alone. */
export function keepKey({ made }: OwnerKey, journal: Journal): void {
  if (made === undefined) return
  if (existsSync(made.path)) throw misuse(`init: ${made.path} exists already and is not overwritten`, '--signing-key PATH')
  makeFolder(dirname(made.path), { mode: 0o700, fix: '--signing-key PATH for a key of yours, elsewhere' })
  journal.write(made.path, made.privatePem, 0o600)
}

/** The public key as SPKI PEM (RFC 7468, RFC 8410); all but Ed25519 are kept so in metadata too. */
function pemOf(key: Key): string {
  const { public: text } = key.keyval
  if (text.includes('-----BEGIN')) return `${text.trimEnd()}\n`
  const der = fromHex(`302a300506032b6570032100${text}`)
  return `-----BEGIN PUBLIC KEY-----\n${toBase64(der)}\n-----END PUBLIC KEY-----\n`
}
