/**
 * From the files that a person gave to a Report, with nothing but the library: what `intoto verify` does, where there is no disk and no process.
 * An inspection that unpacks the tarball at hand is answered by our own reader, as the command line answers it; any other is refused, never skipped.
 */
import { sha256 as hash } from '@noble/hashes/sha2.js'
import {
  decodeMetadata,
  emptyRecord,
  importKey,
  InTotoError,
  isLayout,
  isLinkFileName,
  judge,
  keyids,
  toHex,
  type Artifacts,
  type Key,
  type Layout,
  type Link,
  type Metadata,
  type ProductEvidence,
  type Report,
  type VerifyOptions,
} from 'intoto'
import {
  checkCompleteness,
  isPacking,
  makingOf,
  isUnpack,
  readTarball,
  tarballArtifacts,
  unpackInMemory,
  type Archive,
  type UnpackedFile,
} from 'intoto-npm/tarball'
import { linksOf, type PlacedFile } from './links.ts'

/** What is judged: one file, or a folder with all that is below it. */
export interface GivenProduct {
  readonly kind: 'file' | 'folder'
  /** Name of the file or the folder. */
  readonly name: string
  /** Paths begin with the name. */
  readonly files: readonly PlacedFile[]
}

/** Everything that decides over the verdict. */
export interface Given {
  readonly layout: PlacedFile
  /** Owners' public keys in PEM form; each must have signed the layout. */
  readonly keys: readonly PlacedFile[]
  readonly links: readonly PlacedFile[]
  readonly product?: GivenProduct
  readonly options: Pick<VerifyOptions, 'parameters' | 'now' | 'commandMismatch' | 'statements' | 'through'>
}

/** The verdict; what can't even be read is a "no" with its reason. */
export async function judgeGiven(given: Given): Promise<Report> {
  try {
    return await judged(given)
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    const time = (given.options.now ?? new Date()).toISOString()
    const layout = { file: given.layout.path, signers: [] }
    return { schemaVersion: 1, ok: false, time, layout, steps: [], inspections: [], problems: [error.problem] }
  }
}

async function judged({ layout: file, keys: files, links, product, options }: Given): Promise<Report> {
  const layout = layoutIn(file)
  const keys: Key[] = []
  const names = new Map<string, string>()
  for (const { path, bytes } of files) {
    const key = await keyIn(path, bytes)
    keys.push(key)
    for (const id of keyids(key)) if (!names.has(id)) names.set(id, path.replace(/\.(?:pub|pem|pub\.pem)$/, ''))
  }
  const evidence = product && evidenceOf(product, layout.payload)
  const tarball = product === undefined || !isTarball(product) ? undefined : new Unpacking(product)
  const inspect = tarball !== undefined && layout.payload.inspect.every(({ run }) => isUnpack(run)) ? unpackInMemory(tarball) : undefined
  const report = await judge(layout, {
    ...options,
    keys,
    names,
    links: linksOf(links),
    layoutFile: file.path,
    trace: true,
    ...(evidence === undefined ? {} : { product: evidence }),
    ...(inspect === undefined ? {} : { inspect }),
  })
  return tarball === undefined ? report : withTarball(report, layout.payload, tarball)
}

function layoutIn({ path, bytes }: PlacedFile): Metadata<Layout> {
  const metadata = decodeMetadata(bytes, { what: path })
  if (isLayout(metadata.payload)) return metadata as Metadata<Layout>
  const message = `${path}: holds a ${metadata.payload._type}, not a layout`
  throw new InTotoError({ code: 'E_LAYOUT_INVALID', message, file: path, fix: 'give the layout that the owner has signed' })
}

async function keyIn(path: string, bytes: Uint8Array): Promise<Key> {
  try {
    return await importKey(new TextDecoder().decode(bytes))
  } catch (cause) {
    if (!(cause instanceof InTotoError)) throw cause
    throw new InTotoError({ ...cause.problem, file: path, message: `${path}: ${cause.problem.message}` }, { cause })
  }
}

function sha256(bytes: Uint8Array): string {
  return toHex(hash(bytes))
}

/** Named as in links; links of the layout's steps among the files must be the very links that are verified. */
function evidenceOf({ kind, name, files }: GivenProduct, layout: Layout): ProductEvidence {
  const artifacts: Artifacts = emptyRecord()
  for (const { path, bytes } of files) artifacts[path] = Object.assign(emptyRecord<string>(), { sha256: sha256(bytes) })
  const steps = new Set(layout.steps.map((step) => step.name))
  const isLinkOf = (path: string): boolean => {
    const base = path.slice(path.lastIndexOf('/') + 1)
    return isLinkFileName(base) && steps.has(base.slice(0, -'.12345678.link'.length))
  }
  return { path: name, kind, artifacts, ignore: kind === 'file' ? [] : Object.keys(artifacts).filter(isLinkOf) }
}

function isTarball({ kind, name }: GivenProduct): boolean {
  return kind === 'file' && /\.(?:tgz|tar\.gz)$/.test(name)
}

/** The tarball at hand, and the folder in which inspections would unpack it. */
class Unpacking implements UnpackedFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly sha256: string

  constructor({ name, files }: GivenProduct) {
    this.name = name
    this.bytes = files[0]?.bytes ?? new Uint8Array()
    this.sha256 = sha256(this.bytes)
  }

  /** @throws InTotoError E_FORMAT */
  archive(): Promise<Archive> {
    return readTarball(this.bytes, sha256, { what: this.name })
  }

  async read(): Promise<Artifacts> {
    return tarballArtifacts(await this.archive(), sha256)
  }
}

/** What rules can't say of a package: that nothing of the build was dropped, and that its package.json is the project's. */
async function withTarball(report: Report, layout: Layout, tarball: Unpacking): Promise<Report> {
  if (report.product === undefined || report.partial !== undefined) return report
  const chain = (report.chain ?? []).filter((link) => layout.steps.some(({ name }) => name === link.name))
  const problems = await problemsOf(tarball, chain)
  return { ...report, ok: report.ok && problems.every(({ severity }) => severity !== 'error'), problems: [...report.problems, ...problems] }
}

async function problemsOf(tarball: Unpacking, chain: readonly Link[]): Promise<Report['problems']> {
  const making = makingOf(chain, tarball.sha256)
  if (making === undefined || !isPacking(making.link)) return []
  try {
    return checkCompleteness(await tarball.archive(), chain, sha256)
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    return [{ ...error.problem, severity: 'error', file: tarball.name }]
  }
}
