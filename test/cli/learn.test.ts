/**
 * `intoto layout learn` and `diff` on a real Vite project: the learned layout lets the next honest build pass, whose names have other hashes, and
 * refuses what went wrong; both other implementations say the same, where they are installed.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeMetadata, formatRule, type Layout, parseRule } from 'intoto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { havePeers, type Peer, startPeer } from '../interop/peer.ts'
import { bareEnvironment, intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const keys = join(folder, 'keys')
const first = join(folder, 'first')
const repository = fileURLToPath(new URL('../../', import.meta.url))
const peers: Peer[] = havePeers ? [startPeer('python'), startPeer('go')] : []
afterAll(() => peers.forEach((peer) => peer.close()))

const project: Record<string, string> = {
  'package.json': JSON.stringify({ name: 'app', version: '1.0.0', type: 'module' }),
  'index.html': '<!doctype html><title>app</title><script type="module" src="/src/main.ts"></script>',
  'vite.config.ts': `import inToto from 'unplugin-in-toto/vite'\nexport default { plugins: [inToto()] }\n`,
  'src/main.ts': `import './style.css'\nimport('./lazy.ts').then(({ lazy }) => console.log(lazy))\n`,
  'src/lazy.ts': `export const lazy: number = 1\n`,
  'src/style.css': 'body { color: red }\n',
  'public/logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  '.gitignore': 'node_modules\ndist\n*.link\n',
}

beforeAll(() => {
  for (const path of [keys, join(first, 'in-toto'), join(first, 'node_modules')]) mkdirSync(path, { recursive: true })
  for (const name of ['owner', 'ci', 'mallory']) mustRun(['keygen', '-o', join(keys, name)])
  for (const name of ['owner', 'ci']) copyFileSync(join(keys, `${name}.pub`), join(first, 'in-toto', `${name}.pub`))
  for (const [name, text] of Object.entries(project)) write(first, name, text)
  symlinkSync(join(repository, 'node_modules/vite'), join(first, 'node_modules/vite'))
  symlinkSync(repository, join(first, 'node_modules/unplugin-in-toto'))
  spawnSync('git', ['init', '-q'], { cwd: first })
  spawnSync('git', ['add', '-A'], { cwd: first })
  source(first)
  build(first)
  check(first)
  mustRun(['layout', 'learn', '--functionary', 'in-toto/ci.pub', '--sign-with', '../keys/owner'], { cwd: first })
})

function write(root: string, name: string, text: string): void {
  mkdirSync(join(root, name, '..'), { recursive: true })
  writeFileSync(join(root, name), text)
}

function source(root: string): void {
  mustRun(['record', 'source', '--signing-key', join(keys, 'ci')], { cwd: root })
}

function build(root: string, by = 'ci', ...args: string[]): void {
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const env = bareEnvironment({ INTOTO_KEY_FILE: join(keys, by) })
  const { status, stdout, stderr } = spawnSync(process.execPath, [vite, 'build', ...args], { cwd: root, env, encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
}

function check(root: string): void {
  const words = ['run', '-n', 'test', '--signing-key', join(keys, 'ci'), '-m', 'package.json', 'src', 'dist', '--', 'node', '--version']
  mustRun(words, { cwd: root })
}

function another(change: (root: string) => void): string {
  const root = mkdtempSync(join(folder, 'round-'))
  cpSync(first, root, { recursive: true, verbatimSymlinks: true })
  change(root)
  return root
}

const products = (root: string): string[] =>
  readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(js|css)$/.test(name))
const layoutIn = (root: string): Layout => decodeMetadata(readFileSync(join(root, 'in-toto/root.layout'))).payload as Layout

/** What both other tools say of the same layout and links. */
async function peersSay(root: string): Promise<boolean[]> {
  const gathered = mkdtempSync(join(folder, 'links-'))
  for (const where of ['in-toto', 'dist'])
    for (const name of readdirSync(join(root, where)))
      if (name.endsWith('.link')) copyFileSync(join(root, where, name), join(gathered, name))
  const request = { layout: join(root, 'in-toto/root.layout'), keys: [join(keys, 'owner.pub')], links: gathered }
  return Promise.all(peers.map(async (peer) => (await peer.ask('verify', { ...request, dir: mkdtempSync(join(folder, 'work-')) })).ok))
}

describe('a layout that was learned from a Vite build', () => {
  test('matches what flowed, and knows no hash', () => {
    const rules = layoutIn(first).steps.map((step) =>
      [...step.expected_materials, ...step.expected_products].map((tokens) => formatRule(parseRule(tokens))),
    )
    expect(rules.flat()).toContain('MATCH dist/* WITH PRODUCTS FROM build')
    expect(rules.flat()).toContain('CREATE dist/assets/lazy-????????.js')
    for (const name of products(first)) expect(JSON.stringify(layoutIn(first))).not.toContain(name)
    expect(mustRun(['layout', 'lint', 'in-toto/root.layout', '--strict'], { cwd: first }).out).toBe('nothing to remark\n')
  })

  test('lets it pass, and the next honest build, whose files are called otherwise', async () => {
    const next = another((root) => {
      write(root, 'src/lazy.ts', `export const lazy: number = 2\n`)
      write(root, 'src/style.css', 'body { color: blue }\n')
      write(root, 'src/main.ts', `${project['src/main.ts']}import { more } from './more.ts'\nconsole.log(more)\n`)
      write(root, 'src/more.ts', 'export const more = 1\n')
      spawnSync('git', ['add', '-A'], { cwd: root })
      source(root)
      build(root)
      check(root)
    })
    expect(products(next)).not.toEqual(products(first))
    for (const root of [first, next]) {
      mustRun(['verify', 'dist', '-k', 'in-toto/owner.pub'], { cwd: root })
      expect(await peersSay(root)).toEqual(peers.map(() => true))
    }
  })

  test.each<[string, string, boolean, (root: string) => void]>([
    [
      'a source that changed after the build',
      'E_TAMPER',
      false,
      (root) => {
        write(root, 'src/lazy.ts', 'evil')
        check(root)
      },
    ],
    [
      'a file that was added to dist',
      'E_RULE',
      false,
      (root) => {
        write(root, 'dist/evil.js', 'evil')
        check(root)
      },
    ],
    [
      'a file that was dropped from dist',
      'E_RULE',
      false,
      (root) => {
        rmSync(join(root, 'dist/logo.svg'))
        check(root)
      },
    ],
    ['a file that was dropped before it was delivered', 'E_PRODUCT', true, (root) => rmSync(join(root, 'dist/logo.svg'))],
    [
      'another key',
      'E_ACTOR',
      false,
      (root) => {
        rmSync(join(root, 'dist'), { recursive: true })
        build(root, 'mallory')
      },
    ],
    [
      'another command',
      'E_COMMAND',
      true, // the other two only warn of it
      (root) => {
        build(root, 'ci', '--mode', 'production')
        check(root)
      },
    ],
  ])('refuses %s', async (_what, code, peersAccept, change) => {
    const root = another(change)
    const { out, code: ended } = intoto(['verify', 'dist', '-k', 'in-toto/owner.pub'], { cwd: root })
    expect(ended, out).toBe(1)
    expect(out).toMatch(new RegExp(`^${code} `, 'm'))
    expect(await peersSay(root)).toEqual(peers.map(() => peersAccept))
  })
})

describe('learning', () => {
  test('adds a step to a layout, and leaves what stands before it', () => {
    const root = another((at) => {
      const build = readdirSync(join(at, 'dist')).find((name) => /^build\..*\.link$/.test(name)) as string
      const words = ['run', '-n', 'banner', '--signing-key', join(keys, 'ci'), '-m', 'dist', '-p', 'dist']
      mustRun([...words, '--', 'node', '-e', `fs.appendFileSync('dist/index.html', '<!-- x -->')`], { cwd: at })
      expect(existsSync(join(at, 'dist', build))).toBe(true)
      check(at)
    })
    const call = { cwd: root }
    expect(intoto(['verify', '-k', 'in-toto/owner.pub'], call).code).toBe(1)
    mustRun(['layout', 'learn', '--add-step', 'banner', '--sign-with', '../keys/owner'], call)
    const [before, after] = [layoutIn(first), layoutIn(root)]
    expect(after.steps.map(({ name }) => name)).toEqual(['source', 'build', 'banner', 'test'])
    expect(after.steps.slice(0, 2)).toEqual(before.steps.slice(0, 2))
    expect(after.expires).toBe(before.expires)
    mustRun(['verify', '-k', 'in-toto/owner.pub'], call)
    expect(intoto(['layout', 'learn', '--add-step', 'banner'], call).code).toBe(2)
    expect(intoto(['layout', 'learn', '--add-step', 'none'], call).code).toBe(2)
  })

  test('from several rounds: what differs between them may differ', () => {
    const [one, other] = ['one', 'other'].map((name) =>
      another((root) => {
        rmSync(join(root, 'in-toto/root.layout'))
        const words = ['run', '-n', 'build', '--signing-key', join(keys, 'ci'), '-d', 'dist', '-m', 'package.json', '-p', 'dist']
        rmSync(join(root, 'dist'), { recursive: true })
        rmSync(join(root, 'in-toto'), { recursive: true })
        mkdirSync(join(root, 'in-toto'))
        const code = `fs.mkdirSync('dist', { recursive: true }); fs.writeFileSync('dist/app-${name}ish.js', '')`
        mustRun([...words, '--', 'node', '-e', code], { cwd: root })
      }),
    ) as [string, string]
    const { err } = mustRun(['layout', 'learn', '--run', one, other, '--functionary', 'keys/ci.pub', '-o', 'both.layout'], { cwd: folder })
    expect(err).toContain('its links name different commands')
    const layout = decodeMetadata(readFileSync(join(folder, 'both.layout'))).payload as Layout
    expect(layout.steps[0]?.expected_products.filter(([word]) => word === 'CREATE')).toEqual([
      ['CREATE', 'dist/app-oneish.js'],
      ['CREATE', 'dist/app-otherish.js'],
    ])
  })

  test.each<[string, number, string[]]>([
    ['nobody to believe', 2, []],
    ['a link of a stranger', 1, ['--functionary', '../keys/mallory.pub']],
    ['a layout that is there', 2, ['--functionary', 'in-toto/ci.pub']],
    ['no link', 2, ['--functionary', 'in-toto/ci.pub', '-d', 'src']],
    ['an absent round', 2, ['--functionary', 'in-toto/ci.pub', '--run', 'nowhere']],
    ['a threshold of nobody', 2, ['--functionary', 'in-toto/ci.pub', '--threshold', 'build=0']],
  ])('%s: refused, nothing written', (_what, code, args) => {
    const before = readFileSync(join(first, 'in-toto/root.layout'))
    expect(intoto(['layout', 'learn', ...args], { cwd: first }).code).toBe(code)
    expect(readFileSync(join(first, 'in-toto/root.layout')).equals(before)).toBe(true)
  })
})

describe('layout diff', () => {
  test('a layout beside the links: nothing, and all that would be refused', () => {
    expect(mustRun(['layout', 'diff', '--strict'], { cwd: first }).out).toContain('it would let all of them pass')
    const root = another((at) => {
      write(at, 'dist/evil.js', 'evil')
      write(at, 'src/lazy.ts', 'evil')
      check(at)
    })
    const { code, out } = intoto(['layout', 'diff', '--format', 'json'], { cwd: root })
    expect(code).toBe(1)
    const { schemaVersion, problems } = JSON.parse(out) as { schemaVersion: number; problems: { code: string; file: string }[] }
    expect(schemaVersion).toBe(1)
    expect(problems.map((p) => [p.code, p.file])).toEqual([
      ['E_RULE', 'dist/evil.js'],
      ['E_TAMPER', 'src/lazy.ts'],
    ])
  })

  test('two layouts: lines that went, lines that came', () => {
    const call = { cwd: first }
    mustRun(
      ['layout', 'learn', '--functionary', 'in-toto/ci.pub', '--threshold', 'build=2', '--expires', '2090-01-01', '-o', '../next.layout'],
      call,
    )
    const { out } = mustRun(['layout', 'diff', 'in-toto/root.layout', '../next.layout'], call)
    expect(out).toContain('steps.build.threshold\n- 1\n+ 2\n')
    expect(out).toContain('2 places differ')
    expect(intoto(['layout', 'diff', 'in-toto/root.layout', '../next.layout', '--strict'], call).code).toBe(1)
    expect(mustRun(['layout', 'diff', 'in-toto/root.layout', 'in-toto/root.layout', '--strict'], call).out).toContain('no difference')
    const preview = mustRun(
      ['layout', 'diff', '--add-functionary', 'build=in-toto/owner.pub', '--format', 'markdown', '--output', '../diff.md'],
      call,
    )
    expect(preview.out).toBe('')
    expect(readFileSync(join(folder, 'diff.md'), 'utf8')).toMatch(/```diff\nkeys\n\+ .*\nsteps\.build\.pubkeys\n\+ [0-9a-f]{64}\n```\n$/)
    expect(intoto(['layout', 'diff', 'in-toto/root.layout', '../next.layout', '-d', 'dist'], call).code).toBe(2)
    expect(intoto(['layout', 'diff', 'none.layout'], call).code).toBe(2)
  })
})

describe('layout new --from', () => {
  const module = (imports: string, body: string): string =>
    `import { defineLayout${imports} } from 'intoto'\nimport { loadKey } from 'intoto/node'\nconst ci = await loadKey('in-toto/ci.pub')\n${body}\n`
  const steps = `steps: [{ name: 'build', functionaries: ['ci'], products: ['CREATE dist/*', 'DISALLOW *'] }]`
  beforeAll(() => symlinkSync(join(repository, 'packages/intoto'), join(first, 'node_modules/intoto')))

  test.each([
    ['layout.mjs', module('', `export default defineLayout({ functionaries: { ci }, expires: new Date('2090-01-01'), ${steps} })`)],
    [
      'layout.ts',
      module(
        ', type Layout',
        `export default async (): Promise<Layout> => defineLayout({ functionaries: { ci }, expires: '2090-01-01T00:00:00Z', ${steps} })`,
      ),
    ],
  ])('%s', (name, text) => {
    write(first, name, text)
    const { out } = mustRun(['layout', 'new', '--from', name, '-o', `../${name}.layout`, '--sign-with', '../keys/owner'], { cwd: first })
    expect(out).toContain('build, expires 2090-01-01, signed by one key')
    mustRun(['sign', '-f', `../${name}.layout`, '-k', '../keys/owner.pub', '--verify'], { cwd: first })
    expect(readdirSync(first).filter((file) => file.includes(`.${name}.`))).toEqual([])
  })

  test.each([
    ['nothing.mjs', 'export const layout = 1', /default export is no layout/],
    ['thrown.mjs', `throw new Error('no such thing')`, /no such thing/],
    [
      'wrong.mjs',
      module('', `export default defineLayout({ functionaries: { ci }, expires: 'soon', steps: [] })`),
      /E_LAYOUT_INVALID.*expires/,
    ],
    ['syntax.ts', 'export default {{{', /syntax\.ts/],
  ])('%s: refused in two lines', (name, text, said) => {
    write(first, name, text)
    const { code, err } = intoto(['layout', 'new', '--from', name, '-o', '../never.layout'], { cwd: first })
    expect([1, 2]).toContain(code)
    expect(err).toMatch(said)
    expect(existsSync(join(folder, 'never.layout'))).toBe(false)
    expect(readdirSync(first).filter((file) => file.startsWith('.syntax'))).toEqual([])
    expect(intoto(['layout', 'new', '--from', 'none.mjs'], { cwd: first }).code).toBe(2)
    expect(intoto(['layout', 'new', '--from', 'thrown.mjs', '--preset', 'npm'], { cwd: first }).code).toBe(2)
  })
})

describe('what layout learn refuses to leave out', () => {
  const words = ['layout', 'learn', '--functionary', 'in-toto/ci.pub', '-o', 'learned.layout']
  const nameOf = (root: string, step: string): string =>
    readdirSync(join(root, 'in-toto')).find((name) => name.startsWith(`${step}.`) && name.endsWith('.link')) ?? ''

  test('a link file that is damaged, or is no link: a step that fell out would be a looser layout', () => {
    for (const [text, code, said] of [
      ['{"payload', 'E_FORMAT', 'test.'],
      [readFileSync(join(first, 'in-toto/root.layout'), 'utf8'), 'E_FORMAT', 'holds no link'],
    ] as const) {
      const root = another((place) => write(place, `in-toto/${nameOf(place, 'test')}`, text))
      const ended = intoto(words, { cwd: root })
      expect(ended.code, ended.err).toBe(1)
      expect(ended.err).toMatch(new RegExp(`^${code} in-toto/test\\.[0-9a-f]{8}\\.link`))
      expect(ended.err).toContain(said)
      expect(existsSync(join(root, 'learned.layout'))).toBe(false)
    }
  })

  test('a step in --order that no link is about', () => {
    const root = another(() => {})
    const ended = intoto([...words, '--order', 'source', 'biuld'], { cwd: root })
    expect(ended.code).toBe(2)
    expect(ended.err).toMatch(/^E_CONFIG .*--order: no link is about a step "biuld"\n {2}try +--order .*\bbuild\b/)
    expect(existsSync(join(root, 'learned.layout'))).toBe(false)
    mustRun([...words, '--order', 'source', 'build'], { cwd: root })
  })
})
