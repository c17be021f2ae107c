/**
 * `intoto sign`: signs a layout or link, adds a signature, or checks signatures. The payload is never changed; where the result goes follows the
 * reference.
 */
import { Option } from './flags.ts'
import {
  addSignature,
  encodeMetadata,
  hasSignature,
  isLayout,
  isLink,
  type Key,
  keyidFor,
  linkFileName,
  type Metadata,
  type Signer,
  sign,
} from 'intoto'
import { readMetadataFile, writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, misuse } from './failure.ts'
import { declareGpg, type GpgFlags, openSigner, passwordOf, refuseGpg } from './signing.ts'
import { refuseTarget } from './target.ts'
import { escape, type Terminal } from './terminal.ts'
import { decodeFile, nameOf, readKeys } from './trust.ts'

interface Flags extends GpgFlags {
  file: string
  key?: string[]
  prompt?: boolean
  output?: string
  append?: boolean
  verify?: boolean
  keyidStyle?: 'python' | 'go' | 'both'
}

/** `intoto sign`. */
export const signCommand: CommandFile = {
  usage: '-f FILE -k KEY… [-o OUT] [-a] [--verify]',
  summary: 'Signs a layout or link with private keys (replacing its signatures, or adding with -a), or checks it with public keys.',
  examples: [
    ['intoto sign -f unsigned.layout -k owner -o root.layout', 'sign a layout'],
    ['intoto sign -f root.layout -k second -a', 'add a second owner’s signature'],
    ['intoto sign -f root.layout -k owner.pub second.pub --verify', 'check them: exit code 0 if each has signed'],
  ],
  declare(command) {
    command
      .requiredOption('-f, --file <path>', 'layout or link')
      .option('-k, --key <ref...>', 'private keys to sign with (a path, file:PATH or env:NAME), or public ones to check with')
      .option('-p, --prompt', 'ask for the password of the private key')
      .option('-o, --output <path>', 'where the signed file goes (default: a layout to where it was, a link to <step>.<key id>.link)')
      .option('-a, --append', 'add to the signatures; layouts only')
      .option('--verify', 'check signatures in place of signing')
      .addOption(
        new Option('--keyid-style <style>', 'whose key ids sign (default: both for a layout, python for a link)').choices([
          'python',
          'go',
          'both',
        ]),
      )
    declareGpg(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    refuseGpg(flags)
    if (flags.key === undefined) throw misuse('sign: no key was given', '-k PATH')
    if (flags.verify && (flags.append || flags.output !== undefined)) throw misuse('sign: --verify excludes -a and -o', 'leave them out')
    const metadata = decodeFile(readMetadataFile(flags.file), flags.file)
    const kind = isLayout(metadata.payload) ? 'layout' : isLink(metadata.payload) ? 'link' : 'Statement'
    if (kind === 'Statement') throw misuse('sign: a Statement is no layout or link', 'intoto show FILE reads it')
    if (kind === 'link' && flags.key.length > 1)
      throw misuse('sign: a link has one functionary, several keys were given', 'one -k for each link')
    if (kind === 'link' && flags.append)
      throw misuse('sign: a link has one functionary, its signature can only be replaced', 'leave -a out')
    if (flags.output !== undefined) refuseTarget(flags.output, { command: 'sign', content: `a ${kind}` })
    if (flags.verify) return verifySignatures(metadata, await readKeys(flags.key), call.terminal)
    const signers = await loadSigners(flags.key, flags.prompt, call.terminal)
    const style = flags.keyidStyle ?? (kind === 'layout' ? 'both' : 'python')
    if (kind === 'link' && style === 'both') throw misuse('sign: a link is found by one key id', '--keyid-style python or go')
    const signed = await signWith(metadata, signers, { style, append: flags.append === true })
    const path = flags.output ?? (kind === 'layout' ? flags.file : linkName(signed))
    writeFileAtomic(path, encodeMetadata(signed))
    call.terminal.note(
      `[in-toto] ${kind} signed by ${signers.map((s) => keyidFor(s.key, 'python').slice(0, 8)).join(', ')} -> ${escape(path)}`,
    )
    return exitCodes.ok
  },
}

/** Key ids of a style; a file signed under both holds the one signature twice, so that each reference tool finds its own. */
export function idsOf(style: 'python' | 'go' | 'both'): (key: Key) => readonly string[] {
  return (key) => (style === 'both' ? [keyidFor(key, 'python'), keyidFor(key, 'go')] : [keyidFor(key, style)])
}

/** Private keys for a list of references. */
export async function loadSigners(refs: readonly string[], prompt: boolean | undefined, terminal: Terminal): Promise<Signer[]> {
  const signers: Signer[] = []
  for (const ref of refs) signers.push(await openSigner(ref, await passwordOf(prompt ? true : undefined, terminal), terminal))
  return signers
}

async function signWith(
  metadata: Metadata,
  signers: readonly Signer[],
  o: { style: 'python' | 'go' | 'both'; append: boolean },
): Promise<Metadata> {
  const keyids = idsOf(o.style)
  if (!o.append) return sign(metadata.payload, signers, { format: metadata.format, keyids })
  let signed = metadata
  for (const signer of signers) signed = await addSignature(signed, signer, { keyids })
  return signed
}

function linkName(link: Metadata): string {
  return linkFileName((link.payload as { name: string }).name, link.signatures[0]?.keyid ?? '')
}

/** Each key must have signed. */
async function verifySignatures(metadata: Metadata, keys: readonly { key: Key; name: string }[], terminal: Terminal): Promise<number> {
  let missing = 0
  const lines: { signed: boolean; text: string }[] = []
  for (const { key, name } of keys) {
    const signed = await hasSignature(metadata, key)
    if (!signed) missing++
    const text = signed
      ? ` ${terminal.out.green('ok')}     signed by ${nameOf(key, name)}`
      : ` ${terminal.out.red('FAIL')}   no valid signature of ${nameOf(key, name)}`
    lines.push({ signed, text })
  }
  terminal.print(lines.map(({ text }) => `${text}\n`).join(''))
  if (terminal.quiet) for (const { text } of lines.filter(({ signed }) => !signed)) terminal.complain(text)
  return missing === 0 ? exitCodes.ok : exitCodes.refused
}
