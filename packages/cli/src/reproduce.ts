/**
 * `intoto reproduce`: does a step give the same products twice? It is carried out again in a clean copy, or the links of other builders are taken; what
 * differs is named, with the likely reason. The strict form is a layout with a threshold of two builders, which `intoto verify` judges.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Option } from './flags.ts'
import {
  compareLinks,
  explainDiscrepancy,
  hasSignature,
  InTotoError,
  isLink,
  keyidFor,
  type Link,
  type Metadata,
  type Problem,
  type Reproduction,
  reproductionProblems,
  sign,
} from 'intoto'
import { readMetadataFile } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, misuse } from './failure.ts'
import { jsonText } from './formats/json.ts'
import { commandLine, count, inOrder } from './formats/phrase.ts'
import { problemLines } from './formats/text.ts'
import { complainQuietly } from './output.ts'
import { evidenceFolder, putLink } from './recording.ts'
import { rebuild, type Rebuilt } from './rebuild.ts'
import { declareSigner, requireSigner, type SigningFlags } from './signing.ts'
import { escape, type Terminal } from './terminal.ts'
import { decodeFile, type NamedKey, nameOf, readKeys } from './trust.ts'
import { refuseEmptyProgram, splitCommand } from './words.ts'

interface Flags extends Omit<SigningFlags, 'format'> {
  link: string
  against?: string[]
  verificationKeys?: string[]
  prepare?: string
  products?: string[]
  metadataDirectory?: string
  format: 'text' | 'json'
}

/** A link and where it comes from. */
interface Found {
  readonly link: Link
  readonly from: string
  /** Folder that the files were made in, where that is here. */
  readonly root?: string
}

/** `intoto reproduce`. */
export const reproduce: CommandFile = {
  usage: '-l LINK [--against LINK…] [-k KEY…] [--prepare COMMAND] [--signing-key REF] [-- COMMAND…]',
  summary: 'Carries out a step again, or takes the links of other builders, and says which products differ, and why that may be.',
  examples: [
    ['intoto reproduce -l dist/build.4f3c9a1b.link -k ci.pub', 'once more, in a clean copy of this repository'],
    ['intoto reproduce -l dist/build.4f3c9a1b.link -k ci.pub --prepare "npm ci"', 'with packages that are installed anew'],
    ['intoto reproduce -l build.4f3c9a1b.link --against build.c0ffee12.link -k ci.pub ci2.pub', 'two builders, nothing is run'],
    ['intoto reproduce -l build.4f3c9a1b.link -k ci.pub --signing-key ~/keys/second', 'and sign what came out, as the second builder'],
  ],
  declare(command) {
    command
      .argument('[command...]', "after --: in place of the link's command")
      .requiredOption('-l, --link <path>', 'link of the step')
      .option('--against <path...>', 'links of other builders; then nothing is run')
      .option('-k, --verification-keys <path...>', 'public keys; each link must be signed by one of them')
      .option('--prepare <command>', 'run first in the clean copy, in place of copying node_modules: "npm ci"')
      .option('-p, --products <path...>', "files and folders that the step makes (default: where the link's products lie)")
      .option('-d, --metadata-directory <dir>', 'where the new link goes if a key is given (default: in-toto/ if it exists, else here)')
      .addOption(new Option('--format <format>', 'form of the answer').choices(['text', 'json']).default('text'))
    declareSigner(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    refuseEmptyProgram('reproduce', call.args)
    const prepare = flags.prepare === undefined ? undefined : prepareOf(flags.prepare)
    const keys = await readKeys(flags.verificationKeys ?? [])
    const metadata = readLink(flags.link)
    await checkSigner(metadata, flags.link, keys)
    const first: Found = { link: metadata.payload, from: flags.link, root: '.' }
    if (flags.against === undefined && keys.length === 0 && call.args.length === 0) throw unnamed(first)
    const others =
      flags.against === undefined
        ? [await again(metadata, { flags, prepare, command: call.args, terminal: call.terminal })]
        : await given(flags.against, { step: first.link.name, keys, words: call.args })
    const results = others.map((second) => {
      const found = compareLinks(first.link, second.link, (name) => discrepancy(name, first, second))
      return { found, second: second.from, problems: reproductionProblems(found, { first: first.from, second: second.from }) }
    })
    const ok = results.every(({ found }) => found.ok)
    if (flags.format === 'json') call.terminal.give(`${jsonText(jsonOf(first, ok, results))}\n`)
    else call.terminal.print(textOf(first, { ok, results, terminal: call.terminal, unsigned: keys.length === 0 }))
    if (flags.format === 'text')
      await complainQuietly(
        results.flatMap(({ problems }) => problems),
        call.terminal,
      )
    return ok ? exitCodes.ok : exitCodes.refused
  },
}

/** The words of --prepare. */
function prepareOf(line: string): string[] {
  const words = splitCommand(line)
  if ((words[0] ?? '') === '') throw misuse('reproduce: --prepare names no command', '--prepare "npm ci", or leave it out')
  return words
}

/** A link is anybody's file: what it says is run only when somebody who is trusted says it. */
function unnamed({ link }: Found): InTotoError {
  const command = link.command.length === 0 ? 'COMMAND' : commandLine(link.command)
  return misuse(`reproduce: no key was given, so nobody is trusted to name the command of "${escape(link.name)}"`, [
    '-k KEY.pub of whoever signed the link',
    `give the command: -- ${command}`,
  ])
}

function readLink(path: string): Metadata<Link> {
  const metadata = decodeFile(readMetadataFile(path, { what: 'link' }), path)
  if (isLink(metadata.payload)) return metadata as Metadata<Link>
  throw new InTotoError({ code: 'E_FORMAT', message: 'holds no link', file: path, fix: 'name a link file' })
}

async function checkSigner(metadata: Metadata<Link>, file: string, keys: readonly NamedKey[]): Promise<void> {
  if (keys.length === 0) return
  for (const { key } of keys) if (await hasSignature(metadata, key)) return
  const names = keys.map(({ key, name }) => nameOf(key, name)).join(', ')
  throw new InTotoError({
    code: 'E_SIGNATURE',
    message: `has no valid signature of ${names}`,
    file,
    fix: 'get the link again from whoever signed it, or name their key with -k',
  })
}

/** Links of other builders. */
async function given(paths: readonly string[], o: { step: string; keys: readonly NamedKey[]; words: readonly string[] }): Promise<Found[]> {
  if (o.words.length > 0) throw misuse('reproduce: --against compares links and runs nothing', 'leave out the command, or --against')
  const found: Found[] = []
  for (const path of paths) {
    const metadata = readLink(path)
    await checkSigner(metadata, path, o.keys)
    if (metadata.payload.name !== o.step)
      throw misuse(`reproduce: ${path} is of step "${metadata.payload.name}", the first link of "${o.step}"`, 'name links of one step')
    found.push({ link: metadata.payload, from: path })
  }
  return found
}

/** The step, carried out here once more; signed and written where a key was given. */
async function again(
  first: Metadata<Link>,
  o: { flags: Flags; prepare: readonly string[] | undefined; command: readonly string[]; terminal: Terminal },
): Promise<Found> {
  const { flags, terminal } = o
  const { format: _form, ...signing } = flags
  const signer = flags.signingKey === undefined ? undefined : await requireSigner(signing, terminal)
  if (signer !== undefined && (await hasSignature(first, signer.key)))
    throw misuse('reproduce: this key has signed the first link; a second builder needs one of its own', 'give another --signing-key')
  const rebuilt: Rebuilt = await rebuild(first.payload, {
    terminal,
    ...(o.command.length === 0 ? {} : { command: o.command }),
    ...(o.prepare === undefined ? {} : { prepare: o.prepare }),
    ...(flags.products === undefined ? {} : { products: flags.products }),
  })
  terminal.note(`[in-toto] carried out again at ${rebuilt.commit.slice(0, 12)}: ${commandLine(rebuilt.link.command)}`)
  if (signer !== undefined)
    putLink(
      await sign(rebuilt.link, [signer], { keyids: (key) => [keyidFor(key, flags.keyidStyle)] }),
      flags.metadataDirectory ?? evidenceFolder(),
      terminal,
    )
  return { link: rebuilt.link, from: 'the clean copy', root: rebuilt.root }
}

/** Looks into both versions of a file, where both are at hand and are what the links say. */
function discrepancy(name: string, first: Found, second: Found): string | undefined {
  const [a, b] = [bytesOf(name, first), bytesOf(name, second)]
  if (a === undefined || b === undefined) return undefined
  return explainDiscrepancy(a, b, { first: placesOf(first), second: placesOf(second) })
}

function bytesOf(name: string, { link, root }: Found): Uint8Array | undefined {
  if (root === undefined) return undefined
  const path = join(root, name)
  if (!existsSync(path) || !statSync(path).isFile()) return undefined
  const bytes = readFileSync(path)
  return createHash('sha256').update(bytes).digest('hex') === link.products[name]?.['sha256'] ? bytes : undefined
}

function placesOf({ root }: Found): string[] {
  return root === undefined ? [] : [realpathSync(root)]
}

interface Result {
  readonly found: Reproduction
  readonly second: string
  readonly problems: readonly Problem[]
}

function jsonOf(first: Found, ok: boolean, results: readonly Result[]): object {
  return {
    schemaVersion: 1,
    ok,
    step: first.link.name,
    first: first.from,
    comparisons: results.map(({ found, second, problems }) => ({ second, ok: found.ok, circumstances: found.circumstances, problems })),
  }
}

function textOf(first: Found, o: { ok: boolean; results: readonly Result[]; terminal: Terminal; unsigned: boolean }): string {
  const context = { paint: o.terminal.out, verbose: o.terminal.verbose }
  const blocks = o.results.flatMap(({ found, second, problems }) => {
    const products = problems.filter(({ severity }) => severity === 'error').length
    const verdict = found.ok
      ? 'the same'
      : `${count(products, 'product')} of ${Object.keys(first.link.products).length} ${products === 1 ? 'differs' : 'differ'}`
    const lines = [`${escape(first.from)} and ${escape(second)}: ${verdict}`]
    for (const { name, first: a, second: b } of found.circumstances) lines.push(`  ${name}: ${a ?? 'not said'} | ${b ?? 'not said'}`)
    return [lines.join('\n'), ...inOrder(problems).map((p) => problemLines(p, context).join('\n'))]
  })
  const unsigned = o.unsigned ? ' (no key was given: signatures were not checked)' : ''
  return `${[...blocks, `${o.ok ? 'Reproduced.' : 'Not reproduced.'}${unsigned}`].join('\n\n')}\n`
}
