/**
 * How much metadata may hold, and the count that is made before a reader allocates anything. Called by the JSON reader with the raw bytes;
 * the models apply the limits that only they can see (steps, rules, sublayouts). Never looks at meaning.
 */
import { InTotoError } from '../errors.ts'

/** Upper bounds for metadata from outside. Raising one is the caller's decision; each refusal names limit and number. */
export interface Limits {
  /** Bytes of one metadata file. */
  fileBytes: number
  /** Nesting of objects and lists; at most `maxDepth`, so that no walker overflows its stack. */
  depth: number
  /** JSON values in one file. */
  values: number
  /** Artifacts in a link: members of any one object or list. */
  artifacts: number
  signatures: number
  /** Steps and inspections of a layout together. */
  steps: number
  /** Keys of a layout; each is looked at before anybody knows who signed it. */
  keys: number
  /** Artifact rules of a layout, those of all steps and inspections together. */
  rules: number
  /** Bytes of one artifact rule. */
  ruleBytes: number
  sublayoutDepth: number
  /** How often one file may be opened in a verification: by ids of a step that share its name, and by sublayouts that share its folder. */
  fileUses: number
}

/** Far above what honest metadata needs, far below what harms a small machine. */
export const defaultLimits: Readonly<Limits> = {
  fileBytes: 128 * 1024 * 1024,
  depth: 512,
  values: 2_000_000,
  artifacts: 250_000,
  signatures: 1_000,
  steps: 1_000,
  keys: 1_000,
  rules: 20_000,
  ruleBytes: 4_096,
  sublayoutDepth: 16,
  fileUses: 16,
}

/** No `Limits.depth` goes beyond this; every recursive walk over JSON is safe at this depth. */
export const maxDepth = 1_000

/** The defaults with the caller's numbers in their places. */
export function withDefaults(limits: Partial<Limits> | undefined): Limits {
  const all = { ...defaultLimits, ...limits }
  return { ...all, depth: Math.min(all.depth, maxDepth) }
}

/** A refusal that names the limit, its number and the way to raise it. */
export function beyondLimit(limit: keyof Limits, most: number, what: string): InTotoError {
  return new InTotoError({
    code: 'E_FORMAT',
    message: `${what}: more than the limit of ${most} (${limit})`,
    fix: `if this is meant, raise the limit "${limit}"`,
  })
}

/**
 * Counts values, nesting and members in JSON text without building anything. Says nothing about well-formedness, but for well-formed text
 * (and up to the first error of any other) the counts are exact.
 * @throws E_FORMAT at the first limit that is passed
 */
export function checkLimits(bytes: Uint8Array, limits: Limits, what: string): void {
  if (bytes.length > limits.fileBytes) throw beyondLimit('fileBytes', limits.fileBytes, `${what}: ${bytes.length} bytes`)
  const members = new Int32Array(limits.depth + 2)
  let depth = 0
  let values = 1
  let opened = false // the last byte that was not white space opened an object or a list
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte <= 0x20) continue
    if (byte === 0x22) {
      for (i++; i < bytes.length && bytes[i] !== 0x22; i++) if (bytes[i] === 0x5c) i++
      opened = false
    } else if (byte === 0x2c) {
      values++
      const count = ++members[depth]!
      if (count >= limits.artifacts) throw beyondLimit('artifacts', limits.artifacts, `${what}: members of one object or list`)
      opened = false
    } else if (byte === 0x5b || byte === 0x7b) {
      values++
      if (++depth > limits.depth) throw beyondLimit('depth', limits.depth, `${what}: nesting`)
      members[depth] = 0
      opened = true
    } else if (byte === 0x5d || byte === 0x7d) {
      if (opened) values--
      if (depth > 0) depth--
      opened = false
    } else {
      opened = false
    }
    if (values > limits.values) throw beyondLimit('values', limits.values, `${what}: JSON values`)
  }
}
