/**
 * A small package and its whole chain, made with the command alone: source, build, test, package, each by its own functionary, under the npm
 * preset's layout. Made once for a test file; tests that break something work on a copy.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bareEnvironment, bin, mustRun, type CallOptions } from './command.ts'

/** Where a chain lies. */
export interface Chain {
  /** Package root. */
  readonly root: string
  /** Private keys, outside the package. */
  readonly keys: string
  readonly call: CallOptions
}

const manifest = {
  name: 'lib',
  version: '1.0.0',
  main: 'dist/index.js',
  files: ['dist'],
  scripts: { build: 'node build.cjs', postpack: `"${process.execPath}" "${bin}" postpack --signing-key ../keys/ci -k in-toto/owner.pub` },
}

const build = `const fs = require('node:fs')
fs.mkdirSync('dist', { recursive: true })
for (const name of ['index.js', 'more.js']) fs.writeFileSync('dist/' + name, fs.readFileSync('src/index.js', 'utf8') + '// ' + name + '\\n')
`

function git(root: string, ...args: string[]): void {
  const named = [
    '-c',
    'user.name=alice',
    '-c',
    'user.email=alice@registry.example',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'commit.gpgsign=false',
  ]
  const { status, stderr } = spawnSync('git', [...named, ...args], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
}

/** What differs from the plain package: members of its package.json, words of `layout new`. */
export interface Variant {
  readonly manifest?: object
  readonly layout?: readonly string[]
}

/** Makes the package, the keys and the layout, and carries out the steps up to and including this one. */
export function makeChain(folder: string, through: 'source' | 'build' | 'test' | 'package' = 'package', o: Variant = {}): Chain {
  const root = join(folder, 'lib')
  const keys = join(folder, 'keys')
  const call = { cwd: root }
  for (const path of [join(root, 'src'), join(root, 'in-toto'), keys]) mkdirSync(path, { recursive: true })
  writeFileSync(join(root, 'package.json'), JSON.stringify({ ...manifest, ...o.manifest }, null, 2))
  writeFileSync(join(root, 'build.cjs'), build)
  writeFileSync(join(root, 'src/index.js'), 'export const answer = 42\n')
  writeFileSync(join(root, '.gitignore'), 'node_modules\ndist\n*.tgz\n*.link\n')
  for (const name of ['owner', 'alice', 'ci']) {
    mustRun(['keygen', '-o', join(keys, name)], call)
    cpSync(join(keys, `${name}.pub`), join(root, 'in-toto', `${name}.pub`))
  }
  const functionaries = ['--functionary', 'in-toto/alice.pub', 'build=in-toto/ci.pub', 'package=in-toto/ci.pub']
  const commands = ['--step', 'build=npm run build', 'test=node --check dist/index.js']
  mustRun(['layout', 'new', '--preset', 'npm', ...(o.layout ?? []), ...functionaries, ...commands, '--sign-with', '../keys/owner'], call)
  git(root, 'init', '-q')
  git(root, 'add', '-A')
  git(root, 'commit', '-q', '-m', 'all')
  const chain = { root, keys, call }
  const steps = ['source', 'build', 'test', 'package'] as const
  for (const step of steps.slice(0, steps.indexOf(through) + 1)) carryOut(chain, step)
  return chain
}

/** Carries out one step as its functionary would. */
export function carryOut({ root, call }: Chain, step: 'source' | 'build' | 'test' | 'package'): void {
  const checked = ['-m', 'package.json', 'src', 'dist']
  if (step === 'source') mustRun(['record', 'source', '--signing-key', '../keys/alice'], call)
  if (step === 'build')
    mustRun(
      [
        'run',
        '-n',
        'build',
        '--signing-key',
        '../keys/ci',
        '-d',
        'dist',
        '-m',
        'package.json',
        'build.cjs',
        'src',
        '-p',
        'dist',
        '--',
        'npm',
        'run',
        'build',
      ],
      call,
    )
  if (step === 'test')
    mustRun(['run', '-n', 'test', '--signing-key', '../keys/alice', ...checked, '--', 'node', '--check', 'dist/index.js'], call)
  if (step === 'package') {
    const { code, out, err } = pack(root)
    if (code !== 0) throw new Error(`npm pack: ${out}${err}`)
  }
}

/** `npm pack`, whose postpack script signs the link and verifies the chain. */
export function pack(root: string): { code: number | null; out: string; err: string } {
  const windows = process.platform === 'win32'
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--foreground-scripts'], {
    cwd: root,
    env: bareEnvironment(),
    encoding: 'utf8',
    shell: windows,
  })
  return { code: status, out: stdout, err: stderr }
}

/** A copy of a chain, to be broken. */
export function copyOf(chain: Chain): Chain {
  const folder = mkdtempSync(join(chain.root, '..', '..', 'copy-'))
  cpSync(join(chain.root, '..'), folder, { recursive: true })
  const root = join(folder, 'lib')
  return { root, keys: join(folder, 'keys'), call: { cwd: root } }
}
