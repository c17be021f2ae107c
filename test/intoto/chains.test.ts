/** Chains made with the reference tools: each verdict as it must be, from memory, with nothing but the portable face. */
import { describe, expect, it } from 'vitest'
import { decodeMetadata, importKey, InTotoError, judge, memoryLinks, type Layout, type Metadata, type Report } from 'intoto'
import { chainCases, type ChainCase } from './chains.ts'

/** Where this verifier refuses earlier than the reason that the case was made for. */
const earlier: Record<string, string[]> = {
  // Two spellings of one name in one link: refused before any rule could be fooled.
  '472-name-collision-evil-plain-products': ['E_FORMAT'],
}

/** Problem codes that a reason of a case may come out as. */
const codes: Record<string, string[]> = {
  'bad-signature': ['E_SIGNATURE', 'E_LAYOUT_SIGNATURE'],
  'missing-link': ['E_MISSING_STEP'],
  malformed: ['E_FORMAT', 'E_LAYOUT_INVALID', 'E_MISSING_STEP', 'E_CONFIG'],
  threshold: ['E_THRESHOLD', 'E_MISSING_STEP'],
  rule: ['E_RULE', 'E_TAMPER'],
  inspection: ['E_INSPECTION'],
  unauthorized: ['E_ACTOR'],
}

async function run(chain: ChainCase): Promise<Report | InTotoError> {
  try {
    const layout = decodeMetadata(chain.layout, { what: 'root.layout' }) as Metadata<Layout>
    const keys = await Promise.all(chain.owners.map(importKey))
    return await judge(layout, {
      keys,
      links: memoryLinks(chain.links),
      commandMismatch: 'warn',
      ...(chain.parameters === undefined ? {} : { parameters: chain.parameters }),
    })
  } catch (error) {
    if (error instanceof InTotoError) return error
    throw error
  }
}

describe('chains made with the reference tools', () => {
  it('are there', () => {
    expect(chainCases.length).toBeGreaterThanOrEqual(72)
    expect(chainCases.filter(({ inspects }) => inspects).length).toBeGreaterThan(5)
  })

  for (const chain of chainCases.filter(({ inspects }) => !inspects)) {
    it(`${chain.name}: ${chain.expected}. ${chain.description}`, async () => {
      const outcome = await run(chain)
      if (chain.expected === 'pass') {
        expect(outcome).not.toBeInstanceOf(InTotoError)
        expect((outcome as Report).problems.filter(({ severity }) => severity === 'error')).toEqual([])
        expect((outcome as Report).ok).toBe(true)
        return
      }
      const found = outcome instanceof InTotoError ? [outcome.problem] : outcome.problems
      const errors = found.filter(({ severity }) => severity === 'error')
      if (!(outcome instanceof InTotoError)) expect(outcome.ok).toBe(false)
      expect(errors.length).toBeGreaterThan(0)
      for (const { code } of errors) expect(earlier[chain.name] ?? codes[chain.reason!]).toContain(code)
    })
  }

  for (const chain of chainCases.filter(({ inspects }) => inspects)) {
    it(`${chain.name}: refused where no command can be run`, async () => {
      const outcome = await run(chain)
      const first = outcome instanceof InTotoError ? outcome.problem : outcome.problems.find(({ severity }) => severity === 'error')
      expect(first?.code).toBe(
        chain.reason === 'malformed' ? (chain.parameters === undefined ? 'E_LAYOUT_INVALID' : 'E_CONFIG') : 'E_UNSUPPORTED',
      )
    })
  }
})
