/**
 * Which script of package.json may have changed a file between two steps: npm runs `post…` and `pre…` scripts around the one that was asked
 * for, and people forget them. Called to guess a cause. Reads no file; the caller gives the scripts.
 */
import type { Link } from '../model/link.ts'

/** Scripts that npm runs before it packs, in its order. */
const beforePack = ['prepublishOnly', 'prepack', 'prepare']

/** Name of a script that runs after the first step's command or before the second's; undefined when there is none. */
export function likelyScript(scripts: { readonly [name: string]: string }, first: Link, second: Link): string | undefined {
  const after = scriptsThatRun(scripts, first).map((name) => `post${name}`)
  const before = scriptsThatRun(scripts, second).map((name) => `pre${name}`)
  const packing = second.command.some((word) => word === 'pack' || word === 'publish') ? beforePack : []
  const around = [...after, ...before, ...packing]
  const own = [first, second].map(({ command }) => command.join(' '))
  return around.find((name) => Object.hasOwn(scripts, name) && !own.includes(scripts[name]!.trim()))
}

/** Scripts that stand behind a step: of its name, or with its command in their text. */
function scriptsThatRun(scripts: { readonly [name: string]: string }, { name, command }: Link): string[] {
  const line = command.join(' ')
  const named = command[1] === 'run' && command[2] !== undefined ? [command[2]] : []
  return [...named, name, ...Object.keys(scripts).filter((script) => line !== '' && scripts[script]!.includes(line))]
}
