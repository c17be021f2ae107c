/**
 * Where the other implementations are, if they are: the folder that `.ci/peers` fills. A benchmark without them still runs and says so.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = process.env.INTOTO_PEERS ?? fileURLToPath(new URL('../../.cache/peers', import.meta.url))

const python = (command) => join(folder, 'py/bin', command)
const go = join(folder, 'go/bin/in-toto')

export const havePython = existsSync(python('in-toto-verify'))
export const haveGo = existsSync(go)
export const ours = fileURLToPath(new URL('../../packages/cli/bin/intoto.js', import.meta.url))

/** The same verification for each implementation. */
export function verifiers({ layout, key, links }) {
  const all = [{ name: 'ours', command: [process.execPath, ours, 'verify', '-l', layout, '-k', key, '--link-dir', links] }]
  if (havePython)
    all.push({ name: 'Python', command: [python('in-toto-verify'), '--layout', layout, '--verification-keys', key, '--link-dir', links] })
  if (haveGo) all.push({ name: 'Go', command: [go, 'verify', '-l', layout, '-k', key, '-d', links] })
  return all
}

/** The same recording of a folder as materials and products for each implementation; each has an output folder of its own. */
export function recorders({ path, key, outs }) {
  const step = ['-n', 'step', '-m', path, '-p', path]
  const all = [
    {
      name: 'ours',
      out: outs.ours,
      command: [process.execPath, ours, 'run', ...step, '--signing-key', key, '-d', outs.ours, '--', 'true'],
    },
  ]
  if (havePython) {
    const command = [python('in-toto-run'), ...step, '--signing-key', key, '--metadata-directory', outs.python, '--', 'true']
    all.push({ name: 'Python', out: outs.python, command })
  }
  if (haveGo) all.push({ name: 'Go', out: outs.go, command: [go, 'run', ...step, '-k', key, '-d', outs.go, '--', 'true'] })
  return all
}
