/** The face of `intoto/node`: what of in-toto needs a disk or a process. Re-exports only; nothing else of this folder is public. */
export { excludedByDefault, recordArtifacts, recordArtifactsSync, type RecordOptions } from './artifacts.ts'
export { InterruptedError, withoutSecrets } from './child.ts'
export { printable } from './fault.ts'
export { gitCall, gitState, gitStateLater, type GitCall, type GitState } from './git.ts'
export { sha256Map } from '../model/artifact.ts'
export { hashFile, type Algorithm, type FileDigest } from './hash.ts'
export { inspectIn, type InspectedProduct, type Inspections, type InspectOptions } from './inspection.ts'
export {
  findPassword,
  findSigner,
  loadKey,
  loadSigner,
  loadSignerSync,
  userKeyFile,
  type FoundSigner,
  type KeySearch,
  type LoadOptions,
} from './keys.ts'
export { matchProducts, type ProductMatch } from './products.ts'
export { readMetadataFile, type ReadOptions } from './read.ts'
export { createHashedLink, type Hashed } from './side.ts'
export { runStep, type RunOptions, type StepRun } from './run.ts'
export { recordSource, type SourceOptions } from './source.ts'
export { checkStepName } from './step.ts'
export { linkDirectory, type LinkDirectory, type LinkDirectoryOptions } from './store.ts'
export { recordStart, recordStop, type StartOptions, type StopOptions } from './unfinished.ts'
export { walkFiles, type Exclude, type WalkOptions } from './walk.ts'
export { writeFileAtomic, type WriteOptions } from './write.ts'
