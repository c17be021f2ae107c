/**
 * `intoto layout diff`: what lies between two layouts, or between a layout and what was observed. It shows; whoever signs decides. Signatures of
 * layouts are not looked at, those of links are.
 */
import { type Command, Option } from './flags.ts'
import { compareObserved, diffLayouts, functionaryNames, type Key, type Layout, type LayoutDifference, type Problem, utf8 } from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import type { Call, CommandFile } from './command.ts'
import { differenceLines } from './difference.ts'
import { usualLayout } from './draft.ts'
import { exitCodes, headline, misuse } from './failure.ts'
import { jsonText } from './formats/json.ts'
import { problemLines as markdownLines } from './formats/markdown.ts'
import { count, inOrder, tally } from './formats/phrase.ts'
import { problemLines } from './formats/text.ts'
import { complainQuietly, errorsOf } from './output.ts'
import { foldersOfRun, readRun, usualFolders } from './observe.ts'
import { withFunctionaries } from './functionary.ts'
import { refuseTarget } from './target.ts'
import { type Colors, createColors, escape } from './terminal.ts'
import { type NamedKey, readKeys, readLayout } from './trust.ts'

interface Flags {
  linkDir?: string[]
  run?: string[]
  functionary?: string[]
  addFunctionary?: string[]
  format: 'text' | 'json' | 'markdown'
  output?: string
  strict?: boolean
}

/** What was found, as data. */
interface Difference {
  /** What the two sides are called. */
  readonly from: string
  readonly to: string
  readonly differences?: readonly LayoutDifference[]
  readonly problems?: readonly Problem[]
}

/** `intoto layout diff`. */
export const diff: CommandFile = {
  usage: '[OLD [NEW]] [-d DIR…] [--run DIR]… [--add-functionary STEP=PUB…]',
  summary:
    'Shows what differs between two layouts; with one layout, what it would refuse of the links that are there, and what is new to it.',
  examples: [
    ['intoto layout diff in-toto/root.layout next.layout', 'place by place, before you sign the second'],
    ['intoto layout diff', 'in-toto/root.layout beside the links in in-toto/ and dist/'],
    ['intoto layout diff --add-functionary build=ci2.pub', 'what "layout renew" would change with these words'],
  ],
  declare(command: Command) {
    command
      .argument('[old]', 'layout', usualLayout)
      .argument('[new]', 'layout that it is compared with')
      .option('-d, --link-dir <dir...>', 'folders with the links of one round (default: in-toto/, dist/ and here)')
      .option('--run <dir...>', 'a folder with the links of a further round')
      .option('--functionary <pub...>', 'public keys beyond those of the layout, to tell who signed a link')
      .option('--add-functionary <step=pub...>', 'compare the layout with itself and these keys')
      .addOption(new Option('--format <format>', 'how it is told').choices(['text', 'json', 'markdown']).default('text'))
      .option('--output <file>', 'file for it, in place of stdout')
      .option('--strict', 'exit code 1 for any difference between two layouts, and for warnings')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    if (flags.output !== undefined) refuseTarget(flags.output, { command: 'layout diff', content: 'a report', inputs: call.args })
    const found = await differenceOf(call.args[0] ?? usualLayout, call.args[1], { flags, call })
    const render = { text, json, markdown }[flags.format]
    if (flags.output === undefined && flags.format !== 'text') call.terminal.give(render(found, call.terminal.out))
    else if (flags.output === undefined) call.terminal.print(render(found, call.terminal.out))
    else writeFileAtomic(flags.output, utf8(render(found, createColors(false))))
    if (flags.output !== undefined || flags.format === 'text') await complainQuietly(errorsOf(found.problems ?? []), call.terminal)
    const refuses = errorsOf(found.problems ?? []).length > 0
    const differs = (found.differences?.length ?? 0) + (found.problems?.length ?? 0) > 0
    return refuses || (differs && flags.strict === true) ? exitCodes.refused : exitCodes.ok
  },
}

async function differenceOf(old: string, next: string | undefined, o: { flags: Flags; call: Call }): Promise<Difference> {
  const { flags, call } = o
  const { payload: layout } = readLayout(old)
  if (next !== undefined || flags.addFunctionary !== undefined) {
    if (flags.linkDir !== undefined || flags.run !== undefined)
      throw misuse('layout diff: two layouts are compared, so no link is looked at', 'leave -d and --run out, or name one layout')
    const other = next === undefined ? layout : readLayout(next).payload
    const changed = await withFunctionaries(other, flags.addFunctionary ?? [])
    return { from: old, to: next ?? `${old} with ${(flags.addFunctionary ?? []).join(', ')}`, differences: diffLayouts(layout, changed) }
  }
  const keys = [...keysOf(layout), ...(await readKeys(flags.functionary ?? []))]
  const further = flags.run?.map(foldersOfRun) ?? []
  const first = flags.linkDir === undefined && further.length > 0 ? [] : [usualFolders(flags.linkDir)]
  const problems = new Map<string, Problem>()
  const runs = [...first, ...further]
  for (const folders of runs) {
    const links = await readRun(folders, keys, ({ problem }) =>
      call.terminal.note(headline({ ...problem, severity: 'warning' }, call.terminal.err)),
    )
    for (const p of compareObserved(layout, links)) problems.set(JSON.stringify(p), p)
  }
  return { from: old, to: `the links in ${[...new Set(runs.flat())].join(', ')}`, problems: inOrder([...problems.values()]) }
}

function keysOf(layout: Layout): NamedKey[] {
  const names = functionaryNames(layout)
  return Object.keys(layout.keys).map((id) => ({ key: layout.keys[id] as Key, name: names.get(id) ?? id.slice(0, 8) }))
}

function text({ from, to, differences, problems }: Difference, paint: Colors): string {
  const heading = `${escape(from)} -> ${escape(to)}`
  if (differences !== undefined) {
    const end =
      differences.length === 0 ? 'no difference' : `${count(differences.length, 'place')} differ${differences.length === 1 ? 's' : ''}`
    return `${[heading, ...differenceLines(differences, paint), end].join('\n')}\n`
  }
  const blocks = (problems ?? []).map((p) => problemLines(p, { paint, verbose: false }).join('\n'))
  return `${[heading, ...blocks, blocks.length === 0 ? 'it would let all of them pass' : tally(problems ?? [])].join('\n\n')}\n`
}

function json(found: Difference): string {
  return `${jsonText({ schemaVersion: 1, ...found })}\n`
}

function markdown({ from, to, differences, problems }: Difference): string {
  const heading = ['## in-toto layout', '', `\`${escape(from).replaceAll('`', "'")}\` → \`${escape(to).replaceAll('`', "'")}\``, '']
  if (differences === undefined) {
    const said = (problems ?? []).length === 0 ? ['It would let all of them pass.'] : (problems ?? []).flatMap(markdownLines)
    return `${[...heading, ...said].join('\n').trimEnd()}\n`
  }
  const lines = differenceLines(differences, createColors(false)).map((line) => line.replace(/^`{3,}/, "'''"))
  return `${[...heading, ...(differences.length === 0 ? ['No difference.'] : ['```diff', ...lines, '```'])].join('\n')}\n`
}
