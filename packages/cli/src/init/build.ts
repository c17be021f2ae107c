/** The one build of `intoto init`: the project's own script, with the key, and where its link came to lie. */
import { spawnSync } from 'node:child_process'
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
export function build({ project, start, client, key }: Building, script: string): string {
  if (project.manifest.scripts?.[script] === undefined)
    throw misuse(`init: package.json has no script "${script}"`, '--script NAME, or --no-build')
  const [program = client, ...words] = start
  const began = Date.now() - 1000 // clocks of file systems are coarse
  const { status, signal, error } = spawnSync(program, [...words, 'run', script], {
    env: {
      ...process.env,
      INTOTO_REQUIRED: '1',
      ...(key.ref.startsWith('env:') ? {} : { INTOTO_KEY_FILE: key.ref.replace(/^file:/, '') }),
    },
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (signal === 'SIGINT' || status === exitCodes.interrupted) process.exit(exitCodes.interrupted) // what was written is taken back there
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
