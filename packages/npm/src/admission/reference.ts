/**
 * What images and packages are called. Strict where runtimes guess: a name without registry, a tag, another algorithm than SHA-256 are refused with
 * advice. Pure.
 */
import { InTotoError } from 'intoto'
import { printable } from 'intoto/node'
import { shorten } from './answer.ts'

/** An image by digest. */
export interface ImageReference {
  readonly kind: 'image'
  /** As it was asked for. */
  readonly text: string
  /** Without tag and digest, the host in lower case: `registry.example/team/app`. */
  readonly name: string
  /** Of its manifest or index, in lower-case hex. */
  readonly sha256: string
}

/** A version of an npm package. */
export interface PackageReference {
  readonly kind: 'package'
  /** `npm:NAME@VERSION` */
  readonly text: string
  /** `npm:NAME`, as patterns see it. */
  readonly name: string
  readonly packageName: string
  readonly version: string
  /** `sha512-…`, where the caller knows which tarball it means. */
  readonly integrity?: string
}

/** Longest reference that can be one: name 255, tag 128, digest 71, and what is between them. */
const longest = 512

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const host =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/
const path = new RegExp(`^${component}(?:/${component})*$`)
const tagged = /^(.*?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$/s

/**
 * An image reference as containers have it: `HOST[:PORT]/PATH[:TAG]@sha256:HEX`. With tag and digest the digest counts, as for every runtime.
 * @throws InTotoError E_FORMAT: no reference, or one without registry; E_PRODUCT: no digest; E_UNSUPPORTED: another digest than SHA-256
 */
export function parseImage(text: string): ImageReference {
  const what = quoted(text)
  if (text === '') throw malformed('no image is named', 'name one: registry.example/app@sha256:…')
  if (text.length > longest) throw malformed(`${what} is too long for an image reference`, 'check it')
  const at = text.indexOf('@')
  const [named, digest] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
  const slash = named.indexOf('/')
  const first = slash < 0 ? '' : named.slice(0, slash)
  // the rule of the distribution project: what has no dot and no port is no host
  if (!/[.:]/.test(first) && first !== 'localhost')
    throw malformed(
      `${what} names no registry, and which one is meant differs from machine to machine`,
      `name it: HOST/${shorten(printable(text), 80)}`,
    )
  const [, repository = '', tag] = tagged.exec(named.slice(slash + 1)) ?? []
  if (!host.test(first) || !path.test(repository) || first.length + repository.length >= 255)
    throw malformed(`${what} is no image reference`, 'the form is HOST[:PORT]/PATH@sha256:HEX, the path in lower case')
  const name = `${first.toLowerCase()}/${repository}`
  if (digest === undefined) throw byTag(what, tag === undefined ? name : `${name}:${tag}`)
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return { kind: 'image', text, name, sha256: digest.slice(7) }
  if (/^(?!sha256:)[a-z][a-z0-9]*(?:[+._-][a-z0-9]+)*:[0-9A-Za-z=_-]+$/.test(digest)) {
    const message = `${what}: images are known by SHA-256 here, as links have it`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: `name it by that: ${name}@sha256:…` })
  }
  throw malformed(`${what}: its digest is not sha256: and 64 digits in lower case`, 'copy it again')
}

function byTag(what: string, name: string): InTotoError {
  const message = `${what} is named by tag alone, which may mean another image at any time`
  return new InTotoError({ code: 'E_PRODUCT', message, fix: `resolve it once and deploy the digest: ${name}@sha256:…` })
}

/**
 * A package as people write it: `NAME@VERSION`, with or without `npm:`.
 * @throws InTotoError E_FORMAT: no package; E_PRODUCT: a tag or range in place of a version
 */
export function parsePackage(text: string, integrity?: string): PackageReference {
  const words = text.startsWith('npm:') ? text.slice(4) : text
  const at = words.lastIndexOf('@')
  const [packageName, version] = at < 1 ? [words, ''] : [words.slice(0, at), words.slice(at + 1)]
  const isName = /^(?:@[a-zA-Z0-9_.~-]+\/)?[a-zA-Z0-9_.~-]+$/.test(packageName) && !/(?:^|\/)\.{1,2}$/.test(packageName)
  if (text.length > longest || packageName.length > 214 || !isName)
    throw malformed(`${quoted(text)} is no package and version`, 'NAME@VERSION, such as lib@1.0.0')
  if (!/^\d{1,16}\.\d{1,16}\.\d{1,16}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/.test(version)) {
    const message = `${quoted(text)} names no exact version, so it may mean another package at any time`
    throw new InTotoError({ code: 'E_PRODUCT', message, fix: `name the version: ${packageName}@1.2.3` })
  }
  const reference = { text: `npm:${packageName}@${version}`, name: `npm:${packageName}`, packageName, version }
  return { kind: 'package', ...reference, ...(integrity === undefined ? {} : { integrity }) }
}

function malformed(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_FORMAT', message, fix })
}

function quoted(text: string): string {
  return JSON.stringify(shorten(printable(text), 200))
}
