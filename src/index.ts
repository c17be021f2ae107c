/**
 * The face of `unplugin-in-toto`: one plugin for every bundler. It has no hook that all bundlers share, since resolve, load and transform hooks
 * cost time and may change a build; each bundler's own events are used instead. The subpaths (`/vite`, `/webpack`, …) load only what they need.
 */
import { InTotoError } from 'intoto'
import { createUnplugin, type UnpluginInstance, type UnpluginOptions } from 'unplugin'
import bun from './bun.ts'
import esbuild from './esbuild.ts'
import farm from './farm.ts'
import type { Options } from './options.ts'
import { finishAll } from './recorder.ts'
import rolldown from './rolldown.ts'
import rollup from './rollup.ts'
import rsbuild from './rsbuild.ts'
import rspack from './rspack.ts'
import vite from './vite.ts'
import webpack from './webpack.ts'

export type { Options, Selection } from './options.ts'

/** What each bundler gets, and nothing for the others. */
const hatches: Readonly<Record<string, (options: Options | undefined) => Partial<UnpluginOptions>>> = {
  vite: (options) => ({ vite: vite(options) }),
  rollup: (options) => ({ rollup: rollup(options) }),
  rolldown: (options) => ({ rolldown: rolldown(options) }),
  webpack: (options) => ({ webpack: (compiler) => webpack(options).apply(compiler) }),
  rspack: (options) => ({ rspack: (compiler) => rspack(options).apply(compiler) }),
  rsbuild: (options) => ({ rsbuild: rsbuild(options) }),
  esbuild: (options) => ({ esbuild: esbuild(options) }),
  farm: (options) => ({ farm: farm(options) }),
  bun: (options) => ({ bun: bun(options) }),
}

const inToto: UnpluginInstance<Options | undefined> = createUnplugin((options: Options | undefined, { framework }) => {
  const hatch = hatches[framework]
  if (hatch === undefined) {
    const fix = `use one of ${Object.keys(hatches).join(', ')}, or: npx intoto run -n build -- COMMAND`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message: `builds of ${framework} cannot be recorded`, fix })
  }
  return { name: 'in-toto', enforce: 'post', ...hatch(options) }
})

/** Signs what was built so far: for hosts that live on, with the option `finish: 'manual'`. */
export const finish: () => Promise<void> = finishAll

export default inToto
