/**
 * What a caller tells the admission: which layouts promise what, whose keys sign them, where evidence is, and how much may be asked at once. It checks
 * numbers and judges nothing.
 */
import { InTotoError, type Key, type Layout, type Limits, type LinkSource, type Metadata, type VerifyOptions } from 'intoto'
import type { RegistryAccess } from '../publish/index.ts'
import type { EvidenceStore } from '../store/index.ts'

/** How a layout is judged by, beyond its keys and evidence; as for `verify`. */
type Judging = Pick<VerifyOptions, 'parameters' | 'commandMismatch' | 'statements' | 'names' | 'layoutFile'>

/** One layout and what it promises. */
export interface AdmissionLayout extends Judging {
  /**
   * Patterns of artifact rules over names of images without tag and digest (`registry.example/team/*`), and of packages (`npm:@scope/*`). `*` crosses
   * slashes.
   */
  readonly for: readonly string[]
  /** Signed by its owners; a function is asked anew for each verdict. */
  readonly layout: Metadata<Layout> | (() => Metadata<Layout> | Promise<Metadata<Layout>>)
  /** The project owners' keys: each of them must have signed the layout. */
  readonly keys: readonly Key[]
  /** Where links are looked for, in all of these, for each verdict. */
  readonly evidence: readonly (LinkSource | EvidenceStore)[]
  /** The step among whose products an image's manifest must be; the last one unless given. */
  readonly imageStep?: string
}

/** How much may be asked. */
export interface AdmissionLimits {
  /** Bytes of one request; 4 MiB: two objects as large as Kubernetes stores, and what is around them. */
  bodyBytes: number
  /** Bytes of all requests that are being received; 64 MiB. */
  pendingBytes: number
  /** Requests that are answered at the same time; 1,000. */
  requests: number
  /** Verdicts that are being reached at the same time; 8. */
  verdicts: number
  /** Containers of all kinds and image volumes of one object; 256. */
  containers: number
  /** Milliseconds for one request, from its first byte; 8 seconds, since Kubernetes gives up after 10. */
  timeout: number
  /** Bytes of a package's tarball; 64 MiB. Its files may have four times as many. */
  tarballBytes: number
}

/** What was decided, for a log. */
export interface Decision {
  readonly allowed: boolean
  /** Of the answer. */
  readonly status: number
  /** What was asked: `CREATE Deployment shop/web`, `image`, `package`, or only `request` when it could not be read. Safe to print. */
  readonly asked: string
  /** Images and packages that were judged. */
  readonly subjects: readonly string[]
  /** One line each; safe to print. */
  readonly reasons: readonly string[]
  readonly milliseconds: number
  /** What nobody foresaw: a fault of ours, or of the caller's own functions. */
  readonly error?: unknown
}

/** Everything that `createAdmissionHandler` needs. */
export interface AdmissionOptions {
  /** The first whose patterns match decides; what none matches is refused. */
  readonly layouts: readonly AdmissionLayout[]
  /** The registry of a package; without it packages are refused. */
  readonly registry?: (name: string) => Promise<RegistryAccess>
  /** The time that decides over expiry; the clock's unless given. */
  readonly now?: () => Date
  readonly limits?: Partial<AdmissionLimits>
  /** Of layouts and links, as for `verify`. */
  readonly metadataLimits?: Partial<Limits>
  /** Gets each decision, once. */
  readonly log?: (decision: Decision) => void
}

/** Enough for a busy cluster, and little enough for a small machine. */
export const defaultAdmissionLimits: Readonly<AdmissionLimits> = {
  bodyBytes: 4 * 1024 * 1024,
  pendingBytes: 64 * 1024 * 1024,
  requests: 1_000,
  verdicts: 8,
  containers: 256,
  timeout: 8_000,
  tarballBytes: 64 * 1024 * 1024,
}

/** The limits with the caller's numbers in their places. @throws InTotoError E_CONFIG for what is no limit */
export function checkedLimits(given: Partial<AdmissionLimits> = {}): AdmissionLimits {
  const limits = { ...defaultAdmissionLimits, ...given }
  for (const [name, value] of Object.entries(limits)) {
    if (Object.hasOwn(defaultAdmissionLimits, name) && Number.isSafeInteger(value) && value >= 1 && value < 2 ** 31) continue
    throw new InTotoError({
      code: 'E_CONFIG',
      message: `admission: the limit "${name}" is no whole number of at least 1, or none of ${Object.keys(defaultAdmissionLimits).join(', ')}`,
      fix: 'leave it out, or give a number',
    })
  }
  return limits
}
