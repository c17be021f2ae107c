/**
 * What a link says beside materials and products: who bundled, how much of the build could be seen, which commit. Times and hosts belong here
 * and nowhere else in a link, so that two honest builds agree on their products. No floats, no absolute paths, no value of a variable that was
 * not asked for.
 */
import { readFileSync } from 'node:fs'
import { InTotoError, type JsonObject, type JsonValue } from 'intoto'
import type { FileDigest } from 'intoto/node'
import { dependenciesOf } from './dependency.ts'
import type { Consumed } from './guard.ts'
import { virtualName } from './id.ts'
import { nameOf } from './place.ts'
import type { Session } from './session.ts'

/** Byproducts of a build that ended well. */
export function byproductsOf(session: Session, consumed: Consumed, products: ReadonlyMap<string, FileDigest>): JsonObject {
  const { root, records, git, options } = session
  const roots = [root.real, root.given]
  const began = Math.min(...records.map((run) => run.began))
  const byproducts = Object.create(null) as JsonObject
  byproducts['return-value'] = 0
  for (const { notes } of records) for (const [name, value] of notes) byproducts[name] = value
  byproducts['plugin'] = { name: 'unplugin-in-toto', version: version() }
  byproducts['node'] = process.versions.node
  byproducts['coverage'] = sorted(records.flatMap(({ coverage }) => [...coverage]))
  byproducts['virtual'] = sorted(records.flatMap(({ virtual }) => [...virtual].map((id) => virtualName(id, roots))))
  byproducts['duration-ms'] = Math.round(performance.now() - began)
  if (git.dirty !== undefined) byproducts['source'] = { ...(git.commit === undefined ? {} : { commit: git.commit }), dirty: git.dirty }
  if (Object.keys(consumed.generated).length > 0) byproducts['generated'] = consumed.generated
  if (consumed.overwritten.length > 0) byproducts['overwritten'] = sorted(consumed.overwritten)
  if (Object.keys(consumed.untracked).length > 0) byproducts['untracked'] = consumed.untracked
  if (consumed.unsettled.length > 0) byproducts['unsettled'] = sorted(consumed.unsettled)
  Object.assign(byproducts, dependenciesOf(session))
  if (options.sha512) byproducts['sha512'] = { materials: consumed.sha512, products: sha512Of(session, products) }
  return byproducts
}

/**
 * Environment of the link: the variables that were asked for, as the specification writes them (4.3.3).
 * @throws InTotoError E_CONFIG for a value that looks like a secret
 */
export function environmentOf(names: readonly string[], env: NodeJS.ProcessEnv): JsonObject {
  const variables = names.flatMap((name) => (env[name] === undefined ? [] : [`${name}=${checked(name, env[name])}`]))
  return variables.length === 0 ? {} : { variables }
}

/** Shapes of well-known tokens and keys. */
const secretShapes: readonly RegExp[] = [
  /-----BEGIN /,
  /\bgh[opsur]_[A-Za-z0-9]{20,}/,
  /\bgithub_pat_\w{20,}/,
  /\bglpat-[\w-]{15,}/,
  /\bnpm_[A-Za-z0-9]{30,}/,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\bxox[abeprs]-[\w-]{10,}/,
  /\bsk[-_](?:live|test|proj|ant)[-_][\w-]{10,}/,
  /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}/,
  /:\/\/[^/\s:@]+:[^/\s@]+@/,
]

function checked(name: string, value: string): string {
  if (!secretShapes.some((shape) => shape.test(value))) return value
  const fix = 'take it out of the option env: a link is read by everybody'
  throw new InTotoError({ code: 'E_CONFIG', message: `option "env": the value of ${name} looks like a secret`, fix })
}

function sha512Of(session: Session, products: ReadonlyMap<string, FileDigest>): JsonObject {
  const digests = Object.create(null) as JsonObject
  for (const [path, { sha512 }] of products) if (sha512 !== undefined) digests[nameOf(session.root, path)] = sha512
  return digests
}

function sorted(values: readonly string[]): JsonValue[] {
  return [...new Set(values)].sort()
}

let own: string | undefined

function version(): string {
  own ??= (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version
  return own
}
