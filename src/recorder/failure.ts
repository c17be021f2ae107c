/**
 * Makes of a problem an error that bundlers can carry: they print its message and sometimes its stack, and set members on it. Called where an
 * error leaves the recorder; it decides nothing.
 */
import { InTotoError, type Problem } from 'intoto'

/** The problem as people read it: code, file, what happened; below it what to do. */
export function problemText(p: Problem): string {
  const head = `${p.code}${p.file === undefined || p.message.includes(p.file) ? '' : ` ${p.file}`} ${p.message}`
  const sides = [p.expected, p.actual].flatMap((side) => (side === undefined ? [] : [`  ${side.label ?? 'found'} ${side.text}`]))
  const cause = p.cause === undefined ? [] : [`  likely ${p.cause}`]
  return [head, ...sides, ...cause, ...p.fix.map((fix) => `  try ${fix}`)].join('\n')
}

/**
 * An error whose message is the whole explanation. Bundlers assign `code`, and they or Node print stack, cause and members: so the code is a
 * plain member, the rest is hidden, and frames and causes are there only for who debugs.
 */
export function bundlerError(p: Problem, o: { debug: boolean; cause?: unknown }): InTotoError {
  const error = new InTotoError(p, o.debug && o.cause !== undefined ? { cause: o.cause } : {})
  const message = problemText(p)
  const hidden = (value: unknown): PropertyDescriptor => ({ value, writable: true, configurable: true, enumerable: false })
  Object.defineProperties(error, { message: hidden(message), problem: hidden(p), code: { ...hidden(p.code), enumerable: true } })
  if (!o.debug) Object.defineProperty(error, 'stack', hidden(`${error.name}: ${message}\n`))
  return error
}

/** Whatever was thrown, as a problem: what is not ours is a fault of the machine, said in one line. */
export function asProblem(error: unknown): Problem {
  if (error instanceof InTotoError) return error.problem
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'E_IO',
    severity: 'error',
    message: message.split('\n', 1)[0] ?? '',
    fix: ['set the option debug to see where it happened'],
  }
}
