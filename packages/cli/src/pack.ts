/** `intoto pack`: the project's own client packs into a private folder; what it wrote is read, signed for, and only then put where people look. */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { hashFile, writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes } from './failure.ts'
import { makeFolder } from './folder.ts'
import { evidenceFolder, putLink } from './recording.ts'
import { declareRelease, packRelease, type ReleaseFlags } from './release.ts'
import { declareFormat, declareSigner } from './signing.ts'

interface Flags extends ReleaseFlags {
  metadataDirectory?: string
  packDestination: string
}

/** `intoto pack`. */
export const packCommand: CommandFile = {
  usage: '[-n package] --signing-key REF [-d DIR] [--pack-destination DIR]',
  summary: "Packs with the project's own client (npm, pnpm, yarn, bun) and signs the link of that very tarball.",
  examples: [
    ['intoto pack --signing-key ~/keys/ci', 'the tarball here, its link in in-toto/'],
    ['intoto pack --pack-destination .release', 'the key comes from INTOTO_KEY or INTOTO_KEY_FILE'],
  ],
  declare(command) {
    declareRelease(command)
    command
      .option('-d, --metadata-directory <dir>', 'where the link goes (default: in-toto/ if it exists, else here)')
      .option('--pack-destination <dir>', 'where the tarball goes', '.')
      .option('--base-path <dir>', 'folder that recorded names start from (default: here)')
    declareSigner(command)
    declareFormat(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const { tarball, link } = await packRelease(flags, call.terminal)
    try {
      const path = join(flags.packDestination, basename(tarball.path))
      makeFolder(flags.packDestination, { fix: 'check --pack-destination' })
      if (existsSync(path)) hashFile(path) // a folder or device of that name is no tarball to replace
      writeFileAtomic(path, tarball.bytes)
      putLink(link, flags.metadataDirectory ?? evidenceFolder(), call.terminal)
      call.terminal.print(`${path}\n`)
      return exitCodes.ok
    } finally {
      tarball.close()
    }
  },
}
