/**
 * Verification summaries (SLSA VSA v1): the verdict of a verification as one Statement, for consumers who see neither layout nor links. Commands make
 * it from a Report and sign it. It never says more than the Report: no SLSA level is claimed, since none was evaluated, and what was verified only
 * in part gets no summary at all.
 */
import { InTotoError, parseStatement, statementType, type DigestSet, type Report, type ResourceDescriptor, type Statement } from 'intoto'
import { layoutVerifierId } from './identifier.ts'
import { time } from './package.ts'

/** Type of the predicate. */
export const summaryPredicateType = 'https://slsa.dev/verification_summary/v1'

/** What a Report is about, beyond what stands in it. Digests are lower-case hex. */
export interface Summary {
  report: Report
  /** What was judged: the tarball by purl, sha512 and sha256. */
  subject: ResourceDescriptor & { digest: DigestSet }
  /** Where consumers get it; the subject's name unless given. */
  resourceUri?: string
  /** sha256 of the layout's file, and where it can be had. */
  layout: { sha256: string; uri?: string }
  /** sha256 of each link file that counted, under the name that the Report has for it. */
  links: Readonly<Record<string, string>>
  /** When it was verified, by the clock. The Report's time unless given, which is not that where somebody had it judged as of another. */
  timeVerified?: string
  /** Who verified; ours unless given. Consumers accept pairs of signer and verifier. */
  verifierId?: string
  /** Component to version. */
  verifierVersion?: Readonly<Record<string, string>>
}

/**
 * The summary of a verification, unsigned: PASSED only for a Report that is ok, whole, and looked at the product.
 * @throws InTotoError E_CONFIG: a partial Report, one that looked at no product, or a link without digest
 */
export function verificationSummary(o: Summary): Statement {
  const { report, subject } = o
  if (report.partial !== undefined)
    throw refusal(`only the steps up to "${report.partial.through}" were verified`, 'verify the whole layout')
  if (report.product === undefined) throw refusal('no file was judged, only links among themselves', 'name the product that is verified')
  const predicate = {
    verifier: { id: o.verifierId ?? layoutVerifierId, ...(o.verifierVersion === undefined ? {} : { version: { ...o.verifierVersion } }) },
    ...time('timeVerified', o.timeVerified ?? report.time),
    resourceUri: o.resourceUri ?? subject.name ?? subject.uri ?? hashUri(subject.digest['sha256'] ?? ''),
    policy: { uri: o.layout.uri ?? hashUri(o.layout.sha256), digest: { sha256: o.layout.sha256 } },
    inputAttestations: [...counted(report)].map((file) => inputOf(file, o.links)),
    verificationResult: report.ok ? 'PASSED' : 'FAILED',
    verifiedLevels: [report.ok ? 'SLSA_BUILD_LEVEL_UNEVALUATED' : 'FAILED'],
  }
  return parseStatement({ _type: statementType, subject: [subject], predicateType: summaryPredicateType, predicate })
}

/** Every link that counted, those of sublayouts included: the list has to be complete. */
function counted(report: Report): Set<string> {
  const files = new Set<string>()
  for (const step of report.steps) {
    for (const link of step.links) if (link.counted) files.add(link.file)
    if (step.sublayout !== undefined) for (const file of counted(step.sublayout)) files.add(file)
  }
  return files
}

/** By base name: where it lay on the verifier's disk is nobody's business. */
function inputOf(file: string, links: Readonly<Record<string, string>>): ResourceDescriptor {
  const sha256 = Object.hasOwn(links, file) ? links[file] : undefined
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256))
    throw refusal(`the sha256 of link ${file} is not known`, 'give the digest of every link that counted')
  return { name: file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1), uri: hashUri(sha256), digest: { sha256 } }
}

/** Names bytes by their digest where they have no address (RFC 6920). */
function hashUri(sha256: string): string {
  return `ni:///sha-256;${Buffer.from(sha256, 'hex').toString('base64url')}`
}

function refusal(reason: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message: `no verification summary: ${reason}`, fix })
}
