/** Shapes of builds in the bundlers that start fast; `test/slow/shapes.slow.ts` has the others. */
import { describeShapes } from './shape.ts'

describeShapes({
  parallel: ['rolldown', 'esbuild', 'bun'],
  list: ['rolldown'],
  memory: ['rolldown', 'esbuild', 'bun'],
  exit: ['esbuild', 'bun'],
  watch: ['vite', 'rolldown', 'esbuild'],
})
