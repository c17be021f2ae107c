/**
 * The beginning of a run: disk clock read, key made sure of, the session found that the run belongs to, the link of an earlier build removed.
 * Called by adapters through the face. It reports nothing itself.
 */
import { resolve } from 'node:path'
import { InTotoError, type JsonValue } from 'intoto'
import type { ResolvedOptions } from '../options.ts'
import { readClock } from './clock.ts'
import { removeEarlier } from './earlier.ts'
import { listenToExit } from './exit.ts'
import { asProblem, bundlerError } from './failure.ts'
import { framedFolders } from './frame.ts'
import { readGit } from './git.ts'
import { isStill } from './guard.ts'
import { signingKey, type SigningKey } from './key.ts'
import { withdrawLink } from './link.ts'
import type { Log } from './log.ts'
import { findRoot, usedPath } from './place.ts'
import { idleRun, RecordingRun, type Host, type Run } from './run.ts'
import { registry, sayOnce, sessionKey, type EarlierLink, type Frame, type Material, type RunRecord, type Session } from './session.ts'
import { called } from './uncalled.ts'

/**
 * Begins a run: reads the disk's clock, removes the link of an earlier build, makes sure of the key.
 * @throws InTotoError E_KEY (also: none and it is required), E_CONFIG, E_IO
 */
export function beginRun(options: ResolvedOptions, host: Host): Run | undefined {
  if (options.disable) return undefined
  called()
  const log = options.silent ? { info: () => undefined, warn: () => undefined } : host.log
  try {
    reportTypos(log)
    return begin(options, host, log)
  } catch (cause) {
    const error = bundlerError(asProblem(cause), { debug: options.debug, cause })
    if (options.onError === undefined) throw error
    options.onError(error)
    return undefined
  }
}

function begin(options: ResolvedOptions, host: Host, log: Log): Run {
  const root = findRoot(options.root, host.folder)
  const idle = host.watch && !options.watch
  if (idle) forget(sessionKey(root, options.step), host, log)
  const foreign: EarlierLink[] = []
  for (const folder of host.targets ?? [])
    removeEarlier({ root, options, key: noSigner, foreign }, usedPath(root, resolve(host.folder, folder)))
  const key = idle ? noSigner : signingKey(options.key, root.real, { known: registry().keys, log })
  if (key.signer === undefined) {
    if (!idle) noKey(options, log)
    return idleRun({ root, options, key, foreign })
  }
  if (host.refusal !== undefined) throw host.refusal
  const session = openSession({ root, options, key, watch: host.watch, log })
  session.foreign.push(...foreign)
  const record: RunRecord = {
    label: host.label,
    clock: readClock(root.real),
    began: performance.now(),
    materials: new Map(),
    outputs: new Map(),
    intended: new Set(),
    virtual: new Set(),
    consumed: new Map(),
    notes: new Map<string, JsonValue>([['bundler', { name: host.bundler, version: host.version }]]),
    coverage: new Set(),
    begun: 0,
    ended: 0,
    closing: false,
    complete: () => undefined,
  }
  if (host.frame !== undefined) enter(session, record, host.frame)
  session.open.add(record)
  listenToExit()
  const run = new RecordingRun(session, record, host)
  // Only now is it known which link there is ours.
  if (options.linkDir !== undefined) for (const folder of [options.linkDir, ...(host.targets ?? [])]) run.target(folder)
  return run
}

/** The same object is one build of the framework, another one the next. */
function enter(session: Session, { notes }: RunRecord, frame: Frame): void {
  notes.set('framework', { name: frame.name, version: frame.version })
  if (session.frame !== frame) session.frameEnded = false
  session.frame = frame
  for (const folder of framedFolders({ root: session.root, frame })) removeEarlier(session, folder)
}

/**
 * esbuild tells a watch by its second build only, and a rebuild that somebody asked for looks the same: the first one was recorded, and must not be
 * signed again when the process exits. Where a link is required, that it went is a failure.
 */
function forget(id: string, { label, bundler }: Host, log: Log): void {
  const known = registry().sessions.get(id)
  const run = [...(known?.open ?? []), ...(known?.records ?? [])].find((run) => run.label === label)
  if (known === undefined || known.watch || run === undefined) return
  withdrawLink(known)
  const { step, required } = known.options
  const reason = `${bundler} built again (a watch, a server or a rebuild), which is recorded only with the option watch`
  log.warn(`${step}: the link is withdrawn: ${reason}`)
  known.open.clear()
  known.records = []
  if (required) known.failed = [...known.failed, { label, intended: run.intended, reason }]
  else registry().sessions.delete(id)
}

const noSigner: SigningKey = { needles: [] }

function noKey(options: ResolvedOptions, log: Log): void {
  if (options.required) {
    const fix = ['set INTOTO_KEY or INTOTO_KEY_FILE', 'make a key: npx intoto keygen']
    throw new InTotoError({ code: 'E_KEY', message: 'there is no key to sign the link with, and a link is required', fix })
  }
  sayOnce('not signed: no key (INTOTO_KEY). Fine locally; releases set INTOTO_REQUIRED=1.', (line) => log.info(line))
}

type NewSession = Pick<Session, 'root' | 'options' | 'key' | 'watch' | 'log'>

/** The session of this package and step: a new one, or the one that other runs of this process are part of. */
function openSession(init: NewSession): Session {
  const { sessions } = registry()
  const id = sessionKey(init.root, init.options.step)
  const known = sessions.get(id)
  if (known === undefined) {
    const session: Session = {
      ...init,
      git: readGit(init.root.real),
      open: new Set(),
      records: [],
      failed: [],
      digests: new Map(),
      targets: new Set(),
      foreign: [],
    }
    sessions.set(id, session)
    return session
  }
  refuseOther(known, init)
  known.log = init.log
  if (known.watch) known.open.clear() // a rebuild that failed is never closed
  withdrawLink(known)
  if (known.open.size === 0) dropMoved(known)
  return known
}

/** A host that lives on may build again from edited sources: earlier runs whose inputs moved have nothing to say any more. */
function dropMoved(session: Session): void {
  const isCurrent = ([path, { audited }]: [string, Material]): boolean => {
    if (audited === true) return true
    const digest = session.digests.get(path)
    return digest === undefined || isStill(digest, path)
  }
  session.records = session.records.filter(({ materials }) => [...materials].every(isCurrent))
  if (session.records.length > 0) return
  session.git = readGit(session.root.real)
  session.targets.clear()
  session.foreign.length = 0
  session.digests.clear()
}

function refuseOther({ options }: Session, other: NewSession): void {
  const names = ['key', 'linkDir', 'format', 'keyidStyle', 'statement', 'finish'] as const
  const odd = names.find((name) => options[name] !== other.options[name])
  if (odd === undefined) return
  const message = `two plugins of the step "${options.step}" disagree on the option "${odd}"`
  throw new InTotoError({ code: 'E_CONFIG', message, fix: 'give both the same options, or one of them another step' })
}

const variables: readonly string[] = ['KEY', 'KEY_FILE', 'PASSWORD', 'PASSWORD_FILE', 'REQUIRED', 'DISABLE', 'LOG_LEVEL']

function reportTypos(log: Log): void {
  for (const name of Object.keys(process.env)) {
    if (!name.startsWith('INTOTO_') || variables.includes(name.slice('INTOTO_'.length))) continue
    sayOnce(`the variable ${name} is not one of ours: ${variables.map((known) => `INTOTO_${known}`).join(', ')}`, (line) => log.warn(line))
  }
}
