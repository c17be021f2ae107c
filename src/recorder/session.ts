/**
 * What one process knows about one step of one package while it is being built: shared by every plugin instance, environment, output format and
 * configuration, since bundlers make several of each. Held globally by root and step, so that copies of this package share it too. Data only:
 * runs fill it, `finish` and `settle` read it.
 */
import type { FileDigest } from 'intoto/node'
import type { InTotoError, JsonValue, Link } from 'intoto'
import type { ResolvedOptions } from '../options.ts'
import type { Clock } from './clock.ts'
import type { GitState } from './git.ts'
import type { SigningKey } from './key.ts'
import type { Log } from './log.ts'
import type { Root } from './place.ts'

/** When a material was first reported, and by which path if not by its real one. */
export interface Material {
  /** Absolute path of its folder. */
  readonly folder: string
  /** A change at or after this moment of the disk's clock was made while the file was in use. */
  readonly since: number
  /** Its ctime when it was first reported, in milliseconds; 0 where this build has written nothing. */
  readonly seen: number
  /** Whether it is part of the module graph; else it was declared, watched or found. */
  readonly module: boolean
  used?: string
  /** Nobody told of it but the audit, Node's list of what was required, or declarations among the products: then a change is said, and fails no build. */
  audited?: boolean
}

/** A folder that a bundler wrote to. */
export interface Output {
  /** Whether everything in it may be looked at; not when it holds the sources too. */
  readonly walked: boolean
  /** Absolute paths that the bundler says it wrote. */
  readonly emitted: Set<string>
}

/** Everything that was seen of one run of a bundler: one call of its build function, one Vite environment, one compiler. */
export interface RunRecord {
  /** Tells the runs of a process apart: bundler, configuration, input. */
  readonly label: string
  readonly clock: Clock
  /** Monotonic, in milliseconds. */
  readonly began: number
  /** By real path. */
  readonly materials: Map<string, Material>
  readonly outputs: Map<string, Output>
  /** What its outputs were to be, whether they came to be or not: folder, and what else the adapter knows. */
  readonly intended: Set<string>
  /** Ids without a file. */
  readonly virtual: Set<string>
  /** Digests of what was read from a file, its bytes or its text, where that is known. */
  readonly consumed: Map<string, Set<string>>
  readonly notes: Map<string, JsonValue>
  /** What the adapter can see: `graph`, `watch`, `declared`. */
  readonly coverage: Set<string>
  /** Outputs begun, and outputs of which the end was seen. */
  begun: number
  ended: number
  /** Whether its end was begun: if that fails, the run failed. */
  closing: boolean
  /** Adds the inputs that no bundler names and hands the record to the session: when the run is closed, or at exit when nobody did. Throws if an input could not be looked at. */
  complete: () => void
}

/** The link that is on disk now, and what it stands for. */
export interface Written {
  readonly path: string
  readonly link: Link
  /** Products by absolute path, as they were when they were hashed. */
  readonly products: ReadonlyMap<string, FileDigest>
}

/** What a framework says of itself; it is asked when a link is made. */
export interface Frame {
  /** Also the name of its command. */
  readonly name: string
  readonly version: string
  /** Folders of the finished product; none when nothing but the bundlers' own output folders is known. Relative to the root, or absolute. */
  readonly folders: () => readonly string[]
  /** Folders of what it makes for itself and reads again. */
  readonly generated: () => readonly string[]
  /** Files that it read by itself. */
  readonly files: () => Iterable<string>
  /** Whether its end is going to be told by `endFrame`; else the end of the process is its end. */
  readonly tells: boolean
}

/** A run that failed, and why. */
export interface Failure extends Pick<RunRecord, 'label' | 'intended'> {
  readonly reason: string
}

/** A link that was removed, by its absolute path. */
export interface EarlierLink {
  readonly path: string
  readonly bytes: Uint8Array
}

/** One step of one package in this process. */
export interface Session {
  readonly root: Root
  readonly options: ResolvedOptions
  readonly key: SigningKey
  readonly watch: boolean
  git: GitState
  readonly open: Set<RunRecord>
  /** Runs that ended well. */
  records: RunRecord[]
  /** Runs that failed and were not run again with success. */
  failed: readonly Failure[]
  /** Digests by absolute path; one is used again only while the file's marks are the same. */
  readonly digests: Map<string, FileDigest>
  /** Absolute paths of folders that are written or about to be. */
  readonly targets: Set<string>
  /** Links of this step that an earlier process left and this one removed. */
  readonly foreign: EarlierLink[]
  log: Log
  frame?: Frame
  /** The framework has written its last file. */
  frameEnded?: boolean
  written?: Written
  /** Why there is no link although there should be one. */
  error?: InTotoError
}

/** What was opened since the first plugin with `audit` was made, by absolute path. */
export interface Reads {
  readonly files: Set<string>
  /** Folders that were copied as a whole. */
  readonly folders: Set<string>
}

/** A plugin that is to be called. */
export interface Expectation {
  readonly options: ResolvedOptions
  /** Whether a plugin was made; else our code was loaded, and only `required` makes a failure of it. */
  readonly isMade: boolean
  /** What is said when it was not. */
  readonly error: InTotoError
}

/** All that this process shares. */
export interface Registry {
  readonly sessions: Map<string, Session>
  readonly keys: Map<string, SigningKey>
  /** Absolute paths of links that this process wrote: never a product of any session. */
  readonly links: Set<string>
  /** Lines that were printed and are not to be printed again. */
  readonly said: Set<string>
  /** Whether any bundler has called the plugin. */
  isCalled?: boolean
  /** What this process must call, and says that it did not. */
  expected?: Expectation
  /** Set while an audit listens. */
  reads?: Reads
  /** Listener of the process's exit, one for all sessions. */
  onExit?: (code: number) => void
}

const holder = globalThis as { [place]?: Registry }
const place: unique symbol = Symbol.for('unplugin-in-toto.sessions') as never

/** The one registry of this process. */
export function registry(): Registry {
  return (holder[place] ??= { sessions: new Map(), keys: new Map(), links: new Set(), said: new Set() })
}

/** Sessions are told apart by package and step. */
export function sessionKey(root: Root, step: string): string {
  return `${root.real}\0${step}`
}

/** Output folders of which everything may be looked at. */
export function walkedFolders(records: readonly RunRecord[]): string[] {
  return records.flatMap(({ outputs }) => [...outputs].flatMap(([folder, { walked }]) => (walked ? [folder] : [])))
}

/** Prints a line once in a process, however many instances have it to say. */
export function sayOnce(line: string, log: (line: string) => void): void {
  if (registry().said.has(line)) return
  registry().said.add(line)
  log(line)
}
