/**
 * One run after the other behind one face: for watches of bundlers that hand their plugins out once and then build again and again with them.
 * Called by adapters instead of `beginRun`. It decides nothing; each run is begun as the first one was.
 */
import type { Run } from './run.ts'

/** A run to report to, and how to begin the next one. */
export interface Repeated {
  readonly run: Run
  /** Ends nothing: what was not closed well has failed. */
  readonly again: () => void
}

/**
 * Begins the first run.
 * @throws InTotoError as beginRun
 */
export function beginRepeated(begin: () => Run | undefined): Repeated | undefined {
  let current = begin()
  if (current === undefined) return undefined
  const run = new Proxy({} as Run, {
    get(_, name) {
      const member: unknown = Reflect.get(current as Run, name)
      return typeof member === 'function' ? (member.bind(current) as unknown) : member
    },
  })
  return { run, again: () => void (current = begin() ?? current) }
}
