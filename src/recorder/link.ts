/**
 * Makes the link of a session, signs it and puts it in its place, by temporary name and rename. Called at the end of a build and when the
 * process exits. It judges nothing: what must not be signed was refused before.
 */
import { dirname, join, relative, resolve } from 'node:path'
import {
  createLink,
  InTotoError,
  keyidFor,
  linkFileName,
  sign,
  signSync,
  type Link,
  type Metadata,
  type Signer,
  type SignOptions,
  type Statement,
} from 'intoto'
import { createHashedLink, linkDirectory, sha256Map, type FileDigest } from 'intoto/node'
import { byproductsOf, environmentOf } from './byproduct.ts'
import { commandOf } from './command.ts'
import { refuseOverwriting, unlink } from './earlier.ts'
import { consumedFiles } from './guard.ts'
import { isWithin, nameOf } from './place.ts'
import { mergedOutputs, producedFiles } from './product.ts'
import { registry, sayOnce, type Session } from './session.ts'
import { putStatement, statementFor, statementPath } from './statement.ts'

/** A link that is not signed yet, with what it stands for. */
export interface Draft {
  readonly link: Link
  /** How many artifacts each side has; asking the link makes the maps of all. */
  readonly counts: { readonly materials: number; readonly products: number }
  readonly folder: string
  readonly products: ReadonlyMap<string, FileDigest>
}

/**
 * Looks at everything on disk and makes the link.
 * @throws InTotoError whatever keeps the link from being complete and true
 */
export function draftLink(session: Session): Draft {
  const { root, options } = session
  const products = producedIn(session)
  const folder = linkFolder(session)
  const produced = new Map([...products].map(([path, { sha256 }]) => [nameOf(root, path), sha256]))
  const consumed = consumedFiles(session, products)
  const [lost] = consumed.overwritten
  if (lost !== undefined)
    sayOnce(
      `plugins looked at ${consumed.overwritten.length} files of an earlier build (${lost}): let them ignore the output folder`,
      (line) => session.log.warn(line),
    )
  const init = {
    name: options.step,
    command: options.command ?? commandOf(root),
    byproducts: byproductsOf(session, consumed, products),
    environment: environmentOf(options.env, process.env),
  }
  const link = createHashedLink(init, consumed.materials, produced)
  return { link, counts: { materials: consumed.materials.size, products: produced.size }, folder, products }
}

/**
 * What the output folders hold now, and the link that says so.
 * @param previous a link of the same session: its materials were checked when the build ended and hold
 */
export function productsNow(session: Session, previous: Link): Pick<Draft, 'products'> & { readonly relink: () => Link } {
  const products = producedIn(session)
  const relink = (): Link => {
    const artifacts = Object.create(null) as Link['products']
    for (const [path, { sha256 }] of products) artifacts[nameOf(session.root, path)] = sha256Map(sha256)
    return createLink({ ...previous, products: artifacts })
  }
  return { products, relink }
}

function producedIn(session: Session): ReadonlyMap<string, FileDigest> {
  const { products, warnings } = producedFiles(session)
  for (const { message } of warnings) sayOnce(message, (line) => session.log.warn(line))
  return products
}

/** A signed link, and with the option `statement` what stands beside it. */
export interface Evidence {
  readonly link: Metadata<Link>
  readonly statement?: Metadata<Statement>
}

/** Signs without waiting: for a process that is about to exit. */
export function signNow(session: Session, link: Link): Evidence {
  const signer = signerOf(session)
  const { statement } = session.options
  if (signer.signSync !== undefined) {
    const signed = { link: signSync(link, [signer], signOptions(session)) }
    if (statement === false) return signed
    return { ...signed, statement: signSync(statementFor(link, statement), [signer], { ...signOptions(session), format: 'dsse' }) }
  }
  const fix = 'give a signer with signSync, or call finish() before the process exits'
  throw new InTotoError({ code: 'E_KEY', message: 'the signer cannot sign while the process exits', fix })
}

/** Signs, by whatever the signer needs. */
export async function signLater(session: Session, link: Link): Promise<Evidence> {
  const signers = [signerOf(session)]
  const { statement } = session.options
  const signed = { link: await sign(link, signers, signOptions(session)) }
  if (statement === false) return signed
  return { ...signed, statement: await sign(statementFor(link, statement), signers, { ...signOptions(session), format: 'dsse' }) }
}

/**
 * Writes a signed link, after the Statement that stands beside it, and remembers it.
 * @throws InTotoError E_IO, E_CONFIG where the link of another command lies
 */
export function putLink(session: Session, draft: Omit<Draft, 'counts'>, { link, statement }: Evidence): void {
  const keyid = keyidFor(signerOf(session).key, session.options.keyidStyle)
  const path = join(draft.folder, linkFileName(session.options.step, keyid))
  if (session.written === undefined || session.written.path !== path) {
    refuseOverwriting(session, path)
    withdrawLink(session)
  }
  registry().links.add(path)
  if (statement !== undefined) putStatement(statementPath(path), statement)
  linkDirectory(draft.folder).put(link, { keyid })
  session.written = { path, link: draft.link, products: draft.products }
}

/** Takes the session's link away: it holds no longer. */
export function withdrawLink(session: Session): void {
  if (session.written === undefined) return
  unlink(session.written.path)
  unlink(statementPath(session.written.path))
  delete session.written
}

/** How people see a path: from where they stand. */
export function shownPath(path: string): string {
  const way = relative(process.cwd(), path)
  return way.startsWith('..') ? path : way.replaceAll('\\', '/')
}

function signerOf(session: Session): Signer {
  if (session.key.signer !== undefined) return session.key.signer
  throw new InTotoError({ code: 'E_KEY', message: 'there is no key to sign with', fix: 'set INTOTO_KEY or INTOTO_KEY_FILE' })
}

function signOptions({ options }: Session): SignOptions {
  return { format: options.format, keyids: (key) => [keyidFor(key, options.keyidStyle)] }
}

/** The output folder; of several the nearest that holds all, but none above the package. */
function linkFolder(session: Session): string {
  const { root, options } = session
  if (options.linkDir !== undefined) return resolve(root.real, options.linkDir)
  const folders = [...mergedOutputs(session).keys()]
  let common = folders[0] ?? root.real
  while (!folders.every((folder) => isWithin(common, folder)) && dirname(common) !== common) common = dirname(common)
  return isWithin(common, root.real) ? root.real : common
}

/** Whether any run wrote anywhere. */
export function hasOutput(session: Session): boolean {
  return mergedOutputs(session).size > 0
}
