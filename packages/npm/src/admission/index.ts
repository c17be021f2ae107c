/** The face `intoto-npm/admission`: verdicts about images and packages for whoever lets them in. Re-exports only. */
export { createAdmissionHandler, type AdmissionHandler } from './handler.ts'
export { defaultAdmissionLimits } from './options.ts'
export type { AdmissionLayout, AdmissionLimits, AdmissionOptions, Decision } from './options.ts'
