/**
 * Bun's text lockfile, `bun.lock` of versions 0 to 2. `readLockfile` calls it. Entries are lists whose shape depends on where a package comes
 * from, so that the integrity is found by its form, not by its place.
 */
import { isRecord, lockedPackage, splitName, textOf, versionOf, type LockedPackage, type Lockfile } from './entry.ts'
import { originOf } from './origin.ts'

/** Packages of a bun lockfile. */
export function readBun(value: unknown, file: string): Lockfile {
  const lock = isRecord(value) ? value : {}
  const patches = isRecord(lock['patchedDependencies']) ? lock['patchedDependencies'] : {}
  const packages: LockedPackage[] = []
  const projects: string[] = []
  for (const [key, entry] of Object.entries(isRecord(lock['packages']) ? lock['packages'] : {})) {
    if (!Array.isArray(entry)) continue
    const resolution = textOf(entry[0]) ?? ''
    const { name, rest } = splitName(resolution)
    const origin = originOf(rest)
    if (origin?.kind === 'project') {
      projects.push(usedName(key))
      continue
    }
    const facts = entry.find(isRecord) ?? {}
    packages.push(
      lockedPackage({
        name,
        version: origin === undefined ? rest : undefined,
        origin,
        integrity: entry
          .slice(1)
          .map(textOf)
          .find((text) => text !== undefined && /^sha\d+-/.test(text)),
        resolved: origin === undefined && entry[1] !== '' ? registryAddress(entry[1]) : undefined,
        alias: usedName(key),
        bundled: facts['bundled'] === true,
        patched: Object.hasOwn(patches, resolution),
      }),
    )
  }
  return { format: 'bun', formatVersion: versionOf(lock['lockfileVersion'], ''), file, packages, projects }
}

function registryAddress(value: unknown): string | undefined {
  const origin = originOf(textOf(value) ?? '')
  return origin?.kind === 'url' ? origin.url : undefined
}

/** `tool/@acme/deep` is a path of names: the last one is the name in use. */
function usedName(key: string): string {
  const parts = key.split('/')
  const scope = parts.at(-2)
  return scope?.startsWith('@') ? `${scope}/${parts.at(-1)}` : (parts.at(-1) ?? key)
}
