/**
 * The preset `devguard`: the chain that DevGuard judges by (docs.devguard.org, "devguard-scanner intoto": post-commit, build, deploy). DevGuard makes such a
 * layout itself and answers yes or no; this one lets `intoto verify` say beforehand why. Names and rules are DevGuard's and are not ours to tighten.
 */
import { keyidFor, type Key } from '../keys/key.ts'
import type { Layout } from './layout.ts'
import { defineLayout, type Functionaries } from './preset.ts'

/** What the preset asks for. */
export interface DevGuardPreset {
  /** People with a token of the project; in DevGuard each of them may carry out every step. */
  functionaries: Functionaries
  expires: Date | string
  /** Functionaries by step; one that is left out may be carried out by all. */
  who?: { readonly [step: string]: readonly string[] }
  /** Expected commands by step. DevGuard looks at none; here one that is given must be the one that ran. */
  commands?: { readonly [step: string]: readonly string[] }
}

/** The steps, in order. */
export const devguardSteps: readonly string[] = ['post-commit', 'build', 'deploy']

/**
 * Layout of a chain for DevGuard. Keys stand in it under the ids by which DevGuard files links.
 * @throws E_CONFIG for a functionary that is not listed; E_KEY, E_LAYOUT_INVALID
 */
export function devguardLayout({ functionaries, expires, who = {}, commands = {} }: DevGuardPreset): Layout {
  const labelled: { [name: string]: Key } = Object.create(null)
  for (const [name, key] of Object.entries(functionaries)) labelled[name] = { ...key, keyid: keyidFor(key, 'devguard') }
  const rules: { readonly [step: string]: { materials: string[]; products: string[] } } = {
    'post-commit': { materials: ['ALLOW *'], products: ['ALLOW *'] },
    build: { materials: ['MATCH * WITH PRODUCTS FROM post-commit', 'DISALLOW *'], products: ['ALLOW *'] },
    deploy: { materials: ['MATCH * WITH PRODUCTS FROM build', 'DISALLOW *'], products: ['REQUIRE image-digest.txt', 'ALLOW *'] },
  }
  return defineLayout({
    functionaries: labelled,
    expires,
    steps: devguardSteps.map((name) => ({
      name,
      functionaries: Object.hasOwn(who, name) ? who[name]! : Object.keys(labelled),
      ...(Object.hasOwn(commands, name) ? { command: commands[name]! } : {}),
      ...rules[name]!,
    })),
    inspect: [
      {
        name: 'verify-digest',
        run: ['true'],
        materials: ['ALLOW *'],
        products: ['REQUIRE image-digest.txt', 'MATCH image-digest.txt WITH PRODUCTS FROM deploy'],
      },
    ],
  })
}
