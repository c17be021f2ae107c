/**
 * What a project is made with: its package, bundler, package manager, CI and repository. For `intoto init` and `intoto doctor`; it reads and decides
 * nothing that a flag could not decide otherwise.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { ClientName } from 'intoto-npm'
import { misuse } from '../failure.ts'
import { type Bundler, bundlers, extensions } from './bundler.ts'

/** Where a recipe for builds is wanted. */
export type Forge = 'github' | 'gitlab'

/** A package as its folder shows it. */
export interface Project {
  readonly name: string
  readonly manifest: Manifest
  /** The text of package.json, to be changed and not written anew. */
  readonly manifestText: string
  readonly isTypeScript: boolean
  readonly inGit: boolean
  /** Folder of the workspace that it is a member of. */
  readonly workspace?: string
  readonly forge?: Forge
}

/** What is read of package.json. */
export interface Manifest {
  readonly name?: unknown
  readonly private?: unknown
  readonly type?: unknown
  readonly workspaces?: unknown
  readonly files?: unknown
  readonly scripts?: { readonly [name: string]: string }
  readonly [member: string]: unknown
}

/** A bundler, and the configuration that it reads here; absent where it needs none. */
export interface FoundBundler {
  readonly bundler: Bundler
  readonly file?: string
}

/**
 * The package in the working directory.
 * @throws InTotoError E_CONFIG without one that has a name
 */
export function detectProject(): Project {
  let text: string
  let manifest: Manifest | null
  try {
    text = readFileSync('package.json', 'utf8')
    manifest = JSON.parse(text) as Manifest | null
  } catch {
    throw misuse('init: there is no package.json here that could be read', 'cd into the folder of the package that is built')
  }
  const name = manifest?.name
  if (manifest === null || typeof name !== 'string' || name === '')
    throw misuse('init: package.json has no "name", under which your key would be kept', 'npm pkg set name=my-app')
  return projectOf(manifest, text)
}

/** The project of a package.json that was read; its name is empty where it has none. */
export function projectOf(manifest: Manifest, manifestText: string): Project {
  const workspace = workspaceAbove()
  const forge = forgeOf(workspace)
  return {
    name: typeof manifest.name === 'string' ? manifest.name : '',
    manifest,
    manifestText,
    isTypeScript: existsSync('tsconfig.json'),
    inGit: repositoryAbove() !== undefined,
    ...(workspace === undefined ? {} : { workspace }),
    ...(forge === undefined ? {} : { forge }),
  }
}

/**
 * The bundler of the package: the one whose configuration is here and that is installed or named; else one that is installed; else the one whose
 * configuration is here all the same, since a bundler may be installed further up.
 * @throws InTotoError E_CONFIG when there is none, or when several are there and none is named
 */
export function detectBundler(project: Project, named: string | undefined): FoundBundler {
  const fits = bundlers.filter(({ name, packages }) =>
    named === undefined ? packages.some((one) => isDependency(project, one)) : name === named,
  )
  if (named !== undefined && fits.length === 0)
    throw misuse(`init: no bundler is called "${named}"`, `--bundler ${bundlers.map(({ name }) => name).join(', ')}`)
  const configured = configurationsOf(fits)
  const [first, second] = configured
  // Nuxt and Astro have a configuration of their own; another one beside it belongs to something else.
  if (first !== undefined && (second === undefined || first.bundler.isFramework === true)) return first
  if (second !== undefined)
    throw misuse(
      `init: several bundlers are configured here: ${configured.map(({ bundler }) => bundler.name).join(', ')}`,
      `--bundler ${first?.bundler.name}`,
    )
  const plain = fits.find(({ fresh }) => fresh !== undefined)
  if (plain !== undefined) return { bundler: plain }
  const [only, another] = named === undefined ? configurationsOf(bundlers) : []
  if (only !== undefined && (another === undefined || only.bundler.isFramework === true)) return only
  if (only !== undefined)
    throw misuse(
      `init: package.json names no bundler, and several are configured here: ${configurationsOf(bundlers)
        .map(({ file }) => file)
        .join(', ')}`,
      `--bundler ${only.bundler.name}`,
    )
  throw misuse(
    project.manifest.workspaces === undefined
      ? 'init: no configuration of a bundler was found here'
      : 'init: this is the root of a workspace, and nothing is bundled in it',
    project.manifest.workspaces === undefined
      ? ['--bundler NAME; without a bundler: npx intoto run -n build -m src package.json -p dist -- COMMAND']
      : ['cd into the package that is built, and run init there'],
  )
}

/** Those of these bundlers that have a configuration here. */
function configurationsOf(fits: readonly Bundler[]): Required<FoundBundler>[] {
  return fits.flatMap((bundler) => {
    const file = bundler.files.flatMap((name) => extensions.map((extension) => name + extension)).find((name) => existsSync(name))
    return file === undefined ? [] : [{ bundler, file }]
  })
}

/** The bundlers that the package depends on and that are configured here; of a framework and what is beside it, the framework. */
export function configuredBundlers(project: Project): Required<FoundBundler>[] {
  const found = configurationsOf(bundlers.filter(({ packages }) => packages.some((one) => isDependency(project, one))))
  const framework = found.find(({ bundler }) => bundler.isFramework === true)
  return framework === undefined ? found : [framework]
}

/** The output folder, if the configuration says it in plain words. */
export function distOf({ file }: FoundBundler): string {
  const text = file === undefined ? '' : readFileSync(file, 'utf8')
  return /\boutDir:\s*['"](?:\.\/)?([\w./-]+?)\/?['"]/.exec(text)?.[1] ?? 'dist'
}

/** Does the package name this one among its dependencies, of whatever kind? */
export function isDependency({ manifest }: Project, name: string): boolean {
  return ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'].some((kind) =>
    Object.hasOwn((manifest[kind] as object | undefined) ?? {}, name),
  )
}

/** Names of clients whose hooks prove what they pack; others pack by `intoto publish`. */
export function hasHonestHook(client: ClientName): boolean {
  return client === 'npm'
}

/** The nearest folder that passes, from this one up to the root of the file system. */
export function upward(from: string, test: (folder: string) => boolean): string | undefined {
  for (let at = resolve(from); ; at = dirname(at)) {
    if (test(at)) return at
    if (dirname(at) === at) return undefined
  }
}

function workspaceAbove(): string | undefined {
  return upward(dirname(resolve('.')), (folder) => {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return true
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest).workspaces !== undefined
    } catch {
      return false
    }
  })
}

function repositoryAbove(): string | undefined {
  return upward('.', (folder) => existsSync(join(folder, '.git')))
}

/** Whether a configuration here would find the plugin; Yarn's map of packages is taken at its word. */
export function isInstalled(): boolean {
  const marks = ['node_modules/unplugin-in-toto', '.pnp.cjs']
  return upward('.', (folder) => marks.some((mark) => existsSync(join(folder, mark)))) !== undefined
}

/** What the files of the repository and its remote tell. */
function forgeOf(workspace: string | undefined): Forge | undefined {
  const root = repositoryAbove() ?? workspace ?? '.'
  if (existsSync(join(root, '.gitlab-ci.yml'))) return 'gitlab'
  if (existsSync(join(root, '.github'))) return 'github'
  const { stdout } = spawnSync('git', ['config', '--get', 'remote.origin.url'], { encoding: 'utf8', windowsHide: true })
  return /github/.test(stdout ?? '') ? 'github' : /gitlab/.test(stdout ?? '') ? 'gitlab' : undefined
}
