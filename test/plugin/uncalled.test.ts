/** Builds that load our plugin and never call it: said aloud where it is sure that they are builds, and never where a configuration is merely loaded. */
import { describe, expect, it } from 'vitest'
import { smallProject, type Ended, type Project } from './project.ts'

const noKey = { INTOTO_KEY_FILE: undefined }

/** The plugin of another bundler, which this one takes for a plugin without hooks. */
function mistaken(bundler: 'vite' | 'rollup', options = ''): Project {
  const project = smallProject(`mistaken-${bundler}`, bundler)
  const build = `{ outDir: 'dist', lib: { entry: 'src/main.js', formats: ['es'], fileName: 'main' } }`
  const rest = bundler === 'vite' ? `build: ${build}` : `input: 'src/main.js', output: { dir: 'dist' }`
  const text = `import inToto from 'unplugin-in-toto/esbuild'\nexport default { plugins: [inToto({ ${options} })], ${rest} }\n`
  project.write(`${bundler}.config.mjs`, text)
  return project
}

describe.each([
  ['vite', ['build']],
  ['rollup', ['-c']],
] as const)('a plugin for another bundler, in %s', (bundler, args) => {
  it('fails the build that was to be signed, and says which one is needed', async () => {
    const project = mistaken(bundler)
    const { code, stderr } = await project.bin(bundler, args)
    expect(stderr).toContain(`[in-toto] E_NOT_RECORDED build: no link: ${bundler} never called the plugin`)
    expect(stderr).toContain(`import it from unplugin-in-toto/${bundler}`)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(code).toBe(1)
    expect(project.links()).toEqual([])
  })

  it('is said without a key, too, and fails only where a link is required', async () => {
    const project = mistaken(bundler)
    const keyless = await project.bin(bundler, args, noKey)
    expect(keyless.stderr).toContain('E_NOT_RECORDED')
    expect(keyless.code).toBe(0)
    expect((await project.bin(bundler, args, { ...noKey, INTOTO_REQUIRED: '1' })).code).toBe(1)
    const disabled = await project.bin(bundler, args, { INTOTO_DISABLE: '1' })
    expect([disabled.code, disabled.text.includes('in-toto')]).toEqual([0, false])
  })

  it('leaves the decision to onError', async () => {
    const ended = await mistaken(bundler, `onError: (error) => console.log('told of', error.code)`).bin(bundler, args)
    expect([ended.code, ended.stdout.includes('told of E_NOT_RECORDED')]).toEqual([0, true])
  })

  it('says nothing when the build fails by itself', async () => {
    const project = mistaken(bundler)
    project.write('src/main.js', 'no module')
    const { code, text } = await project.bin(bundler, args)
    expect(code).toBe(1)
    expect(text).not.toContain('E_NOT_RECORDED')
  })
})

/** A command that, as Next.js does, loads its configuration and asks for `webpack` only where webpack is at work. */
const next = `import { join } from 'node:path'
const { default: config } = await import(join(process.cwd(), 'next.config.mjs'))
if (!process.env.TURBOPACK) config.webpack({ plugins: [] })
`
function nextProject(made: 'outside' | 'inside'): { run: (args: readonly string[], env: object) => Promise<Ended> } {
  const project = smallProject(`next-${made}`, 'vite')
  project.write('node_modules/next/dist/bin/next', next)
  project.write('node_modules/next/package.json', '{ "type": "module" }')
  const plugin = made === 'outside' ? 'const plugin = inToto()' : 'const plugin = undefined'
  project.write(
    'next.config.mjs',
    `import inToto from 'unplugin-in-toto/webpack'\n${plugin}\nexport default { webpack: (config) => void config.plugins.push(plugin ?? inToto()) }\n`,
  )
  return { run: (args, env) => project.node([project.path('node_modules/next/dist/bin/next'), ...args], { ...env }) }
}

describe('a configuration of Next.js', () => {
  const turbopack = { TURBOPACK: '1' }

  it('fails a build by Turbopack when it made the plugin, and points to intoto run', async () => {
    const { code, stderr } = await nextProject('outside').run(['build'], turbopack)
    expect(stderr).toContain('[in-toto] E_NOT_RECORDED build: no link: Turbopack calls no plugins')
    expect(stderr).toMatch(/npx intoto run -n build .* -- npx next build/)
    expect(code).toBe(1)
  })

  it('warns a build by Turbopack that would only have made it for webpack, unless a link is required', async () => {
    const project = nextProject('inside')
    const warned = await project.run(['build'], turbopack)
    expect(warned.stderr).toContain('E_NOT_RECORDED')
    expect(warned.code).toBe(0)
    expect((await project.run(['build'], { ...turbopack, INTOTO_REQUIRED: '1' })).code).toBe(1)
  })

  it.each([
    ['a dev server', 'outside', ['dev'], turbopack],
    ['a build by webpack that does not make it', 'inside', ['build'], {}],
    ['other commands', 'inside', ['info'], turbopack],
  ] as const)('is left alone by %s', async (_, made, args, env) => {
    expect(await nextProject(made).run(args, env)).toMatchObject({ code: 0, text: '' })
  })
})

describe('a configuration that is merely loaded', () => {
  it.each([
    ['a tool', `const { loadConfigFromFile } = await import('vite'); await loadConfigFromFile({ command: 'build', mode: 'x' })`],
    ['a linter', `await import('./vite.config.mjs')`],
    ['a dev server', `const { createServer } = await import('vite'); await (await createServer({ logLevel: 'silent' })).close()`],
  ])('is left alone by %s', async (_, text) => {
    const project = mistaken('vite')
    expect(await project.script(text)).toMatchObject({ code: 0, text: '' })
  })
})
