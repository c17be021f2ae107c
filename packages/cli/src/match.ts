/** `intoto match-products`: are the files here what a link says was made? The link's signature is checked only when a key is given. */
import { hasSignature, InTotoError, isLink } from 'intoto'
import { matchProducts as compare, readMetadataFile } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, headline } from './failure.ts'
import { count } from './formats/phrase.ts'
import { excludeOf } from './recording.ts'
import { escape } from './terminal.ts'
import { decodeFile, nameOf, readKeys } from './trust.ts'

interface Flags {
  link: string
  paths?: string[]
  exclude?: string[]
  lstripPaths?: string[]
  verificationKeys?: string[]
}

/** `intoto match-products`. */
export const matchProducts: CommandFile = {
  usage: '-l LINK [-p PATH…] [-e PATTERN…] [-k KEY…]',
  summary: 'Compares files with the products of a link, by name and digest. Exit code 1 if anything differs.',
  examples: [
    ['intoto match-products -l in-toto/source.4f3c9a1b.link', 'is this checkout the one that was signed?'],
    ['intoto match-products -l dist/build.4f3c9a1b.link -p dist -k ci.pub', 'is dist as ci built it?'],
  ],
  declare(command) {
    command
      .requiredOption('-l, --link <path>', 'link file')
      .option('-p, --paths <path...>', 'files and folders to compare (default: this folder)')
      .option('-e, --exclude <pattern...>', 'gitignore patterns of what is not compared')
      .option('--lstrip-paths <prefix...>', 'prefixes to take off the names')
      .option('-k, --verification-keys <path...>', 'public keys; each must have signed the link')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const metadata = decodeFile(readMetadataFile(flags.link, { what: 'link' }), flags.link)
    if (!isLink(metadata.payload))
      throw new InTotoError({ code: 'E_FORMAT', message: 'holds no link', file: flags.link, fix: 'name a link file with -l' })
    for (const { key, name } of await readKeys(flags.verificationKeys ?? [])) {
      if (await hasSignature(metadata, key)) continue
      throw new InTotoError({
        code: 'E_SIGNATURE',
        message: `has no valid signature of ${nameOf(key, name)}`,
        file: flags.link,
        fix: 'get the link again from whoever signed it',
      })
    }
    const found = await compare(metadata.payload, flags.paths ?? ['.'], {
      warn: (p) => call.terminal.note(headline(p, call.terminal.err)),
      progress: call.terminal.progress.files,
      ...(flags.exclude === undefined ? {} : { exclude: await excludeOf(flags.exclude) }),
      ...(flags.lstripPaths === undefined ? {} : { lstrip: flags.lstripPaths }),
    })
    const lines = [
      ...found.onlyInProducts.map((name) => `Only in products: ${escape(name)}`),
      ...found.notInProducts.map((name) => `Not in products: ${escape(name)}`),
      ...found.differ.map((name) => `Hashes differ: ${escape(name)}`),
    ]
    const signature = flags.verificationKeys === undefined ? ' (its signature was not checked)' : ''
    const products = count(Object.keys(metadata.payload.products).length, 'product')
    const verdict = lines.length === 0 ? `${products}: all here, and nothing else` : count(lines.length, 'difference')
    // The differences are what was asked for, the sum is a remark.
    if (lines.length > 0) call.terminal.give(`${lines.join('\n')}\n`)
    call.terminal.print(`${verdict}${signature}\n`)
    return lines.length === 0 ? exitCodes.ok : exitCodes.refused
  },
}
