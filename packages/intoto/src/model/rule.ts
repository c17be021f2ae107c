/**
 * Artifact rules (specification 4.3.3): the tokens of a layout to a typed rule and back, and the text that people write. Called by the
 * parser of layouts, the rule engine, presets and renderers. Never judges: it knows the grammar, not the artifacts.
 */
import { InTotoError } from '../errors.ts'
import { expectStrings, refuse, type Place } from './member.ts'

/** CREATE, DELETE, MODIFY, ALLOW and DISALLOW: a word and a pattern. */
export interface PatternRule {
  readonly kind: 'CREATE' | 'DELETE' | 'MODIFY' | 'ALLOW' | 'DISALLOW'
  readonly pattern: string
}

/** REQUIRE: a literal name, never a pattern. */
export interface RequireRule {
  readonly kind: 'REQUIRE'
  readonly name: string
}

/** MATCH pattern [IN sourcePrefix] WITH artifacts [IN destinationPrefix] FROM step. */
export interface MatchRule {
  readonly kind: 'MATCH'
  readonly pattern: string
  readonly sourcePrefix?: string
  readonly artifacts: 'MATERIALS' | 'PRODUCTS'
  readonly destinationPrefix?: string
  /** Name of the step or inspection whose link is compared. */
  readonly step: string
}

/** One entry of `expected_materials` or `expected_products`. */
export type ArtifactRule = PatternRule | RequireRule | MatchRule

const forms =
  'CREATE|DELETE|MODIFY|ALLOW|DISALLOW pattern, REQUIRE name, or MATCH pattern [IN prefix] WITH MATERIALS|PRODUCTS [IN prefix] FROM step'
const alone: Place = { code: 'E_LAYOUT_INVALID', path: 'rule' }

/**
 * Reads the tokens of one rule. Keywords in any case; patterns, prefixes and names as they are. Exactly 2, 6, 8 or 10 tokens.
 * @throws E_LAYOUT_INVALID with the place
 */
export function parseRule(tokens: unknown, place: Place = alone): ArtifactRule {
  const rule = expectStrings(tokens, place)
  const parsed = parsePatternRule(rule) ?? parseMatchRule(rule)
  if (parsed === undefined) refuse(place, `a rule (${forms})`, rule.length === 0 ? tokens : rule.join(' '))
  return parsed
}

function parsePatternRule([word, argument, ...more]: readonly string[]): ArtifactRule | undefined {
  if (word === undefined || argument === undefined || more.length > 0) return undefined
  const kind = keyword(word)
  if (kind === 'REQUIRE') return { kind, name: argument }
  if (kind === 'CREATE' || kind === 'DELETE' || kind === 'MODIFY' || kind === 'ALLOW' || kind === 'DISALLOW')
    return { kind, pattern: argument }
  return undefined
}

function parseMatchRule(rule: readonly string[]): ArtifactRule | undefined {
  if (keyword(rule[0]) !== 'MATCH' || ![6, 8, 10].includes(rule.length)) return undefined
  let at = 2
  let sourcePrefix: string | undefined
  let destinationPrefix: string | undefined
  if (keyword(rule[at]) === 'IN') {
    sourcePrefix = rule[at + 1]
    at += 2
  }
  const artifacts = keyword(rule[at + 1])
  if (keyword(rule[at]) !== 'WITH' || (artifacts !== 'MATERIALS' && artifacts !== 'PRODUCTS')) return undefined
  at += 2
  if (keyword(rule[at]) === 'IN') {
    destinationPrefix = rule[at + 1]
    at += 2
  }
  if (keyword(rule[at]) !== 'FROM' || rule.length !== at + 2) return undefined
  return {
    kind: 'MATCH',
    pattern: rule[1]!,
    ...(sourcePrefix === undefined ? {} : { sourcePrefix }),
    artifacts,
    ...(destinationPrefix === undefined ? {} : { destinationPrefix }),
    step: rule[at + 1]!,
  }
}

/** ASCII only: `toUpperCase` would read `ß` and the dotless `ı` as letters of a keyword. */
function keyword(token: string | undefined): string | undefined {
  return token?.replace(/[a-z]/g, (letter) => letter.toUpperCase())
}

/** The tokens of a rule as a layout holds them, keywords in capitals. */
export function ruleTokens(rule: ArtifactRule): string[] {
  if (rule.kind === 'REQUIRE') return ['REQUIRE', rule.name]
  if (rule.kind !== 'MATCH') return [rule.kind, rule.pattern]
  const source = rule.sourcePrefix === undefined ? [] : ['IN', rule.sourcePrefix]
  const destination = rule.destinationPrefix === undefined ? [] : ['IN', rule.destinationPrefix]
  return ['MATCH', rule.pattern, ...source, 'WITH', rule.artifacts, ...destination, 'FROM', rule.step]
}

/** The rule as its owner would write it in one line; a token with white space or a quotation mark is quoted as in JSON. */
export function formatRule(rule: ArtifactRule): string {
  return ruleTokens(rule)
    .map((token) => (token === '' || /[\s"\0-\x1f\x7f-\x9f]/.test(token) ? JSON.stringify(token) : token))
    .join(' ')
}

/**
 * The tokens of a rule written in one line: the reverse of `formatRule`.
 * @throws E_LAYOUT_INVALID for an open quotation or a line that is no rule
 */
export function parseRuleText(text: string): ArtifactRule {
  const tokens: string[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|\S+/gs)) tokens.push(token.startsWith('"') ? unquote(token) : token)
  return parseRule(tokens)
}

function unquote(token: string): string {
  try {
    return JSON.parse(token) as string
  } catch (cause) {
    const shown = token.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))
    throw new InTotoError(
      { code: 'E_LAYOUT_INVALID', message: `rule: ${shown} is not a quoted word`, fix: 'quote as in JSON: "a name"' },
      { cause },
    )
  }
}
