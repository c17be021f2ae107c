/** Time, for `intoto doctor`: what was made in the future was made, or is judged, by a wrong clock. */
import { statSync } from 'node:fs'
import { type Finding, finding } from './finding.ts'
import { git } from '../git.ts'
import { path } from './shell.ts'
import type { Situation } from './situation.ts'

/** Clocks of file systems and of other machines may be ahead by this much. */
const tolerance = 2 * 60_000

/** Files of the evidence and the last commit, beside the clock. */
export function checkTime(s: Situation): Finding[] {
  const files = ['package.json', s.layoutFile, ...s.publicKeys.map(({ file }) => file), ...s.links.map(({ file }) => file)]
  const times = files.map((file): [string, number] => [file, statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0])
  const [file, time] = times.reduce((latest, next) => (next[1] > latest[1] ? next : latest), ['', 0])
  if (time > s.now.getTime() + tolerance)
    return [finding('time-ahead', file, `was written in the future (${stamp(time)}, and it is ${stamp(s.now.getTime())})`, advice(file))]
  // Not "git log", which has settings of its own: one has every signature checked, by a program that the repository names.
  const stated = s.repository === undefined ? undefined : git('rev-list', '--no-walk', '--timestamp', 'HEAD', '--')
  const commit = Number(/^\d+/.exec(stated ?? '')?.[0] ?? 0) * 1000
  if (commit <= s.now.getTime() + tolerance) return []
  const message = `the last commit is from the future (${stamp(commit)}, and it is ${stamp(s.now.getTime())})`
  return [finding('time-ahead', 'HEAD', message, 'set the clock of this machine, or find out whose clock is wrong')]
}

function advice(file: string): string[] {
  return [`touch ${path(file)}`, 'if the clock of this machine is behind, set it: expiry of layouts is judged by it']
}

function stamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}
