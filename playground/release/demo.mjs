/**
 * `npm run demo`: the playground app goes from source to verdict in a throw-away folder, with throw-away keys and the real commands; then four
 * things go wrong, one after the other, and verification must say which. Ends with 1 as soon as a verdict is not the expected one.
 */
import { appendFileSync, cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { chapter, done, fail, lines, note, run } from './shell.mjs'
import { makeFolder, makeProject } from './project.mjs'

const begin = Date.now()
// Who names a folder (it must not exist yet) finds everything in it afterwards: DEMO_FOLDER=/somewhere npm run demo.
const kept = process.env.DEMO_FOLDER
const folder = makeFolder(kept)
const keys = join(folder, 'keys')
const project = join(folder, 'app')
process.on('exit', () => kept ?? rmSync(folder, { recursive: true, force: true }))

/** Who signs what: the owner the layout, alice the source, ci the rest. Mallory is nobody. */
const people = ['owner', 'alice', 'ci', 'mallory']
const as = (name) => ({ INTOTO_KEY_FILE: join(keys, name) })
const inToto = /\[in-toto\]/

chapter('The project', 'the playground app, its own git repository, four key pairs outside it')
makeProject(project)
mkdirSync(keys)
for (const name of people) run(keys, ['intoto', 'keygen', '-o', name], { show: /public/ })
mkdirSync(join(project, 'in-toto'))
for (const name of people.slice(0, 3)) cpSync(join(keys, `${name}.pub`), join(project, 'in-toto', `${name}.pub`))

chapter('The layout', 'the owner says who may do which step, by which command, and what must match what')
const functionaries = ['in-toto/alice.pub', ...['build', 'test', 'package'].map((step) => `${step}=in-toto/ci.pub`)]
const commands = ['build=vite build', 'test=node --test', 'package=npm pack']
const plan = ['--preset', 'npm', '--main', 'dist/index.html', '--step', ...commands, '--functionary', ...functionaries]
run(project, ['intoto', 'layout', 'new', ...plan, '--sign-with', '../keys/owner'])
git(project, 'init', '--quiet', '--initial-branch=main')
git(project, 'add', '--all')
git(project, '-c', 'user.name=alice', '-c', 'user.email=alice@registry.example', 'commit', '--quiet', '--message', 'Digest 1.0.0')

chapter('The chain', 'source → build → test → package: each step leaves a signed link')
source(project)
chain(project)

chapter('The verdict', 'with nothing but the links, the layout and the owner’s public key')
const verdict = verify(project)
if (verdict.status !== 0) fail('the honest chain was refused', verdict)

const refusals = [
  {
    title: 'A key that is not in the layout',
    told: 'mallory builds the very same bundle and signs with her own key',
    code: 'E_ACTOR',
    names: [/build\.[0-9a-f]{8}\.link/],
    builds: true,
    act(dir) {
      build(dir, 'mallory')
    },
  },
  {
    title: 'A byte changed between two steps',
    told: 'a script touches the bundle after the build; then ci tests and packs in good faith',
    code: 'E_TAMPER',
    names: [/dist\/assets\/index-.*\.js/, /MATCH dist\/\* WITH PRODUCTS FROM build/, /build\.[0-9a-f]{8}\.link/],
    act(dir) {
      const bundle = readdirSync(join(dir, 'dist/assets')).find((name) => /^index-.*\.js$/.test(name))
      appendFileSync(join(dir, 'dist/assets', bundle), ' ')
      note(`echo -n ' ' >> dist/assets/${bundle}`)
      test(dir)
      pack(dir)
    },
  },
  {
    title: 'A step without a link',
    told: 'nobody ran the tests, or the evidence was lost',
    code: 'E_MISSING_STEP',
    names: [/\btest\b/],
    act(dir) {
      for (const name of readdirSync(join(dir, 'in-toto'))) {
        if (!/^test\..*\.link$/.test(name)) continue
        rmSync(join(dir, 'in-toto', name))
        note(`rm in-toto/${name}`)
      }
    },
  },
  {
    title: 'Another command',
    told: 'ci builds for staging, then tests and packs that',
    code: 'E_COMMAND',
    names: [/vite build --mode staging/],
    builds: true,
    act(dir) {
      build(dir, 'ci', '--mode', 'staging')
      test(dir)
      pack(dir)
    },
  },
]

for (const [index, refusal] of refusals.entries()) {
  chapter(`Refusal ${index + 1}: ${refusal.title}`, refusal.told)
  const dir = join(folder, `refusal-${index + 1}`)
  // Only a build needs the dependencies; all else finds its commands in the first project.
  const skipped = refusal.builds ? null : join(project, 'node_modules')
  cpSync(project, dir, { recursive: true, verbatimSymlinks: true, filter: (from) => from !== skipped })
  refusal.act(dir)
  const { status, text } = verify(dir)
  const codes = new Set(lines(text).flatMap((line) => /^(E_[A-Z_]+)\b/.exec(line)?.[1] ?? []))
  if (status !== 1) fail(`expected exit code 1, found ${status}`, { text })
  if (codes.size !== 1 || !codes.has(refusal.code)) fail(`expected ${refusal.code}, found ${[...codes].join(', ') || 'no code'}`, { text })
  for (const name of refusal.names) if (!name.test(text)) fail(`the refusal does not name ${name}`, { text })
  if (kept === undefined) rmSync(dir, { recursive: true })
}

done(
  `One chain accepted, four refused with the reason, in ${Math.round((Date.now() - begin) / 1000)} seconds. ${kept === undefined ? 'Everything made here is gone again.' : `It all lies in ${folder}.`}`,
)

function source(dir) {
  run(dir, ['intoto', 'record', 'source', '-n', 'source'], { env: as('alice'), show: inToto })
}

function chain(dir) {
  build(dir, 'ci')
  test(dir)
  pack(dir)
}

function build(dir, who, ...flags) {
  run(dir, ['npm', 'run', 'build', ...(flags.length > 0 ? ['--', ...flags] : [])], { env: as(who), show: inToto })
}

function test(dir) {
  run(dir, ['intoto', 'run', '-n', 'test', '-m', 'package.json', 'dist', 'test', '--', 'node', '--test'], { env: as('ci'), show: inToto })
}

function pack(dir) {
  mkdirSync(join(dir, '.release'), { recursive: true })
  run(dir, ['npm', 'pack', '--pack-destination', '.release'], { env: as('ci'), show: inToto })
}

function verify(dir) {
  return run(dir, ['intoto', 'verify', 'dist', '-k', 'in-toto/owner.pub'], { show: /^/, anyStatus: true })
}

function git(dir, ...args) {
  run(dir, ['git', ...args], { show: null })
}
