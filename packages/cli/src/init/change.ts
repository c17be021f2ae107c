/**
 * Changes of files that are shown before they are made, made together, and taken back together: `intoto init` leaves a project as it was when
 * anything fails. Called by init only.
 */
import { existsSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { utf8 } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { makeFolder } from '../folder.ts'
import { type Colors, escape } from '../terminal.ts'

/** A file as it is and as it will be. */
export interface Change {
  readonly path: string
  /** Undefined for a new file. */
  readonly before?: string
  readonly after: string
}

/** The change that gives a file this text. */
export function changeOf(path: string, after: string): Change {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined
  return { path, after, ...(before === undefined ? {} : { before }) }
}

/** Lines that go and lines that come, with two lines around them. */
export function changeLines({ path, before, after }: Change, paint: Colors): string[] {
  const [old, next] = [before?.split(/\r?\n/) ?? [], after.split(/\r?\n/)]
  if (next.at(-1) === '') next.pop()
  if (old.at(-1) === '') old.pop()
  const heading = paint.bold(before === undefined ? `${escape(path)} (new)` : escape(path))
  let start = 0
  while (start < Math.min(old.length, next.length) && old[start] === next[start]) start++
  let end = 0
  while (end < Math.min(old.length, next.length) - start && old.at(-1 - end) === next.at(-1 - end)) end++
  const around = 2
  const first = Math.max(0, start - around)
  const shown = (mark: string, lines: readonly string[]): string[] => lines.map((line) => `${mark} ${escape(line)}`.trimEnd())
  return [
    heading,
    ...shown(' ', old.slice(first, start)),
    ...middle(old.slice(start, old.length - end), next.slice(start, next.length - end)).map(([mark, line]) =>
      mark === '-'
        ? paint.red(`- ${escape(line)}`.trimEnd())
        : mark === '+'
          ? paint.green(`+ ${escape(line)}`.trimEnd())
          : `  ${escape(line)}`.trimEnd(),
    ),
    ...shown(' ', next.slice(next.length - end, next.length - end + around)),
  ]
}

/** Lines between the common beginning and end: those that stay are the longest common sequence. */
function middle(old: readonly string[], next: readonly string[]): [mark: string, line: string][] {
  const lengths = Array.from({ length: old.length + 1 }, () => new Uint32Array(next.length + 1))
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = next.length - 1; j >= 0; j--)
      lengths[i]![j] = old[i] === next[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
  const lines: [string, string][] = []
  let [i, j] = [0, 0]
  while (i < old.length || j < next.length) {
    if (i < old.length && j < next.length && old[i] === next[j]) {
      lines.push([' ', old[i++]!])
      j++
    } else if (j >= next.length || (i < old.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) lines.push(['-', old[i++]!])
    else lines.push(['+', next[j++]!])
  }
  return lines
}

/** What was written, so that it can be taken back. */
export class Journal {
  private readonly undo: (() => void)[] = []

  /**
   * Writes a file, whole or not at all.
   * @throws InTotoError E_IO
   */
  write(path: string, content: string, mode?: number): void {
    const before = existsSync(path) ? readFileSync(path) : undefined
    const folders = missingFolders(dirname(resolve(path)))
    makeFolder(dirname(path), { fix: 'move away what is in its place' })
    this.undo.push(() => {
      if (before !== undefined) return writeFileAtomic(path, before)
      rmSync(path, { force: true })
      for (const folder of folders) removeEmpty(folder)
    })
    writeFileAtomic(path, utf8(content), mode === undefined ? {} : { mode })
  }

  /** A file that somebody else is about to write: if it comes to nothing, it is as it was. */
  expect(path: string): void {
    const before = existsSync(path) ? readFileSync(path) : undefined
    this.undo.push(() => (before === undefined ? rmSync(path, { force: true }) : writeFileAtomic(path, before)))
  }

  /** Everything as it was, the last change first; false where nothing had been written. */
  takeBack(): boolean {
    const steps = this.undo.splice(0).reverse()
    for (const step of steps) step()
    return steps.length > 0
  }
}

/** Folders of a path that do not exist yet, the deepest first. */
function missingFolders(folder: string): string[] {
  const missing: string[] = []
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.push(at)
  return missing
}

/** A folder that somebody has put a file into stays. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // not empty, or gone
  }
}
