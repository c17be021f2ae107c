/**
 * One place of the verifier page into which files are put: by a file input, or dropped on it, folders too. It keeps what was given and shows it;
 * bytes are read when the verdict is asked for. Knows nothing of in-toto.
 */
import { html } from './html.ts'
import { count } from './phrase.ts'
import { put } from './sink.ts'

/** A file as it was given, not read yet. */
export interface GivenFile {
  /** With the folder that was chosen, if it came in one: `dist/assets/index.js`. */
  readonly path: string
  readonly isInFolder: boolean
  readonly file: File
}

/** What a slot takes. */
export interface SlotOptions {
  /** Whether what is given comes to what is there, or in its place. */
  readonly adds: boolean
  /** Why a file is not wanted here; undefined when it is. */
  readonly refuse?: (given: GivenFile) => Promise<string | undefined>
  readonly tell: (text: string) => void
}

/** Most files that a slot lists by name. */
const mostListed = 6

/** A slot of the form, over the `fieldset` of that id. */
export class Slot {
  files: readonly GivenFile[] = []
  private readonly place: HTMLFieldSetElement
  private readonly options: SlotOptions

  constructor(id: string, options: SlotOptions) {
    this.place = document.querySelector(`#slot-${id}`) as HTMLFieldSetElement
    this.options = options
    for (const input of this.place.querySelectorAll('input')) {
      input.addEventListener('change', () => {
        const files = [...(input.files ?? [])].map(given)
        // The same file may be chosen again after it was taken out.
        input.value = ''
        void this.take(files)
      })
    }
    this.place.addEventListener('dragover', (event) => {
      event.preventDefault()
      this.place.classList.add('over')
    })
    for (const end of ['dragleave', 'drop']) this.place.addEventListener(end, () => this.place.classList.remove('over'))
    this.place.addEventListener('drop', (event) => {
      event.preventDefault()
      filesOf(event.dataTransfer).then(
        (files) => this.take(files),
        () => this.options.tell('This browser does not let the page read what was dropped: choose it with the buttons.'),
      )
    })
    this.place.querySelector('.clear')?.addEventListener('click', () => {
      this.files = []
      this.show()
      this.place.querySelector('input')?.focus()
    })
  }

  private async take(files: readonly GivenFile[]): Promise<void> {
    if (files.length === 0) return
    const wanted: GivenFile[] = []
    let refusal: string | undefined
    for (const file of files) {
      const why = await this.options.refuse?.(file)
      if (why === undefined) wanted.push(file)
      else refusal = why
    }
    this.files = this.options.adds ? [...this.files, ...wanted] : wanted
    this.show()
    this.options.tell(refusal ?? `${this.title}: ${count(this.files.length, 'file')}.`)
  }

  private get title(): string {
    return this.place.querySelector('legend')?.textContent ?? ''
  }

  private show(): void {
    const list = this.place.querySelector('.files') as HTMLElement
    const left = this.files.length - mostListed
    put(
      list,
      html`${this.files.slice(0, mostListed).map(({ path }) => html`<li class="name">${path}</li>`)}${left > 0 && html`<li>and ${count(left, 'more file')}</li>`}`,
    )
    this.place.querySelector<HTMLElement>('.clear')!.hidden = this.files.length === 0
  }
}

function given(file: File): GivenFile {
  const path = file.webkitRelativePath
  return path === '' ? { path: file.name, isInFolder: false, file } : { path, isInFolder: true, file }
}

/** A file or folder that can be read where entries can't: Chromium reads no entries of folders on a page that was opened from disk. */
type Handle = (FileSystemDirectoryHandle & { entries(): AsyncIterable<[string, FileSystemHandle]> }) | FileSystemFileHandle

/** Everything that was dropped, folders with all that is in them. An item is only alive until the event is over, so all are asked at once. */
async function filesOf(transfer: DataTransfer | null): Promise<GivenFile[]> {
  const items = [...(transfer?.items ?? [])].filter(({ kind }) => kind === 'file')
  const found = await Promise.all(
    items.map(async (item) => {
      const [file, entry] = [item.getAsFile(), item.webkitGetAsEntry()]
      if (entry?.isDirectory !== true) return file === null ? [] : [{ path: file.name, isInFolder: false, file }]
      const asHandle = (item as { getAsFileSystemHandle?: () => Promise<Handle | null> }).getAsFileSystemHandle?.()
      const handle = await asHandle
      return handle?.kind === 'directory' ? within(handle, `${handle.name}/`) : below(entry as FileSystemDirectoryEntry, `${entry.name}/`)
    }),
  )
  return found.flat()
}

async function within(folder: Handle, path: string): Promise<GivenFile[]> {
  if (folder.kind === 'file') return [{ path: path.slice(0, -1), isInFolder: true, file: await folder.getFile() }]
  const found: GivenFile[] = []
  for await (const [name, entry] of folder.entries()) found.push(...(await within(entry, `${path}${name}/`)))
  return found
}

async function below(folder: FileSystemDirectoryEntry, path: string): Promise<GivenFile[]> {
  const reader = folder.createReader()
  const found: GivenFile[] = []
  for (;;) {
    // A reader hands out a hundred at a time.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (entries.length === 0) return found
    for (const entry of entries) {
      if (entry.isDirectory) found.push(...(await below(entry as FileSystemDirectoryEntry, `${path}${entry.name}/`)))
      else {
        const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
        found.push({ path: path + entry.name, isInFolder: true, file })
      }
    }
  }
}
