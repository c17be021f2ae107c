/**
 * JSON text on one line by the engine's own writer, several times as fast as ours: for what both write alike. Called by `stringifyJson`, which
 * writes everything else by itself, and finds the words for what can't be written.
 */
import { maxDepth } from './limits.ts'

/** Half a surrogate pair, which the engine spells out; some whole texts look like it. */
const maybeBroken = /\\u[dD]/

/** The text, or undefined where the two writers may differ. */
export function plainJson(value: unknown): string | undefined {
  if (!isPlain(value, 0)) return undefined
  const text = JSON.stringify(value)
  return maybeBroken.test(text) ? undefined : text
}

/** No number but a finite one, no negative zero, nothing too deep, nothing but data. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null || value === undefined) return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || depth >= maxDepth) return false
  if (Array.isArray(value)) return value.every((item: unknown) => item !== undefined && isPlain(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return false
  for (const name of Object.keys(value)) {
    const member = (value as { readonly [name: string]: unknown })[name]
    if (typeof member !== 'string' && !isPlain(member, depth + 1)) return false
  }
  return true
}
