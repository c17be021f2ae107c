/** Chains for a browser to judge: the vectors, and random ones in which every kind of key meets every kind of damage. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generate } from '../interop/generate.ts'
import { makeKeys } from '../interop/keys.ts'
import { chosenSeed } from '../interop/random.ts'
import type { PackedChain } from './app/judge.ts'

const vectors = fileURLToPath(new URL('../vectors/chains', import.meta.url))
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

/** Random chains with fresh keys, written to a scratch folder; the seed is printed. */
export async function randomChains(count: number, folder: string): Promise<PackedChain[]> {
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

/** Every chain of test/vectors. */
export function vectorChains(): PackedChain[] {
  return readdirSync(vectors, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => pack(entry.name))
}
