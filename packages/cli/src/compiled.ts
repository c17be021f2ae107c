/**
 * What V8 made of our largest files is kept from one call to the next, since compiling them and running them for the first time is most of a short
 * verdict. Called once, before a command is loaded. What is found is believed, and V8 checks none of it: so it is looked for only in a folder, and made
 * only of code, such that whoever could have put it there could as well have changed the code. All that fails is silent: it is only slower.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { Script } from 'node:vm'

interface Loadable {
  exports: unknown
  require(id: string): unknown
}

type Loader = (module: Loadable, file: string) => void

/** Node's own lists of how files are loaded by their ending, and of what is loaded, by path; not in its types, as they are as old as Node. */
const { _extensions: loaders, _cache: loaded } = process.getBuiltinModule('node:module') as unknown as {
  _extensions: Record<string, Loader>
  _cache: Readonly<Record<string, Loadable>>
}

/**
 * From now on, files of ours of this name are compiled only once; elsewhere nothing changes.
 * @param command what is called: each needs other functions, and only those that ran are kept
 */
export function keepCompiled(command: string, isLarge: (name: string) => boolean, env: NodeJS.ProcessEnv = process.env): void {
  const usual = loaders['.cjs'] ?? loaders['.js']
  if (usual === undefined) return
  loaders['.cjs'] = (module, file) => {
    if (!isLarge(basename(file)) || !load(module, file, { command, env })) usual(module, file)
  }
}

/** What Node puts around a CommonJS module. */
const functionStart = Buffer.from('(function (exports, require, module, __filename, __dirname) {', 'latin1')
const functionEnd = Buffer.from('\n})', 'latin1')

/** Runs a file by what was kept of it, or keeps something when the process ends; false where neither may be. */
function load(module: Loadable, file: string, { command, env }: { command: string; env: NodeJS.ProcessEnv }): boolean {
  const place = privatePlace(file, env)
  if (place === undefined) return false
  const source = quietly(() => readFileSync(file))
  if (source === undefined) return false
  const mark = markOf(source)
  const path = join(place, `${basename(file)}.${command.replace(' ', '-')}.${process.version}.${process.arch}`)
  const kept = readKept(path, mark)
  // Joined as bytes: joined as text, it would be in memory twice.
  const script = new Script(Buffer.concat([functionStart, source, functionEnd]).toString('latin1'), {
    filename: file,
    columnOffset: -functionStart.length,
    ...(kept === undefined ? {} : { cachedData: kept.data }),
  })
  const age = kept === undefined || script.cachedDataRejected === true ? 0 : kept.age
  if (age < grown) process.once('exit', () => keep(path, { mark, age: age + 1, script }))
  const run = script.runInThisContext() as (...all: readonly unknown[]) => void
  // Most of what it asks for is loaded, and Node would look for it on the disk once more.
  const require = (id: string): unknown => (id.startsWith('.') ? loaded[join(dirname(file), id)]?.exports : undefined) ?? module.require(id)
  run.call(module.exports, module.exports, require, module, file, dirname(file))
  return true
}

/**
 * A folder of this user's own, below that for caches; undefined where what is kept could have been put there by somebody who cannot change the code:
 * code that belongs to somebody else or cannot be written, a folder that others may write to; and in CI, where caches come from other builds.
 */
function privatePlace(file: string, { CI, HOME = '', XDG_CACHE_HOME, NODE_DISABLE_COMPILE_CACHE }: NodeJS.ProcessEnv): string | undefined {
  const base = XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(HOME, '.cache')
  if (process.platform === 'win32' || (CI ?? '') !== '' || NODE_DISABLE_COMPILE_CACHE !== undefined || !isAbsolute(base)) return undefined
  const place = join(base, 'intoto', 'compiled')
  try {
    accessSync(dirname(file), constants.W_OK)
    if (![file, dirname(file)].every((path) => statSync(path).uid === process.geteuid?.())) return undefined
    mkdirSync(place, { recursive: true, mode: 0o700 })
    const stats = lstatSync(place)
    return stats.isDirectory() && isOwn(stats) ? place : undefined
  } catch {
    return undefined
  }
}

function isOwn({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & 0o022) === 0
}

/** The mark of the source and that of what follows, in hex digits of SHA-256; then the age, in as many bytes as V8 wants its data to begin at. */
const markLength = 64
const ageLength = 8

/** The first call may have ended early; what two more needed is kept as well. */
const grown = 3

function markOf(bytes: Uint8Array): Buffer {
  return Buffer.from(process.getBuiltinModule('node:crypto').hash('sha256', bytes, 'hex'), 'latin1')
}

/** What was kept of this very source, whole as it was written: V8 would run anything else, too. */
function readKept(path: string, mark: Buffer): { data: Buffer; age: number } | undefined {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = fstatSync(descriptor)
    if (!stats.isFile() || !isOwn(stats)) return undefined
    const bytes = readFileSync(descriptor)
    const rest = bytes.subarray(2 * markLength)
    const isWhole = bytes.subarray(0, markLength).equals(mark) && bytes.subarray(markLength, 2 * markLength).equals(markOf(rest))
    return isWhole ? { data: rest.subarray(ageLength), age: rest[0] ?? 0 } : undefined
  } catch {
    return undefined
  } finally {
    const opened = descriptor
    if (opened !== undefined) quietly(() => closeSync(opened))
  }
}

/** So many commands of so many versions of ours and of Node may be in use side by side, each with up to three files. */
const most = 48

/** Written whole or not at all; what has not been written for longest makes room. */
function keep(path: string, { mark, age, script }: { mark: Buffer; age: number; script: Script }): void {
  const beside = `${path}.${process.pid}.tmp`
  try {
    const rest = Buffer.concat([Buffer.alloc(ageLength, Uint8Array.of(age, 0, 0, 0, 0, 0, 0, 0)), script.createCachedData()])
    writeFileSync(beside, Buffer.concat([mark, markOf(rest), rest]), { flag: 'wx', mode: 0o600 })
    renameSync(beside, path)
    const written = (name: string): number => statSync(join(dirname(path), name)).mtimeMs
    const others = readdirSync(dirname(path)).sort((a, b) => written(b) - written(a))
    for (const name of others.slice(most)) rmSync(join(dirname(path), name), { force: true })
  } catch {
    quietly(() => rmSync(beside, { force: true }))
  }
}

/** What goes wrong here must change no command's result. */
function quietly<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch {
    return undefined
  }
}
