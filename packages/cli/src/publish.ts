/**
 * `intoto publish`: pack, sign, verify and upload one and the same file, then ask the registry what it tells installers. The upload runs no script and
 * starts only after a yes; whatever differs afterwards ends with exit code 1.
 */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InTotoError, type Link, type Metadata } from 'intoto'
import { readMetadataFile, writeFileAtomic } from 'intoto/node'
import {
  type Client,
  compareServed,
  fetchPublished,
  findClient,
  findRegistry,
  packedManifest,
  privateFolder,
  readBundle,
  readTarball,
  refuseSwapped,
  type RegistryAccess,
  runClient,
  type Tarball,
  uploadCommand,
  uploadEnvironment,
  withoutCredentials,
} from 'intoto-npm'
import type { Call, CommandFile } from './command.ts'
import { exitCodes, headline, misuse } from './failure.ts'
import { checkStores, pushEvidence } from './evidence.ts'
import { writeReport } from './output.ts'
import { evidenceFolder, putLink } from './recording.ts'
import { declareRelease, packRelease, type ReleaseFlags, withLink } from './release.ts'
import { declareFormat, declareSigner } from './signing.ts'
import { escape, type Terminal } from './terminal.ts'
import { beforeUpload, checkTrust, declareVerdict, reachVerdict, type VerdictFlags } from './verdict.ts'
import { millisecondsOf } from './words.ts'

interface Flags extends ReleaseFlags, VerdictFlags {
  dryRun?: boolean
  wait: string
}

/** `intoto publish`. */
export const publishCommand: CommandFile = {
  usage: '[FILE.tgz] -k KEY… [-l LAYOUT] [-d DIR…] [--dry-run] [-- CLIENT-ARGS]',
  summary: 'Packs, verifies the chain on that tarball, uploads that very file, and compares what the registry then serves.',
  examples: [
    ['intoto publish -k in-toto/owner.pub', 'in place of "npm publish"; with pnpm, yarn and bun projects as well'],
    ['intoto publish -k in-toto/owner.pub --dry-run', 'all of it but the upload'],
    ['intoto publish lib-1.0.0.tgz -k in-toto/owner.pub', 'a tarball that "intoto pack" has made'],
    ['intoto publish -k in-toto/owner.pub -- --tag next --provenance', 'what stands after -- goes to the client'],
  ],
  declare(command) {
    command.argument('[words...]', 'a tarball, before -k; after --, arguments for the client')
    declareRelease(command)
    declareSigner(command)
    declareFormat(command)
    declareVerdict(command, beforeUpload)
    command
      .option('--dry-run', 'stop before the upload and say what would happen')
      .option('--wait <seconds>', 'how long the registry may take to serve what was uploaded', '60')
      .option('--store <address...>', 'put the evidence there, too: dir:PATH, oci://HOST/REPOSITORY, archivista+https://HOST')
  },
  async run(call: Call) {
    const { store, ...flags } = call.options as Flags
    checkStores(store)
    const { file, args } = wordsOf(call.args, flags)
    const terminal = aside(call.terminal)
    const patience = millisecondsOf('--wait', flags.wait)
    await checkTrust(flags, 'publish')
    const upload = await (file === undefined ? packed(flags, terminal) : given(file, flags))
    try {
      const { link } = upload
      const verdict = await reachVerdict(flags, {
        command: 'publish',
        products: [upload.path],
        terminal,
        ...beforeUpload,
        ...(link === undefined ? {} : { links: (found) => withLink(found, link) }),
      })
      await writeReport(verdict.report, {
        outputs: undefined,
        context: { ...verdict.context, products: [basename(upload.path)] },
        terminal,
      })
      if (!verdict.report.ok || verdict.report.partial !== undefined) return refused(verdict.report.ok, terminal)
      const plan = await planOf(upload, args)
      if (flags.dryRun === true) {
        call.terminal.print(`${planText(plan, upload)}\n[in-toto] --dry-run: nothing was uploaded\n`)
        return exitCodes.ok
      }
      const folder = flags.linkDir?.[0] ?? evidenceFolder()
      if (link !== undefined) putLink(link, folder, terminal)
      terminal.note(planText(plan, upload))
      await send(plan, upload)
      const comparing = compare(plan, { upload, patience, terminal: call.terminal })
      const code = await call.terminal.progress.during('looking at what the registry serves', comparing)
      for (const address of code === exitCodes.ok ? (store ?? []) : []) {
        await pushEvidence(address, {
          file: upload.path,
          folders: [...new Set([...verdict.context.folders, folder])],
          layout: flags.layout,
          terminal,
        })
      }
      return code
    } finally {
      upload.close()
    }
  },
}

/** A tarball that may go out, in a folder of ours. */
interface Upload {
  readonly path: string
  readonly tarball: Tarball
  readonly client: Client
  /** Not on disk yet. */
  readonly link?: Metadata<Link>
  /** A keyless bundle for npm's --provenance-file. */
  readonly provenance?: string
  close(): void
}

/** The words before and after `--`: a tarball can only come first. */
function wordsOf(words: readonly string[], flags: Flags): { file?: string; args: string[] } {
  const swallowed = flags.verificationKeys?.find((path) => /\.(?:tgz|tar\.gz)$/.test(path))
  if (swallowed !== undefined)
    throw misuse(`publish: -k takes all words up to the next flag, and "${swallowed}" is no key`, `intoto publish ${swallowed} -k KEY`)
  const [first, ...rest] = words
  const isFile = first !== undefined && /\.(?:tgz|tar\.gz)$/.test(first)
  if (first !== undefined && !isFile && !first.startsWith('-'))
    throw misuse(`publish: "${first}" is no tarball`, 'name a .tgz, or none: the project here is packed')
  const args = isFile ? rest : [...words]
  // The client would take such a word for one more package, or for a folder.
  const stray = isFile && rest[0]?.startsWith('-') === false ? rest[0] : args.find((word) => /\.(?:tgz|tar\.gz)$/.test(word))
  if (stray !== undefined)
    throw misuse(
      `publish: "${stray}" is one word too many: one tarball is published at a time`,
      'name one .tgz, or none; after -- flags for the client',
    )
  // npm takes every beginning of the name that no other option shares
  if (args.some((word) => /^-+dry?(?:-r?u?n?)?(?:=|$)/.test(word)))
    throw misuse('publish: --dry-run stands after --, where it is the client’s', 'intoto publish --dry-run …')
  if (flags.through !== undefined) throw misuse('publish: --through leaves steps unverified', 'verify the whole layout')
  return isFile ? { file: first, args } : { args }
}

async function packed(flags: Flags, terminal: Terminal): Promise<Upload> {
  const { client, tarball, link } = await packRelease(flags, terminal)
  const read = await readTarball(tarball.bytes, { what: basename(tarball.path) })
  return { path: tarball.path, tarball: read, client, link, close: () => tarball.close() }
}

/** A copy of ours, so that what is verified is what is sent. */
async function given(file: string, flags: Flags): Promise<Upload> {
  const bytes = readMetadataFile(file, { limit: 1024 ** 3 })
  const tarball = await readTarball(bytes, { what: file })
  const client = await findClient({
    folder: process.cwd(),
    env: process.env,
    ...(flags.client === undefined ? {} : { given: flags.client }),
  })
  const place = privateFolder()
  const path = join(place.path, basename(file))
  writeFileAtomic(path, bytes, { mode: 0o400 })
  const provenance = `${file}.sigstore.json`
  const keyless = existsSync(provenance) && readBundle(readMetadataFile(provenance), provenance).keyless
  return { path, tarball, client, ...(keyless ? { provenance } : {}), close: place.close }
}

interface Plan {
  readonly name: string
  readonly version: string
  readonly registry: RegistryAccess
  readonly command: readonly string[]
}

/** What will be called, and which registry that asks. */
async function planOf(upload: Upload, args: readonly string[]): Promise<Plan> {
  const manifest = packedManifest(upload.tarball)
  const { name, version } = manifest
  if (typeof name !== 'string' || typeof version !== 'string')
    throw new InTotoError({ code: 'E_FORMAT', message: 'package.json in the tarball has no name and version', fix: 'give it both' })
  if (manifest['private'] === true)
    throw new InTotoError({
      code: 'E_CONFIG',
      message: `${name} is private: clients refuse to publish it`,
      fix: 'remove "private" from package.json',
    })
  const registry = await findRegistry({
    folder: process.cwd(),
    env: process.env,
    name,
    client: upload.client,
    publishConfig: manifest['publishConfig'],
    args,
  })
  const more =
    upload.provenance === undefined || upload.client.name === 'bun' || upload.client.name === 'pnpm'
      ? []
      : ['--provenance-file', upload.provenance]
  return { name, version, registry, command: uploadCommand(upload.client, upload.path, [...more, ...args]) }
}

function planText(plan: Plan, { tarball, path }: Upload): string {
  const words = withoutCredentials(plan.command).map((word) =>
    word === path ? basename(path) : word === process.execPath ? 'node' : basename(word) === 'npm-cli.js' ? 'npm' : word,
  )
  return `[in-toto] ${escape(`${plan.name}@${plan.version}`)}  ${tarball.integrity}\n[in-toto] to ${escape(plan.registry.registry)} by: ${escape(words.join(' '))}`
}

/** The last look at the file, and the upload. @throws InTotoError E_PRODUCT */
async function send(plan: Plan, { path, tarball, client }: Upload): Promise<void> {
  const settings = await uploadEnvironment({ client, access: plan.registry, env: process.env, folder: dirname(path) })
  refuseSwapped(path, tarball.sha256)
  const { code } = await runClient(plan.command, { cwd: process.cwd(), env: { ...process.env, ...settings } })
  if (code === 0) return
  throw new InTotoError({
    code: 'E_PRODUCT',
    message: `the upload ended with exit code ${code}`,
    file: basename(path),
    fix: 'see what the client said above',
  })
}

/** What the registry serves now, against what was verified. */
async function compare(plan: Plan, o: { upload: Upload; patience: number; terminal: Terminal }): Promise<number> {
  const what = escape(`${plan.name}@${plan.version}`)
  try {
    const served = await fetchPublished({ ...plan.registry, name: plan.name, version: plan.version, patience: o.patience })
    const problems = compareServed(o.upload.tarball, served)
    for (const problem of problems) {
      o.terminal.complain(headline(problem, o.terminal.err))
      for (const fix of problem.fix.slice(0, 1)) o.terminal.complain(`  try            ${escape(fix)}`)
    }
    if (problems.length > 0) return exitCodes.refused
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    o.terminal.complain(headline(error.problem, o.terminal.err))
    o.terminal.complain(`  ${what} was uploaded, but what the registry serves is not known`)
    o.terminal.complain(`  try            intoto verify npm:${what}`)
    return exitCodes.refused
  }
  o.terminal.print(`+ ${what}  the registry serves the tarball that was verified\n`)
  return exitCodes.ok
}

function refused(whole: boolean, terminal: Terminal): number {
  if (whole) terminal.complain('only a part of the layout was verified')
  terminal.note('[in-toto] nothing was uploaded')
  return exitCodes.refused
}

/** The verdict goes to stderr: stdout is for what was published. */
function aside(terminal: Terminal): Terminal {
  return { ...terminal, out: terminal.err, print: (text) => terminal.note(text.trimEnd()) }
}
