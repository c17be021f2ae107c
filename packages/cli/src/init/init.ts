/**
 * `intoto init`: from a project that has nothing of in-toto to a verified build. It shows every change before it makes it, builds once, learns the
 * layout from that, signs and verifies; when anything fails, all files are as they were, but what the build itself wrote. What is there already stays.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from '../flags.ts'
import { InTotoError, linkFileName } from 'intoto'
import { type ClientName, findClient } from 'intoto-npm'
import { type Call, type CommandFile, parseCall } from '../command.ts'
import { usualLayout } from '../draft.ts'
import { exitCodes, misuse } from '../failure.ts'
import { escape, type Terminal } from '../terminal.ts'
import { expiryOf } from '../words.ts'
import { build, type Building } from './build.ts'
import { type Bundler, bundlers } from './bundler.ts'
import { type Change, changeLines, changeOf, Journal } from './change.ts'
import { pluginWords, withPlugin } from './config.ts'
import { detectBundler, detectProject, distOf, type Forge, type FoundBundler, isInstalled, type Project } from './detect.ts'
import { keepKey, ownerKey } from './key.ts'
import { isPublished, type Recipe, recipeFiles, recipeText, withIgnored, withScripts } from './recipe.ts'

interface Flags {
  yes?: boolean
  dryRun?: boolean
  force?: boolean
  bundler?: string
  config?: string
  client?: ClientName
  ci?: Forge | 'none'
  dist?: string
  signingKey?: string
  script: string
  expires: string
  /** Undefined where package.json decides. */
  publish?: boolean
  build: boolean
}

/** Where the public key of the owner goes. */
const ownerFile = 'in-toto/owner.pub'

/** `intoto init`. */
export const init: CommandFile = {
  usage: '[--yes] [--dry-run]',
  summary:
    'Sets a project up: a key outside of it, the plugin in the bundler’s configuration, scripts, CI; builds once, learns a layout, verifies.',
  examples: [
    ['npx unplugin-in-toto init', 'shows what it would change, then asks'],
    ['npx unplugin-in-toto init --yes --ci github', 'asks nothing; for scripts and CI'],
    ['npx unplugin-in-toto init --dry-run', 'only shows'],
  ],
  declare(command) {
    command
      .option('-y, --yes', 'ask nothing')
      .option('--dry-run', 'show what would change, and change nothing')
      .option('--force', 'replace a layout, recipe or public key that is there')
      .addOption(new Option('--bundler <name>', 'bundler or framework (default: as found)').named(bundlers.map(({ name }) => name)))
      .option('--config <file>', 'its configuration (default: as found)')
      .addOption(new Option('--client <name>', 'package manager (default: as found)').choices(['npm', 'pnpm', 'yarn', 'bun']))
      .addOption(new Option('--ci <name>', 'write a recipe for builds there (default: as found)').choices(['github', 'gitlab', 'none']))
      .option('--dist <dir>', 'folder that the bundler writes to (default: as its configuration says, else dist)')
      .option(
        '--signing-key <ref>',
        'a private key that you have (default: INTOTO_KEY, INTOTO_KEY_FILE, else a new one outside the project)',
      )
      .option('--script <name>', 'script of package.json that builds', 'build')
      .option('--expires <when>', 'when the layout expires: days from now, or a date', '90')
      .option('--publish', 'the package is published: packing is a step too (default: unless package.json says "private")')
      .option('--no-publish', 'it is not')
      .option('--no-build', 'change files only; build, learn and verify later')
  },
  async run(call: Call) {
    const flags = call.options as Flags
    expiryOf(flags.expires, new Date()) // A mistake in it is not worth a build.
    const project = detectProject()
    const plan = await planOf(project, await answered(project, flags))
    const journal = new Journal()
    const leave = (): void => {
      if (journal.takeBack())
        call.terminal.note('[in-toto] init did not come to its end: all files are as they were, but what the build itself wrote')
    }
    process.once('exit', leave)
    try {
      const code = await carryOut(plan, { flags, terminal: call.terminal, journal })
      process.off('exit', leave)
      return code
    } catch (error) {
      leave()
      throw error
    }
  },
}

/** Is there somebody to ask? */
function isAttended(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** All that is decided before anything is changed. */
interface Plan extends Recipe, Building {
  readonly client: ClientName
  readonly found: FoundBundler
  readonly forge: Forge | undefined
}

/** The flags, and where somebody is there to ask and a choice is open, the answers: a member of a workspace gets no recipe, and one that is set up has had it. */
async function answered(project: Project, flags: Flags): Promise<Flags> {
  const isOpen = flags.ci === undefined && project.workspace === undefined && (flags.force || !existsSync(usualLayout))
  if (!isOpen || flags.yes || flags.dryRun || !isAttended()) return flags
  const forges = ['github', 'gitlab', 'none'] as const
  const ci = await (await import('./questions.ts')).choose('A recipe for builds in CI?', forges, project.forge ?? 'none')
  return { ...flags, ci }
}

async function planOf(project: Project, flags: Flags): Promise<Plan> {
  const found = detectBundler(project, flags.bundler)
  const bundler: FoundBundler = flags.config === undefined ? found : { bundler: found.bundler, file: existing(flags.config) }
  const { name: client, start } = await findClient({
    folder: '.',
    env: process.env,
    ...(flags.client === undefined ? {} : { given: flags.client }),
  })
  return {
    project,
    found: bundler,
    client,
    start,
    forge: flags.ci === 'none' ? undefined : (flags.ci ?? project.forge),
    dist: flags.dist?.replace(/\/+$/, '') ?? distOf(bundler),
    owner: ownerFile,
    isPublished: flags.publish ?? isPublished(project.manifest),
    key: await ownerKey(flags.signingKey, project.name),
  }
}

function existing(file: string): string {
  if (existsSync(file)) return file
  throw misuse(`init: there is no configuration "${file}"`, '--config FILE')
}

interface Doing {
  readonly flags: Flags
  readonly terminal: Terminal
  readonly journal: Journal
}

async function carryOut(plan: Plan, o: Doing): Promise<number> {
  const { flags, terminal } = o
  const { changes, notes } = changesOf(plan, flags)
  const hasLayout = existsSync(usualLayout) && !flags.force
  if (changes.length === 0 && hasLayout) {
    terminal.print('everything is there already: nothing was changed\n')
    return exitCodes.ok
  }
  terminal.note(
    `[in-toto] ${escape(plan.project.name)}: ${plan.found.bundler.name}, ${plan.client}${plan.project.workspace === undefined ? '' : ', member of a workspace'}${plan.isPublished ? ', published' : ''}`,
  )
  if (plan.key.made !== undefined)
    terminal.note(
      `[in-toto] a new key: ${escape(plan.key.made.path)} (mode 0600, ${plan.key.made.encrypted ? 'encrypted' : 'not encrypted'}; nothing of it comes into the project)`,
    )
  for (const line of changes.flatMap((change) => ['', ...changeLines(change, terminal.err)])) terminal.note(line)
  for (const note of notes) terminal.note(`\n[in-toto] ${escape(note)}`)
  if (flags.dryRun) return exitCodes.ok
  if (flags.build && !isInstalled())
    throw misuse(
      'init: unplugin-in-toto is not installed here, and no build would find it',
      `${plan.client} ${plan.client === 'npm' ? 'i' : 'add'} -D unplugin-in-toto`,
    )
  if (!flags.yes) {
    if (!isAttended()) throw misuse('init: nobody is there to agree to these changes', '--yes, or --dry-run to look only')
    if (!(await (await import('./questions.ts')).agree('Make these changes, build once and learn a layout from it?'))) {
      terminal.note('nothing was changed')
      return exitCodes.refused
    }
  }
  return made(plan, changes, { ...o, hasLayout })
}

/** Files that change; those that a person may have made anew are only replaced by force. */
function changesOf({ found, project, forge, ...recipe }: Plan, { force }: Flags): { changes: Change[]; notes: readonly string[] } {
  const scripts = withScripts(project, recipe)
  const changes = [configChange(found, project), changeOf('package.json', scripts.text), changeOf(recipe.owner, recipe.key.publicPem)]
  if (project.inGit || existsSync('.gitignore'))
    changes.push(
      changeOf('.gitignore', withIgnored(existsSync('.gitignore') ? readFileSync('.gitignore', 'utf8') : undefined, recipe.dist)),
    )
  const notes = [...scripts.notes]
  if (forge !== undefined && project.workspace === undefined) changes.push(changeOf(recipeFiles[forge], recipeText(forge, recipe)))
  if (forge !== undefined && project.workspace !== undefined)
    notes.push('no recipe for CI was written: that is for the root of the workspace to have')
  const owned = (path: string): boolean => path === recipe.owner || (forge !== undefined && path === recipeFiles[forge])
  const differing = changes.filter(({ before, after }) => before !== after)
  const kept = differing.filter(({ path, before }) => before !== undefined && owned(path) && !force)
  if (kept.some(({ path }) => path === recipe.owner))
    throw misuse(
      `init: ${recipe.owner} is another key than the one that would sign (${recipe.key.keyid.slice(0, 8)})`,
      '--signing-key REF for the key that it belongs to, or --force',
    )
  for (const { path } of kept) notes.push(`${path} is there and stays; --force replaces it`)
  return { changes: differing.filter((change) => !kept.includes(change)), notes: changes.length > 0 ? notes : [] }
}

function configChange({ bundler, file }: FoundBundler, project: Project): Change {
  if (file !== undefined) return changeOf(file, withPlugin(readFileSync(file, 'utf8'), bundler, file))
  return changeOf(freshFile(bundler, project), bundler.fresh?.(pluginWords(bundler)) ?? '')
}

function freshFile({ files }: Bundler, { isTypeScript, manifest }: Project): string {
  return `${files[0]}.${isTypeScript ? 'ts' : manifest.type === 'module' ? 'js' : 'mjs'}`
}

/** Everything after the consent. */
async function made(plan: Plan, changes: readonly Change[], o: Doing & { hasLayout: boolean }): Promise<number> {
  const { flags, terminal, journal } = o
  keepKey(plan.key, journal)
  for (const { path, after } of changes) journal.write(path, after)
  if (!flags.build) {
    terminal.print(`written; now build, then: intoto layout learn --functionary ${plan.owner} --sign-with ${escape(plan.key.ref)}\n`)
    return exitCodes.ok
  }
  journal.expect(join(plan.dist, linkFileName('build', plan.key.keyid)))
  const folder = await build(plan, flags.script)
  if (folder !== plan.dist) {
    terminal.note(`[in-toto] the link lies in ${escape(folder)}: once more, with that folder in the scripts`)
    journal.takeBack()
    const next = { ...plan, dist: folder }
    keepKey(plan.key, journal)
    for (const { path, after } of changesOf(next, flags).changes) journal.write(path, after)
    journal.expect(join(folder, linkFileName('build', plan.key.keyid)))
    await build(next, flags.script)
    return learned(next, o)
  }
  return learned(plan, o)
}

/** Packs where that is a step, learns, signs, verifies. */
async function learned(plan: Plan, o: Doing & { hasLayout: boolean }): Promise<number> {
  const { flags, terminal, journal } = o
  const aside: Terminal = { ...terminal, print: (text) => terminal.note(text.trimEnd()) }
  if (!o.hasLayout) {
    if (plan.isPublished) {
      journal.expect(join('in-toto', linkFileName('package', plan.key.keyid)))
      await pack(plan, aside)
    }
    journal.expect(usualLayout)
    const words = [
      '--functionary',
      plan.owner,
      '-d',
      plan.dist,
      'in-toto',
      '--sign-with',
      plan.key.ref,
      '--expires',
      flags.expires,
      '--force',
    ]
    await call('layout learn', (await import('../learn.ts')).learn, words, aside)
  }
  const through = plan.isPublished ? ['--through', 'build'] : []
  const words = [plan.dist, '-k', plan.owner, ...through]
  const code = await call('verify', (await import('../verify.ts')).verifyCommand, words, terminal)
  if (code !== exitCodes.ok)
    throw new InTotoError({
      code: 'E_CONFIG',
      message: 'init: the build was not verified',
      fix: o.hasLayout ? `see what it said above; --force learns ${usualLayout} anew from this build` : 'see what it said above',
    })
  for (const line of nextWords(plan, words)) terminal.note(line)
  return code
}

async function pack({ key }: Plan, terminal: Terminal): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'intoto-init-'))
  try {
    const words = ['--signing-key', key.ref, '-d', 'in-toto', '--pack-destination', folder]
    await call('pack', (await import('../pack.ts')).packCommand, words, terminal)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Another command of ours, as if its words had been typed. */
async function call(name: string, file: CommandFile, words: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = await parseCall(name, file, words)
  if ('help' in parsed) throw new Error(`${name} printed its help`)
  return file.run({ ...parsed, terminal })
}

function nextWords({ client, owner, forge, key, isPublished: published }: Plan, verify: readonly string[]): string[] {
  const ci = ['build', ...(published ? ['package'] : [])].map((step) => `${step}=../ci.pub`).join(' ')
  return [
    '',
    `from now on    ${client} run build, then: npx intoto verify ${verify.join(' ')}`,
    ...(published ? [`to publish     npx intoto publish -k ${owner}`] : []),
    ...(forge === undefined
      ? []
      : [
          'for CI         npx intoto keygen -o ../ci, its text into the secret INTOTO_KEY, and:',
          `               npx intoto layout renew --add-functionary ${ci} --sign-with ${escape(key.ref)}`,
        ]),
    'commit         in-toto/ and what was changed; the private key stays where it is',
  ]
}
