/**
 * Stores of evidence: the one interface, and what holds for all of them. Commands push evidence about a subject and pull it back. A store is a place,
 * not an authority: what comes out of it is bounded, has a harmless name, and is believed by nobody before its signatures are verified.
 */
import { createHash } from 'node:crypto'
import { InTotoError, type Problem } from 'intoto'
import { until } from './deadline.ts'

/** A file of evidence: a link, a layout, a Statement, a bundle. */
export interface EvidenceFile {
  /**
   * Relative path, `/`-separated: `build.c0ffee12.link`, `build.c0ffee12/compile.77aa0c31.link`. A pull gives names of this kind only, to all else
   * `<digest>.json`.
   */
  name: string
  bytes: Uint8Array
}

/** What the evidence is about, by digest in lower-case hex: a tarball, an image's manifest. */
export interface Subject {
  sha256: string
  sha512?: string
  /** In bytes. */
  size?: number
}

/** What became of the files of a push. */
export interface PushResult {
  /** Each file and the address it has in the store. */
  stored: { name: string; reference: string }[]
  /** Files that this kind of store cannot hold. */
  skipped: { name: string; reason: string }[]
}

/** What may be asked of a pull. */
export interface PullOptions {
  /** Only evidence that names one of these key ids, where the store can tell; it is a filter, no check. */
  keyids?: readonly string[]
  /** Ends the pull, which then fails with E_IO, or with the signal's reason where that is an InTotoError. */
  signal?: AbortSignal
}

/** A place where evidence about subjects is kept. */
export interface EvidenceStore {
  /** As it was opened: `oci://registry.example/team/app`. */
  readonly reference: string
  /**
   * Stores files. Those that are there already are not stored twice.
   * @throws InTotoError E_IO: unreachable, refused, or it did not keep what it was given; E_CONFIG: a name that no store may hold; E_UNSUPPORTED: it
   * can hold none of them
   */
  push(files: readonly EvidenceFile[], subject: Subject): Promise<PushResult>
  /**
   * Everything that it has about the subject, sorted by name; none is no error.
   * @throws InTotoError E_IO: unreachable, refused, or more than the limits allow; E_FORMAT: it does not speak its protocol
   */
  pull(subject: Subject, o?: PullOptions): Promise<EvidenceFile[]>
}

/** Bounds on what a store may send. */
export interface StoreLimits {
  /** Bytes of one file; 64 MiB. */
  fileBytes: number
  /** Bytes of all files of one pull; 256 MiB. */
  totalBytes: number
  /** Files of one pull; 1,000. */
  files: number
  /** Milliseconds of one pull with all its requests; 10 minutes. */
  milliseconds: number
}

/** User name and password, or a token. */
export type Credentials = { username: string; password: string } | { token: string }

/** How a store is reached. */
export interface StoreOptions {
  /** Sent to the store's own origin, and to the token service that an OCI registry names. */
  credentials?: Credentials
  limits?: Partial<StoreLimits>
  /** For one request with its answer, in milliseconds; 30 seconds. */
  timeout?: number
  /** Does the requests; the platform's own unless given. */
  fetch?: typeof fetch
  /** Gets a word about evidence that was passed over. */
  warn?: (problem: Problem) => void
}

const defaults: StoreLimits = { fileBytes: 64 * 1024 * 1024, totalBytes: 256 * 1024 * 1024, files: 1_000, milliseconds: 600_000 }

/** What a pull has taken in so far; refuses what goes beyond the limits before it is fetched. */
export class Intake {
  readonly limits: StoreLimits
  private readonly reference: string
  private bytes = 0
  private readonly files = new Map<string, EvidenceFile>()

  constructor(reference: string, limits: Partial<StoreLimits> = {}) {
    this.reference = reference
    this.limits = { ...defaults, ...limits }
  }

  /** Room for more files of these sizes. @throws InTotoError E_IO */
  expect(...sizes: readonly number[]): void {
    const { files, fileBytes, totalBytes } = this.limits
    const total = sizes.reduce((sum, size) => sum + size, this.bytes)
    if (this.files.size + sizes.length > files) throw this.beyond(`more than ${files} files`, 'files')
    if (sizes.some((size) => size > fileBytes)) throw this.beyond(`a file of more than ${fileBytes} bytes`, 'fileBytes')
    if (total > totalBytes) throw this.beyond(`more than ${totalBytes} bytes`, 'totalBytes')
  }

  /**
   * Does the work of a pull within its time: many answers, each of them in time, may take for ever.
   * @throws InTotoError E_IO when the time is over
   */
  during<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return until({ milliseconds: this.limits.milliseconds, late: () => this.late(), signal }, work)
  }

  /**
   * Takes a file in; of two different files of one name the later ones get a folder of their own. One that is not called as evidence is gets a name
   * from its content.
   */
  add(name: string, bytes: Uint8Array): void {
    this.expect(bytes.length)
    const digest = sha256Hex(bytes)
    const safe = isEvidenceName(name) ? name : `${digest.slice(0, 16)}.json`
    const taken = this.files.get(safe)
    if (taken !== undefined && sha256Hex(taken.bytes) === digest) return
    const file = { name: taken === undefined ? safe : `${digest.slice(0, 16)}/${safe}`, bytes }
    if (!this.files.has(file.name)) this.bytes += bytes.length
    this.files.set(file.name, file)
  }

  /** Everything, sorted by name. */
  all(): EvidenceFile[] {
    return [...this.files.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  private late(): InTotoError {
    const message = `${this.reference} sends what it has about this subject for more than ${this.limits.milliseconds} ms`
    return new InTotoError({ code: 'E_IO', message, fix: 'try again; if it has so much to send, raise the limit "milliseconds"' })
  }

  private beyond(what: string, limit: string): InTotoError {
    const message = `${this.reference} offers ${what} about this subject`
    return new InTotoError({ code: 'E_IO', message, fix: `look what is there; if it is meant, raise the limit "${limit}"` })
  }
}

/**
 * May a file be written under this name, below a folder of the caller's? Plain characters only, so that it means the same on every system; no part
 * begins with a dot.
 */
export function isSafeName(name: string): boolean {
  const parts = name.split('/')
  return (
    name.length <= 512 &&
    parts.length <= 17 &&
    parts.every((part) => /^[A-Za-z0-9_@+=,~-][A-Za-z0-9._@+=,~ -]{0,199}$/.test(part) && !/[. ]$/.test(part))
  )
}

/**
 * Is this a name of evidence: of a link, a layout, a Statement or a bundle, alone or below the links of a sublayout? A store says what its files are called,
 * and who pulls may do so in a project: there a configuration or a module would be run by others. A public key is no evidence, since it decides what is
 * believed. No such file has the name of such a folder.
 */
function isEvidenceName(name: string): boolean {
  const folders = name.split('/')
  const last = folders.pop() ?? ''
  return (
    isSafeName(name) &&
    /.\.(?:link|layout|sigstore\.json|intoto\.jsonl?|[0-9a-fA-F]{8}\.json)$/.test(last) &&
    folders.every((folder) => /^(?:[0-9a-f]{16}|.+\.[0-9a-fA-F]{8})$/.test(folder))
  )
}

/** Checks what is to be pushed. @throws InTotoError E_CONFIG */
export function checkPush(files: readonly EvidenceFile[], subject: Subject): void {
  checkSubject(subject)
  for (const { name } of files) {
    if (isSafeName(name)) continue
    const message = `${JSON.stringify(name.slice(0, 200))} is no name for evidence in a store`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'give files by relative paths of plain letters, such as build.c0ffee12.link' })
  }
}

/** @throws InTotoError E_CONFIG for digests of another form, which would lead to other addresses */
export function checkSubject(subject: Subject): void {
  const good = /^[0-9a-f]{64}$/.test(subject.sha256) && (subject.sha512 === undefined || /^[0-9a-f]{128}$/.test(subject.sha512))
  if (!good)
    throw new InTotoError({
      code: 'E_CONFIG',
      message: 'evidence is stored under digests in lower-case hex',
      fix: 'give the sha256 of the subject',
    })
}

/** SHA-256 in hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
