/**
 * Whose bytes a tarball holds: each packed file against what the package step read, and against what the steps before have left. A link names files as
 * they lay before the client started, and scripts around packing may change them and change them back. `checkCompleteness` calls it. Portable.
 */
import { problem, utf8, type Artifacts, type Link, type Problem } from 'intoto'
import { printable, type Archive } from '../archive.ts'

/** A tarball whose files are hashed, and the folder that its files are named below. */
export interface Packed {
  readonly top: string
  /** SHA-256 by the name below the top folder. */
  readonly files: ReadonlyMap<string, string>
  /** Of package.json as it was before a client has rewritten it, where that is told. */
  readonly original: string | undefined
}

/** The steps up to the one that packed, in order. */
export interface Making {
  readonly link: Link
  readonly before: readonly Link[]
}

/**
 * The link of the step that packed a tarball, and those before it. A later step that has read or only moved the file did not make it.
 */
export function makingOf(chain: readonly Link[], sha256: string): Making | undefined {
  const holds = (side: Artifacts): boolean => Object.values(side).some((digests) => digests['sha256'] === sha256)
  const having = chain.filter(({ products }) => holds(products))
  const link = having.find(isPacking) ?? having.find(({ materials }) => !holds(materials)) ?? having[0]
  return link === undefined ? undefined : { link, before: chain.slice(0, chain.indexOf(link)) }
}

/** Did a client pack here, rather than a program that may make a package of anything? */
export function isPacking({ command, byproducts }: Link): boolean {
  return command.slice(1).includes('pack') || typeof byproducts['client'] === 'string'
}

/** The tarball of a link, hashed. */
export function packedOf({ top, files }: Archive, link: Link, sha256: (bytes: Uint8Array) => string): Packed {
  const text = link.byproducts['manifest']
  return {
    top,
    files: new Map(files.map(({ name, bytes }) => [name.slice(top.length + 1), sha256(bytes)])),
    original: typeof text === 'string' ? sha256(utf8(text)) : undefined,
  }
}

/**
 * The folder that links name the package's files below: `packages/app/` in a workspace whose root is the base. That of the package.json that was packed;
 * where copies of it lie, the one beside which most packed files are named, nearest to the root.
 */
export function baseOf({ link, before }: Making, { files, original }: Packed): string {
  const sides = [link.materials, ...before.map(({ products }) => products)]
  const known = [files.get('package.json'), original].filter((digest) => digest !== undefined)
  const manifests = (side: Artifacts): string[] => Object.keys(side).filter((name) => /(?:^|\/)package\.json$/.test(name))
  const found = sides.flatMap((side) => manifests(side).filter((name) => known.includes(own(side, name) ?? '')))
  const bases = [...new Set((found.length > 0 ? found : manifests(link.materials)).map((name) => name.slice(0, -'package.json'.length)))]
  const nearest = bases.sort((a, b) => a.split('/').length - b.split('/').length)
  const named = (base: string): number =>
    [...files.keys()].filter((name) => sides.some((side) => own(side, base + name) !== undefined)).length
  const counted = nearest.slice(0, mostBases).map((base) => ({ base, count: named(base) }))
  return counted.reduce((best, one) => (one.count > best.count ? one : best), { base: '', count: 0 }).base
}

const mostBases = 64

/** Does a link name files as the package step does? In a workspace the package.json of one folder is not that of another. */
export function isSameProject(link: Link, making: Making, base: string): boolean {
  const manifest = `${base}package.json`
  const theirs = own(link.products, manifest) ?? own(link.materials, manifest)
  const ours = own(making.link.materials, manifest)
  return theirs === undefined || ours === undefined || theirs === ours
}

/** Packed files that are other bytes than the links have, and those that no link has. Of package.json only the second is asked: clients rewrite it. */
export function foreignFiles(packed: Packed, making: Making, base: string): Problem[] {
  if (!isPacking(making.link) || isBare(making)) return []
  const left = leftBefore(making, base)
  const [changed, unknown]: [Changed[], string[]] = [[], []]
  for (const [name, digest] of packed.files) {
    const read = own(making.link.materials, base + name)
    const known = read === undefined ? undefined : { digest: read, step: making.link.name, how: 'read' }
    const all = [known, left.get(base + name)].filter((one) => one !== undefined)
    const other = all.find((one) => one.digest !== digest)
    if (own(making.link.products, base + name) === digest) continue // the step tells of it: rules say whether it may
    if (all.length === 0 && !isEvidence(name, making.before)) unknown.push(name)
    else if (other !== undefined && name !== 'package.json') changed.push({ name, packed: digest, ...other })
  }
  return [...changedProblem(changed, packed, making.link), ...unknownProblem(unknown, packed, making.link)]
}

/** A packed file, and what a step has left or read under its name. */
interface Changed extends Recorded {
  readonly name: string
  readonly packed: string
}

interface Recorded {
  readonly digest: string
  readonly step: string
  readonly how: string
}

function changedProblem([first, ...rest]: readonly Changed[], { top }: Packed, link: Link): Problem[] {
  if (first === undefined) return []
  const [file, step] = [`${top}/${first.name}`, printable(first.step)]
  return [
    problem({
      code: 'E_PRODUCT',
      file,
      step: link.name,
      message: `${printable(file)}: the tarball holds other bytes than "${step}" ${first.how}${more(rest)}`,
      expected: { text: first.digest, label: `${step} ${first.how}` },
      actual: { text: first.packed, label: 'packed' },
      cause: 'a script around packing changed it: "prepack", "prepare" or "postpack"',
      fix: 'let no script change files while packing, and pack again: "intoto pack" compares',
    }),
  ]
}

function unknownProblem([first, ...rest]: readonly string[], { top, files }: Packed, link: Link): Problem[] {
  if (first === undefined) return []
  const [file, step] = [`${top}/${first}`, printable(link.name)]
  return [
    problem({
      code: 'E_PRODUCT',
      file,
      step: link.name,
      message: `${printable(file)}: it is in the tarball, and no link tells of it${more(rest)}`,
      actual: { text: files.get(first) ?? '', label: 'packed' },
      fix: ['pack with "intoto pack", which records every packed file', `record it: intoto run -n ${step} -m ${printable(first)} …`],
    }),
  ]
}

function more({ length }: readonly unknown[]): string {
  return length === 0 ? '' : ` (and ${length} more)`
}

/** No link names anything but what was packed: a chain that says nothing of files, by a layout that asks for nothing. */
function isBare({ link, before }: Making): boolean {
  const isTarball = (name: string): boolean => /\.(?:tgz|tar\.gz)$/.test(name)
  return [link, ...before].every(({ materials, products }) => [materials, products].every((side) => Object.keys(side).every(isTarball)))
}

/** What a file was when packing began: as the package step has read it, else as a step before has left it. */
export function digestBefore(making: Making, base: string, name: string): string | undefined {
  const read = own(making.link.materials, base + name)
  return read ?? (isPacking(making.link) ? leftBefore(making, base).get(base + name)?.digest : undefined)
}

/** What the steps before packing have left, by name. */
function leftBefore(making: Making, base: string): Map<string, Recorded> {
  const left = new Map<string, Recorded>()
  for (const link of making.before) {
    if (!isSameProject(link, making, base)) continue
    for (const name of Object.keys(link.products)) {
      const digest = own(link.products, name)
      if (digest !== undefined) left.set(name, { digest, step: link.name, how: 'left' })
    }
  }
  return left
}

/** A link of a step before, packed along with what it is about: no recorder lists it, since it is written when all is recorded. */
function isEvidence(name: string, before: readonly Link[]): boolean {
  const [, step] = /(?:^|\/)([^/]+)\.[0-9a-f]{8}\.link$/.exec(name) ?? []
  return step !== undefined && before.some((link) => link.name === step)
}

/** SHA-256 of an artifact. */
function own(side: Artifacts, name: string): string | undefined {
  return Object.hasOwn(side, name) ? side[name]?.['sha256'] : undefined
}
