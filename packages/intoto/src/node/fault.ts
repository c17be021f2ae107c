/**
 * Turns what the operating system says into a problem that a person can act on. Every module of this folder throws through here; nothing in
 * here reads or writes a file, and no message holds more of one than its path.
 */
import { closeSync } from 'node:fs'
import { resolve } from 'node:path'
import { InTotoError, type ProblemCode } from '../errors.ts'

/** Reason and advice for each error number that a careless disk, user or attacker can bring about. */
const reasons: Readonly<Record<string, readonly [reason: string, fix: string]>> = {
  ENOENT: ['it does not exist', 'check the path and the working directory'],
  EACCES: ['permission denied', 'check owner and mode of the file and of the folders above it'],
  EPERM: ['the operation is not permitted', 'check owner, mode and attributes of the file and of its folder'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'check the path'],
  EISDIR: ['it is a folder', 'name a file'],
  ELOOP: ['its symbolic links form a loop', 'remove or correct the links'],
  ENAMETOOLONG: ['the path is too long for this system', 'move the folder to a shorter path, or exclude it'],
  ENOSPC: ['no space is left on the device', 'free some space and run the command again'],
  EDQUOT: ['the disk quota is used up', 'free some space and run the command again'],
  EROFS: ['the file system is read-only', 'choose a folder that can be written'],
  EIO: ['the device reports an input/output error', 'check the disk'],
  EMFILE: ['too many files are open in this process', 'raise the limit (ulimit -n) or run fewer jobs at once'],
  ENFILE: ['too many files are open on this machine', 'raise the limit or run fewer jobs at once'],
  ENXIO: ['it is a socket or a device that is not there', 'exclude it, or name a regular file'],
  EEXIST: ['it exists already', 'choose another name, or remove it first'],
  EBUSY: ['it is in use', 'end the program that holds it'],
  ETXTBSY: ['it is being executed', 'end the program that runs it'],
  EFBIG: ['it is too large for this file system', 'choose another file system'],
  ENOTEMPTY: ['it is a folder that is not empty', 'remove it first'],
}

/** The error number of a system error ("ENOENT"), or undefined for anything else. */
export function errorNumber(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}

/** Most text, told without the tables of Unicode, which take a while to set up. */
const plain = /^[\x20-\x7e]*$/

/** A path or name as it may be printed: control, format and stray characters are spelled out, so that no name can write to a terminal. */
export function printable(text: string): string {
  if (plain.test(text)) return text
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

/** What a call did not manage, and with which path. */
export interface Attempt {
  /** "read", "write", "list", "hash": the verb of the message. */
  verb: string
  path: string
  /** "layout", "link", "key", …: what the caller took the file for. */
  what?: string
  code?: ProblemCode
}

/** The error for a failed call: one line what, where and why, one line what to do. An InTotoError is handed back as it is. */
export function fault(error: unknown, attempt: Attempt): InTotoError {
  if (error instanceof InTotoError) return error
  const number = errorNumber(error)
  const [reason, fix] = reasons[number ?? ''] ?? [`the system reports ${number ?? 'an error'}`, 'check the file and the disk it is on']
  const what = attempt.what === undefined ? '' : `${attempt.what} `
  const message = `cannot ${attempt.verb} ${what}${printable(attempt.path)}: ${reason}`
  return new InTotoError({ code: attempt.code ?? 'E_IO', message, file: attempt.path, fix }, { cause: error })
}

/**
 * An absolute path.
 * @throws InTotoError E_IO: the path is relative and the working directory is gone
 */
export function absolute(path: string): string {
  try {
    return resolve(path)
  } catch (error) {
    throw fault(error, { verb: 'find', path, what: 'the working directory of' })
  }
}

/** Blocks this thread: recording is synchronous, so that it works inside a process that is about to exit. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Runs a call that opens a file; when the process has no descriptor left, waits for one, for about a second in all. */
export function patiently<T>(open: () => T): T {
  for (let wait = 1; ; wait *= 2) {
    try {
      return open()
    } catch (error) {
      const number = errorNumber(error)
      if ((number !== 'EMFILE' && number !== 'ENFILE') || wait > 512) throw error
      sleep(wait)
    }
  }
}

/** Closes a descriptor through which nothing was written: what the system says of that changes nothing of what was read. */
export function close(descriptor: number): void {
  try {
    closeSync(descriptor)
  } catch {
    // nothing depends on it
  }
}
