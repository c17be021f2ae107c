/**
 * The URIs under which this project's attestations name themselves. They are API: verifiers compare them to the letter, so one is never changed in
 * place, a new meaning gets a new version. `.example` belongs to nobody (RFC 2606), so that they name a thing and no host.
 */

const base = 'https://unplugin-in-toto.example'

/** Build type of a package that was packed outside a hosted builder; docs/buildtypes/npm-pack-v1.md says how to read it. */
export const npmPackBuildType: string = `${base}/buildtypes/npm-pack/v1`

/** Build type of a bundle whose link the plugin recorded; docs/buildtypes/bundle-v1.md says how to read it. */
export const bundleBuildType: string = `${base}/buildtypes/bundle/v1`

/** Builder of which nothing is known but the key that signed: SLSA Build level 1 at most. */
export const unhostedBuilderId: string = `${base}/builders/unhosted/v1`

/** Verifier of in-toto layouts, in verification summaries. Whose word it is, the signature tells. */
export const layoutVerifierId: string = `${base}/verifiers/layout/v1`
