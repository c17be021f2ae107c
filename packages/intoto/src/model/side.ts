/**
 * The two sides of a link as tables. A link that was read the fast way has its tables from the file, and makes the artifact maps only for whoever
 * asks for `materials` or `products`; for any other link the table is made from its maps. Called by the fast way through metadata and by the
 * verification. Never used for links that callers may still change.
 */
import type { Artifacts } from './artifact.ts'
import type { Link } from './link.ts'
import { tableFrom, type ArtifactTable } from './table.ts'

/** Which artifacts of a link. */
export type Side = 'materials' | 'products'

const tables = new WeakMap<Link, { materials?: ArtifactTable; products?: ArtifactTable }>()

/** Materials or products of a link, as a table. */
export function sideOf(link: Link, side: Side): ArtifactTable {
  let known = tables.get(link)
  if (known === undefined) tables.set(link, (known = {}))
  return (known[side] ??= tableFrom(link[side]))
}

/** Gives a link a side that becomes a map when somebody looks at it. */
export function setSide(link: Link, side: Side, table: ArtifactTable): void {
  tables.set(link, { ...tables.get(link), [side]: table })
  Object.defineProperty(link, side, {
    configurable: true,
    enumerable: true,
    get: (): Artifacts => table.toArtifacts(),
    set(value: Artifacts) {
      tables.delete(link)
      Object.defineProperty(link, side, { configurable: true, enumerable: true, writable: true, value })
    },
  })
}
