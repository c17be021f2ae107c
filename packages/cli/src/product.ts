/**
 * What is being judged: a folder or file on disk becomes evidence under the names that links use. For verify and explain only; it reads files and
 * judges nothing.
 */
import { existsSync, readFileSync, statSync, type Stats } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type Artifacts, decodeMetadata, isLink, isLinkFileName, type Layout, type LinkSource, type ProductEvidence } from 'intoto'
import { recordArtifacts } from 'intoto/node'
import { misuse } from './failure.ts'

/** A product as the caller named it, and as evidence. */
export interface Product {
  readonly given: string
  /** Folder that its recorded names start from. */
  readonly base: string
  readonly evidence: ProductEvidence
}

/** By which chain a product is named, and who is told how far it is hashed. */
export interface ProductOptions {
  readonly layout: Layout
  readonly links: LinkSource
  readonly basePath: string | undefined
  readonly progress: (done: number, total: number) => void
}

/**
 * Hashes everything below a folder, or one file, named as the plugin and `intoto run` name it: relative to the folder of the nearest
 * package.json above (or to --base-path).
 * @throws InTotoError E_CONFIG when there is nothing at the path
 */
export async function readProduct(given: string, o: ProductOptions): Promise<Product> {
  const stats = statSync(given, { throwIfNoEntry: false })
  if (!stats?.isDirectory() && !stats?.isFile())
    throw misuse(`verify: there is no product "${given}"`, 'build first, or name the folder or file that is to be judged')
  const base = resolve(o.basePath ?? baseOf(given, stats))
  const path = recordedPath(base, given)
  if (stats.isFile()) return fileProduct(given, { ...o, base, path })
  const odd: { name: string; what: string }[] = []
  const artifacts = await recordArtifacts([path === '' ? '.' : path], {
    base,
    exclude: path === '' ? isForeign : () => false,
    progress: o.progress,
    warn: ({ file = path }, what = 'is no plain file') => odd.push({ name: file, what }),
  })
  const steps = new Set(o.layout.steps.map((step) => step.name))
  const ignore = Object.keys(artifacts).filter((name) => isLinkOf(basename(name), steps))
  return {
    given,
    base,
    evidence: {
      path,
      kind: 'folder',
      artifacts,
      ignore,
      odd: odd.map((thing) => ({ ...thing, recorded: isAmong(artifacts, thing.name) })),
    },
  }
}

/** Whether the content of a file, or of something in a folder, is among the artifacts: so it is behind a link that leads out of the package. */
function isAmong(artifacts: Artifacts, name: string): boolean {
  return Object.keys(artifacts).some((artifact) => artifact === name || artifact.startsWith(`${name}/`))
}

/** A file may lie elsewhere than where it was made; it is shown to inspections under the name by which a link knows it. */
async function fileProduct(given: string, o: ProductOptions & { base: string; path: string }): Promise<Product> {
  const artifacts = await recordArtifacts([o.path], { base: o.base, exclude: () => false, progress: o.progress })
  const bare = basename(o.path)
  const path = bare === o.path || (await isRecorded(o.path, o.layout, o.links)) ? o.path : bare
  const named: Artifacts = Object.create(null)
  for (const name of Object.keys(artifacts)) named[path] = artifacts[name] ?? {}
  return { given, base: o.base, evidence: { path, kind: 'file', artifacts: named, ignore: [] } }
}

/** Whether some link of the chain, believed or not, has a product of this name: it only chooses between two names. */
async function isRecorded(name: string, layout: Layout, links: LinkSource): Promise<boolean> {
  for (const step of layout.steps) {
    for (const file of await links.list(step.name)) {
      try {
        const { payload } = decodeMetadata(await file.read())
        if (isLink(payload) && Object.hasOwn(payload.products, name)) return true
      } catch {
        // A file that can't be read names nothing; verification says what is wrong with it.
      }
    }
  }
  return false
}

/** Whether a file name is that of a link of one of these steps; verification then demands that it is the very link that was verified. */
function isLinkOf(name: string, steps: ReadonlySet<string>): boolean {
  return isLinkFileName(name) && steps.has(name.slice(0, -'.12345678.link'.length))
}

/** What is no part of a project's own files when the whole project is the product, as when it is recorded. */
function isForeign(name: string): boolean {
  return name === '.git' || name === 'node_modules'
}

/** Folder of the nearest package.json above a product; a product that holds the working directory is its own base. */
function baseOf(given: string, stats: Stats): string {
  const product = resolve(given)
  if (stats.isDirectory() && (process.cwd() + sep).startsWith(product + sep)) return product
  for (let folder = dirname(product); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return process.cwd()
  }
}

/** The product's path below its base, as links write it. */
function recordedPath(base: string, given: string): string {
  return relative(base, resolve(given)).split(sep).join('/')
}

/** The scripts of the package.json in a folder, to guess which of them changed something; none where there is no such file. */
export function scriptsOf(folder: string): { [name: string]: string } {
  const scripts: { [name: string]: string } = Object.create(null)
  try {
    const value = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { scripts?: unknown }).scripts
    for (const [name, script] of Object.entries(value ?? {})) if (typeof script === 'string') scripts[name] = script
  } catch {
    // A guess is worth no error.
  }
  return scripts
}
