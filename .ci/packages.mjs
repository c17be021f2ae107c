/**
 * Packs the four published packages as npm would upload them and looks at each: publint, the types as every kind of importer sees them, the list of
 * files; and that each dependency has its line in docs/dependencies.md. `npm run packages`. It publishes nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { facesOf } from './sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const npm = process.env.npm_execpath === undefined ? ['npm'] : [process.execPath, process.env.npm_execpath]
/** A bin has no types to look at. */
const packages = [
  { folder: '.', types: true },
  { folder: 'packages/intoto', types: true },
  { folder: 'packages/npm', types: true },
  { folder: 'packages/cli', types: false },
]
/** What a tarball may hold; all else is there by mistake. */
const expected =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|bin\/[\w-]+\.(js|json)|dist\/(licenses\.txt|verifier\.html)|schema\/[\w.-]+\.json|docs\/(buildtypes|builders|verifiers)\/[\w-]+\.md|(dist|src)\/.+\.(c?js|d\.ts|ts|js\.map|d\.ts\.map))$/

const again = 'remove dist and build again'

let failures = 0
const explained = new Set(Array.from(readFileSync(join(root, 'docs/dependencies.md'), 'utf8').matchAll(/`([^`]+)`/g), ([, name]) => name))
const players = readdirSync(join(root, 'playground'))
  .map((name) => `playground/${name}`)
  .filter((folder) => existsSync(join(root, folder, 'package.json')))
const own = /^(intoto(-npm|-cli|-page)?|unplugin-in-toto|playground-app)$/
for (const folder of [...packages.map((one) => one.folder), 'packages/page', ...players]) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    if (!own.test(name) && !explained.has(name)) complain(`${folder}/package.json: ${name} has no line in docs/dependencies.md`)
  }
}

const destination = mkdtempSync(join(tmpdir(), 'in-toto-packages-'))
try {
  for (const { folder, types } of packages) {
    const cwd = join(root, folder)
    const packed = run([...npm, 'pack', '--json', '--ignore-scripts', '--pack-destination', destination], cwd)
    const [{ filename, files, size }] = Object.values(JSON.parse(packed.stdout))
    console.log(`${filename}: ${files.length} files, ${Math.round(size / 1024)} KiB`)
    const names = new Set(files.map(({ path }) => path))
    const faces = new Set(facesOf(folder).map(({ file }) => file))
    for (const name of names) {
      if (!expected.test(name)) complain(`${filename} holds ${name}`)
      if (!sourcesOf(name, cwd).every((source) => names.has(source))) complain(`${filename} holds ${name} without its source: ${again}`)
      const script = /^dist\/(?!chunks\/)(.+)\.js$/.exec(name)?.[1] ?? ''
      if (script !== '' && !faces.has(script)) complain(`${filename} holds ${name}, which package.json does not name: ${again}`)
    }
    for (const needed of ['LICENSE', 'README.md']) if (!names.has(needed)) complain(`${filename} has no ${needed}`)
    const tarball = join(destination, filename)
    look(filename, [join(root, 'node_modules/.bin/publint'), '--strict', tarball])
    if (types) look(filename, [join(root, 'node_modules/.bin/attw'), tarball, '--profile', 'esm-only', '--format', 'ascii'])
  }
} finally {
  rmSync(destination, { recursive: true, force: true })
}
if (failures > 0) process.exitCode = 1

/** What a file of dist/ was made from, by its name or by what it says itself. */
function sourcesOf(name, folder) {
  if (/^dist\/.+\.d\.ts$/.test(name)) return [name.replace(/^dist\/(.+)\.d\.ts$/, 'src/$1.ts')]
  if (!/^dist\/.+\.js\.map$/.test(name)) return []
  const { sources } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  return sources.map((source) => posix.join(posix.dirname(name), source))
}

function run([command, ...args], cwd) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
}

function look(name, command) {
  const { status, stdout, stderr } = run(command, root)
  if (status !== 0) complain(`${name}\n${stdout}${stderr}`)
}

function complain(text) {
  failures += 1
  console.error(text)
}
