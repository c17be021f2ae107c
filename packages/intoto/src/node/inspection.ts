/**
 * Runs the inspections of a layout: the command as an argument list, in the folder that holds what is being judged, and a record of all that is
 * there before and after. The verifier calls it, and only for a layout whose signatures and steps already hold.
 */
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { emptyRecord } from '../encoding/json.ts'
import { InTotoError, type ProblemInit } from '../errors.ts'
import { artifactName, type Artifacts, type DigestMap } from '../model/artifact.ts'
import type { Inspection } from '../model/layout.ts'
import { createLink, type Link } from '../model/link.ts'
import type { Inspect } from '../verify/options.ts'
import { InterruptedError, runCommand, type ChildResult } from './child.ts'
import { absolute, fault, printable } from './fault.ts'
import { readDigests } from './hash.ts'
import { byproductsOf } from './run.ts'
import { walk, walkPath, type Found, type WalkOptions } from './walk.ts'

/** A file or folder that is being judged. */
export interface InspectedProduct {
  path: string
  /** Its name as links have it: `dist`, `x-1.0.0.tgz`, or empty for a folder whose files are named without it. The last part of the path unless given. */
  name?: string
}

/** How inspections are run. */
export interface InspectOptions {
  /** Copied into a private folder, where the inspections run; without it they run in the folder given. */
  product?: InspectedProduct | readonly InspectedProduct[]
  /** Milliseconds for each inspection; 10 minutes unless given. */
  timeout?: number
  /** Bytes kept of each output stream, from its beginning and its end; 1 MiB unless given. */
  outputLimit?: number
  /** Most files to record; 250,000 unless given. */
  limit?: number
  /** Carries out some commands in place of a process, in the private folder of a product: resolves to false for all others. */
  answer?: (command: readonly string[], folder: string) => Promise<boolean>
  /** Environment of the commands; ours unless given. Keys and passwords are taken out either way. */
  env?: NodeJS.ProcessEnv
}

/** Inspections of one verification; they share a folder, so that a later one sees what an earlier one unpacked. */
export interface Inspections extends Inspect {
  /** Removes the private folder, if there is one. It is removed when the process exits, too. */
  close(): void
}

const defaultTimeout = 10 * 60 * 1000

/**
 * What `verify` needs to run inspections in a folder, or in a private one that holds the product. Each rejects with E_INSPECTION: an empty
 * command, one that can't be started, fails, is ended by a signal or runs out of time; a link to nothing, out of the folder or round in a
 * circle, or anything that is not a file, since rules can't see what is behind those.
 */
export function inspectIn(folder: string, o: InspectOptions = {}): Inspections {
  let place: string | undefined
  const close = (): void => {
    if (place !== undefined) removePrivate(place)
    place = undefined
  }
  const inspect: Inspect = async (inspection, { linkFiles }) => {
    const links = new Set(linkFiles.map(identity))
    try {
      place ??= o.product === undefined ? absolute(folder) : privateFolder([o.product].flat(), links, o)
      return await carryOut(inspection, place, { ...o, links })
    } catch (error) {
      throw failed(error, inspection)
    }
  }
  return Object.assign(inspect, { close })
}

async function carryOut(inspection: Inspection, place: string, o: InspectOptions & { links: ReadonlySet<string> }): Promise<Link> {
  if (inspection.run.length === 0) throw unfulfilled(inspection, 'has no command', 'give it a command, or remove it from the layout')
  const materials = recordAll(place, o)
  if (o.product !== undefined && (await o.answer?.(inspection.run, place)) === true) {
    const byproducts = { 'return-value': 0, stdout: '', stderr: '' }
    return createLink({ name: inspection.name, materials, products: recordAll(place, o), command: inspection.run, byproducts })
  }
  const result = await runCommand(inspection.run, {
    cwd: place,
    streams: 'keep',
    endGroup: true,
    timeout: o.timeout ?? defaultTimeout,
    ...(o.env === undefined ? {} : { env: o.env }),
    ...(o.outputLimit === undefined ? {} : { keep: o.outputLimit }),
  })
  refuseFailure(inspection, result, o)
  return createLink({
    name: inspection.name,
    materials,
    products: recordAll(place, o),
    command: inspection.run,
    byproducts: byproductsOf(result),
  })
}

/** Everything below the folder but the links that were loaded, under their own names: a rule can only refuse what it sees. */
function recordAll(place: string, o: WalkOptions & { links: ReadonlySet<string> }): Artifacts {
  const artifacts = emptyRecord<DigestMap>()
  for (const file of walk({ path: place, name: '' }, place, { strict: true, ...(o.limit === undefined ? {} : { limit: o.limit }) })) {
    if (o.links.has(identity(file.path))) continue
    const map = emptyRecord<string>()
    map['sha256'] = readDigests(file.path, ['sha256']).digests.sha256 ?? ''
    artifacts[file.name] = map
  }
  return artifacts
}

function privateFolder(products: readonly InspectedProduct[], links: ReadonlySet<string>, o: InspectOptions): string {
  const place = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-inspection-'))
  if (privateFolders.size === 0) process.once('exit', removeAll)
  privateFolders.add(place)
  try {
    for (const product of products) for (const file of filesOf(product, o)) if (!links.has(identity(file.path))) copy(file, place)
  } catch (error) {
    removePrivate(place)
    throw error
  }
  return place
}

/** Those of this process that are still there. */
const privateFolders = new Set<string>()

function removePrivate(place: string): void {
  if (!privateFolders.delete(place)) return
  if (privateFolders.size === 0) process.off('exit', removeAll)
  rmSync(place, { recursive: true, force: true })
}

function removeAll(): void {
  for (const place of privateFolders) removePrivate(place)
}

function filesOf(product: InspectedProduct, o: InspectOptions): Found[] {
  const name = artifactName(product.name ?? basename(absolute(product.path)), sep)
  if (isAbsolute(name) || /^\.\.(\/|$)/.test(name)) {
    const message = `the product ${printable(name)} is named outside of its base, so it can't be copied to a folder of its own`
    throw new InTotoError({ code: 'E_CONFIG', message, file: product.path, fix: 'name it relative to the base that the steps used' })
  }
  return walkPath({ path: product.path, name: name === '.' ? '' : name }, product.path, {
    strict: true,
    ...(o.limit === undefined ? {} : { limit: o.limit }),
  })
}

function copy(file: Found, place: string): void {
  const target = join(place, file.name)
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(file.path, target)
}

function refuseFailure(inspection: Inspection, result: ChildResult, o: InspectOptions): void {
  const seconds = (o.timeout ?? defaultTimeout) / 1000
  if (result.timedOut)
    throw unfulfilled(inspection, `did not end within ${seconds} s`, 'raise the time limit, or find out why it does not end')
  if (result.code === 0) return
  const how = result.signal === undefined ? `ended with exit code ${result.code}` : `was ended by ${result.signal}`
  const said = lastLine(result.stderr.text) ?? lastLine(result.stdout.text)
  const actual = { text: said === undefined ? how : `${how}: ${said}`, label: 'the command' }
  throw unfulfilled(inspection, how, 'run its command by hand in the folder of the product', { expected: { text: 'exit code 0' }, actual })
}

function lastLine(text: string): string | undefined {
  const line = text.trimEnd().split('\n').at(-1)
  return line === undefined || line === '' ? undefined : printable(line.slice(0, 200))
}

function unfulfilled(inspection: Inspection, what: string, fix: string, evidence: Partial<ProblemInit> = {}): InTotoError {
  const message = `inspection ${printable(inspection.name)} ${what}`
  return new InTotoError({ ...evidence, code: 'E_INSPECTION', message, step: inspection.name, fix })
}

/** Whatever kept an inspection from being carried out is a failed inspection. An interruption stays one. */
function failed(error: unknown, inspection: Inspection): InTotoError {
  const known = fault(error, { verb: 'prepare', path: inspection.name, what: 'inspection' })
  if (known.code === 'E_INSPECTION' || known instanceof InterruptedError) return known
  const { message, fix, file } = known.problem
  const init = {
    message: `inspection ${printable(inspection.name)}: ${message}`,
    step: inspection.name,
    fix,
    ...(file === undefined ? {} : { file }),
  }
  return new InTotoError({ code: 'E_INSPECTION', ...init }, { cause: error })
}

/** Where a file lies and what it is called: a symbolic link to it is another file, which somebody may open for what its name says. */
function identity(path: string): string {
  try {
    return `${basename(path)}\0${realpathSync(path)}`
  } catch {
    return path
  }
}
