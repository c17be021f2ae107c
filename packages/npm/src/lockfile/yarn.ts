/**
 * Yarn's lockfiles, both called `yarn.lock`: version 1 in a format of its own, later ones ("berry") in YAML. `readLockfile` calls it.
 * Berry's `checksum` is of the archive that Yarn itself makes, not of the registry's tarball, and never leaves this file.
 */
import { isRecord, lockedPackage, membersOf, splitName, textOf, versionOf, type LockedPackage, type Lockfile } from './entry.ts'
import { originOf } from './origin.ts'

/** Packages of a Yarn 1 lockfile, parsed: `alias@npm:name@range` keys to entries, one entry under several keys. */
export function readYarn(value: unknown, file: string): Lockfile {
  const packages = new Map<unknown, LockedPackage>()
  for (const [key, member] of membersOf(value)) {
    const known = packages.get(member)
    const { name: used, rest } = splitName(key)
    const name = rest.startsWith('npm:') ? splitName(rest.slice(4)).name : used
    if (known === undefined) packages.set(member, readPackage({ name, used, wanted: rest }, member))
    else if (used !== name) known.alias = used
  }
  return { format: 'yarn', formatVersion: '1', file, packages: [...packages.values()], projects: [] }
}

function readPackage(key: { name: string; used: string; wanted: string }, member: Record<string, unknown>): LockedPackage {
  const resolved = textOf(member['resolved'])
  const [address, sha1] = resolved?.split('#') ?? []
  const wanted = originOf(key.wanted)
  const origin = wanted === undefined ? undefined : (originOf(resolved ?? key.wanted) ?? wanted)
  // before integrity there was only the fragment
  const fragment =
    origin?.kind !== 'git' && sha1 !== undefined && /^[0-9a-f]{40}$/.test(sha1)
      ? `sha1-${Buffer.from(sha1, 'hex').toString('base64')}`
      : undefined
  const registry = address === undefined ? undefined : originOf(address)
  return lockedPackage({
    name: key.name,
    version: textOf(member['version']),
    origin,
    integrity: textOf(member['integrity']) ?? fragment,
    resolved: registry?.kind === 'url' ? registry.url : undefined,
    alias: key.used,
  })
}

/** Packages of a Yarn 2+ lockfile. No digest of a registry's tarball stands in it; git commits do. */
export function readBerry(value: unknown, file: string): Lockfile {
  const packages: LockedPackage[] = []
  const projects: string[] = []
  for (const [key, member] of membersOf(value)) {
    if (key === '__metadata') continue
    const { name, rest } = splitName(textOf(member['resolution']) ?? '')
    if (name === '') continue
    const reference = bound(rest)
    const patched = reference.startsWith('patch:')
    const origin = originOf(patched ? patchedReference(reference) : reference)
    if (origin?.kind === 'project') projects.push(name)
    else
      packages.push(
        lockedPackage({ name, version: textOf(member['version']), origin, alias: splitName(key.split(', ')[0] ?? '').name, patched }),
      )
  }
  const metadata = isRecord(value) && isRecord(value['__metadata']) ? value['__metadata'] : {}
  return { format: 'berry', formatVersion: versionOf(metadata['version'], ''), file, packages, projects }
}

/** `file:./a.tgz#./a.tgz::hash=…&locator=…` without what Yarn binds to it. */
function bound(reference: string): string {
  const at = reference.indexOf('::')
  return at < 0 ? reference : reference.slice(0, at)
}

/** What a patch is laid over: of `patch:name@npm%3A1.0.0#./fix.patch` the part `npm:1.0.0`. */
function patchedReference(reference: string): string {
  const inner = reference.slice('patch:'.length).replace(/#.*$/s, '')
  return splitName(decodeURIComponent(inner)).rest
}
