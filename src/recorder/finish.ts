/**
 * The end of a build: link made, signed, written, and said so in one line; or refused, and then no link stays. Called by the run that ends
 * last, by `finish()`, and by the exit listener for bundles that nobody closed.
 */
import { asProblem, bundlerError } from './failure.ts'
import { closeWritten } from './frame.ts'
import { settled } from './git.ts'
import { draftLink, hasOutput, putLink, shownPath, signLater, signNow, withdrawLink, type Draft } from './link.ts'
import { registry, sayOnce, type Frame, type Session } from './session.ts'

/** Finishes a session unless runs are still open or have failed. Waits for git and for a signer that needs time. */
export async function finishSession(session: Session): Promise<void> {
  await settled(session.git)
  if (!isReady(session)) return
  const draft = attempt(session, () => draftLink(session))
  if (draft === undefined || !hasProduct(session, draft)) return
  const { records } = session
  try {
    const metadata = session.key.signer?.signSync === undefined ? await signLater(session, draft.link) : signNow(session, draft.link)
    // A run that began while a remote signer took its time will finish with all of it.
    if (session.open.size === 0 && session.records === records) complete(session, draft, () => putLink(session, draft, metadata))
  } catch (error) {
    refuse(session, error)
  }
}

/** The same where nothing can be awaited. */
export function finishNow(session: Session): void {
  if (!isReady(session)) return
  const draft = attempt(session, () => draftLink(session))
  if (draft === undefined || !hasProduct(session, draft)) return
  complete(session, draft, () => putLink(session, draft, signNow(session, draft.link)))
}

/** A framework has written its last file: its links are made, unless a run of a bundler is still to be closed. */
export async function endFrame(frame: Frame): Promise<void> {
  for (const session of registry().sessions.values()) {
    if (session.frame !== frame) continue
    session.frameEnded = true
    attempt(session, () => closeWritten(session))
    if (session.open.size === 0 && session.options.finish !== 'manual') await finishSession(session)
  }
}

/** Finishes every session of this process: for hosts with the option `finish: 'manual'`. */
export async function finishAll(): Promise<void> {
  for (const session of registry().sessions.values()) await finishSession(session)
}

/**
 * There is no link, and here is why: nothing of an earlier one stays, and the build fails unless its options say otherwise.
 * @throws InTotoError the reason, made fit for a bundler
 */
export function refuse(session: Session, reason: unknown): void {
  const { debug, onError } = session.options
  const error = bundlerError(asProblem(reason), { debug, cause: reason })
  withdrawLink(session)
  if (onError !== undefined) return onError(error)
  if (session.watch) return session.log.warn(error.message) // somebody is editing; the next build will do
  session.error = error
  throw error
}

function isReady(session: Session): boolean {
  if (session.open.size > 0 || session.records.length === 0 || session.failed.length > 0) return false
  return hasOutput(session) || wroteNothing(session)
}

/** A bundler may write to a disk of its own, or leave writing to its caller. */
function hasProduct(session: Session, { products }: Draft): boolean {
  return products.size > 0 || wroteNothing(session)
}

function wroteNothing(session: Session): false {
  sayOnce(`${session.options.step}: no link: ${whyNothing(session)}`, (line) => session.log.warn(line))
  return false
}

/** Why there is no product. */
export function whyNothing({ options, records }: Session): string {
  const { include, exclude } = options.products
  const hasWritten = records.some(({ outputs }) => [...outputs.values()].some(({ emitted }) => emitted.size > 0))
  const isSelected = include.length > 0 || exclude.length > 0
  return hasWritten && isSelected ? 'the option products leaves none of the files that were written' : 'this build wrote no file'
}

function attempt<T>(session: Session, make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    refuse(session, error)
    return undefined
  }
}

function complete(session: Session, { counts }: Draft, put: () => void): void {
  try {
    put()
  } catch (error) {
    return refuse(session, error)
  }
  delete session.error
  const artifacts = `${count(counts.materials, 'material')}, ${count(counts.products, 'product')}`
  session.log.info(`${session.options.step}: ${artifacts} -> ${shownPath(session.written?.path ?? '')} (signed)`)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
