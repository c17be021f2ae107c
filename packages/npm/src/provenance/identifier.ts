/**
 * The URIs under which this project's attestations name themselves. They are API: verifiers compare them to the letter, so one is never changed in
 * place, a new meaning gets a new version. Each is a package URL of this project with the page in it that says what the name means: it depends on no
 * host, and whoever has the package has the page.
 */

const base = 'pkg:npm/unplugin-in-toto#docs'

/** Build type of a package that was packed outside a hosted builder. */
export const npmPackBuildType: string = `${base}/buildtypes/npm-pack-v1.md`

/** Build type of a bundle whose link the plugin recorded. */
export const bundleBuildType: string = `${base}/buildtypes/bundle-v1.md`

/** Builder of which nothing is known but the key that signed: SLSA Build level 1 at most. */
export const unhostedBuilderId: string = `${base}/builders/unhosted-v1.md`

/** Verifier of in-toto layouts, in verification summaries. Whose word it is, the signature tells. */
export const layoutVerifierId: string = `${base}/verifiers/layout-v1.md`
