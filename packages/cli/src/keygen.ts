/** `intoto keygen`: makes a key pair. Never overwrites a file; the private one is for its owner's eyes alone from the moment it exists. */
import { Option } from './flags.ts'
import { generateKeyPair, importKey, keyids, utf8 } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Call, CommandFile } from './command.ts'
import { misuse } from './failure.ts'
import { makeFolder } from './folder.ts'
import { newPassword } from './signing.ts'

const types = ['ed25519', 'ecdsa', 'ecdsa-p384', 'ecdsa-p521', 'rsa'] as const

interface Flags {
  type: (typeof types)[number]
  output: string
  password?: string | true
}

/** `intoto keygen`. */
export const keygen: CommandFile = {
  usage: '[--type TYPE] [-o NAME]',
  summary: 'Makes a private key NAME (PKCS#8 PEM, mode 0600) and its public half NAME.pub (SPKI PEM).',
  examples: [
    ['intoto keygen -o ~/.config/in-toto/alice', 'an Ed25519 key outside the repository'],
    ['intoto keygen --type ecdsa -o ci', 'ECDSA over P-256'],
    ['intoto keygen -P -o alice', 'the private key encrypted; also where INTOTO_PASSWORD or INTOTO_PASSWORD_FILE is set'],
  ],
  declare(command) {
    command
      .addOption(new Option('--type <type>', 'kind of key').choices(types).default('ed25519'))
      .option('-o, --output <name>', 'file name of the private key', 'functionary')
      .option(
        '-P, --password [password]',
        'encrypt the private key; without a value the password is asked for (default: INTOTO_PASSWORD, then INTOTO_PASSWORD_FILE)',
      )
  },
  async run(call: Call) {
    const flags = call.options as Flags
    call.terminal.print(pairLines(await writeKeyPair(flags.output, flags.type, await newPassword(flags.password, call.terminal))))
    return 0
  },
}

/** A key pair on disk. */
export interface WrittenPair {
  readonly privateFile: string
  readonly publicFile: string
  readonly keyid: string
  readonly encrypted: boolean
}

/** Where both halves are; whether the private one is encrypted nobody should have to look up. */
export function pairLines({ privateFile, publicFile, keyid, encrypted }: WrittenPair): string {
  return `${privateFile}       private, mode 0600, ${encrypted ? 'encrypted' : 'not encrypted'}: keep it secret\n${publicFile}   public, key id ${keyid}\n`
}

/**
 * Writes a new pair beside each other.
 * @throws InTotoError E_CONFIG when either file exists, E_IO when one can't be written
 */
export async function writeKeyPair(name: string, type: Flags['type'], password: string | undefined): Promise<WrittenPair> {
  const publicFile = `${name}.pub`
  for (const file of [name, publicFile]) {
    if (existsSync(file)) throw misuse(`keygen: ${file} exists already and is not overwritten`, 'choose another name with -o')
  }
  // Whoever may look into the folder of a private key sees at least that there is one.
  makeFolder(dirname(name), { mode: 0o700, fix: 'choose another place with -o' })
  const pair = await generateKeyPair(type, password === undefined ? {} : { password })
  writeFileAtomic(name, utf8(pair.privatePem), { mode: 0o600, exclusive: true })
  writeFileAtomic(publicFile, utf8(pair.publicPem), { mode: 0o644, exclusive: true })
  return { privateFile: name, publicFile, keyid: keyids(await importKey(pair.publicPem))[0] ?? '', encrypted: password !== undefined }
}
