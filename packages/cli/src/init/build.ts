/** The one build of `intoto init`: the project's own script, with the key, and where its link came to lie. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InTotoError, linkFileName } from 'intoto'
import type { ClientName } from 'intoto-npm'
import { exitCodes, misuse } from '../failure.ts'
import type { Project } from './detect.ts'
import type { OwnerKey } from './key.ts'

/** What is built, how and for whom. */
export interface Building {
  readonly project: Project
  readonly client: ClientName
  /** First words of the client's command line. */
  readonly start: readonly string[]
  readonly key: OwnerKey
}

/**
 * Builds as the project does, with the key; answers with the folder of the link.
 * @throws InTotoError E_CONFIG when it fails, E_NOT_RECORDED when no link came of it
 */
export async function build({ project, start, client, key }: Building, script: string): Promise<string> {
  if (project.manifest.scripts?.[script] === undefined)
    throw misuse(`init: package.json has no script "${script}"`, '--script NAME, or --no-build')
  const [program = client, ...words] = start
  const began = Date.now() - 1000 // clocks of file systems are coarse
  const { status, signal, error, interrupted } = await run(program, [...words, 'run', script], {
    env: {
      ...process.env,
      INTOTO_REQUIRED: '1',
      ...(key.ref.startsWith('env:') ? {} : { INTOTO_KEY_FILE: key.ref.replace(/^file:/, '') }),
    },
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  // What was written is taken back there.
  if (interrupted === 'SIGTERM') process.exit(143)
  if (interrupted !== undefined || signal === 'SIGINT' || status === exitCodes.interrupted) process.exit(exitCodes.interrupted)
  if (error !== undefined || status !== 0)
    throw new InTotoError({
      code: 'E_CONFIG',
      message: `init: "${client} run ${script}" ended with ${error?.message ?? signal ?? `exit code ${status}`}`,
      fix: 'see what it said above',
    })
  const folder = folderOf(linkFileName('build', key.keyid), '.', 5, began)
  if (folder !== undefined) return folder
  throw new InTotoError({
    code: 'E_NOT_RECORDED',
    message: 'init: the build ended well and left no link',
    fix: 'is the plugin in the configuration that this build reads? --config FILE names another one',
  })
}

interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly error?: Error
  /** The signal that reached us meanwhile; the build has been ended with it. */
  readonly interrupted?: NodeJS.Signals
}

/** Milliseconds that a build has to end by itself. */
const patience = 10_000

/**
 * Runs the build to its end, which is also its end when we are told to stop: what it writes later would lie among files that are as they were. With a
 * terminal it stays in our group, where Ctrl-C reaches it; elsewhere it has one of its own, that can be ended as a whole.
 */
function run(program: string, words: readonly string[], options: SpawnOptions): Promise<Ended> {
  const detached = process.platform !== 'win32' && !process.stdin.isTTY
  const signals = ['SIGINT', 'SIGTERM'] as const
  return new Promise((done) => {
    let interrupted: NodeJS.Signals | undefined
    let timer: NodeJS.Timeout | undefined
    const child = spawn(program, words, { ...options, detached })
    const stop = (signal: NodeJS.Signals): void => {
      end(child, interrupted === undefined ? signal : 'SIGKILL', detached)
      interrupted ??= signal
      timer ??= setTimeout(() => end(child, 'SIGKILL', detached), patience)
    }
    for (const signal of signals) process.on(signal, stop)
    const ended = (how: Ended): void => {
      for (const signal of signals) process.off(signal, stop)
      clearTimeout(timer)
      // What the script has started may outlive it.
      if (interrupted !== undefined && detached) end(child, 'SIGKILL', detached)
      done(interrupted === undefined ? how : { ...how, interrupted })
    }
    child.once('error', (error) => ended({ status: null, signal: null, error }))
    child.once('exit', (status, signal) => ended({ status, signal }))
  })
}

function end(child: ChildProcess, signal: NodeJS.Signals, isGroup: boolean): void {
  if (child.pid === undefined) return
  try {
    process.kill(isGroup ? -child.pid : child.pid, signal)
  } catch {
    // It is gone already.
  }
}

/** The folder of a file of this name, below another; where several are, the one nearest to the root. */
function folderOf(name: string, folder: string, depth: number, since: number): string | undefined {
  const entries = readdirSync(folder, { withFileTypes: true })
  if (folder !== '.' && entries.some((entry) => entry.name === name) && statSync(join(folder, name)).mtimeMs >= since) return folder
  for (const entry of entries) {
    if (depth === 0 || !entry.isDirectory() || entry.name === 'node_modules' || entry.name === '.git' || entry.name === 'in-toto') continue
    const found = folderOf(name, join(folder, entry.name), depth - 1, since)
    if (found !== undefined) return found
  }
  return undefined
}
