/** Single-file components for bundlers that no plugin makes fit for them: script and template become one TypeScript module. */
import { readFileSync } from 'node:fs'
import { compileScript, parse } from 'vue/compiler-sfc'

/** TypeScript of a component, for the file that it stands in. */
export function component(source, path) {
  const { descriptor, errors } = parse(source, { filename: path })
  if (errors.length > 0) throw errors[0]
  const { content } = compileScript(descriptor, { id: path, inlineTemplate: true, genDefaultAs: 'component' })
  return `${content}\nexport default component`
}

/** The plugin for `Bun.build`. */
export const components = {
  name: 'components',
  setup(build) {
    build.onLoad({ filter: /\.vue$/ }, ({ path }) => ({ contents: component(readFileSync(path, 'utf8'), path), loader: 'ts' }))
  },
}
