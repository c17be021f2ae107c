/**
 * Frameworks, each as its documentation begins a project: one build leaves one link in the folder that is delivered, with all that lies there as products and
 * what the project wrote as materials; a changed byte is refused. Needs a package registry and takes minutes; without one it is skipped aloud.
 */
import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMetadata, isLink, type Link } from 'intoto'
import { walkFiles } from 'intoto/node'
import { expect, test } from 'vitest'
import { env, folder, install, mustRun, run, tarballs, write } from './project.ts'

interface Starter {
  readonly packages: readonly string[]
  readonly build: string
  /** Where the framework leaves what is delivered. */
  readonly output: string
  readonly files: Readonly<Record<string, string>>
  /** What the link must name as materials, beside package.json and the lockfile. */
  readonly materials: readonly string[]
  /** Version of Node for frameworks that do not run on the oldest one. */
  readonly node?: number
  /** More of package.json. */
  readonly manifest?: object
}

const kit = (adapter: string, version: number, options: string): Omit<Starter, 'output'> => ({
  packages: ['@sveltejs/kit@2', '@sveltejs/vite-plugin-svelte@6', 'svelte@5', 'vite@7', `@sveltejs/adapter-${adapter}@${version}`],
  build: 'vite build',
  files: {
    'svelte.config.js': `import adapter from '@sveltejs/adapter-${adapter}'\n\nexport default { kit: { adapter: adapter(${options}) } }\n`,
    'vite.config.js': `import { sveltekit } from '@sveltejs/kit/vite'\nimport inToto from 'unplugin-in-toto/vite'\n\nexport default { plugins: [sveltekit(), inToto()] }\n`,
    'src/app.html': '<!doctype html><html lang="en"><head>%sveltekit.head%</head><body><div>%sveltekit.body%</div></body></html>\n',
    'src/routes/+page.svelte': `<script>\n  import { greet } from '$lib/greet.js'\n</script>\n\n<h1>{greet()}</h1>\n`,
    'src/lib/greet.js': `export const greet = () => 'hello'\n`,
    'static/robots.txt': 'User-agent: *\n',
  },
  materials: ['svelte.config.js', 'vite.config.js', 'src/app.html', 'src/routes/+page.svelte', 'src/lib/greet.js', 'static/robots.txt'],
})

/** SvelteKit 3 has no configuration of its own any more. */
const kit3 = (adapter: string, version: number, options: string): Omit<Starter, 'output'> => {
  const { files, materials } = kit(adapter, version, options)
  const { 'svelte.config.js': _, ...rest } = files
  return {
    packages: ['@sveltejs/kit@3', '@sveltejs/vite-plugin-svelte@7', 'svelte@5', 'vite@8', `@sveltejs/adapter-${adapter}@${version}`],
    build: 'vite build',
    node: 24,
    manifest: { imports: { '#lib/*': './src/lib/*' } },
    files: {
      ...rest,
      'vite.config.js': `import adapter from '@sveltejs/adapter-${adapter}'\nimport { sveltekit } from '@sveltejs/kit/vite'\nimport inToto from 'unplugin-in-toto/vite'\n\nexport default { plugins: [sveltekit({ adapter: adapter(${options}) }), inToto()] }\n`,
      'src/routes/+page.svelte': (files['src/routes/+page.svelte'] ?? '').replace('$lib', '#lib'),
    },
    materials: materials.filter((name) => name !== 'svelte.config.js'),
  }
}

const starters: Readonly<Record<string, Starter>> = {
  VitePress: {
    packages: ['vitepress@1', 'vue@3'],
    build: 'vitepress build',
    output: '.vitepress/dist',
    files: {
      '.vitepress/config.mjs': `import inToto from 'unplugin-in-toto/vite'\n\nexport default { title: 'Docs', vite: { plugins: [inToto()] } }\n`,
      'index.md': '# Docs\n\nSee [more](./more.md).\n',
      'more.md': '# More\n\n```js\nconsole.log(1)\n```\n',
      'public/robots.txt': 'User-agent: *\n',
    },
    materials: ['.vitepress/config.mjs', 'index.md', 'more.md', 'public/robots.txt'],
  },
  Astro: {
    packages: ['astro@5'],
    build: 'astro build',
    output: 'dist',
    files: {
      'astro.config.mjs': `import { defineConfig } from 'astro/config'\nimport inToto from 'unplugin-in-toto/astro'\n\nexport default defineConfig({ integrations: [inToto()] })\n`,
      'src/pages/index.astro': `---\nimport { title } from '../title.js'\n---\n<html><head><title>{title}</title></head><body><script>console.log('hi')</script></body></html>\n`,
      'src/title.js': `export const title = 'Pages'\n`,
      'public/robots.txt': 'User-agent: *\n',
    },
    materials: ['astro.config.mjs', 'src/pages/index.astro', 'src/title.js', 'public/robots.txt'],
  },
  'SvelteKit, static': { ...kit('static', 3, `{ fallback: '200.html' }`), output: 'build' },
  'SvelteKit, Node': { ...kit('node', 5, ''), output: 'build' },
  'SvelteKit 3, static': { ...kit3('static', 4, `{ fallback: '200.html' }`), output: 'build' },
  'SvelteKit 3, Node': { ...kit3('node', 6, ''), output: 'build' },
  Storybook: {
    packages: ['storybook@10', '@storybook/html-vite@10', 'vite@7'],
    build: 'storybook build',
    output: 'storybook-static',
    files: {
      '.storybook/main.js': `import inToto from 'unplugin-in-toto/vite'\n\nexport default {\n  stories: ['../src/**/*.stories.js'],\n  framework: '@storybook/html-vite',\n  staticDirs: ['../public', { from: '../assets', to: '/assets' }],\n  viteFinal: (config) => ({ ...config, plugins: [...config.plugins, inToto()] }),\n}\n`,
      '.storybook/manager.js': `import { addons } from 'storybook/manager-api'\nimport { panelPosition } from './theme.js'\n\naddons.setConfig({ panelPosition })\n`,
      '.storybook/theme.js': `export const panelPosition = 'right'\n`,
      '.storybook/manager-head.html': '<meta name="robots" content="noindex">\n',
      '.storybook/preview.js': `export const parameters = {}\n`,
      'src/button.stories.js': `import { label } from './label.js'\n\nexport default { title: 'Button', render: () => Object.assign(document.createElement('button'), { textContent: label }) }\nexport const Plain = {}\n`,
      'src/label.js': `export const label = 'press'\n`,
      'public/robots.txt': 'User-agent: *\n',
      'assets/notes.txt': 'notes\n',
    },
    materials: [
      '.storybook/main.js',
      '.storybook/manager-head.html',
      '.storybook/manager.js',
      '.storybook/preview.js',
      '.storybook/theme.js',
      'assets/notes.txt',
      'public/robots.txt',
      'src/button.stories.js',
      'src/label.js',
    ],
  },
  Nuxt: {
    packages: ['nuxt@~4.2.2', 'vue@3', 'vue-router@4'],
    build: 'nuxt build',
    output: '.output',
    files: {
      'nuxt.config.ts': `export default defineNuxtConfig({ compatibilityDate: '2025-07-15', modules: ['unplugin-in-toto/nuxt'] })\n`,
      'app/app.vue': `<script setup lang="ts">\nimport { greet } from '~/greet'\n</script>\n\n<template><h1>{{ greet() }}</h1></template>\n`,
      'app/greet.ts': `export const greet = (): string => 'hello'\n`,
      'server/api/time.ts': 'export default defineEventHandler(() => 1)\n',
      'public/robots.txt': 'User-agent: *\n',
    },
    materials: ['nuxt.config.ts', 'app/app.vue', 'app/greet.ts', 'server/api/time.ts', 'public/robots.txt'],
  },
}

const reachable = install(join(folder, 'probe'), ['is-number'])

/** A project with everything installed and a key of its own; its scripts find the Node that they need. */
function project(
  name: string,
  { packages, build, files, node, manifest }: Omit<Starter, 'output' | 'materials'>,
): { root: string; key: string } {
  const root = join(folder, name.replaceAll(/\W+/g, '-'))
  write(root, {
    ...files,
    'package.json': `${JSON.stringify({ name: 'site', private: true, type: 'module', scripts: { build }, ...manifest })}\n`,
  })
  mustRun(root, 'npm', 'install', ...packages, ...(node === undefined ? [] : [`node@${node}`]), ...tarballs)
  const key = `${root}-key`
  mustRun(root, 'npx', 'intoto', 'keygen', '-o', key)
  env['INTOTO_KEY_FILE'] = key
  return { root, key }
}

test.skipIf(!reachable).each(Object.entries(starters))('%s', (name, starter) => {
  const { output, materials } = starter
  const { root, key } = project(name, starter)
  const said = mustRun(root, 'npm', 'run', 'build')
  const made = walkFiles(join(root, output))
  const links = made.filter((file) => file.endsWith('.link'))
  expect(links, said).toHaveLength(1)
  const { payload } = decodeMetadata(readFileSync(join(root, output, links[0] ?? '')))
  expect(isLink(payload)).toBe(true)
  const link = payload as Link
  const delivered = made.filter((file) => !links.includes(file)).map((file) => `${output}/${file}`)
  expect(Object.keys(link.products).toSorted()).toEqual(delivered.toSorted())
  expect(Object.keys(link.materials)).toEqual(expect.arrayContaining([...materials, 'package.json', 'package-lock.json']))
  console.log(`${name}: ${Object.keys(link.materials).length} materials, ${delivered.length} products`)
  mustRun(root, 'npx', 'intoto', 'layout', 'new', '--step', 'build', '--functionary', `${key}.pub`, '--sign-with', key)
  const verify = ['npx', 'intoto', 'verify', output, '-k', `${key}.pub`]
  mustRun(root, ...verify)
  appendFileSync(join(root, delivered[0] ?? ''), ' ')
  const { code, text } = run(root, ...verify)
  expect(code, text).toBe(1)
  expect(text).toContain(`E_PRODUCT ${delivered[0]}`)
})

/** A site of Next.js, of which one page is made from a file that only the process which renders it reads. */
const site = {
  'next.config.mjs': `import inToto from 'unplugin-in-toto/webpack'\n\nexport default { turbopack: {}, webpack: (config) => ({ ...config, plugins: [...config.plugins, inToto()] }) }\n`,
  'app/layout.js': 'export default function Layout({ children }) {\n  return <html lang="en"><body>{children}</body></html>\n}\n',
  'app/page.js': `import { readFileSync } from 'node:fs'\n\nexport default function Page() {\n  return <h1>{readFileSync('content/title.txt', 'utf8')}</h1>\n}\n`,
  'content/title.txt': 'hello\n',
  'public/robots.txt': 'User-agent: *\n',
}

test.skipIf(!reachable).each([
  ['Next.js 16', '16', ['next', 'build'], ['next', 'build', '--webpack']],
  ['Next.js 15', '15', ['next', 'build', '--turbopack'], ['next', 'build']],
])('%s', (name, version, turbopack, webpack) => {
  const { root, key } = project(name, { packages: [`next@${version}`, 'react@19', 'react-dom@19'], build: 'next build', files: site })
  const links = (): string[] => walkFiles(root).filter((file) => file.endsWith('.link') && !file.startsWith('node_modules/'))

  // Turbopack does not ask for the plugin: a warning, and a failure where it was made all the same.
  const warned = run(root, 'npx', ...turbopack)
  expect(warned.code, warned.text).toBe(0)
  expect(warned.text).toContain('E_NOT_RECORDED build: no link: Turbopack calls no plugins')
  const config = site['next.config.mjs']
  write(root, { 'next.config.mjs': config.replace('\nexport', '\nconst plugin = inToto()\nexport').replace('inToto()] }', 'plugin] }') })
  const refused = run(root, 'npx', ...turbopack)
  expect(refused.text).toContain('E_NOT_RECORDED')
  expect(refused.code, refused.text).toBe(1)

  // webpack would call it, but not hear of what pages read.
  write(root, { 'next.config.mjs': config })
  const unsupported = run(root, 'npx', ...webpack)
  expect(unsupported.text).toContain('E_UNSUPPORTED builds of Next.js cannot be recorded by the plugin')
  expect(unsupported.code, unsupported.text).toBe(1)
  expect(links()).toEqual([])

  // What the documentation says, for both: the plugin is there, but has no key in the inner process.
  mustRun(root, 'npx', 'intoto', 'layout', 'new', '--step', 'build', '--functionary', `${key}.pub`, '--sign-with', key)
  for (const command of [turbopack, webpack]) {
    rmSync(join(root, '.next'), { recursive: true, force: true })
    const folders = ['-m', 'app', 'content', 'public', 'next.config.mjs', 'package.json', 'package-lock.json', '-p', '.next']
    mustRun(root, 'npx', 'intoto', 'run', '-n', 'build', ...folders, '--exclude', '.next/cache', '--', 'npx', ...command)
    rmSync(join(root, '.next/cache'), { recursive: true, force: true })
    const said = mustRun(root, 'npx', 'intoto', 'verify', '.next', '-k', `${key}.pub`)
    console.log(`${name}, ${command.join(' ')}: ${/\d+ materials -> \d+ products/.exec(said)?.[0]}`)
    appendFileSync(join(root, '.next/BUILD_ID'), ' ')
    const { code, text } = run(root, 'npx', 'intoto', 'verify', '.next', '-k', `${key}.pub`)
    expect(code, text).toBe(1)
    expect(text).toContain('E_PRODUCT .next/BUILD_ID')
  }
})
