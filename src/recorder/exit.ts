/**
 * The last moment of a process: after every plugin, format and environment, with the true exit code. Here each session's link is compared with
 * the disk once more, and signed again if a late writer moved something; a process that fails leaves no link. Everything is synchronous.
 */
import { lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { InTotoError } from 'intoto'
import type { FileDigest } from 'intoto/node'
import { hasDeclarations } from './declaration.ts'
import { problemText, asProblem } from './failure.ts'
import { finishNow, whyNothing } from './finish.ts'
import { closeWritten } from './frame.ts'
import { draftLink, hasOutput, productsNow, putLink, signNow, withdrawLink } from './link.ts'
import type { Log } from './log.ts'
import { nameOf } from './place.ts'
import { registry, sayOnce, type Session, type Written } from './session.ts'

/** Listens to the process's exit, as the last listener so far: who registers one before a build ends may still write. */
export function listenToExit(): void {
  const shared = registry()
  shared.onExit ??= (code) => {
    const sessions = [...shared.sessions.values()].filter((session) => !isFinal(session))
    for (const session of sessions) safely(session, () => settle(session, code))
    // What made us fail the process makes it a failed one for every step that it built.
    if (process.exitCode !== 0 && process.exitCode !== undefined)
      for (const session of sessions) safely(session, () => withdrawLink(session))
  }
  process.removeListener('exit', shared.onExit)
  process.on('exit', shared.onExit)
}

/** Of a watch, and of a host that lives on, all is said when a build ends. */
function isFinal({ watch, options }: Session): boolean {
  return watch || options.finish === 'build'
}

/** One session's fault must not keep another from being settled. */
function safely(session: Session, act: () => void): void {
  session.log = stderr(session.options.silent)
  try {
    act()
  } catch (error) {
    process.exitCode = 1
    process.stderr.write(`[in-toto] ${problemText(asProblem(error))}\n`)
  }
}

function settle(session: Session, code: number): void {
  const { written, options, open, failed, error } = session
  if (code !== 0 || failed.length > 0 || error !== undefined) return afterFailure(session, code)
  if (session.frame?.tells === true && session.frameEnded !== true)
    return notRecorded(session, `the build of ${session.frame.name} did not end`)
  closeWritten(session)
  if (open.size > 0) return notRecorded(session, 'the process ended before the build did')
  if (written !== undefined) return compare(session, written)
  if (options.finish === 'manual') return notRecorded(session, 'finish() was not called')
  if (!hasOutput(session)) return notRecorded(session, whyNothing(session))
  finishNow(session)
  if (session.written === undefined && session.error === undefined) notRecorded(session, whyNothing(session))
}

function afterFailure(session: Session, code: number): void {
  withdrawLink(session)
  if (session.error !== undefined && code === 0) process.exitCode = 1 // a script swallowed it
  else if (code === 0) {
    const reasons = new Set(session.failed.map(({ reason }) => reason))
    notRecorded(session, `${[...reasons].join('; ')}, and nothing can be said of what was written`)
  }
}

/** With `required`, a process without evidence is a failed one. */
function notRecorded(session: Session, why: string): void {
  const { step, required } = session.options
  withdrawLink(session)
  if (!required) return sayOnce(`${step}: no link: ${why}`, (line) => session.log.warn(line))
  throw new InTotoError({
    code: 'E_NOT_RECORDED',
    message: `${step}: no link: ${why}`,
    step,
    fix: 'let the build end well, or leave out the option required',
  })
}

/** The comparison that makes late writers visible. */
function compare(session: Session, written: Written): void {
  const now = productsNow(session, written.link)
  const haveCome = hasDeclarations(now.products.keys()) && !hasDeclarations(written.products.keys())
  const drafted = haveCome ? draftLink(session) : undefined
  const { products } = drafted ?? now
  const moved = differences(written.products, products).map((path) => nameOf(session.root, path))
  const there = lstatSync(written.path, { throwIfNoEntry: false })?.isFile() === true
  if (moved.length === 0 && there) return
  if (products.size === 0) return notRecorded(session, 'the products were taken away after the build')
  const names = moved.length > 5 ? `${moved.slice(0, 5).join(', ')} and ${moved.length - 5} more` : moved.join(', ')
  if (session.options.late === 'error' && moved.length > 0) {
    const fix = ['let it write before the bundler ends', "or allow it: inToto({ late: 'update' })"]
    throw new InTotoError({
      code: 'E_CHANGED_DURING_BUILD',
      message: `written after the bundler ended: ${names}`,
      file: moved[0] ?? '',
      fix,
    })
  }
  const link = drafted?.link ?? now.relink()
  putLink(session, { link, products, folder: dirname(written.path) }, signNow(session, link))
  if (moved.length > 0)
    session.log.warn(`${session.options.step}: signed again at process exit, since something wrote after the bundler ended: ${names}`)
}

function differences(before: ReadonlyMap<string, FileDigest>, after: ReadonlyMap<string, FileDigest>): string[] {
  const changed = [...after].filter(([path, { sha256 }]) => before.get(path)?.sha256 !== sha256).map(([path]) => path)
  return [...changed, ...[...before.keys()].filter((path) => !after.has(path))].sort()
}

function stderr(silent: boolean): Log {
  const write = (line: string): void => void process.stderr.write(`[in-toto] ${line}\n`)
  return { info: silent ? () => undefined : write, warn: silent ? () => undefined : write }
}
