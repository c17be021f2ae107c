/**
 * Are there enough links of a step, by distinct functionaries, and do they agree? (specification 5.2, steps 5, 6 and 9.) Called by the
 * verification once candidates are checked. One person counts once, whatever number of ids or files is used.
 */
import type { ProblemInit } from '../errors.ts'
import { isKnownKeytype, keyMaterial } from '../keys/key.ts'
import { linkFileName, type Link } from '../model/link.ts'
import { sideOf } from '../model/side.ts'
import type { ArtifactTable } from '../model/table.ts'
import { describeStrays } from './actor.ts'
import { linkReport } from './candidate.ts'
import type { Candidate, Run, StepRun } from './run.ts'
import type { LinkSource } from './source.ts'
import { carryOutText, count, digestText, more, shown, whoText } from './text.ts'

/** Counts the valid links and reports what keeps a step from its threshold. Fills `valid` and the links of the report. */
export async function checkThreshold(run: Run, stepRun: StepRun, links: LinkSource): Promise<void> {
  const { step, report, candidates } = stepRun
  stepRun.valid = candidates.filter(({ fault }) => fault === undefined)
  const counted = distinct(stepRun.valid)
  report.links = candidates.map((candidate) => linkReport(run, candidate, counted.includes(candidate)))
  const missed = counted.length < step.threshold
  for (const { fault } of candidates) if (fault !== undefined) run.add(missed ? fault : { ...fault, severity: 'warning' })
  if (!missed) return
  const strays = await describeStrays(run, step, { links, known: new Set(candidates.map(({ file }) => file)) })
  for (const stray of strays) run.add(stray)
  const refused = strays.length + candidates.filter(({ fault }) => fault !== undefined && fault.severity !== 'warning').length
  if (counted.length + refused < step.threshold) run.add(missing(run, stepRun, counted))
}

/** The first valid link of each key, by the key's material. */
function distinct(valid: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>()
  return valid.filter(({ key }) => {
    const material = keyMaterial(key)
    return !seen.has(material) && seen.add(material)
  })
}

function missing(run: Run, { step, valid }: StepRun, counted: readonly Candidate[]): ProblemInit {
  const open = step.pubkeys.filter((keyid) => !valid.some((candidate) => candidate.keyid === keyid))
  const from = open.map((keyid) => whoText(run.who(keyid))).join(' or ') || 'another functionary'
  const found = counted.length === 0 ? 'no link found' : `${count(counted.length, 'link')} found`
  const cause = missingCause(run, { step, valid }, counted)
  return {
    code: 'E_MISSING_STEP',
    step: step.name,
    message: `${shown(step.name)}: ${found}, ${step.threshold} needed from ${from}`,
    expected: {
      label: 'looked for',
      text: open.map((keyid) => linkFileName(step.name, keyid)).join(', ') || 'a link of another functionary',
    },
    actual: { label: 'found', text: counted.map(({ file }) => file).join(', ') || 'nothing that counts' },
    ...(cause === undefined ? {} : { cause }),
    fix: carryOutText(step),
  }
}

function missingCause(run: Run, { step, valid }: Pick<StepRun, 'step' | 'valid'>, counted: readonly Candidate[]): string | undefined {
  const keys = step.pubkeys.flatMap((keyid) => (Object.hasOwn(run.layout.keys, keyid) ? [run.layout.keys[keyid]!] : []))
  const people = new Set(keys.filter(({ keytype }) => isKnownKeytype(keytype)).map(keyMaterial)).size
  if (people < step.threshold)
    return `the layout asks for ${step.threshold} functionaries and names ${count(people, 'distinct key')}, so this step can never hold`
  if (valid.length > counted.length) return 'one key under two ids is one functionary and counts once'
  return undefined
}

/** All valid links of a step must name the same artifacts, even those beyond the threshold (both peers, specification 5.2). */
export function checkAgreement(run: Run, { step, valid }: StepRun): void {
  const [first, ...others] = valid
  for (const other of others) {
    for (const side of ['materials', 'products'] as const) {
      const problem = disagreement(run, { first: first!, other, side })
      if (problem !== undefined) run.add({ ...problem, step: step.name })
    }
  }
}

interface Pair {
  readonly first: Candidate
  readonly other: Candidate
  readonly side: 'materials' | 'products'
}

function disagreement(run: Run, { first, other, side }: Pair): ProblemInit | undefined {
  const names = differing(sideOf(first.link!, side), sideOf(other.link!, side))
  const [name] = names
  if (name === undefined) return undefined
  const tell = ({ link, keyid, file }: { link?: Link; keyid: string; file: string }, against: Link) => {
    const digests = link![side][name]
    return {
      label: whoText(run.who(keyid)),
      text: digests === undefined ? 'not there' : digestText(digests, against[side][name]),
      from: file,
    }
  }
  const sides = { expected: tell(first, other.link!), actual: tell(other, first.link!) }
  const who = `${whoText(run.who(first.keyid))} and ${whoText(run.who(other.keyid))}`
  const about = `this ${side.slice(0, -1)}${more(names.length - 1)}`
  // The same digests, and still no agreement: none of them is strong enough to tie two files together.
  if (sides.expected.text === sides.actual.text) {
    return {
      code: 'E_THRESHOLD',
      file: name,
      message: `${shown(name)}: ${who} list no digest that could show that they agree about ${about}`,
      ...sides,
      cause: 'their digests are equal and weak: whoever can forge MD5 or SHA-1 makes two files of them',
      fix: 'let both record with SHA-256',
    }
  }
  return {
    code: 'E_THRESHOLD',
    file: name,
    message: `${shown(name)}: ${who} disagree about ${about}`,
    ...sides,
    cause: 'they did not work on the same files, or the step does not give the same result twice',
    fix: 'let both carry out the step on the same sources; delete a link that is out of date',
  }
}

/** Names that only one of two sides has, or with digests that do not tie them together; both tables are in order. */
export function differing(a: ArtifactTable, b: ArtifactTable): string[] {
  const names: string[] = []
  let [i, j] = [0, 0]
  while (i < a.size || j < b.size) {
    const order = i === a.size ? 1 : j === b.size ? -1 : a.compare(i, b.bytes, b.start(j), b.end(j))
    if (order !== 0) names.push(order < 0 ? a.name(i) : b.name(j))
    else if (!a.isEqual(i, b, j)) names.push(a.name(i))
    if (order <= 0) i++
    if (order >= 0) j++
  }
  return names
}
