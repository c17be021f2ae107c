/**
 * What the flags of `intoto serve` come to: layouts, keys, evidence, limits, and where to listen. Everything is read once before the server starts, so that
 * a mistake ends the command; layouts and evidence are read again for each verdict.
 */
import { defaultLimits, InTotoError, type Limits } from 'intoto'
import { linkDirectory, readMetadataFile } from 'intoto/node'
import { type AdmissionLayout, type AdmissionLimits, defaultAdmissionLimits } from 'intoto-npm/admission'
import { checkStores, storeAt } from '../evidence.ts'
import { misuse } from '../failure.ts'
import type { Terminal } from '../terminal.ts'
import { keyNames, readKeys, readLayout, requireKeys } from '../trust.ts'
import { linkFolders } from '../verdict.ts'
import { limitsOf, namedOrBare, parametersOf } from '../words.ts'

/** What the flags leave behind. */
export interface ServeFlags {
  verificationKeys?: string[]
  layout?: string[]
  linkDir?: string[]
  store?: string[]
  imageStep?: string
  substitutionParameters?: string[]
  commandMismatch: 'error' | 'warn'
  statements?: boolean
  limit?: string[]
  registry?: string
  host: string
  port: string
  tlsCert?: string
  tlsKey?: string
  withoutTls?: boolean
}

/** Limits of the verification, and of the admission. */
export interface SplitLimits {
  readonly metadata: Partial<Limits>
  readonly admission: Partial<AdmissionLimits>
}

/** Both kinds of limits by name. @throws InTotoError E_CONFIG */
export function splitLimits(words: readonly string[] | undefined): SplitLimits {
  const all = Object.entries(limitsOf(words, [...Object.keys(defaultAdmissionLimits), ...Object.keys(defaultLimits)]))
  const isOurs = ([name]: [string, number]): boolean => Object.hasOwn(defaultAdmissionLimits, name)
  return { admission: Object.fromEntries(all.filter(isOurs)), metadata: Object.fromEntries(all.filter((one) => !isOurs(one))) }
}

/**
 * The layouts, in the order in which they are asked.
 * @throws InTotoError as reading layouts and keys does; E_CONFIG for a pattern that can never decide
 */
export async function readLayouts(flags: ServeFlags, limits: SplitLimits, terminal: Terminal): Promise<AdmissionLayout[]> {
  const keys = await readKeys(requireKeys(flags.verificationKeys, 'serve'))
  const given = (flags.layout ?? ['in-toto/root.layout']).map(namedOrBare)
  const bare = given.findIndex(({ name }) => name === undefined)
  if (bare >= 0 && bare < given.length - 1)
    throw misuse(
      `serve: "${given[bare]?.value}" is the layout for everything, so those after it never decide`,
      'put PATTERN=LAYOUT before it',
    )
  const evidence = evidenceOf(flags, limits, terminal)
  const parameters = parametersOf(flags.substitutionParameters)
  const layouts: AdmissionLayout[] = []
  for (const { name = '*', value: file } of given) {
    const { payload } = readLayout(file, limits.metadata)
    const steps = payload.steps.map((step) => step.name)
    if (flags.imageStep !== undefined && !steps.includes(flags.imageStep))
      throw misuse(`serve: ${file} has no step "${flags.imageStep}"`, `--image-step ${steps.join(', or ')}`)
    layouts.push({
      for: [name],
      layout: () => readLayout(file, limits.metadata),
      layoutFile: file,
      keys: keys.map(({ key }) => key),
      names: await keyNames(keys, { file, layout: payload }),
      evidence,
      parameters,
      commandMismatch: flags.commandMismatch,
      statements: flags.statements === true,
      ...(flags.imageStep === undefined ? {} : { imageStep: flags.imageStep }),
    })
  }
  return layouts
}

/** Folders and stores; with stores alone no folder is looked into. */
function evidenceOf(flags: ServeFlags, limits: SplitLimits, terminal: Terminal): AdmissionLayout['evidence'] {
  checkStores(flags.store)
  const stores = (flags.store ?? []).map((address) =>
    storeAt(address, terminal, { timeout: limits.admission.timeout ?? defaultAdmissionLimits.timeout }),
  )
  const folders = flags.linkDir ?? (stores.length > 0 ? [] : linkFolders([]))
  const { fileBytes } = limits.metadata
  return [...(folders.length === 0 ? [] : [linkDirectory(folders, fileBytes === undefined ? {} : { limit: fileBytes })]), ...stores]
}

/** Where to listen, and as whom. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array }
}

/**
 * The address, with certificate and key where they are named.
 * @throws InTotoError E_CONFIG: no port, half of a pair, or plain HTTP for other machines that nobody asked for by name; E_IO
 */
export function readPlace({ host, port, tlsCert, tlsKey, withoutTls }: ServeFlags): Place {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw misuse(`serve: --port: expected 0 to 65535, found "${port}"`, '--port 8443')
  const place = { host, port: Number(port) }
  if (tlsCert !== undefined && tlsKey !== undefined) return { ...place, tls: { cert: readPem(tlsCert), key: readPem(tlsKey) } }
  if (tlsCert !== undefined || tlsKey !== undefined)
    throw misuse(`serve: --tls-cert and --tls-key belong together`, '--tls-cert server.crt --tls-key server.key')
  if (isLoopback(host) || withoutTls === true) return place
  throw misuse(
    `serve: plain HTTP on ${host}: whoever is on the way to it can change every answer`,
    '--tls-cert FILE --tls-key FILE, or --without-tls where something before it speaks TLS',
  )
}

/** Only this machine can reach these. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** Chains of certificates are longer than keys. */
function readPem(path: string): Uint8Array {
  try {
    return readMetadataFile(path, { what: 'key', limit: 1024 * 1024 })
  } catch (cause) {
    if (!(cause instanceof InTotoError)) throw cause
    throw misuse(`serve: ${cause.message}`, cause.problem.fix)
  }
}
