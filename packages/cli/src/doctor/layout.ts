/** The layout, for `intoto doctor`: is there one, does it hold for a while yet, did somebody sign it, and what the lint of layouts says of it. */
import { existsSync } from 'node:fs'
import { type Key, lintLayout, parseExpires, signersOf } from 'intoto'
import { count } from '../formats/phrase.ts'
import { faulty, type Finding, finding } from './finding.ts'
import { git } from '../git.ts'
import { path } from './shell.ts'
import type { Situation } from './situation.ts'

/** An expiry nearer than this is told. */
const soon = 14

const day = 86_400_000

/** Everything that is to be said of the layout. */
export async function checkLayout(s: Situation): Promise<Finding[]> {
  const { layout, layoutFault, layoutFile } = s
  if (layoutFault !== undefined)
    return [faulty('layout-broken', layoutFile, layoutFault, 'take it from git again, or make it anew: npx intoto layout learn')]
  if (layout === undefined) return [absent(s)]
  // What is over is told in words of its own, not once more by the lint.
  const lintTime = new Date(Math.min(s.now.getTime(), parseExpires(layout.payload.expires)))
  const lint = lintLayout(layout.payload, { now: lintTime }).map(({ code, severity, message, fix }) => ({
    ...finding('layout-lint', layoutFile, message, fix),
    code,
    severity,
  }))
  return [...expiry(s, layout.payload.expires), ...(await signature(s)), ...lint]
}

function absent({ layoutFile, publicKeys, links }: Situation): Finding {
  const owner = publicKeys.at(0)?.file ?? 'in-toto/owner.pub'
  const learn = `npx intoto layout learn --functionary ${path(owner)} --sign-with OWNER`
  return finding('layout-absent', layoutFile, 'there is no layout, so nothing here can be verified', [
    links.length === 0 ? 'npx unplugin-in-toto init' : learn,
  ])
}

function expiry({ now, layoutFile }: Situation, expires: string): Finding[] {
  const left = Math.floor((parseExpires(expires) - now.getTime()) / day)
  const renew = `npx intoto layout renew ${path(layoutFile)} --days 90 --sign-with OWNER`
  if (left < 0) return [finding('layout-expired', layoutFile, `the layout expired on ${expires}: nothing is verified any more`, renew)]
  if (left >= soon) return []
  return [finding('layout-expires-soon', layoutFile, `the layout expires in ${count(left, 'day')} (${expires})`, renew)]
}

async function signature({ layout, layoutFile, publicKeys }: Situation): Promise<Finding[]> {
  if (layout === undefined) return []
  const fix = `npx intoto sign -f ${path(layoutFile)} -k OWNER`
  if (layout.signatures.length === 0) return [finding('layout-unsigned', layoutFile, 'nobody has signed the layout', fix)]
  const keys = publicKeys.flatMap(({ key }): Key[] => (key === undefined ? [] : [key]))
  if (keys.length === 0 || (await signersOf(layout, keys)).length > 0) return []
  const message = 'none of the public keys in in-toto/ has signed the layout as it is now'
  return [finding('layout-unsigned', layoutFile, message, [fix, 'or put the owner’s public key there'])]
}

/** Layout and keys are for others to verify with: git must not leave them out. */
export function checkIgnored({ repository, layoutFile, publicKeys }: Situation): Finding[] {
  if (repository === undefined) return []
  const files = [layoutFile, ...publicKeys.map(({ file }) => file)].filter((file) => existsSync(file))
  // SOURCE:LINE:PATTERN<tab>PATH; a pattern with "!" takes the file back in
  const lines = files.length === 0 ? [] : (git('check-ignore', '-v', '--no-index', ...files) ?? '').split('\n')
  const ignored = lines.flatMap((line) => {
    const [, source = '', number = '', pattern = '', file = ''] = /^(.*?):(\d+):(.*)\t(.*)$/.exec(line) ?? []
    return file === '' || pattern.startsWith('!') ? [] : [{ source, number, pattern, file }]
  })
  return ignored.slice(0, 1).map(({ source, number, pattern, file }) => {
    const message = `git ignores it (${source}, line ${number}: ${pattern}), so whoever clones the project can’t verify`
    return finding('evidence-ignored', file, message, `take line ${number} out of ${source}; in-toto/*.link may stay ignored`)
  })
}
