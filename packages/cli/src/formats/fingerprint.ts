/** What makes a problem the same one in the next run, for services that remember findings: SARIF's and GitLab's. Pure. */
import { createHash } from 'node:crypto'
import type { Problem } from 'intoto'

/** One for each problem, all different: digests and times are left out, and problems that are alike without them are numbered. */
export function fingerprints(problems: readonly Problem[]): string[] {
  const seen = new Map<string, number>()
  return problems.map((p) => {
    const stable = [p.code, p.step ?? '', p.file ?? '', p.rule?.text ?? '']
    const kind = JSON.stringify(stable)
    const earlier = seen.get(kind) ?? 0
    seen.set(kind, earlier + 1)
    const named = earlier === 0 ? kind : JSON.stringify([...stable, earlier])
    return createHash('sha256').update(named).digest('hex')
  })
}
