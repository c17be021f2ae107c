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
export const ours = fileURLToPath(new URL('../../bin/intoto.js', import.meta.url))

/** The same verification for each implementation. */
export function verifiers({ layout, key, links }) {
  const all = [{ name: 'ours', command: [process.execPath, ours, 'verify', '-l', layout, '-k', key, '--link-dir', links] }]
  if (havePython)
    all.push({ name: 'Python', command: [python('in-toto-verify'), '--layout', layout, '--verification-keys', key, '--link-dir', links] })
  if (haveGo) all.push({ name: 'Go', command: [go, 'verify', '-l', layout, '-k', key, '-d', links] })
  return all
}

/** The same recording of a folder as materials and products for each implementation. */
export function recorders({ path, key, out }) {
  const all = [
    {
      name: 'ours',
      command: [process.execPath, ours, 'run', '-n', 'step', '-m', path, '-p', path, '--signing-key', key, '-d', out, '--', 'true'],
    },
  ]
  if (havePython) {
    all.push({
      name: 'Python',
      command: [
        python('in-toto-run'),
        '-n',
        'step',
        '-m',
        path,
        '-p',
        path,
        '--signing-key',
        key,
        '--metadata-directory',
        out,
        '--',
        'true',
      ],
    })
  }
  if (haveGo) all.push({ name: 'Go', command: [go, 'run', '-n', 'step', '-m', path, '-p', path, '-k', key, '-d', out, '--', 'true'] })
  return all
}
