/** The shared app, for bundlers that know neither its folder nor its .env file: paths, and the definitions of `import.meta.env`. Read by configurations. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'

export const app = fileURLToPath(new URL('../app', import.meta.url))
export const entry = `${app}/src/main.ts`

/** Bundlers do not see this read: configurations that use it add it by the option `materials`. */
const env = parseEnv(readFileSync(`${app}/.env`, 'utf8'))

/** What the app reads of `import.meta.env`, and Vue's own switches, as texts of expressions. */
export const definitions = {
  ...Object.fromEntries(Object.entries(env).map(([name, value]) => [`import.meta.env.${name}`, JSON.stringify(value)])),
  'process.env.NODE_ENV': '"production"',
  __VUE_OPTIONS_API__: 'false',
  __VUE_PROD_DEVTOOLS__: 'false',
  __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
}

/** Names are those of the repository, and the .env file is an input that no bundler here knows of. */
export const recording = { root: 'workspace', materials: { include: ['playground/app/.env'] } }

/** The folder for the output of one configuration. */
export function outputOf(configuration) {
  return fileURLToPath(new URL('dist', configuration))
}
