/**
 * `intoto key show|rotate`: the ids of a key as every implementation computes them, and a key's successor in a layout. A private key file is
 * shown as its public half; nothing secret is printed.
 */
import { existsSync } from 'node:fs'
import { encodeMetadata, type Key, keyidFor, keyids, sameKey, sign } from 'intoto'
import { loadKey, loadSigner, readMetadataFile, writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { usualLayout } from './draft.ts'
import { exitCodes, misuse } from './failure.ts'
import { withKey } from './functionary.ts'
import { pairLines, writeKeyPair } from './keygen.ts'
import { idsOf, loadSigners } from './sign.ts'
import { newPassword, passwordOf } from './signing.ts'
import { escape } from './terminal.ts'
import { readLayout } from './trust.ts'

/** `intoto key show`. */
export const show: CommandFile = {
  usage: 'FILE…',
  summary: 'Prints type and ids of keys: as in-toto for Python and for Go compute them, and what link files are named by.',
  examples: [
    ['intoto key show in-toto/owner.pub', 'a public key'],
    ['intoto key show ~/.config/in-toto/alice', 'a private key: its public half is shown'],
  ],
  declare(command) {
    command.argument('<file...>', 'key files in PEM')
    command.option('-P, --password [password]', 'password of a private key; without a value it is asked for')
  },
  async run(call: Call) {
    for (const file of call.args) call.terminal.print(`${keyLines(await anyKey(file, call), file).join('\n')}\n`)
    return exitCodes.ok
  },
}

/** The key in a public or private key file. */
async function anyKey(file: string, call: Call): Promise<Key> {
  const text = String.fromCharCode(...readMetadataFile(file, { what: 'key' }))
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return loadKey(file)
  return (await loadSigner(file, await passwordOf(call.options['password'] as string | true | undefined, call.terminal))).key
}

/** What there is to say of a key. */
export function keyLines(key: Key, file: string): string[] {
  const [python, go] = [keyidFor(key, 'python'), keyidFor(key, 'go')]
  const others = keyids(key).filter((id) => id !== python && id !== go)
  return [
    `${escape(file)}  ${escape(key.keytype)}, ${escape(key.scheme)}`,
    `  python  ${python}   <step>.${python.slice(0, 8)}.link`,
    `  go      ${go}   <step>.${go.slice(0, 8)}.link`,
    ...others.map((id) => `  other   ${escape(id)}`),
  ]
}

interface RotateFlags {
  output: string
  layout?: string
  signWith?: string[]
  type?: 'ed25519' | 'ecdsa' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa'
  password?: string | true
}

/** `intoto key rotate`. */
export const rotate: CommandFile = {
  usage: 'OLD.pub -o NEW [-l LAYOUT --sign-with REF…]',
  summary: 'Makes a new key of the same kind and, in a layout, lets it do what the old one did. The old key may do it no longer.',
  examples: [
    ['intoto key rotate ci.pub -o ci2 -l in-toto/root.layout --sign-with owner', 'ci2 takes over in the layout, the owner signs it again'],
    ['intoto key rotate ci.pub -o ci2', 'only the key pair'],
  ],
  declare(command) {
    command
      .argument('<old>', 'public key that is replaced')
      .requiredOption('-o, --output <name>', 'file name of the new private key; NAME.pub is its public half')
      .option('-l, --layout <path>', 'layout in which the new key takes the old one’s place')
      .option('--sign-with <ref...>', 'private keys of the layout’s owners')
      .option(
        '-P, --password [password]',
        'encrypt the new private key; without a value the password is asked for (default: INTOTO_PASSWORD, then INTOTO_PASSWORD_FILE)',
      )
  },
  async run(call: Call) {
    const flags = call.options as RotateFlags
    if ((flags.layout === undefined) !== (flags.signWith === undefined))
      throw misuse(
        'key rotate: -l and --sign-with belong together: a changed layout must be signed again',
        flags.layout === undefined ? `-l ${usualLayout}` : '--sign-with OWNER',
      )
    const old = await loadKey(call.args[0] ?? '')
    for (const file of [flags.output, `${flags.output}.pub`])
      if (existsSync(file)) throw misuse(`key rotate: ${file} exists already and is not overwritten`, 'choose another name with -o')
    const layout = flags.layout === undefined ? undefined : readLayout(flags.layout)
    if (layout !== undefined && !Object.values(layout.payload.keys).some((key) => sameKey(key, old))) {
      throw misuse(`key rotate: the layout ${flags.layout} does not list the key ${call.args[0]}`, `intoto show ${flags.layout}`)
    }
    const signers = await loadSigners(flags.signWith ?? [], false, call.terminal)
    const made = await writeKeyPair(flags.output, typeOf(old), await newPassword(flags.password, call.terminal))
    if (layout !== undefined && flags.layout !== undefined) {
      const next = await sign(withKey(layout.payload, old, await loadKey(made.publicFile)), signers, {
        format: layout.format,
        keyids: idsOf('both'),
      })
      writeFileAtomic(flags.layout, encodeMetadata(next))
      call.terminal.note(
        `[in-toto] ${escape(flags.layout)}: ${made.keyid.slice(0, 8)} in place of ${keyidFor(old, 'python').slice(0, 8)}, signed`,
      )
    }
    call.terminal.print(pairLines(made))
    return exitCodes.ok
  },
}

/** The kind of key that `keygen` would make such a one by. */
function typeOf(key: Key): NonNullable<RotateFlags['type']> {
  if (key.keytype === 'rsa') return 'rsa'
  if (key.keytype === 'ed25519') return 'ed25519'
  return key.scheme.endsWith('nistp384') ? 'ecdsa-p384' : key.scheme.endsWith('nistp521') ? 'ecdsa-p521' : 'ecdsa'
}
