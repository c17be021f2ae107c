/**
 * `intoto layout renew`: the same layout with a later expiry, or with one more functionary, signed again. Whoever signed before must sign again:
 * a changed layout has no signatures but those that are given here.
 */
import { encodeMetadata, type Layout, sign } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, misuse } from './failure.ts'
import { withFunctionaries } from './functionary.ts'
import { idsOf, loadSigners } from './sign.ts'
import { refuseTarget } from './target.ts'
import { escape } from './terminal.ts'
import { readLayout } from './trust.ts'
import { expiryOf } from './words.ts'

interface Flags {
  days?: string
  expires?: string
  addFunctionary?: string[]
  signWith?: string[]
  prompt?: boolean
  output?: string
}

/** `intoto layout renew`. */
export const renew: CommandFile = {
  usage: '[FILE] --days N --sign-with REF… [--add-functionary STEP=PUB…]',
  summary: 'Signs a layout again with a later expiry, or with one more functionary for a step.',
  examples: [
    ['intoto layout renew --days 90 --sign-with owner', 'in-toto/root.layout holds for another 90 days'],
    ['intoto layout renew --add-functionary build=ci2.pub --sign-with owner', 'ci2 may build too; the expiry stays'],
  ],
  declare(command) {
    command
      .argument('[file]', 'layout', 'in-toto/root.layout')
      .option('--days <number>', 'days from now until it expires')
      .option('--expires <when>', 'the same as a date: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ')
      .option('--add-functionary <step=pub...>', 'public key that may perform a step from now on')
      .option('--sign-with <ref...>', 'private keys of the owners (a path, file:PATH or env:NAME)')
      .option('-p, --prompt', 'ask for the password of those keys')
      .option('-o, --output <file>', 'where the new layout goes (default: to where the old one was)')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const file = call.args[0] ?? 'in-toto/root.layout'
    if (flags.days === undefined && flags.expires === undefined && flags.addFunctionary === undefined)
      throw misuse('layout renew: nothing to change', '--days 90')
    if (flags.signWith === undefined) throw misuse('layout renew: a changed layout must be signed again', '--sign-with OWNER')
    if (flags.days !== undefined && flags.expires !== undefined)
      throw misuse('layout renew: --days and --expires exclude each other', 'leave one of them out')
    if (flags.days !== undefined && !/^[1-9]\d{0,4}$/.test(flags.days))
      throw misuse(`--days: expected a number of days from 1 to 99999, found "${flags.days}"`, '--days 90, or --expires YYYY-MM-DD')
    const target = flags.output ?? file
    const old = readLayout(file)
    refuseTarget(target, { command: 'layout renew', content: 'a layout' })
    const when = flags.expires ?? flags.days
    const expires = when === undefined ? old.payload.expires : expiryOf(when, new Date())
    const layout = Object.assign(Object.create(null), await withFunctionaries(old.payload, flags.addFunctionary ?? []), {
      expires,
    }) as Layout
    const signers = await loadSigners(flags.signWith, flags.prompt, call.terminal)
    const signed = await sign(layout, signers, { format: old.format, keyids: idsOf('both') })
    writeFileAtomic(target, encodeMetadata(signed))
    const others = old.signatures.filter(({ keyid }) => !signed.signatures.some((signature) => signature.keyid === keyid)).length
    if (others > 0)
      call.terminal.note(
        `[in-toto] ${others} earlier signatures are gone with the change: intoto sign -f ${escape(target)} -k KEY -a adds others`,
      )
    call.terminal.print(
      `${escape(target)}  expires ${layout.expires.slice(0, 10)}, signed by ${signers.length === 1 ? 'one key' : `${signers.length} keys`}\n`,
    )
    return exitCodes.ok
  },
}
