/** Advice about layouts: each piece with the layout that earns it, and silence for one that is well made. */
import { describe, expect, it } from 'vitest'
import { lintLayout, parseLayout } from 'intoto'
import { alice, bob, inspection, layout, step } from './world.ts'

const now = new Date('2098-12-01T00:00:00Z')
const messages = (wire: object): string[] =>
  lintLayout(parseLayout(wire), { now }).map(({ message, severity, code, fix }) => {
    expect([severity, fix.length > 0, code]).toEqual(['warning', true, code])
    return message
  })
const ofRules = (...products: string[]): string[] => messages(layout([step('build', { products })]))

describe('lintLayout', () => {
  it('is silent about a layout that is well made', () => {
    expect(
      messages(
        layout([
          step('build', { materials: ['REQUIRE a', 'MATCH * WITH PRODUCTS FROM build', 'DISALLOW *'], products: ['REQUIRE b', 'ALLOW *'] }),
        ]),
      ),
    ).toEqual([])
  })

  it('has as many notes as it takes', () => {
    const members = Object.fromEntries(Array.from({ length: 150_000 }, (_, i) => [`x${i}`, 0]))
    expect(lintLayout(parseLayout(layout([{ ...step('build'), ...members }])), { now }).length).toBeGreaterThanOrEqual(150_000)
  })

  it('notes a list that lets everything else pass', () => {
    expect(ofRules('CREATE dist/*')).toEqual([expect.stringContaining('layout.steps[0].expected_products: does not end with DISALLOW *')])
    expect(ofRules()).toEqual([])
  })

  it('notes rules that never act', () => {
    expect(ofRules('ALLOW *', 'DISALLOW evil')).toEqual([expect.stringContaining('[1]: never acts: ALLOW * stands before it')])
    expect(ofRules('MATCH * WITH PRODUCTS FROM biuld', 'DISALLOW *')).toEqual([expect.stringContaining('no step "biuld"')])
    expect(ofRules('ALLOW ./a', 'DISALLOW *')).toEqual([expect.stringContaining('never matches')])
    expect(
      messages(layout([step('a', { products: ['MATCH * WITH PRODUCTS FROM i', 'DISALLOW *'] })], { inspect: [inspection('i')] })),
    ).toEqual([expect.stringContaining('cannot refer to inspections')])
    expect(
      messages(
        layout([step('a')], { inspect: [inspection('i', { products: ['MATCH * WITH PRODUCTS FROM j', 'DISALLOW *'] }), inspection('j')] }),
      ),
    ).toEqual([])
  })

  it('notes REQUIRE with a pattern, and behind rules that take things away', () => {
    expect(ofRules('REQUIRE *.js', 'ALLOW *')).toEqual([expect.stringContaining('the name of one file')])
    expect(ofRules('CREATE a*', 'REQUIRE ab', 'DISALLOW *')).toEqual([expect.stringContaining('what earlier rules left')])
    expect(ofRules('DISALLOW x', 'REQUIRE ab', 'DISALLOW *')).toEqual([])
  })

  it('notes patterns that two tools read differently', () => {
    expect(ofRules('ALLOW a[b', 'DISALLOW *')).toEqual([expect.stringContaining('bracket')])
    expect(ofRules('ALLOW src\\a', 'DISALLOW *')).toEqual([expect.stringContaining('backslash')])
  })

  it('notes thresholds that nobody can reach, keys that are not there, and one key under two ids', () => {
    expect(messages(layout([step('a', { threshold: 2 })]))).toEqual([expect.stringContaining('asks for 2, but only 1')])
    expect(
      messages(layout([step('a', { by: [alice, bob] })], { keys: {} })).filter((message) => message.includes('is not among layout.keys')),
    ).toHaveLength(2)
    const wire = layout([{ ...step('a'), pubkeys: [alice.key.keyid, 'ab'.repeat(32)] }])
    wire.keys['ab'.repeat(32)] = { ...wire.keys[alice.key.keyid], keyid: 'ab'.repeat(32) }
    expect(messages(wire)).toEqual([expect.stringContaining('no tool derives the id abababab'), expect.stringContaining('counts once')])
  })

  it('notes an expiry that is over, or too far away to keep old layouts from coming back', () => {
    expect(messages(layout([step('a')], { expires: '2098-11-30T00:00:00Z' }))).toEqual([expect.stringContaining('is over')])
    expect(messages(layout([step('a')], { expires: '2199-01-01T00:00:00Z' }))).toEqual([expect.stringContaining('days from now')])
  })

  it('notes a layout without steps, and members without effect', () => {
    expect(messages(layout([]))).toEqual([expect.stringContaining('there are none')])
    expect(messages(layout([step('a')], { stepps: [] }))).toEqual([expect.stringContaining('layout["stepps"]')])
  })
})
