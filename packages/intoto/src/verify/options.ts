/**
 * What a caller hands to the verification: keys, links, time, and the two things that need a machine (inspections, files on disk). Types
 * only; nothing here runs.
 */
import type { Limits } from '../encoding/json.ts'
import type { Key } from '../keys/key.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { Inspection } from '../model/layout.ts'
import type { Link } from '../model/link.ts'
import type { Parameters } from '../model/parameter.ts'
import type { LinkSource } from './source.ts'

/** Options of `verify` and `judge`. */
export interface VerifyOptions {
  /** The project owners' keys: each of them must have signed the layout. */
  keys: readonly Key[]
  links: LinkSource
  /** Values for `{NAME}` in rules and commands. */
  parameters?: Parameters
  /** The time that decides over expiry; default: now. */
  now?: Date
  /** What a command that differs from the layout's means; default `error`, the reference tools only warn. */
  commandMismatch?: 'error' | 'warn'
  /** What a counted link whose command failed (a `return-value` other than 0) means; default `warn`, the reference tools do not look. */
  commandFailure?: 'error' | 'warn'
  /** Verify only the steps up to this one, in layout order, and run no inspection. */
  through?: string
  /** Runs an inspection. A layout that has some is refused without it. */
  inspect?: Inspect
  /** What lies on the disk and is to be judged, beyond the links. */
  product?: ProductEvidence
  limits?: Partial<Limits>
  /** Accept an in-toto Statement with the link predicate in place of a link; default false, as in the reference. */
  statements?: boolean
  /** Names of keys, by key id, for people. */
  names?: ReadonlyMap<string, string>
  /** Path of the layout, for messages. */
  layoutFile?: string
  /** Scripts of the package.json beside the product, by name: only to guess which of them ran between two steps. */
  scripts?: { readonly [name: string]: string }
  /** List the names that each rule consumed, and keep the chain for `explainArtifact`. */
  trace?: boolean
}

/**
 * Runs the command of an inspection and records what is there before and after.
 * @throws E_INSPECTION when it cannot be started or fails; E_NOT_RECORDED when we were interrupted, which ends the verification without verdict
 */
export type Inspect = (inspection: Inspection, context: InspectContext) => Promise<Link>

/** What an inspection must know of the verification. */
export interface InspectContext {
  /** Link files that were loaded in this run: not to be recorded as artifacts. */
  linkFiles: readonly string[]
}

/** The files that are being judged. */
export interface ProductEvidence {
  /** As recorded in links, `''` for the root. */
  path: string
  kind: 'folder' | 'file'
  /** What is on the disk, named as in links. */
  artifacts: Artifacts
  /** Names among them that are link files of this chain: no products, but they must be byte-equal to the links that were verified. */
  ignore: readonly string[]
  /** What lies there and is no plain file. A folder with such a thing is not what a link can speak of. */
  odd?: readonly OddFile[]
}

/** A thing in a delivered folder that is no plain file of it. */
export interface OddFile {
  /** Named as artifacts are. */
  name: string
  /** What it is, to follow its name: `is a FIFO`. */
  what: string
  /** Whether its content stands among the artifacts all the same (a link that leads out of the folder): a warning, and no refusal. */
  recorded: boolean
}
