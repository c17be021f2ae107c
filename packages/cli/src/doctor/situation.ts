/**
 * A project as `intoto doctor` sees it, read once: package.json, git, the client, keys, the layout, links. Nothing here throws for an odd project;
 * what can't be read stays away, with the reason where a check has one to tell. Writes nothing and asks no network.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasSignature, isLink, isLinkFileName, type Key, keyMaterial, type Layout, type Link, type Metadata } from 'intoto'
import { findSigner, type FoundSigner, loadKey, loadSigner, readMetadataFile } from 'intoto/node'
import { type ClientName, findLockfile, isClientName } from 'intoto-npm'
import { configuredBundlers, distOf, type FoundBundler, type Manifest, type Project, projectOf, upward } from '../init/detect.ts'
import { usualFolders } from '../observe.ts'
import { isCI } from '../signing.ts'
import { decodeFile, publicKeyFiles, readLayout } from '../trust.ts'
import { repositoryRoot } from '../git.ts'

/** What a person may say of where things are. */
export interface Places {
  readonly layout: string
  readonly linkDir?: readonly string[]
  readonly signingKey?: string
}

/** A public key file, read or not. */
export interface PublicKey {
  readonly file: string
  readonly key?: Key
  readonly fault?: unknown
}

/** The key that would sign here. */
export interface KeyInUse {
  readonly ref: string
  /** In words, where it was found. */
  readonly from: string
  /** Its file, unless it comes from a variable. */
  readonly file?: string
  readonly key?: Key
  /** It is encrypted, and nothing says the password. */
  readonly isLocked?: boolean
  readonly fault?: unknown
}

/** A link file, read or not. */
export interface SeenLink {
  readonly file: string
  readonly metadata?: Metadata<Link>
  /** Key of the layout that signed it, if one of the step's did. */
  readonly signer?: Key
  readonly fault?: unknown
}

/** The project. */
export interface Situation {
  readonly now: Date
  /** Absent without a package.json that can be read; the fault is in `manifestFault`. */
  readonly project?: Project
  readonly manifestFault?: 'absent' | 'broken'
  readonly scripts: Readonly<Record<string, string>>
  /** Real path of the repository. */
  readonly repository?: string
  readonly client: ClientName
  /** Yarn 2 and later. */
  readonly isModernYarn: boolean
  readonly publicKeys: readonly PublicKey[]
  readonly keyInUse?: KeyInUse
  readonly layoutFile: string
  readonly layout?: Metadata<Layout>
  readonly layoutFault?: unknown
  readonly links: readonly SeenLink[]
  /** Bundlers with a configuration here. */
  readonly bundlers: readonly Required<FoundBundler>[]
  /** Does anything here say that in-toto is used? */
  readonly isSetUp: boolean
}

/** Reads everything. */
export async function lookAround(places: Places, now: Date): Promise<Situation> {
  const { project, fault: manifestFault } = readProject()
  const scripts = scriptsOf(project?.manifest)
  const repository = repositoryRoot()
  const publicKeys = await Promise.all(publicKeyFiles('in-toto').map(readPublicKey))
  const keyInUse = await findKey(places.signingKey, project?.name)
  const { layout, fault: layoutFault } = tryLayout(places.layout)
  const bundlers = project === undefined ? [] : configuredBundlers(project)
  const folders = places.linkDir ?? [...usualFolders(undefined), ...bundlers.map(distOf)]
  const links = await findLinks(folders, layout?.payload)
  return {
    now,
    scripts,
    publicKeys,
    layoutFile: places.layout,
    links,
    bundlers,
    ...clientOf(),
    isSetUp: publicKeys.length > 0 || links.length > 0 || existsSync(places.layout) || mentions(project),
    ...(project === undefined ? {} : { project }),
    ...(manifestFault === undefined ? {} : { manifestFault }),
    ...(repository === undefined ? {} : { repository }),
    ...(keyInUse === undefined ? {} : { keyInUse }),
    ...(layout === undefined ? {} : { layout }),
    ...(layoutFault === undefined ? {} : { layoutFault }),
  }
}

/** Text of a file; undefined where it can't be read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Names in a folder; none where it can't be listed. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function readProject(): { project?: Project; fault?: 'absent' | 'broken' } {
  const text = textOf('package.json')
  if (text === undefined) return { fault: existsSync('package.json') ? 'broken' : 'absent' }
  const manifest = parsedObject(text)
  return manifest === undefined ? { fault: 'broken' } : { project: projectOf(manifest, text) }
}

/** The object that a JSON text is; undefined for any other text. */
export function parsedObject(text: string): Manifest | undefined {
  try {
    const value = JSON.parse(text.replace(/^\ufeff/, '')) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Manifest) : undefined
  } catch {
    return undefined
  }
}

function scriptsOf(manifest: Manifest | undefined): Record<string, string> {
  const scripts = manifest?.scripts as unknown
  if (typeof scripts !== 'object' || scripts === null) return {}
  return Object.fromEntries(Object.entries(scripts).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function mentions(project: Project | undefined): boolean {
  return project !== undefined && /"(?:unplugin-in-toto|intoto-cli)"|\bintoto /.test(project.manifestText)
}

/** The client by `packageManager`, here or above, else by the lockfile; none is started, since starting one may ask the network. */
function clientOf(): { client: ClientName; isModernYarn: boolean } {
  const folder = upward('.', (at) => typeof parsedObject(textOf(join(at, 'package.json')) ?? '')?.['packageManager'] === 'string')
  const named = folder === undefined ? undefined : parsedObject(textOf(join(folder, 'package.json')) ?? '')?.['packageManager']
  const [, name = '', major] = /^(npm|pnpm|yarn|bun)@?(\d+)?/.exec(String(named)) ?? []
  if (isClientName(name)) return { client: name, isModernYarn: name === 'yarn' && major !== undefined && Number(major) > 1 }
  const lockfile = findLockfile('.') ?? ''
  if (lockfile.endsWith('pnpm-lock.yaml')) return { client: 'pnpm', isModernYarn: false }
  if (/bun\.lockb?$/.test(lockfile)) return { client: 'bun', isModernYarn: false }
  if (!lockfile.endsWith('yarn.lock')) return { client: 'npm', isModernYarn: false }
  const isModern = existsSync(join(dirname(lockfile), '.yarnrc.yml')) || /^__metadata:/m.test(textOf(lockfile) ?? '')
  return { client: 'yarn', isModernYarn: isModern }
}

async function readPublicKey(file: string): Promise<PublicKey> {
  try {
    return { file, key: await loadKey(file) }
  } catch (fault) {
    return { file, fault }
  }
}

async function findKey(given: string | undefined, name: string | undefined): Promise<KeyInUse | undefined> {
  const found = findSigner({ given, env: process.env, ci: isCI(process.env), packageName: name })
  if (found === undefined) return undefined
  const file = fileOf(found)
  const about = { ref: found.ref, from: found.from, ...(file === undefined ? {} : { file }) }
  const env = process.env
  const hasPassword = Boolean(env['INTOTO_PASSWORD']) || Boolean(env['INTOTO_PASSWORD_FILE'])
  if (file !== undefined && !hasPassword && /BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m.test(textOf(file) ?? ''))
    return { ...about, isLocked: true }
  try {
    return { ...about, key: (await loadSigner(found.ref)).key }
  } catch (fault) {
    return { ...about, fault }
  }
}

function fileOf({ ref }: FoundSigner): string | undefined {
  if (ref.startsWith('env:')) return undefined
  if (!ref.startsWith('file://')) return ref.replace(/^file:/, '')
  try {
    return fileURLToPath(ref)
  } catch {
    return undefined
  }
}

function tryLayout(path: string): { layout?: Metadata<Layout>; fault?: unknown } {
  if (!existsSync(path)) return {}
  try {
    return { layout: readLayout(path) }
  } catch (fault) {
    return { fault }
  }
}

async function findLinks(folders: readonly string[], layout: Layout | undefined): Promise<SeenLink[]> {
  const files = new Map<string, string>()
  for (const folder of folders)
    for (const name of namesIn(folder).filter(isLinkFileName)) {
      const file = join(folder, name)
      if (!files.has(resolve(file))) files.set(resolve(file), file)
    }
  return Promise.all([...files.values()].map((file) => readLink(file, layout)))
}

async function readLink(file: string, layout: Layout | undefined): Promise<SeenLink> {
  try {
    const metadata = decodeFile(readMetadataFile(file, { what: 'link' }), file)
    if (!isLink(metadata.payload)) return { file }
    const link = metadata as Metadata<Link>
    for (const key of keysOfStep(layout, link.payload.name)) if (await hasSignature(link, key)) return { file, metadata: link, signer: key }
    return { file, metadata: link }
  } catch (fault) {
    return { file, fault }
  }
}

/** Keys that may carry out a step, as the layout holds them. */
export function keysOfStep(layout: Layout | undefined, name: string): Key[] {
  const ids = layout?.steps.find((step) => step.name === name)?.pubkeys ?? []
  return ids.flatMap((id) => (layout !== undefined && Object.hasOwn(layout.keys, id) ? [layout.keys[id] as Key] : []))
}

/** Ids under which a layout lets a key carry out a step. */
export function listedIds(layout: Layout, step: string, key: Key): string[] {
  const material = keyMaterial(key)
  const ids = layout.steps.find(({ name }) => name === step)?.pubkeys ?? []
  return [...new Set(ids)].filter((id) => Object.hasOwn(layout.keys, id) && keyMaterial(layout.keys[id] as Key) === material)
}
