/**
 * Declarations (`.d.ts`) among the products: whoever made them read the types, too, which no bundler opens, and did so in a worker or by itself. So
 * all that TypeScript makes its program of is an input then. Called by the guard when a link is made, and by the exit for declarations that came late.
 */
import { nearFiles } from './baseline.ts'
import { ctimeOf, isDependency, isWithin, RealPaths } from './place.ts'
import { walkedFolders, type Material, type Session } from './session.ts'
import { programFiles } from './tsconfig.ts'

/** Whether there are declarations among these files. */
export function hasDeclarations(paths: Iterable<string>): boolean {
  for (const path of paths) if (/\.d\.[cm]?ts$/.test(path)) return true
  return false
}

/** What was read for the declarations, by real path: nobody told of it, so as with the audit it fails no build when it does not hold still. */
export function declarationSources({ records }: Pick<Session, 'records'>, products: ReadonlyMap<string, unknown>): Map<string, Material> {
  const found = new Map<string, Material>()
  const [first] = records
  if (first === undefined || !hasDeclarations(products.keys())) return found
  const outputs = walkedFolders(records)
  const typed = records.flatMap(({ materials }) => [...materials]).filter(([path]) => /\.[cm]?tsx?$/.test(path) && !isDependency(path))
  const program = programFiles(typed)
  const paths = new RealPaths()
  for (const path of [...program, ...nearFiles(...typed.map(([path]) => path), ...program)]) {
    const file = paths.file(path)
    if (file === undefined || products.has(file.real) || isDependency(file.real) || outputs.some((folder) => isWithin(folder, file.real)))
      continue
    found.set(file.real, {
      since: first.clock.changedFrom,
      folder: file.folder,
      seen: file.ctimeMs ?? ctimeOf(file.real),
      module: false,
      audited: true,
    })
  }
  return found
}
