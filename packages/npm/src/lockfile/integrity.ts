/**
 * Subresource Integrity, as npm's lockfiles and registries write it, into the digests of attestations. The readers of lockfiles call it; it never
 * throws, since a lockfile without a usable digest still says which package was meant.
 */
import type { DigestSet } from 'intoto'

/** Strongest first, with the length of each digest in bytes. Only the strongest that is given counts (SRI section 3.3.4). */
const strengths: readonly (readonly [algorithm: string, bytes: number])[] = [
  ['sha512', 64],
  ['sha384', 48],
  ['sha256', 32],
  ['sha1', 20],
]

/**
 * The digest that an integrity text promises: the strongest algorithm in it. Several different digests of that algorithm mean "any of these",
 * which no digest set can say, so the set is empty then, as it is for a text that holds nothing usable.
 */
export function integrityDigests(integrity: string | undefined): DigestSet {
  const found = new Map<string, Set<string>>()
  for (const token of integrity?.split(/\s+/) ?? []) {
    const [, algorithm = '', base64 = ''] = /^([a-z0-9]+)-([A-Za-z0-9+/]+={0,2})(?:\?.*)?$/.exec(token) ?? []
    const bytes = Buffer.from(base64, 'base64')
    const length = strengths.find(([name]) => name === algorithm)?.[1]
    if (bytes.length !== length || bytes.toString('base64') !== base64) continue
    found.set(algorithm, (found.get(algorithm) ?? new Set()).add(bytes.toString('hex')))
  }
  for (const [algorithm] of strengths) {
    const values = found.get(algorithm)
    if (values === undefined) continue
    const [only] = values
    return values.size === 1 && only !== undefined ? { [algorithm]: only } : {}
  }
  return {}
}
