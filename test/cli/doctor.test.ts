/**
 * `intoto doctor`: one clean project, of which nothing is to be said, and copies of it with one mistake each. The mistake is found under its name, alone, and
 * where a command or an edit repairs it, the very words of the finding make it go away.
 */
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLink, decodeMetadata, encodeMetadata, keyidFor, type Layout, sign } from 'intoto'
import { loadKey, loadSigner, walkFiles } from 'intoto/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { catalog, type Finding, type FindingId } from '../../packages/cli/src/doctor/finding.ts'
import { placeOf } from '../../packages/cli/src/doctor/repository.ts'
import { loseObject, setTraps, trapsIn } from '../node/trap.ts'
import { bareEnvironment, bin, type Ended, intoto, mustRun, problemLine, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const repository = fileURLToPath(new URL('../../', import.meta.url))
const isWindows = process.platform === 'win32'

/** Every file of the clean project that no command makes. */
const files: Record<string, string> = {
  'package.json': JSON.stringify(
    {
      name: 'lib',
      version: '1.0.0',
      type: 'module',
      main: 'dist/lib.js',
      files: ['dist'],
      repository: { type: 'git', url: 'git+https://registry.example/team/lib.git' },
      scripts: {
        build: 'rollup -c',
        prepublishOnly: 'intoto verify dist -k in-toto/owner.pub --through build',
        postpack: 'intoto postpack -k in-toto/owner.pub',
      },
      devDependencies: { rollup: '*', 'unplugin-in-toto': '*' },
    },
    null,
    2,
  ),
  'package-lock.json': '{}\n',
  'rollup.config.js': `import inToto from 'unplugin-in-toto/rollup'
export default { input: 'src/lib.js', output: { dir: 'dist' }, plugins: [other(), inToto()] }
`,
  'src/lib.js': 'export const lib = 1\n',
  'make.cjs': `require('node:fs').mkdirSync('dist'); require('node:fs').copyFileSync('src/lib.js', 'dist/lib.js')\n`,
  '.gitignore': 'node_modules/\ndist/\nin-toto/*.link\n',
  '.gitattributes': '* text=auto eol=lf\n',
  '.github/workflows/ci.yml': `on: [push, pull_request]
jobs:
  build:
    runs-on: ubuntu-latest
    env:
      INTOTO_KEY: \${{ secrets.INTOTO_KEY }}
    steps:
      - run: npm ci
      - run: npm run build
`,
}

interface World {
  /** The project; the owner's key lies beside it. */
  readonly root: string
  readonly env: NodeJS.ProcessEnv
}

let clean: World
let made = 0

function worldAt(place: string): World {
  const env = { HOME: join(place, 'home'), XDG_CONFIG_HOME: join(place, 'home/.config'), INTOTO_KEY_FILE: join(place, 'owner') }
  return { root: join(place, 'lib'), env: { ...env, GIT_CONFIG_NOSYSTEM: '1' } }
}

function copyOf(): World {
  const place = join(folder, `${++made}`)
  cpSync(join(clean.root, '..'), place, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  return worldAt(place)
}

function write({ root }: World, name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}

function edit(world: World, name: string, from: string | RegExp, to: string): void {
  const text = readFileSync(join(world.root, name), 'utf8')
  expect(text).toMatch(from)
  write(world, name, text.replace(from, to))
}

function change(world: World, members: (manifest: Record<string, any>) => void): void {
  const manifest = JSON.parse(readFileSync(join(world.root, 'package.json'), 'utf8')) as Record<string, any>
  members(manifest)
  write(world, 'package.json', JSON.stringify(manifest, null, 2))
}

/** Runs a command line as a person would, in the project. */
function shell({ root, env }: World, line: string): string {
  const own = line
    .replaceAll(/npx (?:intoto|unplugin-in-toto) /g, `"${process.execPath}" "${bin}" `)
    .replaceAll(/\b(?:OWNER|KEY)\b(?!\.)/g, '../owner')
  const { status, stdout, stderr } = spawnSync(own, { cwd: root, env: bareEnvironment(env), encoding: 'utf8', shell: true })
  expect(status, `${own}\n${stdout}${stderr}`).toBe(0)
  return stdout
}

const git = (world: World, words: string): string =>
  shell(world, `git -c user.name=alice -c user.email=alice@registry.example -c commit.gpgsign=false ${words}`)

function ask({ root, env }: World, ...words: string[]): Ended {
  return intoto(['doctor', ...words], { cwd: root, env })
}

interface Told {
  code: number | null
  schemaVersion: number
  ok: boolean
  keys: { file: string; python: string; go: string; listedAs: string[] }[]
  findings: Finding[]
}

function told(world: World): Told {
  const { code, out, err } = ask(world, '--format', 'json', '--strict')
  expect(out, err).not.toBe('')
  expect(out).not.toContain('hunter2')
  return { code, ...(JSON.parse(out) as Omit<Told, 'code'>) }
}

const found = (world: World): string[] => told(world).findings.map(({ id }) => id)

beforeAll(() => {
  clean = worldAt(join(folder, 'clean'))
  for (const [name, text] of Object.entries(files)) write(clean, name, text)
  mkdirSync(join(clean.root, 'node_modules'))
  symlinkSync(repository, join(clean.root, 'node_modules/unplugin-in-toto'), 'junction')
  const call = { cwd: clean.root }
  mustRun(['keygen', '-o', '../owner'], call)
  mkdirSync(join(clean.root, 'in-toto'))
  renameSync(join(clean.root, '../owner.pub'), join(clean.root, 'in-toto/owner.pub'))
  mustRun(['run', '-n', 'build', '--signing-key', '../owner', '-d', 'dist', '-m', 'src', '-p', 'dist', '--', 'node', 'make.cjs'], call)
  mustRun(['layout', 'learn', '--functionary', 'in-toto/owner.pub', '--sign-with', '../owner'], call)
  git(clean, 'init -q -b main .')
  git(clean, 'remote add origin https://alice:hunter2@registry.example/team/lib.git')
  git(clean, 'add -A')
  git(clean, 'commit -q -m all')
})

test('a clean project: nothing to remark, and the ids of every key', async () => {
  const { code, out } = ask(clean, '--strict')
  expect([code, out.split('\n\n').at(-1)]).toEqual([0, 'nothing to remark\n'])
  const key = await loadKey(join(clean.root, 'in-toto/owner.pub'))
  for (const style of ['python', 'go'] as const) expect(out.split(keyidFor(key, style))).toHaveLength(3)
  const { schemaVersion, ok, findings, keys } = told(clean)
  expect({ schemaVersion, ok, findings }).toEqual({ schemaVersion: 1, ok: true, findings: [] })
  expect(keys[0]).toMatchObject({ file: 'in-toto/owner.pub', python: keyidFor(key, 'python'), go: keyidFor(key, 'go') })
  expect(keys[0]?.listedAs).toEqual([keyidFor(key, 'python')])
})

/** How a finding is made to go away: by the command that it says, or by what a person would do with its words. */
type Repair = 'its command' | ((world: World, fix: readonly string[]) => void | Promise<void>)

/** The layout of a world, changed and signed again by its owner. */
async function relaid({ root }: World, changed: (layout: Layout) => void, how: { now?: boolean } = {}): Promise<void> {
  const file = join(root, 'in-toto/root.layout')
  const { payload } = decodeMetadata(readFileSync(file)) as { payload: Layout }
  changed(payload)
  writeFileSync(file, encodeMetadata(await sign(payload, how.now === false ? [] : [await loadSigner(join(root, '../owner'))])))
}

const inDays = (days: number): string => `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`
const linkOf = (world: World): string => shell(world, "node -p \"fs.readdirSync('dist').find((name) => name.endsWith('.link'))\"").trim()
const workflow = '.github/workflows/ci.yml'
/** Everything that a finding says to take out of a file, taken out by its line number. */
const takeLine: Repair = (world, [fix = '']) => {
  const [, number, file = ''] = /take line (\d+) out of (\S+?);/.exec(fix) ?? []
  const lines = readFileSync(join(world.root, file), 'utf8').split('\n')
  write(world, file, lines.toSpliced(Number(number) - 1, 1).join('\n'))
}

const mistakes: [FindingId, string, (world: World) => void | Promise<void>, Repair?][] = [
  ['key-readable', 'a private key that others can read', (world) => chmodSync(join(world.root, '../owner'), 0o644), 'its command'],
  [
    'key-in-project',
    'a private key in the project',
    (world) => {
      mustRun(['keygen', '-o', 'other'], { cwd: world.root })
      appendFileSync(join(world.root, '.gitignore'), '/other\n')
    },
    'its command',
  ],
  [
    'key-tracked',
    'a private key that git tracks',
    (world) => {
      mustRun(['keygen', '-o', 'in-toto/other'], { cwd: world.root })
      git(world, 'add in-toto/other')
    },
    'its command',
  ],
  [
    'key-packed',
    'a private key that is published',
    (world) => {
      copyFileSync(join(world.root, '../owner'), join(world.root, 'dist/signer.pem'))
      chmodSync(join(world.root, 'dist/signer.pem'), 0o600)
    },
    'its command',
  ],
  [
    'key-unusable',
    'a public key that is none',
    (world) => write(world, 'in-toto/other.pub', 'x'),
    (world) => rmSync(join(world.root, 'in-toto/other.pub')),
  ],
  [
    'key-locked',
    'a key whose password nobody says',
    (world) => {
      rmSync(join(world.root, '../owner'))
      const env = { INTOTO_PASSWORD: 'hunter22' }
      mustRun(['keygen', '-o', '../owner', '--password', 'hunter22'], { cwd: world.root, env })
    },
  ],
  [
    'key-not-in-layout',
    'a key that signs and may not',
    (world) => {
      mustRun(['keygen', '-o', '../other'], { cwd: world.root })
      renameSync(join(world.root, '../other.pub'), join(world.root, 'in-toto/other.pub'))
      world.env['INTOTO_KEY_FILE'] = join(world.root, '../other')
    },
    'its command',
  ],
  ['layout-absent', 'no layout', (world) => rmSync(join(world.root, 'in-toto/root.layout')), 'its command'],
  [
    'layout-broken',
    'a layout that is none',
    (world) => write(world, 'in-toto/root.layout', '{'),
    (world) => void git(world, 'checkout -q in-toto'),
  ],
  ['layout-unsigned', 'a layout that nobody signed', (world) => relaid(world, () => {}, { now: false }), 'its command'],
  [
    'layout-unsigned',
    'a layout that somebody else signed',
    (world) => {
      mustRun(['keygen', '-o', '../other'], { cwd: world.root })
      mustRun(['sign', '-f', 'in-toto/root.layout', '-k', '../other'], { cwd: world.root })
    },
    'its command',
  ],
  [
    'layout-expired',
    'a layout that is over',
    (world) => relaid(world, (layout) => (layout.expires = '2020-01-01T00:00:00Z')),
    'its command',
  ],
  ['layout-expires-soon', 'a layout that is over soon', (world) => relaid(world, (layout) => (layout.expires = inDays(3))), 'its command'],
  [
    'layout-lint',
    'a layout with a list without end',
    (world) => relaid(world, ({ steps }) => steps[0]?.expected_products.pop()),
    (world) => relaid(world, ({ steps }) => steps[0]?.expected_products.push(['DISALLOW', '*'])),
  ],
  ['evidence-ignored', 'in-toto/ ignored by git', (world) => appendFileSync(join(world.root, '.gitignore'), 'in-toto/\n'), takeLine],
  [
    'link-key-id',
    'the layout lists the key under another id than links have',
    (world) =>
      relaid(world, (layout) => {
        const [id = ''] = Object.keys(layout.keys)
        const key = layout.keys[id]
        const go = keyidFor(key!, 'go')
        layout.keys = { [go]: { ...key!, keyid: go } }
        for (const step of layout.steps) step.pubkeys = step.pubkeys.map((one) => (one === id ? go : one))
      }),
    'its command',
  ],
  [
    'link-actor',
    'a link of somebody who may not',
    async (world) => {
      mustRun(['keygen', '-o', '../other'], { cwd: world.root })
      const link = createLink({ name: 'build' })
      writeFileSync(
        join(world.root, 'in-toto/build.01234567.link'),
        encodeMetadata(await sign(link, [await loadSigner(join(world.root, '../other'))])),
      )
    },
    (world) => rmSync(join(world.root, 'in-toto/build.01234567.link')),
  ],
  [
    'link-broken',
    'half a link',
    (world) => write(world, 'in-toto/build.01234567.link', '{'),
    (world) => rmSync(join(world.root, 'in-toto/build.01234567.link')),
  ],
  ['link-stale', 'a link to files that are gone', (world) => rmSync(join(world.root, 'dist/lib.js')), 'its command'],
  [
    'link-deployed',
    'a link in what is deployed',
    (world) => change(world, (manifest) => (manifest['private'] = true)),
    (world, [fix = '']) => {
      expect(fix).toContain("rollup.config.js: inToto({ linkDir: 'in-toto' })")
      renameSync(join(world.root, 'dist', linkOf(world)), join(world.root, 'in-toto', linkOf(world)))
    },
  ],
  [
    'time-ahead',
    'a layout from the future',
    ({ root }) => utimesSync(join(root, 'in-toto/root.layout'), new Date(), new Date(Date.now() + 3_600_000)),
    'its command',
  ],
  ['time-ahead', 'a commit from the future', (world) => void shell(world, commitIn(3_600)), (world) => void shell(world, commitIn(-3_600))],
  [
    'eol-differs',
    'CRLF where the repository has LF',
    (world) => write(world, 'src/lib.js', 'export const lib = 1\r\n'),
    (world, [, fix = '']) => {
      git(world, 'add -A')
      shell(world, fix.replace('commit all changes, then: ', ''))
    },
  ],
  [
    'eol-converted',
    'a git that writes CRLF',
    (world) => {
      git(world, 'config core.autocrlf true')
      git(world, 'rm -q .gitattributes')
    },
    'its command',
  ],
  ['eol-unpinned', 'line ends that nobody decides', (world) => void git(world, 'rm -q .gitattributes'), 'its command'],
  [
    'gate-absent',
    'published without a gate',
    (world) => change(world, (manifest) => (manifest['scripts'] = { build: 'rollup -c' })),
    'its command',
  ],
  [
    'gate-too-late',
    'the gate in "postpublish"',
    (world) =>
      change(world, ({ scripts }) => {
        scripts.postpublish = scripts.prepublishOnly
        delete scripts.prepublishOnly
      }),
    (world, fix) => fix.forEach((line) => shell(world, line)),
  ],
  [
    'gate-too-late',
    'the hook in "publish"',
    (world) =>
      change(world, ({ scripts }) => {
        scripts.publish = scripts.postpack
        delete scripts.postpack
      }),
    (world, fix) => fix.forEach((line) => shell(world, line)),
  ],
  [
    'gate-on-install',
    'the gate in "prepublish"',
    (world) =>
      change(world, ({ scripts }) => {
        scripts.prepublish = scripts.prepublishOnly
        delete scripts.prepublishOnly
      }),
    (world, fix) => fix.forEach((line) => shell(world, line)),
  ],
  [
    'gate-too-early',
    'the gate in "prepack", by way of another script',
    (world) =>
      change(world, ({ scripts }) => {
        scripts.gate = scripts.prepublishOnly
        scripts.prepack = 'npm run gate'
        delete scripts.prepublishOnly
      }),
    (world) => change(world, ({ scripts }) => delete scripts.prepack),
  ],
  ['gate-skipped', 'scripts switched off', (world) => write(world, '.npmrc', 'fund=false\nignore-scripts=true\n'), 'its command'],
  [
    'gate-yarn',
    'hooks that Yarn 4 does not run',
    (world) => change(world, (manifest) => (manifest['packageManager'] = 'yarn@4.9.1')),
    'its command',
  ],
  ['postpack-absent', 'no "postpack"', (world) => change(world, ({ scripts }) => delete scripts.postpack), 'its command'],
  [
    'postpack-unverified',
    '"postpack" without a key',
    (world) => change(world, ({ scripts }) => (scripts.postpack = 'intoto postpack')),
    'its command',
  ],
  [
    'postpack-misplaced',
    'the hook in "prepack"',
    (world) =>
      change(world, ({ scripts }) => {
        scripts.prepack = scripts.postpack
        delete scripts.postpack
      }),
    (world, [fix = '']) => {
      shell(world, fix)
      change(world, ({ scripts }) => delete scripts.prepack)
    },
  ],
  [
    'plugin-unused',
    'no plugin in the configuration',
    (world) => write(world, 'rollup.config.js', `export default { input: 'src/lib.js', output: { dir: 'dist' }, plugins: [other()] }\n`),
    (world, [, fix = '']) => {
      const line = /write "(.*?)"/.exec(fix)?.[1] ?? ''
      edit(world, 'rollup.config.js', /^/, `${line}\n`)
      edit(world, 'rollup.config.js', 'other()', 'other(), inToto()')
    },
  ],
  [
    'plugin-twice',
    'the plugin twice',
    (world) => edit(world, 'rollup.config.js', 'other()', `inToto({ step: 'build' }), other()`),
    (world) => edit(world, 'rollup.config.js', `inToto({ step: 'build' }), `, ''),
  ],
  [
    'plugin-not-last',
    'a plugin behind ours',
    (world) => edit(world, 'rollup.config.js', 'inToto()', 'inToto(), banner()'),
    (world, [fix]) => {
      expect(fix).toBe('put inToto(…) last into "plugins"')
      edit(world, 'rollup.config.js', 'inToto(), banner()', 'banner(), inToto()')
    },
  ],
  [
    'plugin-disabled',
    'recording switched off',
    (world) => void (world.env['INTOTO_DISABLE'] = '1'),
    (world) => void delete world.env['INTOTO_DISABLE'],
  ],
  [
    'versions-differ',
    'two versions of our packages',
    (world) => write(world, 'node_modules/intoto/package.json', '{"name":"intoto","version":"0.0.9"}'),
    (world, [fix]) => {
      expect(fix).toMatch(/^npm i -D intoto@\d+\.\d+\.\d+, /)
      rmSync(join(world.root, 'node_modules/intoto'), { recursive: true })
    },
  ],
  ['repository-absent', 'no repository URL', (world) => change(world, (manifest) => delete manifest['repository']), 'its command'],
  [
    'repository-differs',
    'another repository URL',
    (world) => change(world, ({ repository }) => (repository.url = 'github:team/other')),
    'its command',
  ],
  [
    'ci-unsigned',
    'CI without the key',
    (world) => edit(world, workflow, / {4}env:\n.*\n/, ''),
    (world, [fix]) => edit(world, workflow, '    steps:', `    ${fix}\n    steps:`),
  ],
  [
    'ci-not-required',
    'a release that may be unsigned',
    (world) => edit(world, workflow, 'npm run build', 'npm run build && npm publish'),
    (world, [fix = '']) => edit(world, workflow, '    steps:', `      ${fix.replace('beside INTOTO_KEY: ', '')}\n    steps:`),
  ],
  [
    'ci-required-in-forks',
    'forks that can’t build',
    (world) => edit(world, workflow, '    steps:', '      INTOTO_REQUIRED: 1\n    steps:'),
    (world, [fix]) => edit(world, workflow, 'INTOTO_REQUIRED: 1', `${fix}`),
  ],
  [
    'ci-key-in-forks',
    'the key for strangers',
    (world) => edit(world, workflow, 'pull_request]', 'pull_request_target]'),
    (world) => edit(world, workflow, 'pull_request_target', 'pull_request'),
  ],
  [
    'ci-key-in-file',
    'a password in the open',
    (world) => edit(world, workflow, '    steps:', '      INTOTO_PASSWORD: hunter2\n    steps:'),
    (world) => edit(world, workflow, 'hunter2', '${{ secrets.INTOTO_PASSWORD }}'),
  ],
  [
    'variable-unknown',
    'a slip in the environment',
    (world) => void (world.env['INTOTO_REQIRED'] = '1'),
    (world) => void delete world.env['INTOTO_REQIRED'],
  ],
  [
    'variable-unknown',
    'a slip in a workflow',
    (world) => edit(world, workflow, '    steps:', '      INTOTO_REQUIERD: 1\n    steps:'),
    (world, [fix = '']) => {
      const [, right = '', wrong = ''] = /^write (\w+) for (\w+)$/.exec(fix) ?? []
      edit(world, workflow, `${wrong}: 1`, `${right}: \${{ vars.REQUIRED }}`)
    },
  ],
  [
    'manifest-broken',
    'a package.json that is none',
    (world) => write(world, 'package.json', '[]'),
    (world) => void git(world, 'checkout -q package.json'),
  ],
  [
    'manifest-absent',
    'no package.json',
    (world) => rmSync(join(world.root, 'package.json')),
    (world) => void git(world, 'checkout -q package.json'),
  ],
]

function commitIn(seconds: number): string {
  const time = Math.floor(Date.now() / 1000) + seconds
  const named = `GIT_COMMITTER_DATE=${time}+0000 GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@registry.example GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@registry.example`
  return `${named} git commit -q --allow-empty --no-gpg-sign -m later`
}

describe.skipIf(isWindows)('a mistake is found, alone, and repaired', () => {
  test.each(mistakes.map(([id, what, plant, repair]) => [`${id}: ${what}`, id, plant, repair] as const))(
    '%s',
    async (_title, id, plant, repair) => {
      const world = copyOf()
      await plant(world)
      const { code, findings, ok } = told(world)
      expect(
        findings.map((one) => one.id),
        JSON.stringify(findings, null, 2),
      ).toEqual([id])
      const [first] = findings
      expect(first).toMatchObject({ severity: catalog[id][0], code: expect.stringMatching(/^E_/) as string })
      expect(first?.fix.length).toBeGreaterThan(0)
      expect([code, ok]).toEqual(first?.severity === 'note' ? [0, true] : [1, false])
      if (repair === 'its command') shell(world, first?.fix[0] ?? '')
      else await repair?.(world, first?.fix ?? [])
      if (repair !== undefined) expect(told(world).findings).toEqual([])
    },
  )

  test('a functionary under an id that no tool derives: the layout is at fault, and its links are not found', async () => {
    const world = copyOf()
    await relaid(world, (layout) => {
      const [id = ''] = Object.keys(layout.keys)
      layout.keys = { ['0'.repeat(64)]: { ...layout.keys[id]!, keyid: '0'.repeat(64) } }
      for (const step of layout.steps) step.pubkeys = ['0'.repeat(64)]
    })
    const { findings } = told(world)
    expect(findings.map(({ id }) => id)).toEqual(['link-key-id', 'layout-lint'])
    expect(findings[0]?.fix).toEqual(['list the key in the layout under an id that "npx intoto key show" prints'])
  })

  const gate = 'intoto verify "dist dir" -k in-toto/owner.pub && echo "it\'s $HOME"'
  test.each<[string, Record<string, string>, Record<string, string>]>([
    [
      'into a script that is not there',
      { postpublish: `intoto verify "a & b" -k 'in-toto/owner.pub' -n "it's $HOME"` },
      { prepublishOnly: `intoto verify "a & b" -k 'in-toto/owner.pub' -n "it's $HOME"` },
    ],
    [
      'behind what is done before a package is published',
      { prepublishOnly: 'npm test && npm run build', prepack: 'intoto verify dist -k in-toto/owner.pub' },
      { prepublishOnly: 'npm test && npm run build && intoto verify dist -k in-toto/owner.pub' },
    ],
    [
      'before what is done when a tarball is there',
      { postpack: 'rm -r "dist dir"', prepack: 'intoto postpack -k in-toto/owner.pub' },
      { postpack: 'intoto postpack -k in-toto/owner.pub && rm -r "dist dir"' },
    ],
    [
      'with a part of another script, which stays where it is',
      { postpublish: gate },
      { prepublishOnly: 'intoto verify "dist dir" -k in-toto/owner.pub', postpublish: gate },
    ],
    [
      'that has a command of ours, but no gate',
      { prepublishOnly: 'intoto run -n build -- rollup -c', postpublish: 'intoto verify dist -k in-toto/owner.pub' },
      { prepublishOnly: 'intoto run -n build -- rollup -c && intoto verify dist -k in-toto/owner.pub' },
    ],
    [
      'with a key, beside what it does',
      { postpack: 'echo "a" && intoto postpack && echo \'b\'' },
      { postpack: 'echo "a" && intoto postpack -k in-toto/owner.pub && echo \'b\'' },
    ],
    ['as a hook', { postpack: 'npm run clean' }, { postpack: 'intoto postpack -k in-toto/owner.pub && npm run clean' }],
    ['not instead of one that releases', { release: 'changeset publish' }, { release: 'changeset publish' }],
  ])('a gate is put %s, and nothing gets lost', (what, scripts, repaired) => {
    const world = copyOf()
    change(world, (manifest) => {
      manifest['scripts'] = scripts
      if (what.startsWith('not instead')) manifest['packageManager'] = 'yarn@4.9.1'
    })
    const [first] = told(world).findings
    const commands = first?.fix.filter((line) => line.startsWith('npm pkg ')) ?? []
    expect(commands).toHaveLength(what.startsWith('not instead') ? 0 : 1)
    for (const command of commands) shell(world, command)
    const manifest = JSON.parse(readFileSync(join(world.root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    expect(manifest.scripts).toEqual(repaired)
  })

  test('no suggested command runs what a name says', async () => {
    const world = copyOf()
    const odd = `b$(echo>ran)'"\`echo>ran\``
    const signer = await loadSigner(join(world.root, '../owner'))
    const id = keyidFor(signer.key, 'python')
    mustRun(['keygen', '-o', '../other'], { cwd: world.root })
    renameSync(join(world.root, '../other.pub'), join(world.root, `in-toto/${odd}.pub`))
    world.env['INTOTO_KEY_FILE'] = join(world.root, '../other')
    utimesSync(join(world.root, `in-toto/${odd}.pub`), new Date(), new Date(Date.now() + 3_600_000))
    const link = createLink({ name: odd, products: { [odd]: { sha256: '0'.repeat(64) } } })
    await relaid(world, (layout) => {
      const [step] = layout.steps
      layout.steps = [...[odd, `name${odd}`, `by${odd}`].map((name) => ({ ...step!, name })), ...layout.steps]
      layout.expires = inDays(3)
    })
    const place = (name: string): string => join(world.root, 'dist', name)
    writeFileSync(place(`${odd}.${id.slice(0, 8)}.link`), encodeMetadata(await sign(link, [signer])))
    writeFileSync(place(`${odd}.01234567.link`), encodeMetadata(await sign({ ...link, name: `name${odd}` }, [signer])))
    const stranger = await loadSigner(join(world.root, '../other'))
    writeFileSync(place(`${odd}.89abcdef.link`), encodeMetadata(await sign({ ...link, name: `by${odd}` }, [stranger])))
    git(world, "remote set-url origin 'https://registry.example/team/$(echo>ran)'")
    write(world, 'node_modules/intoto/package.json', JSON.stringify({ name: 'intoto', version: '9.$(echo>ran)' }))
    change(world, (manifest) => (manifest['private'] = true))
    const asApplication = told(world).findings
    change(world, (manifest) => delete manifest['private'])
    const findings = [...told(world).findings, ...asApplication]
    const wanted = ['link-stale', 'link-key-id', 'link-actor', 'link-deployed', 'key-not-in-layout', 'layout-expires-soon', 'time-ahead']
    expect(findings.map(({ id: one }) => one)).toEqual(expect.arrayContaining([...wanted, 'repository-differs', 'versions-differ']))
    const renamed = findings.find(({ id: one, message }) => one === 'link-key-id' && message.startsWith('bears a name under which'))
    expect(renamed?.fix[0]).toMatch(/^mv /)
    const inert = ['npx', 'npm', 'rm', 'mv', 'touch', 'chmod', 'git'].map((name) => `${name}() { :; }`).join('; ')
    const commands = findings.flatMap(({ fix }) =>
      fix.flatMap((line) => /\b(?:npx|npm|rm|mv|touch|unset|chmod) .*$/s.exec(line)?.[0] ?? []),
    )
    expect(commands.length).toBeGreaterThan(8)
    for (const command of commands) {
      const { status, stderr } = spawnSync('sh', ['-c', `${inert}; ${command}`], { cwd: world.root, encoding: 'utf8' })
      expect([status, existsSync(join(world.root, 'ran'))], `${command}\n${stderr}`).toEqual([0, false])
    }
  })

  test('as text; without --strict only errors end with exit code 1', () => {
    const world = copyOf()
    rmSync(join(world.root, 'dist/lib.js'))
    git(world, 'rm -q .gitattributes')
    const mild = ask(world)
    expect(mild.code).toBe(0)
    write(world, 'in-toto/root.layout', '{')
    const { code, out } = ask(world)
    expect(code).toBe(1)
    const blocks = out.trimEnd().split('\n\n').slice(1)
    const labels = blocks.slice(0, -1).map((block) => {
      const [head = '', label = '', fix = ''] = block.split('\n')
      expect(head).toMatch(problemLine)
      expect(fix).toMatch(/^ {2}try {12}\S/)
      return label.trim().split(/\s+/)
    })
    expect(labels).toEqual([
      ['error', 'layout-broken'],
      ['warning', 'link-stale'],
      ['note', 'eol-unpinned'],
    ])
    expect(blocks.at(-1)).toBe('1 error, 1 warning, 1 note')
  })

  test('every finding of the catalog but one was planted; the docs have all', () => {
    const planted = new Set(mistakes.map(([id]) => id))
    expect(Object.keys(catalog).filter((id) => !planted.has(id as FindingId))).toEqual(['not-checked'])
    const page = readFileSync(join(repository, 'docs/doctor.md'), 'utf8')
    const rows = Array.from(page.matchAll(/^\| `([a-z-]+)` \| (error|warning|note) \|/gm), ([, id = '', severity]) => `${id} ${severity}`)
    expect(rows.toSorted()).toEqual(
      Object.entries(catalog)
        .map(([id, [severity]]) => `${id} ${severity}`)
        .toSorted(),
    )
  })
})

describe('odd projects', () => {
  const empty = (): World => {
    const place = mkdtempSync(join(folder, 'odd-'))
    mkdirSync(join(place, 'lib'))
    const world = worldAt(place)
    delete world.env['INTOTO_KEY_FILE']
    return world
  }

  test('nothing at all', () => {
    const { code, out } = ask(empty())
    expect(code).toBe(1)
    expect(out).toContain('manifest-absent')
  })

  test.each<[string, Record<string, string>]>([
    [
      'a manifest of odd members',
      { 'package.json': '{"name":1,"scripts":[1],"files":{"a":1},"dependencies":"x","repository":[],"packageManager":3,"private":"yes"}' },
    ],
    ['no object', { 'package.json': 'null' }],
    [
      'a configuration that is no code',
      { 'package.json': '{"name":"a","devDependencies":{"vite":"8","unplugin-in-toto":"1"}}', 'vite.config.js': 'unplugin-in-toto {{{' },
    ],
    [
      'scripts that call each other without end',
      {
        'package.json': JSON.stringify({
          name: 'a',
          devDependencies: { 'unplugin-in-toto': '1' },
          scripts: Object.fromEntries(['a', 'b', 'c', 'd'].map((name, i) => [name, `npm run ${'bcda'[i]} && `.repeat(300)])),
        }),
      },
    ],
    ['a key without end', { 'package.json': '{"name":"a"}', 'in-toto/a.pem': `-----BEGIN PRIVATE KEY-----${' '.repeat(65_000)}` }],
    ['folders for files', { 'package.json/x': '', 'in-toto/root.layout/x': '', 'in-toto/a.pub/x': '', 'dist/build.01234567.link/x': '' }],
    [
      'workflows that are none',
      {
        'package.json': '{"name":"a","devDependencies":{"unplugin-in-toto":"1"}}',
        '.github/workflows/a.yml': ': : [',
        '.github/workflows/b.yml': '- 1',
        '.github/workflows/c.yml': 'on: 3\njobs: [1]',
        '.github/workflows/d.yml': 'on: {push: 1}\nenv: x\njobs: {a: 1, b: {steps: x}, c: {env: [], steps: [1, {run: [1]}]}}',
      },
    ],
  ])('%s: findings, and no crash', (_what, odd) => {
    const world = empty()
    for (const [name, text] of Object.entries(odd)) write(world, name, text)
    const { code, err } = ask(world)
    expect([0, 1]).toContain(code)
    expect(err).toBe('')
    expect(found(world)).not.toContain('not-checked')
  })

  test.skipIf(process.platform !== 'linux')('what can’t be read is said to be not checked', () => {
    const world = copyOf()
    writeFileSync(Buffer.from([...Buffer.from(`${world.root}/src/`), 0xff]), '')
    expect(found(world)).toEqual(['not-checked'])
  })

  test('without git the checks of git are left out', () => {
    const world = copyOf()
    rmSync(join(world.root, '.git'), { recursive: true })
    rmSync(join(world.root, '.gitattributes'))
    expect(found(world)).toEqual([])
    expect(existsSync(join(world.root, '.git'))).toBe(false)
  })

  test.skipIf(isWindows).each([undefined, 'HEAD', 'HEAD:', 'HEAD:src/lib.js'])(
    'no program that the repository names runs, and nothing is fetched that a partial clone lacks: %s',
    (lost) => {
      const world = copyOf()
      const traps = trapsIn(mkdtempSync(join(folder, 'traps-')))
      setTraps(world.root, traps)
      if (lost !== undefined) loseObject(world.root, lost)
      expect(found(world)).not.toContain('not-checked')
      expect(traps.ran()).toBe('')
    },
  )

  test('it changes nothing', () => {
    const world = copyOf()
    const before = stateOf(world.root)
    ask(world)
    expect(stateOf(world.root)).toEqual(before)
  })
})

/** Every file with its time, and the bytes of git's index. */
function stateOf(root: string): unknown[] {
  const names = walkFiles(root, { exclude: (name) => name === 'node_modules' })
  return [names.map((name) => [name, lstatSync(join(root, name)).mtimeMs]), readFileSync(join(root, '.git/index'), 'base64')]
}

test('repositories in every spelling', () => {
  for (const url of [
    'git+https://registry.example/team/lib.git',
    'https://token:x@registry.example/team/lib',
    'ssh://git@registry.example:22/team/lib.git',
    'git@registry.example:team/lib.git',
    'git://Registry.example/team/lib/',
  ])
    expect(placeOf(url), url).toBe('registry.example/team/lib')
  expect([placeOf('team/lib'), placeOf('gitlab:team/lib'), placeOf('/srv/lib.git'), placeOf('file:///srv/lib')]).toEqual([
    'github.com/team/lib',
    'gitlab.com/team/lib',
    undefined,
    undefined,
  ])
})
