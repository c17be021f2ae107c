/** Parameter substitution: one pass over rules and commands, nothing evaluated, nothing else touched. */
import { describe, expect, it } from 'vitest'
import { parseLayout, substituteParameters } from 'intoto'
import { alice, codesOf, files, inspection, layout, linkFile, step, thrownBy, verdict } from './world.ts'

const base = (): any =>
  layout([{ ...step('{A}', { products: ['ALLOW {A}', 'REQUIRE x{A}{B}y'] }), expected_command: ['run', '{A}', '--{B}'] }], {
    readme: '{A}',
    inspect: [inspection('i', { run: ['{A}', '{B}'], materials: ['ALLOW {B}'] })],
  })
const substitute = (parameters: Record<string, string> | undefined, wire = base()): any =>
  substituteParameters(parseLayout(wire), parameters)

describe('substituteParameters', () => {
  it('replaces in rules, expected commands and inspection commands, not in names, readme or keys', () => {
    const replaced = substitute({ A: 'one', B: 'two' })
    expect(replaced.steps[0].expected_products).toEqual([
      ['ALLOW', 'one'],
      ['REQUIRE', 'xonetwoy'],
    ])
    expect(replaced.steps[0].expected_command).toEqual(['run', 'one', '--two'])
    expect(replaced.inspect[0].run).toEqual(['one', 'two'])
    expect(replaced.inspect[0].expected_materials).toEqual([['ALLOW', 'two']])
    expect([replaced.steps[0].name, replaced.readme]).toEqual(['{A}', '{A}'])
  })

  it('touches nothing when no parameter is given', () => {
    expect(substitute(undefined).steps[0].expected_command).toEqual(['run', '{A}', '--{B}'])
    expect(substitute({}).inspect[0].run).toEqual(['{A}', '{B}'])
  })

  it('never expands a value again', () => {
    expect(substitute({ A: '{B}', B: '{A}' }).steps[0].expected_command).toEqual(['run', '{B}', '--{A}'])
    expect(substitute({ A: '$&', B: '$1' }).steps[0].expected_command).toEqual(['run', '$&', '--$1'])
  })

  it('evaluates nothing: an attribute is no parameter, and other braces are letters', () => {
    const odd = (token: string): any => layout([step('a', { products: [`ALLOW ${token}`] })])
    const tokenOf = (token: string): string => substitute({ A: 'v' }, odd(token)).steps[0].expected_products[0][1]
    expect(tokenOf('{A.__class__}')).toBe('{A.__class__}')
    expect(tokenOf('{A[0]}')).toBe('{A[0]}')
    expect(tokenOf('{}')).toBe('{}')
    expect(tokenOf('{"x"}')).toBe('{"x"}')
    expect(tokenOf('{{A}}')).toBe('{v}')
    expect(tokenOf('${A}')).toBe('$v')
  })

  it('refuses a placeholder without value, naming it, and inherited names are no values', () => {
    const missing = thrownBy(() => substitute({ A: 'x' }))
    expect([missing.code, missing.message]).toEqual(['E_CONFIG', expect.stringContaining('{B}')])
    const wire = layout([step('a', { products: ['ALLOW {constructor}'] })])
    expect(thrownBy(() => substitute({ A: 'x' }, wire)).code).toBe('E_CONFIG')
  })

  it('refuses names of another form and values that are no text', () => {
    expect(thrownBy(() => substitute({ A: '1', B: '2', 'A.b': 'x' })).code).toBe('E_CONFIG')
    expect(thrownBy(() => substitute({ A: 1 as unknown as string, B: 'x' })).code).toBe('E_CONFIG')
  })
})

describe('verification with parameters', () => {
  const chain = (parameters: Record<string, string>, rule: string) => ({
    layout: layout([step('build', { products: [rule, 'DISALLOW *'] })]),
    options: { parameters },
  })

  it('lets a value act as a pattern: the caller decides', async () => {
    const links = [await linkFile(alice, { name: 'build', products: files({ 'dist/a.js': 'a' }) })]
    expect((await verdict({ ...chain({ P: 'dist/*' }, 'ALLOW {P}'), links })).ok).toBe(true)
    expect(codesOf(await verdict({ ...chain({ P: 'lib/*' }, 'ALLOW {P}'), links }))).toEqual(['E_RULE'])
  })

  it('reads the replaced rule anew, so that a value cannot smuggle in another grammar', async () => {
    const links = [await linkFile(alice, { name: 'build' })]
    const wire = layout([step('build', { products: ['MATCH * WITH PRODUCTS FROM build'] })])
    wire.steps[0].expected_products[0][5] = '{S}'
    expect((await verdict({ layout: wire, links, options: { parameters: { S: 'build' } } })).ok).toBe(true)
    wire.steps[0].expected_products = [['ALLOW', '{S}']]
    expect(codesOf(await verdict({ layout: wire, links, options: { parameters: { S: 'x'.repeat(5000) } } }))).toEqual(['E_LAYOUT_INVALID'])
  })

  it('reports a missing value as a problem, not as a crash', async () => {
    expect(codesOf(await verdict(chain({ X: 'y' }, 'ALLOW {P}')))).toEqual(['E_CONFIG'])
  })
})
