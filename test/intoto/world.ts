/**
 * A small supply chain for tests: people with fresh keys, layouts and links from few words, files in memory. Everything is made when the tests
 * run; nothing here judges.
 */
import { createHash } from 'node:crypto'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  generateKeyPair,
  importSigner,
  judge,
  linkFileName,
  memoryLinks,
  parseRuleText,
  ruleTokens,
  sign,
  toLayoutKey,
  type Artifacts,
  type Key,
  type KeyPairType,
  type Link,
  type LinkInit,
  type Metadata,
  type Payload,
  type Problem,
  type Report,
  type Signer,
  type SignOptions,
  type VerifyOptions,
} from 'intoto'

export interface Person {
  key: Key
  signer: Signer
  publicPem: string
}

export async function person(type: KeyPairType = 'ed25519'): Promise<Person> {
  const { privatePem, publicPem } = await generateKeyPair(type)
  const signer = await importSigner(privatePem)
  return { key: signer.key, signer, publicPem }
}

export const owner: Person = await person()
export const alice: Person = await person()
export const bob: Person = await person()
export const carol: Person = await person()
export const mallory: Person = await person()

/** Files by name and content, as artifacts. */
export function files(contents: Record<string, string> = {}): Artifacts {
  const artifacts: Artifacts = Object.create(null)
  for (const name of Object.keys(contents)) artifacts[name] = { sha256: sha256(contents[name]!) }
  return artifacts
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Rules as text to rules as a layout holds them. */
export function rules(...texts: string[]): string[][] {
  return texts.map((text) => ruleTokens(parseRuleText(text)))
}

export interface StepWords {
  by?: Person[]
  threshold?: number
  command?: string[]
  materials?: string[]
  products?: string[]
}

/** A step as it stands in a layout. */
export function step(name: string, words: StepWords = {}): any {
  return {
    _type: 'step',
    name,
    threshold: words.threshold ?? 1,
    pubkeys: (words.by ?? [alice]).map(({ key }) => key.keyid),
    expected_command: words.command ?? [],
    expected_materials: rules(...(words.materials ?? [])),
    expected_products: rules(...(words.products ?? [])),
  }
}

export function inspection(name: string, words: { run?: string[]; materials?: string[]; products?: string[] } = {}): any {
  return {
    _type: 'inspection',
    name,
    run: words.run ?? ['true'],
    expected_materials: rules(...(words.materials ?? [])),
    expected_products: rules(...(words.products ?? [])),
  }
}

/** A layout with everybody's keys in it, so that authorisation is what a step says. Changes are merged in last. */
export function layout(steps: any[], changes: Record<string, unknown> = {}): any {
  const keys: Record<string, unknown> = {}
  for (const { key } of [alice, bob, carol]) keys[key.keyid] = toLayoutKey(key)
  return { _type: 'layout', expires: '2099-01-01T00:00:00Z', readme: '', keys, steps, inspect: [], ...changes }
}

/** Signs anything, valid or not. */
export async function signed(payload: object, by: readonly Person[], o?: SignOptions): Promise<Uint8Array> {
  const metadata: Metadata = await sign(
    payload as unknown as Payload,
    by.map(({ signer }) => signer),
    o,
  )
  return encodeMetadata(metadata)
}

/** One link file under its right name. */
export async function linkFile(by: Person, init: LinkInit | Link, o?: SignOptions): Promise<Record<string, Uint8Array>> {
  const link = '_type' in init ? init : createLink(init)
  return { [linkFileName(link.name, by.key.keyid)]: await signed(link, [by], o) }
}

export interface Chain {
  layout: object
  links?: Record<string, Uint8Array>[]
  options?: Partial<VerifyOptions>
  format?: 'dsse' | 'metablock'
  by?: Person[]
}

/** Signs the layout as its owner, and judges. */
export async function verdict(chain: Chain): Promise<Report> {
  const bytes = await signed(chain.layout, chain.by ?? [owner], chain.format === undefined ? {} : { format: chain.format })
  return judge(decodeMetadata(bytes), {
    keys: [owner.key],
    links: memoryLinks(Object.assign({}, ...(chain.links ?? []))),
    ...chain.options,
  })
}

export function errorsOf(report: Report): Problem[] {
  return report.problems.filter(({ severity }) => severity === 'error')
}

export function codesOf(report: Report): string[] {
  return errorsOf(report).map(({ code }) => code)
}

export function warningsOf(report: Report): Problem[] {
  return report.problems.filter(({ severity }) => severity === 'warning')
}

/** The error that something throws. */
export function thrownBy(call: () => unknown): any {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
