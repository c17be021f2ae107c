/** Links, for `intoto doctor`: do they still speak of what is there, will a verifier find them under the ids of the layout, and where do they go. */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Key, keyidFor, type Layout, type Link, linkFileName } from 'intoto'
import { count } from '../formats/phrase.ts'
import { faulty, type Finding, finding } from './finding.ts'
import { path, word } from './shell.ts'
import { listedIds, type SeenLink, type Situation } from './situation.ts'

/** Every link that was found. */
export function checkLinks(s: Situation): Finding[] {
  return s.links.flatMap((link) => {
    if (link.fault !== undefined) return [faulty('link-broken', link.file, link.fault, 'record the step again')]
    if (link.metadata === undefined) return []
    return [...signed(link, s.layout?.payload), ...stale(link, link.metadata.payload, s)]
  })
}

/** Key ids in a link's signatures, and those under which the layout lists the key. */
interface Ids {
  readonly ids: readonly string[]
  readonly listed: readonly string[]
}

/** A link is looked for under the ids that the layout gives its functionaries: by its file name, and in its signature. */
function signed({ file, metadata, signer }: SeenLink, layout: Layout | undefined): Finding[] {
  const step = metadata?.payload.name ?? ''
  if (layout === undefined || !layout.steps.some(({ name }) => name === step)) return []
  if (signer === undefined) {
    const message = `no key that the layout names for "${step}" has signed this link`
    return [
      finding('link-actor', file, message, [
        'build again with a key that may',
        `or npx intoto layout renew --add-functionary ${word(`${step}=KEY.pub`)} --sign-with OWNER`,
      ]),
    ]
  }
  const listed = listedIds(layout, step, signer)
  const ids = metadata?.signatures.map(({ keyid }) => keyid) ?? []
  if (listed.some((id) => ids.includes(id) && basename(file) === linkFileName(step, id))) return []
  return [finding('link-key-id', file, idMessage(step, { ids, listed }), idFix(file, step, signer, { ids, listed }))]
}

function idMessage(step: string, o: Ids): string {
  const known = o.listed.find((id) => o.ids.includes(id))
  const short = (some: readonly string[]): string => some.map((id) => id.slice(0, 8)).join(', ')
  return known === undefined
    ? `filed under key id ${short(o.ids)}, while the layout lists that key as ${short(o.listed)}: no verifier finds this link`
    : `bears a name under which no verifier looks for it: links of "${step}" by that key are ${linkFileName(step, known)}`
}

function idFix(file: string, step: string, key: Key, o: Ids): string[] {
  const known = o.listed.find((id) => o.ids.includes(id))
  if (known !== undefined) return [`mv ${path(file)} ${path(join(dirname(file), linkFileName(step, known)))}`]
  const style = (['python', 'go', 'devguard'] as const).find((one) => o.listed.includes(keyidFor(key, one)))
  if (style === undefined) return ['list the key in the layout under an id that "npx intoto key show" prints']
  const target = join(dirname(file), linkFileName(step, keyidFor(key, style)))
  const again = `record with --keyid-style ${style} (in the bundler’s configuration: keyidStyle: '${style}')`
  if (style === 'devguard') return [again]
  const signed = `npx intoto sign -f ${path(file)} -k KEY --keyid-style ${style} -o ${path(target)}`
  return [target === file ? signed : `${signed} && rm ${path(file)}`, `from now on ${again}`]
}

/** Products of a link that lies in an output folder should lie there, too. */
function stale(link: SeenLink, { products, name }: Link, s: Situation): Finding[] {
  if (!isInOutput(link.file)) return []
  const names = Object.keys(products)
  // Names are relative to the package, the workspace or the repository, whichever the build chose.
  const bases = ['.', s.project?.workspace, s.repository].filter((base) => base !== undefined)
  const gone = bases.map((base) => names.filter((product) => !existsSync(join(base, product)))).sort((a, b) => a.length - b.length)[0] ?? []
  if (gone.length === 0) return []
  const message = `speaks of ${count(names.length, 'product')}, of which ${gone.length === 1 ? 'one is' : `${gone.length} are`} not on disk: ${gone[0]}`
  return [finding('link-stale', link.file, message, [`rm ${path(link.file)}`, `then carry out the step "${name}" again`])]
}

/** Links of in-toto/ and of the working directory are evidence kept apart; those elsewhere lie among what was built. */
function isInOutput(file: string): boolean {
  return !['in-toto', '.'].includes(dirname(file))
}

/** What is deployed is seen by all: a link among it tells names and digests of all sources. */
export function checkDeployed({ links, project, bundlers }: Situation): Finding[] {
  const manifest = project?.manifest
  const isEntered = ['main', 'module', 'exports', 'bin'].some((member) => manifest?.[member] !== undefined)
  const isApplication = manifest !== undefined && (manifest.private === true || (manifest.files === undefined && !isEntered))
  const link = links.find(({ file, metadata }) => metadata !== undefined && isInOutput(file))
  if (!isApplication || link === undefined) return []
  const message = `whoever can fetch ${dirname(link.file)}/ can read this link, which names every source file`
  const where = bundlers.at(0)?.file ?? 'the bundler’s configuration'
  return [
    finding('link-deployed', link.file, message, [
      `in ${where}: inToto({ linkDir: 'in-toto' }), then rm ${path(link.file)}`,
      'if that is meant, or links are left out of what is deployed, all is well',
    ]),
  ]
}
