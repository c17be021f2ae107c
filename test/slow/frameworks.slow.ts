/**
 * Frameworks, each as its documentation begins a project: one build leaves one link in the folder that is delivered, with all that lies there as products and
 * what the project wrote as materials; a changed byte is refused. Needs a package registry and takes minutes; without one it is skipped aloud.
 */
import { appendFileSync, readFileSync } from 'node:fs'
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

test.skipIf(!reachable).each(Object.entries(starters))('%s', (name, { packages, build, output, files, materials }) => {
  const root = join(folder, name.replaceAll(/\W+/g, '-'))
  const manifest = { name: 'site', private: true, type: 'module', scripts: { build } }
  write(root, { ...files, 'package.json': `${JSON.stringify(manifest)}\n` })
  mustRun(root, 'npm', 'install', ...packages, ...tarballs)
  const key = `${root}-key`
  mustRun(root, 'npx', 'intoto', 'keygen', '-o', key)
  env['INTOTO_KEY_FILE'] = key
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
