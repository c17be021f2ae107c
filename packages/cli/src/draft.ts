/**
 * What becomes of a layout that was just made: signed or not, written where it was asked for, looked over, told. For `intoto layout new` and
 * `learn`. A file that exists is only replaced when that was asked for, and what would change is shown before.
 */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Command, Option } from './flags.ts'
import { diffLayouts, encodeMetadata, InTotoError, type Layout, lintLayout, sign } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { differenceLines } from './difference.ts'
import { misuse } from './failure.ts'
import { makeFolder } from './folder.ts'
import { problemLines } from './formats/text.ts'
import { idsOf, loadSigners } from './sign.ts'
import { refuseTarget } from './target.ts'
import { escape, type Terminal } from './terminal.ts'
import { readLayout } from './trust.ts'

/** What the flags of `declareDraft` leave behind. */
export interface DraftFlags {
  output?: string
  signWith?: string[]
  prompt?: boolean
  format: 'dsse' | 'metablock'
  keyidStyle: 'python' | 'go' | 'both'
  force?: boolean
}

/** Where a layout goes when nobody says otherwise. */
export const usualLayout = 'in-toto/root.layout'

/** Adds the flags of signing and writing a layout. */
export function declareDraft(command: Command): void {
  command
    .option('--sign-with <ref...>', 'private keys of the owners (a path, file:PATH or env:NAME)')
    .option('-p, --prompt', 'ask for the password of those keys')
    .option('-o, --output <file>', `where the layout goes (default: ${usualLayout})`)
    .addOption(new Option('--format <format>', 'envelope').choices(['dsse', 'metablock']).default('dsse'))
    .addOption(new Option('--keyid-style <style>', 'whose key ids sign').choices(['python', 'go', 'both']).default('both'))
    .option('--force', 'replace an existing file')
}

/**
 * Refuses to replace a file, after showing what is different in it; a key not even by force.
 * @throws InTotoError E_CONFIG
 */
export function refuseReplacing(layout: Layout, flags: DraftFlags, o: { command: string; terminal: Terminal }): void {
  const file = flags.output ?? usualLayout
  refuseTarget(file, { command: o.command, content: 'a layout' })
  if (flags.force || !existsSync(file)) return
  for (const line of changes(file, layout, o.terminal)) o.terminal.note(line)
  throw misuse(`${o.command}: ${file} exists already and is not overwritten`, '--force, or another -o FILE')
}

/** What would change in a file that is a layout; nothing to show of any other. */
function changes(file: string, layout: Layout, { err }: Terminal): string[] {
  try {
    return differenceLines(diffLayouts(readLayout(file).payload, layout), err)
  } catch (error) {
    if (error instanceof InTotoError) return []
    throw error
  }
}

/**
 * Signs, writes, looks over and tells.
 * @throws InTotoError E_KEY, E_IO
 */
export async function writeDraft(layout: Layout, flags: DraftFlags, terminal: Terminal): Promise<void> {
  const file = flags.output ?? usualLayout
  const signers = await loadSigners(flags.signWith ?? [], flags.prompt, terminal)
  const signed = await sign(layout, signers, { format: flags.format, keyids: idsOf(flags.keyidStyle) })
  makeFolder(dirname(file), { fix: 'choose another place with -o' })
  writeFileAtomic(file, encodeMetadata(signed))
  for (const p of lintLayout(layout)) for (const line of problemLines(p, { paint: terminal.err, verbose: false })) terminal.note(line)
  const next =
    signers.length === 0
      ? `unsigned: intoto sign -f ${escape(file)} -k OWNER`
      : `signed by ${signers.length === 1 ? 'one key' : `${signers.length} keys`}`
  terminal.print(
    `${escape(file)}  ${layout.steps.map((step) => escape(step.name)).join(' -> ')}, expires ${layout.expires.slice(0, 10)}, ${next}\n`,
  )
}
