/**
 * What every lockfile says, whichever client wrote it: packages with name, version, address and digests. The readers of this folder build it,
 * `resolveBundled` and provenance read it. Nothing here touches a disk.
 */
import type { DigestSet } from 'intoto'
import { integrityDigests } from './integrity.ts'
import type { Origin } from './origin.ts'
import { packagePurl } from './purl.ts'

/** Which client's format a lockfile is in; `yarn` is Yarn 1, `berry` Yarn 2 and later. */
export type LockfileFormat = 'npm' | 'pnpm' | 'yarn' | 'berry' | 'bun'

/** One package as a lockfile pins it. */
export interface LockedPackage {
  /** Its own name, not the alias under which the project uses it. */
  name: string
  /** Exact version; empty where the lockfile names none (folders, and what bun takes from git or an address). */
  version: string
  /** Package URL; `vcs_url` or `download_url` qualify what does not come from a registry. */
  purl: string
  /** What an attestation calls it: the purl, or `git+https://…@commit`. */
  uri: string
  origin: Origin['kind']
  /** Digest of the tarball (`sha512`, or the strongest that is given), or `gitCommit`; empty when the lockfile holds none of the tarball's. */
  digests: DigestSet
  /** Subresource Integrity of the tarball, as the lockfile has it. */
  integrity?: string
  /** Address of the tarball or repository without secrets; many lockfiles leave it out for registries. */
  resolved?: string
  /** Another name under which the project uses it. */
  alias?: string
  /** Only for development, as far as the lockfile tells. */
  dev?: true
  optional?: true
  /** The client changes the installed files by a patch, so that they differ from the tarball's. */
  patched?: true
  /** Its files come out of another package's tarball (bundleDependencies); a digest would be of other bytes. */
  bundled?: true
  /** npm only: the folder it lies in, relative to the lockfile (`node_modules/a/node_modules/b`). */
  folder?: string
}

/** A lockfile. */
export interface Lockfile {
  format: LockfileFormat
  /** The client's own version of the format. */
  formatVersion: string
  /** Path or name it was read under. */
  file: string
  packages: readonly LockedPackage[]
  /** Names under which parts of the project itself are linked into node_modules: workspaces and folders. */
  projects: readonly string[]
}

/** What a reader knows of one entry. */
export interface Entry {
  name: string
  version?: string | undefined
  origin?: Origin | undefined
  integrity?: string | undefined
  resolved?: string | undefined
  alias?: string | undefined
  folder?: string | undefined
  dev?: boolean | undefined
  optional?: boolean | undefined
  patched?: boolean | undefined
  bundled?: boolean | undefined
}

/** A locked package from one entry. */
export function lockedPackage(entry: Entry): LockedPackage {
  const { name, version = '', origin = { kind: 'registry' }, integrity } = entry
  const address = addressOf(origin)
  const purl = packagePurl(name, version, address === undefined ? {} : { [origin.kind === 'git' ? 'vcs_url' : 'download_url']: address })
  const locked: LockedPackage = {
    name,
    version,
    purl,
    uri: origin.kind === 'git' ? origin.uri : purl,
    origin: origin.kind,
    digests: digestsOf(origin, entry),
  }
  if (integrity !== undefined && entry.bundled !== true) locked.integrity = integrity
  const resolved = address ?? entry.resolved
  if (resolved !== undefined) locked.resolved = resolved
  if (entry.alias !== undefined && entry.alias !== name) locked.alias = entry.alias
  if (entry.folder !== undefined) locked.folder = entry.folder
  for (const flag of ['dev', 'optional', 'patched', 'bundled'] as const) if (entry[flag] === true) locked[flag] = true
  return locked
}

function digestsOf(origin: Origin, entry: Entry): DigestSet {
  if (entry.bundled === true) return {}
  if (origin.kind === 'git') return origin.commit === undefined ? {} : { gitCommit: origin.commit }
  return integrityDigests(entry.integrity)
}

function addressOf(origin: Origin): string | undefined {
  if (origin.kind === 'git') return origin.uri
  if (origin.kind === 'url') return origin.url
  return origin.kind === 'file' ? `file:${origin.path}` : undefined
}

/** `name@rest` at its separator; the `@` of a scope is none. */
export function splitName(text: string): { name: string; rest: string } {
  const at = text.indexOf('@', 1)
  return at < 0 ? { name: text, rest: '' } : { name: text.slice(0, at), rest: text.slice(at + 1) }
}

/** The value if it is a text, so that a lockfile of another shape gives gaps and no surprises. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A version of a format, which clients write as a number or a text. */
export function versionOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : otherwise
}

/** Members of a value if it is an object; none otherwise. */
export function membersOf(value: unknown): [name: string, value: Record<string, unknown>][] {
  return isRecord(value) ? Object.entries(value).filter((member): member is [string, Record<string, unknown>] => isRecord(member[1])) : []
}

/** Is this an object and not a list? */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
