/**
 * Reads a lockfile of npm, pnpm, Yarn or bun into one shape, and finds the one of a project. The plugin and provenance call it. It trusts a
 * lockfile for what it is: the project's own statement of which packages it installs.
 */
import { readMetadataFile } from 'intoto/node'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve, win32 } from 'node:path'
import type * as Jsonc from 'confbox/jsonc'
import type * as Yaml from 'confbox/yaml'
import type * as Yarn from '@yarnpkg/lockfile'
import { readBun } from './bun.ts'
import type { Lockfile } from './entry.ts'
import { readNpm } from './npm.ts'
import { readPnpm } from './pnpm.ts'
import { malformed, unsupported } from './refusal.ts'
import { readBerry, readYarn } from './yarn.ts'

/** A lockfile that is in memory already. */
export interface LockfileText {
  /** Its file name tells the format; a path in front of it tells where its folders lie. */
  name: string
  text: string
}

/** Names of lockfiles, npm's own order of the first two; a project has one of them. */
const names = ['npm-shrinkwrap.json', 'package-lock.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'] as const

/** What the client that installed leaves in node_modules; tells which of several lockfiles is alive. */
const traces: Readonly<Record<string, readonly string[]>> = {
  'npm-shrinkwrap.json': ['.package-lock.json'],
  'package-lock.json': ['.package-lock.json'],
  'pnpm-lock.yaml': ['.modules.yaml'],
  'yarn.lock': ['.yarn-integrity', '.yarn-state.yml'],
}

/**
 * The packages that a lockfile pins.
 * @throws InTotoError E_IO: absent or unreadable; E_FORMAT: not in its format; E_UNSUPPORTED: another file, or a version that says too little
 */
export function readLockfile(file: string | LockfileText): Lockfile {
  const path = typeof file === 'string' ? file : file.name
  const name = win32.basename(path) // knows both separators
  if (name === 'bun.lockb')
    throw unsupported(path, 'the binary format has no description', 'run "bun install --save-text-lockfile" and commit bun.lock')
  const known = name === '.package-lock.json' || names.some((each) => each === name)
  if (!known) throw unsupported(path, 'no client gives its lockfile this name', `name one of ${names.join(', ')}`)
  const text = (typeof file === 'string' ? decode(readMetadataFile(file), path) : file.text).replace(/^\ufeff/, '')
  if (/^<{7} /m.test(text)) throw malformed(path, 'it holds conflict markers of a merge')
  try {
    return read(name, text, path)
  } catch (error) {
    // Names and references become addresses, for which half a character or a stray percent sign has no form.
    throw error instanceof URIError ? malformed(path, 'a name or reference in it is no text', error) : error
  }
}

function read(name: string, text: string, path: string): Lockfile {
  if (name === 'pnpm-lock.yaml')
    return readPnpm(
      parsed(path, () => parsers.yaml().parseYAML(text, { maxAliases: 0 })),
      path,
    )
  if (name === 'bun.lock')
    return readBun(
      parsed(path, () => parsers.jsonc().parseJSONC(text, { allowTrailingComma: true })),
      path,
    )
  if (name !== 'yarn.lock')
    return readNpm(
      parsed(path, () => JSON.parse(text) as unknown),
      path,
    )
  if (/^__metadata:/m.test(text))
    return readBerry(
      parsed(path, () => parsers.yaml().parseYAML(text, { maxAliases: 0 })),
      path,
    )
  return readYarn(
    parsed(path, () => parsers.yarn().parse(text + stop).object),
    path,
  )
}

/**
 * Yarn's parser looks for the end of a comment and of a quoted text beyond the end of the file, until memory is full. A comment with a quotation mark
 * ends both: a comment that was the last line, and a text that never ends, which then holds a line feed and is refused.
 */
const stop = '\n#"\n'

/**
 * The lockfile of the project that a folder belongs to: in the folder itself or the nearest above it, up to the root of the repository; undefined
 * when there is none. Of several in one folder it takes the one whose client filled node_modules, else the first in npm's order.
 */
export function findLockfile(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = names.filter((name) => existsSync(join(at, name)))
    const alive = found.find((name) => traces[name]?.some((trace) => existsSync(join(at, 'node_modules', trace))))
    const chosen = alive ?? found[0]
    if (chosen !== undefined) return join(at, chosen)
    if (existsSync(join(at, 'bun.lockb'))) return join(at, 'bun.lockb')
    if (existsSync(join(at, '.git')) || dirname(at) === at) return undefined
  }
}

/** Text of a file, or undefined when it can't be read: the reader that `resolveBundled` needs outside of tests. */
export function readManifest(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Each is loaded where a project has such a lockfile: a build with a lockfile of npm's needs none of them. Yarn's is CommonJS. */
const parsers = {
  jsonc: () => createRequire(import.meta.url)('confbox/jsonc') as typeof Jsonc,
  yaml: () => createRequire(import.meta.url)('confbox/yaml') as typeof Yaml,
  yarn: () => createRequire(import.meta.url)('@yarnpkg/lockfile') as typeof Yarn,
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw malformed(path, 'it is not UTF-8', cause)
  }
}

/** Runs a parser; where it fails is told if the parser tells, what stands there is not. */
function parsed(path: string, parse: () => unknown): unknown {
  try {
    return parse()
  } catch (cause) {
    const { line } = (cause as { mark?: { line?: unknown } }).mark ?? {}
    throw malformed(path, typeof line === 'number' ? `it is damaged at line ${line + 1}` : 'it is damaged or cut off', cause)
  }
}
