/**
 * What `intoto init` knows of each bundler: how a project that uses it looks, where our plugin stands in its configuration, and what a new
 * configuration says. Data only; detection and editing are elsewhere.
 */

/** A bundler, or a framework that brings one. */
export interface Bundler {
  readonly name: string
  /** Packages of which one is installed where it is used. */
  readonly packages: readonly string[]
  /** Names of its configuration file without extension; of several that are there the first counts. */
  readonly files: readonly string[]
  /** Subpath of `unplugin-in-toto`. */
  readonly subpath: string
  /** Member of the configuration that our plugin is added to. */
  readonly member: string
  /** Functions whose first argument is the configuration, where the file is a script. */
  readonly calls?: readonly string[]
  /** Its plugins run in an order of its own; and its configuration is the one that counts. */
  readonly isFramework?: boolean
  /** The member lists names of modules, not what they export. */
  readonly byName?: boolean
  /** Text of a new configuration, for those that work without one. */
  readonly fresh?: (plugin: { import: string; call: string }) => string
}

/** In the order in which they are looked for: a framework before the bundler that it brings. */
export const bundlers: readonly Bundler[] = [
  { name: 'nuxt', packages: ['nuxt'], files: ['nuxt.config'], subpath: 'nuxt', member: 'modules', byName: true, isFramework: true },
  { name: 'astro', packages: ['astro'], files: ['astro.config'], subpath: 'astro', member: 'integrations', isFramework: true },
  {
    name: 'vite',
    packages: ['vite', 'rolldown-vite'],
    files: ['vite.config'],
    subpath: 'vite',
    member: 'plugins',
    fresh: (plugin) =>
      `${plugin.import}\nimport { defineConfig } from 'vite'\n\nexport default defineConfig({ plugins: [${plugin.call}] })\n`,
  },
  { name: 'rsbuild', packages: ['@rsbuild/core'], files: ['rsbuild.config'], subpath: 'rsbuild', member: 'plugins' },
  { name: 'rspack', packages: ['@rspack/core', '@rspack/cli'], files: ['rspack.config'], subpath: 'rspack', member: 'plugins' },
  { name: 'webpack', packages: ['webpack', 'webpack-cli'], files: ['webpack.config'], subpath: 'webpack', member: 'plugins' },
  { name: 'farm', packages: ['@farmfe/core'], files: ['farm.config'], subpath: 'farm', member: 'plugins' },
  { name: 'tsdown', packages: ['tsdown'], files: ['tsdown.config'], subpath: 'rolldown', member: 'plugins' },
  { name: 'tsup', packages: ['tsup'], files: ['tsup.config'], subpath: 'esbuild', member: 'esbuildPlugins' },
  { name: 'rolldown', packages: ['rolldown'], files: ['rolldown.config'], subpath: 'rolldown', member: 'plugins' },
  { name: 'rollup', packages: ['rollup'], files: ['rollup.config'], subpath: 'rollup', member: 'plugins' },
  {
    name: 'esbuild',
    packages: ['esbuild'],
    files: ['esbuild.config', 'esbuild', 'build', 'scripts/build'],
    subpath: 'esbuild',
    member: 'plugins',
    calls: ['build', 'buildSync', 'context'],
  },
  { name: 'bun', packages: ['bun', '@types/bun'], files: ['build', 'scripts/build'], subpath: 'bun', member: 'plugins', calls: ['build'] },
]

/** Extensions of configuration files, in the order in which they are tried. */
export const extensions: readonly string[] = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']
