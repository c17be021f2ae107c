/**
 * A framework around bundlers (Astro, Nuxt, Storybook, SvelteKit, VitePress): one build of it is many runs, whose output folders are intermediates, and what counts is
 * what it leaves at its end, in folders of its own. Made by the framework's entry and handed over with each run; it holds the link back until the end.
 */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { walkFiles } from 'intoto/node'
import { heardFiles } from './audit.ts'
import { isCommandOf } from './command.ts'
import { ctimeOf, isFolder, isWithin, RealPaths, usedPath, type Root } from './place.ts'
import type { Frame, Material, Output, Session } from './session.ts'

/** Runs whose outputs are all written although nobody closed their bundle. */
export function closeWritten(session: Session): void {
  for (const run of session.open) {
    if (run.begun === 0 || run.begun !== run.ended || run.closing) continue
    session.open.delete(run)
    run.complete()
  }
}

/** Whether a link would come too early: the framework is still at work. */
export function isFramed({ frame, frameEnded }: Session): boolean {
  return frame !== undefined && frameEnded !== true
}

/** Absolute paths of the framework's own folders of the finished product. */
export function framedFolders({ root, frame }: { readonly root: Root; readonly frame?: Frame | undefined }): string[] {
  return (frame?.folders() ?? []).map((folder) => usedPath(root, resolve(root.real, folder)))
}

/** The folders of the finished product; undefined where no framework says, or where it only wrote to those of its bundlers. */
export function framedOutputs({ root, frame, records }: Pick<Session, 'root' | 'frame' | 'records'>): Map<string, Output> | undefined {
  const folders = framedFolders({ root, frame })
  if (folders.length === 0) return undefined
  const emitted = records.flatMap(({ outputs }) => [...outputs.values()].flatMap((output) => [...output.emitted]))
  return new Map(
    folders.map((folder) => {
      const own = emitted.filter((path) => isWithin(folder, path) && statSync(path, { throwIfNoEntry: false }) !== undefined)
      return [folder, { walked: !isWithin(folder, root.real), emitted: new Set(own) }]
    }),
  )
}

/** Tells files that the framework made for itself: in its own folders, and in output folders of its bundlers that are not the product. */
export function intermediates(session: Session): (path: string) => boolean {
  const { root, frame, records } = session
  if (frame === undefined) return () => false
  const products = [...(framedOutputs(session)?.keys() ?? [])]
  const outputs = products.length === 0 ? [] : records.flatMap(({ outputs }) => [...outputs.keys()])
  const folders = [...frame.generated().map((folder) => usedPath(root, resolve(root.real, folder))), ...outputs]
  return (path) => folders.some((folder) => isWithin(folder, path)) && !products.some((folder) => isWithin(folder, path))
}

/** From when on an intermediate was made by this build: the framework writes before its first bundler begins. */
export function madeFrom({ frame, records }: Session, writtenFrom: number): number {
  if (frame === undefined) return writtenFrom
  return records.reduce((first, { clock }) => (clock.processFrom < first ? clock.processFrom : first), writtenFrom)
}

/** From when on a file of the output folder was made by this build: the framework's own command may write to it before its first bundler begins. */
export function deliveredFrom(session: Session, writtenFrom: number): number {
  const { frame } = session
  return frame !== undefined && isCommandOf(frame.name) ? madeFrom(session, writtenFrom) : writtenFrom
}

/** What the framework read without a bundler: what it says itself, and what the audit heard up to now. */
export function framedMaterials(session: Session): Map<string, Material> {
  const { frame, options, records } = session
  const found = new Map<string, Material>()
  const [first] = records
  if (frame === undefined || first === undefined) return found
  const since = isCommandOf(frame.name) ? madeFrom(session, first.clock.changedFrom) : first.clock.changedFrom
  const paths = new RealPaths()
  const add = (names: Iterable<string>, audited: boolean): void => {
    for (const name of names) {
      const path = resolve(session.root.real, name)
      if (isFolder(path)) {
        add(
          walkFiles(path).map((inner) => join(path, inner)),
          audited,
        )
        continue
      }
      const file = paths.file(path)
      if (file === undefined || found.has(file.real)) continue
      const used = file.path === file.real ? {} : { used: file.path }
      found.set(file.real, {
        since,
        folder: file.folder,
        seen: file.ctimeMs ?? ctimeOf(file.real),
        module: false,
        ...used,
        ...(audited ? { audited } : {}),
      })
    }
  }
  add(frame.files(), false)
  if (options.audit) add(heardFiles(session), true)
  return found
}
