/**
 * What came out: every file below the output folders that this build wrote, as it lies on disk after the last writer. The bundler's word is not
 * taken for content, and a file that lay there before is not taken for a product. Called when a link is made and again when the process exits.
 */
import { lstatSync, type Stats } from 'node:fs'
import { basename, join } from 'node:path'
import { InTotoError, isLinkFileName, problem, type Problem } from 'intoto'
import { walkFiles, type FileDigest } from 'intoto/node'
import { foreignProducts, isLinkOf } from './earlier.ts'
import { deliveredFrom, framedOutputs } from './frame.ts'
import { digestOf, earliest } from './guard.ts'
import { isWithin, nameOf } from './place.ts'
import { refuseSecret } from './secret.ts'
import { selector } from './select.ts'
import type { Output, Session } from './session.ts'
import { isStatementOf } from './statement.ts'

/** The output folders as they are now. */
export interface Produced {
  /** By absolute path. */
  readonly products: ReadonlyMap<string, FileDigest>
  readonly warnings: readonly Problem[]
}

/**
 * Looks at every output folder of a session.
 * @throws InTotoError E_IO; E_KEY when a file holds the signing key; E_CONFIG for files of another command under this step's name, and with
 * `stale: 'error'` for every file that this build did not write
 */
export function producedFiles(session: Session): Produced {
  const outputs = mergedOutputs(session)
  const writtenFrom = deliveredFrom(session, earliest(session.records))
  const products = new Map<string, FileDigest>()
  const stale: string[] = []
  const warnings: Problem[] = []
  for (const [folder, output] of outputs) {
    const isIncluded = selectedProducts(session, folder)
    for (const path of filesOf(folder, output, warnings)) {
      if (products.has(path) || !isIncluded(path) || isLink(path, session.options.step, output)) continue
      const stats = lstatSync(path, { throwIfNoEntry: false })
      if (stats === undefined) continue
      if (isOwn(path, output, stats, writtenFrom)) products.set(path, hashed(session, path))
      else if (!isConsumed(session, path)) stale.push(path)
    }
  }
  refuseForeign(session, stale)
  if (stale.length > 0) warnings.push(staleProblem(session, stale))
  return { products, warnings }
}

/** Several runs may write to one folder; a folder within another is looked at with that one. */
export function mergedOutputs(session: Session): Map<string, Output> {
  const framed = framedOutputs(session)
  if (framed !== undefined) return framed
  const merged = new Map<string, Output>()
  for (const { outputs } of session.records) {
    for (const [folder, { walked, emitted }] of outputs) {
      const known = merged.get(folder)
      merged.set(folder, { walked: walked || known?.walked === true, emitted: new Set([...(known?.emitted ?? []), ...emitted]) })
    }
  }
  for (const [folder, { emitted }] of merged) {
    const outer = [...merged].find(([other, { walked }]) => walked && other !== folder && isWithin(other, folder))
    if (outer === undefined) continue
    for (const path of emitted) outer[1].emitted.add(path)
    merged.delete(folder)
  }
  return merged
}

function* filesOf(folder: string, { walked, emitted }: Output, warnings: Problem[]): Generator<string> {
  yield* emitted
  if (walked && lstatSync(folder, { throwIfNoEntry: false }) !== undefined) {
    for (const name of walkFiles(folder, { warn: (p) => warnings.push(p) })) yield join(folder, name)
  }
}

/** Who writes beside the sources has no stale files there. */
function isConsumed({ records }: Session, path: string): boolean {
  return records.some(({ materials }) => materials.has(path))
}

/** ctime, not mtime: copies may keep the date of their original. */
function isOwn(path: string, { emitted }: Output, stats: Stats, writtenFrom: number): boolean {
  return emitted.has(path) || stats.ctimeMs >= writtenFrom
}

/** The step's own link and Statement are never products, nor is the link of a build that runs beside it; else a file that the bundler emitted is, whatever its name. */
function isLink(path: string, step: string, { emitted }: Output): boolean {
  const name = basename(path)
  return isLinkOf(step, name) || isStatementOf(step, name) || (isLinkFileName(name) && !emitted.has(path))
}

function selectedProducts(session: Session, folder: string): (path: string) => boolean {
  const { include, exclude } = session.options.products
  const isIncluded = include.length === 0 ? () => true : selector(include, folder)
  const isExcluded = selector(exclude, folder)
  return (path) => isIncluded(path) && !isExcluded(path)
}

function hashed(session: Session, path: string): FileDigest {
  const known = session.digests.get(path)
  const name = nameOf(session.root, path)
  const digest = digestOf(session, path, { name })
  if (digest !== known) refuseSecret(session.key, path, name)
  return digest
}

function refuseForeign(session: Session, stale: readonly string[]): void {
  if (stale.length === 0 || session.foreign.length === 0) return
  const foreign = foreignProducts(session)
  const path = stale.find((file) => foreign.has(file))
  if (path === undefined) return
  const { step } = session.options
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `was made by another command of the step "${step}": ${foreign.get(path)}; one link cannot speak for both`,
    file: nameOf(session.root, path),
    fix: [`give one of the two another step: inToto({ step: '${step}-2' })`, 'or empty the output folder before the build'],
  })
}

function staleProblem(session: Session, stale: readonly string[]): Problem {
  const names = stale.map((path) => nameOf(session.root, path))
  const rest = names.length > 3 ? ` and ${names.length - 3} more` : ''
  const message = `${names.slice(0, 3).join(', ')}${rest}: in the output folder, but not made by this build, so no product`
  const fix = 'empty the output folder before the build, or exclude it by the option products.exclude'
  if (session.options.stale === 'error') throw new InTotoError({ code: 'E_NOT_RECORDED', message, file: names[0] ?? '', fix })
  return problem({ code: 'E_NOT_RECORDED', severity: 'warning', message, file: names[0] ?? '', fix })
}
