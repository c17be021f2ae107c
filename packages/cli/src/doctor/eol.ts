/**
 * Line ends, for `intoto doctor`: digests are of bytes, so a checkout that turns line feeds into carriage returns with line feeds makes other materials
 * than the same commit elsewhere. git itself is asked what it did and would do.
 */
import { count } from '../formats/phrase.ts'
import { type Finding, finding } from './finding.ts'
import { git } from '../git.ts'
import type { Situation } from './situation.ts'

const pin = `echo '* text=auto eol=lf' >> .gitattributes`

/** At most one of the three findings: bytes that differ, bytes that git would change, bytes that it would change elsewhere. */
export function checkLineEnds({ repository }: Situation): Finding[] {
  if (repository === undefined) return []
  // i/INDEX w/WORKTREE attr/ATTRIBUTES <tab> PATH <nul>
  const lines = (git('ls-files', '--eol', '-z') ?? '').split('\0').flatMap((line) => {
    const [, index = '', tree = '', attributes = '', path = ''] = /^i\/(\S*) +w\/(\S*) +attr\/(.*?) *\t([\s\S]*)$/.exec(line) ?? []
    return path === '' ? [] : [{ index, tree, attributes, path }]
  })
  const differing = lines.filter(
    ({ index, tree, attributes }) => index === 'lf' && tree !== 'lf' && tree !== '' && !/eol=crlf/.test(attributes),
  )
  const first = differing.find(({ tree }) => tree === 'crlf' || tree === 'mixed')
  if (first !== undefined) {
    const message = `${count(differing.length, 'file')} with CRLF here and LF in the repository: links made here name other digests than elsewhere`
    return [
      finding('eol-differs', first.path, message, [
        `${pin} && git add .gitattributes`,
        'commit all changes, then: git rm -r -q --cached . && git reset -q --hard',
      ]),
    ]
  }
  const open = lines.find(
    ({ index, attributes }) => (index === 'lf' || index === 'mixed') && !/(?:^| )(?:-text|binary)|eol=/.test(attributes),
  )
  if (open === undefined) return []
  const converts = git('config', '--get', 'core.autocrlf')?.trim() === 'true' || git('config', '--get', 'core.eol')?.trim() === 'crlf'
  const file = '.gitattributes'
  if (converts)
    return [finding('eol-converted', file, 'git is set to write CRLF here, and .gitattributes does not say that files keep LF', pin)]
  const message = 'does not say "eol=lf": git for Windows writes CRLF, and the same commit then has other digests'
  return [finding('eol-unpinned', file, message, pin)]
}
