/**
 * pnpm's lockfile, `pnpm-lock.yaml` of versions 6 and 9 (pnpm 8 to 11). `readLockfile` calls it. Keys carry the peers that a package was linked
 * with, which say nothing about its bytes and are dropped.
 */
import { isRecord, lockedPackage, membersOf, splitName, textOf, versionOf, type LockedPackage, type Lockfile } from './entry.ts'
import { originOf, type Origin } from './origin.ts'
import { unsupported } from './refusal.ts'

/**
 * Packages of a pnpm lockfile.
 * @throws InTotoError E_UNSUPPORTED for versions before 6
 */
export function readPnpm(value: unknown, file: string): Lockfile {
  const lock = isRecord(value) ? value : {}
  const formatVersion = versionOf(lock['lockfileVersion'], 'unknown')
  const major = Number.parseInt(formatVersion, 10)
  if (major !== 6 && major !== 9) {
    throw unsupported(
      file,
      `pnpm lockfile version ${formatVersion} is not known`,
      'let pnpm 8 or later write it again ("pnpm install --lockfile-only")',
    )
  }
  const snapshots = new Map<string, { optional: boolean; patched: boolean }>()
  for (const [key, member] of membersOf(lock['snapshots'])) {
    const bare = withoutPeers(key)
    const known = snapshots.get(bare) ?? { optional: true, patched: false }
    snapshots.set(bare, { optional: known.optional && member['optional'] === true, patched: known.patched || isPatched(key) })
  }
  const byUri = new Map<string, LockedPackage>()
  for (const [key, member] of membersOf(lock['packages'])) {
    const bare = withoutPeers(key)
    if (bare.includes('@runtime:')) continue // a Node, Deno or Bun to run scripts with
    const snapshot = snapshots.get(bare)
    const locked = readPackage(bare, member, {
      optional: snapshot?.optional ?? member['optional'] === true,
      patched: snapshot?.patched ?? isPatched(key),
    })
    const known = byUri.get(locked.uri)
    // version 6 repeats a package for every set of peers
    if (known === undefined) byUri.set(locked.uri, locked)
    else if (locked.patched === true) known.patched = true
  }
  return { format: 'pnpm', formatVersion, file, packages: [...byUri.values()], projects: linkedProjects(lock) }
}

function readPackage(key: string, member: Record<string, unknown>, flags: { optional: boolean; patched: boolean }): LockedPackage {
  const resolution = isRecord(member['resolution']) ? member['resolution'] : {}
  const { name, rest } = splitName(key.replace(/^\//, ''))
  const origin = originFrom(resolution, rest)
  return lockedPackage({
    name: textOf(member['name']) ?? name,
    version: textOf(member['version']) ?? (origin === undefined ? rest : undefined),
    origin,
    integrity: textOf(resolution['integrity']),
    resolved: undefined,
    dev: member['dev'] === true,
    ...flags,
  })
}

/** undefined for what comes from a registry. A tarball's address alone is no sign of another origin: some registries need it spelled out. */
function originFrom(resolution: Record<string, unknown>, rest: string): Origin | undefined {
  const [repository, commit, folder, tarball] = [
    resolution['repo'],
    resolution['commit'],
    resolution['directory'],
    resolution['tarball'],
  ].map(textOf)
  if (repository !== undefined) return originOf(`git+${repository.replace(/^git\+/, '')}#${commit ?? ''}`)
  if (folder !== undefined) return originOf(`file:${folder}`)
  if (/^\d+\.\d+\.\d+/.test(rest)) return undefined
  return tarball === undefined ? originOf(rest) : originOf(tarball)
}

/** `name@1.0.0(peer@2.0.0)(patch_hash=…)` without what stands in brackets. */
function withoutPeers(key: string): string {
  const at = key.indexOf('(')
  return at < 0 ? key : key.slice(0, at)
}

function isPatched(key: string): boolean {
  return key.includes('(patch_hash=')
}

/** Names that importers link to folders of the project: `link:packages/a`, in version 6 and 9 alike. */
function linkedProjects(lock: Record<string, unknown>): string[] {
  const names = new Set<string>()
  const importers = membersOf(lock['importers']).map(([, importer]) => importer)
  for (const importer of [lock, ...importers]) {
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      for (const [name, wanted] of membersOf(importer[kind])) if (textOf(wanted['version'])?.startsWith('link:')) names.add(name)
    }
  }
  return [...names]
}
