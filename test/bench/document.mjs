/** Figures into text: docs/performance.md, and the comparison of two runs. Measures nothing. */
import { reasons, targets } from './targets.mjs'

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** What a run found, as it is kept in JSON. */
export function document({ machine, figures, sections, note }) {
  const rows = targets.map((target) => targetRow(target, figures[target.key]))
  const missed = targets.filter((target) => figures[target.key] !== undefined && !isReached(target, figures[target.key], target.goal))
  const byReason = new Map()
  for (const { key, what } of missed) {
    const reason = reasonOf(key) ?? 'not known yet'
    byReason.set(reason, [...(byReason.get(reason) ?? []), what])
  }
  const why = [...byReason].map(([reason, rows]) => `- ${rows.join('; ')}: ${reason}`)
  const parts = sections.map(({ title, head, rows: lines }) => `## ${title}\n\n${table(head, lines)}\n`)
  return `# Performance

Written by \`npm run bench -- --write\`: whole processes, in turn, on one machine (${machine}). Figures are ratios of medians, for builds
of the least of as many with the plugin as without, with all files in the page cache; none says anything about milliseconds. A ratio counts only with equal work: each implementation must record
the same artifacts, and refuse a changed and a missing link; a build must put out the same files with the plugin as without, and its link must hold every
module. Otherwise the run stops.${note === undefined ? '' : `\n\n${note}`}

## Targets

*must* is what a release keeps, *goal* what we work for, *moonshot* what the machine would allow.

${table(['what', 'measured', 'must', 'goal', 'moonshot', 'reached'], rows)}

${why.length === 0 ? '' : `Why a goal is not reached:\n\n${why.join('\n')}\n\n`}${parts.join('\n')}`
}

function targetRow(target, figure) {
  const sign = target.least ? '>=' : '<='
  const bounds = [target.must, target.goal, target.moonshot].map((bound) => `${sign} ${bound}`)
  const reached = ['moonshot', 'goal', 'must'].find((name) => figure !== undefined && isReached(target, figure, target[name])) ?? 'no'
  return [target.what, figure === undefined ? '-' : `**${figure}**`, ...bounds, figure === undefined ? 'not measured' : reached]
}

function isReached({ least }, figure, bound) {
  return least ? figure >= bound : figure <= bound
}

function reasonOf(key) {
  return Object.entries(reasons).find(([start]) => key.startsWith(start))?.[1]
}

/** Each figure of two runs and how much the later one is of the earlier. */
export function comparison(earlier, later) {
  const keys = Object.keys(later.figures).filter((key) => earlier.figures[key] !== undefined)
  const rows = keys.map((key) => [key, earlier.figures[key], later.figures[key], (later.figures[key] / earlier.figures[key]).toFixed(2)])
  return `${table(['figure', `${earlier.commit}`, `${later.commit}`, 'later / earlier'], rows)}\n`
}
