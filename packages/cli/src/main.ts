/**
 * argv -> one command -> exit code. Loaded by entry.ts. Holds the list of commands and loads only the one that is called, since starting up is most of
 * what a short command costs. It judges nothing and prints only the overview, the version and what went wrong.
 */
import { parseCall, type CommandFile, type CommandList } from './command.ts'
import { loudnessOf, strangers } from './environment.ts'
import { exitCodeOf, exitCodes, failureLines, misuse } from './failure.ts'
import type { CommandName } from './names.ts'
import { nearest } from './nearest.ts'
import { complain, createTerminal, escape, write } from './terminal.ts'
import { versionLine } from './version.ts'

/** Every command: its line in the overview and how to load it. Names of two words belong to a group. */
const commands: CommandList = {
  init: ['set a project up: key, plugin, scripts, CI; build, learn a layout, verify', async () => (await import('./init/init.ts')).init],
  doctor: ['look a project over: what is wrong with it, and how to repair it', async () => (await import('./doctor/doctor.ts')).doctor],
  verify: ['say yes to what was delivered, or exactly why not', async () => (await import('./verify.ts')).verifyCommand],
  explain: [
    'follow one file through all steps: which rule allowed it, or why none did',
    async () => (await import('./explain.ts')).explain,
  ],
  report: ['draw the chain of custody: one HTML file', async () => (await import('./report.ts')).report],
  page: ['write the page that verifies in a browser', async () => (await import('./page.ts')).pageCommand],
  show: ['read any layout, link, envelope, Statement, bundle or key aloud', async () => (await import('./show.ts')).show],
  run: ['carry out a step: run a command, sign a link', async () => (await import('./run.ts')).run],
  'record start': ['begin a step that is no single command: record its materials', async () => (await import('./record.ts')).start],
  'record stop': ['end it: record its products, sign its link', async () => (await import('./record.ts')).stop],
  'record source': ['sign a link over the files that git tracks', async () => (await import('./record.ts')).source],
  pack: ['pack with the project’s own client, sign the link of that tarball', async () => (await import('./pack.ts')).packCommand],
  publish: [
    'pack, verify and upload one and the same file, and look at what the registry serves',
    async () => (await import('./publish.ts')).publishCommand,
  ],
  reproduce: ['carry out a step again, and say what differs', async () => (await import('./reproduce.ts')).reproduce],
  provenance: [
    'sign SLSA provenance, or the verdict, for tools that know no layouts',
    async () => (await import('./provenance.ts')).provenance,
  ],
  'evidence push': ['put the evidence about a file into a store', async () => (await import('./evidence.ts')).push],
  'evidence pull': ['fetch the evidence about a file from a store', async () => (await import('./evidence.ts')).pull],
  postpack: ['sign the link of the package step, inside npm’s postpack', async () => (await import('./postpack.ts')).postpackCommand],
  'layout new': ['write a layout from a few flags', async () => (await import('./layout.ts')).create],
  'layout learn': ['make a layout from the links of a round that went well', async () => (await import('./learn.ts')).learn],
  'layout diff': ['show what differs between layouts, or what one would refuse', async () => (await import('./diff.ts')).diff],
  'layout renew': ['sign a layout again with a later expiry, or one more functionary', async () => (await import('./renew.ts')).renew],
  'layout lint': ['find what is probably wrong with a layout', async () => (await import('./layout.ts')).lint],
  serve: ['answer Kubernetes and others whether an image or package may start', async () => (await import('./serve/serve.ts')).serve],
  sign: ['sign a layout or link, or check its signatures', async () => (await import('./sign.ts')).signCommand],
  keygen: ['make a key pair', async () => (await import('./keygen.ts')).keygen],
  'key show': ['print a key’s ids, as every implementation computes them', async () => (await import('./key.ts')).show],
  'key rotate': ['make the successor of a key, and put it in the layout', async () => (await import('./key.ts')).rotate],
  'match-products': ['compare files with the products of a link', async () => (await import('./match.ts')).matchProducts],
  mock: ['try a step out: an unsigned link of everything here', async () => (await import('./mock.ts')).mock],
  completion: [
    'print a script that completes commands and flags in your shell',
    async () => (await import('./completion/completion.ts')).completionOf(commands),
  ],
} satisfies Record<CommandName, CommandList[string]>

/** Whether a failure of this command line is to be told with stack traces; read ahead, since the line itself may be what is wrong. */
function isDebug(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return loudnessOf(process.env).debug === true || (end < 0 ? words : words.slice(0, end)).includes('--debug')
}

/** One line for each of these commands. */
function listing(names: readonly string[]): string {
  return names.map((name) => `  ${name.padEnd(15)}  ${commands[name]?.[0]}`).join('\n')
}

/** The list of commands, after the three that most people need. */
function overview(): string {
  return `  intoto verify dist -k in-toto/owner.pub              judge what lies in dist
  intoto run -n test --signing-key KEY -- npm test     sign evidence of a step
  intoto explain dist/index.js -k in-toto/owner.pub    ask where a file comes from

Usage: intoto COMMAND …     each command: intoto COMMAND --help

${listing(Object.keys(commands))}

Exit codes: 0 all holds, 1 verification failed, 2 wrong usage or an absent file, 3 a fault of ours, 130 interrupted.
`
}

/** Names of the commands that share their first word, in the order of the overview. */
function groupOf(first: string): string[] {
  return Object.keys(commands).filter((name) => name.startsWith(`${first} `))
}

/**
 * Finds the command that the first words name.
 * @throws InTotoError E_CONFIG with the nearest one
 */
function commandOf(words: readonly string[]): { name: string; load: () => Promise<CommandFile>; rest: readonly string[] } {
  const [first = '', second = ''] = words
  const group = groupOf(first)
  const name = group.length === 0 ? first : `${first} ${second}`
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return { name, load: command[1], rest: words.slice(group.length === 0 ? 1 : 2) }
  if (group.length === 0) {
    const meant = nearest(first, [...new Set(Object.keys(commands).map((known) => known.split(' ')[0] ?? ''))])
    throw misuse(`unknown command "${escape(first)}"`, meant === undefined ? 'intoto --help' : `intoto ${meant}`)
  }
  const members = group.map((member) => member.slice(first.length + 1))
  const meant = nearest(second, members)
  throw misuse(`${first}: expected ${members.join(', ')}, found "${escape(second)}"`, `intoto ${first} ${meant ?? members[0]}`)
}

/** Prints what was asked for in place of a command. */
function said(text: string): number {
  write(text)
  return exitCodes.ok
}

/** Runs one command line. */
async function main(words: readonly string[]): Promise<number> {
  const [first] = words
  if (first === '--version') return said(versionLine)
  if (first === 'help' && words.length > 1) return main([...words.slice(1), '--help'])
  if (first === '--help' || first === '-h' || first === 'help') return said(overview())
  if (first === undefined) {
    complain(overview().trimEnd())
    return exitCodes.usage
  }
  const group = groupOf(first)
  if (group.length > 0 && (words[1] === '--help' || words[1] === '-h')) return said(`${listing(group)}\n`)
  const { name, load, rest } = commandOf(words)
  if (rest[0] === '--version') return main(['--version'])
  const file = await load()
  const parsed = await parseCall(name, file, rest)
  if ('help' in parsed) return said(parsed.help)
  const terminal = createTerminal({ ...loudnessOf(process.env), ...parsed.options })
  for (const line of strangers(process.env)) terminal.note(line)
  return file.run({ ...parsed, terminal })
}

/** Prints what ended a command and chooses the exit code. */
function fail(error: unknown, words: readonly string[]): number {
  const { err } = createTerminal({})
  for (const line of failureLines(error, { paint: err, debug: isDebug(words) })) complain(line)
  return exitCodeOf(error)
}

// A command that runs another one listens too and ends it first; only without such a listener is it on us to stop. We come here between two calls,
// so what was being written is whole; a command that is through has its exit code, which must not deny a link that it wrote.
let isThrough = false
for (const [signal, code] of [
  ['SIGINT', exitCodes.interrupted],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(isThrough ? process.exitCode : code)
  })
}
const words = process.argv.slice(2)
process.on('uncaughtException', (error) => {
  process.exit(fail(error, words))
})
// When nothing is left that could end a command, Node ends with the exit code that it has by then: never 0, which would be a verdict.
process.exitCode = exitCodes.internal
process.once('beforeExit', () => {
  if (isThrough) process.exit()
  end(fail(new Error('the command ended before it was through'), words))
})
main(words).then(end, (error: unknown) => end(fail(error, words)))

/** All is written by now, so Node need neither collect garbage nor take its memory apart. On Windows it writes to pipes in its own time. */
function end(code: number): void {
  process.exitCode = code
  isThrough = true
  if (process.platform !== 'win32') process.exit()
}
