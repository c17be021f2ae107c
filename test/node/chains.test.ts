/** The chains whose layouts run commands, each on a copy of its working directory. */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  defineLayout,
  generateKeyPair,
  importKey,
  importSigner,
  InTotoError,
  judge,
  linkFileName,
  memoryLinks,
  sign,
  signSync,
  type Artifacts,
  type Layout,
  type Metadata,
  type Report,
} from 'intoto'
import { inspectIn, linkDirectory } from 'intoto/node'
import { chainCases, type ChainCase } from '../intoto/chains.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'intoto-chain-'))
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

async function run(chain: ChainCase): Promise<Report | InTotoError> {
  const folder = join(place, chain.name, 'files')
  const links = join(place, chain.name, 'links')
  cpSync(join(chain.folder, 'files'), folder, { recursive: true })
  for (const [path, bytes] of Object.entries(chain.links)) {
    mkdirSync(dirname(join(links, path)), { recursive: true })
    writeFileSync(join(links, path), bytes)
  }
  try {
    const layout = decodeMetadata(chain.layout) as Metadata<Layout>
    const keys = await Promise.all(chain.owners.map(importKey))
    const parameters = chain.parameters === undefined ? {} : { parameters: chain.parameters }
    const report = await judge(layout, {
      keys,
      links: linkDirectory(links),
      inspect: inspectIn(folder),
      commandMismatch: 'warn',
      ...parameters,
    })
    for (const file of chain.mustNotCreate) expect(existsSync(join(folder, file))).toBe(false)
    return report
  } catch (error) {
    if (error instanceof InTotoError) return error
    throw error
  }
}

const codes: Record<string, string[]> = {
  malformed: ['E_LAYOUT_INVALID', 'E_CONFIG'],
  rule: ['E_RULE', 'E_TAMPER'],
  inspection: ['E_INSPECTION'],
}

describe('chains with inspections, made with the reference tools', () => {
  for (const chain of chainCases.filter(({ inspects }) => inspects)) {
    it(`${chain.name}: ${chain.expected}. ${chain.description}`, async () => {
      const outcome = await run(chain)
      const problems = outcome instanceof InTotoError ? [outcome.problem] : outcome.problems
      const errors = problems.filter(({ severity }) => severity === 'error')
      if (chain.expected === 'pass') expect(errors).toEqual([])
      else expect(codes[chain.reason!]).toContain(errors[0]?.code)
    })
  }

  it('and those without give the same verdict from a folder as from memory', async () => {
    for (const chain of chainCases.filter(({ inspects }) => !inspects)) {
      const outcome = await run(chain)
      expect([chain.name, outcome instanceof InTotoError ? false : outcome.ok]).toEqual([chain.name, chain.expected === 'pass'])
    }
  })
})

describe('a large chain', () => {
  it('of 100,000 artifacts in three linked steps is verified in one process', async () => {
    const { privatePem } = await generateKeyPair()
    const signer = await importSigner(privatePem)
    const artifacts: Artifacts = Object.create(null)
    for (let i = 0; i < 100_000; i++) artifacts[`src/d${i % 97}/file-${i}.ts`] = { sha256: i.toString(16).padStart(64, 'a') }
    const match = (step: string): string[] => [`MATCH src/* WITH PRODUCTS FROM ${step}`, 'DISALLOW *']
    const layout = defineLayout({
      functionaries: { ci: signer.key },
      expires: '2099-01-01T00:00:00Z',
      steps: [
        { name: 'a', functionaries: ['ci'], products: ['CREATE *', 'DISALLOW *'] },
        { name: 'b', functionaries: ['ci'], materials: match('a'), products: match('a') },
        { name: 'c', functionaries: ['ci'], materials: match('b') },
      ],
    })
    const links: Record<string, Uint8Array> = {}
    for (const [name, materials, products] of [
      ['a', {}, artifacts],
      ['b', artifacts, artifacts],
      ['c', artifacts, {}],
    ] as const) {
      links[linkFileName(name, signer.key.keyid)] = signSync(createLink({ name, materials, products }), [signer]).bytes
    }
    const report = await judge(await sign(layout, [signer]), { keys: [signer.key], links: memoryLinks(links) })
    expect(report.problems).toEqual([])
    expect(report.steps.map(({ rules }) => rules.map(({ consumed }) => consumed))).toEqual([
      [100_000, 0],
      [100_000, 0, 100_000, 0],
      [100_000, 0],
    ])
  })
})
