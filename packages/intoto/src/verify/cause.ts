/**
 * Why a rule failed: from the artifact that a DISALLOW hit or a REQUIRE missed to a problem with both pieces of evidence, the rule that should
 * have taken it, a likely cause and what to do. Called by the verification for refused artifacts only. Guesses are marked as such; nothing
 * here changes a verdict.
 */
import type { Evidence, ProblemInit } from '../errors.ts'
import { sameDigests, usableDigest, type Artifacts, type DigestMap } from '../model/artifact.ts'
import type { Link } from '../model/link.ts'
import { formatRule, type ArtifactRule, type MatchRule } from '../model/rule.ts'
import { covers, destination, destinationName, type Chain, type ChainLink, type RuleFailure } from './rules.ts'
import { likelyScript } from './script.ts'
import { digestText, more, shown, wordText } from './text.ts'

/** What may help to guess. */
export interface CauseContext {
  readonly chain: Chain
  /** Scripts of package.json, by name. */
  readonly scripts?: { readonly [name: string]: string }
}

/** The problem for one refused artifact or one missing name. */
export function explainFailure(failure: RuleFailure, context: CauseContext): ProblemInit {
  const base = { step: failure.item.name, file: failure.artifact }
  if (failure.rule.kind === 'REQUIRE') return { ...base, ...explainRequire(failure, context) }
  return { ...base, ...(explainTamper(failure, context) ?? explainRest(failure, context)) }
}

/** A side of a link in words: what `list` calls `expected_materials` the step has "read". */
function side(failure: RuleFailure): { artifacts: 'materials' | 'products'; verb: string } {
  return failure.list === 'expected_materials' ? { artifacts: 'materials', verb: 'read' } : { artifacts: 'products', verb: 'wrote' }
}

function explainRequire(failure: RuleFailure, context: CauseContext): Omit<ProblemInit, 'step' | 'file'> {
  const { artifact, item, earlier, ref } = failure
  const own = context.chain.get(item.name)!
  const { artifacts } = side(failure)
  const digests = own.link[artifacts][artifact]
  const taker =
    digests === undefined
      ? undefined
      : earlier.find((rule) => rule.kind !== 'DISALLOW' && rule.kind !== 'REQUIRE' && covers(rule, artifact))
  const what = `${shown(artifact)}: required among the ${artifacts} of "${shown(item.name)}"`
  const asked = { rule: ref, expected: { label: 'required', text: artifact, from: `rule ${ref.index} of ${ref.list}` } }
  if (digests !== undefined) {
    const message = `${what}, but an earlier rule has taken it already`
    const cause = `REQUIRE sees only what is left of the queue, and ${taker === undefined ? 'an earlier rule' : `"${formatRule(taker)}"`} stands before it`
    return { code: 'E_RULE', message, ...asked, cause, fix: 'let the layout name REQUIRE first in its list' }
  }
  const cause = /[*?[]/.test(artifact)
    ? 'REQUIRE takes the name of one file; *, ? and [ are letters to it'
    : sameButFor(artifact, own.link[artifacts])
  return {
    code: 'E_RULE',
    message: `${what}, but not there`,
    ...asked,
    actual: { label: 'recorded', text: `${Object.keys(own.link[artifacts]).length} ${artifacts} without it`, from: own.file },
    ...(cause === undefined ? {} : { cause }),
    fix: `carry out "${shown(item.name)}" again with the file, and record it (${artifacts === 'materials' ? '-m' : '-p'})`,
  }
}

/** A file that an earlier MATCH speaks of, but whose bytes are others on the other side. */
function explainTamper(failure: RuleFailure, context: CauseContext): Omit<ProblemInit, 'step' | 'file'> | undefined {
  const { artifact, earlier, item, list } = failure
  const own = context.chain.get(item.name)!
  const { artifacts, verb } = side(failure)
  const mine = own.link[artifacts][artifact]!
  for (const [index, rule] of earlier.entries()) {
    if (rule.kind !== 'MATCH' || !covers(rule, artifact)) continue
    const name = destinationName(rule, artifact)
    const theirs = destination(rule, context.chain)?.[name]
    if (theirs === undefined || !contradicts(mine, theirs)) continue
    const other = context.chain.get(rule.step)!
    const cause = tamperCause({ mine, other, own, rule, artifact, context })
    return {
      code: 'E_TAMPER',
      message: `${shown(artifact)}: ${changed(failure, rule)}${more(failure.more)}`,
      expected: evidence(
        other,
        rule.artifacts === 'PRODUCTS' ? 'wrote' : 'read',
        digestText(theirs, mine),
        name === artifact ? undefined : name,
      ),
      actual: evidence(own, verb, digestText(mine, theirs)),
      rule: { text: formatRule(rule), step: item.name, list, index },
      ...(cause === undefined ? {} : { cause }),
      fix: [
        `carry out "${shown(rule.step)}" and "${shown(item.name)}" again, with nothing in between`,
        'if the change is meant, make it a step of its own: npx intoto run -n NAME, then npx intoto layout learn --add-step NAME',
        'npx intoto explain FILE -k OWNER.pub shows the way of a file',
      ],
    }
  }
  return undefined
}

function changed({ item, list }: RuleFailure, rule: MatchRule): string {
  const [theirs, mine] = [`"${shown(rule.step)}"`, `"${shown(item.name)}"`]
  if (list === 'expected_materials' && rule.artifacts === 'PRODUCTS') return `changed after ${theirs} and before ${mine}`
  const whose = rule.artifacts === 'PRODUCTS' ? `as ${theirs} wrote it` : `as ${theirs} read it`
  return `not ${whose}: ${mine} ${list === 'expected_materials' ? 'read' : 'wrote'} other bytes`
}

function evidence(link: ChainLink, verb: string, text: string, name?: string): Evidence {
  return { label: `${link.link.name} ${verb}`, text, from: name === undefined ? link.file : `${link.file} (${name})` }
}

/** A common algorithm with two values: the bytes differ. Maps that merely list other algorithms do not say so. */
function contradicts(a: DigestMap, b: DigestMap): boolean {
  return Object.keys(a).some((algorithm) => Object.hasOwn(b, algorithm) && a[algorithm] !== b[algorithm])
}

interface TamperClues {
  readonly mine: DigestMap
  readonly other: ChainLink
  readonly own: ChainLink
  readonly rule: MatchRule
  readonly artifact: string
  readonly context: CauseContext
}

function tamperCause({ mine, other, own, rule, artifact, context }: TamperClues): string | undefined {
  const twin = sameContent(mine, destination(rule, context.chain)!)
  if (twin !== undefined)
    return `it has the content that "${shown(twin)}" has in "${shown(rule.step)}": the files were exchanged or renamed`
  const script = context.scripts === undefined ? undefined : likelyScript(context.scripts, other.link, own.link)
  if (script !== undefined) return `package.json script "${shown(script)}" (${shown(context.scripts![script]!)}) ran in between`
  if (isDirty(own.link) || isDirty(other.link))
    return `"${isDirty(own.link) ? own.link.name : other.link.name}" worked on a git tree with changes that were not committed`
  if (/(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock)$/.test(artifact))
    return 'dependencies were installed or updated in between'
  return undefined
}

/** Recorders note in the byproducts whether the tree had changes that were not committed. */
function isDirty(link: Link): boolean {
  const git = link.byproducts['git']
  return typeof git === 'object' && git !== null && !Array.isArray(git) && git['dirty'] === true
}

/** No rule took it. */
function explainRest(failure: RuleFailure, context: CauseContext): Omit<ProblemInit, 'step' | 'file'> {
  const { artifact, item, earlier, ref } = failure
  const own = context.chain.get(item.name)!
  const { artifacts, verb } = side(failure)
  const digests = own.link[artifacts][artifact]!
  const reasons = earlier
    .filter((rule) => covers(rule, artifact))
    .map((rule) => whyNot({ rule, artifact, digests, link: own.link, chain: context.chain }))
  return {
    code: 'E_RULE',
    message: `${shown(artifact)}: among the ${artifacts} of "${shown(item.name)}", and no rule before ${shown(ref.text)} takes it${more(failure.more)}`,
    actual: evidence(own, verb, digestText(digests)),
    rule: ref,
    cause: reasons.find((reason) => reason !== undefined) ?? `no rule of ${ref.list} speaks of it`,
    fix: [
      `npx intoto explain ${wordText(artifact)}`,
      `if it belongs there, the owner lets the layout say so before ${shown(ref.text)}; else remove it and carry out "${shown(item.name)}" again`,
    ],
  }
}

/** A rule that speaks of an artifact, and the artifact. */
export interface Refusal {
  readonly rule: ArtifactRule
  readonly artifact: string
  readonly digests: DigestMap
  readonly link: Link
  readonly chain: Chain
}

/** Why a rule that covers an artifact does not consume it; undefined for one that does, or that never does. */
export function whyNot({ rule, artifact, digests, link, chain }: Refusal): string | undefined {
  switch (rule.kind) {
    case 'CREATE':
      return Object.hasOwn(link.products, artifact)
        ? 'it was there before the step, so it was not created'
        : 'it is not among the products, so it was not created'
    case 'DELETE':
      return Object.hasOwn(link.materials, artifact)
        ? 'it is still there after the step, so it was not deleted'
        : 'it was not there before the step, so it was not deleted'
    case 'MODIFY':
      return Object.hasOwn(link.materials, artifact) && Object.hasOwn(link.products, artifact)
        ? 'it is unchanged, so it was not modified'
        : 'it stands on one side only, so it was not modified'
    case 'MATCH':
      return whyNoMatch(rule, { artifact, digests, chain })
    default:
      return undefined
  }
}

function whyNoMatch(
  rule: MatchRule,
  { artifact, digests, chain }: { artifact: string; digests: DigestMap; chain: Chain },
): string | undefined {
  const others = destination(rule, chain)
  const where = `the ${rule.artifacts.toLowerCase()} of "${shown(rule.step)}"`
  if (others === undefined) return `there is no step "${shown(rule.step)}" whose link could be compared`
  const name = destinationName(rule, artifact)
  if (Object.hasOwn(others, name)) {
    if (!usableDigest(digests) || !usableDigest(others[name]!))
      return `it has no sha256, sha384 or sha512 on both sides, and weaker digests tie nothing together`
    return sameDigests(digests, others[name]!)
      ? undefined
      : `its digests differ from those in ${where}: rules compare all algorithms at once`
  }
  const twin = sameContent(digests, others)
  if (twin !== undefined) return `${where} have the same content as "${shown(twin)}": it was renamed or copied`
  return sameButFor(name, others) ?? `it is not among ${where}`
}

/** Another artifact with the same content. */
function sameContent(digests: DigestMap, artifacts: Artifacts): string | undefined {
  if (!usableDigest(digests)) return undefined
  return Object.keys(artifacts).find((name) => sameDigests(digests, artifacts[name]!))
}

/** A name that differs only in case, Unicode form or the slashes: easily overlooked, and another file all the same. */
function sameButFor(name: string, artifacts: Artifacts): string | undefined {
  const plain = (text: string): string => text.normalize('NFC').replaceAll('\\', '/').replace(/^\.\//, '').toLowerCase()
  const near = Object.keys(artifacts).find((other) => other !== name && plain(other) === plain(name))
  if (near === undefined) return undefined
  const how =
    near.normalize('NFC') === name.normalize('NFC')
      ? 'Unicode form'
      : near.toLowerCase() === name.toLowerCase()
        ? 'upper and lower case'
        : 'spelling'
  return `"${shown(near)}" is there: the names differ in ${how}`
}
