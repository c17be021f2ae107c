/**
 * The face of `unplugin-in-toto`: one plugin for every bundler. It has no hook that all bundlers share, since resolve, load and transform hooks
 * cost time and may change a build; each bundler's own events are used instead. The subpaths (`/vite`, `/rollup`) load only what they need.
 */
import { createUnplugin, type UnpluginInstance } from 'unplugin'
import type { Options } from './options.ts'
import { finishAll } from './recorder.ts'
import rollup from './rollup.ts'
import vite from './vite.ts'

export type { Options, Selection } from './options.ts'

const inToto: UnpluginInstance<Options | undefined> = createUnplugin((options: Options | undefined, { framework }) => {
  const base = { name: 'in-toto', enforce: 'post' as const }
  if (framework === 'vite') return { ...base, vite: vite(options) }
  if (framework === 'rollup') return { ...base, rollup: rollup(options) }
  throw new Error(`unplugin-in-toto does not know ${framework}`)
})

/** Signs what was built so far: for hosts that live on, with the option `finish: 'manual'`. */
export const finish: () => Promise<void> = finishAll

export default inToto
