/**
 * `intoto evidence push|pull`: evidence about a file, to and from a store, by the file's digest. A store is a place, not an authority: what is pulled is
 * judged by `intoto verify` like anything else, and replaces no file that is there.
 */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InTotoError, isLinkFileName } from 'intoto'
import { hashFile, readMetadataFile, writeFileAtomic } from 'intoto/node'
import { type EvidenceFile, openStore, type Subject } from 'intoto-npm'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, headline, misuse } from './failure.ts'
import { makeFolder } from './folder.ts'
import { escape, type Terminal } from './terminal.ts'

interface Flags {
  store: string[]
  linkDir?: string[]
  metadataDirectory: string
  layout: string
}

const addresses =
  'dir:PATH, oci://HOST/REPOSITORY, archivista+https://HOST or devguard+https://HOST/ASSET; user and password from INTOTO_STORE_USER and INTOTO_STORE_PASSWORD'

/** `intoto evidence push`. */
export const push: CommandFile = {
  usage: 'FILE --store ADDRESS… [-d DIR…] [-l LAYOUT]',
  summary: 'Puts the links, the layout and the Statements about a file into a store, under the digest of the file.',
  examples: [
    ['intoto evidence push lib-1.0.0.tgz --store dir:/mnt/evidence', 'a shared folder'],
    ['intoto evidence push lib-1.0.0.tgz --store oci://registry.example/team/lib', 'an OCI registry, as referrers of the tarball'],
  ],
  declare(command) {
    command
      .argument('<file>', 'what the evidence is about')
      .requiredOption('--store <address...>', addresses)
      .option('-d, --link-dir <dir...>', 'folders with links (default: in-toto/ and dist/ where they exist, else here)')
      .option('-l, --layout <path>', 'layout that goes along, if it exists', 'in-toto/root.layout')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    checkStores(flags.store)
    const file = call.args[0] ?? ''
    const folders = flags.linkDir ?? (existsSync('in-toto') ? ['in-toto', 'dist'].filter((folder) => existsSync(folder)) : ['.'])
    for (const address of flags.store) await pushEvidence(address, { file, folders, layout: flags.layout, terminal: call.terminal })
    return exitCodes.ok
  },
}

/** `intoto evidence pull`. */
export const pull: CommandFile = {
  usage: 'FILE --store ADDRESS… [-d DIR]',
  summary: 'Fetches what stores have about a file. Nothing of it is believed: verify afterwards.',
  examples: [
    [
      'intoto evidence pull lib-1.0.0.tgz --store oci://registry.example/team/lib -d evidence',
      'then: intoto verify lib-1.0.0.tgz -k alice.pub -l evidence/root.layout -d evidence',
    ],
  ],
  declare(command) {
    command
      .argument('<file>', 'what the evidence is about')
      .requiredOption('--store <address...>', addresses)
      .option('-d, --metadata-directory <dir>', 'where the files go', 'in-toto')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    checkStores(flags.store)
    let found = 0
    for (const address of flags.store) {
      const path = address.startsWith('dir:') ? address.slice('dir:'.length) : undefined
      if (path !== undefined && !existsSync(path))
        throw new InTotoError({ code: 'E_IO', message: 'there is no such store', file: path, fix: 'check the path after dir:' })
      const pulling = storeAt(address, call.terminal).pull(subjectOf(call.args[0] ?? ''))
      const files = await call.terminal.progress.during('looking for evidence', pulling)
      for (const file of files) call.terminal.print(`${escape(put(file, flags.metadataDirectory))}\n`)
      found += files.length
    }
    if (found === 0) call.terminal.complain('[in-toto] no store has anything about this file')
    return found === 0 ? exitCodes.refused : exitCodes.ok
  },
}

/** Where a file lies now; one that is there with other content is not replaced. */
function put({ name, bytes }: EvidenceFile, folder: string): string {
  const path = join(folder, name)
  if (existsSync(path) && Buffer.compare(readMetadataFile(path), bytes) === 0) return path
  if (existsSync(path))
    throw new InTotoError({
      code: 'E_IO',
      message: 'is there already, with other content than in the store',
      file: path,
      fix: 'pull into another folder with -d',
    })
  refuseLinks(name, folder)
  makeFolder(dirname(path), { fix: 'choose another folder with -d' })
  writeFileAtomic(path, bytes, { exclusive: true })
  return path
}

/** A folder below the one that the caller named may lead out of it, and the store says which is written to. */
function refuseLinks(name: string, folder: string): void {
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
    const path = join(folder, name.slice(0, at))
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue
    throw new InTotoError({
      code: 'E_IO',
      message: 'is a symbolic link, and what a store offers is not written through one',
      file: path,
      fix: 'pull into another folder with -d',
    })
  }
}

/** What is pushed, and about what. */
export interface Push {
  readonly file: string
  readonly folders: readonly string[]
  readonly layout: string
  readonly terminal: Terminal
}

/**
 * Puts everything that the folders and the file's own side hold into a store.
 * @throws InTotoError E_CONFIG: there is nothing to push, or no such store; E_IO, E_UNSUPPORTED of the store
 */
export async function pushEvidence(address: string, o: Push): Promise<void> {
  const files = evidenceOf(o)
  if (files.length === 0) throw misuse(`there is no evidence in ${o.folders.join(', ')}`, 'name the folders with -d')
  const store = storeAt(address, o.terminal)
  const { stored, skipped } = await o.terminal.progress.during('storing evidence', store.push(files, subjectOf(o.file)))
  for (const { name, reference } of stored) o.terminal.detail(`[in-toto] ${escape(name)} -> ${escape(reference)}`)
  for (const { name, reason } of skipped) o.terminal.note(`[in-toto] ${escape(name)} is not stored: ${escape(reason)}`)
  o.terminal.note(`[in-toto] ${stored.length} of ${files.length} files of evidence -> ${escape(store.reference)}`)
}

/** Links, the layout, and the Statements and bundles beside the file; each name once. */
function evidenceOf({ file, folders, layout }: Push): EvidenceFile[] {
  const paths = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => isLinkFileName(name) || name.endsWith('.intoto.jsonl'))
      .map((name) => join(folder, name)),
  )
  const beside = namesIn(dirname(file)).filter(
    (name) => name === `${basename(file)}.sigstore.json` || name === `${basename(file)}.intoto.jsonl`,
  )
  const all = [...paths, ...beside.map((name) => join(dirname(file), name)), ...(existsSync(layout) ? [layout] : [])]
  const known = new Map<string, EvidenceFile>()
  for (const path of all) {
    const bytes = readMetadataFile(path)
    const other = known.get(basename(path))
    if (other !== undefined && Buffer.compare(other.bytes, bytes) !== 0)
      throw misuse(`two different files are called ${basename(path)}`, 'name only one of their folders with -d')
    known.set(basename(path), { name: basename(path), bytes })
  }
  return [...known.values()]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch (cause) {
    throw new InTotoError({ code: 'E_IO', message: 'cannot be listed', file: folder, fix: 'name folders that exist' }, { cause })
  }
}

function subjectOf(file: string): Subject {
  const { sha256, sha512, size } = hashFile(file, { sha512: true })
  return { sha256, ...(sha512 === undefined ? {} : { sha512 }), size }
}

/**
 * Refuses a password for several stores: to each it would be sent as the one that it knows, to some of them unasked. Commands call it before they do
 * anything else.
 * @throws InTotoError E_CONFIG, also for what is no address of a store
 */
export function checkStores(addresses: readonly string[] = []): void {
  const places = new Set(addresses.map(placeOf).filter((place) => place !== undefined))
  if (process.env['INTOTO_STORE_PASSWORD'] === undefined || places.size < 2) return
  const message = `INTOTO_STORE_PASSWORD is for one store, and these are ${places.size}: ${[...places].join(', ')}`
  throw misuse(message, [
    'name one of them with --store; repositories of one registry may stand together',
    'pull what another has before, and name that folder with -d',
  ])
}

/** Kind and origin of a store, undefined for a folder, which gets no password. */
function placeOf(address: string): string | undefined {
  const [, kind = '', host = ''] = /^(\w+(?:\+https?)?):\/\/([^/?#]+)/.exec(openStore(address).reference) ?? []
  return address.startsWith('dir:') ? undefined : `${kind}://${new URL(`https://${host}`).host}`
}

/** A store at an address, with the credentials that the environment has for it. */
export function storeAt(address: string, terminal: Terminal, o: { timeout?: number } = {}): ReturnType<typeof openStore> {
  const { INTOTO_STORE_USER: username, INTOTO_STORE_PASSWORD: password } = process.env
  const credentials = password === undefined ? {} : { credentials: username === undefined ? { token: password } : { username, password } }
  return openStore(address, { ...o, ...credentials, warn: (p) => terminal.note(headline(p, terminal.err)) })
}
