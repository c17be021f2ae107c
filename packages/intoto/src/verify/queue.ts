/**
 * The queue of one rule list (specification 4.3.3): all artifacts of one side, in order, from which rules take what they cover. Called by the
 * rule engine only. A rule looks at the range of names that its literal beginning allows, and never again at what was taken: many rules over
 * many artifacts stay linear.
 */
import type { Artifacts } from '../model/artifact.ts'
import type { Matcher } from '../model/pattern.ts'
import { namesOf } from './names.ts'

/** Artifact names that no rule has consumed yet. */
export class ArtifactQueue {
  /** Ascending by UTF-16 unit: any order does, as long as common beginnings lie together and `<` agrees. */
  private readonly names: readonly string[]
  /** For each position, a position at or after it from which to look for the next name still in the queue. */
  private readonly next: Int32Array

  constructor(artifacts: Artifacts) {
    const names = namesOf(artifacts)
    this.names = names.some((name, i) => i > 0 && names[i - 1]! > name) ? [...names].sort() : names
    this.next = new Int32Array(names.length + 1)
    for (let i = 0; i <= names.length; i++) this.next[i] = i
  }

  /** Is this very name still there? */
  has(name: string): boolean {
    const at = this.firstFrom(name)
    return this.names[at] === name && this.alive(at) === at
  }

  /** Calls `visit` for each name in the queue that is `prefix` followed by a match; what it answers with true is consumed. */
  visit(prefix: string, matcher: Matcher, visit: (name: string) => boolean): number {
    const start = prefix + matcher.prefix
    let consumed = 0
    for (let i = this.alive(this.firstFrom(start)); i < this.names.length; i = this.alive(i + 1)) {
      const name = this.names[i]!
      if (!name.startsWith(start) || (matcher.kind === 'exact' && name !== start)) break
      if (matcher.kind === 'general' && !matcher.test(prefix === '' ? name : name.slice(prefix.length))) continue
      if (!visit(name)) continue
      this.next[i] = i + 1
      consumed++
    }
    return consumed
  }

  /** First position whose name is not before `start`. */
  private firstFrom(start: string): number {
    let low = 0
    let high = this.names.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.names[middle]! < start) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first position at or after `i` that is still in the queue; shortens the way for the next one who asks. */
  private alive(i: number): number {
    let end = i
    while (this.next[end] !== end) end = this.next[end]!
    for (let at = i; at !== end;) {
      const following = this.next[at]!
      this.next[at] = end
      at = following
    }
    return end
  }
}
