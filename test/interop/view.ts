/**
 * A chain as its files say it is, for telling why two implementations differ about it: read leniently, with what each peer can load. Made only for
 * chains about which somebody differs.
 */
import { basename, join } from 'node:path'
import { cleanName, decodeMetadata, hasSignature, InTotoError, type JsonObject } from 'intoto'
import type { Chain } from './generate.ts'
import type { Style } from './keys.ts'
import type { Peer, PeerName } from './peer.ts'

/** One file of the chain. */
export interface Seen {
  path: string
  text: string
  /** What `JSON.parse` makes of it; absent when it is no JSON. */
  envelope?: JsonObject
  /** The link or layout inside, when it can be got at. */
  payload?: JsonObject
  format?: 'dsse' | 'metablock'
  signatures: JsonObject[]
  /** Which peers can read it. */
  loads: Record<PeerName, boolean>
  /** Whether the library can read it. */
  loadsHere: boolean
}

/** What one judge said. */
export interface Verdict {
  ok: boolean
  /** Why not, in the judge's own words: of a peer its one error, of ours every problem with its code, warnings marked so. */
  problems: string[]
}

export interface Verdicts {
  ours: Verdict
  python: Verdict
  go: Verdict
}

export interface View {
  chain: Chain
  files: Seen[]
  layouts: JsonObject[]
  links: JsonObject[]
  rules: string[][]
  /** Every name of an artifact in every link. */
  names: string[]
  /** Whether every trusted owner has a good signature on the root under the id of this style. */
  rootSigned: Record<Style, boolean>
}

type Loose = Record<string, unknown>
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
/** The value when it is a list, else an empty one. */
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
/** The value when it is an object, else an empty one. */
export const object = (value: unknown): Loose => (isObject(value) ? value : {})

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function readable(bytes: Uint8Array): boolean {
  try {
    decodeMetadata(bytes)
    return true
  } catch (error) {
    if (error instanceof InTotoError) return false
    throw error
  }
}

function see(path: string, bytes: Uint8Array): Omit<Seen, 'loads'> {
  const text = Buffer.from(bytes).toString('utf8')
  const loadsHere = readable(bytes)
  const envelope = parse(text)
  if (!envelope) return { path, text, signatures: [], loadsHere }
  const signatures = list(envelope['signatures']).filter(isObject)
  const dsse = typeof envelope['payload'] === 'string'
  const payload = dsse
    ? parse(Buffer.from(envelope['payload'] as string, 'base64').toString())
    : isObject(envelope['signed'])
      ? envelope['signed']
      : undefined
  return { path, text, envelope, format: dsse ? 'dsse' : 'metablock', signatures, loadsHere, ...(payload && { payload }) }
}

async function rootSigned(chain: Chain, style: Style): Promise<boolean> {
  const bytes = chain.files.get('root.layout')!
  if (!readable(bytes)) return false
  const metadata = decodeMetadata(bytes)
  for (const key of chain.plan.trusted) if (!(await hasSignature(metadata, key.key, [key.ids[style]]))) return false
  return true
}

/** Looks at a chain whose files lie in `folder`. */
export async function look(chain: Chain, folder: string, peers: Record<PeerName, Peer>): Promise<View> {
  const files: Seen[] = []
  for (const [path, bytes] of chain.files) {
    const loads = {
      python: (await peers.python.ask('load', { path: join(folder, path) })).ok,
      go: (await peers.go.ask('load', { path: join(folder, path) })).ok,
    }
    files.push({ ...see(path, bytes), loads })
  }
  const payloads = files.flatMap((file) => (file.payload ? [file.payload] : []))
  const layouts = payloads.filter((payload) => 'steps' in payload || 'keys' in payload)
  const links = payloads.filter((payload) => 'materials' in payload || 'products' in payload)
  const items = layouts.flatMap((layout) => [...list(layout['steps']), ...list(layout['inspect'])].map(object))
  const rules = items.flatMap((item) =>
    [...list(item['expected_materials']), ...list(item['expected_products'])].map((rule) => list(rule).map(String)),
  )
  const names = links.flatMap((link) => [...Object.keys(object(link['materials'])), ...Object.keys(object(link['products']))])
  return {
    chain,
    files,
    layouts,
    links,
    rules,
    names: [...names, ...Object.keys(chain.plan.work)],
    rootSigned: { python: await rootSigned(chain, 'python'), go: await rootSigned(chain, 'go') },
  }
}

/** Files that stand where a link is looked for. */
export const linkFiles = (view: View): Seen[] => view.files.filter((file) => basename(file.path) !== 'root.layout')
/** The value when it is a text, else an empty one. */
export const text = (value: unknown): string => (typeof value === 'string' ? value : '')
/** Every step of every layout. */
export const steps = (view: View): Loose[] => view.layouts.flatMap((layout) => list(layout['steps']).map(object))
/** Every key object of every layout, with the id under which it is listed. */
export const keyObjects = (view: View): [string, Loose][] =>
  view.layouts.flatMap((layout) => Object.entries(object(layout['keys'])).map(([id, key]): [string, Loose] => [id, object(key)]))
/** Whether a name is not what Go's `path.Clean` makes of it. */
export const unclean = (name: string): boolean => name !== '' && (cleanName(name) !== name || name.includes('//'))
