/**
 * `intoto explain`: one artifact through all steps: where it was used and made, with which content, which rule took it, or why none did. The
 * library follows it; the chain is verified on the way, and the answer says when it does not hold.
 */
import { relative, resolve, sep } from 'node:path'
import { Option } from './flags.ts'
import { type ArtifactLife, type ArtifactStage, explainArtifact } from 'intoto'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, headline, misuse } from './failure.ts'
import { jsonText } from './formats/json.ts'
import { inOrder, shortened, verdict } from './formats/phrase.ts'
import { complainQuietly, errorsOf } from './output.ts'
import { type Colors, escape } from './terminal.ts'
import { declareVerdict, reachVerdict, type VerdictFlags } from './verdict.ts'

interface Flags extends VerdictFlags {
  format: 'text' | 'json'
}

/** `intoto explain`. */
export const explain: CommandFile = {
  usage: 'PATH… -k KEY… [-l LAYOUT] [-d DIR…]',
  summary: 'Follows an artifact, named as in the links, through all steps and says which rule allowed it, or why none did.',
  examples: [
    ['intoto explain dist/index.js -k in-toto/owner.pub', 'where does this file come from?'],
    ['intoto explain src/main.ts -k in-toto/owner.pub', 'and who used it?'],
  ],
  declare(command) {
    command.argument('<path...>', 'artifacts, named as in the links')
    declareVerdict(command)
    command.addOption(new Option('--format <format>', 'form of the answer').choices(['text', 'json']).default('text'))
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const { report, layout } = await reachVerdict(flags, { command: 'explain', products: [], terminal: call.terminal, trace: true })
    const chain = report.chain ?? []
    const lives = call.args.map((path) => lifeOf(path, (name) => explainArtifact(layout.payload, chain, name), flags.basePath))
    const unknown = report.ok ? lives.find((life) => life.stages.length === 0) : undefined
    if (unknown !== undefined)
      throw misuse(
        `explain: no link knows "${unknown.path}"`,
        'name it as links do: relative to the package root, with "/"; intoto show LINK lists names',
      )
    if (flags.format === 'json') call.terminal.give(`${jsonText({ schemaVersion: 1, ok: report.ok, artifacts: lives })}\n`)
    else
      for (const life of lives)
        call.terminal.print(
          `${lifeLines(life, { paint: call.terminal.out, verbose: call.terminal.verbose, followed: chain.length > 0 }).join('\n')}\n`,
        )
    if (!report.ok) {
      for (const p of inOrder(report.problems).slice(0, 3)) call.terminal.note(headline(p, call.terminal.err))
      call.terminal.note(`${verdict(report)} (intoto verify says why in full)`)
      await complainQuietly(errorsOf(report.problems), call.terminal)
      return exitCodes.refused
    }
    return exitCodes.ok
  },
}

/** The life of what links call so; else of the file that the path leads to, as it is named from the folder that names start from. */
function lifeOf(path: string, follow: (name: string) => ArtifactLife, base = '.'): ArtifactLife {
  const given = follow(path)
  if (given.stages.length > 0) return given
  const found = follow(relative(base, resolve(base, path)).split(sep).join('/'))
  return found.stages.length > 0 ? found : given
}

/** The stages of an artifact, one to three lines each. */
function lifeLines(life: ArtifactLife, o: { paint: Colors; verbose: boolean; followed: boolean }): string[] {
  const width = Math.max(0, ...life.stages.map((stage) => escape(stage.step).length))
  if (life.stages.length === 0)
    return [`${o.paint.bold(escape(life.path))}  ${o.followed ? 'in no link' : 'cannot be followed before the links of all steps hold'}`]
  return [o.paint.bold(escape(life.path)), ...life.stages.flatMap((stage) => stageLines(stage, { ...o, width, path: life.path }))]
}

function stageLines(stage: ArtifactStage, o: { paint: Colors; verbose: boolean; width: number; path: string }): string[] {
  const side = stage.list === 'expected_materials' ? 'material' : 'product '
  const name = stage.name === o.path ? '' : `  as ${escape(stage.name)}`
  const digest =
    stage.digests === undefined
      ? 'not there'
      : Object.entries(stage.digests)
          .map(([algorithm, hex]) => `${escape(algorithm)} ${escape(o.verbose ? hex : shortened(hex))}`)
          .join(', ')
  const indent = ' '.repeat(o.width + 14)
  return [
    `  ${escape(stage.step).padEnd(o.width)}  ${side}  ${digest}${name}`,
    ...stage.passed
      .filter(({ rule }) => !rule.text.startsWith('REQUIRE '))
      .map(({ rule, why }) => `${indent}${o.paint.dim(`passed by ${rule.index + 1} ${escape(rule.text)}: ${escape(why)}`)}`),
    `${indent}${outcome(stage, o.paint)}`,
  ]
}

function outcome(stage: ArtifactStage, paint: Colors): string {
  const rule = stage.rule === undefined ? '' : `${stage.rule.index + 1} ${escape(stage.rule.text)}`
  if (stage.outcome === 'consumed') return `${paint.green('allowed by')} ${rule}`
  return stage.outcome === 'refused' ? `${paint.red('refused by')} ${rule}` : `${paint.yellow('let through')}: no rule speaks of it`
}
