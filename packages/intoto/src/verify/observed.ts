/**
 * A layout beside what was observed: everything that it would refuse, and everything in it that nothing used. Called by `intoto layout diff` before
 * an owner signs, so it looks at all steps whatever fails, and believes the links that it is given. It is no verification: signatures of the
 * layout, expiry and inspections are not looked at.
 */
import { problem, type Problem, type ProblemInit } from '../errors.ts'
import { keyMaterial, type Key } from '../keys/key.ts'
import type { Layout, Step } from '../model/layout.ts'
import type { Link } from '../model/link.ts'
import { sideOf } from '../model/side.ts'
import { explainFailure } from './cause.ts'
import { applyRules, type Chain, type ChainLink } from './rules.ts'
import { carryOutText, commandText, count, digestText, more, shown, wordText } from './text.ts'
import { differing } from './threshold.ts'

/** A link that was found, and the key whose signature on it holds, if it is one that the caller knows. */
export interface ObservedFile {
  readonly link: Link
  readonly file: string
  readonly key?: Key
}

/**
 * Problems of one round of links under a layout: errors are what it would refuse, warnings what is new to it or what it speaks of in vain.
 */
export function compareObserved(layout: Layout, links: readonly ObservedFile[]): Problem[] {
  const found: ProblemInit[] = []
  const chain = new Map<string, ChainLink>()
  for (const step of layout.steps) {
    const own = links.filter(({ link }) => link.name === step.name)
    const [first] = own.filter((file) => mayPerform(layout, step, file))
    found.push(...actors(layout, step, own), ...commands(step, own), ...disagreements(layout, step, own))
    const one = first ?? own[0]
    if (one !== undefined) chain.set(step.name, { link: one.link, file: one.file, kind: 'step' })
  }
  for (const step of layout.steps) if (chain.has(step.name)) found.push(...refused(step, chain))
  const known = new Set([...layout.steps, ...layout.inspect].map(({ name }) => name))
  for (const { link, file } of links) {
    if (known.has(link.name)) continue
    found.push({
      code: 'E_RULE',
      severity: 'warning',
      step: link.name,
      file,
      message: `${shown(file)}: the layout has no step "${shown(link.name)}"`,
      fix: `npx intoto layout learn --add-step ${wordText(link.name)} --sign-with OWNER`,
    })
  }
  return found.map(problem)
}

function mayPerform(layout: Layout, step: Step, { key }: ObservedFile): boolean {
  if (key === undefined) return false
  const material = keyMaterial(key)
  return step.pubkeys.some((keyid) => Object.hasOwn(layout.keys, keyid) && keyMaterial(layout.keys[keyid]!) === material)
}

function actors(layout: Layout, step: Step, own: readonly ObservedFile[]): ProblemInit[] {
  const allowed = own.filter((file) => mayPerform(layout, step, file))
  const strangers = own.filter((file) => !allowed.includes(file))
  const found = strangers.map(({ file }): ProblemInit => ({
    code: 'E_ACTOR',
    step: step.name,
    file,
    message: `${shown(file)}: not signed by a key that may perform "${shown(step.name)}"`,
    fix: `npx intoto layout renew --add-functionary ${wordText(step.name)}=KEY.pub --sign-with OWNER`,
  }))
  const people = new Set(allowed.map(({ key }) => keyMaterial(key!))).size
  if (people + strangers.length >= step.threshold) return found
  return [
    ...found,
    {
      code: 'E_MISSING_STEP',
      step: step.name,
      message: `${shown(step.name)}: ${people === 0 ? 'no link found' : `${count(people, 'link')} found`}, ${step.threshold} needed`,
      fix: carryOutText(step),
    },
  ]
}

function commands(step: Step, own: readonly ObservedFile[]): ProblemInit[] {
  const expected = step.expected_command
  if (expected.length === 0) return []
  return own
    .filter(({ link }) => JSON.stringify(link.command) !== JSON.stringify(expected))
    .map(({ link, file }) => ({
      code: 'E_COMMAND',
      step: step.name,
      file,
      message: `${shown(step.name)}: ran another command than the layout expects`,
      expected: { label: 'expected', text: commandText(expected) },
      actual: { label: 'ran', text: commandText(link.command), from: file },
    }))
}

/** Links of those who may carry it out must name the same artifacts; the first is compared with each other one. */
function disagreements(layout: Layout, step: Step, own: readonly ObservedFile[]): ProblemInit[] {
  const [first, ...others] = own.filter((file) => mayPerform(layout, step, file))
  return others.flatMap((other) =>
    (['materials', 'products'] as const).flatMap((side): ProblemInit[] => {
      const names = differing(sideOf(first!.link, side), sideOf(other.link, side))
      const [name] = names
      if (name === undefined) return []
      const [ours, theirs] = [first!.link[side][name], other.link[side][name]]
      const tell = (digests: typeof ours, against: typeof ours): string =>
        digests === undefined ? 'not there' : digestText(digests, against)
      return [
        {
          code: 'E_THRESHOLD',
          step: step.name,
          file: name,
          message: `${shown(name)}: two links disagree about this ${side.slice(0, -1)}${more(names.length - 1)}`,
          expected: { label: 'one', text: tell(ours, theirs), from: first!.file },
          actual: { label: 'another', text: tell(theirs, ours), from: other.file },
          fix: 'let both carry out the step on the same sources; delete a link that is out of date',
        },
      ]
    }),
  )
}

/** What the rules of a step refuse, and its rules that took nothing. */
function refused(step: Step, chain: Chain): ProblemInit[] {
  return (['expected_materials', 'expected_products'] as const).flatMap((list) => {
    const { reports, failures } = applyRules(step, list, chain, false)
    const idle = reports.filter(({ text, consumed }) => consumed === 0 && !/^(?:REQUIRE|DISALLOW) /.test(text))
    return [
      ...failures.map((failure) => explainFailure(failure, { chain })),
      ...idle.map(({ index, text }): ProblemInit => ({
        code: 'E_RULE',
        severity: 'warning',
        step: step.name,
        message: `${shown(step.name)}: ${shown(text)} took nothing`,
        rule: { text, step: step.name, list, index },
        fix: 'take the rule out if what it spoke of is gone for good',
      })),
    ]
  })
}
