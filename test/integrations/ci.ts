/**
 * What the integrations' tests share: a chain whose project has `intoto` as an installed package has it, the scripts of a YAML file run as a runner
 * does, and a record of what each process was told. Judges nothing.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeChain, type Chain } from '../cli/chain.ts'
import { bareEnvironment, bin, temporaryFolder, type Ended } from '../cli/command.ts'

/** One file of `integrations/`, as text. */
export function integration(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../integrations/${name}`, import.meta.url)), 'utf8')
}

/** A chain up to its build, in a project that has `intoto` as npm installs it. */
export function makeProject(): Chain {
  const folder = join(temporaryFolder(), 'a folder')
  mkdirSync(folder)
  const chain = makeChain(folder, 'build')
  mkdirSync(join(chain.root, 'node_modules/.bin'), { recursive: true })
  symlinkSync(bin, join(chain.root, 'node_modules/.bin/intoto'))
  mkdirSync(join(chain.keys, 'bin'))
  writeFileSync(join(chain.keys, 'bin/npx'), npx)
  chmodSync(join(chain.keys, 'bin/npx'), 0o755)
  return chain
}

/** Stands in for npx: writes down its arguments, one a line, and, unless it is told not to, runs ours as npx would, only sooner. */
const npx = `#!/bin/sh
printf '%s\\n' "$@" >> "$TOLD"
if [ -n "$ONLY_TOLD" ]; then exit 0; fi
shift 3
exec '${process.execPath}' '${bin}' "$@"
`

/** The environment in which that one is found. */
export function withNpx(chain: Chain): NodeJS.ProcessEnv {
  return { PATH: `${join(chain.keys, 'bin')}:${process.env['PATH']}`, TOLD: join(chain.keys, 'told') }
}

/** The arguments of the calls since the last time that somebody asked. */
export function argumentsOf(chain: Chain): string[] {
  const file = join(chain.keys, 'told')
  const words = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  writeFileSync(file, '')
  return words
}

/** Runs a script as runners do: from a file, ending with its first failure, everything given in the environment. */
export function runScript(shell: readonly string[], script: string, o: { cwd: string; env: NodeJS.ProcessEnv; keep: string }): Ended {
  const file = join(o.keep, 'script.sh')
  writeFileSync(file, script)
  const [command = '', ...flags] = shell
  const { status, signal, stdout, stderr } = spawnSync(command, [...flags, file], {
    cwd: o.cwd,
    env: bareEnvironment({ CI: 'true', npm_config_update_notifier: 'false', ...o.env }),
    encoding: 'utf8',
  })
  return { code: status, signal, out: stdout, err: stderr }
}
