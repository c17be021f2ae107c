/**
 * Carries out a step: records the materials, runs the command, records the products. The command line and programs call it; signing and writing
 * the link is theirs, and nothing is written here.
 */
import type { Artifacts } from '../model/artifact.ts'
import { createLink, type Link, type LinkInit } from '../model/link.ts'
import { writtenLink, type WrittenSide } from '../model/written.ts'
import { emptyRecord, type JsonValue } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import { isWritten, recordSide, type RecordOptions } from './artifacts.ts'
import { runCommand, type ChildResult } from './child.ts'
import { printable } from './fault.ts'
import { dismissThreads, isSame } from './parallel.ts'
import { turn } from './turn.ts'

/** A step to carry out. Recording options hold for materials and products. */
export interface RunOptions extends RecordOptions {
  step: string
  /** Program and arguments; none records without running anything. */
  command: readonly string[]
  /** Paths to record before the command runs. */
  materials?: readonly string[]
  /** Paths to record after it ended. */
  products?: readonly string[]
  /** Working directory of the command; relative paths and names start there too unless `base` says otherwise. */
  cwd?: string
  /** Record both streams in the byproducts: the first and last mebibyte of each, with the total when something is left out. */
  streams?: boolean
  /** Milliseconds until the command is ended; no limit unless given. */
  timeout?: number
  /** Environment of the command; ours unless given. Keys and passwords are taken out either way. */
  env?: NodeJS.ProcessEnv
}

/** A step that was carried out. */
export interface StepRun {
  readonly link: Link
  /** How many artifacts each side has; asking the link makes the maps of all. */
  readonly counts: { readonly materials: number; readonly products: number }
  /** The command's exit code; 128 plus the signal's number when a signal ended it. */
  readonly code: number
  readonly signal?: NodeJS.Signals
}

/**
 * Runs a command as a step. A command that fails still gives a link, which says so in its byproducts.
 * @throws InTotoError those of recordArtifacts; E_CONFIG: the command can't be started; E_NOT_RECORDED: it ran out of time; InterruptedError: a
 * signal reached us, and the command was ended
 */
export async function runStep(o: RunOptions): Promise<StepRun> {
  const base = o.base ?? o.cwd
  const recording: RecordOptions = base === undefined ? o : { ...o, base }
  const before = recordSide(o.materials ?? [], recording)
  await turn()
  const running = o.command.length === 0 ? undefined : runCommand(o.command, { ...o, streams: o.streams ? 'copy' : 'pass' })
  const materials = before.write()
  const result = await running
  if (result?.timedOut) throw outOfTime(o)
  const after = recordSide(o.products ?? [], recording, isSame(o.materials ?? [], o.products ?? []) ? before : undefined)
  dismissThreads()
  await turn()
  const products = after.write()
  const byproducts = result === undefined ? emptyRecord<JsonValue>() : byproductsOf(result)
  const link = linkOf({ name: o.step, command: o.command, byproducts }, materials, products)
  const counts = { materials: countOf(materials), products: countOf(products) }
  return { link, counts, code: result?.code ?? 0, ...(result?.signal === undefined ? {} : { signal: result.signal }) }
}

function linkOf(init: LinkInit, materials: WrittenSide | Artifacts, products: WrittenSide | Artifacts): Link {
  if (isWritten(materials) && isWritten(products)) return writtenLink(init, { materials, products })
  const maps = (side: WrittenSide | Artifacts): Artifacts => (isWritten(side) ? side.toArtifacts() : side)
  return createLink({ ...init, materials: maps(materials), products: maps(products) })
}

function countOf(side: WrittenSide | Artifacts): number {
  return isWritten(side) ? side.count : Object.keys(side).length
}

/** As the reference implementation writes them: a signal shows as its negative number, streams are empty unless they were asked for. */
export function byproductsOf(result: ChildResult): { [name: string]: JsonValue } {
  const byproducts = emptyRecord<JsonValue>()
  byproducts['return-value'] = result.signal === undefined ? result.code : 128 - result.code
  byproducts['stdout'] = result.stdout.text
  byproducts['stderr'] = result.stderr.text
  if (result.stdout.cut) byproducts['stdout-bytes'] = result.stdout.total
  if (result.stderr.cut) byproducts['stderr-bytes'] = result.stderr.total
  return byproducts
}

function outOfTime(o: RunOptions): InTotoError {
  const message = `${printable(o.command[0] ?? '')} was ended after ${(o.timeout ?? 0) / 1000} s: no link is written`
  return new InTotoError({ code: 'E_NOT_RECORDED', message, step: o.step, fix: 'give it more time, or find out why it does not end' })
}
