/** `intoto keygen`: makes a key pair. Never overwrites a file; the private one is for its owner's eyes alone from the moment it exists. */
import { Option } from './flags.ts'
import { generateKeyPair, importKey, InTotoError, keyids, utf8 } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Call, CommandFile } from './command.ts'
import { misuse } from './failure.ts'
import { passwordOf } from './signing.ts'

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
    ['INTOTO_PASSWORD=… intoto keygen -o alice', 'the private key encrypted'],
  ],
  declare(command) {
    command
      .addOption(new Option('--type <type>', 'kind of key').choices(types).default('ed25519'))
      .option('-o, --output <name>', 'file name of the private key', 'functionary')
      .option('-P, --password [password]', 'encrypt the private key; without a value the password is asked for (better: INTOTO_PASSWORD)')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const written = await writeKeyPair(flags.output, flags.type, await newPassword(flags.password, call))
    call.terminal.print(
      `${written.privateFile}       private, mode 0600: keep it secret\n${written.publicFile}   public, key id ${written.keyid}\n`,
    )
    return 0
  },
}

/** The password for a key that is being made: flag, prompt or environment. */
async function newPassword(flag: string | true | undefined, call: Call): Promise<string | undefined> {
  const { password } = await passwordOf(flag, call.terminal)
  return password ?? process.env['INTOTO_PASSWORD']
}

/**
 * Writes a new pair beside each other.
 * @throws InTotoError E_CONFIG when either file exists, E_IO when one can't be written
 */
export async function writeKeyPair(
  name: string,
  type: Flags['type'],
  password: string | undefined,
): Promise<{ privateFile: string; publicFile: string; keyid: string }> {
  const publicFile = `${name}.pub`
  for (const file of [name, publicFile]) {
    if (existsSync(file)) throw misuse(`keygen: ${file} exists already and is not overwritten`, 'choose another name with -o')
  }
  makeFolder(dirname(name))
  const pair = await generateKeyPair(type, password ? { password } : {})
  writeFileAtomic(name, utf8(pair.privatePem), { mode: 0o600, exclusive: true })
  writeFileAtomic(publicFile, utf8(pair.publicPem), { mode: 0o644, exclusive: true })
  return { privateFile: name, publicFile, keyid: keyids(await importKey(pair.publicPem))[0] ?? '' }
}

/** A folder that is made for a private key is for its owner alone; one that is there stays as it is. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new InTotoError(
      { code: 'E_IO', message: 'the folder for the key cannot be made', file: path, fix: 'choose another place with -o' },
      { cause },
    )
  }
}
