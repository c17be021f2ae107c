/** The grammar of artifact rules: 2, 6, 8 or 10 tokens, keywords in any case, everything else as it stands. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatRule, parseRule, parseRuleText, ruleTokens, type ArtifactRule } from 'intoto'
import { thrownBy } from './world.ts'

const kinds = ['CREATE', 'DELETE', 'MODIFY', 'ALLOW', 'DISALLOW'] as const
const word = fc.string({ minLength: 0, maxLength: 6, unit: 'binary' }).filter((text) => !/\p{Cs}/u.test(text))
const anyRule: fc.Arbitrary<ArtifactRule> = fc.oneof(
  fc.record({ kind: fc.constantFrom(...kinds), pattern: word }),
  fc.record({ kind: fc.constant('REQUIRE' as const), name: word }),
  fc.record(
    {
      kind: fc.constant('MATCH' as const),
      pattern: word,
      sourcePrefix: word,
      artifacts: fc.constantFrom('MATERIALS' as const, 'PRODUCTS' as const),
      destinationPrefix: word,
      step: word,
    },
    { requiredKeys: ['kind', 'pattern', 'artifacts', 'step'] },
  ),
)

describe('parseRule', () => {
  it('reads each form', () => {
    for (const kind of kinds) expect(parseRule([kind, '*'])).toEqual({ kind, pattern: '*' })
    expect(parseRule(['REQUIRE', 'a*'])).toEqual({ kind: 'REQUIRE', name: 'a*' })
    expect(parseRule(['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 's'])).toEqual({
      kind: 'MATCH',
      pattern: '*',
      artifacts: 'PRODUCTS',
      step: 's',
    })
    expect(parseRule(['MATCH', '*', 'IN', 'a', 'WITH', 'MATERIALS', 'FROM', 's'])).toMatchObject({
      sourcePrefix: 'a',
      artifacts: 'MATERIALS',
    })
    expect(parseRule(['MATCH', '*', 'WITH', 'MATERIALS', 'IN', 'b', 'FROM', 's'])).toMatchObject({ destinationPrefix: 'b' })
    expect(parseRule(['MATCH', '*', 'IN', 'a', 'WITH', 'PRODUCTS', 'IN', 'b', 'FROM', 's'])).toMatchObject({
      sourcePrefix: 'a',
      destinationPrefix: 'b',
    })
  })

  it('takes keywords in any case and leaves patterns, prefixes and names alone', () => {
    expect(parseRule(['match', 'In', 'in', 'With', 'wITH', 'products', 'iN', 'From', 'from', 'FROM'])).toEqual({
      kind: 'MATCH',
      pattern: 'In',
      sourcePrefix: 'With',
      artifacts: 'PRODUCTS',
      destinationPrefix: 'From',
      step: 'FROM',
    })
    expect(parseRule(['create', 'IN'])).toEqual({ kind: 'CREATE', pattern: 'IN' })
  })

  const malformed: [string, unknown][] = [
    ['an empty list', []],
    ['one token', ['ALLOW']],
    ['three tokens', ['ALLOW', 'a', 'b']],
    ['an unknown word', ['PERMIT', '*']],
    ['five tokens of a MATCH', ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM']],
    ['seven tokens of a MATCH', ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 's', 't']],
    ['another word for MATCH', ['PAIR', '*', 'WITH', 'PRODUCTS', 'FROM', 's']],
    ['another word for WITH', ['MATCH', '*', 'AND', 'PRODUCTS', 'FROM', 's']],
    ['another word for FROM', ['MATCH', '*', 'WITH', 'PRODUCTS', 'OF', 's']],
    ['another word after WITH', ['MATCH', '*', 'WITH', 'THINGS', 'FROM', 's']],
    ['IN behind FROM', ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 's', 'IN', 'a']],
    ['a word missing', ['MATCH', '*', 'PRODUCTS', 'WITH', 'FROM', 's']],
    ['twelve tokens', ['MATCH', '*', 'IN', 'a', 'IN', 'b', 'WITH', 'PRODUCTS', 'IN', 'c', 'FROM', 's']],
    ['a number in it', ['ALLOW', 1]],
    ['text', 'ALLOW *'],
    ['an object', { 0: 'ALLOW', 1: '*', length: 2 }],
    ['a keyword with a letter that only looks alike', ['ALLOW\u0301', '*']],
  ]
  for (const [what, rule] of malformed) {
    it(`refuses ${what}`, () => {
      expect(thrownBy(() => parseRule(rule)).code).toBe('E_LAYOUT_INVALID')
    })
  }

  it('is the reverse of ruleTokens, and formatRule of parseRuleText, for every rule', () => {
    fc.assert(
      fc.property(anyRule, (rule) => {
        expect(parseRule(ruleTokens(rule))).toEqual(rule)
        expect(parseRuleText(formatRule(rule))).toEqual(rule)
      }),
      { numRuns: 2000 },
    )
  })

  it('writes rules as people do', () => {
    expect(formatRule(parseRule(['match', 'dist/*', 'in', 'package', 'with', 'products', 'from', 'build']))).toBe(
      'MATCH dist/* IN package WITH PRODUCTS FROM build',
    )
    expect(formatRule({ kind: 'ALLOW', pattern: 'my file' })).toBe('ALLOW "my file"')
    expect(thrownBy(() => parseRuleText('ALLOW "my file')).code).toBe('E_LAYOUT_INVALID')
    expect(thrownBy(() => parseRuleText('ALLOW "my\nfile"')).message).toBe('rule: "my\\nfile" is not a quoted word')
  })
})
