/**
 * `intoto show`: reads a file of in-toto aloud, whatever it is: what it says, who signed it, and with -k whether that is true. It finds out the
 * kind by the content, never by the name.
 */
import {
  fromUtf8,
  importKey,
  InTotoError,
  isLayout,
  isLink,
  type Key,
  type Metadata,
  parseJson,
  type JsonValue,
  parseLayout,
  parseLink,
  parseStatement,
  type Payload,
  stringifyJson,
  utf8,
} from 'intoto'
import { readMetadataFile } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, misuse } from './failure.ts'
import { keyLines } from './key.ts'
import { payloadLines, signatureLines } from './payload.ts'
import { escape } from './terminal.ts'
import { decodeFile, keyNames, type NamedKey, readKeys } from './trust.ts'

interface Flags {
  verificationKeys?: string[]
}

/** One thing found in a file, with where it stood if there were several. */
interface Found {
  readonly title: string
  readonly metadata?: Metadata
  readonly payload?: Payload
}

/** `intoto show`. */
export const show: CommandFile = {
  usage: 'FILE… [-k KEY…]',
  summary: 'Reads layouts, links, envelopes, Statements, bundles and keys aloud. With -k, exit code 1 when a key has not signed.',
  examples: [
    ['intoto show in-toto/root.layout', 'who may do what, until when'],
    ['intoto show dist/build.4f3c9a1b.link -k in-toto/ci.pub', 'what a build used and made, and whether ci signed that'],
    ['intoto show in-toto/owner.pub', 'the ids of a key'],
  ],
  declare(command) {
    command.argument('<file...>', 'files to read')
    command.option('-k, --verification-keys <path...>', 'public keys that should have signed')
  },
  async run(call: Call) {
    const keys = await readKeys((call.options as Flags).verificationKeys ?? [])
    let holds = true
    for (const file of call.args) {
      const bytes = readMetadataFile(file)
      const key = await publicKey(bytes)
      if (key !== undefined) {
        call.terminal.print(`${keyLines(key, file).join('\n')}\n`)
        continue
      }
      for (const found of readable(bytes, file)) holds = (await printFound(found, { call, keys })) && holds
    }
    return holds ? exitCodes.ok : exitCodes.refused
  },
}

/** The key in a PEM file; a private one is not for showing. */
async function publicKey(bytes: Uint8Array): Promise<Key | undefined> {
  const start = String.fromCharCode(...bytes.subarray(0, 4096))
  if (!start.includes('-----BEGIN ')) return undefined
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(start))
    throw misuse('show: this is a private key; nothing of it is shown', 'intoto key show FILE prints its public half')
  return start.trimStart().startsWith('{') ? undefined : importKey(fromUtf8(bytes))
}

/** The same, with the file named by whatever is wrong with it. */
function readable(bytes: Uint8Array, file: string): Found[] {
  try {
    return contents(bytes, file)
  } catch (error) {
    if (!(error instanceof InTotoError) || error.problem.file !== undefined) throw error
    const fix =
      error.code === 'E_FORMAT'
        ? ['name a layout, link, envelope, Statement, bundle or key in PEM form', ...error.problem.fix]
        : error.problem.fix
    throw new InTotoError({ ...error.problem, fix, file }, { cause: error })
  }
}

/** Everything in a file: one document, or one on each line. */
function contents(bytes: Uint8Array, file: string): Found[] {
  try {
    return [documentOf(parseJson(bytes, { what: file }).value, bytes, file)]
  } catch (whole) {
    const lines = linesOf(bytes)
    if (lines.length < 2) throw whole
    return lines.flatMap((line, i) => {
      const title = `${file} line ${i + 1}`
      let value: JsonValue
      // A bundle is a list of envelopes in which lines of unknown kinds are passed over (attestation framework, bundle).
      try {
        value = parseJson(utf8(line), { what: title }).value
      } catch {
        if (i === 0) throw whole
        return []
      }
      try {
        return [documentOf(value, utf8(line), title)]
      } catch (error) {
        if (i === 0) throw error
        return []
      }
    })
  }
}

function linesOf(bytes: Uint8Array): string[] {
  try {
    return fromUtf8(bytes)
      .split('\n')
      .filter((line) => line.trim() !== '')
  } catch {
    return []
  }
}

/** What a JSON document is: signed metadata, a Sigstore bundle around some, or a payload without signatures. */
function documentOf(value: JsonValue, bytes: Uint8Array, title: string): Found {
  const object = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  const envelope = object?.['dsseEnvelope']
  if (envelope !== undefined) return { title: `${title} (Sigstore bundle)`, metadata: decodeFile(utf8(stringifyJson(envelope)), title) }
  if (object === undefined || Object.hasOwn(object, 'payload') || Object.hasOwn(object, 'signed'))
    return { title, metadata: decodeFile(bytes, title) }
  if (object['_type'] === undefined) return { title, metadata: decodeFile(bytes, title) }
  const payload = isLayout(object) ? parseLayout(object) : isLink(object) ? parseLink(object) : parseStatement(object)
  return { title: `${title} (bare, without signatures)`, payload }
}

/** Prints one document; false when a given key has not signed it. */
async function printFound(found: Found, o: { call: Call; keys: readonly NamedKey[] }): Promise<boolean> {
  const { terminal } = o.call
  const payload = (found.metadata?.payload ?? found.payload) as Payload
  const names = await keyNames(o.keys, isLayout(payload) ? { layout: payload } : {})
  const signatures =
    found.metadata === undefined
      ? { lines: [], holds: o.keys.length === 0 }
      : await signatureLines(found.metadata, { keys: o.keys, names, paint: terminal.out })
  const form = found.metadata === undefined ? '' : found.metadata.format === 'dsse' ? ' (dsse envelope)' : ' (metablock)'
  const [first = '', ...rest] = payloadLines(payload, { names, verbose: terminal.verbose })
  terminal.print(`${[`${terminal.out.bold(escape(found.title))}  ${first}${form}`, ...signatures.lines, ...rest].join('\n')}\n`)
  return signatures.holds
}
