import { fileURLToPath } from 'node:url'
import { defineConfig, type TestUserConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests read the sources, so that a failing line is a line one can edit; what is spawned (CLI, bundlers) runs what was built. */
const alias = [
  { find: /^intoto$/, replacement: at('packages/intoto/src/index.ts') },
  { find: /^intoto\/node$/, replacement: at('packages/intoto/src/node/index.ts') },
  { find: /^intoto-npm$/, replacement: at('packages/npm/src/index.ts') },
  { find: /^intoto-npm\/admission$/, replacement: at('packages/npm/src/admission/index.ts') },
  { find: /^intoto-npm\/tarball$/, replacement: at('packages/npm/src/browser.ts') },
  { find: /^intoto-page$/, replacement: at('packages/page/src/index.ts') },
]
const withCrypto = (file: string) => ({ alias: [...alias, { find: /^#crypto$/, replacement: at(`packages/intoto/src/keys/${file}`) }] })

/** The library as Node runs it; the slow tests' configuration takes it from here. */
export const inNode = withCrypto('crypto.node.ts')

// .ci/run counts what ran from this file.
const results = process.env['TEST_RESULTS']
export const reporters: NonNullable<TestUserConfig['reporters']> = results ? ['default', ['json', { outputFile: results }]] : ['default']

export default defineConfig({
  test: {
    // Most tests wait for a program that they started: a worker for every core, not the usual one less.
    maxWorkers: '100%',
    reporters,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, resolve: inNode, test: { name: 'node', include: ['test/**/*.test.ts'] } },
      // The same portable tests over WebCrypto and noble, as a browser or an edge worker runs them.
      { extends: true, resolve: withCrypto('crypto.web.ts'), test: { name: 'portable', include: ['test/intoto/**/*.test.ts'] } },
    ],
    coverage: { provider: 'v8', include: ['src/**', 'packages/*/src/**'] },
  },
})
