/**
 * Package URLs of npm packages. Lockfiles and provenance call it. It keeps upper case, where the purl specification folds it: the registry still
 * serves packages that differ only in case (JSONStream, jsonstream), and npm's own provenance keeps it too.
 */

/**
 * `pkg:npm/%40scope/name@version`, with qualifiers such as `vcs_url` sorted and escaped behind it (purl specification, "npm"). Apart from upper case
 * it is what packageurl-js makes.
 */
export function packagePurl(name: string, version: string, qualifiers: Readonly<Record<string, string>> = {}): string {
  const path = name.split('/').map(escape).join('/')
  const query = Object.keys(qualifiers)
    .toSorted()
    .map((key) => `${key}=${new URLSearchParams({ '': qualifiers[key] ?? '' }).toString().slice(1).replaceAll('+', '%20')}`)
  return `pkg:npm/${path}${version === '' ? '' : `@${escape(version)}`}${query.length === 0 ? '' : `?${query.join('&')}`}`
}

function escape(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':').replaceAll('%2B', '+')
}
