/**
 * npm's lockfiles: `package-lock.json` and `npm-shrinkwrap.json` of versions 2 and 3, and the hidden one in node_modules. `readLockfile` calls it.
 * It reads `packages`, which names folders, and never the older `dependencies`, which does not.
 */
import { isRecord, lockedPackage, membersOf, textOf, versionOf, type LockedPackage, type Lockfile } from './entry.ts'
import { originOf, type Origin } from './origin.ts'
import { unsupported } from './refusal.ts'

const marker = 'node_modules/'

/**
 * Packages of an npm lockfile.
 * @throws InTotoError E_UNSUPPORTED for version 1, which names no folders
 */
export function readNpm(value: unknown, file: string): Lockfile {
  const lock = isRecord(value) ? value : {}
  const formatVersion = versionOf(lock['lockfileVersion'], '1')
  if (!isRecord(lock['packages'])) {
    throw unsupported(
      file,
      `lockfile version ${formatVersion} does not say which package lies where`,
      'run "npm install --lockfile-version 3 --package-lock-only"',
    )
  }
  const members = membersOf(lock['packages'])
  const requested = requestedAddresses(members.map(([, member]) => member))
  const packages: LockedPackage[] = []
  const projects: string[] = []
  for (const [folder, member] of members) {
    const at = folder.lastIndexOf(marker)
    if (at < 0) continue // the project itself, its workspaces and other folders that are linked
    const used = folder.slice(at + marker.length)
    if (member['link'] === true) projects.push(used)
    else packages.push(readPackage(folder, used, member, requested))
  }
  return { format: 'npm', formatVersion, file, packages, projects }
}

function readPackage(folder: string, used: string, member: Record<string, unknown>, requested: ReadonlySet<string>): LockedPackage {
  const resolved = textOf(member['resolved'])
  const integrity = textOf(member['integrity'])
  const origin = resolved === undefined ? undefined : originOf(resolved)
  return lockedPackage({
    name: textOf(member['name']) ?? used,
    version: textOf(member['version']),
    origin: fromRegistry(origin, resolved, requested) ? undefined : origin,
    integrity,
    resolved: origin?.kind === 'url' ? origin.url : undefined,
    alias: used,
    folder,
    dev: member['dev'] === true,
    optional: member['optional'] === true,
    // npm marks what the project itself bundles too; only what came inside another tarball has no digest of its own
    bundled: member['inBundle'] === true && integrity === undefined,
  })
}

/** A registry's tarball and any other one look alike in `resolved`; but somebody asked for the other one by its very address. */
function fromRegistry(origin: Origin | undefined, resolved: string | undefined, requested: ReadonlySet<string>): boolean {
  return origin?.kind === 'url' && !requested.has(resolved ?? '')
}

function requestedAddresses(members: readonly Record<string, unknown>[]): ReadonlySet<string> {
  const addresses = new Set<string>()
  for (const member of members) {
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
      const wanted = member[kind]
      if (isRecord(wanted))
        for (const range of Object.values(wanted)) if (typeof range === 'string' && /^https?:/.test(range)) addresses.add(range)
    }
  }
  return addresses
}
