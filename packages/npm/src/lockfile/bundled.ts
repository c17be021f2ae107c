/**
 * From the files of node_modules that a bundler consumed to the packages that are really in the bundle, each with the address and digest that the
 * lockfile pins. The plugin calls it for a link's byproducts, provenance for `resolvedDependencies`. It is pure: the one thing it needs of a
 * disk, the text of package.json files, comes in as a function. It never claims a digest for a package that is not the locked one.
 */
import type { DigestSet } from 'intoto'
import { isRecord, textOf, type LockedPackage, type Lockfile } from './entry.ts'
import { packageFolder, type PackageFolder } from './folder.ts'
import { packagePurl } from './purl.ts'

/** A dependency as SLSA's ResourceDescriptor. */
export type ResolvedDependency = {
  /** Package URL, or `git+https://…@commit`. */
  uri: string
  /** `name@version` where the address does not tell it. */
  name?: string
  /** `sha512` of the tarball, or what the lockfile has of it, or `gitCommit`; left out when it has none. */
  digest?: DigestSet
  /** `dev`, `optional`, `patched`: true; `bundledIn`: purl of the package whose tarball held it. */
  annotations?: { [name: string]: string | boolean }
}

/** What was found. */
export interface Bundled {
  /** Each package once, by uri. */
  dependencies: ResolvedDependency[]
  /** Files below node_modules, as they were given, that belong to no entry of the lockfile. */
  unknown: string[]
}

/** How files are to be read. */
export interface BundledOptions {
  /** Text of the package.json at this path, undefined when there is none. It gets the files' own paths, joined to `base`. */
  read: (path: string) => string | undefined
  /** Folder that relative names start from; the lockfile's own unless given. */
  base?: string
}

/** Name and version of an installed package, and what it brought along in its own tarball. */
interface Manifest {
  name: string
  version: string
  bundles: readonly string[]
}

/** `undefined`: in no lockfile; an empty list: a part of the project. */
type Finding = readonly ResolvedDependency[] | undefined

/**
 * The packages that files below node_modules belong to. Files outside node_modules are the project's own and passed over. A package counts as
 * known when name and version on disk are those of a lockfile entry: a stale node_modules does not borrow the lockfile's digests.
 */
export function resolveBundled(files: Iterable<string>, lockfile: Lockfile, o: BundledOptions): Bundled {
  const search = new Search(lockfile, o)
  const dependencies = new Map<string, ResolvedDependency>()
  const unknown = new Set<string>()
  const counted = new Set<Finding>()
  for (const file of files) {
    const finding = search.file(file)
    if (finding === undefined) unknown.add(file)
    if (finding === undefined || counted.has(finding)) continue
    counted.add(finding)
    for (const dependency of finding) dependencies.set(JSON.stringify([dependency.uri, dependency.digest]), dependency)
  }
  const byUri = (a: ResolvedDependency, b: ResolvedDependency): number => (a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0)
  return { dependencies: [...dependencies.values()].toSorted(byUri), unknown: [...unknown].toSorted() }
}

/** A locked package as a dependency of an attestation. */
export function resolvedDependency(locked: LockedPackage): ResolvedDependency {
  const dependency: ResolvedDependency = { uri: locked.uri }
  if (locked.uri !== locked.purl) dependency.name = locked.version === '' ? locked.name : `${locked.name}@${locked.version}`
  if (Object.keys(locked.digests).length > 0) dependency.digest = locked.digests
  const flags = (['dev', 'optional', 'patched'] as const).filter((flag) => locked[flag] === true)
  if (flags.length > 0) dependency.annotations = Object.fromEntries(flags.map((flag) => [flag, true]))
  return dependency
}

class Search {
  private readonly read: (path: string) => string | undefined
  /** Of the lockfile, and of relative names. */
  private readonly root: string
  private readonly base: string
  private readonly byFolder = new Map<string, LockedPackage>()
  private readonly byName = new Map<string, LockedPackage[]>()
  private readonly projects: ReadonlySet<string>
  private readonly findings = new Map<string, Finding>()
  /** Files of one directory share their answer: a bundle has thousands of files and few directories. */
  private readonly byDirectory = new Map<string, { finding: Finding }>()
  private readonly manifests = new Map<string, Manifest | undefined>()

  constructor(lockfile: Lockfile, o: BundledOptions) {
    this.read = o.read
    this.root = clean(slashed(lockfile.file).replace(/[^/]*$/, ''))
    this.base = o.base === undefined ? this.root : clean(slashed(o.base))
    this.projects = new Set(lockfile.projects)
    for (const locked of lockfile.packages) {
      if (locked.folder !== undefined) this.byFolder.set(locked.folder, locked)
      const same = this.byName.get(locked.name)
      if (same === undefined) this.byName.set(locked.name, [locked])
      else same.push(locked)
    }
  }

  file(file: string): Finding {
    const path = slashed(file)
    const at = path.slice(0, path.lastIndexOf('/') + 1)
    const known = this.byDirectory.get(at)
    if (known !== undefined) return known.finding
    const folder = packageFolder(path)
    const finding = folder === undefined ? [] : folder === 'none' ? undefined : this.folder(folder)
    this.byDirectory.set(at, { finding })
    return finding
  }

  private folder(folder: PackageFolder): Finding {
    const known = this.findings.get(folder.path)
    if (known !== undefined || this.findings.has(folder.path)) return known
    const finding = this.find(folder)
    this.findings.set(folder.path, finding)
    return finding
  }

  private find(folder: PackageFolder): Finding {
    const manifest = this.manifest(folder.path)
    const name = manifest?.name ?? folder.used
    const version = manifest?.version ?? folder.version
    if (name === undefined) return undefined
    const inParent = this.insideParent(folder, { name, version })
    if (inParent !== undefined) return inParent
    const locked = version === undefined ? undefined : (this.atFolder(folder, name, version) ?? this.named(name, version))
    const found = locked ?? (folder.patched === true ? this.only(name, (each) => each.patched === true) : undefined)
    if (found !== undefined) return [resolvedDependency(found)]
    return this.projects.has(name) || this.projects.has(folder.used ?? name) ? [] : undefined
  }

  /** What a package brought along in its own tarball is covered by that tarball's digest, whatever the registry has under its name. */
  private insideParent(folder: PackageFolder, own: { name: string; version: string | undefined }): Finding {
    const parent = folder.parent === undefined ? undefined : packageFolder(`${folder.parent}/package.json`)
    if (typeof parent !== 'object') return undefined
    const bundles = this.manifest(parent.path)?.bundles ?? []
    const listed = bundles.includes(folder.used ?? own.name)
    // what a bundled package needs lies beside it without being listed; the lockfile then has it as bundled or not at all
    const brought = bundles.length > 0 && (own.version === undefined || this.named(own.name, own.version) === undefined)
    const marked = this.byFolder.get(this.relative(folder.path))?.bundled === true
    if (!listed && !brought && !marked) return undefined
    const outer = this.folder(parent)
    const [holder] = outer ?? []
    if (outer === undefined || holder === undefined) return undefined
    return [...outer, { uri: packagePurl(own.name, own.version ?? ''), annotations: { bundledIn: holder.uri } }]
  }

  private atFolder(folder: PackageFolder, name: string, version: string): LockedPackage | undefined {
    const locked = this.byFolder.get(this.relative(folder.path))
    return locked?.name === name && sameVersion(locked.version, version) ? locked : undefined
  }

  /** The entry of this name and version, wherever it lies; none when entries differ in what they pin. */
  private named(name: string, version: string): LockedPackage | undefined {
    return (
      this.only(name, (each) => each.version !== '' && sameVersion(each.version, version)) ?? this.only(name, (each) => each.version === '')
    )
  }

  /** The one entry of this name that fits. Berry lists a patched package beside the plain one and installs the former. */
  private only(name: string, fits: (locked: LockedPackage) => boolean): LockedPackage | undefined {
    const all = (this.byName.get(name) ?? []).filter((each) => each.bundled !== true && fits(each))
    const patched = all.filter((each) => each.patched === true)
    const found = patched.length > 0 ? patched : all
    const [first] = found
    return found.every((each) => each.uri === first?.uri && JSON.stringify(each.digests) === JSON.stringify(first.digests))
      ? first
      : undefined
  }

  private manifest(folder: string): Manifest | undefined {
    if (!this.manifests.has(folder)) this.manifests.set(folder, parseManifest(this.read(join(this.base, `${folder}/package.json`))))
    return this.manifests.get(folder)
  }

  /** Path from the lockfile's folder, as npm's lockfile names folders. */
  private relative(folder: string): string {
    const path = clean(join(this.base, folder))
    const prefix = this.root === '' || this.root === '/' ? this.root : `${this.root}/`
    return path.startsWith(prefix) ? path.slice(prefix.length) : path
  }
}

function parseManifest(text: string | undefined): Manifest | undefined {
  let value: unknown
  try {
    value = JSON.parse(text?.replace(/^\ufeff/, '') ?? '')
  } catch {
    return undefined // no package.json, or none that npm could read either
  }
  if (!isRecord(value)) return undefined
  const [name, version] = [textOf(value['name']), textOf(value['version'])]
  if (name === undefined || version === undefined) return undefined
  const bundles = value['bundleDependencies'] ?? value['bundledDependencies']
  const listed = bundles === true && isRecord(value['dependencies']) ? Object.keys(value['dependencies']) : bundles
  return { name, version, bundles: Array.isArray(listed) ? listed.filter((each) => typeof each === 'string') : [] }
}

/** Equal as semantic versions: `v1.0.0` and `1.0.0+build` name the same release (SemVer section 10). */
function sameVersion(a: string, b: string): boolean {
  return a === b || plainVersion(a) === plainVersion(b)
}

function plainVersion(version: string): string {
  return version
    .trim()
    .replace(/^[v=]+/, '')
    .replace(/\+.*$/, '')
}

/** Backslashes separate only in paths that are Windows' own; elsewhere they are letters. */
function slashed(path: string): string {
  return /^(?:[A-Za-z]:|\\\\)/.test(path) ? path.replaceAll('\\', '/') : path
}

function join(base: string, path: string): string {
  return base === '' || /^(?:\/|[A-Za-z]:\/)/.test(path) ? path : `${base}/${path}`
}

/** Without `.`, inner `..`, double and closing slashes; empty for the working directory. */
function clean(path: string): string {
  const root = path.startsWith('/') ? '/' : ''
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '..' || root === '') parts.push(part)
  }
  return root + parts.join('/')
}
