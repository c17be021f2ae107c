/**
 * What overlayfs, on which most containers lie, does to a folder of a lower layer: at the first change of anything in it the folder itself is copied
 * to the upper layer, and so is each folder above. The copy keeps the time at which the content changed and has another time at which the status
 * did, just as a folder that was moved away and back. Asked by the guard only when it is about to refuse such a folder.
 */
import { lstatSync, readdirSync, statfsSync, type Stats } from 'node:fs'
import { below } from './place.ts'

/** OVERLAYFS_SUPER_MAGIC of Linux. */
const overlay = 0x794c7630

/**
 * Whether copying up was the last that happened to a folder. Each entry that is copied up gives its folder a new ctime, and is itself born
 * just before and changed just after, since a change is why it was copied. A folder that was moved has no such entry.
 */
export function isCopiedUp(folder: string, { ctimeMs }: Stats, since: number): boolean {
  try {
    if (statfsSync(folder).type !== overlay) return false
    return readdirSync(folder).some((name) => {
      const entry = lstatSync(below(folder, name))
      return entry.birthtimeMs >= since && entry.birthtimeMs <= ctimeMs && ctimeMs <= entry.ctimeMs
    })
  } catch {
    return false // what cannot be looked at explains nothing
  }
}
