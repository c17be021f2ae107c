/**
 * One run of a bundler, from its first hook to its last: takes what the adapter reports, and at a good end hands it to the session. A run that
 * fails hands over nothing. Adapters hold this and nothing else of the recorder.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import type { InTotoError, JsonValue } from 'intoto'
import { walkFiles } from 'intoto/node'
import { heardFiles, isListening } from './audit.ts'
import { importedFiles, loadedFiles, lockfileOf, packageFiles } from './baseline.ts'
import { isCommandOf } from './command.ts'
import { removeEarlier, type Owner } from './earlier.ts'
import { listenToExit } from './exit.ts'
import { finishSession, refuse } from './finish.ts'
import { isFramed } from './frame.ts'
import { bytesDigest, textDigest } from './guard.ts'
import { sourceOf } from './id.ts'
import type { Log } from './log.ts'
import { isWithin, parentOf, RealPaths, usedPath, type Listed, type RealFile } from './place.ts'
import { composedStyles, referredAssets, type Resolve } from './reference.ts'
import { reportOf, seenIn, type Given, type Report } from './report.ts'
import type { Failure, Frame, Material, RunRecord, Session } from './session.ts'
import { startFiles } from './startup.ts'
import { tsconfigFiles, type Configured } from './tsconfig.ts'

/** What the adapter knows when a run begins. */
export interface Host {
  readonly bundler: string
  readonly version: string
  /** The bundler's own root folder, absolute. */
  readonly folder: string
  /** The same for the same work: configuration, input, environment. */
  readonly label: string
  readonly watch: boolean
  /** Folders that are about to be written, as far as they are known yet: earlier links there go even if the run cannot begin. */
  readonly targets?: readonly string[]
  /** Whether ids are paths as written, not real paths. */
  readonly preserveSymlinks?: boolean
  /** How the bundler finds what style sheets refer to, beyond relative paths. */
  readonly alias?: Resolve
  /** Whether it reads the tsconfig.json of plain JavaScript, too, or even that of packages. */
  readonly configured?: Configured
  /** Why builds of this kind cannot be recorded; said only where one was to be. */
  readonly refusal?: InTotoError | undefined
  /** The framework that started it. */
  readonly frame?: Frame | undefined
  /** Sources of which it inlines assets without naming them, so that they must be searched for references. */
  readonly searched?: RegExp
  readonly log: Log
}

/** What an adapter reports. Nothing here throws but `target`, `close` and the beginning of a run. */
export interface Run {
  /** False when nothing is recorded (no key, watch): then only `target` has work to do. */
  readonly recording: boolean
  /** Module ids: files, or what has no file behind it. */
  modules(ids: Iterable<string>): void
  /** Paths that were read or declared, relative to a folder; what is no file is passed over. */
  files(paths: Iterable<string>, base?: string): void
  /** Every file below a folder. */
  tree(folder: string): void
  /** Files that were read before any plugin could run: the bundler's configuration. */
  configuration(paths: Iterable<string>): void
  /** The text of a module as the bundler read it. */
  text(id: string, code: string): void
  /** The bytes of a file as the bundler read them, where that costs nothing. */
  bytes(path: string, content: Uint8Array): void
  /** How this adapter learns of inputs: `graph`, `watch`, `declared`. */
  covers(...kinds: readonly string[]): void
  note(name: string, value: JsonValue): void
  /** A folder that is about to be written, and what tells this output from others there: an earlier link there goes now. */
  target(folder: string, output?: string): void
  /** A folder that was written, and the names in it that the bundler says it wrote. */
  output(folder: string, emitted: Iterable<string>): void
  /** An output was begun; an output ended, written or only generated. */
  begun(): void
  ended(): void
  /** The bundler begins to close: from now on only `close` makes the run a good one, not the end of the process. */
  closing(): void
  fail(error: unknown): void
  /** The run ended; the last one of a session makes the link. */
  close(): Promise<void>
}

/** Without a key, or in a watch that nobody asked to record: an earlier link must not be taken for one of this build. */
export function idleRun(owner: Owner): Run {
  const nothing = (): void => undefined
  return {
    recording: false,
    modules: nothing,
    files: nothing,
    tree: nothing,
    configuration: nothing,
    text: nothing,
    bytes: nothing,
    covers: nothing,
    note: nothing,
    target: (folder) => removeEarlier(owner, usedPath(owner.root, resolve(folder))),
    output: nothing,
    begun: nothing,
    ended: nothing,
    closing: nothing,
    fail: nothing,
    close: async () => undefined,
  }
}

/** A run that keeps what it is told in a record, and hands it over when it ends well. */
export class RecordingRun implements Run {
  readonly recording = true
  readonly #session: Session
  readonly #record: RunRecord
  readonly #host: Host
  readonly #paths: RealPaths = new RealPaths()
  /** Why an input could not be looked at. */
  #fault: Error | undefined

  constructor(session: Session, record: RunRecord, host: Host) {
    this.#session = session
    this.#record = record
    this.#host = host
    record.complete = () => this.#complete()
  }

  modules(ids: Iterable<string>): void {
    const { virtual } = this.#record
    this.#keep(ids, this.#host.folder, { report: this.#report({ module: true }), otherwise: (id) => virtual.add(id) })
  }

  files(paths: Iterable<string>, base: string = this.#host.folder): void {
    this.#keep(paths, base, { report: this.#report({ module: false }), otherwise: () => undefined })
  }

  tree(folder: string): void {
    const path = resolve(this.#host.folder, folder)
    try {
      if (existsSync(path)) this.files(walkFiles(path), path)
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error))
    }
  }

  /** A bundler's own command began after its configuration was last written; a script, a test or a host may have written it just now. */
  configuration(paths: Iterable<string>): void {
    const { changedFrom, processFrom } = this.#record.clock
    const report = this.#report({ module: false, since: isCommandOf(this.#host.bundler) ? processFrom : changedFrom })
    for (const path of paths) {
      const source = sourceOf(path, this.#host.folder, report.paths)
      if ('real' in source) this.#add(source, report)
    }
  }

  text(id: string, code: string): void {
    this.#consumed(id, textDigest(code))
  }

  bytes(path: string, content: Uint8Array): void {
    this.#consumed(path, bytesDigest(content))
  }

  covers(...kinds: readonly string[]): void {
    for (const kind of kinds) this.#record.coverage.add(kind)
  }

  note(name: string, value: JsonValue): void {
    this.#record.notes.set(name, value)
  }

  target(folder: string, output: string = ''): void {
    const path = this.#folder(folder)
    this.#session.targets.add(path)
    this.#record.intended.add(`${path}\0${output}`)
    try {
      removeEarlier(this.#session, path)
    } catch (error) {
      this.fail(error)
      refuse(this.#session, error)
    }
  }

  output(folder: string, emitted: Iterable<string>): void {
    const path = this.#folder(folder)
    const { root, targets } = this.#session
    targets.add(path)
    const known = this.#record.outputs.get(path) ?? { walked: !isWithin(path, root.real), emitted: new Set<string>() }
    for (const name of emitted) known.emitted.add(join(path, name))
    this.#record.outputs.set(path, known)
  }

  begun(): void {
    this.#record.begun++
  }

  ended(): void {
    this.#record.ended++
  }

  closing(): void {
    this.#record.closing = true
  }

  /** A failed run cannot end well any more, and may never be closed. */
  fail(error: unknown): void {
    if (!this.#session.open.delete(this.#record)) return
    const { label, intended } = this.#record
    this.#session.failed = [...stillFailed(this.#session, this.#record), { label, intended, reason: reasonOf(error) }]
  }

  async close(): Promise<void> {
    const session = this.#session
    if (!session.open.has(this.#record)) return
    if (this.#record.begun !== this.#record.ended) return this.fail('not every output was written')
    session.open.delete(this.#record)
    if (this.#record.begun === 0) return // a bundler that only looked
    try {
      this.#complete()
    } catch (error) {
      return refuse(session, error)
    }
    if (session.open.size === 0 && session.options.finish !== 'manual' && !isFramed(session)) await finishSession(session)
    listenToExit()
  }

  /** Adds what no bundler names, and hands all to the session; an earlier run that this one repeats is replaced. */
  #complete(): void {
    if (this.#fault !== undefined) throw this.#fault
    const session = this.#session
    const record = this.#record
    this.files(importedFiles(...startFiles(session.root)))
    const found = [...record.materials.keys()]
    this.files(composedStyles(found, this.#host.alias))
    const searched = found.filter((file) => this.#host.searched?.test(file))
    this.files(referredAssets(searched, this.#host.alias))
    this.files(tsconfigFiles(record.materials, this.#host.configured))
    const folders = new Set([session.root.real])
    record.materials.forEach(({ folder }) => folders.add(folder))
    this.files(packageFiles(folders, session.root.real))
    if (session.options.dependencies !== 'none') this.files(lockfileOf(session.root.real))
    this.#heard(loadedFiles(session.root))
    if (session.options.audit) this.#audited()
    const repeats = (other: RunRecord): boolean => other.label === record.label && isCovered(other, record)
    session.records = [...session.records.filter((other) => !repeats(other)), record]
    session.failed = stillFailed(session, record)
  }

  #audited(): void {
    this.#heard(heardFiles(this.#session))
    if (isListening()) this.#record.coverage.add('audit')
  }

  /** Files of which nobody told. */
  #heard(paths: Iterable<string>): void {
    const report = this.#report({ module: false, audited: true })
    for (const path of paths) {
      const source = sourceOf(path, this.#host.folder, report.paths)
      if ('real' in source && !this.#record.materials.has(this.#keyOf(source))) this.#add(source, report)
    }
  }

  #consumed(id: string, digest: string): void {
    const source = sourceOf(id, this.#host.folder, this.#paths)
    if (!('real' in source)) return
    const key = this.#keyOf(source)
    const { consumed } = this.#record
    consumed.set(key, (consumed.get(key) ?? new Set()).add(digest))
  }

  /** What is no file is left to `otherwise`. */
  #keep(paths: Iterable<string>, base: string, o: { readonly report: Report; readonly otherwise: (path: string) => void }): void {
    const { report, otherwise } = o
    const { materials } = this.#record
    const { module, since } = report
    const listed = this.#host.preserveSymlinks === true ? new Map<string, Listed>() : report.paths.listed
    /** One for all such files of a folder: nobody changes a material. */
    const usual = new Map<Listed, Material>()
    const usualOf = (folder: Listed): Material => {
      const material = { folder: folder.folder, since, seen: 0, module }
      usual.set(folder, material)
      return material
    }
    // Called by the engine, as in `walk` of intoto/node: a loop of thousands would be optimised while it runs, and once more when it is called again.
    Array.from(paths).forEach((path) => {
      const known = materials.get(path)
      // Bundlers tell of modules once more as watched files.
      if (known?.module === true) return
      // Nearly all of thousands, so without a call: a file of a listed folder, of which nothing is known yet. See createHasher of intoto/node.
      const end = path.lastIndexOf(sep)
      const folder = known === undefined ? listed.get(path.slice(0, end)) : undefined
      if (folder?.files.has(path.slice(end + 1)) === true) {
        materials.set(path, usual.get(folder) ?? usualOf(folder))
        return
      }
      const source = sourceOf(path, base, report.paths)
      if ('real' in source) this.#add(source, report)
      else otherwise(source.virtual)
    })
  }

  #keyOf({ path, real }: RealFile): string {
    return this.#host.preserveSymlinks === true ? usedPath(this.#session.root, path) : real
  }

  #report(given: Given): Report {
    return reportOf(this.#session, { since: this.#record.clock.changedFrom, ...given })
  }

  #add(file: RealFile, report: Report): void {
    const { module, since, audited } = report
    const key = this.#keyOf(file)
    const known = this.#record.materials.get(key)
    if (known !== undefined && known.since <= since && (known.module || !module)) return
    const material: Material = {
      folder: key === file.real ? file.folder : parentOf(key),
      since: known === undefined || since < known.since ? since : known.since,
      seen: known?.seen ?? file.ctimeMs ?? seenIn(report, file.real),
      module: module || known?.module === true,
    }
    // Written out, since spreading takes longer than all the rest and there may be thousands.
    if (audited) material.audited = true
    if (file.path !== file.real) material.used = file.path
    this.#record.materials.set(key, material)
  }

  #folder(folder: string): string {
    return usedPath(this.#session.root, resolve(this.#host.folder, folder))
  }
}

/** The first line of what went wrong; some bundlers wrap their errors in one that only counts them. */
function reasonOf(error: unknown): string {
  const inner = (error as { errors?: unknown[] } | null)?.errors?.[0] ?? error
  const text = inner instanceof Error ? inner.message : String((inner as { message?: unknown } | null)?.message ?? inner)
  return text.split('\n').find((line) => line.trim() !== '') ?? 'it failed'
}

/** Failures that this run does not make up for: it is the same work, and does all that was to be done then. */
function stillFailed({ failed }: Session, { label, intended }: RunRecord): Failure[] {
  return failed.filter((failure) => failure.label !== label || ![...failure.intended].every((output) => intended.has(output)))
}

function isCovered(earlier: RunRecord, later: RunRecord): boolean {
  return [...earlier.outputs].every(([folder, { emitted }]) =>
    [...emitted].every((path) => later.outputs.get(folder)?.emitted.has(path) === true),
  )
}

/** The folder that a rollup-like output option stands for. */
export function outputFolder(options: { dir?: string | undefined; file?: string | undefined }): string | undefined {
  return options.dir ?? (options.file === undefined ? undefined : dirname(options.file))
}
