/**
 * The step of a link once more, in a clean copy of the repository at the link's commit: what `intoto reproduce` compares with. Nothing is written into
 * the working tree, and the copy is gone when the process ends. Whatever the command prints goes to stderr.
 */
import { spawn, spawnSync } from 'node:child_process'
import { constants, cpSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep, win32 } from 'node:path'
import { createLink, InTotoError, type JsonObject, type JsonValue, type Link } from 'intoto'
import { gitState, recordArtifacts, withoutSecrets } from 'intoto/node'
import { escape, type Terminal } from './terminal.ts'

/** What is to be done again, and how. */
export interface RebuildOptions {
  /** In place of the link's own command. */
  readonly command?: readonly string[]
  /** Run first, in place of a copy of node_modules: `npm ci`. */
  readonly prepare?: readonly string[]
  /** Files and folders that the step makes, in place of what the link's products suggest. */
  readonly products?: readonly string[]
  readonly terminal: Terminal
}

/** A step that was carried out again. */
export interface Rebuilt {
  readonly link: Link
  /** The package root of the copy, as it was during the build. */
  readonly root: string
  readonly commit: string
}

/**
 * Carries out the step of a link again.
 * @throws InTotoError E_CONFIG: no git repository, no command, or one that can't be started, a name that leads out of the copy; E_NOT_RECORDED: it
 * failed; those of recording
 */
export async function rebuild(first: Link, o: RebuildOptions): Promise<Rebuilt> {
  const command = o.command ?? first.command
  if ((command[0] ?? '') === '')
    throw new InTotoError({
      code: 'E_CONFIG',
      message: 'reproduce: the link names no command',
      step: first.name,
      fix: 'give the command after --, or the link of another builder',
    })
  const { top, prefix } = place()
  const commit = commitOf(first) ?? git(['rev-parse', '--verify', 'HEAD^{commit}'])
  if (gitState('.')?.dirty === true) o.terminal.note('[in-toto] changes that are not committed take no part in it')
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-reproduce-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const copy = join(folder, basename(top))
  git(['clone', '--quiet', '--no-checkout', '--', top, copy])
  git(['-C', copy, 'checkout', '--quiet', '--detach', commit])
  const root = join(copy, prefix)
  if (!existsSync(root) || realpathSync(root) !== root)
    throw new InTotoError({ code: 'E_CONFIG', message: `commit ${commit.slice(0, 12)} has no folder ${prefix}`, fix: 'commit it first' })
  const places = [...new Set([root, copy])]
  if (o.prepare === undefined) for (const at of places) copyModules(join(top, at.slice(copy.length)), at)
  const env = withoutSecrets({
    ...plainEnvironment(),
    PATH: [...places.map((at) => join(at, 'node_modules/.bin')), process.env['PATH']].join(delimiter),
  })
  if (o.prepare !== undefined) await carryOut(o.prepare, { cwd: root, env })
  const names = { product: Object.keys(first.products), material: Object.keys(first.materials) }
  for (const kind of ['product', 'material'] as const) for (const name of names[kind]) refuseOutside(name, { kind, root, copy })
  for (const path of o.products ?? []) refuseOutside(path.replaceAll(sep, '/'), { kind: '-p', root, copy })
  for (const name of names.product) if (!Object.hasOwn(first.materials, name)) rmSync(join(root, name), { force: true })
  const materials = await recordArtifacts(names.material, { base: root, exclude: () => false, warn: () => {} })
  await carryOut(command, { cwd: root, env })
  const products = await recordArtifacts(o.products ?? rootsOf(first), { base: root, warn: () => {} })
  const byproducts: JsonObject = Object.create(null) as { [name: string]: JsonValue }
  byproducts['return-value'] = 0
  byproducts['node'] = process.versions.node
  byproducts['source'] = { commit, dirty: false }
  return { link: createLink({ name: first.name, materials, products, command: [...command], byproducts }), root, commit }
}

/** The repository here, and where in it this folder is. */
function place(): { top: string; prefix: string } {
  return { top: git(['rev-parse', '--show-toplevel']), prefix: git(['rev-parse', '--show-prefix']) }
}

/** Without our keys, and without what git tells its hooks: those variables would lead every git in the copy back to the repository here. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const places = /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR|OBJECT_DIRECTORY)$/
  return Object.fromEntries(Object.entries(withoutSecrets()).filter(([name]) => !places.test(name)))
}

/** The commit that a recorder wrote down: `intoto record source` under `git`, the plugin under `source`. */
function commitOf({ byproducts }: Link): string | undefined {
  for (const name of ['source', 'git']) {
    const value = byproducts[name]
    const commit = typeof value === 'object' && value !== null && !Array.isArray(value) ? value['commit'] : undefined
    if (typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit)) return commit
  }
  return undefined
}

/** @throws InTotoError E_CONFIG */
function git(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('git', args, { encoding: 'utf8', env: plainEnvironment() })
  if (status === 0) return stdout.replace(/\r?\n$/, '')
  const reason = error === undefined ? (stderr.trim().split('\n')[0] ?? '') : 'git is not installed'
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `reproduce: a clean copy of the repository can't be made: ${escape(reason)}`,
    fix: 'run it in a git working tree that has the commit of the link, or name the link of another builder',
  })
}

/** Installed packages are copied, since they are no part of a repository; links among them stay what they are. */
function copyModules(from: string, to: string): void {
  const modules = join(from, 'node_modules')
  if (existsSync(modules) && !existsSync(join(to, 'node_modules')))
    cpSync(modules, join(to, 'node_modules'), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
}

/**
 * A link is anybody's file, and what it calls a product is removed: every name must lead to something below the copy, whatever symbolic links the
 * repository holds. Products lie below the package root; materials may lie beside it, as the plugin names them in a workspace.
 * @throws InTotoError E_CONFIG
 */
function refuseOutside(name: string, o: { kind: 'product' | 'material' | '-p'; root: string; copy: string }): void {
  const plain = name.replace(/^(?:file|dir):/, '')
  const below = o.kind === 'product' ? plain : plain.replace(/^(?:\.\.\/)+/, '')
  const isRelative = !isAbsolute(plain) && !win32.isAbsolute(plain) && !/^[a-z]:/i.test(plain)
  const path = resolve(o.root, plain)
  const folder = o.kind === 'product' ? o.root : o.copy
  const leadsBelow = path.startsWith(folder + sep) || (o.kind === '-p' && path === folder)
  const isPlain = isRelative && !/(?:^|\/)\.\.(?:\/|$)|\\/.test(below)
  if (isPlain && leadsBelow && (path === o.copy || `${realParent(path)}${sep}`.startsWith(o.copy + sep))) return
  const fix = ['do not trust this link', 'ask whoever signed it where its names come from']
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `reproduce: the ${o.kind === '-p' ? 'path' : o.kind} ${escape(JSON.stringify(name))} leads out of the clean copy`,
    fix: o.kind === '-p' ? 'name files and folders of the repository' : fix,
  })
}

/** Where the folder of a path really lies; of what is not there, the nearest folder that is. */
function realParent(path: string): string {
  const parent = dirname(path)
  try {
    return realpathSync(parent)
  } catch {
    return parent === path ? path : realParent(parent)
  }
}

/** The folders that the products lie in, and those products that lie in none. */
function rootsOf({ products }: Link): string[] {
  return [...new Set(Object.keys(products).map((name) => (dirname(name) === '.' ? name : (name.split('/')[0] ?? name))))]
}

/** @throws InTotoError E_CONFIG: it can't be started; E_NOT_RECORDED: it failed */
function carryOut([program = '', ...args]: readonly string[], o: { cwd: string; env: NodeJS.ProcessEnv }): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...o, stdio: ['ignore', 2, 2], windowsHide: true })
    const fail = (code: 'E_CONFIG' | 'E_NOT_RECORDED', reason: string, fix: string): void =>
      reject(new InTotoError({ code, message: `reproduce: ${escape(program)} ${reason}`, fix }))
    child.once('error', () =>
      fail('E_CONFIG', "can't be started", 'give the command after --, or install what it needs with --prepare "npm ci"'),
    )
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else
        fail(
          'E_NOT_RECORDED',
          `ended with ${signal ?? `exit code ${code}`} in the clean copy`,
          'see what it said above; does it need what git does not track?',
        )
    })
  })
}
