/**
 * Link files that travel with the product: a build's link lies in its output folder, and from there in the package. Rules let such a file pass
 * by its name (`ALLOW dist/build.c0ffee12.link`), so that nothing in metadata says what is in it; it must be the very file that was verified.
 * Called by the verification after the rules. No check of the reference tools: it refuses more than they do.
 */
import { sha256Hex } from '../keys/digest.ts'
import type { DigestMap } from '../model/artifact.ts'
import { linkFileName } from '../model/link.ts'
import { prepare } from '../model/pattern.ts'
import { formatRule, parseRule } from '../model/rule.ts'
import { sideOf } from '../model/side.ts'
import type { RuledItem, RuleList } from './rules.ts'
import type { Candidate, Run } from './run.ts'
import { digestText, shown } from './text.ts'

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}

/** What is known about a file that has the name of a link of this layout. */
export interface TravellingLink {
  readonly step: string
  /** The verified link of that name; undefined when there is none. */
  readonly candidate: Candidate | undefined
}

/** The link of this layout that a path names; undefined when it names none. */
export function travellingLink(run: Run, path: string): TravellingLink | undefined {
  const base = baseName(path)
  if (!base.endsWith('.link')) return undefined
  for (const { step, valid } of run.steps) {
    const keyid = step.pubkeys.find((id) => linkFileName(step.name, id) === base)
    if (keyid !== undefined)
      return { step: step.name, candidate: valid.find((candidate) => linkFileName(step.name, candidate.keyid) === base) }
  }
  return undefined
}

/** Are these the digests of the verified file? Compares SHA-256 only, which every recorder writes. */
export function isVerifiedFile(candidate: Candidate | undefined, digests: DigestMap): boolean {
  return candidate?.metadata !== undefined && digests['sha256'] === sha256Hex(candidate.metadata.bytes)
}

/** Refuses link files that a rule let pass by name alone, when they are not the ones that were verified. */
export function checkTravellingLinks(run: Run, item: RuledItem, list: RuleList): void {
  const own = run.chain.get(item.name)!
  const side = sideOf(own.link, list === 'expected_materials' ? 'materials' : 'products')
  item[list].forEach((tokens, index) => {
    const rule = parseRule(tokens)
    if (rule.kind !== 'ALLOW' || !rule.pattern.endsWith('.link') || prepare(rule.pattern).kind !== 'exact') return
    const place = side.find(rule.pattern)
    if (place < 0) return
    const named = travellingLink(run, rule.pattern)
    const digests = side.digests(place)
    if (named === undefined || isVerifiedFile(named.candidate, digests)) return
    const { candidate } = named
    run.add({
      code: 'E_TAMPER',
      step: item.name,
      file: rule.pattern,
      message: `${shown(rule.pattern)}: is not the link of "${shown(named.step)}" that was verified`,
      expected: {
        label: 'verified',
        text: candidate?.metadata === undefined ? 'no link of that name' : `sha256 ${sha256Hex(candidate.metadata.bytes)}`,
        from: candidate?.file ?? 'link folders',
      },
      actual: { label: item.name, text: digestText(digests), from: own.file },
      rule: { text: formatRule(rule), step: item.name, list, index },
      cause: `"${shown(named.step)}" was carried out again after "${shown(item.name)}", or another file was put in its place`,
      fix: `carry out "${shown(item.name)}" again, with the link of "${shown(named.step)}" that is to be verified`,
    })
  })
}
