/** What npm itself writes when it installs a tarball, by the reader that the npm at hand brings along. For the tests of ours. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { folder } from '../node/place.ts'

interface Entry {
  readonly type: string
}
interface Unpack {
  write(chunk: Uint8Array): void
  end(): void
}
interface NodeTar {
  readonly UnpackSync: new (o: Record<string, unknown>) => Unpack
}

const started = process.env['npm_execpath']
const roots = [
  ...(started === undefined ? [] : [join(dirname(started), '..')]),
  join(spawnSync('npm', ['root', '-g'], { encoding: 'utf8', shell: process.platform === 'win32' }).stdout?.trim() ?? '', 'npm'),
]
const found = roots.map((root) => join(root, 'node_modules/tar')).find((path) => existsSync(join(path, 'package.json')))
if (found === undefined) {
  const word = 'npm has no node-tar where it is looked for'
  if (process.env['CI_PEERS'] === '1') throw new Error(word)
  console.warn(`skipped: ${word}`)
}

/** Whether the npm at hand is one whose reader is known. */
export const haveNodeTar: boolean = found !== undefined

/**
 * The files that npm installs of a tar archive that comes in pieces of this size, each with its content as Latin-1. The options are pacote's
 * (lib/fetcher.js): it strips the first folder without a look, and leaves out links and folders. The names must not end in `.gitignore`, which it changes.
 */
export function installed(archive: Uint8Array, piece: number): Record<string, string> {
  const { UnpackSync } = createRequire(join(found ?? '', 'package.json'))('tar') as NodeTar
  const cwd = folder()
  const filter = (_: string, entry: Entry): boolean => entry.type.endsWith('File')
  const unpack = new UnpackSync({ cwd, filter, strip: 1, noChmod: true, noMtime: true, preserveOwner: false, umask: 0o022 })
  for (let at = 0; at < archive.length; at += piece) unpack.write(Buffer.from(archive.subarray(at, at + piece)))
  unpack.end()
  const files: Record<string, string> = Object.create(null)
  for (const entry of readdirSync(cwd, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files[relative(cwd, path).split(sep).join('/')] = readFileSync(path, 'latin1')
  }
  rmSync(cwd, { recursive: true })
  return files
}
