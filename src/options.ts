/**
 * The plugin's options: what a person may write, what holds when they write nothing, and what is refused. Every bundler's entry resolves its
 * options here, once. It reads no file and takes no key.
 */
import { isAbsolute } from 'node:path'
import { InTotoError, type Key } from 'intoto'
import type { Signer } from 'intoto'

/** Glob patterns, relative to the folder that the option is about. */
export interface Selection {
  include?: string | readonly string[]
  exclude?: string | readonly string[]
}

/** What a person writes between the parentheses of `inToto()`. All of it may be left out. */
export interface Options {
  /** Name of the step in the layout and in the link's file name; `build` unless given. */
  step?: string
  /** Private key: a path, `file:PATH`, `env:NAME`, or a signer of your own. Unless given: INTOTO_KEY, INTOTO_KEY_FILE, outside CI your own key. */
  key?: string | Signer
  /** No key fails the build. True when INTOTO_REQUIRED=1. */
  required?: boolean
  /** Folder that names are relative to: `package` (the nearest package.json), `workspace`, `git`, or a path. */
  root?: 'package' | 'workspace' | 'git' | (string & {})
  /** Folder for the link, relative to the root; the bundler's output folder unless given. */
  linkDir?: string
  /** Files to add to what the bundler consumed (templates, data), and names to leave out. Patterns are relative to the root. */
  materials?: Selection
  /** Which files of the output folder count. Patterns are relative to the output folder. */
  products?: Selection
  /** Files of node_modules that went in: every one (`files`), or none of them but the lockfile that pins them (`lockfile`), or neither. */
  dependencies?: 'files' | 'lockfile' | 'none'
  /** `sha256` always; `sha512` is added in byproducts. */
  hash?: readonly ('sha256' | 'sha512')[]
  /** DSSE envelope around the link, or the older Metablock. */
  format?: 'dsse' | 'metablock'
  /** Writes a Statement of the attestation framework beside the link: with the link predicate, or with SLSA provenance. */
  statement?: false | 'link' | 'slsa'
  /** Which implementation's key id names the file and stands in the signature. */
  keyidStyle?: 'python' | 'go' | 'devguard'
  /** Names of environment variables to record; no other is. */
  env?: readonly string[]
  /** The command as layouts expect it, when a wrapper hides what was run. */
  command?: readonly string[]
  /** Files that this build makes and then consumes (declarations, framework folders): patterns relative to the root. */
  generated?: string | readonly string[]
  /** A file in the output folder that this build did not make: leave it out of the products, or fail. */
  stale?: 'exclude' | 'error'
  /** A product that changes after the bundler ended: sign again at process exit, or fail. */
  late?: 'update' | 'error'
  /** When the link is final: at process exit, at the end of the build (for hosts that live on), or when `finish()` is called. */
  finish?: 'exit' | 'build' | 'manual'
  /** Records files, too, that plugins read by themselves and tell nobody of. Hears this process only, and fails no build. */
  audit?: boolean
  /** Compares what each module held when it was read with what is on disk at the end. */
  strict?: boolean
  /** Defaults of a tool: `devguard` takes names from the git repository, only files that it tracks, and DevGuard's key ids. */
  preset?: 'devguard'
  /** One link for each finished build of a watch. */
  watch?: boolean
  /** Print nothing but errors. */
  silent?: boolean
  /** Print what was found where, and stack traces. */
  debug?: boolean
  /** Do nothing at all. True when INTOTO_DISABLE=1. */
  disable?: boolean
  /** Decides what a failed recording means for the build; unless given it fails the build. */
  onError?: (error: InTotoError) => void
}

/** The options with nothing left open. */
export interface ResolvedOptions {
  readonly step: string
  readonly key: string | Signer | undefined
  readonly required: boolean
  readonly root: string
  readonly linkDir: string | undefined
  readonly materials: Patterns
  readonly products: Patterns
  readonly dependencies: 'files' | 'lockfile' | 'none'
  readonly sha512: boolean
  readonly format: 'dsse' | 'metablock'
  readonly statement: false | 'link' | 'slsa'
  readonly keyidStyle: 'python' | 'go' | 'devguard'
  readonly env: readonly string[]
  readonly command: readonly string[] | undefined
  readonly generated: readonly string[]
  readonly stale: 'exclude' | 'error'
  readonly late: 'update' | 'error'
  readonly finish: 'exit' | 'build' | 'manual'
  readonly audit: boolean
  readonly strict: boolean
  /** Only files that git tracks are materials; the others are byproducts. */
  readonly tracked: boolean
  readonly watch: boolean
  readonly silent: boolean
  readonly debug: boolean
  readonly disable: boolean
  readonly onError: ((error: InTotoError) => void) | undefined
}

/** Include and exclude patterns as lists. */
export interface Patterns {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** Options that are one of a few words. */
const choices: Readonly<Record<string, readonly (string | false)[]>> = {
  dependencies: ['files', 'lockfile', 'none'],
  format: ['dsse', 'metablock'],
  keyidStyle: ['python', 'go', 'devguard'],
  statement: [false, 'link', 'slsa'],
  preset: ['devguard'],
  stale: ['exclude', 'error'],
  late: ['update', 'error'],
  finish: ['exit', 'build', 'manual'],
}
/**
 * What a preset sets unless it is given. DevGuard keeps classic links of the steps `post-commit`, `build` and `deploy`, in which the materials of `build` are
 * products of `post-commit` by the same names, and looks for a key id of its own.
 */
const presets: Readonly<Record<'devguard', Options>> = {
  devguard: { step: 'build', root: 'git', dependencies: 'none', keyidStyle: 'devguard', format: 'dsse' },
}
const flags: readonly string[] = ['required', 'audit', 'strict', 'watch', 'silent', 'debug', 'disable']
const others: readonly string[] = [
  'step',
  'key',
  'root',
  'linkDir',
  'materials',
  'products',
  'hash',
  'env',
  'command',
  'generated',
  'onError',
]
const known: readonly string[] = [...Object.keys(choices), ...flags, ...others]

/**
 * Options as the recorder wants them.
 * @throws InTotoError E_CONFIG for an option that does not exist or a value that means nothing
 */
export function resolveOptions(given: Options = {}, env: NodeJS.ProcessEnv = process.env): ResolvedOptions {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw config(`the options: expected an object, found ${shown(given)}`)
  refuseUnknown(given)
  refuseOddValues(given)
  const o: Options = given.preset === undefined ? given : { ...presets[given.preset], ...given }
  return {
    step: o.step ?? 'build',
    key: o.key,
    required: o.required ?? isOn(env['INTOTO_REQUIRED']),
    root: o.root ?? 'package',
    linkDir: o.linkDir,
    materials: patterns('materials', o.materials),
    products: patterns('products', o.products),
    dependencies: o.dependencies ?? 'files',
    sha512: o.hash?.includes('sha512') ?? false,
    format: o.format ?? 'dsse',
    statement: o.statement ?? false,
    keyidStyle: o.keyidStyle ?? 'python',
    env: o.env ?? [],
    command: o.command,
    generated: list('generated', o.generated),
    stale: o.stale ?? 'exclude',
    late: o.late ?? 'update',
    finish: o.finish ?? 'exit',
    audit: o.audit ?? false,
    strict: o.strict ?? false,
    tracked: o.preset === 'devguard',
    watch: o.watch ?? false,
    silent: o.silent ?? false,
    debug: o.debug ?? false,
    disable: o.disable ?? isOn(env['INTOTO_DISABLE']),
    onError: o.onError,
  }
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase())
}

function refuseUnknown(o: Options): void {
  for (const name of Object.keys(o)) {
    if (!known.includes(name)) throw config(`there is no option "${name}"`, `the options are ${[...known].sort().join(', ')}`)
  }
}

function refuseOddValues(o: Options): void {
  const given = o as Readonly<Record<string, unknown>>
  for (const [name, values] of Object.entries(choices)) {
    const value = given[name]
    if (value !== undefined && !values.includes(value as string))
      throw config(`option "${name}": expected ${values.join(' or ')}, found ${shown(value)}`)
  }
  for (const name of flags) {
    const value = given[name]
    if (value !== undefined && typeof value !== 'boolean') throw config(`option "${name}": expected true or false, found ${shown(value)}`)
  }
  for (const name of ['step', 'root', 'linkDir']) {
    const value = given[name]
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw config(`option "${name}": expected a text, found ${shown(value)}`)
  }
  if (o.step !== undefined && !isStepName(o.step))
    throw config(`option "step": ${shown(o.step)} makes no file name`, 'use letters, digits, ".", "_" and "-"')
  if (o.key !== undefined && !isKey(o.key)) throw config('option "key": expected a key reference or a signer')
  for (const name of ['env', 'command', 'hash']) {
    const value = given[name]
    if (value !== undefined && !isTexts(value)) throw config(`option "${name}": expected a list of texts, found ${shown(value)}`)
  }
  const absolute = list('materials.include', o.materials?.include).find((pattern) => isAbsolute(pattern))
  if (absolute !== undefined)
    throw config(
      `option "materials.include": ${shown(absolute)} is absolute, and patterns are relative to the root`,
      'name it from there, with ".." if need be',
    )
  const odd = o.hash?.find((algorithm) => algorithm !== 'sha256' && algorithm !== 'sha512')
  if (odd !== undefined) throw config(`option "hash": expected sha256 and sha512, found ${shown(odd)}`)
  if (o.onError !== undefined && typeof o.onError !== 'function')
    throw config(`option "onError": expected a function, found ${shown(o.onError)}`)
}

/** A step's name becomes a file name, so it must not lead out of its folder or upset a file system. */
function isStepName(step: string): boolean {
  return /^[^/\\:*?"<>|\0-\x1f]{1,200}$/.test(step) && step !== '.' && step !== '..'
}

function isKey(value: unknown): boolean {
  if (typeof value === 'string') return value !== ''
  if (typeof value !== 'object' || value === null) return false
  const { key, sign } = value as { key?: Key; sign?: unknown }
  return typeof sign === 'function' && typeof key?.keyid === 'string'
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function patterns(name: string, selection: Selection | undefined): Patterns {
  if (selection !== undefined && (typeof selection !== 'object' || selection === null)) {
    throw config(`option "${name}": expected { include, exclude }, found ${shown(selection)}`)
  }
  const odd = Object.keys(selection ?? {}).find((key) => key !== 'include' && key !== 'exclude')
  if (odd !== undefined) throw config(`option "${name}": expected { include, exclude }, found "${odd}"`)
  return { include: list(`${name}.include`, selection?.include), exclude: list(`${name}.exclude`, selection?.exclude) }
}

function list(name: string, value: string | readonly string[] | undefined): readonly string[] {
  const values = value === undefined ? [] : typeof value === 'string' ? [value] : value
  if (!isTexts(values) || values.includes('')) throw config(`option "${name}": expected patterns, found ${shown(value)}`)
  return values
}

function config(message: string, fix = "correct it in the bundler's configuration"): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}

function shown(value: unknown): string {
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value))
}
