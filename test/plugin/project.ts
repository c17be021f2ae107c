/**
 * A project on disk that is built by a real bundler in a process of its own, so that exit hooks, exit codes and the environment are real. Used by
 * all tests of the plugin. It holds the built plugin (`npm run build`), not its sources.
 */
import { execFile } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeMetadata, hasSignature, importKey, isLink, type Key, type Link } from 'intoto'
import { afterAll } from 'vitest'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url))
/** Bun's own binary, behind the link that npm makes. */
export const bun: string = realpathSync(join(repository, 'node_modules/.bin/bun'))
const place = realpathSync(mkdtempSync(join(tmpdir(), 'in-toto-plugin-')))
afterAll(() => rmSync(place, { recursive: true, force: true }))

/** Vite as the root package installs it, by alias. */
export const vites = ['vite', 'vite7', 'vite6', 'vite5'] as const
/** All that have Rollup's hooks and run a plugin of these tests as it is. */
export const engines = [...vites, 'rollup'] as const
export type Bundler = (typeof engines)[number]
/** All others: names of packages, but for the second Rspack, which the root package installs by alias. */
export const others = ['rolldown', 'webpack', 'rspack', 'rspack1', 'rsbuild', 'esbuild', 'farm', 'bun'] as const
export type Other = (typeof others)[number]
/** Folders that each of them is installed to, and from. */
const packages: Readonly<Record<Other, Readonly<Record<string, string>>>> = {
  rolldown: { rolldown: 'rolldown' },
  webpack: { webpack: 'webpack', esbuild: 'esbuild' },
  rspack: { '@rspack/core': '@rspack/core' },
  rspack1: { '@rspack/core': 'rspack1' },
  rsbuild: { '@rsbuild/core': '@rsbuild/core' },
  esbuild: { esbuild: 'esbuild' },
  farm: { '@farmfe/core': '@farmfe/core' },
  bun: { bun: 'bun' },
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** The key of all tests here, as PEM. */
export const keyPem: string = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
export const keyFile: string = join(place, 'key.pem')
writeFileSync(keyFile, keyPem, { mode: 0o600 })
export const key: Key = await importKey(String(publicKey.export({ type: 'spki', format: 'pem' })))
export const linkName: string = `build.${key.keyid.slice(0, 8)}.link`

/** How a process ended. */
export interface Ended {
  code: number
  stdout: string
  stderr: string
  /** Both streams, for texts that bundlers print on either. */
  text: string
}

/** A folder with a package in it. */
export class Project {
  readonly dir: string

  constructor(name: string, bundler: Bundler | Other, ...layers: readonly string[]) {
    this.dir = mkdtempSync(join(place, `${name}-`))
    if (layers.length === 0) this.write('package.json', JSON.stringify({ name, version: '1.0.0', type: 'module' }))
    for (const fixture of layers) cpSync(join(fixtures, fixture), this.dir, { recursive: true })
    mkdirSync(this.path('node_modules/.bin'), { recursive: true })
    if (existsSync(this.path('vendor'))) {
      for (const dependency of readdirSync(this.path('vendor')))
        cpSync(this.path('vendor', dependency), this.path('node_modules', dependency), { recursive: true })
      rmSync(this.path('vendor'), { recursive: true })
    }
    // Workspaces are links into the project, as package managers make them.
    if (existsSync(this.path('packages'))) {
      for (const name of readdirSync(this.path('packages'))) symlinkSync(join('../packages', name), this.path('node_modules', name))
    }
    if (isOther(bundler)) {
      for (const [to, from] of Object.entries(packages[bundler])) this.#install(to, `node_modules/${from}`)
      if (bundler === 'rsbuild') symlinkSync('../@rsbuild/core/bin/rsbuild.js', this.path('node_modules/.bin/rsbuild'))
    } else {
      const vite = bundler === 'rollup' ? 'vite' : bundler
      this.#install('vite', `node_modules/${vite}`, 'bin/vite.js')
      this.#install('rollup', 'node_modules/rollup', 'dist/bin/rollup')
    }
    this.#install('unplugin-in-toto', '.')
    this.#install('intoto', 'packages/intoto')
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts)
  }

  write(name: string, text: string | Uint8Array): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text)
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** Runs `node` with these arguments in the project, or in a folder of it; no variable of the outer process but PATH reaches it. */
  node(args: readonly string[], env: Record<string, string | undefined> = {}, folder = '.'): Promise<Ended> {
    return this.#execute(process.execPath, args, env, folder)
  }

  /** The same by Bun. */
  bun(args: readonly string[], env: Record<string, string | undefined> = {}, folder = '.'): Promise<Ended> {
    return this.#execute(bun, args, env, folder)
  }

  /** Runs a bundler's own command. */
  bin(name: 'vite' | 'rollup' | 'rsbuild', args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Ended> {
    return this.node([this.path('node_modules/.bin', name), ...args], env)
  }

  /** Runs a module of this text as a script of the project. */
  script(text: string, env: Record<string, string | undefined> = {}): Promise<Ended> {
    this.write('build.mjs', text)
    return this.node(['build.mjs'], env)
  }

  /** The same, with the list of files that the process and its children opened for reading, by name below the project. */
  async traced(args: readonly string[], env: Record<string, string | undefined> = {}, runtime = process.execPath): Promise<Set<string>> {
    const log = join(place, `${basename(this.dir)}.trace`)
    const { code, text } = await this.#execute('strace', [...tracing(log), runtime, ...args], env)
    if (code !== 0) throw new Error(`traced process ended with ${code}: ${text}`)
    return openedBelow(this.dir, log)
  }

  /** Names of the files below a folder of the project, sorted. */
  files(folder: string): string[] {
    const path = this.path(folder)
    const found = existsSync(path) ? filesBelow(path) : []
    return found.map((file) => file.slice(this.dir.length + 1)).sort()
  }

  /** Every link in the project, wherever it lies. */
  links(folder = '.'): string[] {
    return this.files(folder).filter((name) => name.endsWith('.link'))
  }

  /** The link of the build, after its signature was checked with the test's key. */
  async link(name = `dist/${linkName}`): Promise<Link> {
    const metadata = decodeMetadata(readFileSync(this.path(name)))
    if (!(await hasSignature(metadata, key))) throw new Error(`${name} is not signed by the test's key`)
    if (!isLink(metadata.payload)) throw new Error(`${name} is no link`)
    return metadata.payload
  }

  #install(name: string, from: string, bin?: string): void {
    mkdirSync(dirname(this.path('node_modules', name)), { recursive: true })
    symlinkSync(join(repository, from), this.path('node_modules', name))
    if (bin !== undefined) symlinkSync(join('..', name, bin), this.path('node_modules/.bin', name))
  }

  #execute(file: string, args: readonly string[], env: Record<string, string | undefined>, folder = '.'): Promise<Ended> {
    const clean = { PATH: process.env['PATH'], HOME: place, NO_COLOR: '1', NODE_ENV: undefined, INTOTO_KEY_FILE: keyFile, ...env }
    return new Promise((done) => {
      execFile(file, args, { cwd: this.path(folder), env: clean, maxBuffer: 1 << 26, timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
        done({ code, stdout, stderr, text: stdout + stderr })
      })
    })
  }
}

/** Plain files below a folder; what symbolic links lead to is elsewhere. `recursive` of readdir follows them from Node 26 on. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
  })
}

/** Arguments of strace for a trace that `openedBelow` reads. */
export function tracing(log: string): string[] {
  return ['-f', '--seccomp-bpf', '-y', '-qq', '-s', '4096', '-e', 'trace=open,openat,openat2', '-o', log]
}

/** Regular files below a folder that a trace shows as opened for reading: descriptors are printed with their path, calls may be interrupted. */
export function openedBelow(dir: string, log: string): Set<string> {
  const opened = new Set<string>()
  const begun = new Map<string, string>()
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, pid = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (call.endsWith('<unfinished ...>')) begun.set(pid, call)
    const whole = call.startsWith('<... open') ? `${begun.get(pid)} ${call}` : call
    const [, path = ''] = / = \d+<([^>]*)>$/.exec(whole) ?? []
    if (!path.startsWith(`${dir}/`) || /O_DIRECTORY|O_WRONLY|O_CREAT|O_PATH/.test(whole)) continue
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) opened.add(path.slice(dir.length + 1))
  }
  return opened
}

function isOther(bundler: string): bundler is Other {
  return others.some((other) => other === bundler)
}

/** SHA-256 of a file, computed apart from the code under test. */
export function sha256(path: string): string {
  return digestBy('sha256', path)
}

/** The same by any algorithm. */
export function digestBy(algorithm: string, path: string): string {
  return createHash(algorithm).update(readFileSync(path)).digest('hex')
}

/** Source of a script that builds `src/main.js` as a library with each of the bundlers; `plugins` and `more` are source texts. */
export function librarySource(bundler: Bundler, o: { plugins?: string; options?: string; before?: string; after?: string } = {}): string {
  const { plugins = '', options = '', before = '', after = '' } = o
  const build =
    bundler === 'rollup'
      ? `import { rollup } from 'rollup'
import inToto from 'unplugin-in-toto/rollup'
const build = async (root = '.') => {
  process.chdir(root)
  const bundle = await rollup({ input: 'src/main.js', plugins: [inToto({${options}}), ${plugins}], output: { dir: 'dist' } })
  try { await bundle.write({ dir: 'dist', format: 'es' }) } finally { await bundle.close() }
}`
      : `import { build as vite } from 'vite'
import inToto from 'unplugin-in-toto/vite'
const build = (root = '.') => vite({ root, logLevel: 'warn', configFile: false, plugins: [inToto({${options}}), ${plugins}],
  build: { lib: { entry: 'src/main.js', formats: ['es'], fileName: 'main' } } })`
  return `import fs from 'node:fs'\n${build}\n${before}\nawait build()\n${after}\n`
}

/** One build of many in a process: source texts of a plugin's hooks, of our options, and of what is done before. */
export interface Scenario {
  hooks?: string
  options?: string
  before?: string
  files?: Record<string, string>
}

/** How a build of several in one process ended: `built`, or the error's message. */
export type Outcomes = Ended & { outcome(name: string): string }

/** Builds small projects, each in a folder of its own, one after another in one process that swallows all errors. */
export async function buildAll(
  bundler: Bundler,
  name: string,
  scenarios: Record<string, Scenario>,
): Promise<{ project: Project; ended: Outcomes }> {
  const project = new Project(`${name}-${bundler}`, bundler)
  for (const [folder, { files = {} }] of Object.entries(scenarios)) {
    const all = { 'package.json': '{ "type": "module" }', 'src/main.js': small.main, 'src/part.js': small.part, ...files }
    for (const [file, text] of Object.entries(all)) project.write(`${folder}/${file}`, text)
  }
  const cases = Object.entries(scenarios).map(([folder, { hooks = '', options = '', before = '' }]) => {
    return `${JSON.stringify(folder)}: { plugin: () => ({ name: 'meddler', ${hooks} }), options: () => ({ ${options} }), async before() { ${before} } }`
  })
  const script = librarySource(bundler, {
    options: '...globalThis.scenario.options()',
    plugins: 'globalThis.scenario.plugin()',
    before: `const home = process.cwd(); const outcomes = {}
for (const [name, scenario] of Object.entries({ ${cases.join(',\n')} })) {
  globalThis.scenario = scenario
  process.chdir(home + '/' + name)
  await scenario.before()
  outcomes[name] = await build(process.cwd()).then(() => 'built', (error) => error.message)
}
console.log('\\n' + JSON.stringify(outcomes))`,
  }).replace('await build()\n', '')
  const ended = await project.script(script)
  const line = ended.stdout.split('\n').find((text) => text.startsWith('{'))
  if (line === undefined) throw new Error(`the builds did not end: ${ended.text}`)
  const outcomes = JSON.parse(line) as Record<string, string>
  return { project, ended: { ...ended, outcome: (folder) => outcomes[folder] ?? 'not run' } }
}

const small = { main: `import { part } from './part.js'\nexport const main = part + 1\n`, part: `export const part = 41\n` }

/** A project whose `src/main.js` imports `src/part.js`. */
export function smallProject(name: string, bundler: Bundler | Other): Project {
  const project = new Project(name, bundler)
  project.write('src/main.js', small.main)
  project.write('src/part.js', small.part)
  return project
}
