/**
 * `intoto serve`: the admission behind an HTTP server of its own. Reads flags, starts it, writes a line for each decision, ends when it is told to. What is
 * let in, the library decides.
 */
import { type Command, Option } from '../flags.ts'
import { createAdmissionHandler, type Decision, defaultAdmissionLimits } from 'intoto-npm/admission'
import { defaultLimits } from 'intoto'
import type { Call, CommandFile } from '../command.ts'
import { exitCodes, failureLines } from '../failure.ts'
import { registryOf } from '../tarball.ts'
import { escape, type Terminal } from '../terminal.ts'
import { loosenedBy } from '../verdict.ts'
import { startServer } from './server.ts'
import { isLoopback, readLayouts, readPlace, splitLimits, type ServeFlags } from './settings.ts'

/** Most subjects and reasons on one line of the log. */
const mostNamed = 3

/** `intoto serve`. */
export const serve: CommandFile = {
  usage: '-k KEY… [-l [PATTERN=]LAYOUT…] [-d DIR…] [--store ADDRESS…] [--tls-cert FILE --tls-key FILE]',
  summary: 'Answers Kubernetes, and whoever asks in JSON, whether an image or package is what a verified chain has made.',
  examples: [
    ['intoto serve -k in-toto/owner.pub --tls-cert server.crt --tls-key server.key', 'on https://127.0.0.1:8443/'],
    [
      "intoto serve -k owner.pub -l 'registry.example/team/*=team.layout' --store dir:/mnt/evidence",
      'one team’s images; evidence by digest',
    ],
  ],
  declare,
  async run(call: Call) {
    const flags = call.options as unknown as ServeFlags
    const { terminal } = call
    const limits = splitLimits(flags.limit)
    const place = readPlace(flags)
    const layouts = await readLayouts(flags, limits, terminal)
    const handle = createAdmissionHandler({
      layouts,
      limits: limits.admission,
      metadataLimits: limits.metadata,
      registry: registries(flags.registry),
      log: (decision) => logDecision(decision, terminal, call.options['debug'] === true),
    })
    for (const line of loosenedBy(flags)) terminal.note(`[in-toto] ${escape(line)}`)
    if (place.tls === undefined && !isLoopback(place.host))
      terminal.note(`[in-toto] --without-tls: plain HTTP on ${escape(place.host)}; whoever is on the way to it can change every answer`)
    const told = new Promise<NodeJS.Signals>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
    })
    const server = await startServer({ ...place, handle })
    terminal.print(`${server.url}\n`)
    terminal.note(`[in-toto] serving ${layouts.map((one) => `${escape(one.for.join(' '))} by ${escape(one.layoutFile ?? '')}`).join(', ')}`)
    const signal = await told
    terminal.note(`[in-toto] ${signal}: answering what is there, then ending`)
    await server.end()
    return signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.ok
  },
}

function declare(command: Command): void {
  command
    .option('-k, --verification-keys <path...>', 'public keys of the layouts’ owners; each must have signed each layout')
    .option(
      '-l, --layout <pattern=path...>',
      'layouts, each for the images and packages (npm:NAME) that its pattern matches; the first decides',
      ['in-toto/root.layout'],
    )
    .option(
      '-d, --link-dir <dir...>',
      'folders with links (default: in-toto/ and dist/ where in-toto/ exists, else here; none with --store)',
    )
    .option('--store <address...>', 'where evidence is, by digest: dir:PATH, oci://HOST/REPOSITORY, archivista+https://HOST')
    .option('--image-step <step>', 'step among whose products images are (default: the last of the layout)')
    .option('--registry <url>', 'registry of packages (default: as npm is configured)')
    .option('--substitution-parameters <name=value...>', 'values for {NAME} in the layouts’ rules and commands')
    .addOption(
      new Option('--command-mismatch <effect>', 'what a command other than the expected one means')
        .choices(['error', 'warn'])
        .default('error'),
    )
    .option('--statements', 'let a signed Statement with the link predicate stand for a link')
    .option(
      '--limit <name=number...>',
      `set a limit: ${[...Object.keys(defaultAdmissionLimits), ...Object.keys(defaultLimits)].join(', ')}`,
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes a free one', '8443')
    .option('--tls-cert <file>', 'certificate of the server, with those between it and its root, in PEM')
    .option('--tls-key <file>', 'its private key, in PEM')
    .option('--without-tls', 'plain HTTP for other machines, too: only behind something that speaks TLS')
}

/** The registry of a package's scope, found once: that asks npm for its configuration. */
function registries(given: string | undefined): (name: string) => ReturnType<typeof registryOf> {
  const known = new Map<string, ReturnType<typeof registryOf>>()
  return (name) => {
    const scope = name.startsWith('@') ? name.slice(0, name.indexOf('/')) : ''
    const access = known.get(scope) ?? registryOf(name, given)
    known.set(scope, access)
    access.catch(() => known.delete(scope))
    return access
  }
}

/** One line: what was decided, about what, and why not. */
function logDecision(o: Decision, terminal: Terminal, debug: boolean): void {
  const some = (texts: readonly string[]): string =>
    `${texts.slice(0, mostNamed).map(escape).join('  ')}${texts.length > mostNamed ? `  and ${texts.length - mostNamed} more` : ''}`
  const parts = [o.allowed ? 'allowed' : 'refused', escape(o.asked), some(o.subjects), some(o.reasons), `${o.milliseconds} ms`]
  terminal.note(`[in-toto] ${parts.filter((part) => part !== '').join('  ')}`)
  if (o.error !== undefined) for (const line of failureLines(o.error, { paint: terminal.err, debug })) terminal.complain(line)
}
