/**
 * The environment variables that this project reads, and a word about one that looks like them but is none: a misspelt INTOTO_REQUIRED would
 * otherwise switch off a guard in silence. main.ts and `intoto doctor` call it. It never prints a value.
 */
import { nearest } from './nearest.ts'
import type { Loudness } from './terminal.ts'

/** Everything that any of our packages reads under this prefix. */
const known = [
  'INTOTO_KEY',
  'INTOTO_KEY_FILE',
  'INTOTO_PASSWORD',
  'INTOTO_PASSWORD_FILE',
  'INTOTO_REQUIRED',
  'INTOTO_DISABLE',
  'INTOTO_LOG_LEVEL',
  'INTOTO_PACKING',
  'INTOTO_STORE_USER',
  'INTOTO_STORE_PASSWORD',
]

const prefix = 'INTOTO_'

/** One line for each variable that starts with INTOTO_ and is not ours. */
export function strangers(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .sort()
    .flatMap((name) => {
      const remark = remarkOn(name)
      return remark === undefined ? [] : [`E_CONFIG ${name}  ${remark.message}`]
    })
}

/** What is to be said of a variable that starts with INTOTO_ and is none of ours, and which one was probably meant; undefined for all others. */
export function remarkOn(name: string): { message: string; meant?: string } | undefined {
  if (!name.startsWith(prefix) || known.includes(name)) return undefined
  const meant = nearest(
    name.slice(prefix.length),
    known.map((word) => word.slice(prefix.length)),
  )
  const message = 'is no variable of intoto and has no effect'
  return meant === undefined ? { message } : { message: `${message}; ${prefix}${meant} was probably meant`, meant: prefix + meant }
}

/** How much is said where no flag decides: INTOTO_LOG_LEVEL is `quiet`, `verbose` or `debug`; anything else says as much as usual. */
export function loudnessOf(env: NodeJS.ProcessEnv): Loudness {
  const level = env['INTOTO_LOG_LEVEL']
  return { quiet: level === 'quiet', verbose: level === 'verbose' || level === 'debug', debug: level === 'debug' }
}
