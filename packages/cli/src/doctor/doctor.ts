/**
 * `intoto doctor`: a look at the project in the working directory, and what is wrong or about to be, each with its repair. It reads, changes nothing, asks
 * no network, and never ends on an odd project: a check that can't be made says so.
 */
import { Option } from '../flags.ts'
import { type Key, keyidFor } from 'intoto'
import type { Call, CommandFile } from '../command.ts'
import { usualLayout } from '../draft.ts'
import { exitCodes } from '../failure.ts'
import { jsonText } from '../formats/json.ts'
import { count } from '../formats/phrase.ts'
import { problemLines } from '../formats/text.ts'
import { keyLines } from '../key.ts'
import { type Colors, escape } from '../terminal.ts'
import { checkWorkflows } from './ci.ts'
import { checkLineEnds } from './eol.ts'
import { type Finding, finding, reasonOf, type Severity } from './finding.ts'
import { checkKeys, checkSecrets } from './key.ts'
import { checkIgnored, checkLayout } from './layout.ts'
import { checkDeployed, checkLinks } from './link.ts'
import { checkPlugin } from './plugin.ts'
import { checkRepository } from './repository.ts'
import { checkScripts } from './script.ts'
import { lookAround, type Situation } from './situation.ts'
import { checkTime } from './time.ts'
import { checkDisabled, checkVariables } from './variable.ts'
import { checkVersions } from './version.ts'

interface Flags {
  layout: string
  linkDir?: string[]
  signingKey?: string
  format: 'text' | 'json'
  strict?: boolean
}

/** `intoto doctor`. */
export const doctor: CommandFile = {
  usage: '[--strict] [--format json]',
  summary:
    'Looks this project over: keys, layout, links, scripts, CI, line ends, clock. Says what is wrong and how to repair it; changes nothing.',
  examples: [
    ['intoto doctor', 'exit code 1 for errors'],
    ['intoto doctor --strict', 'exit code 1 for warnings too'],
    ['intoto doctor --format json', 'for programs'],
  ],
  declare(command) {
    command
      .option('-l, --layout <path>', 'the layout', usualLayout)
      .option('-d, --link-dir <dir...>', 'folders with links (default: in-toto/, the output folder and here)')
      .option('--signing-key <ref>', 'the private key that signs here (default: INTOTO_KEY, INTOTO_KEY_FILE, else the one of init)')
      .addOption(new Option('--format <format>', 'how it is told').choices(['text', 'json']).default('text'))
      .option('--strict', 'exit code 1 for warnings too')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const { layout, linkDir, signingKey } = flags
    const places = { layout, ...(linkDir === undefined ? {} : { linkDir }), ...(signingKey === undefined ? {} : { signingKey }) }
    const situation = await lookAround(places, new Date())
    const findings = await findingsOf(situation)
    const decisive = findings.filter(({ severity }) => severity === 'error' || (severity === 'warning' && flags.strict === true))
    if (flags.format === 'json')
      call.terminal.give(`${jsonText({ schemaVersion: 1, ok: decisive.length === 0, ...asData(situation), findings })}\n`)
    else if (!call.terminal.quiet) call.terminal.print(`${text(situation, findings, call.terminal.out)}\n`)
    else for (const line of decisive.flatMap((one) => findingLines(one, call.terminal.err))) call.terminal.complain(line)
    return decisive.length > 0 ? exitCodes.refused : exitCodes.ok
  },
}

type Check = (s: Situation) => Finding[] | Promise<Finding[]>

const checks: Readonly<Record<string, Check>> = {
  'package.json': checkManifest,
  keys: checkKeys,
  'private keys': checkSecrets,
  layout: checkLayout,
  'ignored files': checkIgnored,
  links: checkLinks,
  'deployed links': checkDeployed,
  plugin: checkPlugin,
  scripts: checkScripts,
  workflows: checkWorkflows,
  variables: checkVariables,
  recording: checkDisabled,
  versions: checkVersions,
  repository: checkRepository,
  'line ends': checkLineEnds,
  time: checkTime,
}

/** Errors first; within a severity in the order of the checks. */
async function findingsOf(situation: Situation): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [name, check] of Object.entries(checks)) {
    try {
      findings.push(...(await check(situation)))
    } catch (error) {
      const message = `could not be looked at: ${reasonOf(error)}`
      findings.push(finding('not-checked', name, message, 'see whether the files of this project can be read'))
    }
  }
  const rank: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 }
  return findings.toSorted((a, b) => rank[a.severity] - rank[b.severity])
}

function checkManifest({ manifestFault }: Situation): Finding[] {
  if (manifestFault === undefined) return []
  const fix = 'cd into the folder of the package that is built'
  return manifestFault === 'absent'
    ? [finding('manifest-absent', 'package.json', 'there is none here', fix)]
    : [finding('manifest-broken', 'package.json', 'is not JSON, or no object', ['correct it: npm pkg get says where it ends', fix])]
}

/** What was looked at, for people who wonder which key is meant. */
function asData(s: Situation): object {
  return {
    package: s.project?.name,
    client: s.client,
    bundlers: s.bundlers.map(({ bundler, file }) => ({ name: bundler.name, file })),
    layout: s.layout === undefined ? undefined : { file: s.layoutFile, expires: s.layout.payload.expires },
    keys: keysOf(s).map(({ file, key }) => ({
      file,
      keytype: key.keytype,
      scheme: key.scheme,
      python: keyidFor(key, 'python'),
      go: keyidFor(key, 'go'),
      listedAs: Object.keys(s.layout?.payload.keys ?? {}).filter((id) => [keyidFor(key, 'python'), keyidFor(key, 'go')].includes(id)),
    })),
  }
}

/** The public keys, and the one that signs. */
function keysOf({ publicKeys, keyInUse }: Situation): { file: string; key: Key }[] {
  const own = keyInUse?.key === undefined ? [] : [{ file: `${keyInUse.file ?? keyInUse.from} (signs here)`, key: keyInUse.key }]
  return [...publicKeys.flatMap(({ file, key }) => (key === undefined ? [] : [{ file, key }])), ...own]
}

function text(s: Situation, findings: readonly Finding[], paint: Colors): string {
  const bundlers = s.bundlers.map(({ bundler, file }) => `${bundler.name} (${escape(file)})`)
  const heading = [
    `project  ${[escape(s.project?.name || 'no name'), ...bundlers, s.client, ...(s.repository === undefined ? [] : ['git'])].join(', ')}`,
    ...(s.layout === undefined ? [] : [`layout   ${escape(s.layoutFile)}, expires ${s.layout.payload.expires.slice(0, 10)}`]),
    ...keysOf(s).flatMap(({ file, key }) => {
      const [first = '', ...rest] = keyLines(key, file)
      return [`key      ${first}`, ...rest.map((line) => `       ${line}`)]
    }),
  ]
  return [heading.join('\n'), ...findings.map((one) => findingLines(one, paint).join('\n')), tally(findings)].join('\n\n')
}

/** As other problems look, with the name under which the documentation explains it. */
function findingLines(one: Finding, paint: Colors): string[] {
  const severity = one.severity === 'error' ? 'error' : 'warning'
  const [first = '', ...rest] = problemLines({ ...one, severity }, { paint, verbose: true })
  return [first, `  ${one.severity.padEnd(14)} ${one.id}`, ...rest]
}

function tally(findings: readonly Finding[]): string {
  const parts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const number = findings.filter((one) => one.severity === severity).length
    return number === 0 ? [] : [count(number, severity)]
  })
  return parts.length === 0 ? 'nothing to remark' : parts.join(', ')
}
