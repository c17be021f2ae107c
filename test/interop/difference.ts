/**
 * Every way in which our verdict may differ from a peer's, each with a name, a condition on the chain's files and the words in which the one that
 * refuses does so. docs/divergences.md gives the reason for each name. A difference that nothing here explains fails the comparison.
 */
import { basename } from 'node:path'
import { keyidFor, keyids, type Key } from 'intoto'
import type { PeerName } from './peer.ts'
import { keyObjects, linkFiles, list, object, steps, text, unclean, type Seen, type Verdict, type Verdicts, type View } from './view.ts'

export interface Difference {
  /** The heading under which docs/divergences.md explains it. */
  name: string
  /** Peers that it concerns. */
  peers: readonly PeerName[]
  /** What we do where the peer does the opposite. */
  ours: 'accepts' | 'refuses'
  /** Whether the chain gives cause for it. */
  when: (view: View, peer: PeerName) => boolean
  /** What the refusing side says: one of our problems (code and text), or the peer's message. */
  says: RegExp
}

const both: readonly PeerName[] = ['python', 'go']
const some = (pattern: RegExp, names: readonly string[]): boolean => names.some((name) => pattern.test(name))

const known = {
  layout: ['_type', 'expires', 'readme', 'keys', 'steps', 'inspect'],
  step: ['_type', 'name', 'threshold', 'pubkeys', 'expected_command', 'expected_materials', 'expected_products'],
  inspection: ['_type', 'name', 'run', 'expected_materials', 'expected_products'],
  link: ['_type', 'name', 'materials', 'products', 'byproducts', 'command', 'environment'],
}

/** The parts of a payload with the members that each should have. */
function parts(payload: object): [Record<string, unknown>, readonly string[]][] {
  const top = payload as Record<string, unknown>
  if (top['_type'] === 'link') return [[top, known.link]]
  const inside = (member: string, names: readonly string[]): [Record<string, unknown>, readonly string[]][] =>
    list(top[member]).map((item) => [object(item), names])
  return [[top, known.layout], ...inside('steps', known.step), ...inside('inspect', known.inspection)]
}

const payloads = (view: View, format?: 'dsse' | 'metablock'): object[] =>
  view.files.flatMap((file) => (file.payload && (!format || file.format === format) ? [file.payload] : []))
const withUnknown = (payload: object): boolean =>
  parts(payload).some(([part, names]) => Object.keys(part).some((name) => !names.includes(name)))
const withMissing = (payload: object): boolean => parts(payload).some(([part, names]) => names.some((name) => !Object.hasOwn(part, name)))
const withNull = (payload: object): boolean => parts(payload).some(([part, names]) => names.some((name) => part[name] === null))

const nullDigest = (link: object): boolean =>
  [link['materials' as never], link['products' as never]].some((artifacts) => Object.values(object(artifacts)).includes(null))

/** The same key id twice in one file. */
const idTwice = (file: Seen): boolean => new Set(file.signatures.map((s) => s['keyid'])).size < file.signatures.length
const withoutId = (file: Seen): boolean => file.signatures.some((s) => s['keyid'] === undefined || s['keyid'] === '')

/** Patterns on which Go's matcher and Python's `fnmatch` part: backslashes, and brackets that Go finds malformed. */
function goReadsOtherwise(pattern: string): boolean {
  if (pattern.includes('\\') || (unclean(pattern) && pattern !== '')) return true
  for (let at = pattern.indexOf('['); at >= 0; at = pattern.indexOf('[', at + 1)) {
    const start = pattern[at + 1] === '!' ? at + 2 : at + 1
    const end = pattern.indexOf(']', start + 1)
    if (end < 0) return true
    const set = pattern.slice(start, end)
    if (set.startsWith('-') || set.endsWith('-') || set.startsWith(']') || set === '') return true
    at = end
  }
  return false
}

const patterns = (view: View): string[] => view.rules.flatMap((rule) => (rule[1] === undefined ? [] : [rule[1]]))
const sourcePrefixes = (view: View): string[] => view.rules.flatMap((rule) => (rule.length > 6 && /^in$/i.test(rule[2]!) ? [rule[3]!] : []))
const odd = (name: string): boolean => unclean(name) || name.includes('\\')

/** A P-384 or P-521 key, by the length of its PEM: that of P-256 has 124 characters of base64. */
function isLargeCurve(key: Record<string, unknown>): boolean {
  return String(object(key['keyval'])['public']).replace(/-----.*?-----|\s/g, '').length > 124
}

function keyListedTwice(view: View): boolean {
  return view.layouts.some((layout) => {
    const material = Object.values(object(layout['keys'])).map((key) => String(object(object(key)['keyval'])['public']).trim())
    return new Set(material).size < material.length
  })
}

const withBigInteger = (file: Seen): boolean => /900719925474099[23]/.test(JSON.stringify(file.payload ?? '') + file.text)
/** Whether a peer takes a link into account that is good here: not when it can't read it, or computes other signed bytes from it. */
const countsFor = (peer: PeerName, file: Seen): boolean =>
  file.loads[peer] &&
  !idTwice(file) &&
  !withoutId(file) &&
  !(peer === 'go' && withBigInteger(file)) &&
  !(file.format === 'metablock' && file.payload !== undefined && (withUnknown(file.payload) || withMissing(file.payload)))

/** A link that lies where another step's link is looked for. */
const misplaced = (file: Seen): boolean =>
  typeof file.payload?.['name'] === 'string' && !basename(file.path).startsWith(`${file.payload['name']}.`)
const looselyEncoded = (file: Seen): boolean =>
  file.signatures.some((s) => /\s/.test(text(s['sig']))) ||
  (file.format === 'dsse' && !/^[\w+/-]*={0,2}$/.test(text(file.envelope?.['payload'])))
/** Whether the key object stands for a key at all. */
function usable(key: Record<string, unknown>): boolean {
  try {
    keyidFor(key as unknown as Key, 'python')
    return true
  } catch {
    return false
  }
}
const ofBothKinds = (file: Seen): boolean =>
  file.envelope !== undefined && 'signed' in file.envelope && ('payload' in file.envelope || 'payloadType' in file.envelope)
/** Names in braces that look like parameters nobody gave a value to. */
function withoutValue(view: View): boolean {
  const { parameters } = view.chain.plan
  const used = view.rules.flat().flatMap((token) => [...token.matchAll(/\{([A-Za-z0-9_-]+)\}/g)].map((found) => found[1]!))
  return parameters !== undefined && used.some((name) => !Object.hasOwn(parameters, name))
}

/** The id inside the key object, or the one outside, belongs to another key. */
const keyAtOdds = ([id, key]: [string, Record<string, unknown>]): boolean =>
  (key['keyid'] !== undefined && key['keyid'] !== id) || !keyids(key as unknown as Key).includes(id)

export const differences: readonly Difference[] = [
  // We refuse what a peer accepts.
  {
    name: 'link-of-another-step',
    peers: both,
    ours: 'refuses',
    when: (view) => linkFiles(view).some(misplaced),
    says: /is a link of the step/,
  },
  {
    name: 'key-under-two-ids',
    peers: both,
    ours: 'refuses',
    when: keyListedTwice,
    says: /E_MISSING_STEP .* needed|E_ACTOR .* under another id of the same key/,
  },
  { name: 'both-envelopes', peers: both, ours: 'refuses', when: (view) => view.files.some(ofBothKinds), says: /members of both formats/ },
  {
    name: 'member-twice',
    peers: both,
    ours: 'refuses',
    when: (view) => view.files.some((file) => file.text.split('"signatures":').length > 2),
    says: /stands twice/,
  },
  {
    name: 'threshold',
    peers: both,
    ours: 'refuses',
    when: (view) => steps(view).some((s) => !Number.isInteger(s['threshold']) || Number(s['threshold']) < 1),
    says: /threshold: expected a positive integer/,
  },
  {
    name: 'type-of-a-step',
    peers: both,
    ours: 'refuses',
    when: (view) => steps(view).some((s) => s['_type'] !== 'step'),
    says: /steps\[\d+\]\._type/,
  },
  {
    name: 'names-of-steps',
    peers: both,
    ours: 'refuses',
    when: (view) => steps(view).some((s) => /^\.{0,2}$|[/\\\0]/.test(String(s['name']))),
    says: /a name without/,
  },
  {
    name: 'key-ids-at-odds',
    peers: both,
    ours: 'refuses',
    when: (view) => keyObjects(view).some(keyAtOdds),
    says: /id under which the key is listed/,
  },
  {
    name: 'weak-digests',
    peers: both,
    ours: 'refuses',
    when: (view) => view.chain.marks.includes('digest without strength'),
    says: /E_RULE|E_TAMPER|E_THRESHOLD/,
  },
  { name: 'colliding-names', peers: both, ours: 'refuses', when: (view) => view.names.some(unclean), says: /one file under two names/ },
  {
    name: 'expires-assumed',
    peers: ['python'],
    ours: 'refuses',
    when: (view) => view.layouts.some((layout) => !layout['expires']),
    says: /layout\.expires/,
  },
  { name: 'members-assumed', peers: both, ours: 'refuses', when: (view) => payloads(view).some(withMissing), says: /found nothing/ },
  {
    name: 'first-link-decides',
    peers: ['python'],
    ours: 'refuses',
    when: (view) => steps(view).some((s) => s['threshold'] === 1),
    says: /E_THRESHOLD .* disagree/,
  },
  {
    name: 'uncounted-link',
    peers: both,
    ours: 'refuses',
    when: (view, peer) => linkFiles(view).some((file) => file.loadsHere && !countsFor(peer, file)),
    says: /E_THRESHOLD .* disagree|links\/[^/]+\/[^/]+\.link/,
  },
  {
    name: 'unsigned-members',
    peers: ['python'],
    ours: 'refuses',
    when: (view) => payloads(view, 'metablock').some(withUnknown),
    says: /E_SIGNATURE|E_LAYOUT_SIGNATURE/,
  },
  {
    name: 'hidden-files',
    peers: ['python'],
    ours: 'refuses',
    when: (view) => some(/\.link|~$|\.pyc$|^\.git\//, Object.keys(view.chain.plan.work)),
    says: /E_RULE .*(\.link|~|\.pyc|\.git)/,
  },
  {
    name: 'lenient-encodings',
    peers: both,
    ours: 'refuses',
    when: (view) => view.files.some(looselyEncoded),
    says: /SIGNATURE|E_FORMAT .*(base64|hex)/,
  },
  {
    name: 'broken-keys',
    peers: both,
    ours: 'refuses',
    when: (view) => keyObjects(view).some(([, key]) => !usable(key)),
    says: /E_LAYOUT_INVALID .*keys/,
  },
  {
    name: 'layout-not-validated',
    peers: ['go'],
    ours: 'refuses',
    when: (view) => view.files.some((file) => !file.loadsHere && !file.loads.python && file.loads.go),
    says: /E_LAYOUT_INVALID/,
  },
  {
    name: 'digest-not-hex',
    peers: ['go'],
    ours: 'refuses',
    when: (view) => linkFiles(view).some((file) => !file.loads.python && file.loads.go),
    says: /string of hex digits/,
  },
  {
    name: 'null-artifacts',
    peers: ['go'],
    ours: 'refuses',
    when: (view) => view.links.some(withNull) || view.links.some(nullDigest),
    says: /expected an object, found null/,
  },
  { name: 'parameters', peers: both, ours: 'refuses', when: withoutValue, says: /E_CONFIG .*no value for the parameter/ },
  { name: 'optional-prefix', peers: ['go'], ours: 'refuses', when: (view) => sourcePrefixes(view).length > 0, says: /E_RULE|E_TAMPER/ },
  { name: 'patterns', peers: ['go'], ours: 'refuses', when: (view) => patterns(view).some(goReadsOtherwise), says: /E_RULE|E_TAMPER/ },
  { name: 'clean-names', peers: ['go'], ours: 'refuses', when: (view) => view.names.some(unclean), says: /E_RULE|E_TAMPER/ },

  {
    name: 'invalid-utf-8',
    peers: ['go'],
    ours: 'refuses',
    when: (view) => view.files.some((file) => file.text.includes('\ufffd')),
    says: /not well-formed UTF-8/,
  },
  {
    name: 'empty-sublayout',
    peers: both,
    ours: 'refuses',
    when: (view) => view.layouts.some((layout) => list(layout['steps']).length === 0),
    says: /has no steps/,
  },
  {
    name: 'signature-without-id',
    peers: both,
    ours: 'refuses',
    when: (view) => linkFiles(view).some(withoutId),
    says: /E_ACTOR|E_SIGNATURE/,
  },

  // We accept what a peer refuses.
  {
    name: 'unknown-key-types',
    peers: ['python'],
    ours: 'accepts',
    when: (view) => keyObjects(view).some(([, key]) => !usable(key)),
    says: /Unsupported public key/,
  },
  {
    name: 'malformed-signature',
    peers: ['python'],
    ours: 'accepts',
    when: (view) =>
      view.files.some(
        (file) => file.loadsHere && file.signatures.some((s) => typeof s['sig'] !== 'string' || typeof s['keyid'] !== 'string'),
      ),
    says: /signature dict|KeyError/,
  },
  { name: 'optional-prefix', peers: ['go'], ours: 'accepts', when: (view) => sourcePrefixes(view).length > 0, says: /REQUIRE/ },
  {
    name: 'link-of-another-step',
    peers: both,
    ours: 'accepts',
    when: (view) => linkFiles(view).some(misplaced),
    // Left out here; there it counts, and contradicts the others (Go) or is the first and is looked at alone (Python).
    says: /different artifacts|^RuleVerificationError/,
  },
  {
    name: 'key-ids',
    peers: both,
    ours: 'accepts',
    when: (view, peer) => !view.rootSigned[peer],
    says: /ignature|signed|requires|hex|base64/,
  },
  {
    name: 'bad-link',
    peers: both,
    ours: 'accepts',
    when: (view, peer) => linkFiles(view).some((file) => !file.loadsHere || !file.loads[peer]),
    says: /./,
  },
  {
    name: 'first-signature-decides',
    peers: both,
    ours: 'accepts',
    when: (view) => view.files.some(idTwice),
    says: /ignature|signed|requires/,
  },
  { name: 'signature-without-id', peers: both, ours: 'accepts', when: (view) => view.files.some(withoutId), says: /keyid|ignature/ },
  { name: 'null-lists', peers: ['python'], ours: 'accepts', when: (view) => payloads(view).some(withNull), says: /NoneType|FormatError/ },
  {
    name: 'clean-names',
    peers: both,
    ours: 'accepts',
    when: (view) => view.names.some(unclean),
    says: /REQUIRE|DISALLOW|disallowed|different artifacts/,
  },
  { name: 'backslashes', peers: both, ours: 'accepts', when: (view) => view.names.some(odd), says: /KeyError|REQUIRE|DISALLOW|disallowed/ },
  { name: 'patterns', peers: ['go'], ours: 'accepts', when: (view) => patterns(view).some(goReadsOtherwise), says: /disallowed|REQUIRE/ },
  {
    name: 'unknown-members',
    peers: ['go'],
    ours: 'accepts',
    when: (view) => payloads(view, 'dsse').some(withUnknown),
    says: /unknown field|requires/,
  },
  {
    name: 'format-strings',
    peers: ['python'],
    ours: 'accepts',
    when: (view) => view.chain.plan.parameters !== undefined && view.rules.flat().some((token) => /[{}]/.test(token)),
    says: /KeyError|ValueError|IndexError|AttributeError|disallow|REQUIRE/i,
  },
  {
    name: 'key-without-id',
    peers: both,
    ours: 'accepts',
    when: (view) => keyObjects(view).some(([, key]) => key['keyid'] === undefined),
    says: /public key|ignature|keyid/,
  },
  {
    name: 'globs-in-step-names',
    peers: ['go'],
    ours: 'accepts',
    when: (view) => steps(view).some((s) => /[*?[\\]/.test(String(s['name']))),
    says: /requires|pattern/,
  },
  {
    name: 'links-of-inspections',
    peers: ['go'],
    ours: 'accepts',
    when: (view) => view.layouts.some((layout) => list(layout['inspect']).length > 1),
    says: /Inspection .*inspect-\d+\.link/,
  },
  {
    name: 'aliased-key-types',
    peers: ['go'],
    ours: 'accepts',
    says: /requires|ignature/,
    when: (view) => keyObjects(view).some(([, key]) => String(key['keytype']).startsWith('ecdsa-sha2-')),
  },
  {
    name: 'curve-labels',
    peers: ['python'],
    ours: 'accepts',
    says: /requires|ignature/,
    when: (view) => keyObjects(view).some(([, key]) => key['scheme'] === 'ecdsa-sha2-nistp256' && isLargeCurve(key)),
  },
  {
    name: 're-serialised',
    peers: ['go'],
    ours: 'accepts',
    says: /ignature/,
    when: (view) =>
      keyObjects(view).some(([, key]) => key['keyid_hash_algorithms'] === undefined || object(key['keyval'])['private'] !== undefined),
  },
  {
    name: 'big-integers',
    peers: ['go'],
    ours: 'accepts',
    when: (view) => view.files.some(withBigInteger),
    says: /ignature|requires/,
  },
  {
    name: 'members-missing',
    peers: both,
    ours: 'accepts',
    when: (view) => payloads(view).some(withMissing),
    says: /required field|ignature|signed|requires/,
  },
]

/** Whether the problem speaks of a file that this peer does not read either, or of one that nobody is asked for. */
function isAside(problem: string, view: View, peer: PeerName): boolean {
  const file = linkFiles(view).find(({ path }) => problem.includes(`${path}:`) || problem.includes(`${path} `))
  return problem.includes('.deadbeef.link') || (/counts as absent/.test(problem) && file !== undefined && !file.loads[peer])
}

/** The step of the link file that a problem names. */
const stepOf = (problem: string): string | undefined => /([^/]+)\.[0-9a-f]{8}\.link/.exec(problem)?.[1]

/** Our own reasons for a refusal. That a link counts as absent explains that one is missing, and that a bad one of its step is told. */
function reasons(ours: Verdict, view: View, peer: PeerName): string[] {
  const told = ours.problems.filter((problem) => !isAside(problem, view, peer))
  const absent = told.filter((problem) => /counts as absent/.test(problem))
  const errors = told.filter((problem) => !problem.startsWith('warning'))
  const follows = (problem: string): boolean =>
    /E_MISSING_STEP .* (found|needed)/.test(problem) ||
    (problem.startsWith('E_SIGNATURE ') && absent.some((other) => stepOf(other) === stepOf(problem)))
  return [...errors.filter((problem) => absent.length === 0 || !follows(problem)), ...absent]
}

/** The names that explain why this peer differs from us; undefined when there is more to it than they explain. */
export function explain(view: View, verdicts: Verdicts, peer: PeerName): string[] | undefined {
  const side = verdicts.ours.ok ? 'accepts' : 'refuses'
  const causes = differences.filter(
    (difference) => difference.ours === side && difference.peers.includes(peer) && difference.when(view, peer),
  )
  const said = verdicts.ours.ok ? verdicts[peer].problems : reasons(verdicts.ours, view, peer)
  const found = said.map((problem) => causes.find((difference) => difference.says.test(problem))?.name)
  return found.includes(undefined) || found.length === 0 ? undefined : [...new Set(found as string[])]
}
