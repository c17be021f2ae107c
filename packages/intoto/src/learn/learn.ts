/**
 * A layout from what was seen: the links of one or several rounds become steps, functionaries, commands, thresholds and tight rules. Called by
 * `intoto layout learn`, by `intoto init` and by programs. It believes the links that it is given: whoever calls has checked their signatures.
 * Nothing here signs.
 */
import { InTotoError } from '../errors.ts'
import type { Layout } from '../model/layout.ts'
import { linkFileName } from '../model/link.ts'
import { defineLayout, type Functionaries, type StepInit } from '../model/preset.ts'
import { materialRules } from './materials.ts'
import { productRules } from './products.ts'
import { seenSteps, type ObservedRun, type SeenStep } from './sight.ts'

/** What links do not say. */
export interface LearnOptions {
  /** Everybody who signed a link, and who else may carry out steps. */
  functionaries: Functionaries
  /** A date, or text of the form `YYYY-MM-DDTHH:MM:SSZ`. */
  expires: Date | string
  /** Functionaries who may carry out a step beside those who did. */
  who?: { readonly [step: string]: readonly string[] }
  /** How many must carry out a step and agree; default: as many as did in each run. */
  thresholds?: { readonly [step: string]: number }
  /** Names of steps in their order, where artifacts do not show it. */
  order?: readonly string[]
  readme?: string
  /** Longest list of patterns; beyond it, names of one folder become one pattern. Default 48. */
  mostRules?: number
}

/** A layout, and in words what was guessed. */
export interface Learned {
  readonly layout: Layout
  readonly notes: readonly string[]
}

/**
 * The tightest layout that lets all these runs pass, and with them builds whose content hashes differ. Materials must be what an earlier step made
 * or used, under the same name or in another folder; products have the names that were seen; every list ends with DISALLOW.
 * @throws E_THRESHOLD when two links of a step and run disagree; E_CONFIG without links, or for an unknown functionary; E_LAYOUT_INVALID
 */
export function learnLayout(runs: readonly ObservedRun[], o: LearnOptions): Learned {
  const seen = seenSteps(runs, o.order)
  const mostRules = o.mostRules ?? 48
  const notes: string[] = []
  const people = (step: SeenStep): string[] => [...new Set([...step.functionaries, ...(own(o.who, step.name) ?? [])])]
  const linkFiles = new Map(
    seen.map((step) => [step.name, people(step).map((name) => linkFileName(step.name, keyidOf(o.functionaries, name)))] as const),
  )
  const steps = seen.map((step, i): StepInit => {
    const materials = materialRules(step, { earlier: seen.slice(0, i), linkFiles, mostRules })
    const products = productRules(step, mostRules)
    const command = commandOf(step)
    notes.push(...materials.notes, ...products.notes)
    if (command === undefined) notes.push(`${step.name}: its links name different commands, so that any command is allowed`)
    return {
      name: step.name,
      functionaries: people(step),
      threshold: own(o.thresholds, step.name) ?? step.together,
      materials: materials.rules,
      products: products.rules,
      ...(command === undefined ? {} : { command }),
    }
  })
  const layout = defineLayout({
    functionaries: o.functionaries,
    expires: o.expires,
    steps,
    ...(o.readme === undefined ? {} : { readme: o.readme }),
  })
  return { layout, notes }
}

function own<T>(map: { readonly [name: string]: T } | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined
}

function keyidOf(functionaries: Functionaries, name: string): string {
  const key = own(functionaries, name)
  if (key !== undefined) return key.keyid
  throw new InTotoError({
    code: 'E_CONFIG',
    message: `no functionary is called ${JSON.stringify(name)}`,
    fix: 'add the key, or correct the name',
  })
}

/** The command of all links, if it is one. */
function commandOf({ links }: SeenStep): readonly string[] | undefined {
  const commands = links.filter((link) => link !== undefined).map(({ command }) => command)
  const [first] = commands
  return commands.every((command) => JSON.stringify(command) === JSON.stringify(first)) ? first : undefined
}
