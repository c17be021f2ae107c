/** The same chains in Node, in a page of a real browser and in a worker there: the same Report, to the last member. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build } from 'vite'
import { generate } from '../interop/generate.ts'
import { makeKeys } from '../interop/keys.ts'
import { chosenSeed } from '../interop/random.ts'
import { judgeAll, type Outcome, type PackedChain } from './app/judge.ts'
import { findChromium, openPage } from './chromium.ts'

const vectors = fileURLToPath(new URL('../vectors/chains', import.meta.url))
const chromium = findChromium()
if (!chromium) console.warn('skipped: no chromium on this machine')

function filesBelow(folder: string, prefix = ''): Record<string, string> {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    if (entry.isDirectory()) Object.assign(files, filesBelow(folder, `${prefix}${entry.name}/`))
    else files[prefix + entry.name] = readFileSync(join(folder, prefix + entry.name)).toString('base64')
  }
  return files
}

function pack(name: string): PackedChain {
  const folder = join(vectors, name)
  const about = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as {
    layout: string
    layoutKeys: string[]
    argsExtra?: { substitute?: Record<string, string> }
  }
  const parameters = about.argsExtra?.substitute
  return {
    name,
    layout: readFileSync(join(folder, about.layout)).toString('base64'),
    keys: about.layoutKeys.map((file) => readFileSync(join(folder, file), 'utf8')),
    links: filesBelow(join(folder, 'links')),
    ...(parameters && { parameters }),
  }
}

/** Random chains, so that every kind of key meets every kind of damage in the browser's cryptography, too. */
async function randomChains(count: number, folder: string): Promise<PackedChain[]> {
  const keys = await makeKeys(folder)
  const seed = chosenSeed()
  console.log(`INTOTO_SEED=${seed}`)
  const chains: PackedChain[] = []
  for (let i = 0; i < count; i++) {
    const { files, plan } = await generate((seed + i) >>> 0, keys, { scratch: folder })
    const packed = [...files].map(([path, bytes]): [string, string] => [
      path.replace(/^links\//, ''),
      Buffer.from(bytes).toString('base64'),
    ])
    const { ['root.layout']: layout, ...links } = Object.fromEntries(packed)
    chains.push({
      name: `random ${i}`,
      layout: layout!,
      links,
      keys: plan.trusted.map((key) => key.publicPem),
      ...(plan.parameters && { parameters: plan.parameters }),
    })
  }
  return chains
}

describe.skipIf(!chromium)('in a real browser', () => {
  let here: Outcome[]
  let there: Record<string, unknown>
  let out: string
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'browser-'))
    const chains = readdirSync(vectors, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => pack(entry.name))
    chains.push(...(await randomChains(200, out)))
    here = await judgeAll(chains)
    const app = join(out, 'app')
    await build({
      root: fileURLToPath(new URL('app', import.meta.url)),
      logLevel: 'error',
      configFile: false,
      worker: { format: 'es' },
      build: { outDir: app, emptyOutDir: true, target: 'es2022' },
    })
    there = await openPage(chromium!, { folder: app, files: { '/chains.json': JSON.stringify(chains) }, outcomes: ['page', 'worker'] })
  })
  afterAll(() => rmSync(out, { recursive: true, force: true }))

  test('the chains are there, some good and some bad', () => {
    const verdicts = here.map((outcome) => (outcome.report as { ok: boolean } | undefined)?.ok === true)
    expect(verdicts.filter((ok) => ok).length).toBeGreaterThan(20)
    expect(verdicts.filter((ok) => !ok).length).toBeGreaterThan(20)
  })

  for (const where of ['page', 'worker']) {
    test(`every Report of the ${where} is Node's`, () => {
      expect(there[where]).toEqual(here)
    })
  }
})
