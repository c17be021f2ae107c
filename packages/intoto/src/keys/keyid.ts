/**
 * Key ids: the hash over a key object, in the forms that the tools use (in-toto specification, 4.2). One PEM has several ids, so a signature
 * is looked for under all of them. An id only selects; what identifies a key is its material.
 */
import { canonicalJson } from '../encoding/canonical.ts'
import { sha256Hex } from './digest.ts'
import { goEcdsaScheme } from './scheme.ts'

/** What an id is computed from. `public` is hex for Ed25519, else PEM. */
export interface KeyidSource {
  keytype: string
  scheme: string
  keyval: { public: string }
}

/**
 * Whose derivation: securesystemslib 1.0 and later, in-toto-golang and older securesystemslib, or DevGuard, which loads its P-256 keys in in-toto-golang under
 * the label of another curve and with one hash algorithm; both are part of the id.
 */
export type KeyidStyle = 'python' | 'go' | 'devguard'

/** The id of a key in one style; Go's with Go's scheme label on every ECDSA curve. */
export function deriveKeyid(key: KeyidSource, style: KeyidStyle): string {
  if (style === 'python') return pythonForm(key)
  if (style === 'devguard') return goForm(key.keytype === 'ecdsa' ? { ...key, scheme: 'ecdsa-sha2-nistp521' } : key, ['sha256'])
  return goForm(key.keytype === 'ecdsa' ? { ...key, scheme: goEcdsaScheme } : key)
}

function pythonForm({ keytype, scheme, keyval }: KeyidSource): string {
  return sha256Hex(canonicalJson({ keytype, scheme, keyval: { public: keyval.public } }))
}

function goForm({ keytype, scheme, keyval }: KeyidSource, algorithms: string[] = ['sha256', 'sha512']): string {
  return sha256Hex(canonicalJson({ keytype, scheme, keyval: { public: keyval.public.trimEnd() }, keyid_hash_algorithms: algorithms }))
}

/** Every id under which a tool may have filed this key, Python's first, each once. `key.keytype` must not be an alias. */
export function deriveKeyids(key: KeyidSource): readonly string[] {
  const forms = [pythonForm(key), goForm(key), deriveKeyid(key, 'go'), deriveKeyid(key, 'devguard')]
  if (key.keytype === 'ecdsa') {
    // securesystemslib before 0.24 wrote the scheme as key type.
    const alias = { ...key, keytype: key.scheme }
    forms.push(goForm(alias), pythonForm(alias))
  }
  return [...new Set(forms)]
}
