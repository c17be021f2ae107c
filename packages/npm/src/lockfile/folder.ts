/**
 * The package folder that a file below node_modules belongs to, by its path alone. `resolveBundled` calls it. It knows the layouts of npm, pnpm,
 * Yarn (node_modules, pnpm and Plug'n'Play) and bun; it never opens a file.
 */

/** The folder of an installed package. */
export interface PackageFolder {
  /** Path of the folder, written as the file's path was. */
  path: string
  /** The name it is installed under, which may be an alias; undefined in Yarn's store, which gives folders no name. */
  used?: string
  /** Version, where the layout writes it into a path. */
  version?: string
  /** Yarn keeps a patched package in an archive of its own. */
  patched?: true
  /** The package folder around it (`…/a` of `…/a/node_modules/b`), where there is one. */
  parent?: string
}

const marker = '/node_modules/'

/**
 * The package folder of a file, `/`-separated; undefined for a file outside node_modules, and `'none'` for one inside that is in no package
 * folder (`node_modules/.vite/…`, `node_modules/.bin/…`).
 */
export function packageFolder(file: string): PackageFolder | 'none' | undefined {
  const rooted = file.startsWith('/') ? file : `/${file}`
  const at = rooted.lastIndexOf(marker)
  if (at < 0) return undefined
  const offset = rooted.length - file.length
  const inside = rooted.slice(at + marker.length).split('/')
  const path = (parts: number): string => rooted.slice(offset, at + marker.length + inside.slice(0, parts).join('/').length)
  if (inside[0] === '.store' && inside[2] === 'package' && inside.length > 3)
    return { path: path(3), ...slugVersion(inside[1] ?? '', undefined) }
  const parts = inside[0]?.startsWith('@') ? 2 : 1
  if (inside.length <= parts || inside[0]?.startsWith('.') || inside[0] === '') return 'none'
  const used = inside.slice(0, parts).join('/')
  const before = rooted.slice(offset, at + 1).replace(/\/$/, '')
  const parent = parentOf(before)
  return {
    path: path(parts),
    used,
    ...hintOf(before.slice(before.lastIndexOf('/') + 1), used),
    ...(parent === undefined ? {} : { parent }),
  }
}

/** The folder that holds this node_modules, if it is itself a package folder and nothing else. */
function parentOf(before: string): string | undefined {
  const outer = packageFolder(`${before}/x`)
  return typeof outer === 'object' && outer.path === before ? before : undefined
}

/** Version from the folder or archive above node_modules: pnpm's and bun's `name@1.0.0_peers`, Yarn's `name-npm-1.0.0-<hash>-<hash>.zip`. */
function hintOf(holder: string, used: string): Pick<PackageFolder, 'version' | 'patched'> {
  const prefix = `${used.replace('/', '+')}@`
  if (holder.startsWith(prefix)) {
    const version = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?/.exec(holder.slice(prefix.length))?.[0]
    return version === undefined ? {} : { version }
  }
  return slugVersion(holder, used)
}

function slugVersion(slug: string, used: string | undefined): Pick<PackageFolder, 'version' | 'patched'> {
  const [, name, protocol, version] = /^(.+?)-(npm|patch)-(.*?)-?[0-9a-f]{10}(?:-[0-9a-z]+)?(?:\.zip)?$/.exec(slug) ?? []
  if (name === undefined || (used !== undefined && name !== used.replace('/', '-'))) return {}
  if (protocol === 'patch') return { patched: true }
  return version !== undefined && /^\d+\.\d+\.\d+/.test(version) ? { version } : {}
}
