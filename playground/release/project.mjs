/**
 * Makes the demo's project: the playground app and this folder's template in a throw-away folder, as a git repository with its dependencies in
 * place. Called by demo.mjs; it never writes below the repository.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const app = join(root, 'playground/app')
const template = join(root, 'playground/release/template')

/** A new folder for everything, at the given place or a temporary one; the caller removes it. */
export function makeFolder(path) {
  if (path !== undefined) mkdirSync(path)
  return realpathSync(path ?? mkdtempSync(join(tmpdir(), 'in-toto-demo-')))
}

/**
 * Lays the project out in `folder`. What gets bundled is copied into node_modules, so that it is named as a real installation would name it;
 * tools are linked.
 */
export function makeProject(folder) {
  mkdirSync(folder, { recursive: true })
  const skip = new Set(['node_modules', 'dist', 'package.json'])
  cpSync(app, folder, { recursive: true, filter: (from) => !skip.has(relative(app, from)) })
  cpSync(template, folder, { recursive: true })
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(template, 'package.json'), 'utf8'))
  const modules = join(folder, 'node_modules')
  for (const name of Object.keys(dependencies)) copyWithDependencies(name, modules)
  for (const name of Object.keys(devDependencies)) linkPackage(name, modules)
}

function copyWithDependencies(name, modules) {
  const to = join(modules, name)
  if (existsSync(to)) return
  const from = join(root, 'node_modules', name)
  cpSync(from, to, { recursive: true })
  const nested = join(from, 'node_modules')
  for (const dependency of Object.keys(manifest(from).dependencies ?? {})) {
    if (!existsSync(join(nested, dependency))) copyWithDependencies(dependency, modules)
  }
}

/** Links a package and its bins, as npm does with a workspace. */
function linkPackage(name, modules) {
  const from = realpathSync(join(root, 'node_modules', name))
  const to = join(modules, name)
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(from, to, 'junction')
  const { bin = {} } = manifest(from)
  const bins = typeof bin === 'string' ? { [basename(name)]: bin } : bin
  for (const [command, file] of Object.entries(bins)) {
    mkdirSync(join(modules, '.bin'), { recursive: true })
    const shim = join(modules, '.bin', command)
    if (process.platform === 'win32') writeFileSync(`${shim}.cmd`, `@node "%~dp0\\..\\${join(name, file)}" %*\r\n`)
    else symlinkSync(join('..', name, file), shim)
  }
}

function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
