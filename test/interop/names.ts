/**
 * Names and patterns for random chains: plain ones most of the time, and often enough those that trip implementations up (property names
 * of JavaScript, other scripts, glob characters, white space). Called by the chain generator; knows nothing of rules or verdicts.
 */
import type { Random } from './random.ts'

const folders = ['', '', 'src/', 'src/lib/', 'dist/', 'dist/assets/', 'a b/', '.hidden/', 'ünï/', '深い/場所/', 'node_modules/left-pad/']
const plain = [
  'index.js',
  'main.ts',
  'app.css',
  'README',
  'a',
  'A',
  'b.min.js',
  'b.js',
  'c.map',
  'foo.tar.gz',
  'x1',
  'x2',
  'x10',
  'package.json',
  '1',
  '10',
]
const odd = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '😀.txt',
  '😁.txt',
  '\u00e9',
  'e\u0301',
  '\uff5e',
  '\u{10000}',
  "it's",
  'q"uote',
  'new\nline',
  'tab\t',
  ' lead',
  'trail ',
  'evil[',
  'a]b',
  'x[1].js',
  'sta*r',
  'qu?stion',
  '-dash',
  '!bang',
  '^caret',
  'x.link',
  'x.pyc',
  'x~',
  '<&>',
  '#hash',
  '%41',
  '$(x)',
  '\u2028',
  '\u007f',
  'ﬁ',
]
const rare = ['back\\slash', '{brace}', '{{x}}', '../up.js', '/abs/path.js', 'http://registry.example/x']

/** Different artifact names, so many of them. */
export function artifactNames(random: Random, count: number, simple = false): string[] {
  const names = new Set<string>()
  while (names.size < count) {
    const base = simple || random.chance(0.7) ? random.pick(plain) : random.chance(0.93) ? random.pick(odd) : random.pick(rare)
    const full = /^(\.\.\/|\/|http:)/.test(base) ? base : random.pick(folders) + base
    names.add(names.size < count / 2 || random.chance(0.7) ? full : `${full}${random.below(50)}`)
  }
  return [...names]
}

const plainSteps = ['source', 'build', 'test', 'package', 'lint', 'sign-off', 'write code']
const oddSteps = ['__proto__', 'constructor', 'schön', '構築', '1', 'a.b', 'step "x"', "o'clock", '😀']
const globSteps = ['st[e]p', 'b*', 'w?t']

/** Different step names, so many of them. */
export function stepNames(random: Random, count: number): string[] {
  const names = new Set<string>()
  while (names.size < count) names.add(random.pick(random.chance(0.9) ? plainSteps : random.chance(0.9) ? oddSteps : globSteps))
  return [...names]
}

const special = /[*?[]/u

/** The pattern that stands for just this name. */
export function literal(name: string): string {
  return [...name].map((c) => (special.test(c) ? `[${c}]` : c)).join('')
}

/** One character as a piece of pattern that covers it, and perhaps others. */
function piece(random: Random, c: string): string {
  const ranged = /[b-yB-Y1-8]/.test(c)
  const before = String.fromCodePoint(c.codePointAt(0)! - 1)
  const after = String.fromCodePoint(c.codePointAt(0)! + 1)
  const forms = ['?', '?', '*', `[!${c === 'q' ? 'z' : 'q'}]`]
  if (!/[\]\\^!-]/.test(c)) forms.push(`[${c}]`, `[${c}q]`, `[_${c}]`)
  if (ranged) forms.push(`[${before}-${after}]`, `[${c}-${after}.]`, `[0-9${c}]`)
  return random.pick(forms)
}

/** A pattern that covers the name: the name itself, part of it, or pieces of it behind wild cards. */
export function patternFor(random: Random, name: string): string {
  const characters = [...name]
  const kind = random.below(10)
  if (kind < 3) return literal(name)
  if (kind < 4) return '*'
  if (kind < 6) {
    const slash = name.lastIndexOf('/')
    return slash < 0 ? `${literal(characters.slice(0, 1).join(''))}*` : `${literal(name.slice(0, slash + 1))}*`
  }
  if (kind < 8) {
    const from = random.below(characters.length)
    const to = random.between(from, characters.length)
    const wild = random.chance(0.8) ? '*' : '**'
    return literal(characters.slice(0, from).join('')) + wild + literal(characters.slice(to).join(''))
  }
  return characters.map((c) => (random.chance(0.25) && c !== '/' ? piece(random, c) : literal(c))).join('')
}

const strays = [
  '*',
  '?',
  '??',
  '*.js',
  'src/*',
  'dist/*',
  '*/*',
  '**',
  '[a-c]*',
  '[!a-z]*',
  '*[0-9]',
  '*.*',
  'nothing',
  '',
  'x[[]1].js',
  '[.]hidden/*',
  '*~',
  '*.link',
]
const malformed = ['evil[', '[z-a]', '[!]', '[]', '[]]*', '[a-]*', 'a\\*', '[^a]*', '[', '[a', '*[', '[!', '[-a]*', '\\']

/** A pattern that owes nothing to any name. */
export function strayPattern(random: Random): string {
  return random.pick(random.chance(0.85) ? strays : malformed)
}
