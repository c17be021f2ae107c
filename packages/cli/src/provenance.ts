/**
 * `intoto provenance`: a signed Statement about a tarball: SLSA provenance v1, its link as a Statement, or the verdict as a verification summary. It goes
 * into the tarball's `.intoto.jsonl` and, for Sigstore's tools, into a bundle. Nothing is said that links, lockfile and this verification do not hold.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { Option } from './flags.ts'
import {
  decodeMetadata,
  hasSignature,
  InTotoError,
  isLink,
  type Link,
  type Report,
  type Signer,
  sign,
  type Statement,
  toStatement,
} from 'intoto'
import { gitState, hashFile, linkDirectory, loadSigner, readMetadataFile, writeFileAtomic } from 'intoto/node'
import {
  addLine,
  findLockfile,
  type Manifest,
  packageFolder,
  packageProvenance,
  packageSubject,
  type PackageSubject,
  packedManifest,
  readLockfile,
  readTarball,
  resolvedDependency,
  type Tarball,
  toBundle,
  verificationSummary,
} from 'intoto-npm'
import type { Call, CommandFile } from './command.ts'
import { git } from './git.ts'
import { exitCodes, misuse } from './failure.ts'
import { writeReport } from './output.ts'
import { declareSigner, requireSigner, type SigningFlags } from './signing.ts'
import { refuseTarget } from './target.ts'
import { escape } from './terminal.ts'
import { declareVerdict, inputsOf, loosenedBy, reachVerdict, type VerdictFlags } from './verdict.ts'
import { version } from './version.ts'

interface Flags extends SigningFlags, VerdictFlags {
  stepName: string
  predicate: 'slsa' | 'link' | 'vsa'
  output?: string
  bundle?: string
}

/** `intoto provenance`. */
export const provenance: CommandFile = {
  usage: 'FILE [--predicate slsa|link|vsa] --signing-key REF [-d DIR…] [-o FILE] [--bundle FILE]',
  summary: 'Signs a Statement about a tarball for tools that know no layouts: SLSA provenance, the link, or the verdict.',
  examples: [
    ['intoto provenance lib-1.0.0.tgz --signing-key ~/keys/ci', 'SLSA provenance v1 into lib-1.0.0.tgz.intoto.jsonl'],
    ['intoto provenance lib-1.0.0.tgz --signing-key ~/keys/ci --bundle lib.sigstore.json', 'and as a bundle for cosign'],
    [
      'intoto provenance lib-1.0.0.tgz --predicate vsa -k in-toto/owner.pub --signing-key ~/keys/gate',
      'the verdict, signed by whoever verified',
    ],
  ],
  declare(command) {
    command
      .argument('<file>', 'the tarball')
      .addOption(new Option('--predicate <name>', 'what is said').choices(['slsa', 'link', 'vsa']).default('slsa'))
      .option('-n, --step-name <step>', 'step that packed', 'package')
      .option('-o, --output <file>', 'JSON Lines that the Statement is added to (default: FILE.intoto.jsonl)')
      .option('--bundle <file>', 'a Sigstore bundle v0.3 of it, too')
    declareSigner(command)
    declareVerdict(command)
  },
  async run(call: Call) {
    const flags = call.options as Flags
    const [file = ''] = call.args
    const output = flags.output ?? `${file}.intoto.jsonl`
    const inputs = inputsOf(flags, call.args)
    refuseTarget(output, { command: 'provenance', content: 'a Statement', inputs })
    if (flags.predicate === 'vsa') refuseLoosened(flags)
    if (flags.bundle !== undefined) refuseTarget(flags.bundle, { command: 'provenance', content: 'a bundle', inputs })
    const signer = await requireSigner(flags, call.terminal)
    const statement = flags.predicate === 'vsa' ? await summaryOf(file, flags, call) : await statementOf(file, flags, signer)
    const signed = await sign(statement, [signer])
    writeFileAtomic(output, addLine(existsSync(output) ? readMetadataFile(output) : new Uint8Array(), signed))
    call.terminal.print(`${escape(output)}\n`)
    if (flags.bundle !== undefined) {
      const own = await sigstoreSigner(signer, flags)
      writeFileAtomic(flags.bundle, await toBundle(await sign(statement, [own]), own.key))
      call.terminal.print(`${escape(flags.bundle)}\n`)
    }
    const { predicate } = statement as unknown as { predicate?: { verificationResult?: unknown } }
    return predicate?.verificationResult === 'FAILED' ? exitCodes.refused : exitCodes.ok
  },
}

/** Sigstore's tools check RSA signatures by PKCS #1 v1.5 alone. */
async function sigstoreSigner(signer: Signer, flags: Flags): Promise<Signer> {
  if (signer.key.keytype !== 'rsa' || flags.signingKey === undefined) return signer
  const password = typeof flags.password === 'string' ? { password: flags.password } : {}
  return loadSigner(flags.signingKey, { ...password, scheme: 'rsa-pkcs1v15-sha256' })
}

async function statementOf(file: string, flags: Flags, signer: Signer): Promise<Statement> {
  const folders = flags.linkDir ?? (existsSync('in-toto') ? ['in-toto'] : ['.'])
  const { subject, manifest, tarball } = await subjectOf(file)
  const link = await linkOf(subject, { folders, step: flags.stepName, signer })
  if (flags.predicate === 'link') return toStatement(link)
  const client = typeof link.byproducts['client'] === 'string' ? link.byproducts['client'] : (link.command[0] ?? 'npm')
  const lockfile = findLockfile('.')
  const source = sourceOf(manifest)
  return packageProvenance({
    subject,
    link,
    client,
    workspace: workspaceOf(tarball, link),
    environment: process.env,
    node: process.version,
    builderVersion: { 'intoto-cli': version },
    ...(source === undefined ? {} : { source }),
    ...(lockfile === undefined ? {} : { dependencies: readLockfile(lockfile).packages.map(resolvedDependency) }),
  })
}

/** Name and version as the tarball itself has them, and its digests. */
async function subjectOf(file: string): Promise<{ subject: PackageSubject; manifest: Manifest; tarball: Tarball }> {
  const tarball = await readTarball(file)
  const manifest = packedManifest(tarball)
  const { name, version } = manifest
  if (typeof name !== 'string' || typeof version !== 'string') throw misuse(`${file}: its package.json has no name and version`)
  return { subject: { name, version, sha512: tarball.sha512, sha256: tarball.sha256 }, manifest, tarball }
}

/** The link of this very tarball, signed by the key that signs the Statement: nobody else's word is passed on. */
async function linkOf(subject: PackageSubject, o: { folders: readonly string[]; step: string; signer: Signer }): Promise<Link> {
  for (const file of await linkDirectory(o.folders).list(o.step)) {
    const metadata = decodeMetadata(await file.read(), { what: file.file })
    const { payload } = metadata
    if (!isLink(payload) || !Object.values(payload.products).some(({ sha256 }) => sha256 === subject.sha256)) continue
    if (await hasSignature(metadata, o.signer.key)) return payload
    const message = 'the link of this tarball is not signed by the key that is to sign the Statement'
    throw new InTotoError({ code: 'E_ACTOR', message, file: file.file, fix: 'give the key that has signed the link' })
  }
  throw new InTotoError({
    code: 'E_MISSING_STEP',
    step: o.step,
    message: `no link of step "${o.step}" has this tarball as its product (looked in ${o.folders.join(', ')})`,
    fix: 'pack with "intoto pack", or name the folder of the link with -d',
  })
}

/** Folder of the package below the root of the repository: names of the link may start there, or in the folder of the package, where this is called. */
function workspaceOf(tarball: Tarball, link: Link): string {
  const here = posix.normalize(git('rev-parse', '--show-prefix')?.trim() || '.').replace(/\/$/, '')
  const named = packageFolder(tarball, link)
  return `/${here}`.endsWith(`/${named}`) ? here : posix.join(here, named)
}

/** Repository and commit, where package.json names the one and git the other, and nothing was changed since. */
function sourceOf(manifest: Manifest): { repository: string; commit: string } | undefined {
  const { repository } = manifest
  const url = typeof repository === 'object' && repository !== null ? (repository as { url?: unknown }).url : repository
  const git = gitState('.')
  if (typeof url !== 'string' || !/^(?:git\+)?https:\/\//.test(url) || git?.commit === undefined || git.dirty) return undefined
  return { repository: url, commit: git.commit }
}

/** A summary has no place for what made its verdict milder, and whoever reads it can't ask. */
function refuseLoosened(flags: Flags): void {
  const [first] = loosenedBy(flags)
  if (first === undefined) return
  throw misuse(`provenance: no verification summary of a verdict that is milder than usual (${first})`, [
    `leave out ${first.split(' ')[0]}: a summary says what "intoto verify" says by default`,
    'the verdict itself, with what was loosened: intoto verify --format json',
  ])
}

/** Files of all links, those of sublayouts included. */
function linkFiles({ steps }: Report): string[] {
  return steps.flatMap(({ links, sublayout }) => [
    ...links.map(({ file }) => file),
    ...(sublayout === undefined ? [] : linkFiles(sublayout)),
  ])
}

/** The verdict as a Statement; a refusal is one, too. */
async function summaryOf(file: string, flags: Flags, call: Call): Promise<Statement> {
  const terminal = { ...call.terminal, out: call.terminal.err, print: (text: string) => call.terminal.note(text.trimEnd()) }
  const { report, context } = await reachVerdict(flags, { command: 'provenance', products: [file], terminal })
  await writeReport(report, { outputs: undefined, context, terminal })
  const links: { [file: string]: string } = Object.create(null)
  for (const path of linkFiles(report)) links[path] = hashFile(path).sha256
  const sha256 = createHash('sha256')
    .update(readMetadataFile(flags.layout, { what: 'layout' }))
    .digest('hex')
  const subject = packageSubject((await subjectOf(file)).subject)
  return verificationSummary({
    report,
    timeVerified: `${new Date().toISOString().slice(0, 19)}Z`,
    subject: { ...subject, digest: subject.digest ?? {} },
    layout: { sha256 },
    links,
    verifierVersion: { 'intoto-cli': version },
  })
}
