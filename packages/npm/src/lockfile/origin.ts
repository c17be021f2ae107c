/**
 * Where a locked package comes from: a registry, a git commit, a tarball at an address, or the project's own disk. The readers of lockfiles call
 * it on whatever text their client writes. What it hands on holds no password, no query and no absolute path.
 */

/** Origin of a package's bytes. Paths are relative to the lockfile. */
export type Origin =
  | { kind: 'registry' }
  | { kind: 'git'; uri: string; commit?: string }
  | { kind: 'url'; url: string }
  | { kind: 'file'; path: string }
  | { kind: 'project' }

/** Services whose addresses clients shorten. */
const hosts: Readonly<Record<string, string>> = { github: 'github.com', gitlab: 'gitlab.com', bitbucket: 'bitbucket.org' }

const commitForm = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/**
 * The origin that a reference names: `git+https://…#commit`, `github:owner/name#commit`, `https://….tgz`, `file:…`, `workspace:…`, or undefined
 * for anything else (a version, a range).
 */
export function originOf(reference: string): Origin | undefined {
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(reference) ?? []
  if (scheme === 'workspace' || scheme === 'link' || scheme === 'portal' || scheme === 'root') return { kind: 'project' }
  if (scheme === 'file') return { kind: 'file', path: relativePath(rest) }
  const host = hosts[scheme]
  if (host !== undefined) return gitOrigin(`git+https://${host}/${rest.replace(/^\/+/, '')}`)
  if (scheme === 'git' || scheme.startsWith('git+')) return gitOrigin(reference)
  if (scheme === 'ssh') return gitOrigin(`git+${reference}`)
  if (scheme === 'http' || scheme === 'https') return webOrigin(reference)
  return reference.startsWith('./') || reference.startsWith('../') ? { kind: 'file', path: relativePath(reference) } : undefined
}

/** An address over HTTP: git where the fragment or the service says so, a tarball otherwise. */
function webOrigin(reference: string): Origin {
  const [, repository, commit] = /^https:\/\/codeload\.github\.com\/([^/]+\/[^/]+)\/tar\.gz\/([0-9a-f]{40})$/.exec(reference) ?? []
  if (repository !== undefined) return gitOrigin(`git+https://github.com/${repository}#${commit}`)
  if (/\.git(?:#|$)|#commit=/.test(reference)) return gitOrigin(`git+${reference}`)
  return { kind: 'url', url: withoutSecrets(reference) }
}

/** `uri` in the form of SLSA (`git+https://host/repository@commit`); the commit only when it is written in full. */
function gitOrigin(reference: string): Origin {
  const at = reference.indexOf('#')
  const fragment = at < 0 ? '' : reference.slice(at + 1)
  const ref =
    fragment
      .split('&')
      .map((part) => part.replace(/^commit[=:]/, ''))
      .find((part) => commitForm.test(part)) ?? fragment
  const uri = withoutSecrets(at < 0 ? reference : reference.slice(0, at))
  const commit = commitForm.test(ref) ? { commit: ref } : {}
  return { kind: 'git', uri: ref === '' ? uri : `${uri}@${encodeURI(ref)}`, ...commit }
}

/** An address without user name, password, query and fragment; the user name of SSH stays, since it is part of the address there. */
function withoutSecrets(address: string): string {
  const bare = address.replace(/[?#].*$/s, '')
  const keep = /^(?:git\+)?ssh:/.test(bare)
  return bare.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)([^/]*)@/, (_, scheme: string, user: string) =>
    keep ? `${scheme}${user.replace(/:.*$/s, '')}@` : scheme,
  )
}

/** Without a fragment or "./"; of an absolute path only the last part, which tells nothing about the machine. */
function relativePath(path: string): string {
  const plain = path
    .replace(/#.*$/s, '')
    .replaceAll('\\', '/')
    .replace(/^(?:\.\/)+/, '')
  return /^(?:\/|[A-Za-z]:|~)/.test(plain) ? plain.slice(plain.lastIndexOf('/') + 1) : plain
}
