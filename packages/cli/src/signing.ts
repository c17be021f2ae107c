/**
 * The flags with which a command is given a private key, and the signer behind them. Used by every command that signs. A password or key never
 * reaches a message; the environment's key is taken out of it once it is read, so that no command we start inherits it.
 */
import { readFileSync } from 'node:fs'
import { type Command, Option } from './flags.ts'
import { InTotoError, keyidFor, type Signer, type SignOptions } from 'intoto'
import { findPassword, findSigner, loadSigner } from 'intoto/node'
import { headline, misuse } from './failure.ts'
import type { Terminal } from './terminal.ts'

/** What the flags of `declareGpg` leave behind. */
export interface GpgFlags {
  gpg?: string[] | true
  gpgHome?: string
}

/** What the flags of `declareSigner` and `declareFormat` leave behind. */
export interface SigningFlags extends GpgFlags {
  signingKey?: string
  password?: string | true
  keyidStyle: 'python' | 'go' | 'devguard'
  format?: 'dsse' | 'metablock'
  useDsse?: boolean
}

/** Adds --signing-key and its relatives. */
export function declareSigner(command: Command): void {
  command
    .option('--signing-key <ref>', 'private key: a path, file:PATH or env:NAME (default: INTOTO_KEY, then INTOTO_KEY_FILE)')
    .option('-P, --password [password]', 'password of that key; without a value it is asked for (better: INTOTO_PASSWORD)')
    .addOption(new Option('--keyid-style <style>', 'whose key id names the link').choices(['python', 'go', 'devguard']).default('python'))
  declareGpg(command)
}

/** Adds the flags of OpenPGP, once: they are known so that `refuseGpg` can say why they are refused. */
export function declareGpg(command: Command): void {
  if (command.options.some((option) => option.long === '--gpg')) return
  command
    .addOption(new Option('-g, --gpg [id...]', 'not supported').hideHelp())
    .addOption(new Option('--gpg-home <path>', 'not supported').hideHelp())
}

/** Adds the choice of envelope. */
export function declareFormat(command: Command): void {
  command
    .addOption(new Option('--format <format>', 'envelope of what is written (default: dsse)').choices(['dsse', 'metablock']))
    .option('--use-dsse', 'the same as --format dsse')
}

/**
 * Refuses OpenPGP keys, which the reference reads through an installed gpg.
 * @throws InTotoError E_UNSUPPORTED
 */
export function refuseGpg(flags: GpgFlags): void {
  if (flags.gpg === undefined && flags.gpgHome === undefined) return
  const message = 'OpenPGP keys are not supported: their validity and revocation are not part of in-toto’s procedure'
  throw new InTotoError({
    code: 'E_UNSUPPORTED',
    message,
    fix: 'make a key with "intoto keygen" and give it with --signing-key, -k or --verification-keys',
  })
}

/**
 * The signer that a command was given, or that the environment names.
 * @throws InTotoError E_CONFIG when none was, E_KEY or E_IO when it can't be loaded, E_UNSUPPORTED for OpenPGP
 */
export async function requireSigner(flags: SigningFlags, terminal: Terminal): Promise<Signer> {
  refuseGpg(flags)
  const found = findSigner({ given: flags.signingKey, env: process.env, ci: isCI(process.env), packageName: packageName() })
  if (found === undefined)
    throw misuse('no signing key was given', '--signing-key PATH, or set INTOTO_KEY_FILE; "intoto keygen" makes a key')
  if (flags.signingKey === undefined) terminal.note(`[in-toto] signing with ${found.from}`)
  return openSigner(found.ref, await passwordOf(flags.password, terminal), terminal)
}

/**
 * A private key by its reference; that others can read its file is said.
 * @throws InTotoError E_KEY
 */
export function openSigner(ref: string, password: { password?: string }, terminal: Terminal): Promise<Signer> {
  return loadSigner(ref, { ...password, warn: (p) => terminal.note(headline(p, terminal.err)) })
}

/** Name of the package here, under which a key may be kept. */
function packageName(): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync('package.json', 'utf8')) as { name?: unknown }
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

/** Whether this runs where nobody sits. */
export function isCI(env: NodeJS.ProcessEnv): boolean {
  const ci = env['CI']
  return ci !== undefined && ci !== '' && ci !== '0' && ci !== 'false'
}

/**
 * The password flag as an option of `loadSigner`, which itself looks at INTOTO_PASSWORD and INTOTO_PASSWORD_FILE.
 * @throws InTotoError E_CONFIG for an empty password; as `askedPassword`
 */
export async function passwordOf(flag: string | true | undefined, terminal: Terminal): Promise<{ password?: string }> {
  if (flag === undefined) return {}
  return { password: flag === true ? await askedPassword(['password: ']) : spokenPassword(flag, terminal) }
}

/**
 * The password for a private key that is being made: from the flag, from whoever sits there (twice, since nobody sees what is typed), or from the
 * environment. Undefined where none was given: the key is then not encrypted.
 * @throws InTotoError E_CONFIG for an empty password or two that differ; as `askedPassword`
 */
export async function newPassword(flag: string | true | undefined, terminal: Terminal): Promise<string | undefined> {
  if (flag === undefined) return findPassword(process.env)
  return flag === true ? askedPassword(['password for the new key: ', 'the same again: ']) : spokenPassword(flag, terminal)
}

/**
 * A password that is asked for. Where nobody sits it is that of the environment, as our own advice has it.
 * @throws InTotoError E_CONFIG: there is neither, or what is typed is empty or not the same; E_KEY of `findPassword`
 */
async function askedPassword(questions: readonly string[]): Promise<string> {
  if (!process.stdin.isTTY) {
    const password = findPassword(process.env)
    if (password !== undefined) return password
    throw misuse('there is no terminal to ask for a password on', 'set INTOTO_PASSWORD or INTOTO_PASSWORD_FILE')
  }
  const [password = '', ...again] = await (await import('./prompt.ts')).askSecrets(questions)
  if (again.some((other) => other !== password)) throw misuse('the two passwords are not the same', 'the same command again')
  return filled(password)
}

/** A password on the command line. @throws InTotoError E_CONFIG for an empty one */
function spokenPassword(flag: string, terminal: Terminal): string {
  const password = filled(flag)
  terminal.note(
    'E_CONFIG --password  stands on the command line, where other users can read it; INTOTO_PASSWORD or a bare -P keep it secret',
  )
  return password
}

/** An empty password is most often a variable that is not set: a key under it would be as good as not encrypted. */
function filled(password: string): string {
  if (password !== '') return password
  throw misuse('the password is empty', 'give one, or leave -P out for a key that is not encrypted')
}

/**
 * How a link is to be signed: in which envelope, under which key id.
 * @throws InTotoError E_CONFIG when the flags contradict each other
 */
export function signOptions(flags: Pick<SigningFlags, 'keyidStyle' | 'format' | 'useDsse'>): Required<SignOptions> {
  if (flags.useDsse && flags.format === 'metablock')
    throw misuse('--use-dsse and --format metablock exclude each other', 'leave one of them out')
  return { format: flags.format ?? 'dsse', keyids: (key) => [keyidFor(key, flags.keyidStyle)] }
}
