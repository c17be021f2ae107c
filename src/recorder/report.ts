/**
 * What goes for all files of one report of a bundler: how they are looked at, and from when on a change counts. Made by a run for each report, so that
 * nothing that was known of the disk is older than that.
 */
import { sep } from 'node:path'
import { framedFolders } from './frame.ts'
import { ctimeOf, RealPaths } from './place.ts'
import type { Session } from './session.ts'

/** What is said of some files. */
export interface Report {
  readonly module: boolean
  /** A change at or after this moment of the disk's clock was made while they were in use. */
  readonly since: number
  readonly audited: boolean
  readonly paths: RealPaths
  /** Folders, with a separator at their end, in which a consumed file may be one that this build made before. */
  readonly delivered: readonly string[]
}

/** What a report says; the rest follows. */
export interface Given {
  readonly module: boolean
  /** The start of the run unless given. */
  readonly since?: number
  readonly audited?: boolean
}

/** A report that begins now. */
export function reportOf({ targets, frame, root }: Session, given: Given & Pick<Report, 'since'>): Report {
  const delivered = [...targets, ...framedFolders({ root, frame })].map((folder) => (folder.endsWith(sep) ? folder : folder + sep))
  return { audited: false, ...given, paths: new RealPaths((folder) => isIn(delivered, folder + sep)), delivered }
}

/** When a file had last changed, in milliseconds; asked only where this build writes, since it matters nowhere else. */
export function seenIn({ delivered }: Report, path: string): number {
  return isIn(delivered, path) ? ctimeOf(path) : 0
}

function isIn(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => path.startsWith(folder))
}
