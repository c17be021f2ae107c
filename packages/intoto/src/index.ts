/**
 * The face of `intoto`: everything a program may import, portable to browsers and workers; `intoto/node` adds disk and processes. Only
 * re-exports live here.
 */
export { InTotoError, problem, type Evidence, type Problem, type ProblemCode, type ProblemInit, type RuleRef } from './errors.ts'
export { artifactName, cleanName, collisions, equalDigests, usableDigest, type Artifacts, type DigestMap } from './model/artifact.ts'
export { isLayout, parseExpires, parseLayout, type Inspection, type Layout, type Step } from './model/layout.ts'
export { createLink, isLink, isLinkFileName, linkFileName, parseLink, statementFileNames, type Link, type LinkInit } from './model/link.ts'
export { substituteParameters, type Parameters } from './model/parameter.ts'
export { compilePattern, matchPattern } from './model/pattern.ts'
export {
  formatRule,
  parseRule,
  parseRuleText,
  ruleTokens,
  type ArtifactRule,
  type MatchRule,
  type PatternRule,
  type RequireRule,
} from './model/rule.ts'
export type { Inspect, InspectContext, OddFile, ProductEvidence, VerifyOptions } from './verify/options.ts'
export {
  VerificationError,
  type LayoutReport,
  type LinkReport,
  type ProductReport,
  type Report,
  type RuleReport,
  type StepReport,
  type Who,
} from './verify/report.ts'
export { memoryLinks, type LinkFile, type LinkSource } from './verify/source.ts'
export { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from './encoding/bytes.ts'
export { canonicalJson } from './encoding/canonical.ts'
export { defaultLimits, emptyRecord, parseJson, stringifyJson, type JsonObject, type JsonValue, type Limits } from './encoding/json.ts'
export { importKey, keyidFor, keyids, keyMaterial, sameKey, toLayoutKey, verifySignature, type Key } from './keys/key.ts'
export {
  generateKeyPair,
  importSigner,
  importSignerSync,
  type KeyOptions,
  type KeyPairType,
  type Signer,
  type SignerOptions,
} from './keys/signer.ts'
export { addSignature, decodeMetadata, encodeMetadata, hasSignature, sign, signersOf, signSync } from './metadata/metadata.ts'
export type { DecodeOptions, Metadata, Payload, SignOptions } from './metadata/metadata.ts'
export type { Signature } from './metadata/signature.ts'
export {
  isStatement,
  matchDigestSet,
  parseStatement,
  statementType,
  type DigestSet,
  type ResourceDescriptor,
  type Statement,
} from './model/statement.ts'
export {
  fromStatement,
  linkPredicateType,
  provenancePredicateType,
  toProvenance,
  toStatement,
  type ProvenanceOptions,
} from './model/predicate.ts'
export { lintLayout, type LintOptions } from './model/lint.ts'
export { judge, verify } from './verify/verify.ts'
export { defineLayout, functionaryNames, npmLayout, webappLayout } from './model/preset.ts'
export type { Functionaries, InspectionInit, LayoutInit, NpmPreset, StepInit, WebappPreset } from './model/preset.ts'
export { reproducibleLayout, type ReproduciblePreset } from './model/builders.ts'
export { devguardLayout, devguardSteps, type DevGuardPreset } from './model/devguard.ts'
export { explainArtifact, type ArtifactLife, type ArtifactStage } from './verify/explain.ts'
export { learnLayout, type Learned, type LearnOptions } from './learn/learn.ts'
export type { ObservedLink, ObservedRun } from './learn/sight.ts'
export { diffLayouts, type LayoutDifference } from './model/difference.ts'
export { compareObserved, type ObservedFile } from './verify/observed.ts'
export { explainDiscrepancy, type Places } from './verify/discrepancy.ts'
export { compareLinks, reproductionProblems } from './verify/reproduce.ts'
export type { ArtifactDifference, Circumstance, Reproduction, ReproductionOptions } from './verify/reproduce.ts'
