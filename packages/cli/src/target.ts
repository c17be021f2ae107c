/**
 * Where a command is told to write: every command with --output asks here before it does any work. An earlier output may be replaced; a key, metadata
 * of another kind and what the call itself reads may not, since a slip of the hand there costs what nobody can make again. It writes nothing.
 */
import { closeSync, constants, openSync, readSync, statSync, type Stats } from 'node:fs'
import { misuse } from './failure.ts'

/** What is about to be written. */
export type Content = 'a layout' | 'a link' | 'a Statement' | 'a bundle' | 'a report'

/** Who writes what. */
export interface Writer {
  readonly command: string
  readonly content: Content
  /** Files that the call reads, whatever is in them; folders among them are passed over. */
  readonly inputs?: readonly string[]
}

/** The beginning of a file tells what it is. */
const mostRead = 64 * 1024

/**
 * Refuses to replace what nobody can have meant.
 * @throws InTotoError E_CONFIG; nothing was changed
 */
export function refuseTarget(path: string, o: Writer): void {
  const stats = statsOf(path)
  if (stats?.isFile() !== true || stats.size === 0) return
  const found = o.inputs?.some((input) => isSameFile(input, stats)) === true ? 'what this call reads' : contentOf(path)
  if (found === undefined || found === o.content) return
  throw misuse(`${o.command}: ${path} holds ${found} and is not overwritten`, 'name another file, or remove that one first')
}

/** Whether a file is reached by this name, too. */
function isSameFile(path: string, stats: Stats): boolean {
  const other = statsOf(path)
  return other?.isFile() === true && other.dev === stats.dev && other.ino === stats.ino
}

/** Whoever reads or writes a path that leads nowhere says so. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/** The kinds of JSON that are known by the first name in it; a report in JSON begins with none of these. */
const firstNames: Readonly<Record<string, 'a key' | 'a bundle' | 'metadata'>> = {
  keytype: 'a key',
  keyval: 'a key',
  keyid: 'a key',
  keyid_hash_algorithms: 'a key',
  scheme: 'a key',
  mediaType: 'a bundle',
  verificationMaterial: 'a bundle',
  dsseEnvelope: 'a bundle',
  payload: 'metadata',
  payloadType: 'metadata',
  signatures: 'metadata',
  signed: 'metadata',
  _type: 'metadata',
}

/** What a file holds, where that is worth keeping. */
function contentOf(path: string): Content | 'a key' | 'metadata' | 'what can’t be read' | undefined {
  let start: string
  try {
    start = beginningOf(path)
  } catch {
    return 'what can’t be read'
  }
  if (start.startsWith('<')) return undefined // a report or the page, whose scripts know what a key looks like
  if (!start.startsWith('{')) return /^-----BEGIN [A-Z0-9 ]+-----\s*$/m.test(start) ? 'a key' : undefined
  const kind = firstNames[/^\{\s*"(\w+)"/.exec(start)?.[1] ?? '']
  return kind === 'metadata' ? payloadOf(start) : kind
}

/** The kind of payload that metadata begins with, bare or in an envelope. */
function payloadOf(start: string): Content | 'metadata' {
  const payload = /"payload"\s*:\s*"([\w+/=-]+)/.exec(start)?.[1]
  const text = payload === undefined ? start : Buffer.from(payload, 'base64').toString('latin1')
  const type = /"_type"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? ''
  if (type === 'layout' || type === 'link') return `a ${type}`
  return type.startsWith('https://in-toto.io/Statement/') ? 'a Statement' : 'metadata'
}

/** Without what stands before the first character that says something. */
function beginningOf(path: string): string {
  const bytes = Buffer.alloc(mostRead)
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const text = bytes.subarray(0, readSync(descriptor, bytes)).toString('latin1')
    return text.replace(/^\u00ef\u00bb\u00bf/, '').trimStart()
  } finally {
    closeSync(descriptor)
  }
}
