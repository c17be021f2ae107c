/**
 * The chains of test/vectors/chains as data: layout, owners' keys, links, parameters, and the verdict that a verifier must reach. Used by every
 * suite that runs them: here, with inspections in test/node, in a browser.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ChainCase {
  name: string
  folder: string
  description: string
  expected: 'pass' | 'fail'
  reason: string | null
  parameters?: Record<string, string>
  mustNotCreate: string[]
  layout: Uint8Array
  /** PEM of each owner. */
  owners: string[]
  /** By path below the link folder. */
  links: Record<string, Uint8Array>
  /** Does the layout run commands? Read from its bytes, since some cases cannot be parsed. */
  inspects: boolean
}

const root = fileURLToPath(new URL('../vectors/chains/', import.meta.url))

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  )
}

function read(name: string): ChainCase {
  const folder = join(root, name)
  const data = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'))
  const links = join(folder, 'links')
  const layout = readFileSync(join(folder, data.layout))
  const text = layout.toString('latin1')
  const payload = /"payload": ?"([^"]+)"/.exec(text)?.[1]
  const body = payload === undefined ? text : Buffer.from(payload, 'base64').toString('latin1')
  return {
    name,
    folder,
    description: data.description,
    expected: data.expected,
    reason: data.reason,
    ...(data.argsExtra.substitute === undefined ? {} : { parameters: data.argsExtra.substitute }),
    mustNotCreate: data.mustNotCreate ?? [],
    layout,
    owners: data.layoutKeys.map((file: string) => readFileSync(join(folder, file), 'utf8')),
    links: Object.fromEntries(
      filesBelow(links).map((file) => [relative(links, file).split(sep).join('/'), new Uint8Array(readFileSync(file))]),
    ),
    inspects: /"inspect": ?\[\s*\{/.test(body),
  }
}

export const chainCases: ChainCase[] = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [read(entry.name)] : [],
)
