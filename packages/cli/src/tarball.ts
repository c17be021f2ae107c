/**
 * Tarballs and published packages among the products: where they come from, how an inspection unpacks them, and what is checked of them beyond the
 * layout. For the way to a verdict only. What a registry or store sends is evidence to judge, never trusted.
 */
import { basename, dirname, join } from 'node:path'
import { type Artifacts, InTotoError, type Layout, type Link, type Problem, type Report } from 'intoto'
import { hashFile, writeFileAtomic } from 'intoto/node'
import {
  checkPackage,
  compareServed,
  fetchPublished,
  findRegistry,
  isPacking,
  makingOf,
  privateFolder,
  type Published,
  type RegistryAccess,
  readTarball,
  unpackTarball,
} from 'intoto-npm'
import { storeAt } from './evidence.ts'
import { misuse } from './failure.ts'
import { makeFolder } from './folder.ts'
import type { Terminal } from './terminal.ts'

/** A product as it lies on disk, whatever it was called. */
export interface LocalProduct {
  readonly path: string
  /** What a registry says of it, when it came from one. */
  readonly served?: Published
}

/** Is this a name of a tarball? */
export function isTarball(path: string): boolean {
  return /\.(?:tgz|tar\.gz)$/.test(path)
}

/**
 * Products on disk; those of a registry are fetched into a private folder that is gone when the process ends.
 * @throws InTotoError E_CONFIG: no version is named, or no registry is known; E_IO, E_FORMAT, E_PRODUCT as `fetchPublished`
 */
export async function localProducts(given: readonly string[], registry: string | undefined): Promise<LocalProduct[]> {
  const local: LocalProduct[] = []
  for (const product of given) local.push(product.startsWith('npm:') ? await fetchProduct(product.slice(4), registry) : { path: product })
  return local
}

async function fetchProduct(words: string, given: string | undefined): Promise<LocalProduct> {
  const at = words.lastIndexOf('@')
  const [name, version] = [words.slice(0, at), words.slice(at + 1)]
  if (at < 1 || version === '' || !/^(?:@[\w.~-]+\/)?[\w.~-]+$/.test(name))
    throw misuse(`"npm:${words}" names no package and version`, 'npm:NAME@VERSION')
  const served = await fetchPublished({ ...(await registryOf(name, given)), name, version })
  const path = join(privateFolder().path, `${name.replace(/^@/, '').replace('/', '-')}-${served.version.replace(/[^\w.+-]/g, '_')}.tgz`)
  writeFileAtomic(path, served.tarball)
  return { path, served }
}

/**
 * The registry of a package: the one that is given, else as npm is configured here.
 * @throws InTotoError E_CONFIG: none is known
 */
export function registryOf(name: string, given: string | undefined): Promise<RegistryAccess> {
  const args =
    given === undefined ? [] : ['--registry', given, ...(name.startsWith('@') ? [`--${name.split('/', 1)[0]}:registry`, given] : [])]
  return findRegistry({ folder: process.cwd(), env: process.env, name, args })
}

/**
 * Unpacks a tarball in place of `tar xzf FILE`: the same names, but nothing that two readers could see differently, or that would lead out of the
 * folder. False for any other command.
 * @throws InTotoError those of readTarball and unpackTarball
 */
export async function unpackAsTar(command: readonly string[], folder: string): Promise<boolean> {
  const [program, flags = '', file = '', ...more] = command
  if (program !== 'tar' || !/^-?(?:xzf|xf|zxf)$/.test(flags) || !isTarball(file) || basename(file) !== file || more.length > 0) return false
  unpackTarball(await readTarball(join(folder, file), { what: file }), folder)
  return true
}

/** What decides whether and how a tarball is looked at. */
export interface TarballCheck {
  readonly layout: Layout
  readonly product: LocalProduct
  /** What was judged: a tarball that is another one by now is refused. */
  readonly artifacts: Artifacts
}

/**
 * The Report with what is found in a package's tarball: read safely, complete, its package.json the project's, and what the registry says of it. A
 * file that no client has packed is left alone.
 */
export async function withTarball(report: Report, o: TarballCheck): Promise<Report> {
  if (report.product?.kind !== 'file' || !isTarball(o.product.path) || report.partial !== undefined) return report
  const chain = (report.chain ?? []).filter((link) => o.layout.steps.some(({ name }) => name === link.name))
  const problems = await problemsOf(o, chain)
  return { ...report, ok: report.ok && problems.every(({ severity }) => severity !== 'error'), problems: [...report.problems, ...problems] }
}

async function problemsOf({ product, artifacts }: TarballCheck, chain: readonly Link[]): Promise<Problem[]> {
  const [judged = {}] = Object.values(artifacts)
  const making = makingOf(chain, judged['sha256'] ?? '')
  if (product.served === undefined && (making === undefined || !isPacking(making.link))) return []
  try {
    const tarball = await readTarball(product.path, { what: basename(product.path) })
    if (tarball.sha256 !== judged['sha256']) throw misuse(`${basename(product.path)} changed while it was verified`, 'verify it again')
    return [...checkPackage(tarball, chain), ...(product.served === undefined ? [] : compareServed(tarball, product.served))]
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    return [{ ...error.problem, severity: 'error', file: basename(product.path) }]
  }
}

/**
 * Pulls the evidence about a file into a private folder, to be searched for links like any other.
 * @throws InTotoError E_CONFIG, E_IO, E_FORMAT of the store
 */
export async function pullEvidence(reference: string, file: string, terminal: Terminal): Promise<string> {
  const { sha256 } = hashFile(file)
  const store = storeAt(reference, terminal)
  const files = await store.pull({ sha256 })
  const { path: folder } = privateFolder()
  for (const { name, bytes } of files) {
    makeFolder(dirname(join(folder, name)), { fix: 'look whether the folder for temporary files can be written to' })
    writeFileAtomic(join(folder, name), bytes)
  }
  terminal.note(`[in-toto] ${files.length} file${files.length === 1 ? '' : 's'} of evidence from ${store.reference}`)
  return folder
}
