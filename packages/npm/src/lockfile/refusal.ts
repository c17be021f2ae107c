/** How the readers of this folder say no: one line with the lockfile's path, one line what to do, and none of its contents. */
import { InTotoError } from 'intoto'

/** A lockfile whose format says less than is needed. */
export function unsupported(file: string, reason: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_UNSUPPORTED', message: `cannot use lockfile ${file}: ${reason}`, file, fix })
}

/** A lockfile that is not in its format. `cause` is kept for debugging and stays out of the message, since parsers quote what they read. */
export function malformed(file: string, reason: string, cause?: unknown): InTotoError {
  const fix = 'let the package manager write it again (its install command), or restore it from version control'
  return new InTotoError(
    { code: 'E_FORMAT', message: `cannot read lockfile ${file}: ${reason}`, file, fix },
    cause === undefined ? {} : { cause },
  )
}
