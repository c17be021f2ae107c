/**
 * Which artifacts of a queue a rule takes (specification 4.3.3), over tables: names are compared as bytes, and since both sides are in order, the
 * next counterpart is nearly always the one behind the last. Called by the rule engine. `consumer` in rules.ts says the same for one name and is
 * what explanations use; the tests hold the two together.
 */
import type { ArtifactRule, MatchRule } from '../model/rule.ts'
import { looseUtf8, type ArtifactTable } from '../model/table.ts'

/** The tables that a rule compares. */
export interface Tables {
  /** The side whose queue it is. */
  readonly own: ArtifactTable
  readonly materials: ArtifactTable
  readonly products: ArtifactTable
  /** What a MATCH compares with; undefined when no link of that name is known. */
  readonly other: ArtifactTable | undefined
}

/** Does the rule take the artifact at this place off the queue? The pattern has matched already. */
export function taker(rule: ArtifactRule, { own, materials, products, other }: Tables): (i: number) => boolean {
  const inMaterials = counterpart(own, materials)
  const inProducts = counterpart(own, products)
  switch (rule.kind) {
    case 'CREATE':
      return (i) => inProducts(i) >= 0 && inMaterials(i) < 0
    case 'DELETE':
      return (i) => inMaterials(i) >= 0 && inProducts(i) < 0
    case 'MODIFY':
      return (i) => {
        const [before, after] = [inMaterials(i), inProducts(i)]
        return before >= 0 && after >= 0 && !materials.isSame(before, products, after)
      }
    case 'ALLOW':
      return () => true
    case 'MATCH': {
      if (other === undefined) return () => false
      const there = counterpart(own, other, rule)
      return (i) => {
        const j = there(i)
        return j >= 0 && own.isEqual(i, other, j)
      }
    }
    default:
      return () => false
  }
}

/** The place in another table of an artifact's name, or of the name that a MATCH with prefixes gives it there; -1 where it is not. */
function counterpart(own: ArtifactTable, other: ArtifactTable, rule?: MatchRule): (i: number) => number {
  const [source, destination] = [withSlash(rule?.sourcePrefix), withSlash(rule?.destinationPrefix)]
  if (source === destination) {
    if (own === other) return (i) => i
    const seek = seeker(other)
    return (i) => seek(own.bytes, own.start(i), own.end(i))
  }
  const seek = seeker(other)
  const skipped = looseUtf8(source).length
  const prefix = looseUtf8(destination)
  let key = new Uint8Array(256)
  return (i) => {
    const start = own.start(i) + skipped
    const end = own.end(i)
    const length = prefix.length + end - start
    if (length > key.length) key = new Uint8Array(length * 2)
    key.set(prefix)
    key.set(own.bytes.subarray(start, end), prefix.length)
    return seek(key, 0, length)
  }
}

/** Looks names up that come in order: at the place behind the last one first. */
function seeker(table: ArtifactTable): (key: Uint8Array, start: number, end: number) => number {
  let next = 0
  return (key, start, end) => {
    const order = next < table.size ? table.compare(next, key, start, end) : 1
    if (order === 0) return next++
    if (order > 0 && (next === 0 || table.compare(next - 1, key, start, end) < 0)) return -1
    next = table.lowerBound(key, start, end)
    return next < table.size && table.compare(next, key, start, end) === 0 ? next++ : -1
  }
}

/** A prefix is a folder: one slash is added when it has none. An empty one is none. */
export function withSlash(prefix: string | undefined): string {
  return prefix === undefined || prefix === '' || prefix.endsWith('/') ? (prefix ?? '') : `${prefix}/`
}
