/**
 * The queue of one rule list (specification 4.3.3): all artifacts of one side, in order, from which rules take what they cover. Called by the
 * rule engine only. A rule looks at the range of names that its literal beginning allows, and never again at what was taken: many rules over
 * many artifacts stay linear.
 */
import type { Matcher } from '../model/pattern.ts'
import { looseUtf8, type ArtifactTable } from '../model/table.ts'

/** Artifacts that no rule has consumed yet, by their places in the table of their side. */
export class ArtifactQueue {
  private readonly table: ArtifactTable
  /** For each place, one at or after it from which to look for the next artifact still in the queue. */
  private readonly next: Int32Array

  constructor(table: ArtifactTable) {
    this.table = table
    this.next = new Int32Array(table.size + 1)
    for (let i = 0; i <= table.size; i++) this.next[i] = i
  }

  /** Is this very name still there? */
  has(name: string): boolean {
    const at = this.table.find(name)
    return at >= 0 && this.alive(at) === at
  }

  /** Calls `visit` for each artifact in the queue whose name is `prefix` followed by a match; what it answers with true is consumed. */
  visit(prefix: string, matcher: Matcher, visit: (i: number) => boolean): number {
    const { table } = this
    const start = looseUtf8(prefix + matcher.prefix)
    const { first, end } = table.range(start)
    let consumed = 0
    for (let i = this.alive(first); i < end; i = this.alive(i + 1)) {
      // The name itself is the first of those that begin with it.
      if (matcher.kind === 'exact' && table.end(i) - table.start(i) !== start.length) break
      if (matcher.kind === 'general' && !matcher.test(prefix === '' ? table.name(i) : table.name(i).slice(prefix.length))) continue
      if (!visit(i)) continue
      this.next[i] = i + 1
      consumed++
    }
    return consumed
  }

  /** The first place at or after `i` that is still in the queue; shortens the way for the next one who asks. */
  private alive(i: number): number {
    const { next } = this
    let end = i
    while (next[end] !== end) end = next[end]!
    for (let at = i; at !== end;) {
      const following = next[at]!
      next[at] = end
      at = following
    }
    return end
  }
}
