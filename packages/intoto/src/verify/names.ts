/**
 * The names in a link's materials or products, listed once: an object with 100,000 members takes a tenth of a second each time. Called by
 * whatever looks at a decoded link, which nobody changes any more. Never used for objects that callers hold.
 */
import type { Artifacts } from '../model/artifact.ts'

const known = new WeakMap<Artifacts, readonly string[]>()

/** All names, in the order of the file. */
export function namesOf(artifacts: Artifacts): readonly string[] {
  let names = known.get(artifacts)
  if (names === undefined) known.set(artifacts, (names = Object.keys(artifacts)))
  return names
}
