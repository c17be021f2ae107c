/** The face of provenance inside this package. Re-exports only. */
export { bundleMediaType, keyHint, readBundle, toBundle, verifyBundle, type Bundle } from './bundle.ts'
export { githubBuildType, isGitHubActions, type Environment } from './github.ts'
export { bundleBuildType, layoutVerifierId, npmPackBuildType, unhostedBuilderId } from './identifier.ts'
export { signKeyless, verifyKeyless, type KeylessSigning, type KeylessTrust } from './keyless.ts'
export { addLine, readLines, writeLines, type Line, type Lines } from './lines.ts'
export { packageProvenance, packageSubject, type EvidenceDigest, type PackageProvenance, type PackageSubject } from './package.ts'
export { summaryPredicateType, verificationSummary, type Summary } from './summary.ts'
