/** Differences of layouts as lines: what went with a minus, what came with a plus. For `intoto layout diff`, and before a layout is replaced. */
import type { LayoutDifference } from 'intoto'
import { type Colors, escape } from './terminal.ts'

/** A line for each place, and under it its lines. */
export function differenceLines(differences: readonly LayoutDifference[], paint: Colors): string[] {
  return differences.flatMap(({ path, removed, added }) => [
    paint.bold(escape(path)),
    ...removed.map((line) => paint.red(`- ${escape(line)}`)),
    ...added.map((line) => paint.green(`+ ${escape(line)}`)),
  ])
}
