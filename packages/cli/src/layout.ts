/**
 * `intoto layout new|lint`: a layout from a few flags, signed or to be signed; and a look for what is probably wrong with one. What the rules of
 * a preset are is the library's business.
 */
import type { Command } from 'commander'
import { Option } from 'commander'
import { encodeMetadata, lintLayout, type Problem, sign } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, misuse } from './failure.ts'
import { problemLines } from './formats/text.ts'
import { inOrder, tally } from './formats/phrase.ts'
import { declarePlan, type PlanFlags, planLayout } from './plan.ts'
import { idsOf, loadSigners } from './sign.ts'
import { escape, type Terminal } from './terminal.ts'
import { readLayout } from './trust.ts'

interface NewFlags extends PlanFlags {
  output: string
  signWith?: string[]
  prompt?: boolean
  format: 'dsse' | 'metablock'
  keyidStyle: 'python' | 'go' | 'both'
  force?: boolean
}

/** `intoto layout new`. */
export const create: CommandFile = {
  usage: '(--preset NAME | --step NAME=COMMAND…) --functionary [STEP=]PUB… [--expires DAYS|DATE] [--sign-with REF…] [-o FILE]',
  summary: 'Writes a layout: which steps, by whom, with what rules, until when. Unsigned unless --sign-with is given.',
  examples: [
    [
      'intoto layout new --preset npm --functionary alice.pub build=ci.pub --sign-with owner',
      'source, build, test, package; ci builds, alice does all else',
    ],
    [
      'intoto layout new --step source --step "build=vite build" --functionary ci.pub --expires 90',
      'two steps of your own, to be signed later',
    ],
    ['intoto layout lint in-toto/root.layout', 'look it over'],
  ],
  declare(command: Command) {
    declarePlan(command)
    command
      .option('--sign-with <ref...>', 'private keys of the owners (a path, file:PATH or env:NAME)')
      .option('-p, --prompt', 'ask for the password of those keys')
      .option('-o, --output <file>', 'where the layout goes', 'in-toto/root.layout')
      .addOption(new Option('--format <format>', 'envelope').choices(['dsse', 'metablock']).default('dsse'))
      .addOption(new Option('--keyid-style <style>', 'whose key ids sign').choices(['python', 'go', 'both']).default('both'))
      .option('--force', 'replace an existing file')
  },
  async run(call: Call) {
    const flags = call.options as NewFlags
    if (existsSync(flags.output) && !flags.force)
      throw misuse(`layout new: ${flags.output} exists already and is not overwritten`, '--force, or another -o FILE')
    const layout = await planLayout(flags)
    const signers = await loadSigners(flags.signWith ?? [], flags.prompt, call.terminal)
    const signed = await sign(layout, signers, { format: flags.format, keyids: idsOf(flags.keyidStyle) })
    mkdirSync(dirname(flags.output), { recursive: true })
    writeFileAtomic(flags.output, encodeMetadata(signed))
    print(lintLayout(layout), call.terminal)
    const next =
      signers.length === 0
        ? `unsigned: intoto sign -f ${flags.output} -k OWNER`
        : `signed by ${signers.length === 1 ? 'one key' : `${signers.length} keys`}`
    call.terminal.print(
      `${escape(flags.output)}  ${layout.steps.map((step) => escape(step.name)).join(' -> ')}, expires ${layout.expires.slice(0, 10)}, ${next}\n`,
    )
    return exitCodes.ok
  },
}

/** `intoto layout lint`. */
export const lint: CommandFile = {
  usage: 'FILE… [--strict]',
  summary:
    'Finds what verifies and is probably not meant: lists that let everything pass, rules that never act, thresholds beyond the keys.',
  examples: [
    ['intoto layout lint in-toto/root.layout', 'print findings'],
    ['intoto layout lint in-toto/root.layout --strict', 'exit code 1 if there are any'],
  ],
  declare(command) {
    command.argument('<file...>', 'layouts')
    command.option('--strict', 'exit code 1 for warnings too')
  },
  async run(call: Call) {
    const findings = call.args.flatMap((file) => lintLayout(readLayout(file).payload).map((p) => ({ ...p, file: p.file ?? file })))
    const lines = inOrder(findings).map((p) => problemLines(p, { paint: call.terminal.out, verbose: call.terminal.verbose }).join('\n'))
    call.terminal.print(`${[...lines, findings.length === 0 ? 'nothing to remark' : tally(findings)].join('\n\n')}\n`)
    const decisive = (p: Problem): boolean => p.severity === 'error' || call.options['strict'] === true
    return findings.some(decisive) ? exitCodes.refused : exitCodes.ok
  },
}

/** Findings about a layout that was just made, as remarks. */
function print(findings: readonly Problem[], terminal: Terminal): void {
  for (const p of findings) for (const line of problemLines(p, { paint: terminal.err, verbose: false })) terminal.note(line)
}
