/** Patterns of artifact rules: Python's fnmatch by its own answers, by an independent matcher, and under attack. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePattern, matchPattern } from 'intoto'

const table = JSON.parse(readFileSync(new URL('../vectors/pattern/fnmatch.json', import.meta.url), 'utf8')) as {
  names: string[]
  matches: [string, string[]][]
}

/** CPython's translation to a regular expression, in our words: slow, exponential, and another way to the same answer. */
function translated(pattern: string): RegExp {
  const points = [...pattern]
  const literal = (point: string): string => `\\u{${point.codePointAt(0)!.toString(16)}}`
  let source = ''
  for (let i = 0; i < points.length; i++) {
    const point = points[i]!
    if (point === '*') source += '.*'
    else if (point === '?') source += '.'
    else if (point !== '[') source += literal(point)
    else {
      let j = i + 1
      if (points[j] === '!') j++
      if (points[j] === ']') j++
      while (j < points.length && points[j] !== ']') j++
      if (j >= points.length) {
        source += literal('[')
        continue
      }
      let inside = points.slice(i + 1, j)
      const negated = inside[0] === '!'
      if (negated) inside = inside.slice(1)
      source += characterClass(inside, negated, literal)
      i = j
    }
  }
  return new RegExp(`^(?:${source})$`, 'su')
}

/** Single members and ranges, taken from left to right; a reversed range and both its ends vanish. */
function characterClass(inside: string[], negated: boolean, literal: (point: string) => string): string {
  const chunks: string[][] = []
  let rest = inside
  let from = 1
  for (;;) {
    const dash = rest.indexOf('-', from)
    if (dash < 0) break
    chunks.push(rest.slice(0, dash))
    rest = rest.slice(dash + 1)
    from = 2
  }
  if (rest.length > 0) chunks.push(rest)
  else chunks.at(-1)!.push('-')
  for (let k = chunks.length - 1; k > 0; k--) {
    const [a, b] = [chunks[k - 1]!, chunks[k]!]
    if (a.at(-1)!.codePointAt(0)! > b[0]!.codePointAt(0)!) chunks.splice(k - 1, 2, [...a.slice(0, -1), ...b.slice(1)])
  }
  const body = chunks.map((chunk) => chunk.map(literal).join('')).join('-')
  if (body === '') return negated ? '.' : '(?!)'
  return `[${negated ? '^' : ''}${body}]`
}

describe('matchPattern', () => {
  it('answers as CPython does', () => {
    const wrong: string[] = []
    for (const [pattern, matching] of table.matches) {
      for (const name of table.names)
        if (matchPattern(pattern, name) !== matching.includes(name))
          wrong.push(`${JSON.stringify(pattern)} against ${JSON.stringify(name)}`)
    }
    expect(table.matches.length).toBeGreaterThan(60)
    expect(wrong).toEqual([])
  })

  it('lets * and ? cross slashes, leading dots and line feeds; ** is *', () => {
    expect(matchPattern('src*', 'src/a/.b\nc')).toBe(true)
    expect(matchPattern('src?a', 'src/a')).toBe(true)
    expect(matchPattern('*', '.hidden')).toBe(true)
    expect(matchPattern('**', 'a/b')).toBe(true)
    expect(matchPattern('src/**/*.js', 'src/c.js')).toBe(false)
    expect(matchPattern('src/**/*.js', 'src/a/c.js')).toBe(true)
  })

  it('takes ? for one code point, in whatever plane', () => {
    expect(matchPattern('?.js', '😀.js')).toBe(true)
    expect(matchPattern('??.js', '😀.js')).toBe(false)
    expect(matchPattern('*?', '😀')).toBe(true)
    expect(matchPattern('*??', '😀')).toBe(false)
    expect(matchPattern('[😀-😂]', '😁')).toBe(true)
    expect(matchPattern('*[!😀]c', '😀c')).toBe(false)
  })

  it('is anchored at both ends and tells upper from lower case', () => {
    expect(matchPattern('*.js', 'a.jsx')).toBe(false)
    expect(matchPattern('a.js', 'xa.js')).toBe(false)
    expect(matchPattern('A.js', 'a.js')).toBe(false)
    expect(matchPattern('*aba*ba', 'aba')).toBe(false)
    expect(matchPattern('*aba*ba', 'ababa')).toBe(true)
  })

  it('reads [!a] as negation, which matches / too, and [^a] as two members', () => {
    expect(matchPattern('x[!a]y', 'x/y')).toBe(true)
    expect(matchPattern('[^a]', '^')).toBe(true)
    expect(matchPattern('[^a]', 'a')).toBe(true)
    expect(matchPattern('[^a]', 'b')).toBe(false)
  })

  it('takes an open bracket and a backslash for letters, so that no DISALLOW is switched off', () => {
    expect(matchPattern('evil[', 'evil[')).toBe(true)
    expect(matchPattern('src\\a.js', 'src\\a.js')).toBe(true)
    expect(matchPattern('src\\a.js', 'src/a.js')).toBe(false)
    expect(matchPattern('\\*', '\\anything')).toBe(true)
  })

  it('does not normalise Unicode', () => {
    expect(matchPattern('é', 'e\u0301')).toBe(false)
  })

  it('has no broken patterns: every string is one', () => {
    for (const pattern of [
      '[',
      '[!',
      '[!]',
      '[]',
      '[z-a]',
      '[!z-a]',
      '[[:alpha:]]',
      '[a',
      ']',
      '[-]',
      '[--',
      '(?:',
      '$^',
      '{a,b}',
      '+',
      '\\',
    ]) {
      expect(() => compilePattern(pattern)('name')).not.toThrow()
    }
    expect(matchPattern('[z-a]', 'z')).toBe(false)
    expect(matchPattern('[!z-a]', 'z')).toBe(true)
    expect(matchPattern('{a,b}', 'a')).toBe(false)
  })

  it('ends soon on patterns that make backtracking explode', () => {
    const evil = `${'*a'.repeat(30)}*b`
    const evilWithClass = `${'*[a]'.repeat(30)}*b`
    const evilWithAny = `${'*?'.repeat(60)}b`
    const name = 'a'.repeat(250)
    // Exponential time would not end within the test's limit.
    for (let i = 0; i < 100; i++) for (const pattern of [evil, evilWithClass, evilWithAny]) expect(matchPattern(pattern, name)).toBe(false)
    expect(matchPattern(evil, `${name}b`)).toBe(true)
  })

  it('agrees with a regular expression made as CPython makes it', () => {
    const letter = fc.constantFrom('a', 'b', 'c', '/', '.', '-', ']', '[', '!', '^', '😀', 'é', '\n')
    const symbol = fc.oneof({ weight: 3, arbitrary: letter }, { weight: 2, arbitrary: fc.constantFrom('*', '?', '[', ']', '[!', '-') })
    const pattern = fc.array(symbol, { maxLength: 8 }).map((parts) => parts.join(''))
    const name = fc.array(letter, { maxLength: 8 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(pattern, name, (p, n) => {
        expect([p, n, matchPattern(p, n)]).toEqual([p, n, translated(p).test(n)])
        expect(compilePattern(p)(n)).toBe(matchPattern(p, n))
      }),
      { numRuns: 5000 },
    )
  })

  it('finds a name that was made to fit', () => {
    const part = fc.constantFrom('a', 'bc', 'src/', '.js', '😀', '*')
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 10 }),
        fc.array(fc.constantFrom('', 'x', 'a/b', '😀'), { minLength: 10, maxLength: 10 }),
        (parts, fill) => {
          const name = parts.map((text, i) => (text === '*' ? fill[i] : text)).join('')
          expect(matchPattern(parts.join(''), name)).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
