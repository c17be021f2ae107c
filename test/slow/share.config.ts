/**
 * The share of the slow tests that every change has to pass (.ci/run): the journeys of a first use, the layouts of node_modules, and a part of the counts of
 * the others, which read `CI_SHARE` and name both counts.
 */
import { defineConfig } from 'vitest/config'
import { inNode, reporters } from '../../vitest.config.ts'

export default defineConfig({
  resolve: inNode,
  test: {
    include: [
      'test/slow/canary.slow.ts',
      'test/slow/chains.slow.ts',
      'test/slow/commands.slow.ts',
      'test/slow/conformance.slow.ts',
      'test/slow/fuzz.slow.ts',
      'test/slow/faults.slow.ts',
      'test/slow/hostile.slow.ts',
      'test/slow/journeys.slow.ts',
      'test/slow/kills.slow.ts',
      'test/slow/layouts.slow.ts',
      'test/slow/mutants.slow.ts',
      'test/slow/readme.slow.ts',
      'test/slow/scale.slow.ts',
    ],
    env: { CI_SHARE: '1' },
    reporters,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    maxWorkers: '100%',
  },
})
