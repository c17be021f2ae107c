/** The face of `intoto/node`: what of in-toto needs a disk or a process. Re-exports only; nothing else of this folder is public. */
export { excludedByDefault, recordArtifacts, recordArtifactsSync, type RecordOptions } from './artifacts.ts'
export { hashFile, type Algorithm, type FileDigest } from './hash.ts'
export { findSigner, loadKey, loadSigner, loadSignerSync, userKeyFile, type FoundSigner, type KeySearch, type LoadOptions } from './keys.ts'
export { readMetadataFile, type ReadOptions } from './read.ts'
export { linkDirectory, type LinkDirectory, type LinkDirectoryOptions } from './store.ts'
export { walkFiles, type Exclude, type WalkOptions } from './walk.ts'
export { writeFileAtomic, type WriteOptions } from './write.ts'
