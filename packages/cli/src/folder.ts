/** Folders for what a command writes. Every command that makes one at a place that the caller names comes here. */
import { mkdirSync } from 'node:fs'
import { InTotoError } from 'intoto'

/** How, and what to do when it can't be. */
export interface FolderOptions {
  /** Of those that are made; one that is there stays as it is. */
  readonly mode?: number
  readonly fix: string
}

/**
 * Makes a folder, and those above it.
 * @throws InTotoError E_IO
 */
export function makeFolder(path: string, { mode, fix }: FolderOptions): void {
  try {
    mkdirSync(path, { recursive: true, ...(mode === undefined ? {} : { mode }) })
  } catch (cause) {
    const number = (cause as NodeJS.ErrnoException).code ?? ''
    const reason = reasons[number] ?? `the system reports ${number}`
    throw new InTotoError({ code: 'E_IO', message: `the folder cannot be made: ${reason}`, file: path, fix }, { cause })
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file of this name is there',
  ENOTDIR: 'a part of the path is a file',
  ENAMETOOLONG: 'the path is too long',
  ENOSPC: 'no space is left on the device',
}
