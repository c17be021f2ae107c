/** `intoto init`: the edit of each kind of configuration, and whole runs on projects that real bundlers build. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, formatRule, InTotoError, type Layout, parseRule } from 'intoto'
import { describe, expect, test } from 'vitest'
import { bundlers } from '../../packages/cli/src/init/bundler.ts'
import { withPlugin } from '../../packages/cli/src/init/config.ts'
import { recipeText, withIgnored, withScripts } from '../../packages/cli/src/init/recipe.ts'
import { bareEnvironment, bin, type Ended, endOf, intoto, mustRun, start, temporaryFolder } from './command.ts'
import { linkTools, writeFiles } from './tools.ts'
import { hasTerminal, typed } from './typing.ts'

const crlf = (text: string): string => text.replaceAll('\n', '\r\n')
const named = (name: string) => bundlers.find((bundler) => bundler.name === name)!

describe('the plugin comes into a configuration', () => {
  const from = (subpath = 'vite', quote = "'"): string => `import inToto from ${quote}unplugin-in-toto/${subpath}${quote}`

  test.each<[string, string, string, string]>([
    [
      'behind the last one',
      'vite',
      `import vue from 'vue-plugin'\nexport default defineConfig({ plugins: [vue()] })\n`,
      `import vue from 'vue-plugin'\n${from()}\nexport default defineConfig({ plugins: [vue(), inToto()] })\n`,
    ],
    [
      'on a line of its own, in the spelling of the file',
      'vite',
      `import vue from "vue-plugin";\nexport default {\n  plugins: [\n    vue(),\n  ],\n};\n`,
      `import vue from "vue-plugin";\n${from('vite', '"')};\nexport default {\n  plugins: [\n    vue(),\n    inToto(),\n  ],\n};\n`,
    ],
    ['into an empty list', 'vite', `export default { plugins: [] }\n`, `${from()}\n\nexport default { plugins: [inToto()] }\n`],
    [
      'where there is no list',
      'vite',
      `export default {\n  base: './'\n}\n`,
      `${from()}\n\nexport default {\n  base: './',\n  plugins: [inToto()]\n}\n`,
    ],
    ['into nothing', 'vite', `export default defineConfig({})\n`, `${from()}\n\nexport default defineConfig({ plugins: [inToto()] })\n`],
    [
      'into what a function returns, with types',
      'vite',
      `export default defineConfig(async ({ mode }): Promise<UserConfig> => {\n  const x = mode as string\n  return { plugins: [a(x)] } satisfies UserConfig\n})\n`,
      `${from()}\n\nexport default defineConfig(async ({ mode }): Promise<UserConfig> => {\n  const x = mode as string\n  return { plugins: [a(x), inToto()] } satisfies UserConfig\n})\n`,
    ],
    [
      'behind a list that stands elsewhere',
      'vite',
      `const plugins = [a()]\nconst config = { plugins }\nexport default config\n`,
      `${from()}\n\nconst plugins = [a()]\nconst config = { plugins: [...plugins, inToto()] }\nexport default config\n`,
    ],
    [
      'behind an expression',
      'vite',
      `export default { plugins: debug ? [a()] : [b()] }\n`,
      `${from()}\n\nexport default { plugins: [...(debug ? [a()] : [b()]), inToto()] }\n`,
    ],
    [
      'into each of several',
      'rollup',
      `export default [\n  { input: 'a.js', plugins: [x()] },\n  { input: 'b.js' },\n]\n`,
      `${from('rollup')}\n\nexport default [\n  { input: 'a.js', plugins: [x(), inToto()] },\n  { input: 'b.js', plugins: [inToto()] },\n]\n`,
    ],
    [
      'into CommonJS',
      'webpack',
      `'use strict'\nconst path = require('path')\nmodule.exports = {\n  entry: './a.js',\n  plugins: [new Html()],\n}\n`,
      `'use strict'\nconst path = require('path')\nconst inToto = require('unplugin-in-toto/webpack').default\nmodule.exports = {\n  entry: './a.js',\n  plugins: [new Html(), inToto()],\n}\n`,
    ],
    [
      'into a call',
      'esbuild',
      `import * as esbuild from 'esbuild'\nawait esbuild.build({ entryPoints: ['a.js'], outdir: 'dist' })\n`,
      `import * as esbuild from 'esbuild'\n${from('esbuild')}\nawait esbuild.build({ entryPoints: ['a.js'], outdir: 'dist', plugins: [inToto()] })\n`,
    ],
    [
      'by name',
      'nuxt',
      `export default defineNuxtConfig({ modules: ['a'] })\n`,
      `export default defineNuxtConfig({ modules: ['a', 'unplugin-in-toto/nuxt'] })\n`,
    ],
    ['once', 'vite', `${from()}\nexport default { plugins: [inToto()] }\n`, `${from()}\nexport default { plugins: [inToto()] }\n`],
  ])('%s', (_what, name, before, after) => {
    expect(withPlugin(before, named(name), 'some.config.ts')).toBe(after)
    expect(withPlugin(after, named(name), 'some.config.ts')).toBe(after)
    expect(withPlugin(crlf(before), named(name), 'some.config.ts'), 'with line ends of Windows').toBe(crlf(after))
  })

  test.each(['export default {{{', 'export const config = {}', 'export default load()'])('not by guessing: %s', (text) => {
    expect(() => withPlugin(text, named('vite'), 'vite.config.js')).toThrow(InTotoError)
    expect(() => withPlugin(text, named('vite'), 'vite.config.js')).toThrow(/the plugin can't be added/)
  })
})

describe('what is written beside it', () => {
  const project = (scripts: Record<string, string> | undefined, more: object = {}) => {
    const manifest = { name: 'lib', ...(scripts === undefined ? {} : { scripts }), ...more }
    return { name: 'lib', manifest, manifestText: `${JSON.stringify(manifest, null, '\t')}\n`, isTypeScript: false, inGit: true }
  }
  const recipe = { client: 'npm', dist: 'dist', owner: 'in-toto/owner.pub', isPublished: true } as const
  const scriptsOf = (text: string): unknown => (JSON.parse(text) as { scripts?: unknown }).scripts

  test('scripts: the gate and the hook, behind what is there, in the indentation of the file', () => {
    const { text, notes } = withScripts(project({ build: 'vite build', prepublishOnly: 'npm test' }), recipe)
    expect(scriptsOf(text)).toEqual({
      build: 'vite build',
      prepublishOnly: 'npm test && intoto verify dist -k in-toto/owner.pub --through build',
      postpack: 'intoto postpack -k in-toto/owner.pub',
    })
    expect(text).toContain('\n\t"scripts"')
    const windows = project({ build: 'vite build', prepublishOnly: 'npm test' })
    expect(withScripts({ ...windows, manifestText: crlf(windows.manifestText) }, recipe).text).toBe(crlf(text))
    expect(notes).toEqual([])
    const again = withScripts({ ...project({}), manifest: JSON.parse(text) as never, manifestText: text }, recipe)
    expect(again.text).toBe(text)
  })

  test('a hook that is taken stays, and is told; clients without an honest one get a script; what is private gets none', () => {
    const taken = withScripts(project({ postpack: 'rm x' }), recipe)
    expect(scriptsOf(taken.text)).toMatchObject({ postpack: 'rm x' })
    expect(taken.notes.join()).toContain('intoto publish')
    expect(scriptsOf(withScripts(project(undefined), { ...recipe, client: 'pnpm' }).text)).toEqual({
      release: 'intoto publish -k in-toto/owner.pub',
    })
    const hidden = project({ build: 'x' })
    expect(withScripts(hidden, { ...recipe, isPublished: false }).text).toBe(hidden.manifestText)
  })

  test.each(['npm', 'pnpm', 'yarn', 'bun'] as const)('recipes: what a runner lacks is installed first (%s)', (client) => {
    const [github, gitlab] = [recipeText('github', { ...recipe, client }), recipeText('gitlab', { ...recipe, client })]
    const needs = { npm: [/npm ci/], pnpm: [/corepack/], yarn: [/corepack/], bun: [/setup-bun/, /npm i -g bun/] }[client]
    expect(github).toMatch(needs[0] as RegExp)
    expect(gitlab).toMatch(needs.at(-1) as RegExp)
    for (const text of [github, gitlab]) expect(text).toContain(`- ${text === github ? 'run: ' : ''}${client} run build\n`)
  })

  test('ignored links, once', () => {
    expect(withIgnored(undefined, 'out')).toBe('node_modules/\nout/\nin-toto/*.link\n')
    expect(withIgnored('dist', 'dist')).toBe('dist\nin-toto/*.link\n')
    expect(withIgnored('dist\nin-toto/*.link\n', 'dist')).toBe('dist\nin-toto/*.link\n')
    expect(withIgnored('*.link\n', 'dist')).toBe('*.link\n')
    expect(withIgnored('dist\r\n', 'dist')).toBe('dist\r\nin-toto/*.link\r\n')
  })
})

const folder = temporaryFolder()
let made = 0

const app: Record<string, string> = {
  'package.json': `${JSON.stringify({ name: 'app', private: true, version: '1.0.0', type: 'module', scripts: { build: 'vite build' }, devDependencies: { vite: '*' } }, null, 2)}\n`,
  'index.html': '<!doctype html><title>app</title><script type="module" src="/src/main.js"></script>',
  'src/main.js': `import('./lazy.js').then(({ lazy }) => console.log(lazy))\n`,
  'src/lazy.js': `export const lazy = 1\n`,
}
const lib: Record<string, string> = {
  'package.json': `${JSON.stringify({ name: 'lib', version: '1.0.0', type: 'module', main: 'dist/lib.js', files: ['dist'], scripts: { build: 'rollup -c' }, devDependencies: { rollup: '*' } }, null, 2)}\n`,
  'rollup.config.js': `export default { input: 'src/lib.js', output: { dir: 'dist' } }\n`,
  'src/lib.js': `export const lib = 1\n`,
  'README.md': '# lib\n',
}

/** A project with its tools in place, and a home of its own. */
function projectOf(
  files: Record<string, string>,
  tools: Record<string, string>,
): { root: string; run: (...words: string[]) => Ended; env: NodeJS.ProcessEnv; key: string } {
  const place = join(folder, `${++made}`)
  const root = join(place, 'project')
  writeFiles(root, files)
  linkTools(root, tools)
  const env = { HOME: join(place, 'home'), XDG_CONFIG_HOME: join(place, 'home/.config') }
  // Not by `intoto` of command.ts, which forbids what the bundler and npm print on their own.
  const run = (...words: string[]): Ended => {
    const options = { cwd: root, env: bareEnvironment(env), encoding: 'utf8' } as const
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [bin, 'init', ...words], options)
    return { code: status, signal, out: stdout, err: stderr }
  }
  return { root, run, env, key: join(place, 'home/.config/intoto') }
}

/** Every file that is not a tool's or a bundler's, with its text. */
function filesOf(root: string, folder = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (['node_modules', 'dist', '.git'].includes(name)) continue
    if (entry.isDirectory()) Object.assign(found, filesOf(root, name))
    else found[name] = readFileSync(join(root, name), 'utf8')
  }
  return found
}

const layoutIn = (root: string): Layout => decodeMetadata(readFileSync(join(root, 'in-toto/root.layout'))).payload as Layout

test('init takes the one configuration that is there, whatever package.json names', () => {
  const { root, run } = projectOf({ ...app, 'package.json': '{"name":"app","private":true}', 'vite.config.js': 'export default {}\n' }, {})
  const before = filesOf(root)
  const { code, err } = run('--dry-run', '--ci', 'none')
  expect(code, err).toBe(0)
  expect(err).toMatch(/app: vite,/)
  expect(err).toContain('vite.config.js')
  expect(filesOf(root)).toEqual(before)
})

describe('init that is told to stop', () => {
  test.skipIf(process.platform === 'win32').each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s while it builds: the build is ended, everything is as it was', async (signal, expected) => {
    const slow = "console.log('pid ' + process.pid); setTimeout(() => {}, 60_000)"
    const manifest = JSON.stringify({ ...JSON.parse(app['package.json'] ?? '{}'), scripts: { build: 'node slow.cjs' } })
    const { root, env, key } = projectOf({ ...app, 'package.json': manifest, 'slow.cjs': slow }, { vite: 'bin/vite.js' })
    const before = filesOf(root)
    const child = start(['init', '--yes', '--ci', 'none'], { cwd: root, env })
    const pid = await new Promise<number>((found) => {
      let said = ''
      child.stderr?.on('data', (text: Buffer) => {
        said += text.toString()
        const [, id] = /pid (\d+)\n/.exec(said) ?? []
        if (id !== undefined) found(Number(id))
      })
    })
    child.kill(signal)
    expect(await endOf(child)).toMatchObject({ code: expected, signal: null, err: expect.stringContaining('as they were') as string })
    // Gone, or dead and not yet asked for by whoever inherits it.
    await expect.poll(() => spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' }).stdout.trim()).toMatch(/^(?:Z.*)?$/)
    expect([filesOf(root), existsSync(join(key, 'app.pem'))]).toEqual([before, false])
  })
})

describe('init of an application', () => {
  const { root, run, env, key } = projectOf(app, { vite: 'bin/vite.js' })
  let first: Ended

  test('--dry-run, and nobody to ask: nothing is changed', () => {
    const before = filesOf(root)
    const shown = run('--dry-run')
    expect([shown.code, shown.out]).toEqual([0, ''])
    expect(shown.err).toContain('vite.config.js (new)')
    expect(shown.err).toContain("+ import inToto from 'unplugin-in-toto/vite'")
    const { code, err } = run()
    expect(code).toBe(2)
    expect(err).toContain('--yes')
    expect(filesOf(root)).toEqual(before)
    expect(existsSync(key)).toBe(false)
  })

  test('--yes: a key outside, the plugin, a layout; verified', () => {
    first = run('--yes', '--ci', 'github')
    expect(first.code, first.out + first.err).toBe(0)
    expect(first.out).toMatch(/Verified\.\n$/)
    expect(Object.keys(filesOf(root)).sort()).toEqual([
      '.github/workflows/in-toto.yml',
      'in-toto/owner.pub',
      'in-toto/root.layout',
      'index.html',
      'package.json',
      'src/lazy.js',
      'src/main.js',
      'vite.config.js',
    ])
    expect(filesOf(root)['package.json']).toBe(app['package.json'])
    expect(statSync(join(key, 'app.pem')).mode & 0o777).toBe(0o600)
    expect(JSON.stringify(filesOf(root))).not.toContain(readFileSync(join(key, 'app.pem'), 'utf8').split('\n')[1])
    expect(layoutIn(root).steps.map(({ name, expected_command }) => [name, expected_command])).toEqual([['build', ['vite', 'build']]])
  })

  test('a second run changes nothing', () => {
    const before = filesOf(root)
    const again = run('--yes', '--ci', 'github')
    expect([again.code, again.out]).toEqual([0, 'everything is there already: nothing was changed\n'])
    expect(filesOf(root)).toEqual(before)
  })

  test('the doctor has one note: the link is deployed, too', () => {
    const { findings } = JSON.parse(mustRun(['doctor', '--strict', '--format', 'json'], { cwd: root, env }).out) as {
      findings: { id: string }[]
    }
    expect(findings.map(({ id }) => id)).toEqual(['link-deployed'])
  })

  test('the next build is verified, with other hashes; a changed file is not', () => {
    writeFileSync(join(root, 'src/lazy.js'), 'export const lazy = 2\n')
    const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], {
      cwd: root,
      env: bareEnvironment(env),
      encoding: 'utf8',
    })
    expect(status, stdout + stderr).toBe(0)
    const words = ['verify', 'dist', '-k', 'in-toto/owner.pub', '--through', 'build']
    mustRun(words, { cwd: root })
    writeFileSync(join(root, 'dist/index.html'), 'evil')
    expect(intoto(words, { cwd: root }).out).toMatch(/^E_PRODUCT dist\/index\.html/m)
  })

  test('another key in its place is refused; --force puts the own one there and learns again', () => {
    mustRun(['keygen', '-o', join(root, '../other')])
    copyFileSync(join(root, '../other.pub'), join(root, 'in-toto/owner.pub'))
    const refused = run('--yes')
    expect(refused.code).toBe(2)
    expect(refused.err).toContain('is another key')
    expect(run('--yes', '--force').code).toBe(0)
    mustRun(['verify', 'dist', '-k', 'in-toto/owner.pub'], { cwd: root })
  })
})

describe('a package.json that is none', () => {
  test.each(['null', '1', '"x"', '[]', '{}', '{"name": "app", "scripts": 5}', '{"name": "app", "dependencies": null, "scripts": null}'])(
    '%s',
    (text) => {
      const { root, run } = projectOf({ 'package.json': text }, {})
      for (const flags of [['--yes'], ['--dry-run', '--bundler', 'vite']]) {
        const { code, err } = run(...flags)
        expect(err).not.toContain('internal error')
        expect(code, err).toBeLessThan(3)
      }
      expect(filesOf(root)).toEqual({ 'package.json': text })
    },
  )
})

describe('the key that init makes', () => {
  test('is encrypted with the password of the environment, by which the build then signs; and it says so', () => {
    const { root, run, env, key } = projectOf(app, { vite: 'bin/vite.js' })
    const shown = (more: NodeJS.ProcessEnv): Ended => {
      for (const name of ['INTOTO_PASSWORD', 'INTOTO_PASSWORD_FILE']) delete env[name]
      Object.assign(env, more)
      return run('--dry-run')
    }
    writeFileSync(join(root, '../password'), 'correct horse\n')
    expect(shown({}).err).toContain('mode 0600, not encrypted')
    expect(shown({ INTOTO_PASSWORD: 'correct horse' }).err).toContain('mode 0600, encrypted')
    expect(shown({ INTOTO_PASSWORD_FILE: join(root, 'nothing') })).toMatchObject({ code: 2 })
    expect(shown({ INTOTO_PASSWORD_FILE: join(root, '../password') }).err).toContain('mode 0600, encrypted')
    const { code, out, err } = run('--yes')
    expect([code, out], err).toEqual([0, expect.stringMatching(/Verified\.\n$/)])
    expect(readFileSync(join(key, 'app.pem'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
  })

  test('an encrypted one that is named signs the build, too', () => {
    const { root, run, env } = projectOf(app, { vite: 'bin/vite.js' })
    Object.assign(env, { INTOTO_PASSWORD: 'correct horse' })
    mustRun(['keygen', '-o', join(root, '../own')], { env })
    const { code, err } = run('--yes', '--signing-key', join(root, '../own'))
    expect(code, err).toBe(0)
  })
})

describe.skipIf(!hasTerminal)('init at a terminal', () => {
  const words = [process.execPath, bin, 'init']
  const toAgree = /Make these changes, build once/

  test('asks for what is open, after it has shown every change; no changes nothing, yes does it all; then nothing is asked', async () => {
    const { root, env, key } = projectOf(app, { vite: 'bin/vite.js' })
    const at = { cwd: root, env }
    const before = filesOf(root)
    const no = await typed(
      words,
      [
        [/recipe for builds in CI/, '\r'],
        [toAgree, '\u001b[C\r'],
      ],
      at,
    )
    expect([no.code, no.text]).toEqual([1, expect.stringContaining('nothing was changed')])
    expect(no.text.indexOf('vite.config.js (new)')).toBeLessThan(no.text.search(toAgree))
    expect(no.text).toContain("+ import inToto from 'unplugin-in-toto/vite'")
    expect([filesOf(root), existsSync(key)]).toEqual([before, false])

    const yes = await typed(
      words,
      [
        [/recipe for builds in CI/, '\u001b[A\u001b[A\r'],
        [toAgree, '\r'],
      ],
      at,
    )
    expect([yes.code, yes.text]).toEqual([0, expect.stringContaining('Verified.')])
    expect(filesOf(root)).toHaveProperty(['.github/workflows/in-toto.yml'])
    const again = await typed(words, [], at)
    expect([again.code, again.text.trim()]).toEqual([0, 'everything is there already: nothing was changed'])
  })

  test('flags answer; a member of a workspace is not asked for a recipe that it does not get', async () => {
    const { root, env } = projectOf(app, { vite: 'bin/vite.js' })
    writeFileSync(join(root, '../package.json'), '{ "private": true, "workspaces": ["*"] }')
    const shown = await typed([...words, '--no-build'], [[toAgree, '\r']], { cwd: root, env })
    expect([shown.code, shown.text]).toEqual([0, expect.stringContaining('member of a workspace')])
    expect(shown.text).not.toContain('recipe for builds in CI?')
    expect(filesOf(root)).toHaveProperty(['vite.config.js'])
  })

  test.each<[string, [RegExp, string][]]>([
    ['at the first question', [[/recipe for builds in CI/, '\u0003']]],
    [
      'while it builds',
      [
        [/recipe for builds in CI/, '\r'],
        [toAgree, '\r'],
        [/the build has begun/, '\u0003'],
      ],
    ],
  ])('Ctrl-C %s: everything is as it was, exit code 130', async (_what, keys) => {
    const slow = `export default { plugins: [{ name: 'slow', buildStart: () => (console.log('the build has begun'), new Promise((done) => setTimeout(done, 60_000))) }] }\n`
    const { root, env, key } = projectOf({ ...app, 'vite.config.js': slow }, { vite: 'bin/vite.js' })
    const before = filesOf(root)
    const { code, text } = await typed(words, keys, { cwd: root, env })
    expect(code, text).toBe(130)
    expect([filesOf(root), existsSync(join(key, 'app.pem'))]).toEqual([before, false])
  })
})

describe('init of a library', () => {
  const { root, run, env } = projectOf(lib, { rollup: 'dist/bin/rollup' })

  test('packs too: scripts, two steps, and npm pack goes through the gate', () => {
    const { code, out, err } = run('--yes')
    expect(code, out + err).toBe(0)
    expect(JSON.parse(filesOf(root)['package.json'] ?? '').scripts).toEqual({
      build: 'rollup -c',
      prepublishOnly: 'intoto verify dist -k in-toto/owner.pub --through build',
      postpack: 'intoto postpack -k in-toto/owner.pub',
    })
    const rules = layoutIn(root).steps.map(({ name, expected_materials, expected_products }) => [
      name,
      [...expected_materials, ...expected_products].map((tokens) => formatRule(parseRule(tokens))),
    ])
    expect(rules[1]).toEqual([
      'package',
      expect.arrayContaining([
        'MATCH dist/* WITH PRODUCTS FROM build',
        'DISALLOW dist/*',
        'MATCH * WITH MATERIALS FROM build',
        'CREATE lib-*.tgz',
      ]),
    ])
    expect(mustRun(['doctor', '--strict'], { cwd: root, env }).out).toMatch(/\n\nnothing to remark\n$/)
    const npm = (): { status: number | null; stderr: string } =>
      spawnSync('npm', ['pack', '--foreground-scripts'], {
        cwd: root,
        env: bareEnvironment(env),
        encoding: 'utf8',
        shell: process.platform === 'win32',
      })
    const packed = npm()
    expect(packed.status, packed.stderr).toBe(0)
    mustRun(['verify', 'lib-1.0.0.tgz', '-k', 'in-toto/owner.pub'], { cwd: root })
    writeFileSync(join(root, 'dist/lib.js'), 'evil')
    expect(npm().status).not.toBe(0)
  }, 180_000)
})

describe('init that fails', () => {
  test.each<[string, (root: string) => void, RegExp]>([
    ['while it builds', (root) => writeFileSync(join(root, 'src/main.js'), 'syntax error ('), /ended with exit code/],
    [
      'since the build reads another configuration',
      (root) => writeFileSync(join(root, 'package.json'), (app['package.json'] as string).replace('vite build', 'node --version')),
      /E_NOT_RECORDED/,
    ],
    [
      'for want of a script',
      (root) => writeFileSync(join(root, 'package.json'), (app['package.json'] as string).replace('"build"', '"make"')),
      /no script/,
    ],
    [
      'since the layout that is there is another owner’s',
      (root) => {
        mustRun(['keygen', '-o', '../other'], { cwd: root })
        const trust = ['--functionary', '../other.pub', '--sign-with', '../other']
        mustRun(['layout', 'new', '--step', 'build=vite build', ...trust, '-o', 'in-toto/root.layout'], { cwd: root })
      },
      /E_CONFIG .*\n.*--force learns in-toto\/root\.layout anew/,
    ],
  ])('%s: everything is as it was', (_what, change, said) => {
    const { root, run, key } = projectOf(app, { vite: 'bin/vite.js' })
    change(root)
    const before = filesOf(root)
    const { code, err } = run('--yes', '--ci', 'gitlab')
    expect(code).toBeGreaterThan(0)
    expect(err).toMatch(said)
    expect(err).toContain('all files are as they were, but what the build itself wrote')
    expect(filesOf(root)).toEqual(before)
    expect(existsSync(join(root, 'in-toto'))).toBe('in-toto/root.layout' in before)
    expect(existsSync(join(key, 'app.pem'))).toBe(false)
  })

  test.each<[string, Record<string, string>, string[], RegExp]>([
    ['no package', { 'package.json': 'x' }, [], /no package\.json/],
    ['no name', { 'package.json': '{}' }, [], /no "name"/],
    ['no bundler', { 'package.json': '{"name":"a"}' }, [], /no configuration of a bundler/],
    ['an unknown bundler', {}, ['--bundler', 'gulp'], /no bundler is called/],
    ['the root of a workspace', { 'package.json': '{"name":"a","workspaces":["packages/*"]}' }, [], /root of a workspace/],
    [
      'two bundlers',
      {
        'vite.config.js': 'export default {}',
        'rollup.config.js': 'export default {}',
        'package.json': '{"name":"a","devDependencies":{"vite":"8","rollup":"4"}}',
      },
      [],
      /several bundlers/,
    ],
    [
      'two bundlers that the package does not name',
      { 'vite.config.js': 'export default {}', 'rollup.config.js': 'export default {}', 'package.json': '{"name":"a"}' },
      [],
      /vite\.config\.js, rollup\.config\.js.*\n.*--bundler vite/,
    ],
    ['a time of expiry that is none', {}, ['--expires', 'abc'], /--expires: expected days/],
    ['an absent configuration', {}, ['--config', 'none.js'], /no configuration "none\.js"/],
    ['no plugin', {}, [], /E_CONFIG .*not installed here.*\n.*npm i -D unplugin-in-toto/],
    ['a configuration that is not understood', { 'vite.config.js': 'export default load()' }, [], /write "import inToto/],
  ])('%s: refused before anything', (_what, files, words, said) => {
    const { root, run } = projectOf({ ...app, ...files }, {})
    rmSync(join(root, 'node_modules/unplugin-in-toto'))
    const before = filesOf(root)
    const { code, err } = run('--yes', ...words)
    expect([1, 2]).toContain(code)
    expect(err).toMatch(said)
    expect(filesOf(root)).toEqual(before)
  })
})
