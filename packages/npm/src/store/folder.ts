/**
 * The store that is a folder: evidence about a subject lies in `sha256-<digest>/` below it. For shared disks, caches and archives. Whoever can write
 * to the folder can put anything there, as in every store.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { InTotoError } from 'intoto'
import { readMetadataFile, writeFileAtomic } from 'intoto/node'
import {
  checkPush,
  checkSubject,
  Intake,
  isSafeName,
  sha256Hex,
  type EvidenceFile,
  type EvidenceStore,
  type PushResult,
  type StoreOptions,
  type Subject,
} from './store.ts'

/** A store in a folder, which is made when something is pushed. */
export class FolderStore implements EvidenceStore {
  readonly reference: string
  private readonly path: string
  private readonly options: StoreOptions

  constructor(path: string, options: StoreOptions = {}) {
    this.reference = `dir:${path}`
    this.path = path
    this.options = options
  }

  async push(files: readonly EvidenceFile[], subject: Subject): Promise<PushResult> {
    checkPush(files, subject)
    const folder = this.folderOf(subject)
    const stored = files.map(({ name, bytes }) => {
      const path = this.freePath(folder, name, bytes)
      return { name, reference: path }
    })
    return { stored, skipped: [] }
  }

  /** Where the file lies from now on; another file of that name is never replaced. */
  private freePath(folder: string, name: string, bytes: Uint8Array): string {
    const path = join(folder, name)
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileAtomic(path, bytes, { exclusive: true })
      return path
    } catch (error) {
      if (!exists(error)) throw error instanceof InTotoError ? error : cannot('write', path, error)
    }
    if (sha256Hex(readMetadataFile(path)) === sha256Hex(bytes)) return path
    const other = join(folder, sha256Hex(bytes).slice(0, 16), name)
    mkdirSync(dirname(other), { recursive: true })
    writeFileAtomic(other, bytes)
    return other
  }

  async pull(subject: Subject): Promise<EvidenceFile[]> {
    checkSubject(subject)
    const intake = new Intake(this.reference, this.options.limits)
    this.collect('', subject, intake)
    return intake.all()
  }

  /** Regular files by plain names; links and everything else that a folder can hold are passed over. */
  private collect(below: string, subject: Subject, intake: Intake): void {
    const folder = join(this.folderOf(subject), below)
    for (const entry of entriesOf(folder)) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`
      if (!isSafeName(name)) continue
      if (entry.isDirectory()) this.collect(name, subject, intake)
      if (!entry.isFile()) continue
      intake.expect(0)
      intake.add(name, readMetadataFile(join(folder, entry.name), { limit: intake.limits.fileBytes }))
    }
  }

  private folderOf(subject: Subject): string {
    return join(this.path, `sha256-${subject.sha256}`)
  }
}

function entriesOf(folder: string): { name: string; isDirectory(): boolean; isFile(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cannot('list', folder, error)
  }
}

function exists(error: unknown): boolean {
  const cause = error instanceof InTotoError ? error.cause : error
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'EEXIST'
}

function cannot(verb: string, path: string, cause: unknown): InTotoError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'an error'
  return new InTotoError(
    { code: 'E_IO', message: `cannot ${verb} ${path}: ${reason}`, file: path, fix: 'check the folder and who may write to it' },
    { cause },
  )
}
