/**
 * Where links come from: the interface that disks, stores and tests implement, and one source that holds its files in memory. Called by the
 * verification. Never decides whether a link counts.
 */
import { isLinkFileName, linkFileName, statementFileNames } from '../model/link.ts'

/** One file that may hold a link. */
export interface LinkFile {
  /** Its path as a person should see it. */
  readonly file: string
  /** @throws E_IO when it cannot be read, is no regular file, or is too large */
  read(): Promise<Uint8Array>
}

/** The links of one verification. */
export interface LinkSource {
  /** Files named exactly `<step>.<keyid8>.link`; several folders may hold several, equal bytes are one. */
  get(step: string, keyid: string): Promise<readonly LinkFile[]>
  /** Every `<step>.<8 hex>.link`, whoever signed it: read only to explain why nothing was found. */
  list(step: string): Promise<readonly LinkFile[]>
  /** Files that may hold Statements in place of a link, `<step>.<keyid8>.intoto.jsonl` or `.json`; asked only when Statements are accepted. */
  statements?(step: string, keyid: string): Promise<readonly LinkFile[]>
  /** The folder `<step>.<keyid8>/` with the links of a sublayout. */
  within(step: string, keyid: string): LinkSource
}

/**
 * Links held in memory, by path: `build.c0ffee12.link`, `build.c0ffee12/compile.77aa0c31.link`. For browsers, workers and tests.
 */
export function memoryLinks(files: { readonly [path: string]: Uint8Array }): LinkSource {
  return new MemoryLinks(new Map(Object.entries(files)), '')
}

class MemoryLinks implements LinkSource {
  private readonly files: ReadonlyMap<string, Uint8Array>
  private readonly folder: string

  constructor(files: ReadonlyMap<string, Uint8Array>, folder: string) {
    this.files = files
    this.folder = folder
  }

  async get(step: string, keyid: string): Promise<readonly LinkFile[]> {
    const path = this.folder + linkFileName(step, keyid)
    return this.files.has(path) ? [this.open(path)] : []
  }

  async statements(step: string, keyid: string): Promise<readonly LinkFile[]> {
    const paths = statementFileNames(step, keyid).map((name) => this.folder + name)
    return paths.filter((path) => this.files.has(path)).map((path) => this.open(path))
  }

  async list(step: string): Promise<readonly LinkFile[]> {
    const start = `${this.folder}${step}.`
    const isOurs = (path: string): boolean =>
      path.startsWith(start) && path.length === start.length + '12345678.link'.length && isLinkFileName(path.slice(this.folder.length))
    return [...this.files.keys()].filter(isOurs).map((path) => this.open(path))
  }

  within(step: string, keyid: string): LinkSource {
    return new MemoryLinks(this.files, `${this.folder}${step}.${keyid.slice(0, 8)}/`)
  }

  private open(path: string): LinkFile {
    return { file: path, read: async () => this.files.get(path)! }
  }
}
