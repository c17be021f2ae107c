/**
 * Releases the four packages by their own means: a layout each, signed by the owner; links of source and build; then `intoto publish`, which packs,
 * signs, verifies, uploads and compares. `npm run release -- layout | publish`. Without a key it does nothing but say so; it never changes a version.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const intoto = [process.execPath, join(root, 'packages/cli/bin/intoto.js')]
/** In the order in which they depend on each other; `main` is a file that every build makes. */
const packages = [
  { name: 'intoto', folder: 'packages/intoto', main: 'dist/index.js' },
  { name: 'intoto-npm', folder: 'packages/npm', main: 'dist/index.js' },
  { name: 'intoto-cli', folder: 'packages/cli', main: 'dist/intoto.cjs' },
  { name: 'unplugin-in-toto', folder: '.', main: 'dist/index.js' },
]
const usage = `npm run release -- layout --sign-with OWNER --functionary KEY.pub [--layouts DIR] [--expires DAYS]
npm run release -- publish -k OWNER.pub --signing-key KEY [--layouts DIR] [--evidence DIR] [--dry-run] [-- CLIENT-ARGS]`

const at = process.argv.indexOf('--', 2)
const [words, rest] = at < 0 ? [process.argv.slice(2), []] : [process.argv.slice(2, at), process.argv.slice(at + 1)]

/** Ends with 2, before anything has happened. */
function refuse(message) {
  console.error(`release: ${message}\n${usage}`)
  process.exit(2)
}

function read() {
  const text = { type: 'string' }
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        'sign-with': text,
        functionary: { type: 'string', multiple: true },
        layouts: { ...text, default: 'in-toto' },
        evidence: { ...text, default: '.release' },
        expires: { ...text, default: '90' },
        verification: { type: 'string', multiple: true, short: 'k' },
        'signing-key': text,
        'dry-run': { type: 'boolean' },
      },
    })
  } catch (error) {
    return refuse(error.message)
  }
}

/** Runs a program in a folder of the repository; the first that fails ends the release with its code. */
function run(folder, ...command) {
  const { status } = spawnSync(command[0], command.slice(1), { cwd: join(root, folder), stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 3)
}

/** A path as a command in that folder has to name it. */
const from = (folder, path) => relative(join(root, folder), resolve(path)) || '.'
/** The command that makes all packages, from one of their folders. */
const build = (folder) => ['npm', ...(folder === '.' ? [] : ['--prefix', relative(join(root, folder), root)]), 'run', 'build']

const {
  values: flags,
  positionals: [what],
} = read()

if (what === 'layout') {
  if (flags['sign-with'] === undefined || flags.functionary === undefined) refuse('a layout needs an owner and a functionary')
  mkdirSync(flags.layouts, { recursive: true })
  for (const { name, folder, main } of packages) {
    const file = join(flags.layouts, `${name}.layout`)
    const step = `build=${build(folder).join(' ')}`
    const who = ['--functionary', ...flags.functionary.map((path) => from(folder, path)), '--sign-with', from(folder, flags['sign-with'])]
    const own = ['--preset', 'npm', '--no-test', '--step', step, '--main', main, '--expires', flags.expires]
    run(folder, ...intoto, 'layout', 'new', ...own, ...who, '-o', from(folder, file), '--force')
  }
} else if (what === 'publish') {
  const key = flags['signing-key'] ?? process.env['INTOTO_KEY_FILE']
  if (flags.verification === undefined) refuse('no key of the owner was given, so nothing is trusted')
  if (key === undefined) refuse('no signing key was given; releasing is for those who have one')
  const missing = packages.map(({ name }) => join(flags.layouts, `${name}.layout`)).find((file) => !existsSync(file))
  if (missing !== undefined) refuse(`${missing} is not there; "layout" makes it`)
  const signing = (folder) => ['--signing-key', key.startsWith('env:') ? key : from(folder, key)]
  const links = (name, folder) => from(folder, join(flags.evidence, name))
  for (const { name, folder } of packages) {
    mkdirSync(join(flags.evidence, name), { recursive: true })
    const own = [...signing(folder), '-d', links(name, folder)]
    run(folder, ...intoto, 'record', 'source', ...own)
    run(folder, ...intoto, 'run', '-n', 'build', ...own, '-m', 'package.json', 'src', '-p', 'dist', '--', ...build(folder))
  }
  for (const { name, folder } of packages) {
    const trust = ['-k', ...flags.verification.map((path) => from(folder, path)), '-l', from(folder, join(flags.layouts, `${name}.layout`))]
    const own = [...signing(folder), ...trust, '-d', links(name, folder), ...(flags['dry-run'] ? ['--dry-run'] : [])]
    run(folder, ...intoto, 'publish', ...own, '--client', 'npm', ...(rest.length === 0 ? [] : ['--', ...rest]))
  }
} else refuse(what === undefined ? 'layout, or publish?' : `"${what}" is neither layout nor publish`)
