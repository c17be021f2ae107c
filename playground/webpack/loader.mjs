/** Makes JavaScript of TypeScript and of single-file components; webpack itself knows JavaScript only. */
import { transform } from 'esbuild'
import { component } from '../parts/sfc.mjs'

// webpack calls a loader on its context, which knows the file.
// oxlint-disable no-this-in-exported-function
export default async function (source) {
  const text = this.resourcePath.endsWith('.vue') ? component(source, this.resourcePath) : source
  const { code } = await transform(text, { loader: 'ts', target: 'es2022' })
  return code
}
