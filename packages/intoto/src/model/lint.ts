/**
 * Advice about layouts: what is allowed, verifies, and is probably not meant. `layoutNotes` is what every verification says, too;
 * `lintLayout` is for owners before they sign. Pure; never refuses anything.
 */
import { problem, type Problem, type ProblemInit } from '../errors.ts'
import { isKnownKeytype, keyids, keyMaterial } from '../keys/key.ts'
import { cleanName } from './artifact.ts'
import { parseExpires, type Inspection, type Layout, type Step } from './layout.ts'
import { formatRule, parseRule, type ArtifactRule } from './rule.ts'

const known = {
  layout: ['_type', 'expires', 'readme', 'keys', 'steps', 'inspect'],
  step: ['_type', 'name', 'threshold', 'pubkeys', 'expected_command', 'expected_materials', 'expected_products'],
  inspection: ['_type', 'name', 'run', 'expected_materials', 'expected_products'],
}
/** Members of in-toto-golang for X.509 functionaries (ITE-7). */
const certificates = ['rootcas', 'intermediatecas', 'cert_constraints']

/**
 * What a verifier must not keep to itself: members without effect, keys that never count, ids that nobody can derive. Warnings, but for one: in a
 * Metablock, both reference tools sign only the members that they know, so another one is an error there.
 */
export function layoutNotes(layout: Layout, format?: 'dsse' | 'metablock'): ProblemInit[] {
  const notes = [
    ...memberNotes(layout, 'layout', known.layout),
    ...layout.steps.flatMap((step, i) => memberNotes(step, `layout.steps[${i}]`, known.step)),
    ...layout.inspect.flatMap((inspection, i) => memberNotes(inspection, `layout.inspect[${i}]`, known.inspection)),
  ]
  const certain = (note: ProblemInit): ProblemInit =>
    format === 'metablock' && note.code === 'E_LAYOUT_INVALID' ? { ...note, severity: 'error' } : note
  return [...notes.map(certain), ...keyNotes(layout)]
}

function memberNotes(object: object, path: string, names: readonly string[]): ProblemInit[] {
  return Object.keys(object)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const isCertificate = certificates.includes(name)
      const message = isCertificate
        ? `${path}.${name}: certificates are not verified here; only the keys in "pubkeys" count`
        : `${path}[${JSON.stringify(name)}]: is no member of in-toto 1.0 and has no effect`
      return {
        code: isCertificate ? 'E_UNSUPPORTED' : 'E_LAYOUT_INVALID',
        severity: 'warning',
        message,
        fix: 'check the spelling, or take it out',
      }
    })
}

function keyNotes(layout: Layout): ProblemInit[] {
  const notes: ProblemInit[] = []
  for (const keyid of Object.keys(layout.keys)) {
    const key = layout.keys[keyid]!
    const short = keyid.slice(0, 8)
    const fix = 'list the key under the id that "npx intoto key show" prints'
    if (!isKnownKeytype(key.keytype)) {
      notes.push({
        code: 'E_UNSUPPORTED',
        severity: 'warning',
        message: `layout.keys: key ${short} is of a kind that is not verified here and never counts`,
        fix: 'use ed25519, RSA or ECDSA',
      })
    } else if (!derivable(layout, keyid)) {
      notes.push({
        code: 'E_LAYOUT_INVALID',
        severity: 'warning',
        message: `layout.keys: no tool derives the id ${short} from its key`,
        fix,
      })
    }
  }
  return notes
}

/** `keyids` ends with the id that the key carries; it must be among the derived ones before. */
function derivable(layout: Layout, keyid: string): boolean {
  const key = layout.keys[keyid]!
  return keyids({ ...key, keyid: '' }).includes(keyid)
}

/** What `lintLayout` measures against. */
export interface LintOptions {
  now?: Date
  /** An expiry further away than this is noted; default 400 days. */
  maxDays?: number
}

/**
 * Everything in a layout that is probably a mistake, as warnings: thresholds that can't be met, lists that let everything pass, rules that never
 * act, patterns that two tools read differently, an expiry too far away to protect against replay.
 */
export function lintLayout(layout: Layout, o: LintOptions = {}): Problem[] {
  const found = [...layoutNotes(layout), ...expiryNotes(layout, o)]
  if (layout.steps.length === 0) found.push(warning('layout.steps: there are none, so the layout promises nothing', 'add steps'))
  const names = new Set([...layout.steps, ...layout.inspect].map(({ name }) => name))
  const items: [Step | Inspection, string][] = [
    ...layout.steps.map((step, i): [Step, string] => [step, `layout.steps[${i}]`]),
    ...layout.inspect.map((inspection, i): [Inspection, string] => [inspection, `layout.inspect[${i}]`]),
  ]
  const ofSteps = layout.steps.flatMap((step, i) => stepNotes(layout, step, `layout.steps[${i}]`))
  const ofLists = items.flatMap(([item, path]) =>
    (['expected_materials', 'expected_products'] as const).flatMap((list) => {
      const rules = item[list].map((tokens) => parseRule(tokens))
      return listNotes(rules, { path: `${path}.${list}`, item, list, names, layout })
    }),
  )
  return [...found, ...ofSteps, ...ofLists].map(problem)
}

function warning(message: string, fix: string, more: Partial<ProblemInit> = {}): ProblemInit {
  return { code: 'E_LAYOUT_INVALID', severity: 'warning', message, fix, ...more }
}

function expiryNotes({ expires }: Layout, { now = new Date(), maxDays = 400 }: LintOptions): ProblemInit[] {
  const days = Math.floor((parseExpires(expires) - now.getTime()) / 86_400_000)
  if (days < 0) return [warning(`layout.expires: ${expires} is over`, 'npx intoto layout renew --days 90 --sign-with OWNER')]
  if (days <= maxDays) return []
  return [
    warning(
      `layout.expires: ${days} days from now; until then an old layout can be put in the place of a newer one`,
      'let it expire within months, and renew it',
    ),
  ]
}

function stepNotes(layout: Layout, step: Step, path: string): ProblemInit[] {
  const notes: ProblemInit[] = []
  const about = { step: step.name }
  const listed = [...new Set(step.pubkeys)].filter((keyid) => Object.hasOwn(layout.keys, keyid))
  const usable = listed.map((keyid) => layout.keys[keyid]!).filter(({ keytype }) => isKnownKeytype(keytype))
  const people = new Set(usable.map(keyMaterial)).size
  for (const keyid of new Set(step.pubkeys)) {
    if (!Object.hasOwn(layout.keys, keyid))
      notes.push(warning(`${path}.pubkeys: key ${keyid.slice(0, 8)} is not among layout.keys`, 'add the key, or take its id out', about))
  }
  if (people < step.threshold)
    notes.push(
      warning(
        `${path}.threshold: asks for ${step.threshold}, but only ${people} distinct keys may sign`,
        'lower it, or add functionaries',
        about,
      ),
    )
  if (people < usable.length)
    notes.push(warning(`${path}.pubkeys: one key stands there under two ids and counts once`, 'keep one of them', about))
  return notes
}

interface ListPlace {
  readonly path: string
  readonly item: Step | Inspection
  readonly list: 'expected_materials' | 'expected_products'
  readonly names: ReadonlySet<string>
  readonly layout: Layout
}

function listNotes(rules: readonly ArtifactRule[], place: ListPlace): ProblemInit[] {
  const { path, item, list } = place
  const notes: ProblemInit[] = []
  const end = rules.findIndex((rule) => (rule.kind === 'DISALLOW' || rule.kind === 'ALLOW') && rule.pattern === '*')
  if (rules.length > 0 && end < 0) {
    notes.push(
      warning(
        `${path}: does not end with DISALLOW *, so whatever no rule speaks of is allowed`,
        'add DISALLOW *, or ALLOW * if that is meant',
        { step: item.name },
      ),
    )
  }
  rules.forEach((rule, index) => {
    const ref = { text: formatRule(rule), step: item.name, list, index }
    const note = (message: string, fix: string): void =>
      void notes.push(warning(`${path}[${index}]: ${message}`, fix, { step: item.name, rule: ref }))
    if (end >= 0 && index > end) note(`never acts: ${formatRule(rules[end]!)} stands before it`, 'move it up, or take it out')
    if (rule.kind === 'REQUIRE') {
      if (/[*?[]/.test(rule.name)) note('REQUIRE takes the name of one file, not a pattern', 'name the file')
      if (rules.slice(0, index).some((earlier) => earlier.kind !== 'REQUIRE' && earlier.kind !== 'DISALLOW'))
        note('REQUIRE sees only what earlier rules left', 'put REQUIRE first')
    } else {
      for (const [message, fix] of patternNotes(rule.pattern)) note(message, fix)
    }
    if (rule.kind === 'MATCH') for (const [message, fix] of matchNotes(rule, place)) note(message, fix)
  })
  return notes
}

function patternNotes(pattern: string): [string, string][] {
  const notes: [string, string][] = []
  if (pattern.includes('\\'))
    notes.push(['the pattern has a backslash, which is a letter here and an escape in in-toto-golang', 'write paths with "/"'])
  if (pattern.includes('['))
    notes.push([
      'the pattern has a bracket; in-toto-golang reads some bracket expressions otherwise, and drops broken ones',
      'avoid [ ] where names allow it',
    ])
  if (cleanName(pattern) !== pattern)
    notes.push(['recorded names are clean, so a pattern with "./", "//" or ".." inside never matches', `write ${cleanName(pattern)}`])
  return notes
}

function matchNotes(rule: Extract<ArtifactRule, { kind: 'MATCH' }>, { item, names, layout }: ListPlace): [string, string][] {
  const notes: [string, string][] = []
  if (!names.has(rule.step)) notes.push([`there is no step "${rule.step}", so this matches nothing`, 'check the name'])
  const isStep = item._type === 'step'
  if (isStep && layout.inspect.some(({ name }) => name === rule.step))
    notes.push(['rules of steps cannot refer to inspections, so this matches nothing', 'move the rule into an inspection'])
  return notes
}
