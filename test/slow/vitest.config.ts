/** What is run by hand and before a release: the same sources as in the other tests, and as much time as it takes. */
import { defineConfig } from 'vitest/config'
import { inNode } from '../../vitest.config.ts'

export default defineConfig({ resolve: inNode, test: { include: ['test/slow/**/*.slow.ts'], testTimeout: 7_200_000 } })
