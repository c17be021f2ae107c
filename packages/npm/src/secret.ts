/**
 * Looks for what must never be published in the files of a tarball: private keys, `.env` files, the signing key itself. The package step calls it
 * before it signs anything. A refusal names the file, never what is in it.
 */
import { InTotoError } from 'intoto'
import { printable } from 'intoto/node'
import type { PackedFile } from './archive.ts'

/** What is known to be secret, and what may go out all the same. */
export interface SecretOptions {
  /** Content of key files: a packed file that holds one of them is refused. */
  secrets?: readonly Uint8Array[]
  /** Packed names, without the top folder, that a person has looked at: keys for tests, an `.env` without secrets. */
  allow?: readonly string[]
}

/** A PEM private key with a body, its line ends also as they stand in JSON; text that only speaks of such keys does not match. */
const privateKey = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\s|\\r|\\n)+(?:[A-Za-z0-9+/=:,. -]|\s|\\r|\\n){40,}?-----END /
const environment = /(?:^|\/)\.env(?:\.(?!example$|sample$|template$|dist$|defaults$|schema$)[^/]+)?$/

/**
 * Passes when none of the files holds a secret.
 * @throws InTotoError E_KEY: a private key; E_CONFIG: an `.env` file
 */
export function refuseSecrets(files: readonly PackedFile[], o: SecretOptions = {}): void {
  for (const file of files) {
    const name = file.name.slice(file.name.indexOf('/') + 1)
    if (o.allow?.includes(name)) continue
    const bytes = viewOf(file.bytes)
    if (o.secrets?.some((secret) => secret.length > 0 && bytes.includes(viewOf(secret))) || hasPrivateKey(bytes)) {
      const fix = 'leave it out (the "files" field, or .npmignore); if it was ever published, replace the key'
      throw new InTotoError({ code: 'E_KEY', message: `the tarball holds a private key: ${printable(name)}`, file: name, fix })
    }
    if (environment.test(name)) {
      const fix = 'leave it out (the "files" field, or .npmignore)'
      throw new InTotoError({ code: 'E_CONFIG', message: `the tarball holds an environment file: ${printable(name)}`, file: name, fix })
    }
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function hasPrivateKey(bytes: Buffer): boolean {
  return bytes.includes('PRIVATE KEY-----') && privateKey.test(bytes.toString('latin1'))
}
