/**
 * `intoto postpack`: the hook inside npm's postpack. Records the tarball that npm has just written (or, inside a publish, holds in memory: it is
 * packed again and must have npm's own digest), signs the link of the package step and, with keys, verifies the whole chain on that very file. It prints to stderr only, since stdout is npm's.
 */
import { relative } from 'node:path'
import { sign } from 'intoto'
import { checkStepName } from 'intoto/node'
import { isPackedByUs, postpack } from 'intoto-npm'
import type { Call, CommandFile } from './command.ts'
import { exitCodes } from './failure.ts'
import { writeReport } from './output.ts'
import { evidenceFolder, putLink } from './recording.ts'
import { keyBytes } from './release.ts'
import { declareFormat, declareSigner, requireSigner, signOptions, type SigningFlags } from './signing.ts'
import type { Terminal } from './terminal.ts'
import { beforeUpload, declareVerdict, reachVerdict, type VerdictFlags } from './verdict.ts'

interface Flags extends SigningFlags, VerdictFlags {
  stepName: string
  metadataDirectory?: string
  allowFile?: string[]
  unproven?: boolean
}

/** `intoto postpack`. */
export const postpackCommand: CommandFile = {
  usage: '[-n package] --signing-key REF [-d DIR] [-k KEY… [-l LAYOUT] [--link-dir DIR…]] [--unproven]',
  summary:
    'As the last command of the "postpack" script: signs the link of the tarball that npm packs or publishes. With -k, also verifies the chain on it.',
  examples: [
    ['"postpack": "intoto postpack"', 'in package.json; the key comes from INTOTO_KEY or INTOTO_KEY_FILE'],
    ['"postpack": "intoto postpack -k in-toto/owner.pub"', 'and a tarball that does not follow the layout ends "npm pack" with an error'],
    ['npm pack --pack-destination .release', 'runs it'],
  ],
  declare(command) {
    command
      .option('-n, --step-name <step>', 'step of the layout that this is evidence of', 'package')
      .option('-d, --metadata-directory <dir>', 'where the link goes (default: in-toto/ if it exists, else here)')
      .option(
        '--unproven',
        'where the client gives no digest of what it uploads (pnpm, bun, yarn 1): sign what packs a second time, and say so',
      )
      .option('--allow-file <name...>', 'packed files that look like secrets and are none')
    declareSigner(command)
    declareFormat(command)
    declareVerdict(command, { ...beforeUpload, folders: '--link-dir <dir...>' })
  },
  async run(call: Call) {
    const flags = call.options as Flags
    if (isPackedByUs(process.env)) return exitCodes.ok // intoto pack and publish record and verify themselves
    checkStepName(flags.stepName)
    const options = signOptions(flags)
    const secrets = keyBytes(flags.signingKey)
    const signer = await requireSigner(flags, call.terminal)
    const packed = await postpack({
      env: process.env,
      folder: process.cwd(),
      step: flags.stepName,
      secrets,
      unproven: flags.unproven === true,
      ...(flags.basePath === undefined ? {} : { base: flags.basePath }),
      ...(flags.allowFile === undefined ? {} : { allow: flags.allowFile }),
    })
    if (packed === undefined) {
      call.terminal.note('[in-toto] nothing was packed (--dry-run), nothing is recorded')
      return exitCodes.ok
    }
    try {
      const folder = flags.metadataDirectory ?? evidenceFolder()
      putLink(await sign(packed.link, [signer], options), folder, call.terminal)
      if (flags.verificationKeys === undefined) return exitCodes.ok
      const quietly: Terminal = { ...call.terminal, out: call.terminal.err, print: (text) => call.terminal.note(text.trimEnd()) }
      const linkDir = flags.linkDir === undefined ? {} : { linkDir: [...new Set([...flags.linkDir, folder])] }
      const product = relative(process.cwd(), packed.tarball) || packed.tarball
      const { report, context } = await reachVerdict(
        { ...flags, ...linkDir },
        { command: 'postpack', products: [product], terminal: quietly, ...beforeUpload },
      )
      await writeReport(report, { outputs: undefined, context, terminal: quietly })
      return report.ok ? exitCodes.ok : exitCodes.refused
    } finally {
      packed.close()
    }
  },
}
