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

/** A PEM private key has a body between these, its line ends also as they stand in JSON; text that only speaks of such keys has none. */
const begin = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/g
const end = '-----END '
const lineEnd = /^(?:\s|\\[rn])/
/** What stands in no body, headers of encrypted keys included. */
const foreign = /[^A-Za-z0-9+/=:,.\s\\-]|\\(?![rn])/g
/** Letters of the shortest body, behind the first line end; a line end as it stands in JSON is one. */
const shortestBody = 40
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

/**
 * Is a private key in here, in PEM form, encrypted or not? Looks at each letter once: a beginning in what was searched already would have no more of a body
 * than the one before it.
 */
export function hasPrivateKey(content: Uint8Array): boolean {
  const bytes = viewOf(content)
  if (!bytes.includes('PRIVATE KEY-----')) return false
  const text = bytes.toString('latin1')
  for (let at = behind(begin, text, 0); at >= 0; at = behind(begin, text, at)) {
    if (!lineEnd.test(text.slice(at, at + 2))) continue
    const stop = behind(foreign, text, at)
    const body = text.slice(at, stop < 0 ? undefined : stop - 1)
    const inside = body.slice(0, Math.max(0, body.lastIndexOf(end)))
    if (inside.length - inside.split('\\').length + 1 > shortestBody) return true
    at += body.length
  }
  return false
}

/** The place behind the next match, or -1. */
function behind(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : -1
}
