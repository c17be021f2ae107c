/** The face of the stores inside this package. Re-exports only. */
export { openStore } from './address.ts'
export { isSafeName } from './store.ts'
export type { Credentials, EvidenceFile, EvidenceStore, PullOptions, PushResult, StoreLimits, StoreOptions, Subject } from './store.ts'
