/** The problem matchers that docs/ci.md publishes for VS Code, applied to what a task printed: each is tried on each line, as the editor does. */
import { readFileSync } from 'node:fs'

/** A problem as the editor would list it. */
export interface Match {
  readonly code: string
  readonly file: string
  readonly line?: string
  readonly message: string
}

interface Pattern {
  readonly regexp: string
  readonly code: number
  readonly file: number
  readonly line?: number
  readonly message: number
}

const page = readFileSync(new URL('../../docs/ci.md', import.meta.url), 'utf8')
const task = JSON.parse(/```json\n(\{\n {2}"label"[^]*?\n\})\n```/.exec(page)?.[1] ?? '') as { problemMatcher: { pattern: Pattern }[] }
const patterns = task.problemMatcher.map(({ pattern }) => ({ ...pattern, expression: new RegExp(pattern.regexp) }))

/** All problems in a text, in the order of its lines; a line that two matchers take stands there twice. */
export function matches(text: string): Match[] {
  return text.split('\n').flatMap((line) =>
    patterns.flatMap(({ expression, code, file, line: place, message }) => {
      const found = expression.exec(line)
      if (found === null) return []
      const [at, said] = [place === undefined ? undefined : found[place], { code: found[code] ?? '', file: found[file] ?? '' }]
      return [{ ...said, message: found[message] ?? '', ...(at === undefined ? {} : { line: at }) }]
    }),
  )
}
