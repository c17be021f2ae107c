/**
 * Rsbuild 1 and 2: the Rspack plugin on every environment, and what Rsbuild reads beside Rspack: its configuration, .env files, the public
 * folder. Applied to builds only.
 */
import { isAbsolute, join, resolve } from 'node:path'
import type { RsbuildPlugin } from '@rsbuild/core'
import { resolveOptions, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { configurationFiles, usualNames, type Run } from './recorder.ts'
import { compilerPlugin } from './rspack.ts'

/** The plugin for `rsbuild.config.ts`. */
export default function inToto(options: Options = {}): RsbuildPlugin {
  const resolved = resolveOptions(options)
  prepare(resolved)
  return {
    name: 'in-toto',
    apply: 'build',
    setup(api) {
      api.modifyRspackConfig((_, { appendPlugins, environment }) => {
        const { mode } = environment.config
        const { rootPath } = api.context
        const publicFolders = [api.getNormalizedConfig().server.publicDir].flat().filter((folder) => typeof folder === 'object')
        const inputs = (run: Run): void => {
          run.configuration(
            configurationFiles({ usual: usualNames('rsbuild', ['mjs', 'ts', 'js', 'cjs', 'mts', 'cts']), folder: rootPath }),
          )
          run.configuration(environmentFiles(rootPath, mode))
          for (const { name = 'public', copyOnBuild } of publicFolders)
            if (copyOnBuild !== false) run.tree(isAbsolute(name) ? name : join(rootPath, name))
        }
        // Rsbuild keeps Rspack's own logger quiet, and early releases of Rsbuild 1 hand out none.
        const logger = (api.logger as typeof api.logger | undefined) ?? console
        const log = { info: (line: string) => logger.info(`[in-toto] ${line}`), warn: (line: string) => logger.warn(`[in-toto] ${line}`) }
        appendPlugins(compilerPlugin(resolved, { inputs, log }))
      })
    },
  }
}

/** The mode that names .env files may be another than the one that Rspack builds in. */
function environmentFiles(root: string, mode: string | undefined): string[] {
  const folder = resolve(root, valueOf('--env-dir') ?? '')
  const modes = [valueOf('--env-mode'), mode, process.env['NODE_ENV']].filter((name) => name !== undefined)
  return ['.env', '.env.local', ...modes.flatMap((name) => [`.env.${name}`, `.env.${name}.local`])].map((name) => join(folder, name))
}

function valueOf(flag: string): string | undefined {
  const at = process.argv.findIndex((argument) => argument === flag || argument.startsWith(`${flag}=`))
  const [, inline] = process.argv[at]?.split(/=(.*)/s) ?? []
  return at < 0 ? undefined : (inline ?? process.argv[at + 1])
}
