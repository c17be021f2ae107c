/**
 * The tarball and what a registry says of it, compared: the check after an upload, and that of a published package. It fetches nothing; each difference is
 * a problem of ours, not of the layout.
 */
import { createHash } from 'node:crypto'
import { problem, type Link, type Problem } from 'intoto'
import { printable } from 'intoto/node'
import { checkCompleteness } from './completeness.ts'
import { baseOf, packedOf } from './content.ts'
import { confusedMembers, packedManifest, plainVersion } from './manifest.ts'
import type { Published } from './registry.ts'
import type { Tarball } from '../tarball.ts'

/**
 * Problems of a tarball, by the links of the steps in layout order; see `checkCompleteness`.
 * @throws InTotoError E_FORMAT: the tarball has no package.json
 */
export function checkPackage(tarball: Tarball, chain: readonly Link[]): Problem[] {
  return checkCompleteness(tarball, chain, sha256Of)
}

/** The folder that a link names the files of its tarball below, `packages/app`; `.` where names start from the package. */
export function packageFolder(tarball: Tarball, link: Link): string {
  return baseOf({ link, before: [] }, packedOf(tarball, link, sha256Of)).replace(/\/$/, '') || '.'
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Where what is served differs from the tarball that was meant: whose it is, its bytes, its digest, and what installers are told. */
export function compareServed(tarball: Tarball, served: Published): Problem[] {
  const what = printable(`${served.name}@${served.version}`)
  const problems = identityProblems(tarball, served)
  const bytes = served.tarball
  if (served.integrity !== tarball.integrity || !sameBytes(bytes, tarball)) {
    problems.push(
      problem({
        code: 'E_PRODUCT',
        message: `${what}: the registry serves another tarball than the one that was verified`,
        expected: { text: tarball.integrity, label: 'verified' },
        actual: { text: served.integrity ?? 'no integrity', label: 'registry' },
        fix: ['deprecate or unpublish that version', 'and find out who uploaded it, with whose token'],
      }),
    )
  }
  const manifest = packedManifest(tarball)
  for (const member of confusedMembers(
    manifest,
    served.manifest,
    tarball.files.map(({ name }) => name.slice(tarball.top.length + 1)),
  )) {
    problems.push(
      problem({
        code: 'E_PRODUCT',
        message: `${what}: the registry tells installers another ${JSON.stringify(member)} than package.json in the tarball has`,
        expected: { text: excerpt(manifest[member]), label: 'tarball' },
        actual: { text: excerpt(served.manifest[member]), label: 'registry' },
        fix: ['deprecate or unpublish that version; installers follow the registry', 'publish the tarball itself: intoto publish'],
      }),
    )
  }
  return problems
}

/** A registry that answers with another package or version than it was asked for gets no yes for it. */
function identityProblems(tarball: Tarball, served: Published): Problem[] {
  const { name, version } = packedManifest(tarball)
  if (name === served.name && typeof version === 'string' && plainVersion(version) === plainVersion(served.version)) return []
  return [
    problem({
      code: 'E_PRODUCT',
      message: `${printable(`${served.name}@${served.version}`)}: the registry serves another package under this name and version`,
      actual: { label: 'package.json', text: printable(`${String(name)}@${String(version)}`) },
      fix: 'do not install it; tell the registry',
    }),
  ]
}

function sameBytes(bytes: Uint8Array, tarball: Tarball): boolean {
  return createHash('sha512').update(bytes).digest('hex') === tarball.sha512
}

function excerpt(value: unknown): string {
  return printable((JSON.stringify(value) ?? 'absent').slice(0, 300))
}
