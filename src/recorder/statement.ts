/**
 * The Statement beside a link (option `statement`): the same evidence in the attestation framework's words, for tools that read no links. Called
 * when a link is signed and when it is written or withdrawn. It adds nothing that the link does not hold but the time and who answers for it.
 */
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import {
  encodeMetadata,
  linkFileName,
  toProvenance,
  toStatement,
  type JsonObject,
  type Link,
  type Metadata,
  type ResourceDescriptor,
  type Statement,
} from 'intoto'
import { writeFileAtomic } from 'intoto/node'
import type * as Npm from 'intoto-npm'

const ending = '.intoto.jsonl'

/** `<step>.<keyid8>.intoto.jsonl`, next to the link of that step and key. */
export function statementPath(link: string): string {
  return link.slice(0, -'.link'.length) + ending
}

/** Is this exactly `<step>.<8 hex>.intoto.jsonl`, the name of this step's Statements? */
export function isStatementOf(step: string, name: string): boolean {
  if (!name.endsWith(ending)) return false
  const keyid = name.slice(step.length + 1, -ending.length)
  return /^[0-9a-fA-F]{8}$/.test(keyid) && name === linkFileName(step, keyid).slice(0, -'.link'.length) + ending
}

/**
 * What a link says, as the predicate that was asked for; products are its subjects, with SHA-512 too where the link's byproducts have it.
 * @throws InTotoError E_CONFIG for a link without products
 */
export function statementFor(link: Link, predicate: 'link' | 'slsa'): Statement {
  const statement = predicate === 'link' ? toStatement(link) : provenance(link)
  const sha512 = (link.byproducts['sha512'] as JsonObject | undefined)?.['products'] as { [name: string]: string } | undefined
  if (sha512 === undefined) return statement
  const subject = statement.subject.map((entry) => {
    const digest = sha512[entry.name ?? '']
    return digest === undefined ? entry : { ...entry, digest: { ...entry.digest, sha512: digest } }
  })
  return { ...statement, subject }
}

/** Nobody answers for the machine that a plugin runs on, so the builder is the unhosted one wherever that is. */
function provenance(link: Link): Statement {
  const { bundleBuildType, unhostedBuilderId } = createRequire(import.meta.url)('intoto-npm') as typeof Npm
  const { bundler, node, plugin, source, 'duration-ms': duration } = link.byproducts as { [name: string]: JsonObject | undefined }
  const packages = (link.byproducts['resolved-dependencies'] ?? []) as readonly ResourceDescriptor[]
  const finished = Date.now()
  return toProvenance(link, {
    builderId: unhostedBuilderId,
    buildType: bundleBuildType,
    externalParameters: { step: link.name, command: link.command },
    internalParameters: Object.assign(Object.create(null) as JsonObject, { bundler, node, plugin }),
    resolvedDependencies: [...commitOf(source), ...packages],
    startedOn: new Date(finished - Number(duration ?? 0)).toISOString(),
    finishedOn: new Date(finished).toISOString(),
  })
}

function commitOf(source: JsonObject | undefined): ResourceDescriptor[] {
  const commit = source?.['commit']
  if (typeof commit !== 'string') return []
  const algorithm = commit.length === 40 ? 'sha1' : 'sha256'
  return [
    { uri: `gitoid:commit:${algorithm}:${commit}`, digest: { gitCommit: commit }, annotations: { dirty: source?.['dirty'] === true } },
  ]
}

/**
 * Writes the one line of a signed Statement.
 * @throws InTotoError E_IO
 */
export function putStatement(path: string, statement: Metadata<Statement>): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileAtomic(path, Buffer.concat([encodeMetadata(statement), Buffer.from('\n')]))
}
