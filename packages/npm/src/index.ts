/** The face of `intoto-npm`: npm's life cycle as a library. Re-exports only. */
export { findTarball, type FoundTarball } from './lifecycle.ts'
export { findLockfile, packagePurl, readLockfile, readManifest, resolveBundled, resolvedDependency } from './lockfile/index.ts'
export type {
  Bundled,
  BundledOptions,
  LockedPackage,
  Lockfile,
  LockfileFormat,
  LockfileText,
  ResolvedDependency,
} from './lockfile/index.ts'
export { postpack, recordPack, type PackOptions, type PostpackOptions, type PostpackResult } from './pack.ts'
export {
  addLine,
  bundleBuildType,
  bundleMediaType,
  githubBuildType,
  isGitHubActions,
  keyHint,
  layoutVerifierId,
  npmPackBuildType,
  packageProvenance,
  packageSubject,
  readBundle,
  readLines,
  signKeyless,
  summaryPredicateType,
  toBundle,
  unhostedBuilderId,
  verificationSummary,
  verifyBundle,
  verifyKeyless,
  writeLines,
} from './provenance/index.ts'
export type {
  Bundle,
  Environment,
  EvidenceDigest,
  KeylessSigning,
  KeylessTrust,
  Line,
  Lines,
  PackageProvenance,
  PackageSubject,
  Summary,
} from './provenance/index.ts'
export {
  checkPackage,
  compareServed,
  fetchPublished,
  findClient,
  findRegistry,
  isClientName,
  isPacking,
  isPackedByUs,
  makingOf,
  packageFolder,
  packedManifest,
  packPrivately,
  privateFolder,
  refuseSwapped,
  runClient,
  uploadCommand,
  uploadEnvironment,
  withoutCredentials,
} from './publish/index.ts'
export type {
  Client,
  ClientName,
  ClientSearch,
  Manifest,
  PrivateTarball,
  Published,
  RegistryAccess,
  RegistryQuery,
  RegistrySearch,
} from './publish/index.ts'
export { hasPrivateKey, refuseSecrets, type SecretOptions } from './secret.ts'
export { isSafeName, openStore } from './store/index.ts'
export type {
  Credentials,
  EvidenceFile,
  EvidenceStore,
  PullOptions,
  PushResult,
  StoreLimits,
  StoreOptions,
  Subject,
} from './store/index.ts'
export type { PackedFile, TarballOptions } from './archive.ts'
export { readTarball, tarballArtifacts, unpackTarball, type Tarball } from './tarball.ts'
