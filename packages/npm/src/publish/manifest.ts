/**
 * Compares package.json texts: the project's with the packed one, where only the rewrites that the client documents may differ; and the packed one
 * with what a registry tells installers. Packing, verification and the check after an upload ask. It changes nothing.
 */
import { InTotoError } from 'intoto'
import type { Archive } from '../archive.ts'

/** A parsed package.json. */
export type Manifest = { readonly [name: string]: unknown }

const dependencyKinds = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'] as const
/** pnpm leaves out what only serves packing and publishing. */
const publishScripts = ['prepublishOnly', 'prepack', 'prepare', 'postpack', 'publish', 'postpublish']
/** Members that pnpm and Yarn lift out of `publishConfig`. */
const lifted = [
  'bin',
  'type',
  'imports',
  'main',
  'module',
  'typings',
  'types',
  'exports',
  'browser',
  'esnext',
  'es2015',
  'unpkg',
  'umd:main',
  'os',
  'cpu',
  'libc',
  'typesVersions',
]

/**
 * A package.json as an object; clients read a BOM away.
 * @throws InTotoError E_FORMAT
 */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
    if (isRecord(value)) return value
  } catch {
    // said below, without what stands there
  }
  throw new InTotoError({ code: 'E_FORMAT', message: `${what}: it is no JSON object`, file: what, fix: 'correct it' })
}

/**
 * package.json of a tarball, as an object.
 * @throws InTotoError E_FORMAT: there is none, or it is none
 */
export function packedManifest(tarball: Pick<Archive, 'top' | 'files'>): Manifest {
  const file = tarball.files.find(({ name }) => name === `${tarball.top}/package.json`)
  if (file === undefined)
    throw new InTotoError({
      code: 'E_FORMAT',
      message: 'the tarball holds no package.json',
      fix: "pack it with the client's own pack command",
    })
  return parseManifest(file.bytes, 'package.json in the tarball')
}

/**
 * What of a packed package.json is neither as in the project nor one of the client's documented rewrites: workspace and catalog protocols, lifted
 * `publishConfig`, left out publish-time scripts, layout of the text. npm and Yarn 1 rewrite nothing. Empty when all is well.
 */
export function foreignRewrites(source: Manifest, packed: Manifest, client: string): string[] {
  const [name = '', version = ''] = client.split('/')
  const rewrites = name === 'pnpm' || name === 'bun' || (name === 'yarn' && !version.startsWith('1.'))
  if (!rewrites) return canonical(source) === canonical(packed) ? [] : different(source, packed)
  const expected: { [name: string]: unknown } = Object.assign(Object.create(null), source)
  if (name === 'pnpm') for (const key of ['pnpm', 'packageManager']) if (!Object.hasOwn(packed, key)) delete expected[key]
  if (name === 'pnpm') expected['scripts'] = withoutPublishScripts(source['scripts'], packed['scripts'])
  if (name !== 'bun') liftPublishConfig(expected, packed)
  for (const kind of dependencyKinds) expected[kind] = resolvedVersions(source[kind], packed[kind])
  return different(expected, packed)
}

/** Names of members that differ; absent and undefined are one. */
function different(a: Manifest, b: Manifest): string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
  return names.filter((name) => canonical(own(a, name)) !== canonical(own(b, name)))
}

/** The scripts without those publish-time ones that the packed file lacks. */
function withoutPublishScripts(scripts: unknown, packed: unknown): unknown {
  if (!isRecord(scripts)) return scripts
  const kept = Object.entries(scripts).filter(
    ([name]) => !publishScripts.includes(name) || (isRecord(packed) && Object.hasOwn(packed, name)),
  )
  return kept.length === 0 && packed === undefined ? undefined : Object.fromEntries(kept)
}

/** A member may have the value that `publishConfig` has for it; pnpm then takes it out there. */
function liftPublishConfig(expected: { [name: string]: unknown }, packed: Manifest): void {
  const config = expected['publishConfig']
  if (!isRecord(config)) return
  const rest = { ...config }
  for (const name of lifted) {
    if (!Object.hasOwn(config, name)) continue
    if (canonical(own(packed, name)) === canonical(config[name])) expected[name] = config[name]
    if (!isRecord(packed['publishConfig']) || !Object.hasOwn(packed['publishConfig'], name)) delete rest[name]
  }
  expected['publishConfig'] = Object.keys(rest).length === 0 && packed['publishConfig'] === undefined ? undefined : rest
}

/** Ranges with a protocol that only the workspace understands may have become plain ones; nothing is added or taken. */
function resolvedVersions(source: unknown, packed: unknown): unknown {
  if (!isRecord(source)) return source
  const entries = Object.entries(source).map(([name, range]) => {
    const now = isRecord(packed) ? own(packed, name) : undefined
    return [name, typeof range === 'string' && typeof now === 'string' && mayBecome(range, now) ? now : range]
  })
  return Object.fromEntries(entries)
}

const oneVersion = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/

/**
 * `workspace:` becomes the one version that lies there, with the sign that was asked for; an alias stays one, of the same package. What a catalog holds is
 * not known here: it may give any range, but of no other package.
 */
function mayBecome(range: string, now: string): boolean {
  if (range.startsWith('catalog:')) return now === '*' || /^[\^~<>=v]*\d[\w.+\-| <>=^~*]*$/.test(now)
  if (!range.startsWith('workspace:')) return false
  const wanted = range.slice('workspace:'.length)
  const at = wanted.lastIndexOf('@')
  const [alias, rest] = at > 0 ? [`npm:${wanted.slice(0, at)}@`, wanted.slice(at + 1)] : ['', wanted]
  if (!now.startsWith(alias)) return false
  const bare = now.slice(alias.length)
  if (rest.includes('/') || rest === '.') return oneVersion.test(bare) // the path of a folder
  const [, sign, more = ''] = /^(\*|\^|~|[<>]=?|)(\s.*)?$/.exec(rest) ?? []
  if (sign === undefined) return bare === rest
  const before = sign === '*' ? '' : sign
  return bare.startsWith(before) && bare.endsWith(more) && oneVersion.test(bare.slice(before.length, bare.length - more.length))
}

/** What installers act on, in one spelling: the members that a registry's own manifest must share with the tarball's package.json. */
function installView(manifest: Manifest): { [name: string]: unknown } {
  const { version } = manifest
  const scripts = isRecord(manifest['scripts']) ? manifest['scripts'] : {}
  const optional = isRecord(manifest['optionalDependencies']) ? manifest['optionalDependencies'] : {}
  const dependencies = isRecord(manifest['dependencies']) ? manifest['dependencies'] : {}
  const bundles = manifest['bundleDependencies'] ?? manifest['bundledDependencies']
  const hooks = ['preinstall', 'install', 'postinstall'].map((name) => [name, own(scripts, name)])
  return {
    name: manifest['name'],
    version: typeof version === 'string' ? plainVersion(version) : version,
    bin: binaries(manifest),
    scripts: Object.fromEntries(hooks),
    // npm's registry client takes out of one list what stands in the other
    dependencies: orNothing(Object.fromEntries(Object.entries(dependencies).filter(([name]) => !Object.hasOwn(optional, name)))),
    optionalDependencies: orNothing(optional),
    peerDependencies: orNothing(manifest['peerDependencies']),
    peerDependenciesMeta: orNothing(manifest['peerDependenciesMeta']),
    bundleDependencies:
      bundles === true
        ? Object.keys(dependencies).sort()
        : Array.isArray(bundles)
          ? orNothing((bundles as unknown[]).map(String).sort())
          : undefined,
    engines: orNothing(manifest['engines']),
    os: listed(manifest['os']),
    cpu: listed(manifest['cpu']),
    libc: listed(manifest['libc']),
  }
}

/**
 * Members in which a registry's manifest tells installers something else than the tarball's package.json ("manifest confusion"); empty when none.
 * `files` are the packed names below the top folder: npm derives an install script from binding.gyp, and commands from `directories.bin`.
 */
export function confusedMembers(packed: Manifest, served: Manifest, files: readonly string[]): string[] {
  const [ours, theirs] = [installView(packed), installView(served)]
  const scripts = ours['scripts'] as { [name: string]: unknown }
  const derived = { ...scripts, install: 'node-gyp rebuild' }
  const compiles = files.includes('binding.gyp') && scripts['install'] === undefined && scripts['preinstall'] === undefined
  if (compiles && canonical(theirs['scripts']) === canonical(derived)) ours['scripts'] = derived
  const folder = isRecord(packed['directories']) ? packed['directories']['bin'] : undefined
  if (ours['bin'] === undefined && typeof folder === 'string')
    ours['bin'] = commandsIn(folder.replace(/^\.?\/+|\/+$/g, ''), files, theirs['bin'])
  return different(ours, theirs)
}

/** Commands that npm makes of the files of a folder, when that is what the registry tells. */
function commandsIn(folder: string, files: readonly string[], served: unknown): unknown {
  if (!isRecord(served)) return undefined
  const derived = Object.entries(served).every(([name, path]) => path === `${folder}/${name}` && files.includes(path))
  return derived ? served : undefined
}

/** `bin` as npm puts it up and installs it: a map of a command's last name to a path below the package. */
function binaries({ bin, name }: Manifest): unknown {
  const all: [string, unknown][] = Array.isArray(bin)
    ? (bin as unknown[]).map((path) => [String(path), path])
    : Object.entries(typeof bin === 'string' ? { [typeof name === 'string' ? name : '']: bin } : isRecord(bin) ? bin : {})
  const commands = all.flatMap(([command, path]) => {
    const last = cleanPath(
      command
        .replaceAll(':', '/')
        .replace(/[\\/]+$/, '')
        .replace(/^.*[\\/]/s, ''),
    )
    const target = typeof path === 'string' ? cleanPath(path) : ''
    return last === '' || target === '' ? [] : [[last, target] as const]
  })
  return commands.length === 0 ? undefined : Object.fromEntries(commands)
}

/** A path that leads nowhere above: without `.`, `..` and backslashes. */
function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split(/[\\/]+/)) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

/** A version as npm puts it up: without `v`, and without what stands behind a plus. */
export function plainVersion(version: string): string {
  return version
    .trim()
    .replace(/^[=v]+(?=\d)/, '')
    .replace(/^(\d+\.\d+\.\d+[^+]*)\+.*$/, '$1')
}

function listed(value: unknown): unknown {
  return typeof value === 'string' ? [value] : orNothing(value)
}

/** Empty lists and maps say as much as absent ones. */
function orNothing(value: unknown): unknown {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : value
}

function own(object: Manifest, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** One text for equal values, whatever the order of members. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      isRecord(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
    ) ?? ''
  )
}

function isRecord(value: unknown): value is { [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
