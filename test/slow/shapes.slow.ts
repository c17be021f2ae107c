/** Shapes of builds in the bundlers that start slowly; the quick ones are in `test/plugin/shape.test.ts`. */
import { describeShapes } from '../plugin/shape.ts'

describeShapes({
  parallel: ['webpack', 'rspack', 'rspack1', 'rsbuild'],
  list: ['webpack', 'rspack', 'rspack1', 'rsbuild'],
  memory: ['webpack', 'rspack', 'rspack1'],
  exit: ['rolldown', 'webpack', 'rspack', 'rspack1', 'rsbuild', 'farm'],
  watch: ['vite7', 'vite6', 'vite5', 'webpack', 'rspack', 'rspack1', 'rsbuild'],
})
