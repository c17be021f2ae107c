/** The lines that `intoto show` prints for signatures, layouts, links and Statements. Pure but for the check of signatures. */
import {
  type Artifacts,
  formatRule,
  functionaryNames,
  hasSignature,
  type Inspection,
  isLayout,
  isLink,
  type JsonValue,
  type Key,
  keyids,
  type Layout,
  type Link,
  type Metadata,
  parseRule,
  type Payload,
  type Statement,
  type Step,
  stringifyJson,
} from 'intoto'
import { commandLine, count, shortened } from './formats/phrase.ts'
import { type Colors, escape } from './terminal.ts'
import { type NamedKey, nameOf } from './trust.ts'

/** What the lines may know. */
export interface Showing {
  readonly names: ReadonlyMap<string, string>
  readonly verbose: boolean
}

/** Artifacts that are listed of each side unless --verbose. */
const mostArtifacts = 12

/** One line for each signature, one for each given key that has none; and whether all given keys have signed. */
export async function signatureLines(
  metadata: Metadata,
  o: { keys: readonly NamedKey[]; names: ReadonlyMap<string, string>; paint: Colors },
): Promise<{ lines: string[]; holds: boolean }> {
  const valid = new Map<Key, boolean>()
  for (const { key } of o.keys) valid.set(key, await hasSignature(metadata, key))
  const lines = metadata.signatures.map(({ keyid }) => {
    const known = o.keys.find(({ key }) => keyids(key).includes(keyid))
    const id = escape(keyid === '' ? '(no key id)' : keyid.slice(0, 8))
    const name = known?.name ?? o.names.get(keyid)
    const verdict =
      known === undefined ? 'not checked (give its key with -k)' : valid.get(known.key) ? o.paint.green('valid') : o.paint.red('NOT VALID')
    return `  signed by     ${name === undefined ? id : `${escape(name)} (${id})`}  ${verdict}`
  })
  const missing = o.keys.filter(({ key }) => !valid.get(key))
  const unseen = missing.filter(({ key }) => !metadata.signatures.some(({ keyid }) => keyids(key).includes(keyid)))
  if (metadata.signatures.length === 0) lines.push('  signed by     nobody')
  return {
    lines: [...lines, ...unseen.map(({ key, name }) => `  ${o.paint.red('not signed by')} ${nameOf(key, name)}`)],
    holds: missing.length === 0,
  }
}

/** What a payload says; the first line names it. */
export function payloadLines(payload: Payload, o: Showing): string[] {
  if (isLayout(payload)) return layoutLines(payload, o)
  return isLink(payload) ? linkLines(payload, o) : statementLines(payload, o)
}

function layoutLines(layout: Layout, o: Showing): string[] {
  const functionary = (id: string): string =>
    o.names.has(id) ? `${escape(o.names.get(id) ?? '')} (${escape(id.slice(0, 8))})` : escape(id.slice(0, 8))
  return [
    `layout, expires ${escape(layout.expires)}`,
    ...readmeLines(layout).map((line, i) => row(i === 0 ? 'readme' : '', escape(line))),
    ...Object.values(layout.keys).map((key) => row('key', `${functionary(key.keyid)}  ${schemeOf(key)}`)),
    ...layout.steps.flatMap((step) => [
      row(
        'step',
        `${escape(step.name)}  ${step.threshold} of ${step.pubkeys.map(functionary).join(', ')}${step.expected_command.length > 0 ? `, runs ${commandLine(step.expected_command)}` : ''}`,
      ),
      ...ruleLines(step),
    ]),
    ...layout.inspect.flatMap((inspection) => [
      row('inspection', `${escape(inspection.name)}  runs ${commandLine(inspection.run)}`),
      ...ruleLines(inspection),
    ]),
  ]
}

/** Keys of kinds that are unknown here stand in a layout as they are. */
function schemeOf(key: { readonly scheme?: unknown }): string {
  return typeof key.scheme === 'string' ? escape(key.scheme) : '(of an unknown kind)'
}

/** The readme without the lines that name functionaries, which are shown with their keys. */
function readmeLines(layout: Layout): string[] {
  const named = [...functionaryNames(layout)].map(([id, name]) => `${id} ${name}`)
  return (layout.readme ?? '').split('\n').filter((line) => line !== '' && !named.includes(line))
}

function ruleLines(item: Step | Inspection): string[] {
  return (['expected_materials', 'expected_products'] as const).flatMap((list) =>
    item[list].map(
      (tokens, i) => `    ${(i === 0 ? list.replace('expected_', '') : '').padEnd(11)} ${i + 1}  ${escape(formatRule(parseRule(tokens)))}`,
    ),
  )
}

function linkLines(link: Link, o: Showing): string[] {
  return [
    `link of step "${escape(link.name)}"`,
    row('command', commandLine(link.command) || '(none)'),
    ...artifactLines('materials', link.materials, o),
    ...artifactLines('products', link.products, o),
    ...memberLines('byproducts', link.byproducts, o),
    ...memberLines('environment', link.environment ?? {}, o),
  ]
}

function artifactLines(label: string, artifacts: Artifacts, o: Showing): string[] {
  const names = Object.keys(artifacts)
  const shown = o.verbose ? names : names.slice(0, mostArtifacts)
  const width = Math.max(0, ...shown.map((name) => Math.min(60, escape(name).length)))
  const digest = (name: string): string =>
    Object.entries(artifacts[name] ?? {})
      .map(([algorithm, hex]) => `${escape(algorithm)} ${escape(o.verbose ? hex : shortened(hex))}`)
      .join(', ')
  const left = names.length - shown.length
  return [
    row(label, String(names.length)),
    ...shown.map((name) => `    ${escape(name).padEnd(width)}  ${digest(name)}`),
    ...(left > 0 ? [`    … and ${left} more (-v shows all)`] : []),
  ]
}

/** Members of an object, each on a line; long ones are cut unless --verbose. */
function memberLines(label: string, members: { readonly [name: string]: unknown }, o: Showing): string[] {
  return Object.keys(members).map((name, i) => {
    const text = escape(stringifyJson(members[name] as JsonValue))
    const cut = o.verbose || text.length <= 100 ? text : `${text.slice(0, 100)}… (${count(text.length, 'character')})`
    return row(i === 0 ? label : '', `${escape(name)}: ${cut}`)
  })
}

function statementLines(statement: Statement, o: Showing): string[] {
  const subjects = statement.subject.map(({ name, uri, digest }) => {
    const digests = Object.entries(digest ?? {}).map(
      ([algorithm, hex]) => `${escape(algorithm)} ${escape(o.verbose ? hex : shortened(hex))}`,
    )
    return `${escape(name ?? uri ?? '_')}  ${digests.join(', ')}`
  })
  const shown = o.verbose ? subjects : subjects.slice(0, mostArtifacts)
  const left = subjects.length - shown.length
  return [
    `Statement, ${escape(statement.predicateType)}`,
    row('subject', String(subjects.length)),
    ...shown.map((subject) => `    ${subject}`),
    ...(left > 0 ? [`    … and ${left} more (-v shows all)`] : []),
    ...memberLines('predicate', statement.predicate ?? {}, o),
  ]
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(13)} ${text}`
}
