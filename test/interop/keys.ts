/**
 * A handful of throw-away keys of every kind, made when a test starts and kept in its temporary folder, with what each implementation
 * needs of them: PEM text and files, our signer, and the ids under which Python and Go know them.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importKey, importSigner, keyidFor, type Key, type Signer } from 'intoto'

type Pair = { publicKey: KeyObject; privateKey: KeyObject }
const pairOf = {
  ed25519: (): Pair => generateKeyPairSync('ed25519'),
  ecdsa: (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ecdsa-p384': (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'ecdsa-p521': (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  'rsa-2048': (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'rsa-3072': (): Pair => generateKeyPairSync('rsa', { modulusLength: 3072 }),
  'rsa-4096': (): Pair => generateKeyPairSync('rsa', { modulusLength: 4096 }),
}
export type KeyType = keyof typeof pairOf
export const keyTypes: readonly KeyType[] = Object.keys(pairOf) as KeyType[]
/** Whose derivation of key ids: Python's, or Go's. */
export type Style = 'python' | 'go'

export interface TestKey {
  readonly type: KeyType
  readonly publicPem: string
  readonly privatePem: string
  readonly publicFile: string
  readonly privateFile: string
  readonly signer: Signer
  readonly key: Key
  readonly ids: Readonly<Record<Style, string>>
}

/** Makes a key of this type and writes both halves below `folder`. */
export async function makeKey(type: KeyType, folder: string, name: string): Promise<TestKey> {
  const pair = pairOf[type]()
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const privateFile = join(folder, name)
  const publicFile = `${privateFile}.pub`
  writeFileSync(privateFile, privatePem, { mode: 0o600 })
  writeFileSync(publicFile, publicPem)
  const key = await importKey(publicPem)
  const ids = { python: keyidFor(key, 'python'), go: keyidFor(key, 'go') }
  return { type, publicPem, privatePem, publicFile, privateFile, signer: await importSigner(privatePem), key, ids }
}

/** Several keys of every type; the quick ones more often. */
export async function makeKeys(folder: string): Promise<TestKey[]> {
  const wanted: [KeyType, number][] = [
    ['ed25519', 8],
    ['ecdsa', 6],
    ['ecdsa-p384', 1],
    ['ecdsa-p521', 1],
    ['rsa-2048', 2],
  ]
  const keys: TestKey[] = []
  for (const [type, count] of wanted) for (let i = 0; i < count; i++) keys.push(await makeKey(type, folder, `${type}-${i}`))
  return keys
}
