/**
 * Compares files on disk with the products of a link, before a step uses them or after somebody delivered them. It looks at no signature: whoever
 * calls it has verified the link, or knows that it is not verified.
 */
import { sameDigests } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'
import { recordArtifacts, type RecordOptions } from './artifacts.ts'

/** How a folder differs from a link's products; all three empty means that it does not. Names are sorted. */
export interface ProductMatch {
  readonly onlyInProducts: readonly string[]
  readonly notInProducts: readonly string[]
  readonly differ: readonly string[]
}

/**
 * Records the paths (the whole base unless given) and compares them with the link's products. Folders behind symbolic links are left out unless
 * `followFolders` says otherwise, as in the reference.
 * @throws InTotoError those of recordArtifacts
 */
export async function matchProducts(link: Link, paths: readonly string[] = ['.'], o: RecordOptions = {}): Promise<ProductMatch> {
  const artifacts = await recordArtifacts(paths, { followFolders: false, ...o })
  const names = Object.keys(artifacts).sort()
  const products = Object.keys(link.products).sort()
  return {
    onlyInProducts: products.filter((name) => !Object.hasOwn(artifacts, name)),
    notInProducts: names.filter((name) => !Object.hasOwn(link.products, name)),
    differ: names.filter((name) => Object.hasOwn(link.products, name) && !sameDigests(artifacts[name] ?? {}, link.products[name] ?? {})),
  }
}
