/**
 * The preset `reproducible`: the chain of a web application or library whose build counts only when several builders got the same. What one of them
 * planted, another would have to plant as well. Called by `intoto layout new` and by programs; it signs nothing.
 */
import { InTotoError } from '../errors.ts'
import { keyMaterial } from '../keys/key.ts'
import type { Layout } from './layout.ts'
import { webappLayout, type WebappPreset } from './preset.ts'

/** What the preset asks for on top of the steps. */
export interface ReproduciblePreset extends WebappPreset {
  /** Builders that must agree about materials and products of `build`; 2 unless given. */
  builders?: number
}

/**
 * Layout of a reproducible build: source, build by several functionaries, test.
 * @throws E_CONFIG where fewer distinct keys may build than must agree; E_LAYOUT_INVALID as `parseLayout`
 */
export function reproducibleLayout({ builders = 2, ...preset }: ReproduciblePreset): Layout {
  if (!Number.isSafeInteger(builders) || builders < 2)
    throw wrong(`${builders} builders can't disagree: two or more are needed`, 'give a threshold of 2 or more')
  const names = preset.who?.['build'] ?? Object.keys(preset.functionaries)
  const layout = webappLayout(preset)
  const people = new Set(names.map((name) => keyMaterial(preset.functionaries[name]!))).size
  if (people < builders)
    throw wrong(
      `${builders} builders must agree, and ${people} distinct ${people === 1 ? 'key' : 'keys'} may build`,
      'name a functionary of "build" for each builder',
    )
  const steps = layout.steps.map((step) =>
    step.name === 'build' ? (Object.assign(Object.create(null), step, { threshold: builders }) as typeof step) : step,
  )
  return Object.assign(Object.create(null), layout, { steps }) as Layout
}

function wrong(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}
