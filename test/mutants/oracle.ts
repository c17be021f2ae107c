/**
 * A second verifier, as plain as the specification's text and sharing nothing with the library: `JSON.parse`, `node:crypto`, sets of names. It is
 * more lenient than the library on purpose, and it only ever answers one question: why could this chain never be accepted? Called for each mutant that
 * the library accepted; whatever it finds is a wrong acceptance.
 */
import { createPublicKey, verify, constants, type KeyObject } from 'node:crypto'
import { posix } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

/** What a verifier is given: files by path (`root.layout`, `links/…`), PEM of each owner, parameters. */
export interface Evidence {
  files: ReadonlyMap<string, Uint8Array>
  owners: readonly string[]
  parameters?: Record<string, string>
}

type Loose = Record<string, unknown>
type Artifacts = Record<string, unknown>

interface Work {
  name: string
  materials: Artifacts
  products: Artifacts
}

interface Opened {
  dsse: boolean
  payload: Loose
  signed: Uint8Array
  signatures: Uint8Array[]
}

class Never extends Error {}

const never = (why: string): never => {
  throw new Never(why)
}

/** The key in a PEM text, wherever white space stands in it. */
export function publicKey(pem: string): KeyObject {
  const base64 = /-----BEGIN PUBLIC KEY-----([^]*?)-----END PUBLIC KEY-----/.exec(pem)?.[1] ?? ''
  return createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' })
}

/** Why nobody may accept this chain; undefined when the plain reading accepts it too. */
export function objection({ files, owners, parameters }: Evidence): string | undefined {
  try {
    const keys = owners.map(publicKey)
    if (keys.length === 0) return 'no owner'
    layout(open(files.get('root.layout')), { keys, files, folder: 'links/', ...(parameters && { parameters }) })
    return undefined
  } catch (error) {
    if (error instanceof Never) return error.message
    // A file that this plain code can't even read must not have been accepted either.
    return `cannot be read: ${String(error)}`
  }
}

/** Canonical JSON of what `JSON.parse` gave. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'string') return `"${value.replace(/[\\"]/g, '\\$&')}"`
  if (typeof value !== 'object' || value === null) return String(value)
  const names = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${names.map((name) => `${canonical(name)}:${canonical((value as Loose)[name])}`).join(',')}}`
}

function open(bytes: Uint8Array | undefined): Opened {
  const file = JSON.parse(Buffer.from(bytes ?? []).toString()) as Loose
  // An entry that is none harms nobody in a Metablock.
  const entries = (file['signatures'] as { sig: string }[]).filter((entry) => typeof entry?.sig === 'string')
  if (file['payload'] === undefined) {
    const signatures = entries.map(({ sig }) => Buffer.from(sig, 'hex'))
    return { dsse: false, payload: file['signed'] as Loose, signed: Buffer.from(canonical(file['signed'])), signatures }
  }
  const body = Buffer.from(file['payload'] as string, 'base64')
  const type = file['payloadType'] as string
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `), body])
  return {
    dsse: true,
    payload: JSON.parse(body.toString()) as Loose,
    signed,
    signatures: entries.map(({ sig }) => Buffer.from(sig, 'base64')),
  }
}

function keyOf(object: Loose): KeyObject {
  const text = (object['keyval'] as Loose)['public'] as string
  if (object['keytype'] !== 'ed25519') return publicKey(text)
  return createPublicKey({ key: Buffer.from(`302a300506032b6570032100${text}`, 'hex'), format: 'der', type: 'spki' })
}

const material = (key: KeyObject): string => key.export({ type: 'spki', format: 'der' }).toString('hex')

function isSigned({ signed, signatures }: Opened, key: KeyObject): boolean {
  const curve = key.asymmetricKeyDetails?.namedCurve
  const hash = curve === 'secp384r1' ? 'sha384' : curve === 'secp521r1' ? 'sha512' : 'sha256'
  const rsa = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return signatures.some((signature) =>
    key.asymmetricKeyType === 'ed25519'
      ? verify(null, signed, key, signature)
      : verify(hash, signed, key.asymmetricKeyType === 'rsa' ? rsa : key, signature),
  )
}

interface Circumstances {
  keys: readonly KeyObject[]
  files: ReadonlyMap<string, Uint8Array>
  folder: string
  parameters?: Record<string, string>
}

/** What the layout's steps come to, as one piece of work. */
function layout(opened: Opened, given: Circumstances): Work {
  const { payload } = opened
  for (const key of given.keys) if (!isSigned(opened, key)) never(`${given.folder}: a layout without a signature of its owner`)
  if (payload['_type'] !== 'layout') never('no layout')
  if (!(Date.parse(payload['expires'] as string) > Date.UTC(2026, 5, 1))) never('expired')
  const steps = (payload['steps'] === null ? [] : payload['steps']) as Loose[] // as Go writes an empty list
  const done = new Map<string, Work>()
  for (const step of steps) done.set(step['name'] as string, stepWork(step, payload['keys'] as Record<string, Loose>, given))
  for (const step of steps) {
    for (const side of ['materials', 'products'] as const) {
      const rules = (step[`expected_${side}`] ?? []) as string[][]
      const own = done.get(step['name'] as string)!
      applyRules(
        rules.map((rule) => rule.map((token) => token.replace(/\{([\w-]+)\}/g, (all, name: string) => given.parameters?.[name] ?? all))),
        { own, side, done },
      )
    }
  }
  const [first, last] = [steps[0], steps.at(-1)].map((step) => done.get(step?.['name'] as string))
  return { name: '', materials: first?.materials ?? {}, products: last?.products ?? {} }
}

function stepWork(step: Loose, keys: Record<string, Loose>, { files, folder }: Circumstances): Work {
  const name = step['name'] as string
  const found = new Map<string, Work>()
  for (const id of step['pubkeys'] as string[]) {
    const work = one(`${folder}${name}.${id.slice(0, 8)}`, { name, key: keys[id], files })
    if (work !== undefined) found.set(work.by, work)
  }
  const [first, ...others] = found.values()
  if (first === undefined || !(found.size >= (step['threshold'] as number))) return never(`${name}: below its threshold`)
  for (const { materials, products } of others)
    if (!isDeepStrictEqual([materials, products], [first.materials, first.products])) never(`${name}: the links disagree`)
  return first
}

/** The link or sublayout of one functionary; undefined when it is not there or not theirs. */
function one(
  path: string,
  o: { name: string; key: Loose | undefined; files: Circumstances['files'] },
): (Work & { by: string }) | undefined {
  const bytes = o.files.get(`${path}.link`)
  if (bytes === undefined || o.key === undefined) return undefined
  try {
    const key = keyOf(o.key)
    const opened = open(bytes)
    if (!isSigned(opened, key)) return undefined
    const by = material(key)
    const { payload } = opened
    if (payload['_type'] === 'layout') return { ...layout(opened, { keys: [key], files: o.files, folder: `${path}/` }), by }
    if (payload['_type'] !== 'link' || payload['name'] !== o.name || !isWhole(opened)) return undefined
    const side = (name: string): Artifacts => clean(payload[name] as Artifacts)
    return { name: o.name, materials: side('materials'), products: side('products'), by }
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null && !Array.isArray(value)
const isHex = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]+$/i.test(value)
const isSide = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((digests) => isObject(digests) && Object.values(digests).every(isHex))

const members = ['_type', 'name', 'materials', 'products', 'byproducts', 'command', 'environment']

/** Whether a link says what the specification has it say, in a Metablock nothing else; one that does not counts as absent. */
function isWhole({ dsse, payload: link }: Opened): boolean {
  if (!dsse && Object.keys(link).some((name) => !members.includes(name))) return false
  const { command, byproducts, environment } = link
  const isCommand = command === null || (Array.isArray(command) && command.every((word) => typeof word === 'string'))
  const isEnvironment = environment === undefined || environment === null || isObject(environment)
  return isSide(link['materials']) && isSide(link['products']) && isObject(byproducts) && isEnvironment && isCommand
}

const cleanPath = (name: string): string => {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(name)?.[0] ?? ''
  const rest = posix.normalize(name.slice(scheme.length))
  return scheme + (rest.length > 1 ? rest.replace(/\/$/, '') : rest)
}

/** Names as paths, digests without regard to capitals. */
function clean(artifacts: Artifacts): Artifacts {
  const out: Artifacts = Object.create(null)
  for (const [name, digests] of Object.entries(artifacts)) {
    const entries = Object.entries(digests as Record<string, string>).map(([algorithm, hex]) => [algorithm, hex.toLowerCase()])
    out[/\/\/|(?:^|\/)\.\.?(?:\/|$)|.\/$/.test(name) ? cleanPath(name) : name] = Object.fromEntries(entries)
  }
  return out
}

/** Python's `fnmatchcase`, as a regular expression: the way that the library must not go. */
export function matches(pattern: string, name: string): boolean {
  const translated = [...pattern.matchAll(/\*+|\?|\[(!|(?!!))(\][^\]]*|[^\]]+)\]|[^]/gu)].map(([piece, not, set]) => {
    if (piece.startsWith('*')) return '.*'
    if (piece === '?') return '.'
    return set === undefined ? piece.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&') : bracket(not === '!', set)
  })
  return new RegExp(`^(?:${translated.join('')})$`, 'su').test(name)
}

function bracket(not: boolean, set: string): string {
  const letters = [...set]
  const parts: string[] = []
  for (let i = 0; i < letters.length; i++) {
    const [from, to] = letters[i + 1] === '-' && i + 2 < letters.length ? [letters[i]!, letters[(i += 2)]!] : [letters[i]!, letters[i]!]
    const code = (letter: string): string => `\\u{${letter.codePointAt(0)!.toString(16)}}`
    if (from.codePointAt(0)! <= to.codePointAt(0)!) parts.push(`${code(from)}-${code(to)}`)
  }
  if (parts.length === 0) return not ? '.' : '(?!)'
  return `[${not ? '^' : ''}${parts.join('')}]`
}

const equal = (a: unknown, b: unknown): boolean => isDeepStrictEqual({ ...(a as object) }, { ...(b as object) })
const slash = (prefix: string): string => (prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`)

function applyRules(rules: string[][], o: { own: Work; side: 'materials' | 'products'; done: ReadonlyMap<string, Work> }): void {
  const { own, side, done } = o
  const { materials, products } = own
  let queue = Object.keys(own[side])
  for (const rule of rules) {
    const [word, pattern = ''] = rule
    const kind = word!.toUpperCase()
    const hits = (test: (name: string) => boolean): string[] => queue.filter((name) => matches(pattern, name) && test(name))
    let taken: string[] = []
    if (kind === 'REQUIRE' && !queue.includes(pattern)) never(`${own.name}: ${pattern} is required`)
    if (kind === 'DISALLOW' && hits(() => true).length > 0) never(`${own.name}: ${hits(() => true)[0]} is disallowed`)
    if (kind === 'ALLOW') taken = hits(() => true)
    if (kind === 'CREATE') taken = hits((name) => Object.hasOwn(products, name) && !Object.hasOwn(materials, name))
    if (kind === 'DELETE') taken = hits((name) => Object.hasOwn(materials, name) && !Object.hasOwn(products, name))
    if (kind === 'MODIFY')
      taken = hits((name) => Object.hasOwn(materials, name) && Object.hasOwn(products, name) && !equal(materials[name], products[name]))
    if (kind === 'MATCH') taken = matched(rule, { queue, own: own[side], done })
    queue = queue.filter((name) => !taken.includes(name))
  }
}

function matched(rule: string[], { queue, own, done }: { queue: string[]; own: Artifacts; done: ReadonlyMap<string, Work> }): string[] {
  const words = rule.map((word) => word.toUpperCase())
  const from = words[2] === 'IN' ? slash(rule[3]!) : ''
  const at = words[2] === 'IN' ? 4 : 2
  const to = words[at + 2] === 'IN' ? slash(rule[at + 3]!) : ''
  const other = done.get(rule.at(-1)!)?.[words[at + 1] === 'MATERIALS' ? 'materials' : 'products']
  return queue.filter((name) => {
    if (other === undefined || !name.startsWith(from) || !matches(rule[1]!, name.slice(from.length))) return false
    const there = to + name.slice(from.length)
    return Object.hasOwn(other, there) && Object.keys(own[name] as object).length > 0 && equal(own[name], other[there])
  })
}
